//! The state of a run: a fold over its records.

use std::collections::{BTreeMap, BTreeSet};

use super::{Evidence, Failure, Outcome, Record, RecordBody, Restoring, SavedPoint, Waiver};
use crate::model::{Digest, ImageReference, RunId, Series, Service, StepId};

/// Exit codes of commands that a signal ended: 128 and its number.
const SIGNALS: std::ops::RangeInclusive<i64> = 129..=159;

/// What the records of a run say, taken together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunState {
    /// How the run began; absent before its first record.
    pub start: Option<Start>,
    /// The place of the last record.
    pub sequence: u64,
    /// How many processes worked on the run.
    pub processes: u32,
    /// The hops that began, in order.
    pub hops: Vec<HopState>,
    /// The steps that began.
    pub steps: BTreeMap<StepId, StepState>,
    /// How the last process ended; absent while one works, or if it died.
    pub ended: Option<Outcome>,
    /// What ended the run outside any step.
    pub failure: Option<Failure>,
    /// When the last record was written.
    pub last: Option<jiff::Timestamp>,
    /// The restore points that were taken, by the step that took them.
    pub points: BTreeMap<StepId, SavedPoint>,
    /// Steps of which an attempt was cut off: nobody saw its end and nobody took it up, or it was ended from outside,
    /// by leapfrog or by somebody else. A schema migration among them may have left the half of a change behind.
    pub cut_off: BTreeSet<StepId>,
    /// A restore that began and did not end well: its databases stand nowhere.
    pub restoring: Option<Restoring>,
    /// How often a lane was brought back to the beginning of a hop by itself.
    pub way_back: BTreeMap<(Series, Service), u32>,
    /// The last word of somebody that something is removed although it may be used.
    pub waiver: Option<Waiver>,
}

/// How a run began.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The run.
    pub run: RunId,
    /// The cloud's name.
    pub cloud: String,
    /// Where it starts.
    pub from: Series,
    /// Where it ends.
    pub to: Series,
    /// When it began.
    pub time: jiff::Timestamp,
    /// The images and what they were found to be.
    pub images: BTreeMap<ImageReference, Digest>,
}

/// A hop that began.
#[derive(Debug, Clone, PartialEq)]
pub struct HopState {
    /// The release.
    pub series: Series,
    /// When it began.
    pub began: jiff::Timestamp,
    /// When every lane of it was complete.
    pub ended: Option<jiff::Timestamp>,
}

/// A step that began.
#[derive(Debug, Clone, PartialEq)]
pub struct StepState {
    /// How often it was begun.
    pub attempt: u32,
    /// How many rounds of this attempt ended.
    pub rounds: u32,
    /// How this attempt ended; absent while it runs, and in doubt if nobody saw its end.
    pub outcome: Option<Outcome>,
    /// Rows moved by all attempts.
    pub rows: u64,
    /// When this attempt began.
    pub began: jiff::Timestamp,
    /// How long it took, in seconds; 0 while it runs.
    pub seconds: f64,
    /// Which of the run's processes began this attempt, from 1.
    pub process: u32,
    /// Whether this attempt began by watching a task of an earlier attempt.
    pub adopted: bool,
    /// Whether this attempt ended before its command began.
    pub never_began: bool,
    /// Whether its outcome is what somebody said who looked.
    pub resolved: bool,
}

impl StepState {
    /// Whether the step is complete: done, or skipped with nothing to do.
    pub fn is_complete(&self) -> bool {
        self.outcome.is_some_and(Outcome::is_complete)
    }

    /// Whether this attempt's command may have changed something and is not known to be complete. Where that
    /// is so, a step that must not be run twice begins again only after somebody said that it may.
    pub fn may_have_worked(&self) -> bool {
        !self.is_complete() && !self.never_began && !self.resolved
    }
}

/// A record that cannot follow the ones before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {sequence} cannot follow the records before it: {why}")]
pub struct IllegalRecord {
    /// The record's own number.
    pub sequence: u64,
    /// What is wrong.
    pub why: String,
}

