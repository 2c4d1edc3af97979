//! A column gets a type that its values may not fit, or a table another primary key.

use super::{Concerns, E, Find, Phases, Rule, Surroundings, column_of, table_of, widening};
use crate::lint::operation::{Change, Constraint, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C07",
    name: "change-type",
    detects: "A column's type is changed to one that is no longer one of the same kind, or a primary key is replaced.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "MySQL and MariaDB copy the table and block writes meanwhile; PostgreSQL rewrites it under an exclusive lock. Values may be cut off, and code of the release before may read what it does not expect.",
    mend: "Add a column of the new type beside the old one, write both, move the rows online, drop the old one later.",
    decides: "Rows, bytes, number and size of the indexes.",
    sources: &[
        "squawk, changing-column-type",
        "MySQL 8.4 reference manual, online DDL operations",
        "MariaDB, InnoDB online DDL",
        "measured on MariaDB 10.11.19, MySQL 9.7.4, PostgreSQL 15.18 with ALGORITHM and LOCK clauses",
    ],
    severities: [E, E, E, E],
    hit: "op.alter_column('nodes', 'extra', existing_type=sa.Text(), type_=sa.String(255), existing_nullable=True, existing_server_default=None)",
    near_miss: "op.alter_column('nodes', 'owner', existing_type=sa.String(100), type_=sa.String(255), existing_nullable=True, existing_server_default=None)",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match &operation.change {
        Change::AlterColumn { alteration, .. } if alteration.retyped => {
            let change = widening::of(alteration)?;
            (change == widening::Retype::Incompatible)
                .then(|| format!("changes the type of {}{}", column_of(operation), widening::told(alteration)))
        }
        Change::DropConstraint { kind: Some(Constraint::PrimaryKey), .. }
        | Change::AddConstraint { kind: Constraint::PrimaryKey, .. } => {
            Some(format!("replaces the primary key of {}", table_of(operation)))
        }
        _ => None,
    }
}
