//! The records of a journal.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{
    Branch, CheckResult, DatabaseId, Digest, Heads, ImageReference, OldServices, PointProof, RunId, Series, Service,
    StepId, Trigger, Verdict,
};

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

/// Something that was seen and that supports an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The command's exit code and what the release's exit table says of it.
    Exit {
        /// The code.
        code: i64,
        /// What it means.
        verdict: Verdict,
    },
    /// Nobody saw how the command ended: its container engine went away meanwhile, and what it says of the exit code
    /// since may be untrue. The step was not complete, as far as the databases show.
    EndUnseen {
        /// What the engine says.
        code: i64,
    },
    /// A further round found nothing to move.
    NothingLeft {
        /// Which round showed it.
        round: u32,
    },
    /// Rows that are found and never moved, and why that is harmless.
    Residue {
        /// The migration's name in the output.
        migration: String,
        /// How many rows.
        rows: u64,
        /// The playbook's reason.
        why: String,
    },
    /// A count in the database that found none of the rows that must be gone.
    NoneRemain {
        /// What was counted.
        what: String,
        /// In which database.
        database: DatabaseId,
    },
    /// Every row of a table was touched since its row triggers appeared, and these were the same at the end.
    Touched {
        /// The database.
        database: DatabaseId,
        /// The table.
        table: String,
        /// The triggers that ran.
        triggers: Vec<String>,
        /// How many rows were touched, each once.
        rows: u64,
        /// In how many batches.
        batches: u64,
        /// What the playbook's query counted afterwards; absent where it has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remainder: Option<u64>,
    },
    /// A table had no row trigger for updates, so that there was nothing to touch.
    Untriggered {
        /// The database.
        database: DatabaseId,
        /// The table.
        table: String,
    },
    /// A database's heads as read from it, equal to the release's.
    Heads {
        /// The database.
        database: DatabaseId,
        /// Its heads.
        heads: Heads,
    },
    /// What one of the release's own checks said.
    Check {
        /// The check's name.
        name: String,
        /// How it ended.
        result: CheckResult,
        /// What it found.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        details: Option<String>,
        /// The playbook's reason why that stops nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A database's heads as read from it after a schema migration that takes one branch, with the rest
    /// of the way before it.
    Branch {
        /// The database.
        database: DatabaseId,
        /// Its heads.
        heads: Heads,
        /// The branch.
        branch: Branch,
        /// Those of the heads that the branch had to reach; empty where that is not known, since no image
        /// was read: then the last schema migration of the lane proves this one too.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        reached: BTreeSet<String>,
    },
    /// How many tables a database holds, before and after a schema migration.
    Tables {
        /// The database.
        database: DatabaseId,
        /// Before; absent where the command ran already when leapfrog found it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
        /// After.
        after: u64,
        /// How many the revisions on the way drop; absent where no image was read. Fewer tables than that
        /// fail the step; where it is not known, fewer tables are something to look at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        may_drop: Option<u64>,
    },
    /// The triggers of a database around a schema migration, where it has or had any.
    Triggers {
        /// The database.
        database: DatabaseId,
        /// Those that are there after it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        after: Vec<Trigger>,
        /// Those of them that were not there before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        made: Vec<Trigger>,
        /// Those that were there before, and are not now.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gone: Vec<Trigger>,
    },
    /// A restore point of a database: a dump of it, on the disk, as it was proved.
    RestorePoint(Box<SavedPoint>),
    /// A database that was brought back: it shows what was recorded of the restore point.
    Restored {
        /// The database.
        database: DatabaseId,
        /// The restore point's name.
        point: String,
        /// Its heads, as read from it.
        heads: Heads,
        /// How many tables it holds.
        tables: u64,
        /// How many rows they hold together.
        rows: u64,
        /// What of it was compared.
        compared: PointProof,
    },
    /// The command left no SQLite file in its own filesystem: it wrote to no other database than the one it
    /// was told of.
    NothingElsewhere {},
    /// Services that recorded a version that the release at the end of the leap does not accept. It supports no outcome:
    /// the databases are right.
    OldServices(Box<OldServices>),
    /// The versions that services recorded could not be read.
    ServicesUnread {
        /// In which database.
        database: DatabaseId,
        /// Of which services.
        what: String,
        /// Why not.
        reason: String,
    },
    /// Nothing was there of what a skipped command does besides its migration.
    NothingBesides {
        /// What it does.
        what: String,
    },
}

/// What was recorded of a restore point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SavedPoint {
    /// The database.
    pub database: DatabaseId,
    /// The restore point's name: its place in the directory of restore points.
    pub point: String,
    /// The database's heads.
    pub heads: Heads,
    /// How many tables it holds.
    pub tables: u64,
    /// How many rows they hold together.
    pub rows: u64,
    /// The dump's size in bytes before it was compressed; 0 for a snapshot of the operator's own.
    pub plain: u64,
    /// Its size in bytes on the disk; 0 for a snapshot of the operator's own.
    pub bytes: u64,
    /// The SHA-256 of the file; absent for a snapshot of the operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<String>,
    /// How it was proved.
    pub proof: PointProof,
    /// Older restore points of the database that were removed, as there were more than are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
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