impl RunState {
    /// The state after `record`.
    ///
    /// # Errors
    /// The record contradicts the ones before it; the state is unchanged.
    pub fn apply(&mut self, record: &Record) -> Result<(), IllegalRecord> {
        let illegal = |why: String| Err(IllegalRecord { sequence: record.sequence, why });
        if record.sequence != self.sequence + 1 {
            return illegal(format!("the record before it has the number {}", self.sequence));
        }
        if self.start.is_none() != matches!(record.body, RecordBody::RunStarted { .. }) {
            return illegal("a run begins once, with its first record".to_owned());
        }
        let between = |body: &RecordBody| {
            matches!(
                body,
                RecordBody::RunResumed { .. }
                    | RecordBody::StepResolved { .. }
                    | RecordBody::RestoreStarted { .. }
                    | RecordBody::RestoreEnded { .. }
                    | RecordBody::Unknown
            )
        };
        if self.ended.is_some() && !between(&record.body) {
            return illegal("the run had ended and was not resumed".to_owned());
        }
        match &record.body {
            RecordBody::RunStarted { run, cloud, from, to, images, .. } => {
                self.start = Some(Start {
                    run: run.clone(),
                    cloud: cloud.clone(),
                    from: from.clone(),
                    to: to.clone(),
                    time: record.time,
                    images: images.clone(),
                });
                self.processes = 1;
            }
            RecordBody::RunResumed { .. } => {
                if self.ended == Some(Outcome::Done) {
                    return illegal("the run was complete".to_owned());
                }
                self.processes += 1;
                self.ended = None;
                self.failure = None;
            }
            RecordBody::HopStarted { series } => {
                if let Some(open) = self.hops.iter().find(|hop| hop.ended.is_none()) {
                    return illegal(format!("hop {series} began before hop {} ended", open.series));
                }
                if self.hops.last().is_some_and(|last| last.series >= *series) {
                    return illegal(format!("hop {series} began after a later one"));
                }
                self.hops.push(HopState { series: series.clone(), began: record.time, ended: None });
            }
            RecordBody::HopEnded { series } => {
                let unfinished = self.steps.iter().find(|(id, step)| id.series == *series && !step.is_complete());
                if let Some((id, _)) = unfinished {
                    return illegal(format!("hop {series} ended before step {id} was done"));
                }
                match self.hops.last_mut() {
                    Some(hop) if hop.series == *series && hop.ended.is_none() => hop.ended = Some(record.time),
                    _ => return illegal(format!("hop {series} ended and had not begun")),
                }
            }
            RecordBody::StepStarted { step, attempt, adopted, .. } => {
                if !self.hops.last().is_some_and(|hop| hop.series == step.series && hop.ended.is_none()) {
                    return illegal(format!("step {step} began outside its hop"));
                }
                if self.restoring.as_ref().is_some_and(|open| open.services.contains(&step.service)) {
                    return illegal(format!("step {step} began while its databases were being brought back"));
                }
                let before = self.steps.get(step);
                if before.is_some_and(StepState::is_complete) {
                    return illegal(format!("step {step} was done before it began again"));
                }
                if before.is_some_and(|before| before.outcome.is_none() && before.process == self.processes) {
                    return illegal(format!("step {step} began again while it was running"));
                }
                if *attempt != before.map_or(0, |before| before.attempt) + 1 {
                    return illegal(format!("attempt {attempt} of step {step} is out of turn"));
                }
                let rows = before.map_or(0, |before| before.rows);
                if before.is_some_and(|before| before.outcome.is_none()) && !adopted {
                    self.cut_off.insert(step.clone());
                }
                let state = StepState {
                    attempt: *attempt,
                    rounds: 0,
                    outcome: None,
                    rows,
                    began: record.time,
                    seconds: 0.0,
                    process: self.processes,
                    adopted: *adopted,
                    never_began: false,
                    resolved: false,
                };
                self.steps.insert(step.clone(), state);
            }
            RecordBody::RoundEnded { step, attempt, round, counts, .. } => {
                let Some(state) = self.running(step, *attempt) else {
                    return illegal(format!("a round of step {step} ended and the step was not running"));
                };
                if *round != state.rounds + 1 {
                    return illegal(format!("round {round} of step {step} is out of turn"));
                }
                state.rounds = *round;
                let moved = counts.iter().fold(0_u64, |sum, count| sum.saturating_add(count.moved));
                state.rows = state.rows.saturating_add(moved);
            }
            RecordBody::StepEnded { step, attempt, outcome, seconds, never_began, evidence, failure, .. } => {
                let Some(state) = self.running(step, *attempt) else {
                    return illegal(format!("step {step} ended and was not running"));
                };
                state.outcome = Some(*outcome);
                state.seconds = *seconds;
                state.never_began = *never_began;
                // A command whose exit code nobody knows was lost: its container is gone, or its engine.
                let lost =
                    *outcome == Outcome::Failed && failure.as_ref().is_some_and(|failure| failure.exit.is_none());
                if !never_began && (lost || Self::cuts_off(*outcome, evidence, failure.as_ref())) {
                    self.cut_off.insert(step.clone());
                }
                for piece in evidence {
                    if let Evidence::RestorePoint(point) = piece {
                        self.points.insert(step.clone(), (**point).clone());
                    }
                }
            }
            RecordBody::RestoreStarted { to, services, because, .. } => {
                if let Err(why) = self.restore_started(to, services, because.as_ref()) {
                    return illegal(why);
                }
            }
            RecordBody::RestoreEnded { to, services, outcome, .. } => {
                if let Err(why) = self.restore_ended(to, services, *outcome) {
                    return illegal(why);
                }
            }
            RecordBody::StepResolved { step, attempt, outcome, .. } => {
                if !matches!(outcome, Outcome::Done | Outcome::Failed) {
                    return illegal(format!("step {step} was said to have ended in a way that nobody can see"));
                }
                let open = |state: &&mut StepState| state.attempt == *attempt && !state.is_complete();
                let Some(state) = self.steps.get_mut(step).filter(open) else {
                    return illegal(format!("step {step} was said to have ended and was not in doubt"));
                };
                state.outcome = Some(*outcome);
                state.resolved = true;
            }
            RecordBody::RunEnded { outcome, failure } => {
                if *outcome == Outcome::Done
                    && (self.hops.iter().any(|hop| hop.ended.is_none()) || self.hops.is_empty())
                {
                    return illegal("the run was called complete with an open hop".to_owned());
                }
                self.ended = Some(*outcome);
                self.failure.clone_from(failure);
            }
            RecordBody::Readiness { waiver, .. } => {
                if waiver.is_some() {
                    self.waiver.clone_from(waiver);
                }
            }
            RecordBody::Unknown => {}
        }
        self.sequence = record.sequence;
        self.last = Some(record.time);
        Ok(())
    }

