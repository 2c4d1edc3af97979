//! What is known of a run, its processes, its lanes, its steps and their attempts.

use jiff::Timestamp;

use crate::journal::{Evidence, Failure, Outcome};
use crate::model::RunId;

/// A step's place in the plan: indices of hop, lane and step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::report) struct Place {
    pub(in crate::report) hop: usize,
    pub(in crate::report) lane: usize,
    pub(in crate::report) step: usize,
}

/// What the first record says of a run.
#[derive(Debug, Clone)]
pub(in crate::report) struct Opening {
    pub(in crate::report) run: RunId,
    pub(in crate::report) leapfrog: String,
    pub(in crate::report) runner: String,
    pub(in crate::report) began: Timestamp,
}

/// The time in which one process worked on the run.
#[derive(Debug, Clone)]
pub(in crate::report) struct Sitting {
    pub(in crate::report) began: Timestamp,
    /// The time of its last record.
    pub(in crate::report) last: Timestamp,
    pub(in crate::report) host: String,
    pub(in crate::report) pid: u32,
    /// Whether others were allowed to be connected to the databases.
    pub(in crate::report) unfenced: bool,
    /// How it ended, if it ended in an orderly way.
    pub(in crate::report) ended: Option<Outcome>,
    /// What ended it outside any step.
    pub(in crate::report) failure: Option<Failure>,
}

/// One try of a step.
#[derive(Debug, Clone)]
pub(in crate::report) struct Attempt {
    pub(in crate::report) number: u32,
    pub(in crate::report) sitting: usize,
    pub(in crate::report) began: Timestamp,
    pub(in crate::report) rounds: u32,
    /// Rows that its ended rounds moved.
    pub(in crate::report) round_rows: u64,
    pub(in crate::report) end: Option<End>,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(in crate::report) struct End {
    pub(in crate::report) outcome: Outcome,
    pub(in crate::report) seconds: f64,
    pub(in crate::report) rows: Option<u64>,
    pub(in crate::report) evidence: Vec<Evidence>,
    pub(in crate::report) failure: Option<Failure>,
    /// Who said so and why, where leapfrog did not see it.
    pub(in crate::report) said: Option<String>,
}

/// What a step is doing or has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum StepState {
    Waiting,
    Running,
    /// It began, and the process that watched it ended without seeing its end.
    OutOfSight,
    Ended(Outcome),
}

/// What a lane is doing or has come to; the index is of the step that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum LaneState {
    Waiting,
    /// Some steps are done, the next has not begun.
    Between(usize),
    Running(usize),
    Done,
    OutOfSight(usize),
    Ended(usize, Outcome),
}
