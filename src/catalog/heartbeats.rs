//! A playbook's `heartbeats`: rows by which services that run show that they live.

use serde::{Deserialize, Serialize};

use crate::model::Slot;

/// Rows that a service writes again and again while it runs. They are read before a run and before every hop:
/// one that moves is written by a service that was not stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeats {
    /// The slots of the databases that hold the rows.
    pub databases: Vec<Slot>,
    /// How often a running service writes its row, in seconds: its default report interval.
    #[schemars(range(min = 1, max = 300))]
    pub every: u64,
    /// Reads four columns as text, in every release and on every engine: the program, its host, when it was last
    /// seen (UTC, `YYYY-MM-DD HH:MM:SS`), and a value that nothing but a running service changes, so no migration
    /// either. Rows of deleted services are left out.
    pub query: String,
}
