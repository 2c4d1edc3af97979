//! A column without which no row can be inserted.

use super::{Concerns, E, Find, Phases, Rule, Surroundings, column_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C04",
    name: "required-column",
    detects: "A column is added that may not be NULL and has no server default.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "INSERTs of the release before do not name the column and fail in strict SQL mode. On PostgreSQL the statement itself fails where the table has rows.",
    mend: "Give it a server_default, or let it be NULL until every writer fills it in.",
    decides: "Which services of the release before still write; whether the table has rows.",
    sources: &["squawk, adding-required-field", "Atlas, MF103"],
    severities: [E, E, E, E],
    hit: "op.add_column('nodes', sa.Column('health', sa.String(32), nullable=False))",
    near_miss: "op.add_column('nodes', sa.Column('health', sa.String(32), nullable=False, server_default='ok'))",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match &operation.change {
        Change::AddColumn(column) if column.name.is_some() && !column.nullable && !column.server_default => {
            Some(format!("adds {}, which may not be NULL and has no server default", column_of(operation)))
        }
        _ => None,
    }
}
