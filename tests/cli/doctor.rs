//! What the doctor sees without an engine: on SQLite databases, closed ports and files as they should not be.

use std::os::unix::fs::PermissionsExt;

use leapfrog::journal::Store;

use crate::lab::{CLOSED, Done, Lab, PASSWORD, antelope, follows};

/// The lines of a table that are about something, with what mends them.
fn about<'a>(done: &'a Done, state: &str, subject: &str) -> Vec<&'a str> {
    done.out.lines().filter(|line| line.starts_with(state) && line[9..].trim_start().starts_with(subject)).collect()
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn without_a_cloud_file_the_machine_is_looked_at_and_init_is_next() {
    let lab = Lab::new();
    let done = lab.run(&["doctor"]);
    assert_eq!(done.code, 3, "{}", done.out);
    assert!(
        words(&done.out).contains("warning cloud file there is no leapfrog.yaml next run `leapfrog init`"),
        "{}",
        done.out
    );
    assert_eq!(about(&done, "FAILURE", "engine").len(), 1, "{}", done.out);
    assert!(words(&done.out).contains("FAILURE engine no container engine answers at tcp://"), "{}", done.out);
    assert_eq!(about(&done, "ok", "leapfrog").len(), 1, "{}", done.out);
    assert!(done.err.contains("a leap would be refused: 1 failure to mend"), "{}", done.err);
}

#[test]
fn a_cloud_is_looked_at_without_changing_a_byte_of_anything() {
    let lab = Lab::at_antelope(&["keystone", "glance", "nova"]).with_points().ready();
    let before = lab.files();
    let done = lab.run(&["doctor", "-o", "json"]);
    assert_eq!(lab.files(), before, "something was changed");
    let report = done.json();
    follows("doctor", &report);
    let findings = report["findings"].as_array().expect("findings");
    let found = |state: &str, about: &str| {
        findings.iter().filter(|finding| finding["state"] == state && finding["about"] == about).count()
    };
    assert_eq!(
        (found("ok", "cloud file"), found("ok", "databases"), found("ok", "restore points")),
        (1, 1, 1),
        "{report:#}"
    );
    assert_eq!((found("ok", "state"), found("failure", "engine")), (1, 1), "{report:#}");
    assert_eq!((report["failures"].as_u64(), done.code), (Some(1), 3));
    let count = |state: &str| findings.iter().filter(|finding| finding["state"] == state).count() as u64;
    let told =
        [&report["ok"], &report["warnings"], &report["failures"]].map(|number| number.as_u64().expect("a number"));
    assert_eq!(told, [count("ok"), count("warning"), count("failure")]);
    for finding in findings {
        assert_eq!(
            finding["state"] == "ok",
            finding["next"].is_null(),
            "what is not in order is mended by something: {finding}"
        );
    }
}

#[test]
fn every_mistake_of_the_cloud_file_is_a_failure_with_its_line() {
    let lab =
        Lab::new().service_like("keystone", "{url: \"mysql://k@h/k\", password_env: NOT_SET}").with("nmae: x").ready();
    let done = lab.run(&["doctor"]);
    assert_eq!(done.code, 3);
    let out = words(&done.out);
    assert!(out.contains("FAILURE cloud file leapfrog.yaml:3:1: unknown key `nmae`"), "{}", done.out);
    assert!(
        out.contains("the environment variable `NOT_SET` is not set next set it and run leapfrog again"),
        "{}",
        done.out
    );
}

#[test]
fn a_database_out_of_reach_is_a_failure_and_hides_nothing_of_the_others() {
    let lab = Lab::at_antelope(&["glance"])
        .service_like("keystone", &format!("{{url: \"mysql://k:{PASSWORD}@{CLOSED}/k\"}}"))
        .ready();
    let done = lab.run(&["doctor"]);
    assert_eq!(done.code, 3);
    let out = words(&done.out);
    assert!(out.contains(&format!("FAILURE keystone failed to reach {CLOSED}")), "{}", done.out);
    assert!(out.contains("nothing listens there: check host and port"), "{}", done.out);
    assert_eq!(about(&done, "ok", "databases").len(), 1, "{}", done.out);
    // These clouds have no restore points, which somebody should know.
    assert_eq!(about(&done, "warning", "restore points").len(), 1, "{}", done.out);
    // With one service asked about, the other is not waited for.
    let done = lab.run(&["doctor", "--only", "glance"]);
    assert!(!done.out.contains("FAILURE  keystone"), "{}", done.out);
    let done = lab.run(&["doctor", "--only", "glanse"]);
    done.fails(2, &["did you mean glance?"]);
}

