//! A constraint goes.

use super::{Concerns, Find, Phases, Rule, Surroundings, W, table_of};
use crate::lint::operation::{Change, Constraint, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C13",
    name: "drop-constraint",
    detects: "A unique constraint, a foreign key or a check is dropped in an expand script.",
    phases: Phases::Expand,
    concerns: Concerns::WhatWasThere,
    why: "The release before relies on the database to refuse what the constraint forbids. PostgreSQL takes an exclusive lock, for a foreign key on both tables.",
    mend: "Move it to a contract script.",
    decides: "Open transactions on the table.",
    sources: &[
        "neutron, db/migration/autogen.py: drops belong to contract",
        "keystone, tests/unit/test_sql_banned_operations.py",
    ],
    severities: [W, W, W, W],
    hit: "op.drop_constraint('uniq_ports0id', 'ports', type_='unique')",
    near_miss: "op.drop_constraint('ports_pkey', 'ports', type_='primary')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match &operation.change {
        Change::DropConstraint { name, kind } if *kind != Some(Constraint::PrimaryKey) => {
            let name = name.as_deref().unwrap_or("whose name is not known");
            Some(format!("drops the constraint {name} of {}", table_of(operation)))
        }
        _ => None,
    }
}
