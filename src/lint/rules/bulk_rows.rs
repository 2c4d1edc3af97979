//! Many rows are changed in one statement.

use super::{Concerns, Find, Phases, Rule, Surroundings, W, table_of};
use crate::lint::operation::{Change, Operation, Verb};

pub(super) const RULE: Rule = Rule {
    id: "LF-D01",
    name: "bulk-rows",
    detects: "Rows are updated or deleted by one statement, however many there are.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "The rows stay locked until the transaction ends, undo grows with them, and on Galera the whole of it is one write set, refused above wsrep_max_ws_size.",
    mend: "Move rows with an online data migration, in batches.",
    decides: "Rows that match.",
    sources: &["nova, reference/database-migrations: no data migration in schema scripts", "Galera, wsrep_max_ws_size"],
    severities: [W, W, W, W],
    hit: "op.execute('UPDATE quotas SET deleted = 1')",
    near_miss: "op.bulk_insert(sa.table('quotas'), [])",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match operation.change {
        Change::Rows(Verb::Update) if !operation.for_each_row => {
            Some(format!("updates rows of {} in one statement", table_of(operation)))
        }
        Change::Rows(Verb::Delete) if !operation.for_each_row => {
            Some(format!("deletes rows of {}", table_of(operation)))
        }
        _ => None,
    }
}
