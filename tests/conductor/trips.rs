//! Rows that are touched in a run: a step without a command, which ends after a batch and goes on from there.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use leapfrog::catalog::{TripWhen, TrippedTable};
use leapfrog::conduct::{Signal, Touched, Toucher, TripNews, failure};
use leapfrog::journal::{Event, Evidence, Outcome, Progress, RecordBody};
use leapfrog::model::{Effect, Phase};
use leapfrog::plan::{Action, Step, Touching};
use tokio::sync::{mpsc, watch};

use crate::bed::{Bed, Told, heads, seen_beginning, valid};

const STEP: &str = "2023.1/nova/touch-rows";
const ROWS: u64 = 1_000;

/// Rows that are only spoken of, touched a hundred a second.
#[derive(Default)]
struct Counted {
    touched: Mutex<u64>,
    /// Whether the triggers were said to be gone, each time.
    settled: Mutex<Vec<bool>>,
    fails: bool,
}

#[async_trait::async_trait]
impl Toucher for Counted {
    async fn touch(
        &self,
        touching: &Touching,
        settled: bool,
        stop: watch::Receiver<bool>,
        tell: &mpsc::UnboundedSender<TripNews>,
    ) -> Touched {
        self.settled.lock().expect("no panic").push(settled);
        let (database, table) = (touching.database.clone(), touching.tables[0].name.clone());
        let mut end = Touched { outcome: Outcome::Done, rows: 0, evidence: Vec::new(), failure: None };
        if settled {
            end.evidence.push(Evidence::Untriggered { database, table });
            return end;
        }
        if self.fails {
            let failure =
                failure("the table `t` has no primary key; the login was pass-nova".into(), "give it one".into());
            return Touched { outcome: Outcome::Failed, failure: Some(failure), ..end };
        }
        let _ = tell.send(TripNews::Said("t: begun".into()));
        loop {
            let moved = *self.touched.lock().expect("no panic");
            let _ = tell.send(TripNews::Rows { walk: 1, moved: end.rows, total: ROWS, rate: 100.0 });
            if *stop.borrow() {
                return Touched { outcome: Outcome::Interrupted, ..end };
            }
            if moved == ROWS {
                let triggers = vec!["t_update".to_owned()];
                end.evidence.push(Evidence::Touched {
                    database,
                    table,
                    triggers,
                    rows: ROWS,
                    batches: 10,
                    remainder: Some(0),
                });
                return end;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            *self.touched.lock().expect("no panic") += 100;
            end.rows += 100;
        }
    }
}

/// Two releases of nova; in the first one the rows of a table are touched before its heads are verified.
fn bed(toucher: &Arc<Counted>, settled: bool) -> Bed {
    let mut bed = Bed::new(&["2023.1", "2023.2"], &["nova"]);
    let table = TrippedTable { name: "t".into(), remainder: None, when: TripWhen::Always };
    let touching =
        Touching { database: valid("nova"), tables: vec![table].into(), settled: settled.then(|| heads("2023.1")) };
    let step = Step {
        id: valid(STEP),
        phase: Phase::Migrate,
        why: "new columns".into(),
        effect: Effect::Idempotent,
        beside: false,
        action: Action::Trip(Box::new(touching)),
    };
    bed.plan.hops[0].lanes[0].steps.insert(1, step);
    bed.toucher = Some(Arc::clone(toucher) as Arc<dyn Toucher>);
    bed
}

/// Rows and evidence of the attempts at the step.
fn attempts(told: &Told) -> Vec<(Outcome, Option<u64>, Vec<Evidence>)> {
    let ended = told.records.iter().filter_map(|record| match &record.body {
        RecordBody::StepEnded { step, outcome, rows, evidence, .. } if step.to_string() == STEP => {
            Some((*outcome, *rows, evidence.clone()))
        }
        _ => None,
    });
    ended.collect()
}

#[tokio::test(start_paused = true)]
async fn rows_are_touched_without_a_command_and_the_proof_is_in_the_journal() {
    let toucher = Arc::new(Counted::default());
    let mut bed = bed(&toucher, false);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    let [(Outcome::Done, Some(ROWS), evidence)] = &attempts(&told)[..] else { panic!("{:?}", attempts(&told)) };
    assert!(matches!(&evidence[..], [Evidence::Touched { rows: ROWS, remainder: Some(0), .. }]), "{evidence:?}");
    assert!(bed.runner.launches().iter().all(|task| task.id.step.to_string() != STEP), "no container");
    let mut rows = told.events.iter().filter_map(|event| match event {
        Event::Progress(Progress::Rows { step, moved, total, .. }) if step.to_string() == STEP => {
            Some((*moved, *total))
        }
        _ => None,
    });
    assert_eq!(rows.next_back(), Some((ROWS, Some(ROWS))));
    let said = |event: &Event| matches!(event, Event::Output { text, .. } if text == "t: begun");
    assert!(told.events.iter().any(said));
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_ends_it_after_a_batch_and_the_same_command_goes_on_from_there() {
    let toucher = Arc::new(Counted::default());
    let mut bed = bed(&toucher, false);
    let far = |event: &Event| matches!(event, Event::Progress(Progress::Rows { step, moved: 300, .. }) if step.to_string() == STEP);
    bed.react(far, Signal::Interrupt);
    let told = bed.leap().await;
    assert_eq!((told.outcome(), told.ended(STEP)), (Outcome::Interrupted, Some(Outcome::Interrupted)));
    let first = attempts(&told)[0].1.expect("rows");
    assert!((300..=500).contains(&first), "{first}");
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    assert_eq!(attempts(&told)[1].1, Some(ROWS - first));
}

#[tokio::test(start_paused = true)]
async fn what_is_stopped_at_once_loses_no_more_than_a_batch() {
    let toucher = Arc::new(Counted::default());
    let mut bed = bed(&toucher, false);
    bed.react(|event| seen_beginning(event, STEP), Signal::Terminate);
    let told = bed.leap().await;
    assert_eq!(told.ended(STEP), Some(Outcome::Interrupted));
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_cannot_be_walked_through_fails_the_step_with_its_mend_and_no_secret() {
    let toucher = Arc::new(Counted { fails: true, ..Counted::default() });
    let mut bed = bed(&toucher, false);
    bed.password = "pass-nova".into();
    let told = bed.leap().await;
    assert_eq!((told.outcome(), told.ended(STEP)), (Outcome::Failed, Some(Outcome::Failed)));
    let failure = told.failure(STEP);
    assert!(failure.what.contains("no primary key") && !failure.what.contains("pass-nova"), "{}", failure.what);
    assert_eq!(failure.advice, "give it one");
}

#[tokio::test(start_paused = true)]
async fn at_the_heads_that_a_contract_reaches_there_is_nothing_to_touch_any_more() {
    let toucher = Arc::new(Counted::default());
    let mut bed = bed(&toucher, true);
    let told = bed.leap().await;
    assert_eq!((told.outcome(), told.ended(STEP)), (Outcome::Done, Some(Outcome::Skipped)));
    let evidence = &attempts(&told)[0].2;
    assert!(evidence.iter().any(|piece| matches!(piece, Evidence::Heads { .. })), "{evidence:?}");
    // Elsewhere the triggers have to be there.
    let toucher = Arc::new(Counted::default());
    let mut bed = self::bed(&toucher, true);
    bed.shows("nova", heads("2023.2"));
    let told = bed.leap().await;
    assert_eq!(*toucher.settled.lock().expect("no panic"), [false]);
    assert_eq!(told.ended(STEP), Some(Outcome::Done));
}
