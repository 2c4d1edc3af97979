//! Rows or values go, and only a copy brings them back.

use super::{Concerns, Find, Phases, Rule, Surroundings, W, column_of, table_of};
use crate::lint::operation::{Change, Operation, Verb};

pub(super) const RULE: Rule = Rule {
    id: "LF-D03",
    name: "data-loss",
    detects: "Rows are deleted, or a column or a table with what it holds, in whichever script.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "A downgrade does not bring them back; a restore point does.",
    mend: "Count beforehand what will go: SELECT COUNT(*) with the same condition. Keep a restore point.",
    decides: "Rows that match, or that have a value there.",
    sources: &["Atlas, DS102, DS103", "nova, reference/database-migrations"],
    severities: [W, W, W, W],
    hit: "op.execute('DELETE FROM quotas WHERE deleted != 0')",
    near_miss: "op.execute('UPDATE quotas SET deleted = 0')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match &operation.change {
        Change::Rows(Verb::Delete) => Some(format!("rows of {} are gone for good", table_of(operation))),
        Change::DropTable => Some(format!("the rows of {} are gone for good", table_of(operation))),
        Change::DropColumn { .. } => Some(format!("the values of {} are gone for good", column_of(operation))),
        _ => None,
    }
}
