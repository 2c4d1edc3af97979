//! Why a leap is not begun: what was found, what was expected, and what to run next.

use std::fmt;

use serde::Serialize;

use crate::model::DatabaseId;

/// A reason not to begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Refusal {
    /// Which kind of reason this is.
    pub kind: RefusalKind,
    /// The database it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseId>,
    /// What is wrong.
    pub what: String,
    /// What was found: heads, or a server's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What to do or run next.
    pub next: String,
}

/// Kinds of reasons not to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// The database does not answer or does not let leapfrog in.
    Unreachable,
    /// The database holds no tables.
    Empty,
    /// The database has tables and no schema version.
    NotVersioned,
    /// The database is newer than `--from`.
    Ahead,
    /// The database is older than `--from`, or than every release of the catalogue.
    Behind,
    /// The database stands between two releases.
    HalfDone,
    /// The database has a head that no release of the catalogue has.
    Foreign,
    /// The databases stand at different releases.
    Mixed,
    /// A release's own code cannot read the database's URL.
    UnreadableUrl,
    /// A stored URL leads out of the cloud file, or a database of it is not led to.
    StoredUrl,
    /// A release on the way does not support the database's engine, or its server.
    Engine,
    /// A release on the way does not have the service.
    Absent,
    /// A service's tables lie in another one's database, and a release on the way wants them in one of their own.
    SplitOff,
    /// The database does not stand where an interrupted run left it.
    Drift,
    /// Somebody else is connected to the databases.
    Fence,
    /// The database could not be locked against other leapfrogs.
    Locked,
    /// A step whose end is known, or that may be run again, needs nobody's word (`leapfrog resolve`).
    NotInDoubt,
    /// An unfinished run does something else.
    Unfinished,
    /// An image cannot be had, lacks a command, or holds other code than its release's.
    Image,
    /// What executes the commands does not answer.
    Runner,
    /// Rows that the migrations of a release on the way cannot work with.
    Precondition,
    /// What a release removes may still be used (`leapfrog contract`).
    NotReady,
    /// A table whose rows cannot be touched so that its triggers run for them.
    Trigger,
    /// The stages that are kept say something else than the database shows, or cannot be kept.
    Stages,
    /// Restore points cannot be taken, or there is none to go back to.
    RestorePoint,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(found) = &self.found {
            write!(f, "\n  found     {found}")?;
        }
        if let Some(expected) = &self.expected {
            write!(f, "\n  expected  {expected}")?;
        }
        write!(f, "\n  next      {}", self.next)
    }
}

/// Every reason that was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the leap is refused before anything was touched ({} reason{})", .0.len(), if .0.len() == 1 { "" } else { "s" })]
pub struct Refused(pub Vec<Refusal>);
