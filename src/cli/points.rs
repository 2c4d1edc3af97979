//! Restore points for the conductor: what `restore` does, with the cloud's databases and in a run's words.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::stop::Stop;
use super::world::World;
use crate::conduct::{Connections, Redactor, RestorePoints};
use crate::journal::{Evidence, Failure, RunState, SavedPoint};
use crate::model::{ConnectionUrl, DatabaseId, PointProof, RunId, StepId};
use crate::plan::{Plan, Refusal, RefusalKind, SavedDatabase};
use crate::restore::{self, Name, Order, PointFiles, RestoreError, Setting, Snapshots};

/// Takes restore points of a cloud's databases.
pub(super) struct DatabasePoints {
    cloud: String,
    run: RunId,
    urls: BTreeMap<DatabaseId, ConnectionUrl>,
    setting: Setting,
    redactor: Redactor,
}

/// How the cloud file says that restore points are taken.
pub(super) fn setting(world: &World) -> Setting {
    let points = &world.cloud.restore_points;
    Setting {
        directory: points.directory.clone(),
        keep: points.keep,
        snapshots: points.commands.as_ref().map(|commands| Snapshots {
            save: commands.save.clone(),
            restore: commands.restore.clone(),
            remove: commands.remove.clone(),
        }),
        timeout: world.cloud.limits.connect,
    }
}

impl DatabasePoints {
    /// Those of the run of `world`'s cloud.
    pub(super) fn new(world: &World, run: &RunId) -> Self {
        let urls = world.cloud.databases.clone();
        Self {
            cloud: world.cloud.name.clone(),
            run: run.clone(),
            redactor: Connections::new(urls.clone()).redactor(),
            urls,
            setting: setting(world),
        }
    }

    fn url(&self, database: &DatabaseId) -> Result<&ConnectionUrl, Box<Failure>> {
        self.urls.get(database).ok_or_else(|| {
            Box::new(crate::conduct::failure(
                format!("the cloud file names no database {database}"),
                "add it to the cloud file: it was there when the run began".to_owned(),
            ))
        })
    }

    fn failure(&self, what: &str, error: &RestoreError) -> Failure {
        let what = format!("{what}: failed to {}", error.line());
        crate::conduct::failure(self.redactor.redact(what), error.advice())
    }
}

/// Passes on how far something is; what nobody hears in time is dropped.
fn told(tell: &mpsc::Sender<String>) -> impl Fn(String) + Send + Sync + '_ {
    |text| drop(tell.try_send(text))
}

#[async_trait::async_trait]
impl RestorePoints for DatabasePoints {
    async fn save(
        &self,
        step: &StepId,
        attempt: u32,
        saved: &SavedDatabase,
        tell: &mpsc::Sender<String>,
    ) -> Result<SavedPoint, Failure> {
        let url = self.url(&saved.database).map_err(|failure| *failure)?;
        let name =
            Name { run: self.run.clone(), series: step.series.clone(), database: saved.database.clone(), attempt };
        let order = Order { cloud: self.cloud.clone(), name: name.clone(), proof: saved.proof };
        let what = format!("no restore point of {}", saved.database);
        let point = restore::save(&order, url, &self.setting, &told(tell)).await;
        let point = point.map_err(|error| self.failure(&what, &error))?;
        let removed = restore::remove(&name, url, &self.setting).await;
        let removed = removed.map_err(|error| self.failure("an old restore point stays", &error))?;
        Ok(SavedPoint {
            database: saved.database.clone(),
            point: name.to_string(),
            heads: point.heads,
            tables: point.fingerprint.tables.len() as u64,
            rows: point.fingerprint.rows(),
            plain: point.plain,
            bytes: point.bytes,
            sum: point.sum,
            proof: point.proof,
            removed: removed.iter().map(ToString::to_string).collect(),
        })
    }

    async fn bring_back(&self, point: &SavedPoint, tell: &mpsc::Sender<String>) -> Result<Evidence, Failure> {
        let url = self.url(&point.database).map_err(|failure| *failure)?;
        let what = format!("{} is not brought back", point.database);
        let lost = |why: String| {
            crate::conduct::failure(format!("{what}: {why}"), "report this as a mistake in leapfrog".to_owned())
        };
        let name: Name = point.point.parse().map_err(lost)?;
        // The journal and the directory must speak of the same dump.
        let files = PointFiles::at(&self.setting.directory);
        let recorded = files.read(&name).map_err(|error| self.failure(&what, &error))?;
        if recorded.sum != point.sum || recorded.heads != point.heads {
            let path = files.directory().join(name.to_string());
            let why = "it is not the one that the journal speaks of".to_owned();
            return Err(self.failure(&what, &RestoreError::Damaged { path, why }));
        }
        let back = restore::bring_back(&name, url, &self.setting, &told(tell)).await;
        let back = back.map_err(|error| self.failure(&what, &error))?.point;
        Ok(Evidence::Restored {
            database: point.database.clone(),
            point: point.point.clone(),
            tables: back.fingerprint.tables.len() as u64,
            rows: back.fingerprint.rows(),
            heads: back.heads,
            compared: back.proof,
        })
    }
}

/// That the restore points which a plan has yet to take can be taken.
///
/// # Errors
/// Every reason why not, with what to do.
pub(super) async fn can_be_taken(world: &World, plan: &Plan, state: &RunState) -> Result<(), Stop> {
    let open = plan.steps().filter(|(.., step)| !state.is_done(&step.id)).filter_map(|(.., step)| step.saves());
    let mut databases = BTreeMap::new();
    let mut proof = PointProof::Off;
    for saved in open {
        proof = proof.max(saved.proof);
        databases.extend(world.cloud.databases.get(&saved.database).map(|url| (saved.database.clone(), url.clone())));
    }
    if databases.is_empty() {
        return Ok(());
    }
    let lacks = restore::lacks(&databases, proof, &setting(world), restore::Way::Try).await;
    let refusals = lacks.into_iter().map(|lack| {
        let names: Vec<String> = lack.databases.iter().map(ToString::to_string).collect();
        let of = if names.is_empty() { String::new() } else { format!(" of {}", names.join(", ")) };
        Refusal {
            kind: RefusalKind::RestorePoint,
            database: match &lack.databases[..] {
                [one] => Some(one.clone()),
                _ => None,
            },
            what: format!("restore points{of} cannot be taken, and without them there is no way back"),
            found: Some(format!("failed to {}", lack.error.line())),
            expected: None,
            next: lack.error.advice(),
        }
    });
    let refusals: Vec<Refusal> = refusals.collect();
    if refusals.is_empty() { Ok(()) } else { Err(Stop::refused(refusals)) }
}
