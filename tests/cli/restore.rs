//! `leapfrog restore`: databases come back to where a release began, and the run goes on from there.

use leapfrog::journal::{self, Evidence, Journal, Outcome, RecordBody, RunState, SavedPoint, Store};
use leapfrog::model::{ConnectionUrl, PointProof, RunId, StepId};
use leapfrog::restore::{Order, PointFiles, Setting, save};

use crate::lab::{Lab, antelope};
use crate::resolve::empty_engine;

const RUN: &str = "20261122-031502-7f3a";

fn valid<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

/// A cloud in the middle of a leap: two services were saved at 2023.1, and one of them was changed since.
fn saved() -> Lab {
    let lab = Lab::at_antelope(&["barbican", "glance"]).with_points().variable("DOCKER_HOST", &empty_engine()).ready();
    let plan = lab.run(&["plan", "--from", "2023.1", "--to", "2023.2", "-o", "json"]).out;
    let run: RunId = valid(RUN);
    let mut journal = Store::at(&lab.path("leapfrog-state")).create(&run, plan.as_bytes()).expect("created");
    let mut say = |body| drop(journal.append(jiff::Timestamp::now(), body).expect("legal"));
    say(RecordBody::RunStarted {
        run: run.clone(),
        cloud: "lab".into(),
        from: valid("2023.1"),
        to: valid("2023.2"),
        leapfrog: "0.1.0".into(),
        runner: "none".into(),
        host: "alpha".into(),
        pid: 7,
        images: Default::default(),
        unfenced: false,
    });
    say(RecordBody::HopStarted { series: valid("2023.1") });
    let begun = |step: &str| RecordBody::StepStarted { step: valid(step), attempt: 1, command: None, adopted: false };
    for service in ["barbican", "glance"] {
        let step = format!("2023.1/{service}/restore-point");
        say(begun(&step));
        say(RecordBody::StepEnded {
            step: valid(&step),
            attempt: 1,
            outcome: Outcome::Done,
            seconds: 0.1,
            rows: None,
            evidence: vec![Evidence::RestorePoint(Box::new(point(&lab, service)))],
            failure: None,
            never_began: false,
        });
    }
    say(begun("2023.1/glance/db-expand"));
    lab.sql("glance", &["CREATE TABLE half_done (id integer)".to_owned(), "DELETE FROM alembic_version".to_owned()]);
    lab
}

fn point(lab: &Lab, service: &str) -> SavedPoint {
    let setting = Setting {
        directory: lab.path("leapfrog-state/restore-points"),
        keep: 3,
        snapshots: None,
        timeout: std::time::Duration::from_secs(10),
    };
    let name = valid(&format!("{RUN}/2023.1/{service}.1"));
    let url: ConnectionUrl = valid(&format!("sqlite:///{}", lab.path(&format!("{service}.db"))));
    let order = Order { cloud: "lab".into(), name, proof: PointProof::Full };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let point =
        runtime.block_on(save(&order, &url, &setting, &|_| {})).unwrap_or_else(|error| panic!("{}", error.line()));
    SavedPoint {
        database: valid(service),
        point: order.name.to_string(),
        heads: point.heads,
        tables: point.fingerprint.tables.len() as u64,
        rows: point.fingerprint.rows(),
        plain: point.plain,
        bytes: point.bytes,
        sum: point.sum,
        proof: point.proof,
        removed: Vec::new(),
    }
}

fn state(lab: &Lab) -> RunState {
    let directory = Store::at(&lab.path("leapfrog-state")).directory_of(&valid(RUN));
    journal::read(&directory).expect("readable").state
}

/// What `detect` says of each database.
fn heads(lab: &Lab) -> String {
    lab.run(&["detect"]).out
}

#[test]
fn a_cloud_file_that_says_nothing_has_a_way_back_before_every_release() {
    let lab = Lab::at_antelope(&["glance"]).with_points().ready();
    let plan = lab.run(&["plan", "--from", "2023.1", "--to", "2024.1"]).out;
    assert_eq!(plan.matches("restore-point").count(), 3, "{plan}");
    let text = std::fs::read_to_string(lab.path("leapfrog.yaml")).expect("the cloud file");
    lab.file("leapfrog.yaml", format!("{text}restore_points: {{policy: none}}\n"));
    lab.run(&["detect"]).fails(2, &["nothing brings the databases back", "accept_no_way_back: true"]);
    lab.file("leapfrog.yaml", format!("{text}restore_points: {{policy: start, verify: off, keep: 0}}\n"));
    lab.run(&["detect"]).fails(2, &["restore points that are kept: 1 to 1000"]);
    lab.file("leapfrog.yaml", format!("{text}restore_points: {{policy: start, verify: off}}\n"));
    let plan = lab.run(&["plan", "--from", "2023.1", "--to", "2024.1"]).out;
    assert_eq!(plan.matches("dumped, and not proved").count(), 1, "{plan}");
}

