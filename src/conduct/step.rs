//! Performing one step: launch, watch, judge; and again, for steps that are repeated until done.
//!
//! A step's task owns nothing but its log file. It tells the conductor what happens through a channel
//! and obeys the stop level; it never writes the journal and never decides what comes after the step.

mod check;
mod command;
mod counting;
mod drain;
mod run;
mod save;
mod trip;
mod turn;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use camino::Utf8PathBuf;
use tokio::sync::{mpsc, watch};

pub(super) use turn::{Alone, Places, Turns};

pub(super) use self::counting::Course;
use super::back::BackEnd;
use super::judge::Round;
use super::launch::{Connections, Redactor};
use super::{DatabaseReader, RestorePoints, StopLevel, Toucher};
use crate::journal::{Evidence, Failure, Outcome};
use crate::model::{RunId, StepId, Stream, Unreachable};
use crate::plan::{Action, Step};
use crate::runner::{FoundTask, PinnedImage, Runner, TaskHandle};

/// What a step's task tells the conductor.
#[derive(Debug)]
pub(super) enum StepMessage {
    /// A line of output, without secrets; in the log already.
    Line(StepId, Stream, String),
    /// A round of a repeated step ended.
    Round {
        /// The step.
        step: StepId,
        /// What was seen.
        round: Round,
        /// How far the attempt is.
        course: Course,
        /// How long it took.
        took: Duration,
        /// What is left of its task, to be removed once the round is in the journal.
        handle: TaskHandle,
    },
    /// Rows move while a round runs.
    Rows {
        /// The step.
        step: StepId,
        /// How far the attempt is.
        course: Course,
    },
    /// A lane is back at its restore points, or is not.
    Back(BackEnd),
    /// The step waits until rounds of other steps let its own begin, or does so no more.
    Waits {
        /// The step.
        step: StepId,
        /// Whether it waits.
        waits: bool,
    },
    /// The step ended.
    Ended {
        /// The step.
        step: StepId,
        /// How.
        end: StepEnd,
        /// What is left of its task, to be removed once the end is in the journal.
        handle: Option<TaskHandle>,
    },
}

/// How a step ended.
#[derive(Debug)]
pub(super) struct StepEnd {
    /// In a word.
    pub outcome: Outcome,
    /// Rows that this attempt moved, for steps that move rows.
    pub rows: Option<u64>,
    /// What supports it.
    pub evidence: Vec<Evidence>,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// Whether the attempt ended before its command began.
    pub never_began: bool,
}

impl StepEnd {
    fn ended(outcome: Outcome, evidence: Vec<Evidence>) -> Self {
        Self { outcome, rows: None, evidence, failure: None, never_began: false }
    }

    fn failed(outcome: Outcome, failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::ended(outcome, Vec::new()) }
    }

    fn interrupted() -> Self {
        Self::ended(Outcome::Interrupted, Vec::new())
    }

    /// The same, of an attempt whose command never began.
    fn before_it_began(self) -> Self {
        Self { never_began: true, ..self }
    }
}

/// Everything a step's task needs.
pub(super) struct Performance {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: Step,
    /// How often it was begun.
    pub attempt: u32,
    /// The lane's image.
    pub image: PinnedImage,
    /// Who executes.
    pub runner: Arc<dyn Runner>,
    /// Who reads the databases.
    pub reader: Arc<dyn DatabaseReader>,
    /// Who takes restore points.
    pub points: Option<Arc<dyn RestorePoints>>,
    /// Who touches rows.
    pub toucher: Option<Arc<dyn Toucher>>,
    /// Where the databases are.
    pub connections: Arc<Connections>,
    /// What hides secrets.
    pub redactor: Arc<Redactor>,
    /// What the rounds of the lane share.
    pub turns: Arc<Turns>,
    /// How many commands may run at the same time.
    pub places: Places,
    /// A task of an earlier process that is watched in the place of the first launch.
    pub adopt: Option<FoundTask>,
    /// That task's turn.
    pub inherited: Option<Alone>,
    /// The most rows of a round, where the operator says so.
    pub batch: Option<u64>,
    /// How long a round should take.
    pub round: Duration,
    /// The run's directory; logs go to `logs/` in it.
    pub directory: Utf8PathBuf,
    /// How long a stopped command may take to end by itself.
    pub grace: Duration,
    /// After how much silence the log and the screen say so.
    pub stall: Duration,
    /// How far the operator wants the run to be stopped.
    pub stop: watch::Receiver<StopLevel>,
    /// To the conductor.
    pub tell: mpsc::Sender<StepMessage>,
}

impl Performance {
    /// Performs the step and tells the conductor how it ended.
    pub(super) async fn perform(mut self) {
        let action = self.step.action.clone();
        let (end, handle) = match &action {
            Action::Save(saved) => (self.save(saved).await, None),
            Action::Run(run) => self.run_once(run).await,
            Action::Drain(migration) => self.drain(migration).await,
            Action::Trip(touching) => (self.trip(touching).await, None),
            Action::Verify(verification) => (self.verify(verification).await, None),
            Action::Check(checks) => self.check(checks).await,
        };
        let message = StepMessage::Ended { step: self.step.id.clone(), end, handle };
        // The conductor is gone only if the run was abandoned.
        let _ = self.tell.send(message).await;
    }
}

/// Waits until the operator wants the run to be stopped that far; for ever if that cannot come any more.
pub(super) async fn reached(stop: &mut watch::Receiver<StopLevel>, level: StopLevel) {
    if stop.wait_for(|now| *now >= level).await.is_err() {
        std::future::pending().await
    }
}

/// That rows could not be counted: `what`, and with which query.
fn uncounted(what: &str, query: &str, unreachable: Unreachable) -> Failure {
    Failure {
        command: Some(query.to_owned()),
        ..super::failure(format!("{what}: {}", unreachable.reason), unreachable.advice)
    }
}
