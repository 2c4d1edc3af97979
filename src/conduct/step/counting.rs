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

/// Counts until it is dropped.
#[derive(Debug)]
pub(super) struct Counting {
    tally: Arc<Mutex<Tally>>,
    /// Aborted when it is dropped.
    _task: JoinSet<()>,
}

impl Counting {
    /// Takes in a round; a migration that is not to be believed, as far as counts tell.
    pub(super) fn ended(&self, round: &Round) -> Option<Unmoved> {
        let mut tally = locked(&self.tally);
        let moved: BTreeMap<String, u64> =
            round.counts().iter().map(|count| (count.migration.clone(), count.moved)).collect();
        tally.ended(moved);
        tally.unmoved()
    }

    /// Rows that the attempt will have moved in the end, where somebody counted.
    pub(super) fn total(&self) -> Option<u64> {
        locked(&self.tally).rows().1
    }
}

impl Performance {
    /// Begins to count what the migration is to move, if the playbook says how.
    pub(super) fn counting(&self, migration: &DataMigration) -> Counting {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let mut task = JoinSet::new();
        let remainders: Vec<Remainder> = migration.remainders.iter().filter(|rows| rows.moved).cloned().collect();
        if !remainders.is_empty() {
            let counter = Counter {
                reader: Arc::clone(&self.reader),
                database: migration.database.clone(),
                remainders,
                tally: Arc::clone(&tally),
                step: self.step.id.clone(),
                tell: self.tell.clone(),
            };
            task.spawn(counter.count());
        }
        Counting { tally, _task: task }
    }
}

/// The task that counts.
struct Counter {
    reader: Arc<dyn DatabaseReader>,
    database: DatabaseId,
    remainders: Vec<Remainder>,
    tally: Arc<Mutex<Tally>>,
    step: StepId,
    tell: mpsc::Sender<StepMessage>,
}

impl Counter {
    async fn count(self) {
        let mut failures = 0;
        while failures < TRIES {
            let moment = locked(&self.tally).moment();
            let began = Instant::now();
            match self.left().await {
                Some(left) => {
                    failures = 0;
                    let message = {
                        let mut tally = locked(&self.tally);
                        tally.counted(moment, left);
                        let (moved, total) = tally.rows();
                        StepMessage::Rows { step: self.step.clone(), round: tally.round(), moved, total }
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

/// A tally is numbers: whoever panicked with it in hand has left it usable.
fn locked(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
