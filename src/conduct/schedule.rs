//! Which steps may begin now: a pure function of the plan and the folded journal.

use std::collections::{BTreeMap, BTreeSet};

use crate::journal::{Outcome, RunState};
use crate::model::{ImageReference, Series, Service, StepId};
use crate::plan::{Action, Hop, Lane, Plan, Step};
use crate::runner::FoundTask;

/// What the conductor has in hand, besides plan and journal.
#[derive(Debug, Default)]
pub(super) struct InHand {
    /// Steps whose tasks run.
    pub running: BTreeSet<StepId>,
    /// Those of them that wait for rounds of other steps, and leave their place to others meanwhile.
    pub waiting: BTreeSet<StepId>,
    /// Tasks of an earlier process that go on, or whose end nobody recorded, by step.
    pub found: BTreeMap<StepId, FoundTask>,
    /// Lanes in which a step of this process did not end well.
    pub halted: BTreeSet<Service>,
    /// Images that are here and were looked at.
    pub ready: BTreeSet<ImageReference>,
    /// Images that cannot be had.
    pub missing: BTreeSet<ImageReference>,
    /// The operator asked to stop: nothing more begins.
    pub stopping: bool,
}

/// What comes next.
#[derive(Debug, PartialEq)]
pub(super) enum Next<'p> {
    /// The hop begins.
    BeginHop(&'p Hop),
    /// Every lane of the hop is complete.
    EndHop(&'p Series),
    /// These steps begin; those of one lane are of one stage.
    Begin(Vec<(&'p Lane, &'p Step)>),
    /// Something is running or being fetched; look again when it is done.
    Wait,
    /// Every hop is complete.
    Finish,
    /// Nothing runs and nothing may begin.
    Halt,
}

/// How long a lane still takes, in seconds, as far as that can be told beforehand, from what it took in the releases
/// `before`. The steps of a stage take as
/// long as they must with `jobs` at a time, and those whose rounds may have to wait for one another as long as all of
/// them together.
fn work_left(lane: &Lane, before: &[&Series], state: &RunState, jobs: usize) -> f64 {
    let idle = lane.idle_steps();
    let weigh = |step: &Step| {
        if state.is_done(&step.id) || idle.contains(&step.id) { 0.0 } else { usual(step, before, state) }
    };
    let in_turn = |step: &Step| matches!(&step.action, Action::Drain(drain) if drain.takes_turns);
    let stages = lane.stages().map(|stage| {
        let longest = stage.iter().map(weigh).fold(0.0, f64::max);
        let at_a_time = if stage.iter().any(in_turn) { 1 } else { jobs.max(1) };
        longest.max(stage.iter().map(weigh).sum::<f64>() / at_a_time as f64)
    });
    stages.sum()
}

/// How long a step takes: as long as in the release before, or, where it was not run in this leap yet, as long as
/// such a step takes without much to do: a program needs some seconds to begin, and a data migration is at least
/// one round more than a schema migration.
fn usual(step: &Step, before: &[&Series], state: &RunState) -> f64 {
    let usual = match &step.action {
        Action::Drain(_) => 6.0,
        Action::Run(_) | Action::Check(_) => 3.0,
        Action::Save(_) | Action::Trip(_) => 1.0,
        Action::Verify(_) => return 0.0,
    };
    let its = |series: &&Series| state.steps.get(&StepId { series: (*series).clone(), ..step.id.clone() });
    let ran = before.iter().rev().filter_map(its).find(|its| its.outcome == Some(Outcome::Done));
    ran.map_or(usual, |its| its.seconds)
}

/// What comes next, with at most `jobs` steps side by side.
pub(super) fn next<'p>(plan: &'p Plan, state: &RunState, hand: &InHand, jobs: usize) -> Next<'p> {
    let Some(hop) = plan.hops.iter().find(|hop| !state.hop_is_complete(&hop.series)) else {
        return Next::Finish;
    };
    if state.open_hop() != Some(&hop.series) {
        // The hop before is complete, or this is the first.
        return if hand.stopping { Next::Halt } else { Next::BeginHop(hop) };
    }
    let mut ready: Vec<(&Lane, Vec<&Step>)> = Vec::new();
    let mut complete = true;
    let mut fetching = false;
    let free = (jobs + hand.waiting.len()).saturating_sub(hand.running.len());
    let before: Vec<&Series> =
        plan.hops.iter().map(|hop| &hop.series).take_while(|series| **series != hop.series).collect();
    for lane in &hop.lanes {
        let is_done = |step: &&Step| state.is_done(&step.id);
        let Some(stage) = lane.stages().find(|stage| !stage.iter().all(|step| is_done(&step))) else {
            continue;
        };
        complete = false;
        // The steps of a stage are of one kind, so they run in one image.
        let Some(image) = stage.first().map(|step| lane.image_of(step)) else { continue };
        if hand.halted.contains(&lane.service) || hand.missing.contains(image) {
            continue;
        }
        if !hand.ready.contains(image) {
            fetching = true;
        } else if !hand.stopping {
            let next: Vec<&Step> =
                stage.iter().filter(|step| !is_done(step) && !hand.running.contains(&step.id)).collect();
            if !next.is_empty() {
                ready.push((lane, next));
            }
        }
    }
    // The lane with the most work left decides when the hop ends, so it goes first. What is left is weighed only where
    // that decides something.
    if ready.len() > 1 && free > 0 {
        let weighed = ready.into_iter().map(|(lane, steps)| (work_left(lane, &before, state, jobs), lane, steps));
        let mut weighed: Vec<(f64, &Lane, Vec<&Step>)> = weighed.collect();
        weighed.sort_by(|(one, ..), (two, ..)| two.total_cmp(one));
        ready = weighed.into_iter().map(|(_, lane, steps)| (lane, steps)).collect();
    }
    let steps = ready.into_iter().flat_map(|(lane, steps)| steps.into_iter().map(move |step| (lane, step)));
    // What runs already is watched at once, before anything is launched beside it.
    let (mut begin, others): (Vec<(&Lane, &Step)>, Vec<_>) =
        steps.partition(|(_, step)| hand.found.contains_key(&step.id));
    begin.extend(others.into_iter().take(free.saturating_sub(begin.len())));
    if complete {
        Next::EndHop(&hop.series)
    } else if !begin.is_empty() {
        Next::Begin(begin)
    } else if !hand.running.is_empty() || (fetching && !hand.stopping) {
        Next::Wait
    } else {
        Next::Halt
    }
}

#[cfg(test)]
mod tests;