#[test]
fn what_is_brought_back_is_proved_and_recorded_and_the_run_has_to_do_it_again() {
    let lab = saved();
    let before = heads(&lab);
    assert!(!before.contains("2023_1_contract01"), "{before}");
    lab.run(&["restore", "--to", "2023.1"]).fails(2, &["--yes"]);
    let done = lab.run(&["restore", "--to", "2023.1", "--service", "glance", "--yes"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.err.contains("glance is back at 2023_1_contract01"), "{}", done.err);
    assert!(done.err.contains("leapfrog --from 2023.1 --to 2023.2\n"), "{}", done.err);
    let after = heads(&lab);
    assert!(after.contains("2023_1_contract01"), "{after}");
    let state = state(&lab);
    assert_eq!(state.restoring, None);
    let step = |text: &str| &state.steps[&valid::<StepId>(text)];
    assert!(step("2023.1/glance/restore-point").is_complete() && step("2023.1/barbican/restore-point").is_complete());
    assert_eq!(step("2023.1/glance/db-expand").outcome, Some(Outcome::Interrupted), "in doubt no more");
    let status = lab.run(&["status"]).out;
    assert!(status.contains("brought back glance to where 2023.1 began"), "{status}");
    let list = lab.run(&["restore", "--list"]).out;
    assert!(list.contains("glance") && list.contains("before 2023.1") && list.contains("proof full"), "{list}");
    assert_eq!(lab.run(&["restore", "--list", "-o", "json"]).json().as_array().map(Vec::len), Some(2));
}

#[test]
fn there_is_no_going_back_to_where_nothing_was_saved_nor_from_a_damaged_dump() {
    let lab = saved();
    let before = lab.files();
    lab.run(&["restore", "--to", "2023.2", "--yes"])
        .fails(3, &["no restore point of barbican before 2023.2", "2023.1"]);
    lab.run(&["restore", "--to", "2024.1", "--yes"]).fails(3, &["does not lead through 2024.1"]);
    lab.run(&["restore", "--to", "2023.1", "--service", "nova", "--yes"]).fails(2, &["barbican, glance"]);
    let touched = |files: &[(std::path::PathBuf, Vec<u8>)]| {
        files.iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "db")).cloned().collect::<Vec<_>>()
    };
    assert!(touched(&lab.files()) == touched(&before));
    let files = PointFiles::at(&lab.path("leapfrog-state/restore-points"));
    let (name, point) = files.all().expect("readable").into_iter().next_back().expect("a point");
    let dump = files.dump(&name, &point.expect("readable")).expect("a dump");
    std::fs::write(&dump, b"nothing").expect("written");
    let done = lab.run(&["restore", "--to", "2023.1", "--yes"]);
    done.fails(4, &["glance is not brought back", "cannot be expanded"]);
    assert!(touched(&lab.files()).iter().zip(touched(&before)).filter(|(now, then)| **now != *then).count() <= 1);
    // What did not end well is finished before anything else begins.
    lab.run(&["--from", "2023.1", "--to", "2023.2", "--yes"])
        .fails(3, &["stand nowhere", "leapfrog restore --to 2023.1"]);
    lab.run(&["--from", "2023.1", "--to", "2023.2", "--yes", "--fresh"]).fails(3, &["stand nowhere"]);
    assert!(lab.run(&["status"]).out.contains("nowhere"), "status says it");
}

#[test]
fn a_restore_that_was_cut_off_is_done_again() {
    let lab = saved();
    let directory = Store::at(&lab.path("leapfrog-state")).directory_of(&valid(RUN));
    let (mut journal, _) = Journal::open(&directory).expect("a journal");
    let services = [valid("barbican"), valid("glance")].into();
    let body =
        RecordBody::RestoreStarted { to: valid("2023.1"), services, because: None, host: "alpha".into(), pid: 7 };
    journal.append(jiff::Timestamp::now(), body).expect("legal");
    drop(journal);
    // Whatever is asked for, all of what was cut off comes back.
    let done = lab.run(&["restore", "--to", "2023.1", "--service", "glance", "--yes"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.err.contains(&format!("barbican is back at {}", antelope("barbican")[0])), "{}", done.err);
    assert_eq!(state(&lab).restoring, None);
}
