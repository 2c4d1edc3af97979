//! A table is given to another storage engine.

use super::{Concerns, E, Find, N, Phases, Rule, Surroundings, table_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C19",
    name: "change-storage-engine",
    detects: "A table is given to another storage engine.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "MySQL and MariaDB copy the table and block writes. Another engine has other rules for transactions, locks and foreign keys.",
    mend: "Do it in a window, before or after the release.",
    decides: "Rows, bytes, indexes.",
    sources: &["MySQL 8.4 reference manual, online DDL operations: ALTER TABLE … ENGINE"],
    severities: [E, E, N, N],
    hit: "op.execute('ALTER TABLE alembic_version ENGINE = InnoDB')",
    near_miss: "op.create_table('a', sa.Column('id', sa.Integer), mysql_engine='InnoDB')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    (operation.change == Change::StorageEngine)
        .then(|| format!("gives {} to another storage engine", table_of(operation)))
}
