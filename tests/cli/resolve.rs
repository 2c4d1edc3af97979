//! `leapfrog resolve`: a word on a step that must not be run twice, taken where it is needed and nowhere else.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use leapfrog::journal::{Journal, Outcome, RecordBody, Store};
use leapfrog::model::RunId;

use crate::lab::{Lab, follows, project};

const RUN: &str = "20261122-031502-7f3a";
const ONCE: &str = "2023.1/placement/db-sync";

/// An engine of its own that has no container, and answers nothing else.
pub(crate) fn empty_engine() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut lines = BufReader::new(stream.try_clone().expect("cloned")).lines();
            while let Some(Ok(request)) = lines.next() {
                // The headers; these requests have no body.
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let (code, body) = match request.split_ascii_whitespace().nth(1) {
                    Some(path) if path.contains("/containers/json") => ("200 OK", "[]"),
                    _ => ("404 Not Found", "{\"message\": \"nothing else\"}"),
                };
                let head =
                    format!("HTTP/1.1 {code}\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
                if write!(stream, "{head}\r\n\r\n{body}").is_err() {
                    break;
                }
            }
        }
    });
    format!("tcp://{address}")
}

/// A cloud whose run was cut off in two steps; a playbook of its own says that one of them must not be run twice.
fn cut_off() -> Lab {
    let lab = Lab::at_antelope(&["glance", "placement"])
        .variable("LOGNAME", "alice")
        .variable("LEAPFROG_CATALOG", "catalog")
        .ready();
    for directory in ["releases", "playbooks"] {
        for entry in project().join(directory).read_dir_utf8().expect("readable") {
            let entry = entry.expect("an entry");
            let mut text = std::fs::read_to_string(entry.path()).expect("readable");
            if entry.file_name() == "placement.yaml" {
                text = text.replacen("effect: idempotent", "effect: once", 1);
            }
            lab.file(&format!("catalog/{directory}/{}", entry.file_name()), text);
        }
    }
    let plan = lab.run(&["plan", "--from", "2023.1", "--to", "2023.2", "-o", "json"]).out;
    let run: RunId = RUN.parse().expect("a run");
    let mut journal = Store::at(&lab.path("leapfrog-state")).create(&run, plan.as_bytes()).expect("created");
    let series = |text: &str| text.parse().expect("a series");
    let begun = |step: &str| RecordBody::StepStarted {
        step: step.parse().expect("a step"),
        attempt: 1,
        command: None,
        adopted: false,
    };
    for body in [
        RecordBody::RunStarted {
            run,
            cloud: "lab".to_owned(),
            from: series("2023.1"),
            to: series("2023.2"),
            leapfrog: "0.1.0".to_owned(),
            runner: "docker 29.0".to_owned(),
            host: "alpha".to_owned(),
            pid: 7,
            unfenced: false,
            images: std::collections::BTreeMap::new(),
        },
        RecordBody::HopStarted { series: series("2023.1") },
        begun("2023.1/glance/db-expand"),
        begun(ONCE),
    ] {
        journal.append("2026-11-22T03:15:02Z".parse().expect("a time"), body).expect("written");
    }
    lab
}

/// The same with an engine that knows none of the run's containers.
fn without_containers() -> Lab {
    let mut lab = cut_off();
    lab.variables.push(("DOCKER_HOST", empty_engine()));
    lab
}

fn directory(lab: &Lab) -> camino::Utf8PathBuf {
    lab.path(&format!("leapfrog-state/runs/{RUN}"))
}

