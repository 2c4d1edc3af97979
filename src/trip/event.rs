//! What is told while rows are touched.

use serde::Serialize;

/// Something that happened to a table, or to the whole.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A walk through a table begins, or goes on.
    Begin {
        /// The table.
        table: String,
        /// How many rows earlier runs of the same walk touched.
        touched: u64,
        /// How many rows the table had when the walk began.
        rows: u64,
        /// Whether these were counted; otherwise the server estimated them.
        counted: bool,
        /// Which walk since the triggers appeared: 1, and more where the remainder was not zero after one.
        walk: u64,
    },
    /// How far a walk is. May be left out at any time.
    Progress {
        /// The table.
        table: String,
        /// How many rows were touched.
        touched: u64,
        /// How many rows the table had when the walk began.
        rows: u64,
        /// Whether these were counted; otherwise the server estimated them.
        counted: bool,
        /// Rows a second since this run began with the table, waiting left out.
        rate: f64,
        /// How long the slowest batch took, in milliseconds.
        slowest: u64,
    },
    /// MariaDB's redo log has no room for the walk, so that whoever writes meanwhile waits while it is flushed.
    SmallLog {
        /// The table.
        table: String,
        /// How many bytes the log has.
        bytes: u64,
        /// How many it should have (`innodb_log_file_size`).
        wanted: u64,
    },
    /// Batches wait.
    Waits {
        /// For what.
        why: String,
    },
    /// Batches go on.
    GoesOn {
        /// How long they waited, in seconds.
        waited: f64,
    },
    /// A lock was in a batch's way: it was undone and is tried again, smaller.
    Retry {
        /// The table.
        table: String,
        /// What the server said.
        why: String,
    },
    /// What was touched counts no longer, and the table is begun with anew.
    Again {
        /// The table.
        table: String,
        /// Why.
        why: String,
    },
    /// Every row of a table is touched.
    Done(Proof),
    /// The remainder query still counts rows after a walk that made them no fewer.
    Stuck {
        /// The table.
        table: String,
        /// How many.
        left: u64,
    },
}

/// What shows that every row of a table was touched since its triggers appeared.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Proof {
    /// The table.
    pub table: String,
    /// The triggers, which are the same at the end as at the beginning.
    pub triggers: Vec<String>,
    /// How many rows were touched in the last walk, each once.
    pub touched: u64,
    /// In how many batches.
    pub batches: u64,
    /// How long the slowest batch of this run took, in milliseconds.
    pub slowest: u64,
    /// How long this run took for the table, in seconds.
    pub seconds: f64,
    /// What the remainder query counted; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remainder: Option<u64>,
}

/// How it ended with a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Every row is touched.
    Green(Proof),
    /// It was told to stop; the same command goes on.
    Stopped,
    /// Every row was touched, and the remainder query still counts so many.
    Left(u64),
}
