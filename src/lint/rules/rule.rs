//! What a rule is.

use serde::Serialize;

use crate::lint::chain::{Chain, Outlasts};
use crate::lint::cost::{Cost, cost};
use crate::lint::operation::{Change, Operation, Place};
use crate::lint::script::Before;
use crate::lint::server::{Server, Target};
use crate::model::Branch;

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its identifier: `LF-C01`.
    pub id: &'static str,
    /// Its name: `drop-column`.
    pub name: &'static str,
    /// What it finds, in a sentence.
    pub detects: &'static str,
    /// In which scripts it is a fault.
    pub phases: Phases,
    /// What it is about, and so where it weighs less.
    pub concerns: Concerns,
    /// Why it is one.
    pub why: &'static str,
    /// What to do in its place.
    pub mend: &'static str,
    /// What decides how long it takes, or how much it breaks.
    pub decides: &'static str,
    /// Where this is known from.
    pub sources: &'static [&'static str],
    /// How grave it is on MySQL, MariaDB, PostgreSQL and SQLite; absent where it is no fault.
    pub severities: [Option<Severity>; 4],
    /// The body of an `upgrade` that it finds; of what is found in several scripts, or between releases, those.
    pub hit: &'static str,
    /// The body of an `upgrade` that is like it, and that it passes.
    pub near_miss: &'static str,
    /// What finds it.
    pub find: Find,
}

impl Rule {
    /// How grave it is on a server.
    pub fn severity(&self, server: Server) -> Option<Severity> {
        self.severities[server as usize]
    }
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concerns {
    /// What is done to rows, and to tables that have some: of no weight where a table or a column was not there before the
    /// scripts.
    WhatWasThere,
    /// As above, and code of the release before, which it would take something from: of no weight where that maps no such
    /// thing.
    OldCode,
    /// How a script is written: it weighs the same everywhere.
    TheScript,
}

/// What finds that a rule is broken.
#[derive(Debug, Clone, Copy)]
pub enum Find {
    /// Whether an operation breaks it, and what is said of that.
    InOperation(fn(&Operation, &Surroundings<'_>) -> Option<String>),
    /// Where a script's text breaks it, and what is said of that.
    InScript(fn(&str) -> Vec<(Place, String)>),
    /// Whether the scripts that one command runs break it together, and what is said of that.
    InChain(fn(&Chain<'_>, Target) -> Option<Outlasts>),
    /// The scripts of several releases, held against each other.
    InHistory,
    /// What a run did, held against what was read.
    InExecution,
}

impl Find {
    /// Whether scripts are enough to find it, of one release and without a run.
    pub fn needs_scripts_alone(self) -> bool {
        matches!(self, Self::InOperation(_) | Self::InScript(_) | Self::InChain(_))
    }
}

/// Where an operation stands.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The branch of its script; absent where the schema has none.
    pub branch: Option<Branch>,
    /// What was done before it, in its script and in those before it that are looked at with it.
    pub before: &'a [&'a Operation],
    /// Where in that the release of its script begins.
    pub since: usize,
    /// Everything that its script does.
    pub script: &'a [Operation],
    /// Its own place in there.
    pub at: usize,
    /// The server on which it is done.
    pub target: Target,
    /// What the release before maps, where that was read.
    pub old_code: Option<&'a Before>,
}

impl Surroundings<'_> {
    /// Whether the table of an operation was made before it: then there are no rows, and no old code that knows it.
    pub fn is_new(&self, table: Option<&str>) -> bool {
        is_new(self.before, table)
    }

    /// Whether the code of the release before maps what an operation drops; nothing where it drops neither a table nor a
    /// column, or that is not known.
    pub fn maps(&self, operation: &Operation) -> Option<bool> {
        let (models, table) = (&self.old_code?.models, operation.table.as_deref()?);
        match &operation.change {
            Change::DropTable => models.has_table(table),
            Change::DropColumn { column } => models.has_column(table, column.as_deref()?),
            _ => None,
        }
    }

    /// What an operation costs on the server.
    pub(super) fn cost(&self, operation: &Operation) -> Option<Cost> {
        cost(operation, self.target)
    }
}

/// Whether a table was made by what was done.
pub(in crate::lint) fn is_new(done: &[&Operation], table: Option<&str>) -> bool {
    let Some(mut table) = table else { return false };
    // Back through what was done, from name to name where it had others.
    for (at, operation) in done.iter().enumerate().rev() {
        match &operation.change {
            Change::CreateTable { .. } if operation.table.as_deref() == Some(table) => {
                return !was_there(&done[..at], table);
            }
            Change::RenameTable { to } if to.as_deref() == Some(table) => match operation.table.as_deref() {
                Some(before) => table = before,
                None => return false,
            },
            _ => {}
        }
    }
    false
}

/// Whether something was done to a table before it was made: it was there already.
fn was_there(before: &[&Operation], table: &str) -> bool {
    let first = before.iter().find(|operation| operation.table.as_deref() == Some(table));
    first.is_some_and(|first| !matches!(first.change, Change::CreateTable { .. }))
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Information,
    /// It slows something down, or breaks it under conditions.
    Warning,
    /// It breaks code of the release before, loses data, or locks a table for as long as it is large.
    Error,
}

impl Severity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// In which scripts a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phases {
    /// In all.
    All,
    /// In those that run while the release before still works: of an expand branch, or of a schema without branches.
    WhileOldCodeRuns,
    /// In those of an expand branch.
    Expand,
    /// In those of a contract branch.
    Contract,
}

impl Phases {
    /// Whether scripts of a branch are among them.
    pub fn contain(self, branch: Option<Branch>) -> bool {
        match self {
            Self::All => true,
            Self::WhileOldCodeRuns => branch != Some(Branch::Contract),
            Self::Expand => branch == Some(Branch::Expand),
            Self::Contract => branch == Some(Branch::Contract),
        }
    }

    /// In which scripts, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::All => "in every script",
            Self::WhileOldCodeRuns => "in scripts of an expand branch, and of schemas without branches",
            Self::Expand => "in scripts of an expand branch",
            Self::Contract => "in scripts of a contract branch",
        }
    }
}
