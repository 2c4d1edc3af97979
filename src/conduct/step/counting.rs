//! Counting the rows that are left while a data migration works, for its progress alone.
//!
//! A task of its own counts; it never fails a migration and never holds one up. It counts at most every
//! few seconds, and so seldom that it takes no more than a fiftieth of the time; where rows cannot be
//! counted it gives up after a few tries. It ends with the step.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Performance, StepMessage};
use crate::catalog::Remainder;
use crate::conduct::DatabaseReader;
use crate::conduct::judge::Round;
use crate::conduct::tally::{Left, Tally, Unmoved};
use crate::model::{DatabaseId, StepId};
use crate::plan::DataMigration;

/// The least time between two counts.
const PAUSE: Duration = Duration::from_secs(5);

/// A count is followed by a pause of so many times its length.
const SELDOM: u32 = 50;

/// After so many failures in a row nobody counts any more.
const TRIES: u32 = 3;

/// How far a data migration is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::conduct) struct Course {
    /// The round that runs or has just ended.
    pub(in crate::conduct) round: u32,
    /// Rows that the attempt moved so far.
    pub(in crate::conduct) moved: u64,
    /// Rows that it will have moved in the end, where somebody counted.
    pub(in crate::conduct) total: Option<u64>,
    /// Rows a second, as they were when rows were last seen to have moved: a command that shows its work
    /// only at the end of a round is not slower in the middle of it.
    pub(in crate::conduct) rate: f64,
}

/// What counts and rounds make of the course.
#[derive(Debug)]
struct Ledger {
    tally: Tally,
    began: Instant,
    /// Rows moved when the rate was last taken, and the rate.
    speed: (u64, f64),
}

impl Ledger {
    fn course(&mut self, round: u32) -> Course {
        let (moved, total) = self.tally.rows();
        if moved != self.speed.0 {
            self.speed = (moved, moved as f64 / self.began.elapsed().as_secs_f64().max(0.001));
        }
        Course { round, moved, total, rate: self.speed.1 }
    }
}

/// Counts until it is dropped.
#[derive(Debug)]
pub(super) struct Counting {
    ledger: Arc<Mutex<Ledger>>,
    /// Aborted when it is dropped.
    _task: JoinSet<()>,
}

impl Counting {
    /// Takes in a round; a migration that is not to be believed, as far as counts tell.
    pub(super) fn ended(&self, round: &Round) -> Option<Unmoved> {
        let tally = &mut locked(&self.ledger).tally;
        let moved: BTreeMap<String, u64> =
            round.counts().iter().map(|count| (count.migration.clone(), count.moved)).collect();
        tally.ended(moved);
        tally.unmoved()
    }

    /// How far it is after this round.
    pub(super) fn course(&self, round: u32) -> Course {
        locked(&self.ledger).course(round)
    }
}

impl Performance {
    /// Begins to count what the migration is to move, if the playbook says how.
    pub(super) fn counting(&self, migration: &DataMigration) -> Counting {
        let ledger = Ledger { tally: Tally::default(), began: Instant::now(), speed: (0, 0.0) };
        let ledger = Arc::new(Mutex::new(ledger));
        let mut task = JoinSet::new();
        let remainders: Vec<Remainder> = migration.remainders.iter().filter(|rows| rows.moved).cloned().collect();
        if !remainders.is_empty() {
            let counter = Counter {
                reader: Arc::clone(&self.reader),
                database: migration.database.clone(),
                remainders,
                ledger: Arc::clone(&ledger),
                step: self.step.id.clone(),
                tell: self.tell.clone(),
            };
            task.spawn(counter.count());
        }
        Counting { ledger, _task: task }
    }
}

/// The task that counts.
struct Counter {
    reader: Arc<dyn DatabaseReader>,
    database: DatabaseId,
    remainders: Vec<Remainder>,
    ledger: Arc<Mutex<Ledger>>,
    step: StepId,
    tell: mpsc::Sender<StepMessage>,
}

impl Counter {
    async fn count(self) {
        let mut failures = 0;
        while failures < TRIES {
            let moment = locked(&self.ledger).tally.moment();
            let began = Instant::now();
            match self.left().await {
                Some(left) => {
                    failures = 0;
                    let message = {
                        let mut ledger = locked(&self.ledger);
                        ledger.tally.counted(moment, left);
                        let round = ledger.tally.round();
                        StepMessage::Rows { step: self.step.clone(), course: ledger.course(round) }
                    };
                    // Progress may be lost; it must not wait behind lines of output.
                    let _ = self.tell.try_send(message);
                }
                None => failures += 1,
            }
            tokio::time::sleep(PAUSE.max(began.elapsed() * SELDOM)).await;
        }
    }

    async fn left(&self) -> Option<Left> {
        let mut left = Left::new();
        for remainder in &self.remainders {
            let rows = self.reader.left(&self.database, &remainder.query).await.ok()?;
            let of_it = left.entry(remainder.migration.clone()).or_default();
            *of_it = of_it.saturating_add(rows);
        }
        Some(left)
    }
}

/// A ledger is numbers: whoever panicked with it in hand has left it usable.
fn locked(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
