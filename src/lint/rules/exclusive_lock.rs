//! PostgreSQL lets nobody at a table while it reads or writes all of it.

use super::{Concerns, E, Find, N, Phases, Rule, Surroundings, table_of};
use crate::lint::cost::{Waits, Way};
use crate::lint::operation::Operation;

pub(super) const RULE: Rule = Rule {
    id: "LF-L04",
    name: "exclusive-lock",
    detects: "PostgreSQL reads or rewrites the table under a lock that stops reads, too.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "Every query of the table waits for as long as that takes, and, in alembic's one transaction, until the last script is done.",
    mend: "Add the constraint NOT VALID and validate it in a transaction of its own; build the unique index CONCURRENTLY and use it; for a type, a new column.",
    decides: "Rows, bytes, indexes.",
    sources: &[
        "PostgreSQL, ALTER TABLE, notes; explicit locking",
        "squawk, constraint-missing-not-valid, disallowed-unique-constraint",
        "measured on MariaDB 10.11.19, MySQL 9.7.4, PostgreSQL 15.18 with ALGORITHM and LOCK clauses",
    ],
    severities: [N, N, E, N],
    hit: "op.create_unique_constraint('u', 't', ['c'])",
    near_miss: "op.create_foreign_key('f', 't', 'p', ['c'], ['id'])",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, surroundings: &Surroundings<'_>) -> Option<String> {
    let cost = surroundings.cost(operation)?;
    (cost.way != Way::Instant && cost.waits == Waits::All).then(|| {
        let what = if cost.way == Way::Read { "reads" } else { "rewrites" };
        format!("{what} {} while reads and writes wait", table_of(operation))
    })
}