#[test]
fn a_word_is_on_record_with_who_said_it_when_why_and_what_the_databases_showed() {
    let lab = without_containers();
    let done = lab.run(&["resolve", ONCE, "--as", "done", "--note", "all tables are there", "-o", "json"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let record = done.json();
    follows("events", &record);
    for (key, value) in [
        ("event", "step-resolved"),
        ("step", ONCE),
        ("outcome", "done"),
        ("by", "alice"),
        ("note", "all tables are there"),
        ("time", record["time"].as_str().expect("a time")),
    ] {
        assert_eq!(record[key], value, "{key}");
    }
    assert_eq!(record["evidence"][0]["heads"]["database"], "placement", "{record}");
    let records = leapfrog::journal::read(&directory(&lab)).expect("readable").records;
    assert_eq!(serde_json::to_value(records.last()).expect("a form in JSON"), record);
    let status = lab.run(&["status"]).out;
    assert!(status.contains("alice") && status.contains("all tables are there"), "{status}");
    lab.run(&["resolve", ONCE, "--as", "failed"])
        .fails(3, &["is not in doubt", "it is complete", "leapfrog: refused; no database was touched"]);
}

#[test]
fn a_step_that_failed_may_be_run_again_and_the_command_that_does_so_is_named() {
    let lab = without_containers();
    let said = lab.run(&["resolve", "placement/db-sync", "--as", "failed"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("is recorded as failed and will be run again"), "{}", said.out);
    assert!(said.out.contains("next      leapfrog --from 2023.1 --to 2023.2"), "{}", said.out);
    let state = leapfrog::journal::read(&directory(&lab)).expect("readable").state;
    let step = &state.steps[&ONCE.parse().expect("a step")];
    assert_eq!((step.outcome, step.may_have_worked()), (Some(Outcome::Failed), false));
}

#[test]
fn what_the_databases_do_not_show_is_not_taken_for_done() {
    let lab = without_containers();
    lab.database("placement", &["b5c396305c25"]);
    lab.run(&["resolve", ONCE, "--as", "done"]).fails(
        3,
        &[
            "database placement does not show that step 2023.1/placement/db-sync is done",
            "b5c396305c25",
            "422ece571366",
        ],
    );
    lab.database("placement", &["422ece571366"]);
    assert_eq!(lab.run(&["resolve", ONCE, "--as", "done"]).code, 0, "once they do it is");
}

#[test]
fn a_step_that_needs_nobodys_word_gets_none() {
    let lab = without_containers();
    let journal = || std::fs::read(directory(&lab).join("journal.jsonl")).expect("readable");
    let before = journal();
    lab.run(&["resolve", "glance/db-expand", "--as", "done"])
        .fails(3, &["step 2023.1/glance/db-expand needs nobody's word", "run the same command again"]);
    lab.run(&["resolve", "placement/verify", "--as", "done"]).fails(2, &["no step of run", "`placement/verify`"]);
    lab.run(&["resolve", "2023.1", "--as", "done"]).fails(2, &["fits several steps"]);
    lab.run(&["resolve", ONCE]).fails(2, &["--as"]);
    lab.run(&["resolve", ONCE, "--as", "skipped"]).fails(2, &["skipped"]);
    assert_eq!(journal(), before);
    let refused = lab.run(&["resolve", "glance/db-expand", "--as", "done", "-o", "json"]);
    let line: serde_json::Value = serde_json::from_str(refused.out.trim()).expect("JSON");
    follows("events", &line);
    assert_eq!(line["refused"][0]["kind"], "not-in-doubt", "{line}");
}

#[test]
fn without_the_engine_nobody_knows_whether_its_container_is_there() {
    cut_off().run(&["resolve", ONCE, "--as", "done"]).fails(3, &["no container engine answers"]);
}

#[test]
fn without_a_run_or_after_it_there_is_no_doubt() {
    let lab = Lab::at_antelope(&["glance"]).ready();
    lab.run(&["resolve", ONCE, "--as", "done"]).fails(2, &["there is no run: no step is in doubt"]);
}

#[test]
fn while_a_leapfrog_works_nobody_else_writes_its_journal() {
    let lab = without_containers();
    let lock = Store::at(&lab.path("leapfrog-state")).lock("process 7 on alpha").expect("free");
    lab.run(&["resolve", ONCE, "--as", "failed"]).fails(6, &["another leapfrog works on this cloud", "process 7"]);
    drop(lock);
    assert_eq!(lab.run(&["resolve", ONCE, "--as", "failed"]).code, 0);
}

#[test]
fn a_torn_record_is_cut_off_and_said() {
    let lab = without_containers();
    let (mut journal, _) = Journal::open(&directory(&lab)).expect("a journal");
    let body = RecordBody::RunEnded { outcome: Outcome::Interrupted, failure: None };
    journal.append(jiff::Timestamp::now(), body).expect("legal");
    let path = directory(&lab).join("journal.jsonl");
    let bytes = std::fs::read(&path).expect("readable");
    std::fs::write(&path, &bytes[..bytes.len() - 9]).expect("written");
    let said = lab.run(&["resolve", ONCE, "--as", "failed"]);
    assert!(said.code == 0 && said.err.contains("ended in an unfinished record"), "{}", said.err);
    assert_eq!(leapfrog::journal::read(&directory(&lab)).expect("readable").torn, 0);
}
