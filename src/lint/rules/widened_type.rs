//! A column gets more room.

use super::{Concerns, Find, Phases, Rule, Surroundings, W, column_of, widening};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C08",
    name: "widen-type",
    detects: "A column gets a longer or larger type of the same kind, or one that a reader of the script alone cannot compare.",
    phases: Phases::WhileOldCodeRuns,
    concerns: Concerns::WhatWasThere,
    why: "Some widenings happen in place, others copy the table and block writes: INT to BIGINT and TEXT to MEDIUMTEXT always do, a VARCHAR does where it crosses 255 bytes (64 characters of utf8mb4, 86 of utf8mb3). PostgreSQL rewrites a table for INT to BIGINT, and for no VARCHAR.",
    mend: "Accept it where it stays in place; else as for change-type, or in a window.",
    decides: "Bytes: characters times the width of the character set; rows, indexes.",
    sources: &[
        "ironic, contributor/rolling-upgrades: what a rolling upgrade allows",
        "MySQL 8.4 reference manual, online DDL operations",
        "MariaDB, InnoDB online DDL",
        "measured on MariaDB 10.11.19, MySQL 9.7.4, PostgreSQL 15.18 with ALGORITHM and LOCK clauses",
    ],
    severities: [W, W, W, W],
    hit: "op.alter_column('bios_settings', 'upper_bound', existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=True)",
    near_miss: "op.alter_column('bios_settings', 'upper_bound', existing_type=sa.Integer(), nullable=True)",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match &operation.change {
        Change::AlterColumn { alteration, .. } if alteration.retyped => {
            let change = widening::of(alteration)?;
            (change == widening::Retype::Wider)
                .then(|| format!("widens {}{}", column_of(operation), widening::told(alteration)))
        }
        _ => None,
    }
}
