//! The records of a journal.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::model::{Digest, ImageReference, RunId, Series, Service, StepId, Verdict};

/// One line of a journal, and one event of the JSON Lines output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Record {
    /// The version of the record's format: 1.
    pub format: u32,
    /// The record's place in the journal, from 1, without gaps.
    pub sequence: u64,
    /// When it was written, UTC.
    #[schemars(with = "String")]
    pub time: jiff::Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub body: RecordBody,
}

impl Record {
    /// The format that this program writes.
    pub const FORMAT: u32 = 1;
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum RecordBody {
    /// A run began. Its plan lies beside the journal.
    RunStarted {
        /// The run.
        run: RunId,
        /// The cloud's name in the cloud file.
        cloud: String,
        /// Where it starts.
        from: Series,
        /// Where it ends.
        to: Series,
        /// The version of leapfrog.
        leapfrog: String,
        /// Who executes, such as `Docker Engine 20.10.24`.
        runner: String,
        /// The machine that leapfrog runs on.
        host: String,
        /// Its process id.
        pid: u32,
        /// Every image of the plan and what it was found to be.
        images: BTreeMap<ImageReference, Digest>,
        /// Whether others were allowed to be connected to the databases (`--fence off`).
        #[serde(default, skip_serializing_if = "is_false")]
        unfenced: bool,
    },
    /// A run that had been interrupted goes on.
    RunResumed {
        /// The version of leapfrog.
        leapfrog: String,
        /// The machine that leapfrog runs on.
        host: String,
        /// Its process id.
        pid: u32,
        /// Whether others were allowed to be connected to the databases (`--fence off`).
        #[serde(default, skip_serializing_if = "is_false")]
        unfenced: bool,
    },
    /// Before something is removed that older programs may use: what shows that none does (`leapfrog contract`).
    Readiness {
        /// What was seen to be so.
        met: Vec<String>,
        /// What was not, and was waived.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unmet: Vec<String>,
        /// Who took the responsibility for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waiver: Option<Waiver>,
    },
    /// A hop began: every lane of the hop before is complete.
    HopStarted {
        /// The hop.
        series: Series,
    },
    /// A step is about to begin.
    StepStarted {
        /// The step.
        step: StepId,
        /// How often it was begun, from 1.
        attempt: u32,
        /// The command, as far as one is run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<String>,
        /// Whether a task of an earlier, interrupted process was found and is watched instead.
        #[serde(default, skip_serializing_if = "is_false")]
        adopted: bool,
    },
    /// One round of a repeated step ended and another follows or the step ends.
    RoundEnded {
        /// The step.
        step: StepId,
        /// The attempt.
        attempt: u32,
        /// Which round of the attempt, from 1.
        round: u32,
        /// The command's exit code.
        exit: i64,
        /// What the exit table says of it.
        verdict: Verdict,
        /// The most rows that the command was told to move; absent where an earlier process launched it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u64>,
        /// What the output said, by migration.
        counts: Vec<MigrationCount>,
        /// How long the round took, in seconds.
        seconds: f64,
    },
    /// A step ended.
    StepEnded {
        /// The step.
        step: StepId,
        /// The attempt.
        attempt: u32,
        /// How.
        outcome: Outcome,
        /// How long this attempt took, in seconds.
        seconds: f64,
        /// Rows this attempt moved, where the step moves rows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
        /// What supports the outcome.
        evidence: Vec<Evidence>,
        /// What went wrong, where something did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
        /// Whether the attempt ended before its command began, so that nothing was changed by it.
        #[serde(default, skip_serializing_if = "is_false")]
        never_began: bool,
    },
    /// Somebody who looked said how a step ended that must not be run twice and whose end leapfrog does not
    /// know (`leapfrog resolve`).
    StepResolved {
        /// The step.
        step: StepId,
        /// The attempt.
        attempt: u32,
        /// How: done, or failed, which lets it be run again.
        outcome: Outcome,
        /// The user who said so.
        by: String,
        /// On which machine.
        host: String,
        /// Why, in the user's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// What the databases showed at that time.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        evidence: Vec<Evidence>,
    },
    /// A hop ended: every lane of it is complete.
    HopEnded {
        /// The hop.
        series: Series,
    },
    /// Databases are about to be brought back to restore points. Until this ended well they stand nowhere.
    RestoreStarted {
        /// The hop before which they will stand.
        to: Series,
        /// The services whose databases they are.
        services: BTreeSet<Service>,
        /// The step whose death is undone; absent where the operator asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<StepId>,
        /// The machine that leapfrog runs on.
        host: String,
        /// Its process id.
        pid: u32,
    },
    /// A restore ended. With [`Outcome::Done`] these services have yet to do all work of this hop and of later ones.
    RestoreEnded {
        /// The hop before which they stand.
        to: Series,
        /// The services whose databases they are.
        services: BTreeSet<Service>,
        /// How.
        outcome: Outcome,
        /// How long it took, in seconds.
        seconds: f64,
        /// What supports the outcome.
        evidence: Vec<Evidence>,
        /// What went wrong, where something did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
    /// leapfrog is about to exit in an orderly way.
    RunEnded {
        /// How: [`Outcome::Done`] means that every hop is complete.
        outcome: Outcome,
        /// What ended it outside any step, such as an image that could not be had.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
    /// A record of a later version that this program does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Somebody's word that something is removed although nobody could see that it is used no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Waiver {
    /// The user who gave it.
    pub by: String,
    /// On which machine.
    pub host: String,
    /// Why, in the user's words.
    pub reason: String,
    /// Until when it counts, also for a run that goes on.
    #[schemars(with = "String")]
    pub until: jiff::Timestamp,
}

/// How a step or a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Complete, and proved.
    Done,
    /// Complete without its command: the databases show that there was nothing to do. Steps only.
    Skipped,
    /// Failed. The same command tries again.
    Failed,
    /// A data migration cannot get on.
    Stuck,
    /// Stopped because the operator asked for it. The same command goes on.
    Interrupted,
}

impl Outcome {
    /// Whether what ended so is complete, and what comes after it may begin.
    pub fn is_complete(self) -> bool {
        matches!(self, Self::Done | Self::Skipped)
    }
}

/// What one round said of one data migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MigrationCount {
    /// The migration's name.
    pub migration: String,
    /// Rows it found to be in need (cinder: all of them; nova and placement: of this round).
    pub found: u64,
    /// Rows it moved.
    pub moved: u64,
}

/// What went wrong in a step, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Failure {
    /// What happened, in a sentence.
    pub what: String,
    /// The command that was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Its exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i64>,
    /// The last lines of its output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
    /// Where the whole output is, relative to the run's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Which data migration it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<Box<FailedMigration>>,
    /// What to do next.
    pub advice: String,
}

/// The data migration that a failure is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FailedMigration {
    /// Its name in the output.
    pub name: String,
    /// Rows it found in the last round; absent where the output does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<u64>,
    /// Rows it moved in the last round; absent where the output does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<u64>,
    /// The last line of the exception that it raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// Queries that show the rows, where the playbook knows any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<String>,
}
