//! Touching every row of tables with row triggers, as a playbook describes it.

use serde::{Deserialize, Serialize};

use super::Taken;
use crate::model::{Engine, Phase, SeriesRange, Slot};

/// Rows that are set to themselves, so that row triggers that appeared after them do their work. leapfrog does it by itself,
/// without a command: in batches along the primary key, and where it is cut off it goes on from there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TripStep {
    /// The step's name.
    pub name: Slot,
    /// The phase it belongs to: `migrate`, after the triggers appeared and before they go.
    pub phase: Phase,
    /// The series this holds for; absent: all.
    #[serde(default)]
    pub series: SeriesRange,
    /// As for a `run` step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<Engine>,
    /// As for a `run` step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Taken>,
    /// The slots the step is taken for, once for each database in them. Absent: the service's one database.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub for_each: Vec<Slot>,
    /// The tables, one after the other.
    pub tables: Vec<TrippedTable>,
    /// Why the step is there.
    pub why: String,
}

/// A table of which every row is touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrippedTable {
    /// Its name.
    pub name: String,
    /// Counts the rows that its trigger has still to work on; none may be left at the end. A table without a trigger for
    /// inserts needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remainder: Option<String>,
    /// When it has row triggers.
    #[serde(default, skip_serializing_if = "TripWhen::is_always")]
    pub when: TripWhen,
}

/// When a table has row triggers for updates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TripWhen {
    /// Whenever the step is taken: without one the step fails, before it touches anything.
    #[default]
    Always,
    /// Not always: without one there is nothing to touch.
    Triggered,
}

impl TripWhen {
    /// Whether it always has.
    pub fn is_always(&self) -> bool {
        *self == Self::Always
    }
}

impl TrippedTable {
    /// What its remainder query counts, as it follows a number.
    pub fn left(&self) -> String {
        format!("rows of `{}` that its triggers have still to work on", self.name)
    }
}
