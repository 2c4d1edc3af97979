//! A table is copied or written anew more than once.

use super::{Concerns, Find, I, Phases, Rule, Surroundings, W, table_of};
use crate::lint::cost::Way;
use crate::lint::operation::Operation;

pub(super) const RULE: Rule = Rule {
    id: "LF-L06",
    name: "repeated-alter",
    detects: "A table is copied or rebuilt that another operation of the same scripts copies or rebuilds already.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "Each of them takes as long as the table is large. Over several releases they add up.",
    mend: "Alter it in one statement (batch_alter_table), where one script does both.",
    decides: "Rows and bytes, times how often.",
    sources: &["MySQL 8.4 reference manual, online DDL: combine changes in one ALTER TABLE"],
    severities: [W, W, W, I],
    hit: "op.alter_column('t', 'a', existing_type=sa.String(64), nullable=True, existing_nullable=False)\nop.alter_column('t', 'b', existing_type=sa.String(64), nullable=True, existing_nullable=False)",
    near_miss: "op.alter_column('t', 'a', existing_type=sa.String(64), nullable=True, existing_nullable=False)\nop.alter_column('u', 'b', existing_type=sa.String(64), nullable=True, existing_nullable=False)",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, surroundings: &Surroundings<'_>) -> Option<String> {
    let heavy = |operation: &Operation| surroundings.cost(operation).is_some_and(|cost| cost.way >= Way::Rebuilt);
    if operation.table.is_none() || !heavy(operation) {
        return None;
    }
    // The same once more, if something is so: the other way of an attempt, and not a second time.
    let instead = |other: &Operation| operation.guarded && other.change == operation.change;
    let engine = surroundings.target.server.engine();
    let same_table =
        |other: &&&Operation| other.table == operation.table && other.engines.contains(engine) && !instead(other);
    let earlier = surroundings.before.iter().filter(same_table).filter(|other| heavy(other));
    let times = earlier.count() + 1;
    (times > 1).then(|| format!("copies or rebuilds {} for time number {times}", table_of(operation)))
}
