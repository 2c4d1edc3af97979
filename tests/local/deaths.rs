//! Whoever dies: what became of a command is known, or that nobody saw it.

use std::process::{Command, Stdio};
use std::time::Duration;

use leapfrog::runner::{FoundState, Runner, RunnerErrorKind};

use crate::bed::{Home, kill, program};
use crate::contract::{run_task, watch};

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn a_command_goes_on_whose_supervisor_is_killed_and_its_end_is_not_made_up() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    let task = run.shell(&image, 1, "echo one; sleep 2; echo two; exit 3");
    let handle = runner.launch(&task).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    kill("KILL", run.process(&handle, "supervisor"));
    assert_eq!(runner.find(&run.id).await.unwrap()[0].state, FoundState::Running);
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<leapfrog::runner::OutputLine>(8);
    let collect = async {
        let mut lines = Vec::new();
        while let Some(line) = receiver.recv().await {
            lines.push(line.text);
        }
        lines
    };
    let (end, lines) = tokio::join!(runner.watch(&handle, sender), collect);
    let error = end.unwrap_err();
    assert_eq!((error.kind, lines), (RunnerErrorKind::Lost, vec!["one".into(), "two".into()]));
    assert!(error.what.contains("was not seen"), "{error}");
    assert_eq!(runner.find(&run.id).await.unwrap(), [], "the databases decide over it");
    assert_eq!(run_task(&runner, &run.shell(&image, 1, "echo again")).await.0, ["again"], "its step can begin anew");
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn who_asks_all_processes_to_end_ends_the_command_and_its_end_is_written_down() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    let handle = runner.launch(&run.shell(&image, 1, "echo one; exec sleep 600")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // As systemd stops a unit: every process of it, the supervisor first.
    for signal in ["TERM", "HUP", "INT"] {
        kill(signal, run.process(&handle, "supervisor"));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    kill("TERM", run.process(&handle, "command"));
    let (lines, exit) = watch(&runner, &handle).await;
    assert_eq!((lines[0].text.as_str(), exit.code), ("one", 143));
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn of_a_command_that_was_killed_with_its_supervisor_nothing_is_left_but_what_tidying_removes() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    let handle = runner.launch(&run.shell(&image, 1, "exec sleep 600")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    kill("KILL", run.process(&handle, "supervisor"));
    kill("KILL", run.process(&handle, "command"));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(runner.find(&run.id).await.unwrap(), []);
    assert!(run.directory(&handle).exists());
    assert_eq!(runner.tidy().await.unwrap(), 1);
    assert!(!run.directory(&handle).exists());
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn a_machine_that_was_started_again_took_the_command_with_it_whatever_has_its_number() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    let handle = runner.launch(&run.shell(&image, 1, "exec sleep 600")).await.unwrap();
    assert_eq!(runner.find(&run.id).await.unwrap()[0].state, FoundState::Running);
    let directory = run.directory(&handle);
    // As it would be found after a start: the same numbers, another start of the machine.
    let mut kept = Vec::new();
    for part in ["supervisor.json", "command.json"] {
        let text = std::fs::read_to_string(directory.join(part)).unwrap();
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value["boot"] = "00000000-0000-0000-0000-000000000000".into();
        std::fs::write(directory.join(part), value.to_string()).unwrap();
        kept.push((part, text));
    }
    assert_eq!(runner.find(&run.id).await.unwrap(), []);
    for (part, text) in kept {
        std::fs::write(directory.join(part), text).unwrap();
    }
    runner.stop(&handle, Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn what_runs_on_another_machine_is_not_taken_for_gone() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    let handle = runner.launch(&run.shell(&image, 1, "sleep 3")).await.unwrap();
    let directory = run.directory(&handle);
    let path = directory.join("supervisor.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["place"] = "another machine".into();
    std::fs::write(&path, value.to_string()).unwrap();
    let error = runner.find(&run.id).await.unwrap_err();
    assert!(error.what.contains("another machine") && error.advice.contains("Run the same command there"), "{error}");
    runner.reap(&handle).await.unwrap_err();
    std::fs::write(&path, text).unwrap();
    watch(&runner, &handle).await;
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn a_supervisor_outlives_the_death_of_who_began_it() {
    let home = Home::new();
    let (runner, run, image) = (home.runner(), home.run(), home.image().await);
    // Prepared here, begun by a shell of its own group that is killed.
    let handle = runner.launch(&run.shell(&image, 1, "sleep 2; echo survived; exit 9")).await.unwrap();
    watch(&runner, &handle).await;
    let directory = run.directory(&handle);
    for name in ["exit.json", "command.json", "supervisor.json", "stdout", "stderr", "marks"] {
        std::fs::remove_file(directory.join(name)).unwrap();
    }
    std::fs::create_dir_all(directory.join("work")).unwrap();
    let line = format!("'{}' supervise-task '{directory}' & sleep 600", program());
    let mut shell = Command::new("setsid").args(["sh", "-c", &line]).stdout(Stdio::null()).spawn().unwrap();
    while !directory.join("command.json").exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // All of its session's first group: what a closed terminal and a killed login do.
    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", shell.id())]).status().unwrap();
    shell.wait().unwrap();
    let (lines, exit) = watch(&home.runner(), &handle).await;
    assert_eq!((lines[0].text.as_str(), exit.code), ("survived", 9));
}
