//! What a screen shows of a run: a pure fold of its plan and events.
//!
//! The durable part is the [`Account`]; this adds what only an observer of the running process sees:
//! downloads, rows that are moving, the last line of output, and since when a step has been silent.
//! It asks no clock: the present is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::journal::{Event, Outcome, Progress, Record, RecordBody};
use crate::model::{ImageReference, StepId};
use crate::plan::{Plan, Step};

use super::account::{Account, LaneState, Place};
use super::text::{clean, gist, seconds_between};

/// A download.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pull {
    pub(super) since: Timestamp,
    pub(super) done: u64,
    /// 0 where the engine does not say.
    pub(super) total: u64,
}

/// Rows that move.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Moving {
    moved: u64,
    total: Option<u64>,
    rate: f64,
    /// When `moved` was first heard.
    since: Timestamp,
}

/// What is heard of a running step.
#[derive(Debug, Clone, PartialEq)]
struct Live {
    rows: Option<Moving>,
    line: Option<String>,
    heard: Timestamp,
}

/// A run as an observer sees it.
#[derive(Debug, Clone)]
pub(super) struct View {
    account: Account,
    pulls: BTreeMap<ImageReference, Pull>,
    live: BTreeMap<Place, Live>,
    /// How many images this process found or brought here.
    ready: u64,
    /// When this process was first heard of.
    present: Option<Timestamp>,
    /// Whether this process works on the run already: images come first.
    open: bool,
    stopping: bool,
}

/// A running step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Running<'v> {
    pub(super) step: &'v Step,
    /// Which step of its lane, from 1.
    pub(super) number: usize,
    /// How many steps the lane has.
    pub(super) of: usize,
    pub(super) seconds: f64,
    /// Rows that this attempt moved.
    pub(super) rows: Option<u64>,
    /// Rows that this attempt will have moved in the end, where somebody counted.
    pub(super) total: Option<u64>,
    /// Rounds that this attempt has behind it.
    pub(super) rounds: u32,
    /// Rows per second.
    pub(super) rate: Option<f64>,
    /// Seconds since rows were last heard to have moved.
    pub(super) still: f64,
    /// What the last line of output says.
    pub(super) line: Option<&'v str>,
    /// Seconds since the step was last heard of.
    pub(super) quiet: f64,
}

