//! A table is written anew beside what goes on.

use super::{Concerns, Find, N, Phases, Rule, Surroundings, W, table_of};
use crate::lint::cost::{Waits, Way};
use crate::lint::operation::Operation;

pub(super) const RULE: Rule = Rule {
    id: "LF-L02",
    name: "table-rebuild",
    detects: "An operation makes the server write the table anew while reads and writes go on.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "What is written meanwhile is logged (innodb_online_alter_log_max_size), and where the log is full the operation fails. Replicas do it after the primary, and lag behind for as long.",
    mend: "Do what is altered of one table in one statement; look at the size of the log and of the table first.",
    decides: "Rows, bytes, indexes; how much is written meanwhile.",
    sources: &[
        "MySQL 8.4 reference manual, online DDL operations and limitations",
        "MariaDB, InnoDB online DDL",
        "measured on MariaDB 10.11.19, MySQL 9.7.4, PostgreSQL 15.18 with ALGORITHM and LOCK clauses",
    ],
    severities: [W, W, N, N],
    hit: "op.alter_column('t', 'c', existing_type=sa.String(64), nullable=True, existing_nullable=False)",
    near_miss: "op.alter_column('t', 'c', existing_type=sa.String(64), server_default='x')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, surroundings: &Surroundings<'_>) -> Option<String> {
    let cost = surroundings.cost(operation)?;
    (cost.way >= Way::Rebuilt && cost.waits == Waits::Nothing).then(|| {
        let may = if cost.unsure { "may write" } else { "writes" };
        format!("{may} {} anew, beside what goes on", table_of(operation))
    })
}
