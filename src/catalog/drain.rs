//! Online data migrations, as a playbook describes them.

use serde::{Deserialize, Serialize};

use super::playbook::is_false;
use super::precondition::one_line;
use crate::model::{Command, Effect, Engine, ExitTable, Phase, SeriesRange, Slot};

/// A command that is run again and again until its work is done: an online data migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// The step's name.
    pub name: Slot,
    /// The phase it belongs to.
    pub phase: Phase,
    /// The series this holds for; absent: all.
    #[serde(default)]
    pub series: SeriesRange,
    /// The engines this holds for; absent: all. What counts is the engine of the database the step
    /// is taken for, or of the service's first database where it is taken once for all of them. An
    /// engine for which a release has no steps at all is one that the service does not support there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<Engine>,
    /// The command, with `{count}` where it takes the most rows a round may move.
    pub command: Command,
    /// As for a `run` step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub for_each: Vec<Slot>,
    /// As for a `run` step. Rows that are not in the step's own database are named in `alone_while`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub side_by_side: bool,
    /// Rows that a round moves whichever database it is taken for: while there are any, one round runs at a
    /// time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alone_while: Vec<AloneWhile>,
    /// What may be done if its end was not seen.
    pub effect: Effect,
    /// What its exit codes mean.
    pub exits: ExitTable,
    /// Texts in the output that mean failure whatever the exit code says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failure_texts: Vec<String>,
    /// How the output says what was found and moved.
    pub output: OutputFormat,
    /// The most rows of a round, unless the cloud file says otherwise.
    pub count: u64,
    /// Rows that are found and never moved, and that are harmless.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residues: Vec<Residue>,
    /// Rows that must be gone when it is complete, whatever the command says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remainders: Vec<Remainder>,
    /// Why the step is there.
    pub why: String,
}

/// Rows that a data migration moves whichever database it is taken for. Two rounds that meet on them would
/// disturb each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AloneWhile {
    /// What is counted, as it follows a number.
    pub what: String,
    /// The series this holds for; absent: all.
    #[serde(default)]
    pub series: SeriesRange,
    /// The slots in whose databases they are counted.
    pub databases: Vec<Slot>,
    /// Counts them.
    pub query: String,
}

/// How a data migration's output says what was found and moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutputFormat {
    /// A drawn table of three columns: migration, found, moved (nova, placement: prettytable; cinder:
    /// prettytable or tabulate).
    Table,
    /// Sentences: `name() migrated X of Y objects.`, then `Data migrations have completed.` or `Data
    /// migrations have not completed. Please re-run.` (ironic since Pike).
    Ironic,
}

/// Rows that a migration finds and never moves, and that are harmless.
///
/// They also take up places in a round: a command that looks at the first `{count}` rows would see
/// nothing but them if they were many, and say that it is done. So each round may move as many rows
/// more as the query counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Residue {
    /// The migration's name in the output.
    pub migration: String,
    /// The series this holds for; absent: all.
    #[serde(default)]
    pub series: SeriesRange,
    /// Counts the harmless rows, in the database the step is taken for.
    pub query: String,
    /// Why they are harmless.
    pub why: String,
}

/// Rows that must be gone when a data migration is complete, whatever its command says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remainder {
    /// What is counted, as it follows a number: `volumes without use_quota`.
    pub what: String,
    /// The series this holds for; absent: all.
    #[serde(default)]
    pub series: SeriesRange,
    /// Counts them, in the database the step is taken for.
    pub query: String,
    /// Shows them; absent: what `query` counts, the first 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show: Option<String>,
    /// The migration that moves them, by its name in the output: it is held to its word, and where it
    /// fails the operator is given the query that shows these rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<String>,
    /// Whether the command moves them: then they are counted for the progress, too. Rows that the command
    /// passes over, such as soft-deleted ones, are none of its work.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub moved: bool,
    /// What to do where some are left; absent: find out why the command passed over them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

impl Remainder {
    /// A query that shows the rows: the playbook's, or one made of the query that counts them.
    pub fn shows(&self) -> String {
        rows_of(&self.query, self.show.as_deref())
    }
}

/// A query that shows rows: `show`, or one made of `query`, which counts them.
pub(super) fn rows_of(query: &str, show: Option<&str>) -> String {
    const HEAD: &str = "SELECT COUNT(";
    if let Some(show) = show {
        return one_line(show);
    }
    let query = one_line(query);
    let parts = query.get(..HEAD.len()).filter(|head| head.eq_ignore_ascii_case(HEAD)).and_then(|_| {
        let (what, from) = query[HEAD.len()..].split_once(')')?;
        // What is counted may hold brackets of its own: such a query is shown as it is.
        (!what.contains('(')).then_some((what.trim(), from.trim()))
    });
    match parts {
        Some((what, from)) if from.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("FROM ")) => {
            format!("SELECT {what} {from} LIMIT 20")
        }
        _ => query,
    }
}
