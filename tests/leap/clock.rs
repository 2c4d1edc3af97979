//! A clock that is set back and forward by hours in the middle of a leap. Only the time of day jumps, as it does on a
//! machine; what counts seconds goes on.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bed::Cloud;
use crate::dumps::takes_points;

const LEAP: [&str; 7] = ["--from", "2023.1", "--to", "2024.1", "--yes", "--only", "cinder,placement"];

/// Debian's library that tells programs another time of day.
fn library() -> PathBuf {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libfaketime.so.1");
    if !kept.exists() {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let script = "apt-get -q download libfaketime && dpkg-deb -x libfaketime_*.deb . && cp usr/lib/*/faketime/libfaketime.so.1 .";
        let made = Command::new("sh").args(["-c", script]).current_dir(&directory).output().expect("a shell");
        let complaint = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "this test needs Debian's package libfaketime: {complaint}");
        std::fs::rename(directory.path().join("libfaketime.so.1"), &kept).expect("renamed");
    }
    kept
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_clock_that_jumps_by_hours_changes_neither_order_nor_waits_nor_what_is_kept() {
    let cloud = Cloud::new("clock", 10);
    takes_points(&cloud, "  keep: 1\n");
    let library = library();
    let clock = cloud.directory.path().join("clock");
    let is_off_by = |time: &str| {
        // Renamed, so that nobody reads half of it.
        let next = clock.with_extension("next");
        std::fs::write(&next, time).expect("written");
        std::fs::rename(&next, &clock).expect("renamed");
    };
    is_off_by("+0");
    let at = |mut command: Command| {
        command.env("LD_PRELOAD", &library).env("FAKETIME_TIMESTAMP_FILE", &clock);
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
        command
    };
    let mut child = at(cloud.command(&LEAP))
        .args(["-o", "jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("leapfrog runs");
    let began = std::time::Instant::now();
    let mut stream = BufReader::new(child.stdout.take().expect("a pipe"));
    // Forward by three days while 2023.1 is at work, back to five hours ago while 2023.2 is, and again while 2024.1 is.
    for (series, jump) in [("2023.1", "+259200"), ("2023.2", "-18000"), ("2024.1", "-21600")] {
        let mut line = String::new();
        while !(line.contains("\"step-ended\"") && line.contains(&format!("\"{series}/placement/db-sync\""))) {
            line.clear();
            assert!(stream.read_line(&mut line).expect("text") > 0, "{series} was never at work");
        }
        is_off_by(jump);
    }
    stream.read_to_string(&mut String::new()).expect("read");
    let output = child.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(!said.contains("is away") && !said.contains("waiting"), "nothing went away: {said}");

    let journal = cloud.journal();
    let times: Vec<&str> = journal.iter().filter_map(|record| record["time"].as_str()).collect();
    assert!(times.windows(2).any(|two| two[1] < two[0]), "the clock never jumped: {times:?}");
    let numbers: Vec<u64> = journal.iter().filter_map(|record| record["sequence"].as_u64()).collect();
    assert_eq!(numbers, (1..=journal.len() as u64).collect::<Vec<_>>());
    let longest = journal.iter().filter_map(|record| record["seconds"].as_f64()).fold(0.0, f64::max);
    assert!(longest < began.elapsed().as_secs_f64(), "a step is said to have taken {longest} s");
    // The restore points of the last release are the newest, whatever time they bear, and the first ones stay.
    let list: Value =
        serde_json::from_str(&cloud.leapfrog(&["restore", "--list", "-o", "json"]).ended(0).stdout).expect("JSON");
    let mut kept: Vec<(&str, &str)> = list
        .as_array()
        .expect("a list")
        .iter()
        .map(|point| (point["database"].as_str().expect("a name"), point["before"].as_str().expect("a release")))
        .collect();
    kept.sort_unstable();
    let expected = [("cinder", "2023.1"), ("cinder", "2024.1"), ("placement", "2023.1"), ("placement", "2024.1")];
    assert_eq!(kept, expected);
    cloud.leapfrog(&["status"]).ended(0);

    // On a machine whose clock is two days behind the last run's beginning the way back leads there all the same, and
    // the same command goes on with that run.
    is_off_by("-172800");
    let told =
        |arguments: &[&str]| crate::bed::Told::from(at(cloud.command(arguments)).output().expect("leapfrog runs"));
    told(&["restore", "--to", "2024.1", "--yes"]).ended(0);
    told(&LEAP).ended(0).said(&["continuing run"]);
    assert_eq!(cloud.heads("placement"), ["a082b8bb98d0"]);
    assert_eq!(cloud.containers(), 0);
}
