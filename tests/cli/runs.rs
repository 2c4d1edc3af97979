//! Runs that were, as `status`, `runs` and `logs` show them, and runs whose files are damaged.

use camino::Utf8PathBuf;
use leapfrog::journal::{RecordBody, Store};
use leapfrog::model::RunId;

use crate::lab::{Lab, follows};

const RUN: &str = "20261122-031502-7f3a";

/// A cloud with a run that began two steps and was cut off.
fn cut_off() -> Lab {
    let lab = Lab::at_antelope(&["glance", "placement"]).ready();
    begin(&lab, RUN);
    lab
}

fn begin(lab: &Lab, name: &str) {
    let plan = lab.run(&["plan", "--from", "2023.1", "--to", "2023.2", "-o", "json"]).out;
    let run: RunId = name.parse().expect("a run");
    let mut journal = Store::at(&lab.path("leapfrog-state")).create(&run, plan.as_bytes()).expect("created");
    let step = |text: &str| RecordBody::StepStarted {
        step: text.parse().expect("a step"),
        attempt: 1,
        command: None,
        adopted: false,
    };
    let bodies = [
        RecordBody::RunStarted {
            run,
            cloud: "lab".to_owned(),
            from: "2023.1".parse().expect("a series"),
            to: "2023.2".parse().expect("a series"),
            leapfrog: "0.1.0".to_owned(),
            runner: "docker 29.0".to_owned(),
            host: "alpha".to_owned(),
            pid: 7,
            unfenced: false,
            images: std::collections::BTreeMap::new(),
        },
        RecordBody::HopStarted { series: "2023.1".parse().expect("a series") },
        step("2023.1/glance/db-expand"),
        step("2023.1/placement/db-sync"),
    ];
    let time: jiff::Timestamp = "2026-11-22T03:15:02Z".parse().expect("a time");
    for body in bodies {
        journal.append(time, body).expect("written");
    }
    lab.file(&format!("leapfrog-state/runs/{name}/logs/2023.1/placement/db-sync.1.log"), "INFO  migrated\n");
}

fn file(lab: &Lab, name: &str) -> Utf8PathBuf {
    lab.path(&format!("leapfrog-state/runs/{RUN}/{name}"))
}

#[test]
fn with_no_run_yet_one_is_told_how_to_begin() {
    let lab = Lab::at_antelope(&["glance"]).ready();
    insta::assert_snapshot!(lab.tell(&["status", "runs", "logs db-sync", "status -o json", "runs -o json"]));
}

#[test]
fn a_run_that_was_cut_off_is_shown_as_that() {
    let lab = cut_off();
    let status = lab.run(&["status"]);
    assert_eq!(status.code, 0);
    for word in [RUN, "cut off", "on alpha (process 7)", "leapfrog --from 2023.1 --to 2023.2"] {
        assert!(status.out.contains(word), "no `{word}` in\n{}", status.out);
    }
    assert_eq!(lab.run(&["status", RUN]).out.lines().next(), status.out.lines().next());
    let runs = lab.run(&["runs"]).out;
    assert!(runs.contains(RUN) && runs.contains("cut off in 2023.1"), "{runs}");
    let records = lab.run(&["status", "-o", "json"]).json();
    for record in records.as_array().expect("records") {
        follows("events", record);
    }
}

#[test]
fn a_step_is_named_by_as_much_as_fits_one() {
    let lab = cut_off();
    for step in ["2023.1/placement/db-sync", "placement/db-sync", "placement"] {
        assert_eq!(lab.run(&["logs", step]).out, "INFO  migrated\n", "{step}");
    }
    lab.run(&["logs", "db-"]).fails(2, &["fits several steps", "2023.1/glance/db-expand, 2023.1/placement/db-sync"]);
    lab.run(&["logs", "db-sink"]).fails(2, &["no step of run", "`db-sink`", "leapfrog status"]);
    lab.run(&["logs", "glance"]).fails(2, &["2023.1/glance/db-expand has no log"]);
}

