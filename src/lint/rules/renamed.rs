//! A column or a table gets another name.

use super::{Concerns, E, Find, Phases, Rule, Surroundings, column_of, table_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C03",
    name: "rename",
    detects: "A column or a table is renamed.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "No release works with both names: the one before fails from that moment on, the next one before it.",
    mend: "Add the new column, write both, move the rows online, stop reading the old one, drop it a release later.",
    decides: "Which services of either release run; rows that have to be copied.",
    sources: &[
        "cinder, contributor/rolling.upgrades: a rename is never possible",
        "MySQL 8.0.28, MariaDB 10.5.2: RENAME COLUMN is instant",
    ],
    severities: [E, E, E, E],
    hit: "op.alter_column('zones', 'domain_id', new_column_name='zone_id', existing_type=sa.String(36))",
    near_miss: "op.alter_column('zones', 'domain_id', new_column_name='domain_id', type_=sa.String(36), existing_nullable=True, existing_server_default=None)",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match &operation.change {
        Change::RenameTable { to } => {
            let to = to.as_deref().unwrap_or("a name that is not known");
            Some(format!("renames {} to {to}", table_of(operation)))
        }
        Change::AlterColumn { alteration, .. } => {
            let to = alteration.new_name.as_ref()?;
            Some(format!("renames {} to {to}", column_of(operation)))
        }
        _ => None,
    }
}