    /// Whether an attempt that ended so was cut off: its command was ended from outside.
    pub fn cuts_off(outcome: Outcome, evidence: &[Evidence], failure: Option<&Failure>) -> bool {
        let unseen = || evidence.iter().any(|piece| matches!(piece, Evidence::EndUnseen { .. }));
        let killed = || failure.and_then(|failure| failure.exit).is_some_and(|exit| SIGNALS.contains(&exit));
        outcome == Outcome::Interrupted || outcome == Outcome::Failed && (unseen() || killed())
    }

    fn running(&mut self, step: &StepId, attempt: u32) -> Option<&mut StepState> {
        self.steps.get_mut(step).filter(|state| state.outcome.is_none() && state.attempt == attempt)
    }

    /// The state after all of `records`.
    ///
    /// # Errors
    /// The first record that contradicts the ones before it.
    pub fn of(records: &[Record]) -> Result<Self, IllegalRecord> {
        let mut state = Self::default();
        for record in records {
            state.apply(record)?;
        }
        Ok(state)
    }

    /// Whether every hop is complete.
    pub fn is_complete(&self) -> bool {
        self.ended == Some(Outcome::Done)
    }

    /// Whether the step is complete: done, or skipped with nothing to do.
    pub fn is_done(&self, step: &StepId) -> bool {
        self.steps.get(step).is_some_and(StepState::is_complete)
    }

    /// The hop that began and has not ended.
    pub fn open_hop(&self) -> Option<&Series> {
        self.hops.last().filter(|hop| hop.ended.is_none()).map(|hop| &hop.series)
    }

    /// Whether every lane of the hop is complete.
    pub fn hop_is_complete(&self, series: &Series) -> bool {
        self.hops.iter().any(|hop| hop.series == *series && hop.ended.is_some())
    }

    /// The steps that began and whose end nobody recorded.
    pub fn in_doubt(&self) -> impl Iterator<Item = (&StepId, &StepState)> {
        self.steps.iter().filter(|(_, state)| state.outcome.is_none())
    }
}
