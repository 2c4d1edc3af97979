//! `leapfrog demo`: its cloud is asserted as the real leap's is: heads, rows, evidence, journal; and what it leaves.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bed::{environments, kill};
use crate::cloud::{environment, testbed};

/// The demos of a test: a state directory of their own.
struct Demos(tempfile::TempDir);

impl Demos {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leapfrog"));
        command.args(arguments).env("XDG_STATE_HOME", self.0.path()).env("LANG", "C.UTF-8");
        // Neither an engine nor a cloud file of anybody's is needed.
        command.env("DOCKER_HOST", "tcp://127.0.0.1:1").env_remove("LEAPFROG_CONFIG").current_dir(self.0.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn demo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&["demo", "--environments", environments().as_str()]);
        command.args(arguments);
        command
    }

    /// The directories of demos that are there.
    fn directories(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.0.path().join("leapfrog/demo")).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

/// What a command that ended said: standard output, standard error.
fn ended(output: &Output, code: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    (out, err)
}

/// What a query finds in a file, its rows side by side.
fn found(directory: &Path, database: &str, query: &str) -> String {
    let script = "import sqlite3, sys\nfor row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print(*row)";
    let file = directory.join("databases").join(format!("{database}.sqlite"));
    let output = Command::new("python3").args(["-c", script]).arg(&file).arg(query).output().unwrap();
    assert!(output.status.success(), "{database}: {query}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The journal of the one run in a demo's directory.
fn journal(directory: &Path) -> Vec<Value> {
    let runs: Vec<_> = std::fs::read_dir(directory.join("state/runs")).unwrap().flatten().collect();
    assert_eq!(runs.len(), 1, "one leap");
    let text = std::fs::read_to_string(runs[0].path().join("journal.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until a demo has come so far that `seen` finds something in its directory.
fn wait_for<T>(demos: &Demos, child: &mut Child, seen: impl Fn(&Path) -> Option<T>) -> (PathBuf, T) {
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < Duration::from_secs(600), "the demo does not get there");
        assert!(child.try_wait().unwrap().is_none(), "the demo ended before");
        let there = demos.directories().into_iter().find_map(|directory| Some((directory.clone(), seen(&directory)?)));
        if let Some(there) = there {
            return there;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The task of a command that runs in a demo's directory.
fn running(directory: &Path) -> Option<PathBuf> {
    let runs = std::fs::read_dir(directory.join("state/tasks")).ok()?.flatten();
    let mut tasks = runs.flat_map(|run| std::fs::read_dir(run.path()).into_iter().flatten().flatten());
    tasks.find_map(|task| {
        let task = task.path();
        (task.join("command.json").exists() && !task.join("exit.json").exists()).then_some(task)
    })
}

fn pid(task: &Path) -> u32 {
    let value: Value = serde_json::from_slice(&std::fs::read(task.join("command.json")).unwrap()).unwrap();
    u32::try_from(value["pid"].as_u64().unwrap()).unwrap()
}

#[test]
#[ignore = "fetches packages: make test"]
fn the_demo_s_cloud_is_taken_through_four_releases_and_kept_where_that_was_asked_for() {
    let demos = Demos::new();
    let (out, err) = ended(&demos.demo(&["--keep"]).output().unwrap(), 0);
    assert!(out.contains("yes: complete at 2024.2"), "{out}");
    assert!(err.contains("300 servers in two cells") && err.contains("4 environments are here"), "{err}");
    let [directory] = &demos.directories()[..] else { panic!("one demo was kept: {:?}", demos.directories()) };

    let heads = "SELECT version_num FROM alembic_version ORDER BY 1";
    for (database, expected) in [
        ("barbican", "8c74e2d7f1ff"),
        ("cinder", "9c74c1c6971f"),
        ("glance", "2024_1_contract01"),
        ("keystone", "47147121 c88cdce8f248"),
        ("nova_api", "cdeec0c85668"),
        ("nova_cell0", "13863f4e1612"),
        ("nova_cell1", "13863f4e1612"),
        ("nova_cell2", "13863f4e1612"),
        ("placement", "a082b8bb98d0"),
    ] {
        assert_eq!(found(directory, database, heads), expected, "{database}");
    }
    for cell in ["nova_cell1", "nova_cell2"] {
        let named =
            "SELECT COUNT(*) FROM instances i JOIN compute_nodes c ON c.id = i.compute_id WHERE c.host = i.host";
        assert_eq!(found(directory, cell, named), "150");
        assert_eq!(found(directory, cell, "SELECT COUNT(*), COUNT(uuid) FROM migrations"), "30 30");
    }
    assert_eq!(found(directory, "nova_cell0", "SELECT COUNT(*) FROM instances WHERE vm_state = 'error'"), "7");
    assert_eq!(found(directory, "cinder", "SELECT COUNT(*), COUNT(use_quota) FROM volumes"), "130 130");
    assert_eq!(found(directory, "cinder", "SELECT COUNT(*), COUNT(use_quota) FROM snapshots"), "15 15");
    assert_eq!(found(directory, "placement", "SELECT COUNT(*) FROM consumers"), "120");
    let kept = [("keystone", "project", "6"), ("glance", "images", "12"), ("barbican", "secrets", "9")];
    for (database, table, rows) in kept {
        // keystone has a domain of its own besides: the root of all.
        let count =
            found(directory, database, &format!("SELECT COUNT(*) FROM {table} WHERE id <> '<<keystone.domain.root>>'"));
        assert_eq!(count, rows, "{table}");
    }

    let journal = journal(directory);
    let last = journal.last().unwrap();
    assert_eq!((last["event"].as_str(), last["outcome"].as_str()), (Some("run-ended"), Some("done")), "{last}");
    let hops = journal.iter().filter(|record| record["event"] == "hop-ended").count();
    assert_eq!(hops, 4);
    let step = |name: &str| {
        let ended = |record: &&Value| record["event"] == "step-ended" && record["step"] == name;
        journal.iter().find(ended).unwrap_or_else(|| panic!("no end of {name}"))
    };
    for name in ["2023.1/cinder/online-data-migrations", "2023.2/nova/online-data-migrations@cell2"] {
        let ended = step(name);
        assert!(ended["rows"].as_u64() >= Some(145), "{ended}");
        assert!(!ended["evidence"].as_array().unwrap().is_empty(), "{ended}");
    }
    let points = std::fs::read_dir(directory.join("state/restore-points")).unwrap().count();
    assert!(points > 0, "there is a way back");

    // What is kept is an ordinary cloud.
    let config = directory.join("leapfrog.yaml");
    for command in [&["status"][..], &["verify", "--at", "2024.2"], &["restore", "--list"]] {
        let output = demos.command(command).arg("--config").arg(&config).output().unwrap();
        ended(&output, 0);
    }
    // A second one has nothing to make, clears up after itself, and leaves the first one alone.
    let (out, err) = ended(&demos.demo(&["--to", "2023.2"]).output().unwrap(), 0);
    assert!(out.contains("yes: complete at 2023.2"), "{out}");
    assert!(!err.contains(": making"), "{err}");
    assert_eq!(demos.directories(), std::slice::from_ref(directory));
}

#[test]
#[ignore = "fetches packages: make test"]
fn a_demo_that_is_stopped_or_killed_leaves_nothing_that_the_next_one_minds() {
    let demos = Demos::new();
    let short = ["--to", "2023.2"];
    // Ctrl-C while the cloud is made: there is nothing yet to keep.
    let mut child = demos.demo(&["--to", "2023.2", "--keep"]).spawn().unwrap();
    let (directory, task) = wait_for(&demos, &mut child, running);
    let command = pid(&task);
    kill("INT", child.id());
    let (_, err) = ended(&child.wait_with_output().unwrap(), 7);
    assert!(err.contains("the same `leapfrog demo` begins afresh"), "{err}");
    assert!(!directory.exists());
    assert!(!Path::new(&format!("/proc/{command}")).exists(), "its command ended with it");

    // Killed in the middle of the leap.
    let mut child = demos.demo(&short).spawn().unwrap();
    let in_the_leap = |directory: &Path| directory.join("state/runs").exists().then(|| running(directory)).flatten();
    let (left, task) = wait_for(&demos, &mut child, in_the_leap);
    let command = pid(&task);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(left.exists());
    let (out, _) = ended(&demos.demo(&short).output().unwrap(), 0);
    assert!(out.contains("yes: complete at 2023.2"), "{out}");
    assert!(!Path::new(&format!("/proc/{command}")).exists(), "what the first one left running was ended");
    assert_eq!(demos.directories(), [] as [&Path; 0]);
}

/// The demo's databases on the test bed's server.
fn on_the_server() -> String {
    testbed(
        &["sql", "information_schema"],
        "SELECT SCHEMA_NAME FROM SCHEMATA WHERE SCHEMA_NAME LIKE 'leapfrog\\_demo%'",
    )
}

#[test]
#[ignore = "needs the test bed: make test"]
fn on_a_server_the_demo_has_databases_of_its_own_and_drops_them() {
    let demos = Demos::new();
    let port = environment()["mariadb"]["port"].as_u64().unwrap();
    // Of demos that somebody kept there, and of a test that was cut off.
    let left: Vec<String> = on_the_server().lines().map(|name| format!("DROP DATABASE {name};")).collect();
    testbed(&["sql", "information_schema"], &left.concat());
    testbed(
        &["sql", "information_schema"],
        "CREATE OR REPLACE USER 'leapfrogdemo'@'%' IDENTIFIED BY 'Leak0demo';\n\
         GRANT ALL PRIVILEGES ON `leapfrog\\_demo%`.* TO 'leapfrogdemo'@'%';\n\
         CREATE DATABASE leapfrog_demo_keystone;",
    );
    let demo = |arguments: &[&str]| {
        let mut command = demos.demo(&["--to", "2023.2"]);
        let url = format!("mysql+pymysql://leapfrogdemo:Leak0demo@127.0.0.1:{port}");
        command.args(arguments).env("LEAPFROG_DEMO_DATABASE", url);
        command
    };
    // Nobody's database is dropped, whatever was asked for.
    let (_, err) = ended(&demo(&["--replace"]).output().unwrap(), 3);
    assert!(err.contains("leapfrog_demo_keystone") && err.contains("no demo's"), "{err}");
    assert_eq!(on_the_server().trim(), "leapfrog_demo_keystone");
    testbed(&["sql", "information_schema"], "DROP DATABASE leapfrog_demo_keystone;");

    // What a killed demo left is told, and replaced when that is asked for.
    let mut child = demo(&[]).spawn().unwrap();
    wait_for(&demos, &mut child, running);
    child.kill().unwrap();
    child.wait().unwrap();
    let (_, err) = ended(&demo(&[]).output().unwrap(), 3);
    assert!(err.contains("an earlier demo left") && err.contains("--replace"), "{err}");

    let output = demo(&["--replace", "--keep"]).output().unwrap();
    let (out, err) = ended(&output, 0);
    assert!(out.contains("yes: complete at 2023.2"), "{out}");
    assert!(!err.contains("can read it"), "{err}");
    assert!(!(out + &err).contains("Leak0demo"), "the password is told");
    let number = |database: &str, query: &str| testbed(&["sql", database], query).trim().to_owned();
    assert_eq!(number("leapfrog_demo_nova_cell1", "SELECT COUNT(compute_id) FROM instances"), "150");
    assert_eq!(number("leapfrog_demo_cinder", "SELECT COUNT(use_quota) FROM volumes"), "130");
    assert_eq!(number("leapfrog_demo_placement", "SELECT version_num FROM alembic_version"), "a082b8bb98d0");
    let [directory] = &demos.directories()[..] else { panic!("one demo was kept") };
    let written = Command::new("grep").args(["-rl", "Leak0demo"]).arg(directory).output().unwrap();
    let written = String::from_utf8(written.stdout).unwrap();
    assert_eq!(written.trim(), directory.join("password").to_str().unwrap(), "it is in its own file alone");

    ended(&demo(&["--replace"]).output().unwrap(), 0);
    assert_eq!(on_the_server().trim(), "");
    testbed(&["sql", "information_schema"], "DROP USER 'leapfrogdemo'@'%';");
}
