//! What migrations did when they were run, held against what was read of their scripts.
//!
//! Somebody else runs the commands of a range on copies of the databases without rows, hears what they say, and runs each
//! change of a schema once more to see what it costs ([`again`]). What comes of that are [`Course`]s. [`confront`] compares:
//! what was run and not read is a gap of the lint (LF-E01), what changed and nobody asked for a silent change (LF-E02), and
//! what cost more than it was read to a finding as well (LF-E03). Pure, like the rest of the lint.

mod confront;
mod heard;
mod silent;
mod statement;

pub use confront::{Confronted, confront};
pub use heard::{Passage, passages};
pub use statement::{Again, Algorithm, Attempt, Lock, Measure, again};

use serde::Serialize;

use super::server::Target;
use crate::model::{Series, Service, Shape};

/// What was run in one database.
#[derive(Debug, Clone)]
pub struct Course {
    /// Its name: `nova.cells.cell1`.
    pub database: String,
    /// The service that it is of.
    pub service: Service,
    /// Its schema.
    pub schema: String,
    /// Its server.
    pub target: Target,
    /// What was run, in order.
    pub stretches: Vec<Stretch>,
}

/// What was run for one revision, or beside all of them.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// The release whose command ran it.
    pub series: Series,
    /// The command's step.
    pub step: String,
    /// The revision; absent where none was noted.
    pub revision: Option<String>,
    /// What was run; nothing where nobody could hear it.
    pub statements: Vec<Statement>,
    /// How the tables were made before.
    pub before: Shape,
    /// How they were made after.
    pub after: Shape,
}

/// A statement and what it showed.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its text.
    pub text: String,
    /// What it showed when it was run once more.
    pub measure: Measure,
}

/// A change of a schema that was run, as a report has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Ran {
    /// The release whose command ran it.
    pub series: Series,
    /// The service.
    pub service: Service,
    /// The database of which a copy without rows was used.
    pub database: String,
    /// The revision; absent where the command did it beside all scripts, or nobody could hear whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The table; absent where it is about none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Whether the table was there before the range.
    pub was_there: bool,
    /// What it does: `drops a column of`.
    pub does: String,
    /// The statement, as far as 400 characters.
    pub statement: String,
    /// The cheapest algorithm that MySQL or MariaDB accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// The weakest lock that it accepted with it; INSTANT is asked for without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
    /// The strongest lock that PostgreSQL held on each table.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub held: std::collections::BTreeMap<String, String>,
    /// The tables that PostgreSQL wrote anew.
    #[serde(default, skip_serializing_if = "std::collections::BTreeSet::is_empty")]
    pub rewritten: std::collections::BTreeSet<String>,
    /// Why it could not be run once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// All of that in words.
    pub measured: String,
    /// What was read of it: what it costs on this server, in words. Absent where it was not read, or is told no cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<String>,
}
