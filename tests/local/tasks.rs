//! Tasks start, end, are stopped, found again and removed; their private files with them. What
//! every runner owes is in `contract`.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use leapfrog::model::{RunId, Secret};
use leapfrog::runner::{FoundState, PinnedImage, PrivateFile, Runner, RunnerErrorKind, Task, TaskHandle};

use crate::bed::{Home, TestRun, kill};
use crate::contract::{Subject, hold_to_contract, run_task, watch};

/// The runner of local environments with the small environment.
struct AtHome {
    home: Home,
    run: TestRun,
    image: PinnedImage,
}

impl Subject for AtHome {
    fn runner(&self) -> Box<dyn Runner> {
        Box::new(self.home.runner())
    }

    fn run(&self) -> &RunId {
        &self.run.id
    }

    fn shell(&self, round: u32, line: &str) -> Task {
        self.run.shell(&self.image, round, line)
    }
}

async fn at_home() -> AtHome {
    let home = Home::new();
    let (run, image) = (home.run(), home.image().await);
    AtHome { home, run, image }
}

hold_to_contract!("fetches packages: make test", at_home);

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn a_killed_task_ends_with_137() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    let handle = runner.launch(&run.shell(&image, 1, "echo started; exec sleep 600")).await.unwrap();
    let killing = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        kill("KILL", run.process(&handle, "command"));
    };
    let ((lines, exit), ()) = tokio::join!(watch(&runner, &handle), killing);
    assert_eq!((lines[0].text.as_str(), exit.code), ("started", 137));
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn a_program_that_the_environment_lacks_never_starts_and_leaves_nothing() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    // What the machine has is none of the environment's.
    for program in ["nova-manage", "/bin/sh", "sh", "../bin/python", ""] {
        let error = runner.launch(&run.task(&image, 1, &[program, "db", "sync"])).await.unwrap_err();
        assert_eq!(error.kind, RunnerErrorKind::NotStarted);
        assert!(error.what.contains(&format!("no program `{program}`")), "{error}");
    }
    assert_eq!(runner.find(&run.id).await.unwrap(), []);
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn what_cannot_be_started_is_told_and_leaves_nothing() {
    let home = Home::new();
    let (run, image) = (home.run(), home.image().await);
    let mut settings =
        crate::bed::settings(&crate::bed::environments(), home.path(), crate::bed::small("iso8601==2.1.0"));
    settings.supervisor = "/bin/false".into();
    let runner = leapfrog::runner::local::Local::new(settings);
    let error = runner.launch(&run.shell(&image, 1, "true")).await.unwrap_err();
    assert_eq!(error.kind, RunnerErrorKind::NotStarted);
    assert!(error.what.contains("2024.1/nova/db-sync@cell1 could not be started"), "{error}");
    assert_eq!(runner.find(&run.id).await.unwrap(), []);
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn a_task_has_a_session_a_directory_and_an_environment_of_its_own() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    let handle =
        runner.launch(&run.shell(&image, 1, "pwd; env | sort; ps -o sid= -p $$; ps -o tty= -p $$")).await.unwrap();
    let (lines, exit) = watch(&runner, &handle).await;
    let lines: Vec<&str> = lines.iter().map(|line| line.text.trim()).collect();
    let directory = run.directory(&handle);
    assert_eq!((exit.code, lines[0]), (0, directory.join("work").as_str()));
    let names: Vec<&str> = lines.iter().filter_map(|line| line.split_once('=').map(|(name, _)| name)).collect();
    assert_eq!(names, ["HOME", "LANG", "PATH", "PWD", "PYTHONDONTWRITEBYTECODE", "PYTHONNOUSERSITE", "TMPDIR"]);
    let own =
        std::process::Command::new("ps").args(["-o", "sid=", "-p", &std::process::id().to_string()]).output().unwrap();
    assert_ne!(lines[lines.len() - 2], String::from_utf8_lossy(&own.stdout).trim(), "it is in this session");
    assert_eq!(lines[lines.len() - 1], "?");
    let mode = std::fs::metadata(&directory).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn a_private_file_is_there_for_its_task_alone_and_goes_away_with_its_end() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    let script = "cat ~/.keystone/keystone.conf ~/.nova/nova.conf; stat -c %a ~/.nova ~/.nova/nova.conf; ls -A ~";
    let mut task = run.shell(&image, 1, script);
    let file =
        |path: &str, content: &str| PrivateFile { path: path.into(), passed_with: None, content: Secret::new(content) };
    task.files = vec![file("/etc/keystone/keystone.conf", "s3cret-one\n"), file("/etc/nova/nova.conf", "s3cret-two\n")];
    let handle = runner.launch(&task).await.unwrap();
    let (lines, exit) = watch(&runner, &handle).await;
    let lines: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    let expected = vec!["s3cret-one", "s3cret-two", "700", "600", ".keystone", ".nova"];
    assert_eq!((lines, exit.code), (expected, 0));
    let left =
        std::process::Command::new("grep").args(["-r", "s3cret", run.directory(&handle).as_str()]).output().unwrap();
    let left = String::from_utf8_lossy(&left.stdout).into_owned();
    assert!(left.lines().all(|line| line.contains("/stdout:")), "only what the command printed itself: {left}");
    runner.reap(&handle).await.unwrap();
    assert!(!run.directory(&handle).exists());
    runner.reap(&handle).await.expect("nothing to remove is no error");
    let (_, exit) = run_task(&runner, &run.shell(&image, 2, "cat ~/.keystone/keystone.conf")).await;
    assert_eq!(exit.code, 1, "another task has no such file");
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn a_place_where_no_command_looks_is_refused_and_nothing_is_left() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    for path in ["etc/nova.conf", "/etc/../nova.conf", "/", "/opt/nova/nova.conf"] {
        let mut task = run.shell(&image, 1, "true");
        task.files = vec![PrivateFile { path: path.into(), passed_with: None, content: Secret::new("s3cret") }];
        let error = runner.launch(&task).await.unwrap_err();
        assert_eq!(error.kind, RunnerErrorKind::NotStarted, "{path}");
    }
    assert_eq!(runner.find(&run.id).await.unwrap(), []);
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn what_a_command_leaves_running_ends_with_it() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    let handle = runner.launch(&run.shell(&image, 1, "sleep 600 & echo $!; exit 4")).await.unwrap();
    let (lines, exit) = watch(&runner, &handle).await;
    assert_eq!(exit.code, 4);
    let alive = || std::path::Path::new(&format!("/proc/{}", lines[0].text)).exists();
    let began = Instant::now();
    while alive() && began.elapsed().as_secs() < 10 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!alive(), "process {} sleeps on", lines[0].text);
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn an_environment_in_which_a_task_runs_cannot_be_removed() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    runner.launch(&run.shell(&image, 1, "sleep 600")).await.unwrap();
    let shelved = leapfrog::runner::local::shelved(&crate::bed::environments()).unwrap();
    let environment = shelved.iter().find(|one| one.digest == image.digest).unwrap();
    assert!(!environment.remove().unwrap(), "a command runs in it");
    assert!(runner.has(&image).await.unwrap());
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn a_task_that_was_prepared_and_never_started_is_found_as_such_and_can_be_launched() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    let mut task = run.shell(&image, 1, "echo begun");
    let content = Secret::new("s3cret");
    task.files = vec![PrivateFile { path: "/etc/nova/nova.conf".into(), passed_with: None, content }];
    // As a process leaves it that died before the supervisor was there.
    let handle = runner.launch(&task).await.unwrap();
    watch(&runner, &handle).await;
    let directory = run.directory(&handle);
    for name in ["exit.json", "command.json", "supervisor.json", "stdout", "stderr", "marks"] {
        std::fs::remove_file(directory.join(name)).unwrap();
    }
    let conf = directory.join("home/.nova/nova.conf");
    std::fs::create_dir_all(conf.parent().unwrap()).unwrap();
    std::fs::write(&conf, "s3cret").unwrap();

    let found = runner.find(&run.id).await.unwrap();
    assert_eq!((found.len(), found[0].state), (1, FoundState::NeverStarted));
    assert!(!conf.exists(), "nobody needs the password any more");
    let (sender, _receiver) = tokio::sync::mpsc::channel(8);
    let error = runner.watch(&found[0].handle, sender).await.unwrap_err();
    assert_eq!(error.kind, RunnerErrorKind::NotStarted, "no exit code is made up");
    assert_eq!(run_task(&runner, &task).await.0, ["begun"]);
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn a_task_that_somebody_removed_is_lost_and_says_so() {
    let home = Home::new();
    let (runner, run) = (home.runner(), home.run());
    for handle in
        [format!("{}/2024.1.nova.db-sync.1.1", run.id), "../../etc/x".into(), "x".into(), format!("{}/..", run.id)]
    {
        let (sender, _receiver) = tokio::sync::mpsc::channel(8);
        let error = runner.watch(&TaskHandle(handle), sender).await.unwrap_err();
        assert_eq!(error.kind, RunnerErrorKind::Lost);
        assert!(!error.advice.is_empty(), "{error}");
    }
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn a_database_that_a_command_makes_where_it_stands_is_found() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    let script = "import os, sqlite3, pathlib\n\
                  for path in ['stray.db', os.path.expanduser('~/deep.sqlite'), os.environ['TMPDIR'] + '/t.sqlite3']:\n    \
                  sqlite3.connect(path).execute('create table t (x)')\n\
                  pathlib.Path('notes.txt').write_text('x'); pathlib.Path('no.db').write_text('no database')\n\
                  open('empty.db', 'w')";
    let handle = runner.launch(&run.task(&image, 1, &["python", "-c", script])).await.unwrap();
    let (lines, exit) = watch(&runner, &handle).await;
    assert_eq!(exit.code, 0, "{lines:?}");
    let written = runner.written(&handle, false).await.unwrap().unwrap();
    let directory = run.directory(&handle);
    let names: Vec<&str> = written.iter().map(|path| path.strip_prefix(&directory).unwrap().as_str()).collect();
    assert_eq!(names, ["home/deep.sqlite", "tmp/t.sqlite3", "work/empty.db", "work/stray.db"]);
}