#[test]
fn a_run_that_never_was_is_answered_with_where_to_look() {
    let lab = cut_off();
    insta::assert_snapshot!(lab.tell(&[
        "status 20200101-000000-0000",
        "logs db-sync --run 20200101-000000-0000",
        "status yesterday",
        "status ../../../etc/passwd",
    ]));
}

#[test]
fn a_damaged_journal_is_refused_with_the_number_of_the_record() {
    let lab = cut_off();
    let journal = file(&lab, "journal.jsonl");
    let text = std::fs::read_to_string(&journal).expect("readable");
    let mut lines: Vec<&str> = text.lines().collect();
    lines[2] = "{\"format\": 1, \"sequ";
    std::fs::write(&journal, lines.join("\n") + "\n").expect("written");
    for arguments in
        [&["status"][..], &["runs"], &["logs", "db-sync"], &["--from", "2023.1", "--to", "2023.2", "--yes"]]
    {
        lab.run(arguments).fails(3, &["leapfrog: record 3 of ", "journal.jsonl is damaged", "--from auto"]);
    }
}

#[test]
fn a_journal_that_contradicts_itself_is_refused() {
    let lab = cut_off();
    let journal = file(&lab, "journal.jsonl");
    let text = std::fs::read_to_string(&journal).expect("readable");
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("hop-started")).collect();
    std::fs::write(&journal, lines.join("\n") + "\n").expect("written");
    insta::assert_snapshot!(lab.tell(&["status", "--from 2023.1 --to 2023.2 --yes"]));
}

#[test]
fn a_record_that_was_cut_off_is_no_damage() {
    let lab = cut_off();
    let journal = file(&lab, "journal.jsonl");
    let bytes = std::fs::read(&journal).expect("readable");
    std::fs::write(&journal, &bytes[..bytes.len() - 9]).expect("written");
    assert_eq!(lab.run(&["status"]).code, 0);
}

#[test]
fn a_damaged_or_missing_plan_is_refused_with_what_to_do() {
    let lab = cut_off();
    for contents in ["{\"format\": 1,", "", "[]", "\u{1}\u{2}"] {
        std::fs::write(file(&lab, "plan.json"), contents).expect("written");
        for arguments in [&["status"][..], &["runs"], &["logs", "x"], &["--from", "2023.1", "--to", "2023.2", "--yes"]]
        {
            lab.run(arguments).fails(3, &["plan.json is damaged", "restore the file from a copy", "--from auto"]);
        }
    }
    std::fs::remove_file(file(&lab, "plan.json")).expect("removed");
    lab.run(&["status"]).fails(3, &["plan.json is missing", "restore the file from a copy"]);
}

#[test]
fn one_damaged_run_hides_no_other() {
    let lab = cut_off();
    begin(&lab, "20261123-031502-0001");
    std::fs::write(file(&lab, "plan.json"), "{").expect("written");
    let runs = lab.run(&["runs"]);
    runs.fails(3, &["plan.json is damaged"]);
    assert!(runs.out.contains("20261123-031502-0001"), "{}", runs.out);
    assert_eq!(lab.run(&["status"]).code, 0, "the latest run is sound");
}

#[test]
fn an_unfinished_run_that_does_something_else_comes_first() {
    let lab = cut_off();
    lab.run(&["--from", "2023.1", "--to", "2024.1", "--yes", "--only", "glance"])
        .fails(3, &["unfinished and does something else", "leapfrog --from 2023.1 --to 2023.2`", "--fresh"]);
}

#[test]
fn a_database_that_was_changed_behind_an_unfinished_run_is_drift() {
    let lab = cut_off();
    lab.database("placement", &["a082b8bb98d0"]);
    std::fs::rename(lab.path("leapfrog.yaml"), lab.path("mine.yaml")).expect("renamed");
    insta::assert_snapshot!(lab.tell(&["--config mine.yaml --from 2023.1 --to 2023.2 --yes"]));
}
