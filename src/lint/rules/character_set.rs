//! Texts get another character set or collation.

use super::{Concerns, E, Find, N, Phases, Rule, Surroundings, table_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C15",
    name: "convert-character-set",
    detects: "The rows of a table are converted to another character set or collation.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "MySQL and MariaDB copy the table and block writes, in all but few cases. What compares as equal changes, and with it uniqueness; joins between tables of which one is converted lose their index meanwhile.",
    mend: "Do it in a window, all tables in one go; combine it with what else is modified of the table.",
    decides: "Rows, bytes, indexes; how many tables.",
    sources: &[
        "ironic, release note utf8mb4-migration-4cbde1fe756875f5: duration depends on the amount of data in each table",
        "MySQL 8.4 reference manual, online DDL operations",
        "measured on MariaDB 10.11.19, MySQL 9.7.4, PostgreSQL 15.18 with ALGORITHM and LOCK clauses",
    ],
    severities: [E, E, N, N],
    hit: "op.execute('ALTER TABLE tags CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin')",
    near_miss: "op.execute('ALTER TABLE tags CHARACTER SET utf8mb4')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    matches!(operation.change, Change::CharacterSet { convert: true })
        .then(|| format!("converts the texts of {}", table_of(operation)))
}
