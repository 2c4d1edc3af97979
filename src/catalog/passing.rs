//! A playbook's `triggers`: those that stand between an expand step and its contract step.

use serde::{Deserialize, Serialize};

use crate::model::Slot;

/// Triggers that keep old and new columns alike, or rows from being written, while a release is half done. What an interrupted
/// migration leaves of them goes on doing so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassingTriggers {
    /// Their names.
    pub names: Vec<String>,
    /// The slots of the databases that they are in.
    pub databases: Vec<Slot>,
    /// Which command makes them, and which removes them.
    pub made: String,
    /// What they do to whoever writes meanwhile.
    pub effect: String,
    /// Where that comes from.
    pub source: String,
}
