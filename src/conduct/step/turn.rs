//! Which rounds of a lane may run at the same time, and how many commands at all.
//!
//! A data migration that is taken for each of several databases may also move rows that are in none of them,
//! or in all: nova's walk every mapped cell. Two rounds that meet on such rows would disturb each other. So
//! before each round those rows are counted. While there are any, the round runs alone; once there are none,
//! it can only move rows of its own database, and runs beside the others. What a round may not do beside
//! another one is thereby decided by what the databases show. A count that came to nothing is not taken again
//! while the lane works on the release: no command of it makes such rows, and nobody else writes.
//!
//! A round that an earlier process of leapfrog began goes on already, and nobody knows any more whether it runs alone:
//! until its end no other begins.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, Weak};

use tokio::sync::{Mutex, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, Semaphore};

use super::{Performance, StepMessage, reached, uncounted};
use crate::conduct::StopLevel;
use crate::journal::Failure;
use crate::model::DatabaseId;
use crate::plan::{CommonRows, DataMigration, Lane};

/// What the rounds of a lane share while it works on one release.
#[derive(Debug, Default)]
pub(in crate::conduct) struct Turns {
    /// Held by many, or by one alone.
    rounds: Arc<RwLock<()>>,
    rows: Vec<CommonRows>,
    /// Which of `rows` are no more, and where.
    gone: Mutex<BTreeSet<(usize, DatabaseId)>>,
    /// Held together by the rounds of an earlier process that go on.
    inherited: std::sync::Mutex<Weak<OwnedRwLockWriteGuard<()>>>,
}

/// The right to run while no round of the lane does that does not share it.
pub(in crate::conduct) type Alone = Arc<OwnedRwLockWriteGuard<()>>;

impl Turns {
    /// Those of a lane of which nothing was counted yet.
    pub(in crate::conduct) fn of(lane: &Lane) -> Self {
        Self { rows: lane.common_rows.clone(), ..Self::default() }
    }

    /// The turn of a round that an earlier process began, shared with all others of that kind. It has to be taken before
    /// another round of the lane begins.
    pub(in crate::conduct) fn inherit(&self) -> Option<Alone> {
        let mut inherited = self.inherited.lock().unwrap_or_else(PoisonError::into_inner);
        let alone = inherited.upgrade().or_else(|| Arc::clone(&self.rounds).try_write_owned().ok().map(Arc::new))?;
        *inherited = Arc::downgrade(&alone);
        Some(alone)
    }
}

/// Room for so many commands at the same time. A step that waits for its turn takes none, nor does one whose command
/// ended and is being judged.
pub(in crate::conduct) type Places = Arc<Semaphore>;

/// Room for one command, until it is given back or dropped; one that runs already has its own.
pub(super) struct Place {
    permit: Option<OwnedSemaphorePermit>,
}

/// The right to run one round, until it is dropped.
pub(super) struct Turn {
    _beside: Option<OwnedRwLockReadGuard<()>>,
    _alone: Option<Alone>,
    pub(super) place: Place,
}

impl Performance {
    /// Waits for room for one command; nothing if the run is stopped meanwhile.
    pub(super) async fn place(&self) -> Option<Place> {
        if self.adopt.is_some() {
            return Some(Place { permit: None });
        }
        let mut stop = self.stop.clone();
        tokio::select! {
            permit = Arc::clone(&self.places).acquire_owned() => Some(Place { permit: permit.ok() }),
            () = reached(&mut stop, StopLevel::Drain) => None,
        }
    }

    /// Waits until the next round may run; nothing if the run is stopped meanwhile.
    pub(super) async fn turn(&mut self, migration: &DataMigration) -> Result<Option<Turn>, Failure> {
        if !migration.takes_turns || self.adopt.is_some() {
            let inherited = self.inherited.take();
            return Ok(self.place().await.map(|place| Turn { _beside: None, _alone: inherited, place }));
        }
        let mut stop = self.stop.clone();
        // While this is held no round runs alone, so what is counted is not being moved.
        let beside = match Arc::clone(&self.turns.rounds).try_read_owned() {
            Ok(beside) => beside,
            Err(_) => {
                self.waits(true).await;
                let beside = tokio::select! {
                    beside = Arc::clone(&self.turns.rounds).read_owned() => beside,
                    () = reached(&mut stop, StopLevel::Drain) => return Ok(None),
                };
                self.waits(false).await;
                beside
            }
        };
        for (place, common) in self.turns.rows.iter().enumerate() {
            for database in &common.databases {
                let these = (place, database.clone());
                if self.turns.gone.lock().await.contains(&these) {
                    continue;
                }
                let Some(rows) = self.count(database, &common.query).await else { return Ok(None) };
                let rows = rows.map_err(|unreachable| {
                    let what = format!("{} could not be counted in {database}", common.what);
                    uncounted(&what, &common.query, unreachable)
                })?;
                if rows > 0 {
                    drop(beside);
                    self.waits(true).await;
                    let alone = tokio::select! {
                        alone = Arc::clone(&self.turns.rounds).write_owned() => alone,
                        () = reached(&mut stop, StopLevel::Drain) => return Ok(None),
                    };
                    self.waits(false).await;
                    let place = self.place().await;
                    return Ok(place.map(|place| Turn { _beside: None, _alone: Some(Arc::new(alone)), place }));
                }
                self.turns.gone.lock().await.insert(these);
            }
        }
        let place = self.place().await;
        Ok(place.map(|place| Turn { _beside: Some(beside), _alone: None, place }))
    }

    /// Gives the place back, for the command ended: another step may begin while this one is judged.
    pub(super) async fn give_back(&self, place: &mut Place) {
        if place.permit.take().is_some() {
            self.waits(true).await;
        }
    }

    /// Tells the conductor that another step may take this one's place meanwhile.
    pub(super) async fn waits(&self, waits: bool) {
        let _ = self.tell.send(StepMessage::Waits { step: self.step.id.clone(), waits }).await;
    }
}
