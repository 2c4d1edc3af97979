//! What was seen and supports an outcome.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::{Branch, CheckResult, DatabaseId, Heads, OldServices, PointProof, Trigger, Verdict};

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
