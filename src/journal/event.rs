//! What an observer of a run can see: durable records, and news that may be lost.

use serde::{Deserialize, Serialize};

use super::Record;
use crate::model::{ImageReference, StepId, Stream};

/// Something an observer of a run sees.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A record, durable already.
    Record(Record),
    /// How far something is. May be dropped, may come often.
    Progress(Progress),
    /// A line of a step's output. The whole output is in the step's log.
    Output {
        /// The step.
        step: StepId,
        /// Where the line came from.
        stream: Stream,
        /// The line.
        text: String,
    },
}

/// How far something is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "progress", rename_all = "kebab-case")]
pub enum Progress {
    /// An image is being downloaded.
    Fetching {
        /// The image.
        image: ImageReference,
        /// Bytes received.
        done: u64,
        /// Bytes announced so far; 0 where the engine does not say.
        total: u64,
    },
    /// An image is here.
    Fetched {
        /// The image.
        image: ImageReference,
        /// Whether it had been here before.
        cached: bool,
    },
    /// An image could not be had, or lacks what the plan runs in it.
    NotFetched {
        /// The image.
        image: ImageReference,
        /// What is wrong, and what to do.
        text: String,
    },
    /// A data migration moves rows.
    Rows {
        /// The step.
        step: StepId,
        /// The round that is running or has just ended, from 1.
        round: u32,
        /// Rows moved by this attempt so far: what ended rounds reported, and of the round that runs what a
        /// count in the database shows.
        moved: u64,
        /// Rows that this attempt will have moved in the end, as far as the playbook's queries count them;
        /// absent where nobody counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        /// Rows per second over this attempt.
        rate: f64,
    },
    /// The operator asked to stop; says what happens now.
    Stopping {
        /// What happens now, and what a further Ctrl-C does.
        text: String,
    },
    /// Something the operator should read that changes nothing, such as a runner that had to be
    /// reconnected.
    Notice {
        /// The text.
        text: String,
    },
}