#[test]
fn a_leap_that_cannot_be_planned_is_told_with_every_reason() {
    let lab = Lab::at_antelope(&["glance"]).service("keystone", &["no-such-head"]).ready();
    let done = lab.run(&["doctor", "--from", "2023.1", "--to", "+1"]);
    assert_eq!(done.code, 3);
    assert!(words(&done.out).contains("FAILURE leap database keystone"), "{}", done.out);
    let done = Lab::at_antelope(&["glance"]).ready().run(&["doctor", "--from", "2023.1", "--to", "+1"]);
    assert!(words(&done.out).contains("ok leap 2023.1 → 2023.2 can be planned"), "{}", done.out);
}

#[test]
fn another_leapfrog_at_work_is_a_failure() {
    let lab = Lab::at_antelope(&["glance"]).ready();
    let store = Store::at(&lab.path("leapfrog-state"));
    let lock = store.lock("process 4711 on alpha").expect("free");
    let done = lab.run(&["doctor"]);
    assert!(words(&done.out).contains("another leapfrog works on this cloud: process 4711 on alpha"), "{}", done.out);
    drop(lock);
    assert!(!lab.run(&["doctor"]).out.contains("another leapfrog"));
}

#[test]
fn a_database_that_another_leapfrog_holds_is_a_failure_with_its_process() {
    let lab = Lab::at_antelope(&["glance"]).ready();
    let path = lab.file("glance.db.leapfrog-lock", "leapfrog 4711@alpha since 2026-01-01 00:00:00 UTC\n");
    let file = std::fs::File::open(&path).expect("opened");
    file.lock().expect("locked");
    let done = lab.run(&["doctor"]);
    assert!(words(&done.out).contains("glance: locked by leapfrog, process 4711 on alpha"), "{}", done.out);
    // What a dead one left is nobody's.
    file.unlock().expect("unlocked");
    assert!(!lab.run(&["doctor"]).out.contains("locked by"));
    assert!(path.exists(), "the doctor removed it");
}

#[test]
fn files_and_directories_that_others_can_use_are_warned_of() {
    let lab = Lab::new()
        .service_like("keystone", &format!("{{url: \"mysql://k@{CLOSED}/k\", password_file: secret}}"))
        .ready();
    lab.file("secret", PASSWORD);
    std::fs::set_permissions(lab.path("secret"), PermissionsExt::from_mode(0o644)).expect("set");
    std::fs::create_dir(lab.path("leapfrog-state")).expect("made");
    std::fs::set_permissions(lab.path("leapfrog-state"), PermissionsExt::from_mode(0o777)).expect("set");
    let out = words(&lab.run(&["doctor"]).out);
    assert!(out.contains("every user of this machine can read it next chmod o="), "{out}");
    assert!(out.contains("others than its owner may write to") && out.contains("next chmod go-w"), "{out}");
}

#[test]
fn a_state_directory_that_cannot_be_made_is_a_failure() {
    let lab = Lab::at_antelope(&["glance"]).with("state: /proc/leapfrog").ready();
    let done = lab.run(&["doctor"]);
    assert!(words(&done.out).contains("FAILURE state /proc"), "{}", done.out);
}

#[test]
fn a_locale_without_unicode_is_warned_of() {
    let lab = Lab::at_antelope(&["glance"]).variable("LANG", "C").variable("LC_ALL", "C").ready();
    let done = lab.run(&["doctor"]);
    assert!(words(&done.out).contains("warning terminal the locale is C"), "{}", done.out);
    assert!(done.out.is_ascii(), "{}", done.out);
}

#[test]
fn a_database_of_2023_1_needs_no_more_than_it_has() {
    let lab = Lab::new().service("keystone", antelope("keystone")).with_points().ready();
    let out = lab.run(&["doctor"]).out;
    assert!(words(&out).contains("ok restore points can be taken into"), "{out}");
}
