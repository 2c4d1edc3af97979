//! Where a database stands that is at no release's heads.

use std::collections::BTreeSet;

use super::{Expected, Held};
use crate::model::{Branch, DatabaseId, Observation};
use crate::plan::refusal::{Refusal, RefusalKind};

/// Adds to refusals about databases at unknown or mixed heads what the scripts of the images know of these heads:
/// in the middle of which release's migrations they are, and how many revisions are left.
///
/// It stays a refusal: that the older release's data migrations are complete cannot be seen from there.
pub fn explain(refusals: &mut [Refusal], held: &Held, observation: &Observation, expected: Expected<'_>) {
    for refusal in refusals {
        if !matches!(refusal.kind, RefusalKind::Foreign | RefusalKind::HalfDone) {
            continue;
        }
        let Some(id) = refusal.database.clone() else { continue };
        let Some(Ok(seen)) = observation.databases.get(&id) else { continue };
        if let Some(place) = place(&id, &seen.heads.alembic, held, expected) {
            let drains = expected.playbooks.iter().filter(|playbook| playbook.service == id.service).any(|playbook| {
                playbook.steps.iter().any(|step| matches!(step, crate::catalog::PlaybookStep::Drain(_)))
            });
            place.tell(&id, refusal, drains, expected.options);
        }
    }
}

/// Where heads are in the scripts.
enum Place {
    /// In the middle of a release's migrations.
    Within { series: String, last: String, left: usize, contract: bool, next: String, before: Option<String> },
    /// In none of the scripts that were read, up to this release.
    Nowhere { newest: String },
}

fn place(id: &DatabaseId, heads: &BTreeSet<String>, held: &Held, expected: Expected<'_>) -> Option<Place> {
    let schema = expected.schema(id)?;
    let mut newest = None;
    let mut before = None;
    for release in expected.releases {
        let Some(tree) = held.tree(&release.series, &id.service, schema) else {
            before = Some(release.series.to_string());
            continue;
        };
        newest = Some(release.series.to_string());
        // The oldest release that knows them all is the one that was under way.
        if tree.unknown(heads).is_empty() {
            let left = tree.pending(heads);
            let next = left.first()?;
            let describe = |id: &str| tree.get(id).map(|revision| format!("{} ({})", revision.id, revision.file));
            return Some(Place::Within {
                series: release.series.to_string(),
                last: heads.iter().filter_map(|head| describe(head)).collect::<Vec<_>>().join(" + "),
                left: left.len(),
                contract: left.iter().all(|revision| tree.branch(&revision.id) == Some(Branch::Contract)),
                next: describe(&next.id)?,
                before,
            });
        }
        before = Some(release.series.to_string());
    }
    newest.map(|newest| Place::Nowhere { newest })
}

impl Place {
    fn tell(self, id: &DatabaseId, refusal: &mut Refusal, drains: bool, options: &str) {
        match self {
            Self::Within { series, last, left, contract, next, before } => {
                refusal.kind = RefusalKind::HalfDone;
                let revisions = if left == 1 { "1 revision is" } else { &format!("{left} revisions are") };
                refusal.what = format!(
                    "database {id} stands in the middle of {series}'s migrations: {revisions} left, the next is {next}"
                );
                refusal.found = Some(last);
                let until = if contract {
                    format!(" After --until migrated: `leapfrog contract --at {series}{options}`.")
                } else {
                    String::new()
                };
                let before = before.filter(|_| drains).map_or(String::new(), |before| {
                    format!(
                        ", with {before}'s data migrations complete before (if {series} stopped with an error about \
                         data, that is what is missing: run them with {before}'s image)"
                    )
                });
                refusal.next = format!(
                    "if a leap was interrupted, run it again where its state directory is.{until} Else finish what {series} began \
                     (all of {}'s schema commands of {series}){before}, or restore a copy from before; then `leapfrog \
                     detect{options}`",
                    id.service
                );
            }
            Self::Nowhere { newest } => {
                refusal.what = format!(
                    "database {id} is at a revision that no image read here has, up to {newest}: it is ahead of them, \
                     or not {}'s",
                    id.service
                );
            }
        }
    }
}
