//! Rows must satisfy something that they did not before.

use super::{Concerns, E, Find, Phases, Rule, Surroundings, W, table_of};
use crate::lint::operation::{Change, Constraint, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C12",
    name: "add-foreign-key",
    detects: "A foreign key or a check is added to a table that is there.",
    phases: Phases::WhileOldCodeRuns,
    concerns: Concerns::WhatWasThere,
    why: "MySQL and MariaDB copy the table and block writes (foreign_key_checks is on in alembic); PostgreSQL reads it under a lock on both tables. Orphans make it fail (1452), as aodh 009 does.",
    mend: "Count orphans beforehand and remove them. On PostgreSQL add it NOT VALID and validate it later; on MySQL off peak.",
    decides: "Rows, bytes and indexes of the table; rows of the table that it leads to; orphans.",
    sources: &[
        "squawk, adding-foreign-key-constraint",
        "MySQL 8.4 reference manual, online DDL operations",
        "MariaDB, InnoDB online DDL",
        "measured on MariaDB 10.11.19, MySQL 9.7.4, PostgreSQL 15.18 with ALGORITHM and LOCK clauses",
    ],
    severities: [E, E, E, W],
    hit: "op.create_foreign_key('fk', 'alarm_history', 'alarm', ['alarm_id'], ['alarm_id'])",
    near_miss: "op.create_table('alarm_history', sa.Column('alarm_id', sa.String(36), sa.ForeignKey('alarm.alarm_id')))",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match &operation.change {
        Change::AddConstraint { kind: Constraint::ForeignKey, referent, .. } => {
            let to = referent.as_ref().map(|referent| format!(" to {referent}")).unwrap_or_default();
            Some(format!("adds a foreign key{to} to {}", table_of(operation)))
        }
        Change::AddConstraint { kind: Constraint::Check, .. } => {
            Some(format!("adds a check to {}", table_of(operation)))
        }
        _ => None,
    }
}
