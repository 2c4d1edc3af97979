//! Triggers of a database, as a look at it finds them.

use serde::{Deserialize, Serialize};

/// A trigger of a database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// The table that it belongs to.
    pub table: String,
    /// When it runs: `BEFORE INSERT`.
    pub event: String,
    /// The beginning of the SHA-256 sum of what it does: another one does something else.
    pub digest: String,
}
