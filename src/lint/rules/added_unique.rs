//! Rows may no longer be alike.

use super::{Concerns, E, Find, Phases, Rule, Surroundings, W, table_of};
use crate::lint::operation::{Change, Constraint, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C11",
    name: "add-unique",
    detects: "A unique constraint or index is added to a table that is there.",
    phases: Phases::WhileOldCodeRuns,
    concerns: Concerns::WhatWasThere,
    why: "Duplicates among the rows make it fail, and code of the release before may go on to insert some. PostgreSQL builds it under an exclusive lock.",
    mend: "Count duplicates beforehand and remove them with an online migration; on PostgreSQL build the index CONCURRENTLY by hand and attach it.",
    decides: "Rows, size of the key; duplicates.",
    sources: &[
        "Atlas, MF101",
        "squawk, disallowed-unique-constraint",
        "measured on MariaDB 10.11.19, MySQL 9.7.4, PostgreSQL 15.18 with ALGORITHM and LOCK clauses",
    ],
    severities: [W, W, E, W],
    hit: "op.create_unique_constraint('uniq_ports0id', 'ports', ['id'])",
    near_miss: "op.create_index('ix_ports_id', 'ports', ['id'])",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match &operation.change {
        Change::AddConstraint { kind: Constraint::Unique, .. } | Change::CreateIndex { unique: true, .. } => {
            Some(format!("lets no two rows of {} be alike", table_of(operation)))
        }
        _ => None,
    }
}
