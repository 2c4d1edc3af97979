//! Whether the tables that a plan's `trip` steps touch can be walked through: asked before anything begins, when their
//! triggers are not there yet.

use std::collections::{BTreeMap, BTreeSet};

use super::{open, refusal};
use crate::cli::world::World;
use crate::database::{self, Purpose};
use crate::model::{DatabaseId, StepId};
use crate::plan::preconditions::{Checked, Condition};
use crate::plan::{Plan, Refusal};
use crate::trip::{self, Suited};

/// What was found of a database's tables, and the first step that touches any.
type Look<'p> = (&'p DatabaseId, &'p StepId, Result<Suited, Refusal>);

async fn look<'p>(world: &World, plan: &'p Plan) -> Vec<Look<'p>> {
    let mut wanted: BTreeMap<&DatabaseId, (&StepId, BTreeSet<&str>)> = BTreeMap::new();
    for (step, touching) in plan.touches() {
        let (_, tables) = wanted.entry(&touching.database).or_insert((step, BTreeSet::new()));
        tables.extend(touching.tables.iter().map(|table| table.name.as_str()));
    }
    let mut looks = Vec::new();
    for (id, (step, tables)) in wanted {
        let Some(url) = world.cloud.databases.get(id) else { continue };
        let seen = async {
            let mut connection = open(world, id, url, Purpose::Read).await?;
            let seen = trip::suited(&mut connection, &tables).await;
            connection.close().await;
            seen.map_err(|error| {
                refusal(
                    id,
                    format!("database {id} does not tell its tables"),
                    Some(database::chain(&error)),
                    error.advice(),
                )
            })
        };
        looks.push((id, step, seen.await));
    }
    looks
}

/// Every reason why rows could not be touched. A table that is not there yet is none: its step looks again.
pub(in crate::cli) async fn refusals(world: &World, plan: &Plan) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (id, step, seen) in look(world, plan).await {
        match seen {
            Ok(suited) => refusals.extend(suited.flaws.into_iter().map(|flaw| {
                let what = format!(
                    "the table `{}` of {id} cannot be walked through, as {step} has to: {}",
                    flaw.table, flaw.what
                );
                refusal(id, what, None, flaw.next)
            })),
            Err(refusal) => refusals.push(refusal),
        }
    }
    refusals
}

/// What `leapfrog check` says of them.
pub(in crate::cli) async fn tables(world: &World, plan: &Plan) -> Vec<Checked> {
    let mut checks = Vec::new();
    for (id, step, seen) in look(world, plan).await {
        let mut tell = |state, what: String, next: Option<String>| {
            checks.push(Checked {
                state,
                check: "trip".to_owned(),
                about: id.to_string(),
                before: Some(step.series.clone()),
                what,
                query: None,
                rows: None,
                show: None,
                shown: Vec::new(),
                means: None,
                next,
                source: None,
            });
        };
        match seen {
            Err(refusal) => tell(Condition::Failure, refusal.what, Some(refusal.next)),
            Ok(Suited { absent, flaws }) => {
                if absent.is_empty() && flaws.is_empty() {
                    tell(Condition::Ok, format!("the tables that {step} touches can be walked through"), None);
                }
                if !absent.is_empty() {
                    let what = format!("{} is not there yet; {step} looks at it before it begins", absent.join(", "));
                    tell(Condition::Later, what, None);
                }
                for flaw in flaws {
                    let what =
                        format!("the table `{}` cannot be walked through, as {step} has to: {}", flaw.table, flaw.what);
                    tell(Condition::Failure, what, Some(flaw.next));
                }
            }
        }
    }
    checks
}
