//! Which steps may begin now: a pure function of the plan and the folded journal.

use std::collections::BTreeSet;

use crate::journal::RunState;
use crate::model::{ImageReference, Phase, Series, Service, StepId};
use crate::plan::{Action, Hop, Lane, Plan, Step};

/// What the conductor has in hand, besides plan and journal.
#[derive(Debug, Default)]
pub(super) struct InHand {
    /// Steps whose tasks run.
    pub running: BTreeSet<StepId>,
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
    /// These steps begin, each in a lane of its own.
    Begin(Vec<(&'p Lane, &'p Step)>),
    /// Something is running or being fetched; look again when it is done.
    Wait,
    /// Every hop is complete.
    Finish,
    /// Nothing runs and nothing may begin.
    Halt,
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
    // The release's own checks stop a hop before any lane of it changes a thing.
    let checking = |step: &Step| matches!(step.action, Action::Check(_));
    let checked = hop.lanes.iter().flat_map(|lane| &lane.steps).all(|step| !checking(step) || state.is_done(&step.id));
    let mut begin = Vec::new();
    let mut complete = true;
    let mut fetching = false;
    for lane in &hop.lanes {
        let Some(step) = lane.steps.iter().find(|step| !state.is_done(&step.id)) else {
            continue;
        };
        complete = false;
        let busy = lane.steps.iter().any(|step| hand.running.contains(&step.id));
        if busy || hand.halted.contains(&lane.service) || hand.missing.contains(&lane.image) {
            continue;
        }
        if !hand.ready.contains(&lane.image) {
            fetching = true;
        } else if !hand.stopping && (checked || step.phase == Phase::Check) {
            let left = lane.steps.iter().filter(|step| !state.is_done(&step.id)).count();
            begin.push((left, lane, step));
        }
    }
    // The lane with the most steps left decides when the hop ends, so it goes first.
    begin.sort_by_key(|(left, ..)| std::cmp::Reverse(*left));
    begin.truncate(jobs.saturating_sub(hand.running.len()));
    let begin: Vec<(&Lane, &Step)> = begin.into_iter().map(|(_, lane, step)| (lane, step)).collect();
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
