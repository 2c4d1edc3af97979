//! A step that must not be run twice, in a real container: what became of the container decides, or a word does.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::bed::{Cloud, Told};

const LEAP: [&str; 7] = ["--from", "2023.1", "--to", "2023.1", "--yes", "--only", "placement"];
const ONCE: &str = "2023.1/placement/load-defaults";

/// A cloud, and a catalog of its own in which placement has a step that must not be run twice: it takes `seconds` and
/// ends with `exit`.
fn cloud(name: &str, seconds: u32, exit: u8) -> Cloud {
    let cloud = Cloud::new(name, 10);
    for directory in ["releases", "playbooks"] {
        let to = cloud.directory.path().join("catalog").join(directory);
        std::fs::create_dir_all(&to).expect("a directory");
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)).expect("readable") {
            let entry = entry.expect("an entry");
            let mut text = std::fs::read_to_string(entry.path()).expect("text");
            if entry.file_name() == "placement.yaml" {
                let step = format!(
                    "  - run:\n      name: load-defaults\n      phase: migrate\n      command: [sh, -c, 'echo loading; sleep \
                     {seconds}; echo loaded; exit {exit}']\n      effect: once\n      why: Loads what must be loaded once.\n"
                );
                text = text.replacen("  - drain:\n", &format!("{step}  - drain:\n"), 1);
            }
            std::fs::write(to.join(entry.file_name()), text).expect("written");
        }
    }
    cloud
}

fn leapfrog(cloud: &Cloud, arguments: &[&str]) -> Told {
    cloud.leapfrog(&[arguments, &["--catalog", "catalog"]].concat())
}

/// Begins the leap and kills leapfrog in the middle of the step, once its command runs.
fn killed_in_the_middle(cloud: &Cloud) {
    let mut child = cloud
        .command(&LEAP)
        .args(["--catalog", "catalog", "-o", "jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("leapfrog runs");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let runs = lines.map(|line| line.expect("text")).any(|line| line.contains(ONCE) && line.contains("\"output\":"));
    assert!(runs, "its command was never seen at work");
    child.kill().expect("killed");
    child.wait().expect("ended");
}

/// What the engine says to a command about the step's container.
fn docker(cloud: &Cloud, words: &[&str]) -> String {
    let run = |words: &[&str]| {
        let output = crate::bed::docker().args(words).output().expect("docker runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    let (of_cloud, of_step) = (format!("label=leapfrog.cloud={}", cloud.name), format!("label=leapfrog.step={ONCE}"));
    let container = run(&["ps", "-aq", "--filter", &of_cloud, "--filter", &of_step]);
    assert!(!container.is_empty() && container.lines().count() == 1, "{container:?}");
    run(&[words, &[&container]].concat())
}

/// How often the step's command was begun, as the journal has it.
fn begun(cloud: &Cloud, adopted: bool) -> usize {
    let journal = cloud.journal();
    let of_step = journal.iter().filter(|record| record["event"] == "step-started" && record["step"] == ONCE);
    of_step.filter(|record| record["adopted"].as_bool().unwrap_or(false) == adopted).count()
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_step_that_must_not_be_run_twice_and_whose_container_is_gone_waits_for_a_word_either_way() {
    for (word, times) in [("done", 1), ("failed", 2)] {
        let cloud = cloud(&format!("once{word}"), 5, 0);
        killed_in_the_middle(&cloud);
        // While its container is there, nobody has to say anything.
        leapfrog(&cloud, &["resolve", ONCE, "--as", word]).ended(3).said(&["its container", "is there and"]);
        docker(&cloud, &["rm", "-f"]);
        for _ in 0..2 {
            let told = leapfrog(&cloud, &LEAP).ended(4);
            let told = told.said(&["must not be run twice", "nobody saw how it ended"]);
            let _ = told.said(&[&format!("leapfrog resolve {ONCE} --as done")]);
            assert_eq!(begun(&cloud, false), 1, "it began a second time without a word");
        }
        leapfrog(&cloud, &["resolve", ONCE, "--as", word, "--note", "looked"]).ended(0);
        leapfrog(&cloud, &LEAP).ended(0);
        assert_eq!(begun(&cloud, false), times, "--as {word}");
        leapfrog(&cloud, &["status"]).ended(0);
        assert_eq!(cloud.containers(), 0);
    }
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_step_that_must_not_be_run_twice_is_watched_while_it_runs_and_its_exit_code_counts_once_it_ended() {
    // It still runs.
    let running = cloud("oncerun", 6, 0);
    killed_in_the_middle(&running);
    leapfrog(&running, &LEAP).ended(0);
    assert_eq!((begun(&running, false), begun(&running, true)), (1, 1), "it was watched, and not run again");
    assert_eq!(running.containers(), 0);

    // It ended while nobody watched: well, and not.
    for (exit, code) in [(0, 0), (3, 4)] {
        let cloud = cloud(&format!("onceend{exit}"), 1, exit);
        killed_in_the_middle(&cloud);
        let deadline = Instant::now() + Duration::from_secs(30);
        while docker(&cloud, &["inspect", "-f", "{{.State.Running}}"]) == "true" {
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(100));
        }
        let told = leapfrog(&cloud, &LEAP).ended(code);
        if exit > 0 {
            let _ = told.said(&["the command failed with exit code 3"]);
            // A failure does not make it repeatable.
            let _ = leapfrog(&cloud, &LEAP).ended(4).said(&["must not be run twice, and it did not end well"]);
        }
        assert_eq!((begun(&cloud, false), begun(&cloud, true)), (1, 1), "exit code {exit}");
    }
}