/// What a lane is shown as.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shown<'v> {
    Waiting,
    /// No process works on the run, and no step has begun.
    NotBegun,
    /// No process works on the run; this step would be next.
    Stopped {
        step: &'v Step,
        number: usize,
        of: usize,
    },
    /// Waits for an image that is being brought here for it; how that is called.
    Pulling(Pull, &'static str),
    /// Waits for an image whose way here another lane shows; what it is called.
    ImageElsewhere(&'static str),
    /// Some steps are done, the next has not begun.
    Between {
        done: usize,
        of: usize,
    },
    Running(Running<'v>),
    Done {
        seconds: f64,
        rows: Option<u64>,
    },
    /// Ended other than well, at this step.
    Ended {
        step: &'v Step,
        number: usize,
        of: usize,
        outcome: Outcome,
    },
    /// Began once, by a process that did not see its end.
    OutOfSight {
        step: &'v Step,
        number: usize,
        of: usize,
    },
}

impl Running<'_> {
    /// Seconds until the rows that are left have moved, if they go on moving as they did: only where
    /// somebody counted, something moves, and the time is not over.
    pub(super) fn remaining(&self) -> Option<f64> {
        let left = self.total?.saturating_sub(self.rows?);
        let rate = self.rate.filter(|rate| rate.is_finite() && *rate > 0.0)?;
        let seconds = left as f64 / rate - self.still;
        (left > 0 && seconds > 0.0).then_some(seconds)
    }

    /// Hundredths of the rows that have moved, rounded down: all of them are 100, and nothing else is.
    pub(super) fn percent(&self) -> Option<u64> {
        let (rows, total) = (self.rows?, self.total.filter(|total| *total > 0)?);
        u64::try_from(u128::from(rows.min(total)) * 100 / u128::from(total)).ok()
    }
}

impl View {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        Self {
            account: Account::new(plan),
            pulls: BTreeMap::new(),
            live: BTreeMap::new(),
            ready: 0,
            present: None,
            open: false,
            stopping: false,
        }
    }

    /// A view of a run from its records alone.
    pub(super) fn of(plan: Arc<Plan>, records: &[Record]) -> Self {
        let mut view = Self::new(plan);
        for record in records {
            view.record(record);
        }
        view
    }

    /// A view for a process that is about to go on with a run.
    pub(super) fn resumed(plan: Arc<Plan>, history: &[Record]) -> Self {
        Self { open: false, ..Self::of(plan, history).closed() }
    }

    /// From now on nothing counts as running.
    pub(super) fn closed(mut self) -> Self {
        self.account = self.account.closed();
        self
    }

    pub(super) fn see(&mut self, event: &Event, now: Timestamp) {
        self.present.get_or_insert(now);
        match event {
            Event::Record(record) => self.record(record),
            Event::Progress(progress) => self.progress(progress, now),
            Event::Output { step, text, .. } => {
                let text = gist(&clean(text)).to_owned();
                // leapfrog's own remark on a command's silence is no sign of its life, and a table's border
                // says nothing.
                if text.contains(char::is_alphanumeric)
                    && !text.starts_with("(leapfrog:")
                    && let Some(live) = self.live(step, now)
                {
                    live.line = Some(text);
                }
            }
        }
    }

    fn record(&mut self, record: &Record) {
        self.account.see(record);
        match &record.body {
            RecordBody::RunStarted { .. } | RecordBody::RunResumed { .. } => {
                self.live.clear();
                self.open = true;
                self.stopping = false;
            }
            RecordBody::StepStarted { step, .. } => {
                if let Some(place) = self.account.place(step) {
                    self.live.insert(place, Live { rows: None, line: None, heard: record.time });
                }
            }
            RecordBody::RoundEnded { step, .. } => {
                let _ = self.live(step, record.time);
            }
            RecordBody::StepEnded { step, .. } | RecordBody::StepResolved { step, .. } => {
                if let Some(place) = self.account.place(step) {
                    self.live.remove(&place);
                }
            }
            _ => {}
        }
    }

    fn progress(&mut self, progress: &Progress, now: Timestamp) {
        match progress {
            Progress::Fetching { image, done, total } => {
                let pull = self.pulls.entry(image.clone()).or_insert(Pull { since: now, done: 0, total: 0 });
                (pull.done, pull.total) = (*done, *total);
            }
            Progress::Fetched { image, .. } => {
                self.pulls.remove(image);
                self.ready += 1;
            }
            Progress::NotFetched { image, .. } => {
                self.pulls.remove(image);
            }
            Progress::Rows { step, moved, total, rate, .. } => {
                if let Some(live) = self.live(step, now) {
                    let before = live.rows.filter(|rows| rows.moved == *moved);
                    let since = before.map_or(now, |rows| rows.since);
                    live.rows = Some(Moving { moved: *moved, total: *total, rate: *rate, since });
                }
            }
            Progress::Stopping { .. } => self.stopping = true,
            Progress::Notice { .. } => {}
        }
    }

    /// What is heard of a step that runs; being asked for it means that something was heard.
    fn live(&mut self, step: &StepId, now: Timestamp) -> Option<&mut Live> {
        let place = self.account.place(step)?;
        let live = self.live.get_mut(&place)?;
        live.heard = live.heard.max(now);
        Some(live)
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// Whether the operator asked for an end.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Whether the process works on the run already.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// How many images this process found or brought here.
    pub(super) fn ready(&self) -> u64 {
        self.ready
    }

    /// Seconds since this process was first heard of.
    pub(super) fn seconds(&self, now: Timestamp) -> f64 {
        self.present.map_or(0.0, |present| seconds_between(present, now))
    }

    /// Whether the plan's code is in environments on this machine, and not in images.
    fn is_local(&self) -> bool {
        let mut lanes = self.account.plan().hops.iter().flat_map(|hop| &hop.lanes);
        lanes.next().is_some_and(|lane| lane.image.is_environment())
    }

    /// What holds the releases' code, in a word.
    pub(super) fn noun(&self) -> &'static str {
        if self.is_local() { "environment" } else { "image" }
    }

    /// The hop whose lanes are shown: the one that is worked on, or the next that will be.
    pub(super) fn shown_hop(&self) -> Option<usize> {
        (0..self.account.plan().hops.len()).find(|hop| !self.account.hop_is_done(*hop))
    }

    /// Downloads that no lane of `hop` shows.
    pub(super) fn pulls_beside(&self, hop: usize) -> Vec<(&ImageReference, Pull)> {
        let shown: BTreeSet<&ImageReference> = (0..self.account.hop(hop).lanes.len())
            .filter(|lane| self.account.lane_state(hop, *lane) == LaneState::Waiting)
            .map(|lane| &self.account.lane(hop, lane).image)
            .collect();
        self.pulls.iter().filter(|(image, _)| !shown.contains(image)).map(|(image, pull)| (image, *pull)).collect()
    }

    /// A hop's lanes as they are shown, in the plan's order.
    pub(super) fn lanes(&self, hop: usize, now: Timestamp) -> Vec<Shown<'_>> {
        let mut pulling = BTreeSet::new();
        (0..self.account.hop(hop).lanes.len()).map(|lane| self.lane(hop, lane, &mut pulling, now)).collect()
    }

    fn lane<'v>(
        &'v self,
        hop: usize,
        lane: usize,
        pulling: &mut BTreeSet<&'v ImageReference>,
        now: Timestamp,
    ) -> Shown<'v> {
        let plan = self.account.lane(hop, lane);
        let of = plan.steps.len();
        match self.account.lane_state(hop, lane) {
            LaneState::Waiting if !self.account.works() => Shown::NotBegun,
            LaneState::Between(step) if !self.account.works() => {
                Shown::Stopped { step: &plan.steps[step], number: step + 1, of }
            }
            LaneState::Waiting => match self.pulls.get(&plan.image) {
                Some(pull) if pulling.insert(&plan.image) => Shown::Pulling(*pull, plan.image.bringing()),
                Some(_) => Shown::ImageElsewhere(plan.image.noun()),
                None => Shown::Waiting,
            },
            LaneState::Between(step) => Shown::Between { done: step, of },
            LaneState::Running(step) => Shown::Running(self.running(Place { hop, lane, step }, now)),
            LaneState::Done => Shown::Done {
                seconds: self.account.lane_seconds(hop, lane, now),
                rows: self.account.lane_rows(hop, lane),
            },
            LaneState::Ended(step, outcome) => Shown::Ended { step: &plan.steps[step], number: step + 1, of, outcome },
            LaneState::OutOfSight(step) => Shown::OutOfSight { step: &plan.steps[step], number: step + 1, of },
        }
    }

    fn running(&self, place: Place, now: Timestamp) -> Running<'_> {
        let attempt = self.account.attempts(place).last();
        let live = self.live.get(&place);
        let moving = live.and_then(|live| live.rows);
        let rounds = attempt.filter(|attempt| attempt.rounds > 0).map(|attempt| attempt.round_rows);
        Running {
            step: self.account.step(place),
            number: place.step + 1,
            of: self.account.lane(place.hop, place.lane).steps.len(),
            seconds: attempt.map_or(0.0, |attempt| seconds_between(attempt.began, now)),
            rows: moving.map(|moving| moving.moved).or(rounds),
            total: moving.and_then(|moving| moving.total),
            rounds: attempt.map_or(0, |attempt| attempt.rounds),
            rate: moving.map(|moving| moving.rate),
            still: moving.map_or(0.0, |moving| seconds_between(moving.since, now)),
            line: live.and_then(|live| live.line.as_deref()),
            quiet: live.map_or(0.0, |live| seconds_between(live.heard, now)),
        }
    }

    /// The steps of a lane that run besides the one that [`View::lanes`] shows.
    pub(super) fn beside(&self, hop: usize, lane: usize, now: Timestamp) -> Vec<Shown<'_>> {
        self.account.running(hop, lane).skip(1).map(|place| Shown::Running(self.running(place, now))).collect()
    }

    /// Every step that runs, in the plan's order, with its hop and lane.
    pub(super) fn all_running(&self, now: Timestamp) -> Vec<Running<'_>> {
        let places = self.account.lanes().flat_map(|(hop, lane)| self.account.running(hop, lane));
        places.map(|place| self.running(place, now)).collect()
    }

    /// Every download.
    pub(super) fn pulls(&self) -> impl Iterator<Item = (&ImageReference, &Pull)> {
        self.pulls.iter()
    }
}
