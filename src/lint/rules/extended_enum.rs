//! An enumeration gets other values.

use super::{Concerns, E, Find, I, Phases, Rule, Surroundings, W, column_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C09",
    name: "extend-enum",
    detects: "The values of an enumeration are changed.",
    phases: Phases::WhileOldCodeRuns,
    concerns: Concerns::WhatWasThere,
    why: "Code of the release before that reads a new value fails (LookupError). MySQL and MariaDB add values at the end at once and copy the table for any other place. PostgreSQL has a type of its own for them, to which alembic adds none: the change does nothing there, or fails.",
    mend: "Write new values only when no service of the release before runs; add them at the end; on PostgreSQL by ALTER TYPE … ADD VALUE in an autocommit block.",
    decides: "Which services of the release before still read; where the new values stand.",
    sources: &[
        "squawk, require-enum-value-ordering",
        "measured on MariaDB 10.11.19, MySQL 9.7.4, PostgreSQL 15.18 with ALGORITHM and LOCK clauses",
    ],
    severities: [W, W, E, I],
    hit: "op.alter_column('t', 'c', existing_type=sa.Enum('a'), type_=sa.Enum('a', 'b'), existing_nullable=True, existing_server_default=None)",
    near_miss: "op.alter_column('t', 'c', existing_type=sa.Enum('a'), type_=sa.String(8), existing_nullable=True, existing_server_default=None)",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    let Change::AlterColumn { alteration, .. } = &operation.change else { return None };
    super::widening::is_enum(alteration).then(|| format!("changes the values of {}", column_of(operation)))
}
