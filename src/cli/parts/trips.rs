//! Whether every row was touched that a release's `trip` steps touch: a contract takes their triggers away.

use std::collections::BTreeSet;

use super::gate::Condition;
use crate::catalog::{PlaybookStep, Taken, TripStep, TrippedTable};
use crate::cli::world::{COUNTING, World};
use crate::database::{self, Connection, QueryError, connect};
use crate::model::{ConnectionUrl, DatabaseId};
use crate::plan::Plan;
use crate::trip::{self, Choice, Reached};

/// That no row is left which triggers of the release would still have to work on.
pub(super) async fn touched(world: &World, plan: &Plan) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (id, trip) in plan.hops.iter().flat_map(|hop| &hop.lanes).flat_map(|lane| steps(world, plan, lane)) {
        let Some(url) = world.cloud.databases.get(&id) else { continue };
        for table in &trip.tables {
            let (met, what) = match look(world, &id, url, plan, table).await {
                Ok(seen) => seen,
                Err(why) => {
                    (false, format!("whether every row of `{}` in {id} was touched is not seen: {why}", table.name))
                }
            };
            let next =
                if met { String::new() } else { format!("`leapfrog migrate --at {} --only {}`", plan.to, id.service) };
            // What is not moved is lost with what is removed: no word can stand for it.
            conditions.push(Condition { service: Some(id.service.clone()), met, waivable: false, what, next });
        }
    }
    conditions
}

/// The `trip` steps of a lane, each with its databases.
fn steps<'w>(
    world: &'w World,
    plan: &'w Plan,
    lane: &'w crate::plan::Lane,
) -> impl Iterator<Item = (DatabaseId, &'w TripStep)> {
    let steps = world.catalog.playbook(&lane.service).into_iter().flat_map(|book| &book.steps);
    steps.flat_map(move |step| {
        let trip = match step {
            PlaybookStep::Trip(trip) if step.taken().is_none_or(|taken| taken == Taken::InParts) => Some(trip),
            _ => None,
        };
        trip.into_iter().flat_map(move |trip| {
            let taken =
                lane.standing.keys().filter(move |id| trip.for_each.is_empty() || trip.for_each.contains(&id.slot));
            let here = taken.filter(move |id| {
                world.cloud.databases.get(*id).is_some_and(|url| step.applies(&plan.to, url.engine()))
            });
            here.map(move |id| (id.clone(), trip))
        })
    })
}

/// Whether every row of a table was touched, in words.
async fn look(
    world: &World,
    id: &DatabaseId,
    url: &ConnectionUrl,
    plan: &Plan,
    table: &TrippedTable,
) -> Result<(bool, String), String> {
    let timeout = world.cloud.limits.connect;
    let name = &table.name;
    let mut connection = connect(url, timeout).await.map_err(|error| database::chain(&error))?;
    let seen = ledger(&mut connection, table).await;
    connection.close().await;
    match seen.map_err(|error| database::chain(&error))? {
        Some(true) => {}
        Some(false) => {
            return Ok((false, format!("not every row of `{name}` in {id} was touched since its triggers appeared")));
        }
        None if !table.when.is_always() || contracted(world, id, url, plan).await? => {
            return Ok((true, format!("`{name}` in {id} has no row trigger for updates, and so nothing to touch")));
        }
        None => return Ok((false, format!("`{name}` in {id} has no row trigger for updates, and should have one"))),
    }
    if let Some(query) = &table.remainder {
        let left = crate::observe::count(url, query, timeout, timeout * COUNTING).await;
        let left = left.map_err(|unreachable| unreachable.reason)?;
        if left > 0 {
            return Ok((false, format!("{left} {} are left in {id}", table.left())));
        }
    }
    Ok((true, format!("every row of `{name}` in {id} was touched since its triggers appeared")))
}

/// What the ledger says of a table; nothing where it has no triggers.
async fn ledger(connection: &mut Connection, table: &TrippedTable) -> Result<Option<bool>, QueryError> {
    let choice =
        Choice { tables: BTreeSet::from([table.name.clone()]), no_inserts: true, step: true, ..Choice::default() };
    let survey = trip::survey(connection, &choice).await?;
    match survey.tables.first() {
        Some(found) => trip::reached(connection, found).await.map(|reached| Some(reached == Reached::All)),
        None if survey.flaws.is_empty() => Ok(None),
        None => Ok(Some(false)),
    }
}

/// Whether the database stands at the release's heads, so that the triggers are gone with what it removed.
async fn contracted(world: &World, id: &DatabaseId, url: &ConnectionUrl, plan: &Plan) -> Result<bool, String> {
    let heads = world.catalog.release(&plan.to).and_then(|release| {
        let slot = world.catalog.playbook(&id.service)?.databases.iter().find(|slot| slot.slot == id.slot)?;
        release.services.get(&id.service)?.heads.get(&slot.schema)
    });
    let found = crate::observe::heads_of(url, world.cloud.limits.connect).await.map_err(|error| error.reason)?;
    Ok(heads.is_some_and(|heads| found.stand_at(heads)))
}
