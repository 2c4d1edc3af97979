//! Which rounds of a lane may run at the same time.
//!
//! A data migration that is taken for each of several databases may also move rows that are in none of them,
//! or in all: nova's walk every mapped cell. Two rounds that meet on such rows would disturb each other. So
//! before each round those rows are counted. While there are any, the round runs alone; once there are none,
//! it can only move rows of its own database, and runs beside the others. What a round may not do beside
//! another one is thereby decided by what the databases show, each time anew.

use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::{Performance, reached};
use crate::conduct::StopLevel;
use crate::journal::Failure;
use crate::plan::DataMigration;

/// What the rounds of a lane share: held by many, or by one alone.
pub(in crate::conduct) type Turns = Arc<RwLock<()>>;

/// The right to run one round, until it is dropped.
pub(super) struct Turn {
    _beside: Option<OwnedRwLockReadGuard<()>>,
    _alone: Option<OwnedRwLockWriteGuard<()>>,
}

impl Performance {
    /// Waits until the next round may run; nothing if the run is stopped meanwhile.
    pub(super) async fn turn(&self, migration: &DataMigration) -> Result<Option<Turn>, Failure> {
        if migration.alone_while.is_empty() {
            return Ok(Some(Turn { _beside: None, _alone: None }));
        }
        let mut stop = self.stop.clone();
        // While this is held no round runs alone, so what is counted is not being moved.
        let beside = tokio::select! {
            beside = Arc::clone(&self.turns).read_owned() => beside,
            () = reached(&mut stop, StopLevel::Drain) => return Ok(None),
        };
        for common in &migration.alone_while {
            for database in &common.databases {
                let Some(rows) = self.count(database, &common.query).await else { return Ok(None) };
                let rows = rows.map_err(|unreachable| Failure {
                    what: format!("{} could not be counted in {database}: {}", common.what, unreachable.reason),
                    command: Some(common.query.clone()),
                    exit: None,
                    last_lines: Vec::new(),
                    log: None,
                    migration: None,
                    advice: unreachable.advice,
                })?;
                if rows > 0 {
                    drop(beside);
                    return Ok(tokio::select! {
                        alone = Arc::clone(&self.turns).write_owned() => Some(Turn { _beside: None, _alone: Some(alone) }),
                        () = reached(&mut stop, StopLevel::Drain) => None,
                    });
                }
            }
        }
        Ok(Some(Turn { _beside: Some(beside), _alone: None }))
    }
}
