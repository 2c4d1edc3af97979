//! The journal of an interrupted run against the databases as they are now: the databases outrank it.

use super::document::{Action, Lane, Plan, Standing};
use super::refusal::{Refusal, RefusalKind};
use crate::journal::RunState;
use crate::model::{DatabaseId, Heads, Observation};

/// Why a run cannot go on where its journal says it was: every database that does not stand where the
/// journal, or a step that was cut off, left it. `options` is how a command line continues that means the
/// same cloud, for advice.
pub fn reconcile(plan: &Plan, state: &RunState, observation: &Observation, options: &str) -> Vec<Refusal> {
    let services = plan.hops.first().into_iter().flat_map(|hop| &hop.lanes);
    let refusals = services.flat_map(|first| {
        let lanes = plan.hops.iter().filter_map(|hop| hop.lanes.iter().find(|lane| lane.service == first.service));
        let lanes: Vec<&Lane> = lanes.collect();
        let complete = lanes.iter().take_while(|lane| lane.steps.iter().all(|step| state.is_done(&step.id))).count();
        let way = Way { plan, lanes, complete };
        let databases = first.standing.keys();
        databases.filter_map(|id| reconcile_one(&way, state, observation, options, id)).collect::<Vec<_>>()
    });
    refusals.collect()
}

/// A service's way through the plan.
struct Way<'p> {
    plan: &'p Plan,
    /// Its lanes, hop by hop.
    lanes: Vec<&'p Lane>,
    /// How many of them are complete.
    complete: usize,
}

fn reconcile_one(
    Way { plan, lanes, complete }: &Way<'_>,
    state: &RunState,
    observation: &Observation,
    options: &str,
    id: &DatabaseId,
) -> Option<Refusal> {
    let found = match observation.databases.get(id)? {
        // Whatever is there now is removed before anything else: the restore that was cut off is done again.
        Ok(_) if state.restoring.as_ref().is_some_and(|open| open.services.contains(&id.service)) => return None,
        Ok(seen) => &seen.heads,
        Err(unreachable) => {
            return Some(Refusal {
                kind: RefusalKind::Unreachable,
                database: Some(id.clone()),
                what: format!("database {id} cannot be read"),
                found: Some(unreachable.reason.clone()),
                expected: None,
                next: unreachable.advice.clone(),
            });
        }
    };
    let proved = match *complete {
        0 => match lanes.first()?.standing.get(id)? {
            Standing::AtHeads { heads } | Standing::Moves { from: heads, .. } => heads,
        },
        complete => match reached(lanes[complete - 1], id) {
            Some(heads) => heads,
            // It ended before what the release removes: its steps say how far.
            None => return not_shown(lanes[complete - 1], plan, id, found, options),
        },
    };
    let lost = lanes.get(*complete).and_then(|lane| lost(lane, state, id, found));
    if found.stand_at(proved) && lost.is_none() {
        return None;
    }
    let named = |heads: &Heads| match plan.hops.iter().zip(lanes).find(|(_, lane)| reached(lane, id) == Some(heads)) {
        Some((hop, _)) => format!("{heads} ({})", hop.series),
        None => heads.to_string(),
    };
    let mut expected = named(proved);
    // A lane that is under way may have left the database anywhere between two releases, but at no third.
    // Restore points change nothing.
    let begun = |lane: &&&Lane| {
        let changing = lane.steps.iter().filter(|step| step.saves().is_none());
        changing.into_iter().any(|step| state.steps.contains_key(&step.id))
    };
    let under_way = lanes.get(*complete).filter(begun);
    if let Some(heads) = lost {
        expected = named(heads);
    } else if let Some(lane) = under_way {
        let next = reached(lane, id)?;
        let elsewhere =
            lanes.iter().filter_map(|lane| reached(lane, id)).any(|heads| heads != next && found.stand_at(heads));
        if found.stand_at(next) || !(elsewhere || found.is_empty()) {
            return None;
        }
        if next != proved {
            expected = format!("{expected}, or on the way to {}", named(next));
        }
    }
    Some(Refusal {
        kind: RefusalKind::Drift,
        database: Some(id.clone()),
        what: format!("database {id} does not stand where the interrupted run left it: something else changed it"),
        found: Some(named(found)),
        expected: Some(expected),
        next: format!(
            "find out what changed or restored it (`leapfrog detect{options}` shows the databases); to begin anew from \
             where they stand: `leapfrog --from auto --to {} --fresh{options}`",
            plan.to
        ),
    })
}

/// The refusal of a database that does not show what a complete lane did which ends before its release's heads.
fn not_shown(lane: &Lane, plan: &Plan, id: &DatabaseId, found: &Heads, options: &str) -> Option<Refusal> {
    if lane.is_shown_by(id, found) {
        return None;
    }
    let targets = lane.steps.iter().filter_map(|step| match &step.action {
        Action::Run(run) => run.schema.as_ref()?.databases.get(id),
        _ => None,
    });
    let expected: Vec<&str> = targets.flat_map(|target| &target.reaches).map(String::as_str).collect();
    Some(Refusal {
        kind: RefusalKind::Drift,
        database: Some(id.clone()),
        what: format!("database {id} does not stand where the run left it: something else changed it"),
        found: Some(found.to_string()),
        expected: Some(format!("{} among its heads", expected.join(" + "))),
        next: format!(
            "find out what changed or restored it (`leapfrog detect{options}` shows the databases); to begin anew from \
             where they stand: `leapfrog --from auto --to {} --fresh{options}`",
            plan.to
        ),
    })
}

/// The heads to which a step of a lane that is under way is on record to have taken a database that shows nothing of it:
/// a backup, or a replica that was behind when it took its primary's place.
fn lost<'p>(lane: &'p Lane, state: &RunState, id: &DatabaseId, found: &Heads) -> Option<&'p Heads> {
    let mut targets = lane.steps.iter().filter_map(|step| match &step.action {
        Action::Run(run) => Some((step, run.schema.as_ref()?.databases.get(id)?)),
        _ => None,
    });
    // What came last decides: a later step may have gone on from what an earlier one reached.
    let (step, target) = targets.rfind(|(step, _)| state.steps.contains_key(&step.id))?;
    // Where no image was read, nobody knows what a branch reaches.
    let shows = found.stand_at(&target.heads) || found.alembic.is_superset(&target.reaches);
    (state.is_done(&step.id) && !shows).then_some(&target.heads)
}

/// The heads that a lane proves for a database.
fn reached<'p>(lane: &'p Lane, id: &DatabaseId) -> Option<&'p Heads> {
    lane.steps.iter().find_map(|step| match &step.action {
        Action::Verify(verification) => verification.heads.get(id),
        _ => None,
    })
}

/// Whether every database stands where the plan ends.
pub fn stands_at_the_end(plan: &Plan, observation: &Observation) -> bool {
    plan.hops.last().is_some_and(|hop| {
        hop.lanes.iter().flat_map(|lane| lane.standing.keys().map(move |id| (lane, id))).all(|(lane, id)| {
            let seen = observation.databases.get(id).and_then(|seen| seen.as_ref().ok());
            seen.is_some_and(|seen| lane.is_shown_by(id, &seen.heads))
        })
    })
}
