//! Restore points of databases that are what commands made of them.
//!
//! Where a plan has them, schema migrations cannot be undone: one that was cut off may leave the half of a change
//! behind, over which every further attempt fails until the database is brought back. A database that is being brought
//! back stands nowhere, and what commands did in it after its restore point is undone then.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use leapfrog::conduct::{RestorePoints, failure};
use leapfrog::journal::{Evidence, Failure, SavedPoint};
use leapfrog::model::{DatabaseId, StepId};
use leapfrog::plan::SavedDatabase;
use leapfrog::runner::TaskId;
use leapfrog::runner::scripted::{Deed, DeedEnd};
use tokio::sync::mpsc;

use super::world::{Settled, World, schema};
use crate::bed::Bed;

/// Restore points, and what became of databases with them.
#[derive(Default)]
pub(super) struct Points {
    /// Of each whole restore point its database, and the commands whose work is in it.
    pub(super) saved: BTreeMap<String, (DatabaseId, HashSet<TaskId>)>,
    /// Databases that are being brought back, or were when somebody died.
    pub(super) half: BTreeSet<DatabaseId>,
    /// What was undone.
    pub(super) undone: HashSet<(TaskId, DatabaseId)>,
    /// What must not be: work on a database that stands nowhere, or that is dumped or brought back meanwhile.
    pub(super) ruins: Vec<String>,
}

impl World {
    /// Whether an attempt that was cut off left the half of a change behind, over which the next ones fail. Where there
    /// is no way back it never does.
    pub(super) fn has_debris(&self, step: &StepId) -> bool {
        let truth = self.truth();
        let databases = self.changes.get(step).into_iter().flatten();
        let saved = |database: &&DatabaseId| truth.points.saved.values().any(|(of, _)| of == *database);
        let Some(database) = databases.into_iter().find(saved) else { return false };
        if schema(self.step(step)).is_none() {
            return false;
        }
        let half = |deed: &Deed| {
            let undone = truth.points.undone.contains(&(deed.id.clone(), database.clone()));
            // Of every other one nothing is left.
            deed.id.step == *step && deed.end == DeedEnd::Cut && !undone && deed.id.attempt % 2 == 1
        };
        self.runner.deeds(0).iter().any(half)
    }

    /// Work that goes on in a database now.
    fn works_on(&self, database: &DatabaseId) -> Option<TaskId> {
        let works = |deed: &Deed| {
            deed.end == DeedEnd::Works && self.changes.get(&deed.id.step).is_some_and(|all| all.contains(database))
        };
        self.runner.deeds(0).into_iter().find(works).map(|deed| deed.id)
    }

    /// Notes what must not be: somebody works on a database that is dumped or brought back.
    fn nobody_works_on(&self, database: &DatabaseId, why: &str) {
        if let Some(task) = self.works_on(database) {
            self.truth().points.ruins.push(format!("{} worked on {database} while it was {why}", task.step));
        }
    }

    /// What must not be and was.
    pub(super) fn ruins(&self) -> Vec<String> {
        self.truth().points.ruins.clone()
    }

    /// Databases that stand nowhere.
    pub(super) fn half(&self) -> BTreeSet<DatabaseId> {
        self.truth().points.half.clone()
    }

    /// Whether a restore point is whole.
    pub(super) fn is_whole(&self, point: &str) -> bool {
        self.truth().points.saved.contains_key(point)
    }

    /// How many commands of a step were undone.
    pub(super) fn undone(&self, step: &StepId) -> HashSet<TaskId> {
        let truth = self.truth();
        truth.points.undone.iter().filter(|(task, _)| task.step == *step).map(|(task, _)| task.clone()).collect()
    }

    /// Steps over whose half work nothing gets on.
    pub(super) fn debris(&self) -> Vec<StepId> {
        self.changes.keys().filter(|step| self.has_debris(step)).cloned().collect()
    }
}

#[async_trait::async_trait]
impl RestorePoints for World {
    async fn save(
        &self,
        step: &StepId,
        attempt: u32,
        saved: &SavedDatabase,
        tell: &mpsc::Sender<String>,
    ) -> Result<SavedPoint, Failure> {
        let database = &saved.database;
        self.nobody_works_on(database, "dumped");
        let (pause, fails) = {
            let mut truth = self.truth();
            let trouble = truth.trouble;
            (1 + truth.random.place(20) as u64, truth.random.place(100) < trouble)
        };
        tokio::time::sleep(Duration::from_secs(pause)).await;
        let _ = tell.send("1 MB dumped".into()).await;
        if fails {
            return Err(failure(format!("{database} could not be dumped"), "make room".into()));
        }
        self.nobody_works_on(database, "dumped");
        let now = self.now();
        let name = format!("{}/{}/{database}.{attempt}", Bed::run(), step.series);
        let heads = self.stands(database, &now.worked);
        let within = |deed: &Deed| self.changes.get(&deed.id.step).is_some_and(|all| all.contains(database));
        let within = self.runner.deeds(0).into_iter().filter(within).map(|deed| deed.id).collect();
        self.truth().points.saved.insert(name.clone(), (database.clone(), within));
        Ok(SavedPoint {
            database: database.clone(),
            point: name,
            heads,
            tables: 60,
            rows: 1000,
            plain: 4096,
            bytes: 512,
            sum: None,
            proof: saved.proof,
            removed: Vec::new(),
        })
    }

    async fn bring_back(&self, point: &SavedPoint, _: &mpsc::Sender<String>) -> Result<Evidence, Failure> {
        let database = &point.database;
        self.nobody_works_on(database, "brought back");
        let (pause, fails, within) = {
            let mut truth = self.truth();
            let Some((of, within)) = truth.points.saved.get(&point.point).cloned() else {
                panic!("{} was never whole", point.point)
            };
            assert_eq!(of, *database);
            truth.points.half.insert(database.clone());
            let trouble = truth.trouble;
            (1 + truth.random.place(20) as u64, truth.random.place(100) < trouble, within)
        };
        tokio::time::sleep(Duration::from_secs(pause)).await;
        if fails {
            return Err(failure(format!("{database} could not be brought back"), "start the server".into()));
        }
        self.nobody_works_on(database, "brought back");
        let later = |deed: &Deed| {
            self.changes.get(&deed.id.step).is_some_and(|all| all.contains(database)) && !within.contains(&deed.id)
        };
        let later: Vec<_> =
            self.runner.deeds(0).into_iter().filter(later).map(|deed| (deed.id, database.clone())).collect();
        let mut truth = self.truth();
        truth.points.undone.extend(later);
        truth.points.half.remove(database);
        // What was undone counted before.
        truth.settled = Settled::default();
        Ok(Evidence::Restored {
            database: database.clone(),
            point: point.point.clone(),
            heads: point.heads.clone(),
            tables: point.tables,
            rows: point.rows,
            compared: point.proof,
        })
    }
}
