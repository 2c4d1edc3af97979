//! A column that may not be NULL any longer.

use super::{Concerns, E, Find, Phases, Rule, Surroundings, W, column_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C06",
    name: "set-not-null",
    detects: "A column is altered so that it may not be NULL.",
    phases: Phases::WhileOldCodeRuns,
    concerns: Concerns::WhatWasThere,
    why: "Rows with NULL make the statement fail (1265 or 1138), and so do INSERTs of the release before that leave the column out. MySQL and MariaDB rebuild the table; PostgreSQL reads all of it under an exclusive lock.",
    mend: "Fill the column in with an online migration of an earlier release and alter it in a contract script. On PostgreSQL a valid CHECK (… IS NOT NULL) saves the scan.",
    decides: "Rows, bytes, indexes; rows that are NULL.",
    sources: &[
        "squawk, adding-not-nullable-field",
        "Atlas, MF104",
        "MySQL 8.4 reference manual, online DDL operations",
        "PostgreSQL, ALTER TABLE, notes; explicit locking",
        "measured on MariaDB 10.11.19, MySQL 9.7.4, PostgreSQL 15.18 with ALGORITHM and LOCK clauses",
    ],
    severities: [W, W, E, W],
    hit: "op.alter_column('volumes', 'use_quota', existing_type=sa.Boolean, nullable=False, server_default=sa.true())",
    near_miss: "op.alter_column('volumes', 'use_quota', existing_type=sa.Boolean, nullable=True, server_default=sa.true())",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match &operation.change {
        Change::AlterColumn { alteration, .. } if alteration.nullable == Some(false) && !alteration.retyped => {
            Some(format!("forbids NULL in {}", column_of(operation)))
        }
        _ => None,
    }
}
