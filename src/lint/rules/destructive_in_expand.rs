//! An expand script takes away.

use super::{Concerns, E, Find, Phases, Rule, Surroundings, done};
use crate::lint::operation::{Change, Constraint, Operation, Verb};

pub(super) const RULE: Rule = Rule {
    id: "LF-P01",
    name: "destructive-in-expand",
    detects: "Something that is there is dropped or forbidden in an expand script.",
    phases: Phases::Expand,
    concerns: Concerns::WhatWasThere,
    why: "Expand scripts run while the release before works, and what they take away it may need.",
    mend: "Move it to the contract branch.",
    decides: "Which services of the release before still run.",
    sources: &[
        "keystone, contributor/database-migrations: expand is additive only",
        "neutron, tests/functional/db/test_migrations.py, test_branches",
    ],
    severities: [E, E, E, E],
    hit: "op.drop_index('ix_ports_mac', table_name='ports')",
    near_miss: "op.drop_constraint('ports_pkey', 'ports', type_='primary')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    let takes = match &operation.change {
        Change::DropTable
        | Change::DropColumn { .. }
        | Change::DropIndex { .. }
        | Change::Rows(Verb::Delete)
        | Change::RenameTable { .. } => true,
        Change::DropConstraint { kind, .. } => *kind != Some(Constraint::PrimaryKey),
        Change::AlterColumn { alteration, .. } => alteration.nullable == Some(false) || alteration.new_name.is_some(),
        _ => false,
    };
    takes.then(|| format!("{} in an expand script", done(operation)))
}
