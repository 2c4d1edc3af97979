//! A column is altered and loses what is not said of it.

use super::{Concerns, Find, I, N, Phases, Rule, Surroundings, W, column_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C18",
    name: "unstated-attributes",
    detects: "A type is altered without existing_nullable or existing_server_default.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "MySQL's MODIFY restates the whole column: NOT NULL, a default or a comment that the script does not state is gone, and a change in place may become a rebuild.",
    mend: "State existing_nullable and existing_server_default.",
    decides: "What the column has.",
    sources: &[
        "cinder b8660621f1b9: MySQL ALTER needs existing_type, existing_server_default and existing_nullable",
        "MySQL 8.4 reference manual, online DDL operations",
    ],
    severities: [W, W, N, I],
    hit: "op.alter_column('node_history', 'user', existing_type=sa.String(32), type_=sa.String(64))",
    near_miss: "op.alter_column('node_history', 'user', existing_type=sa.String(32), type_=sa.String(64), existing_nullable=True, existing_server_default=None)",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    let Change::AlterColumn { alteration, .. } = &operation.change else { return None };
    let lacking = match (alteration.states_nullable, alteration.states_default) {
        (true, true) => return None,
        (false, true) => "whether it may be NULL",
        (true, false) => "its server default",
        (false, false) => "whether it may be NULL, and its server default",
    };
    alteration.retyped.then(|| format!("alters {} and does not state {lacking}", column_of(operation)))
}
