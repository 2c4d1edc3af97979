//! A table is copied, and writes wait.

use super::{Concerns, E, Find, N, Phases, Rule, Surroundings, W, table_of};
use crate::lint::cost::{Waits, Way};
use crate::lint::operation::Operation;

pub(super) const RULE: Rule = Rule {
    id: "LF-L01",
    name: "table-copy",
    detects: "An operation makes the server copy the table while writes wait.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "Nothing can be written for as long as the copy takes, and the table needs its room a second time. On Galera the whole cluster waits.",
    mend: "Do it in a window; or beforehand by a tool that copies beside the writes (gh-ost, pt-online-schema-change), so that the script finds it done, if it looks.",
    decides: "Rows, bytes, number and size of the indexes; open transactions, which hold up its beginning; nodes of a Galera cluster.",
    sources: &[
        "MySQL 8.4 reference manual, online DDL operations",
        "MariaDB, InnoDB online DDL",
        "MariaDB MDEV-16329: from 11.2 on writes go on",
        "measured on MariaDB 10.11.19, MySQL 9.7.4, PostgreSQL 15.18 with ALGORITHM and LOCK clauses",
    ],
    severities: [E, E, N, W],
    hit: "op.alter_column('t', 'c', existing_type=sa.String(64), type_=sa.String(32), existing_nullable=True, existing_server_default=None)",
    near_miss: "op.add_column('t', sa.Column('c', sa.String(32)))",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, surroundings: &Surroundings<'_>) -> Option<String> {
    let cost = surroundings.cost(operation)?;
    (cost.way == Way::Copied && cost.waits == Waits::Writes).then(|| {
        let may = if cost.unsure { "may copy" } else { "copies" };
        format!("{may} {} while writes wait", table_of(operation))
    })
}
