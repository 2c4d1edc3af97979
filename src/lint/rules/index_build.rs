//! An index is built.

use super::{Concerns, E, Find, I, Phases, Rule, Surroundings, table_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-L03",
    name: "index-build",
    detects: "An index is made on a table that is there.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "MySQL and MariaDB build it while rows are written. PostgreSQL blocks writes meanwhile: within alembic's transaction it cannot be built CONCURRENTLY.",
    mend: "On PostgreSQL build it by hand before, with the name that the script gives it.",
    decides: "Rows, size of the key.",
    sources: &[
        "squawk, require-concurrent-index-creation",
        "measured on MariaDB 10.11.19, MySQL 9.7.4, PostgreSQL 15.18 with ALGORITHM and LOCK clauses",
    ],
    severities: [I, I, E, I],
    hit: "op.create_index('ix_ports_mac', 'ports', ['mac'])",
    near_miss: "op.create_table('ports', sa.Column('mac', sa.String(32), index=True))",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    matches!(operation.change, Change::CreateIndex { unique: false, .. })
        .then(|| format!("builds an index on {}", table_of(operation)))
}
