//! What the records of a run say of each step of its plan: a pure fold, for people to read.
//!
//! The account knows durable records alone. What it says can be said again from the plan and the
//! journal at any time; [`View`](super::View) adds to it what only a live observer sees. A step that
//! the plan does not hold is passed over: a reporter has no say in what is right.

mod known;
mod undo;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::journal::{Failure, Outcome, Record, RecordBody, Waiver};
use crate::model::{Series, StepId};
use crate::plan::{Hop, Lane, Plan, Step};

pub(super) use self::known::{Attempt, End, LaneState, Opening, Place, Sitting, StepState};
use super::restores::Restore;
use super::text::seconds_between;

#[derive(Debug, Clone, Default)]
struct HopTimes {
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
}

/// The fold over a run's records.
#[derive(Debug, Clone)]
pub(super) struct Account {
    plan: Arc<Plan>,
    places: BTreeMap<StepId, Place>,
    opening: Option<Opening>,
    sittings: Vec<Sitting>,
    hops: Vec<HopTimes>,
    attempts: BTreeMap<Place, Vec<Attempt>>,
    restores: Vec<Restore>,
    /// Words of somebody that something is removed, and what nobody could see.
    waived: Vec<(Waiver, Vec<String>)>,
    /// Whether no process works on the run any more.
    closed: bool,
}

