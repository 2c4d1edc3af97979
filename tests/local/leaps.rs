//! Real leaps with `runner: local`: the same databases as through containers, whoever is killed on the way.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bed::{environments, process};
use crate::cloud::{Cloud, Told};
use crate::machine::compiler;

/// Lets a cloud of the test bed run its commands in environments of this machine.
pub(crate) fn local(cloud: &Cloud) {
    let text = std::fs::read_to_string(cloud.config()).unwrap();
    let (start, end) = (text.find("runner:\n").unwrap(), text.find("restore_points:\n").unwrap());
    let runner = format!("runner: {{local: {{directory: '{}'}}}}\n", environments());
    std::fs::write(cloud.config(), format!("{}{runner}{}", &text[..start], &text[end..])).unwrap();
}

/// leapfrog where nothing is a container engine.
pub(crate) fn at_home(cloud: &Cloud, arguments: &[&str]) -> Told {
    Told::from(without_engine(cloud, arguments).output().unwrap())
}

fn without_engine(cloud: &Cloud, arguments: &[&str]) -> Command {
    let mut command = cloud.command(arguments);
    command.env("DOCKER_HOST", "tcp://127.0.0.1:1");
    command
}

/// What is in the directory of tasks.
fn tasks(cloud: &Cloud) -> Vec<camino::Utf8PathBuf> {
    let root = camino::Utf8PathBuf::from_path_buf(cloud.directory.path().join("state/tasks")).unwrap();
    let runs = root.read_dir_utf8().into_iter().flatten().flatten();
    let tasks = runs.flat_map(|run| run.path().read_dir_utf8().into_iter().flatten().flatten());
    tasks.map(|task| task.path().to_owned()).collect()
}

#[test]
#[ignore = "needs the test bed: make test"]
fn the_databases_end_as_through_containers_also_where_leapfrog_and_its_commands_are_killed() {
    compiler();
    // The comparison is the torture's: two leaps from the same copies, table by table.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(root.join("tests/torture/torture"))
        .args(["--program", env!("CARGO_BIN_EXE_leapfrog"), "--leapfrog", "0", "--mariadbd", "0", "--dockerd", "0"])
        .args(["--container", "0", "--local", "2", "--process", "1", "--a-leap", "2", "--rows", "50", "--no-points"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (told, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}{said}");
    assert!(said.contains("its databases are those of the leap in containers"), "{said}");
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_leap_whose_leapfrog_is_killed_in_the_middle_of_a_command_goes_on_with_that_command() {
    compiler();
    let cloud = Cloud::new("killedlocal", 1500);
    local(&cloud);
    let leap = ["--from", "2023.1", "--to", "2023.2", "--only", "nova,placement", "--yes", "--output", "jsonl"];
    at_home(&cloud, &["pull", "--from", "2023.1", "--to", "2023.2"]).ended(0);
    let mut leapfrog = without_engine(&cloud, &leap).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    let caught = loop {
        assert!(began.elapsed() < Duration::from_secs(600), "no data migration began");
        let mut working = tasks(&cloud).into_iter().filter(|task| {
            task.as_str().contains("online-data-migrations")
                && task.join("command.json").exists()
                && !task.join("exit.json").exists()
        });
        if let Some(task) = working.next() {
            break task;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    leapfrog.kill().unwrap();
    leapfrog.wait().unwrap();
    let (pid, before) = (process(&caught, "command"), cloud.journal().len());
    assert!(
        Path::new(&format!("/proc/{pid}")).exists() || caught.join("exit.json").exists(),
        "it goes on without leapfrog"
    );
    at_home(&cloud, &leap).ended(0);
    let after: Vec<Value> = cloud.journal().into_iter().skip(before).collect();
    assert!(after.iter().any(|record| record["adopted"] == true), "it was taken up, not begun again: {after:#?}");
    assert_eq!(cloud.heads("nova"), ["1acf2c98e646"]);
    assert_eq!(tasks(&cloud), [] as [&str; 0], "nothing is left over");
    at_home(&cloud, &["sweep"]).ended(0).said(&["nothing is left over"]);
}
