//! Triggers of a database, as a look at it finds them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Engine;

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

impl Trigger {
    /// The statement that removes it.
    pub fn dropped(&self, engine: Engine) -> String {
        match engine {
            Engine::Mysql | Engine::Sqlite => format!("DROP TRIGGER {}", self.name),
            Engine::Postgresql => format!("DROP TRIGGER {} ON {}", self.name, self.table),
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} on {})", self.name, self.event, self.table)
    }
}
