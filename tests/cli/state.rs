//! The state directory: untouched by whatever only looks, locked by whoever works, and named when it is in the way.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use crate::lab::{Done, Lab};

const ALL: &[&str] = &["barbican", "cinder", "glance", "keystone", "nova", "placement"];

#[test]
fn whatever_only_looks_touches_nothing() {
    let lab = Lab::at_antelope(ALL).ready();
    let before = lab.files();
    for arguments in [
        &["plan", "--from", "2023.1", "--to", "2025.1"][..],
        &["plan", "--from", "auto", "--to", "+1", "-o", "json"],
        &["detect"],
        &["status"],
        &["runs"],
    ] {
        assert_eq!(lab.run(arguments).code, 0, "{arguments:?}");
        assert!(lab.files() == before, "{arguments:?} left something behind or changed it");
    }
    lab.run(&["logs", "db-sync"]).fails(2, &["no run yet"]);
    lab.run(&["pull", "--from", "2023.1", "--to", "+1"]).fails(3, &["no container engine answers"]);
    assert!(lab.files() == before);
}

#[test]
fn a_mistake_in_the_arguments_touches_nothing() {
    let lab = Lab::at_antelope(ALL).ready();
    let before = lab.files();
    for arguments in [
        &["--from", "2023.1", "--to", "+1"][..],
        &["--from", "2023.1", "--to", "+99", "--yes"],
        &["--from", "auto", "--to", "+1", "--yes", "--output", "json"],
        &["--from", "2023.1", "--to", "+1", "--yes", "--jobs", "0"],
    ] {
        lab.run(arguments).fails(2, &[]);
        assert!(lab.files() == before, "{arguments:?} left something behind or changed it");
    }
}

#[test]
fn without_a_terminal_a_leap_needs_yes() {
    let lab = Lab::at_antelope(&["glance"]).ready();
    lab.run(&["--from", "2023.1", "--to", "+1"]).fails(2, &["no terminal to ask on", "--yes", "leapfrog plan"]);
}

#[test]
fn a_second_leapfrog_is_told_who_works() {
    let lab = Lab::at_antelope(&["glance"]).ready();
    let path = lab.file("leapfrog-state/lock", "");
    let mut lock = File::options().write(true).open(path).expect("opened");
    lock.try_lock().expect("free");
    lock.write_all(b"process 7 on alpha, since 2026-11-22 03:15:02 UTC").expect("written");
    lab.run(&["--from", "2023.1", "--to", "+1", "--yes"])
        .fails(6, &["leapfrog-state/lock", "another leapfrog works on this cloud", "process 7 on alpha"]);
    // Looking is free meanwhile.
    for arguments in [&["plan", "--from", "2023.1", "--to", "+1"][..], &["status"], &["runs"], &["detect"]] {
        assert_eq!(lab.run(arguments).code, 0, "{arguments:?}");
    }
    drop(lock);
    lab.run(&["--from", "2023.1", "--to", "+1", "--yes"]).fails(3, &["no container engine answers"]);
}

#[test]
fn a_state_directory_that_cannot_be_made_is_named_with_the_key_that_names_it() {
    let lab = Lab::at_antelope(&["glance"]).with("state: taken/state").ready();
    lab.file("taken", "a file");
    insta::assert_snapshot!(lab.tell(&["--from 2023.1 --to +1 --yes", "status", "runs", "logs db-sync"]));
    assert_eq!(lab.run(&["plan", "--from", "2023.1", "--to", "+1"]).code, 0);
}

#[test]
fn a_state_directory_that_may_only_be_read_is_enough_to_look() {
    const NOBODY: u32 = 65534;
    let lab = Lab::at_antelope(&["glance"]).ready();
    lab.file("leapfrog-state/lock", "");
    let modes = [("leapfrog-state/lock", 0o444), ("leapfrog-state", 0o555), ("glance.db", 0o444), ("", 0o555)];
    for (name, mode) in modes {
        std::fs::set_permissions(lab.path(name), PermissionsExt::from_mode(mode)).expect("set");
    }
    let is_root = File::create(lab.path("probe")).is_ok();
    let run = |arguments: &[&str]| {
        let mut command = lab.command(arguments);
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output()
    };
    if run(&["--version"]).map_or(true, |output| !output.status.success()) {
        return; // another user cannot get at the program
    }
    for arguments in [&["plan", "--from", "2023.1", "--to", "+1"][..], &["detect"], &["status"], &["runs"]] {
        let done = Done::new(run(arguments).expect("started"), &format!("{arguments:?}"));
        assert_eq!(done.code, 0, "{arguments:?}: {}", done.err);
    }
    let leap = Done::new(run(&["--from", "2023.1", "--to", "+1", "--yes"]).expect("started"), "a leap");
    leap.fails(2, &["failed to open", "leapfrog-state/lock", "Permission denied"]);
    std::fs::set_permissions(lab.root(), PermissionsExt::from_mode(0o755)).expect("set");
    std::fs::set_permissions(lab.path("leapfrog-state"), PermissionsExt::from_mode(0o755)).expect("set");
}
