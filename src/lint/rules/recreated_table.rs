//! A table is dropped and made anew.

use super::{Concerns, E, Find, Phases, Rule, Surroundings, table_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C16",
    name: "drop-and-recreate",
    detects: "A table is made that was dropped before.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "Its rows are lost, and there is no table at all in between.",
    mend: "Alter the table.",
    decides: "Rows; which services run.",
    sources: &["nova d60bddf7a903: share_mapping"],
    severities: [E, E, E, E],
    hit: "op.drop_table('share_mapping')\nop.create_table('share_mapping', sa.Column('id', sa.Integer))",
    near_miss: "op.drop_table('share_mapping')\nop.create_table('share_mappings', sa.Column('id', sa.Integer))",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, surroundings: &Surroundings<'_>) -> Option<String> {
    let dropped = |before: &Operation| before.table == operation.table && before.change == Change::DropTable;
    let made = matches!(operation.change, Change::CreateTable { .. }) && operation.table.is_some();
    (made && surroundings.before.iter().any(|before| dropped(before)))
        .then(|| format!("makes {} anew, which it dropped before", table_of(operation)))
}
