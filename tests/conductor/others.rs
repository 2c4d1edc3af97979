//! Others at the databases: a lock that is lost, a fence that is broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use leapfrog::conduct::{Fence, Signal};
use leapfrog::journal::{Failure, Outcome, RecordBody};
use leapfrog::runner::scripted::{Call, Script};

use crate::bed::{Bed, seen_beginning};

const SYNC: &str = "2023.1/nova/db-sync";

/// Somebody is there at the second look and gone at the third.
#[derive(Default)]
struct Passing(AtomicUsize);

#[async_trait::async_trait]
impl Fence for Passing {
    async fn broken(&self) -> Option<Failure> {
        let failure = Failure {
            what: "somebody else is connected: nova from api1".into(),
            command: None,
            exit: None,
            last_lines: Vec::new(),
            log: None,
            migration: None,
            advice: "stop it".into(),
        };
        (self.0.fetch_add(1, Ordering::Relaxed) == 1).then_some(failure)
    }
}

#[tokio::test(start_paused = true)]
async fn no_release_begins_while_somebody_else_is_connected() {
    let mut bed = Bed::two_by_three();
    bed.fence = Some(Arc::new(Passing::default()));
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    assert!(
        told.place(|body| matches!(body, RecordBody::HopEnded { series } if series.as_str() == "2023.1")).is_some()
    );
    assert!(
        told.place(|body| matches!(body, RecordBody::HopStarted { series } if series.as_str() == "2023.2")).is_none()
    );
    let Some(RecordBody::RunEnded { failure: Some(failure), .. }) = told.records.last().map(|record| &record.body)
    else {
        panic!("the run does not say why it ended");
    };
    assert!(failure.what.contains("nova from api1"), "{}", failure.what);
    assert_eq!(bed.leap().await.outcome(), Outcome::Done, "once it is gone the same command goes on");
}

#[tokio::test(start_paused = true)]
async fn a_lost_lock_stops_what_runs_at_once_and_fails_the_run() {
    let mut bed = Bed::two_by_three();
    bed.runner.on(SYNC, [Script::hangs().out("working"), Script::ends(0)]);
    let lost = Signal::LockLost { text: "the lock in database nova.api is lost: killed".into() };
    bed.react(|event| seen_beginning(event, SYNC), lost);
    let told = bed.leap().await;
    assert_eq!((told.outcome(), told.conclusion.abandoned), (Outcome::Failed, false));
    assert!(bed.runner.calls().iter().any(|call| matches!(call, Call::Stop(..))), "its command was stopped");
    let Some(RecordBody::RunEnded { failure: Some(failure), .. }) = told.records.last().map(|record| &record.body)
    else {
        panic!("the run does not say why it ended");
    };
    assert!(failure.what.contains("nova.api is lost"), "{}", failure.what);
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
}
