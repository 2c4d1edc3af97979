//! An index goes.

use super::{Concerns, Find, Phases, Rule, Surroundings, W, table_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C14",
    name: "drop-index",
    detects: "An index is dropped in an expand script.",
    phases: Phases::Expand,
    concerns: Concerns::WhatWasThere,
    why: "Queries of the release before may have been quick because of it. It is harmless where another index begins with the same columns.",
    mend: "Move it to a contract script, or say in the script which index makes it redundant.",
    decides: "Which queries use it; open transactions on the table.",
    sources: &["squawk, require-concurrent-index-deletion", "keystone, tests/unit/test_sql_banned_operations.py"],
    severities: [W, W, W, W],
    hit: "op.drop_index('ix_ports_mac', table_name='ports')",
    near_miss: "op.create_index('ix_ports_mac', 'ports', ['mac'])",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match &operation.change {
        Change::DropIndex { name } => {
            let name = name.as_deref().unwrap_or("whose name is not known");
            Some(format!("drops the index {name} of {}", table_of(operation)))
        }
        _ => None,
    }
}
