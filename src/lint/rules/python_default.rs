//! Rows that are there, and code of the release before, do not get a default of Python.

use super::{Concerns, Find, Phases, Rule, Surroundings, W, column_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C05",
    name: "python-default-only",
    detects: "A column is added whose default only Python knows.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "Rows that are there stay NULL, and so are those that the release before inserts; code that counts on the default reads None.",
    mend: "Give it a server_default, or let the new code treat NULL as the default.",
    decides: "Rows that are there; which services of the release before still write.",
    sources: &["barbican, contributor/database_migrations: columns are added nullable or with a default"],
    severities: [W, W, W, W],
    hit: "op.add_column('nodes', sa.Column('retired', sa.Boolean, default=False))",
    near_miss: "op.add_column('nodes', sa.Column('retired', sa.Boolean, default=False, server_default=sa.false()))",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match &operation.change {
        Change::AddColumn(column) if column.python_default && !column.server_default => {
            Some(format!("adds {}, whose default is Python's alone", column_of(operation)))
        }
        _ => None,
    }
}
