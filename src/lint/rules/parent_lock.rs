//! A foreign key holds the table that it leads to.

use super::{Concerns, Find, I, N, Phases, Rule, Surroundings, W};
use crate::lint::operation::{Change, Constraint, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-L05",
    name: "parent-lock",
    detects: "A foreign key leads to a table that is there.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "PostgreSQL holds a lock on that table, too, which stops writes until the transaction ends. MySQL and MariaDB need its metadata lock for a moment, and wait for open transactions.",
    mend: "End what holds transactions open; on PostgreSQL set lock_timeout and try again.",
    decides: "Open transactions on the table that it leads to.",
    sources: &[
        "PostgreSQL, explicit locking: SHARE ROW EXCLUSIVE",
        "measured on MariaDB 10.11.19, MySQL 9.7.4, PostgreSQL 15.18 with ALGORITHM and LOCK clauses",
    ],
    severities: [I, I, W, N],
    hit: "op.create_table('a', sa.Column('b_id', sa.Integer, sa.ForeignKey('b.id')))",
    near_miss: "op.create_table('b', sa.Column('id', sa.Integer))\nop.create_table('a', sa.Column('b_id', sa.Integer, sa.ForeignKey('b.id')))",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, surroundings: &Surroundings<'_>) -> Option<String> {
    let there = |table: &&str| {
        operation.table.as_deref() != Some(*table) && !surroundings.is_new(Some(*table)) && !table.contains('\u{fffd}')
    };
    let parents: Vec<&str> = match &operation.change {
        Change::CreateTable { references, .. } => {
            let mut parents: Vec<&str> = references.iter().map(String::as_str).filter(there).collect();
            parents.sort_unstable();
            parents.dedup();
            parents
        }
        Change::AddConstraint { kind: Constraint::ForeignKey, referent, .. } => {
            referent.as_deref().into_iter().filter(there).collect()
        }
        _ => return None,
    };
    (!parents.is_empty()).then(|| format!("holds up {}, to which a foreign key leads", parents.join(", ")))
}
