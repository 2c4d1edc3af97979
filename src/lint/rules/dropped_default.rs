//! A column loses its server default.

use super::{Concerns, Find, Phases, Rule, Surroundings, W, column_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C10",
    name: "drop-server-default",
    detects: "A server default is taken away.",
    phases: Phases::WhileOldCodeRuns,
    concerns: Concerns::WhatWasThere,
    why: "INSERTs of the release before that leave the column out fail where it may not be NULL.",
    mend: "Move it to a contract script.",
    decides: "Which services of the release before still write.",
    sources: &["the catalogue of measured changes: SET and DROP DEFAULT are instant on every engine"],
    severities: [W, W, W, W],
    hit: "op.alter_column('service_provider', 'relay_state_prefix', server_default=None)",
    near_miss: "op.alter_column('service_provider', 'relay_state_prefix', server_default='ss:mem:')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match &operation.change {
        Change::AlterColumn { alteration, .. } if alteration.drops_default => {
            Some(format!("drops the server default of {}", column_of(operation)))
        }
        _ => None,
    }
}
