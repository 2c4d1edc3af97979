//! A name that somebody guessed, or a mistake that nobody sees.

use super::{Concerns, Find, Phases, Rule, Surroundings, W, done, table_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-S03",
    name: "guessed-name",
    detects: "A constraint is dropped by a name that the server chose, or none; or a failure of an operation is caught and passed over.",
    phases: Phases::All,
    concerns: Concerns::TheScript,
    why: "Databases that were made by other releases, or were restored, have other names there, and the operation fails on them, or is silently not done.",
    mend: "Give constraints names; look the name up; let failures fail.",
    decides: "How the database was made.",
    sources: &["MySQL reference manual: names of foreign keys, table_ibfk_1", "SQLAlchemy, naming conventions"],
    severities: [W, W, W, W],
    hit: "op.drop_constraint('ports_ibfk_1', 'ports', type_='foreignkey')",
    near_miss: "op.drop_constraint('fk_ports_networks', 'ports', type_='foreignkey')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    if operation.swallowed && operation.change.is_of_schema() {
        return Some(format!("{}, and a failure of it is passed over", done(operation)));
    }
    match &operation.change {
        Change::DropConstraint { name: Some(name), .. } if name.contains("_ibfk_") => {
            Some(format!("drops {name} of {}: a name that the server chose", table_of(operation)))
        }
        _ => None,
    }
}