impl Account {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        let mut places = BTreeMap::new();
        for (h, hop) in plan.hops.iter().enumerate() {
            for (l, lane) in hop.lanes.iter().enumerate() {
                for (s, step) in lane.steps.iter().enumerate() {
                    places.insert(step.id.clone(), Place { hop: h, lane: l, step: s });
                }
            }
        }
        let hops = vec![HopTimes::default(); plan.hops.len()];
        let (attempts, restores, waived) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { plan, places, opening: None, sittings: Vec::new(), hops, attempts, restores, waived, closed: false }
    }

    pub(super) fn of(plan: &Plan, records: &[Record]) -> Self {
        let mut account = Self::new(Arc::new(plan.clone()));
        for record in records {
            account.see(record);
        }
        account
    }

    /// Nothing counts as running, whatever was recorded last, until another process goes on.
    pub(super) fn closed(mut self) -> Self {
        self.closed = true;
        self
    }

    pub(super) fn see(&mut self, record: &Record) {
        let time = record.time;
        match &record.body {
            RecordBody::RunStarted { run, leapfrog, runner, host, pid, unfenced, .. } => {
                self.opening =
                    Some(Opening { run: run.clone(), leapfrog: leapfrog.clone(), runner: runner.clone(), began: time });
                self.sit(time, host, *pid, *unfenced);
            }
            RecordBody::RunResumed { host, pid, unfenced, .. } => self.sit(time, host, *pid, *unfenced),
            RecordBody::HopStarted { series } => {
                if let Some(hop) = self.hop_times(series) {
                    hop.began.get_or_insert(time);
                }
            }
            RecordBody::HopEnded { series } => {
                if let Some(hop) = self.hop_times(series) {
                    hop.ended = Some(time);
                }
            }
            RecordBody::StepStarted { step, attempt, .. } => {
                self.begin(time, step, *attempt);
            }
            RecordBody::RoundEnded { step, attempt, round, counts, .. } => {
                if let Some(attempt) = self.attempt(step, *attempt) {
                    attempt.rounds = (*round).max(attempt.rounds);
                    let moved = counts.iter().fold(0u64, |sum, count| sum.saturating_add(count.moved));
                    attempt.round_rows = attempt.round_rows.saturating_add(moved);
                }
            }
            RecordBody::StepEnded { step, attempt, outcome, seconds, rows, evidence, failure, .. } => {
                let end = End {
                    said: None,
                    outcome: *outcome,
                    seconds: *seconds,
                    rows: *rows,
                    evidence: evidence.clone(),
                    failure: failure.clone(),
                };
                if let Some(attempt) = self.attempt(step, *attempt) {
                    attempt.end = Some(end);
                }
            }
            RecordBody::RestoreStarted { to, services, because, .. } => self.restores.push(Restore {
                time,
                to: to.clone(),
                services: services.clone(),
                because: because.clone(),
                outcome: None,
                failure: None,
            }),
            RecordBody::RestoreEnded { to, services, outcome, failure, .. } => {
                if let Some(restore) = self.restores.last_mut() {
                    (restore.outcome, restore.failure) = (Some(*outcome), failure.clone());
                }
                if outcome.is_complete() {
                    self.undo(to, services);
                }
            }
            RecordBody::StepResolved { step, attempt, outcome, by, host, note, evidence } => {
                let said = said(by, host, note.as_deref());
                if let Some(attempt) = self.attempt(step, *attempt) {
                    let before = attempt.end.as_ref();
                    attempt.end = Some(End {
                        outcome: *outcome,
                        seconds: before.map_or(0.0, |end| end.seconds),
                        rows: before.and_then(|end| end.rows),
                        evidence: evidence.clone(),
                        failure: (!outcome.is_complete()).then(|| not_done(&said)),
                        said: Some(said),
                    });
                }
                // Nobody worked on the run meanwhile.
                return;
            }
            RecordBody::RunEnded { outcome, failure } => {
                if let Some(sitting) = self.sittings.last_mut() {
                    sitting.ended = Some(*outcome);
                    sitting.failure.clone_from(failure);
                }
            }
            RecordBody::Readiness { unmet, waiver, .. } => {
                self.waived.extend(waiver.iter().map(|waiver| (waiver.clone(), unmet.clone())));
            }
            RecordBody::Unknown => {}
        }
        if let Some(sitting) = self.sittings.last_mut() {
            sitting.last = time;
        }
    }

    /// Words of somebody that something is removed, and what nobody could see.
    pub(super) fn waived(&self) -> &[(Waiver, Vec<String>)] {
        &self.waived
    }

    fn sit(&mut self, time: Timestamp, host: &str, pid: u32, unfenced: bool) {
        self.closed = false;
        self.sittings.push(Sitting {
            began: time,
            last: time,
            host: host.to_owned(),
            pid,
            unfenced,
            ended: None,
            failure: None,
        });
    }

    fn hop_times(&mut self, series: &Series) -> Option<&mut HopTimes> {
        let place = self.plan.hops.iter().position(|hop| hop.series == *series)?;
        self.hops.get_mut(place)
    }

    fn begin(&mut self, time: Timestamp, step: &StepId, number: u32) {
        let Some(place) = self.place(step) else { return };
        let sitting = self.sittings.len().saturating_sub(1);
        let attempts = self.attempts.entry(place).or_default();
        attempts.push(Attempt { number, sitting, began: time, rounds: 0, round_rows: 0, end: None });
    }

    fn attempt(&mut self, step: &StepId, number: u32) -> Option<&mut Attempt> {
        let place = self.place(step)?;
        self.attempts.get_mut(&place)?.iter_mut().rev().find(|attempt| attempt.number == number)
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn opening(&self) -> Option<&Opening> {
        self.opening.as_ref()
    }

    pub(super) fn sittings(&self) -> &[Sitting] {
        &self.sittings
    }

    pub(super) fn place(&self, step: &StepId) -> Option<Place> {
        self.places.get(step).copied()
    }

    pub(super) fn hop(&self, hop: usize) -> &Hop {
        &self.plan.hops[hop]
    }

    pub(super) fn lane(&self, hop: usize, lane: usize) -> &Lane {
        &self.plan.hops[hop].lanes[lane]
    }

    pub(super) fn step(&self, place: Place) -> &Step {
        &self.plan.hops[place.hop].lanes[place.lane].steps[place.step]
    }

    pub(super) fn attempts(&self, place: Place) -> &[Attempt] {
        self.attempts.get(&place).map_or(&[], Vec::as_slice)
    }

    /// How the last process ended, if it ended in an orderly way.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.sittings.last().and_then(|sitting| sitting.ended)
    }

    /// Whether a process works on the run.
    pub(super) fn works(&self) -> bool {
        !self.closed && self.outcome().is_none()
    }

    pub(super) fn hop_began(&self, hop: usize) -> bool {
        self.hops[hop].began.is_some()
    }

    pub(super) fn hop_is_done(&self, hop: usize) -> bool {
        self.hops[hop].ended.is_some()
    }

    pub(super) fn step_state(&self, place: Place) -> StepState {
        let Some(last) = self.attempts(place).last() else { return StepState::Waiting };
        match &last.end {
            Some(end) => StepState::Ended(end.outcome),
            None if last.sitting + 1 == self.sittings.len().max(1) && self.works() => StepState::Running,
            None => StepState::OutOfSight,
        }
    }

    /// The steps of a lane that run, in order.
    pub(super) fn running(&self, hop: usize, lane: usize) -> impl Iterator<Item = Place> {
        self.lane_places(hop, lane).filter(|place| self.step_state(*place) == StepState::Running)
    }

    pub(super) fn lane_state(&self, hop: usize, lane: usize) -> LaneState {
        let steps = self.lane(hop, lane).steps.len();
        // While a step runs, it is what is told, whatever became of those beside it.
        if let Some(place) = self.running(hop, lane).next() {
            return LaneState::Running(place.step);
        }
        for step in 0..steps {
            let state = match self.step_state(Place { hop, lane, step }) {
                StepState::Ended(outcome) if outcome.is_complete() => continue,
                StepState::Waiting if step == 0 => LaneState::Waiting,
                StepState::Waiting => LaneState::Between(step),
                StepState::Running => LaneState::Running(step),
                StepState::OutOfSight => LaneState::OutOfSight(step),
                StepState::Ended(outcome) => LaneState::Ended(step, outcome),
            };
            return state;
        }
        if steps == 0 && !self.hop_is_done(hop) { LaneState::Waiting } else { LaneState::Done }
    }

    /// Every step of a lane with its place.
    pub(super) fn lane_places(&self, hop: usize, lane: usize) -> impl Iterator<Item = Place> {
        (0..self.lane(hop, lane).steps.len()).map(move |step| Place { hop, lane, step })
    }

    /// Every lane of every hop.
    pub(super) fn lanes(&self) -> impl Iterator<Item = (usize, usize)> {
        self.plan.hops.iter().enumerate().flat_map(|(h, hop)| (0..hop.lanes.len()).map(move |l| (h, l)))
    }

    /// Rows that all attempts of a step moved; absent if it is no step that moves rows.
    pub(super) fn step_rows(&self, place: Place) -> Option<u64> {
        let mut rows = None;
        for attempt in self.attempts(place) {
            let moved = attempt.end.as_ref().and_then(|end| end.rows);
            let moved = moved.or((attempt.rounds > 0).then_some(attempt.round_rows));
            if let Some(moved) = moved {
                rows = Some(rows.unwrap_or(0u64).saturating_add(moved));
            }
        }
        rows
    }

    /// Rows of a lane; absent if no step of it moves rows.
    pub(super) fn lane_rows(&self, hop: usize, lane: usize) -> Option<u64> {
        self.lane_places(hop, lane).filter_map(|place| self.step_rows(place)).reduce(u64::saturating_add)
    }

    /// Rows of a hop; absent if no step of it moves rows.
    pub(super) fn hop_rows(&self, hop: usize) -> Option<u64> {
        let lanes = 0..self.hop(hop).lanes.len();
        lanes.filter_map(|lane| self.lane_rows(hop, lane)).reduce(u64::saturating_add)
    }

    /// How many steps of a lane are done.
    pub(super) fn lane_done(&self, hop: usize, lane: usize) -> usize {
        let done =
            |place: &Place| matches!(self.step_state(*place), StepState::Ended(outcome) if outcome.is_complete());
        self.lane_places(hop, lane).filter(done).count()
    }

    /// Seconds in which a lane's steps ran, all attempts together; those that ran side by side count once.
    pub(super) fn lane_seconds(&self, hop: usize, lane: usize, now: Timestamp) -> f64 {
        let mut times: Vec<(f64, f64)> = Vec::new();
        for place in self.lane_places(hop, lane) {
            times.extend(self.attempts(place).iter().map(|attempt| {
                let began = attempt.began.as_duration().as_secs_f64();
                (began, began + self.attempt_seconds(attempt, now))
            }));
        }
        times.sort_by(|one, two| one.0.total_cmp(&two.0));
        let (mut seconds, mut until) = (0.0, f64::NEG_INFINITY);
        for (began, ended) in times {
            seconds += (ended - began.max(until)).max(0.0);
            until = until.max(ended);
        }
        seconds
    }

    /// Seconds that an attempt took.
    fn attempt_seconds(&self, attempt: &Attempt, now: Timestamp) -> f64 {
        match (&attempt.end, self.sittings.get(attempt.sitting)) {
            (Some(end), _) => end.seconds.max(0.0),
            // Nobody knows how long it went on after its process ended.
            (None, Some(sitting)) => seconds_between(attempt.began, self.end_of(attempt.sitting, sitting, now)),
            (None, None) => 0.0,
        }
    }

    /// When a sitting ended, `now` if it has not.
    fn end_of(&self, place: usize, sitting: &Sitting, now: Timestamp) -> Timestamp {
        if place + 1 == self.sittings.len() && self.works() { now } else { sitting.last }
    }

    /// Seconds of the hop in which a process worked on it.
    pub(super) fn hop_seconds(&self, hop: usize, now: Timestamp) -> f64 {
        let times = &self.hops[hop];
        times.began.map_or(0.0, |began| self.worked(began, times.ended.unwrap_or(now)))
    }

    /// Seconds between `from` and `to` in which a process worked on the run.
    pub(super) fn worked(&self, from: Timestamp, to: Timestamp) -> f64 {
        let sittings = self.sittings.iter().enumerate();
        sittings
            .map(|(place, sitting)| {
                let end = self.end_of(place, sitting, to);
                seconds_between(sitting.began.max(from), end.min(to))
            })
            .sum()
    }

    /// Seconds of the whole run in which a process worked on it.
    pub(super) fn run_seconds(&self, now: Timestamp) -> f64 {
        self.opening.as_ref().map_or(0.0, |opening| self.worked(opening.began, now))
    }

    /// Places whose last attempt failed or is stuck.
    pub(super) fn failures(&self) -> Vec<(Place, &End)> {
        let ended = self.attempts.iter().filter_map(|(place, attempts)| Some((*place, attempts.last()?.end.as_ref()?)));
        ended.filter(|(_, end)| matches!(end.outcome, Outcome::Failed | Outcome::Stuck)).collect()
    }

    /// Steps of which somebody said how they ended, with what was said.
    pub(super) fn words(&self) -> impl Iterator<Item = (Place, Outcome, &str)> {
        let ended = self.attempts.iter().flat_map(|(place, attempts)| attempts.iter().map(|attempt| (*place, attempt)));
        ended.filter_map(|(place, attempt)| {
            let end = attempt.end.as_ref()?;
            Some((place, end.outcome, end.said.as_deref()?))
        })
    }

    /// The time of the last record.
    pub(super) fn last_time(&self) -> Option<Timestamp> {
        self.sittings.last().map(|sitting| sitting.last)
    }
}

/// Who said how a step ended, and why.
pub(super) fn said(by: &str, host: &str, note: Option<&str>) -> String {
    match note {
        Some(note) => format!("{by} on {host} said so: {note}"),
        None => format!("{by} on {host} said so"),
    }
}

/// That somebody said of a step that it was not complete.
fn not_done(said: &str) -> Failure {
    Failure {
        what: format!("it was not complete and may be run again: {said}"),
        command: None,
        exit: None,
        last_lines: Vec::new(),
        log: None,
        migration: None,
        advice: "run the same command again: it begins this step anew".to_owned(),
    }
}
