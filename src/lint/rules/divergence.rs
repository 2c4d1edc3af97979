//! A schema that is another one on each engine.

use super::{Concerns, Find, Phases, Rule, Surroundings, W, done};
use crate::lint::operation::{Change, Engines, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-S08",
    name: "engines-diverge",
    detects: "Something is done on some engines and not on others.",
    phases: Phases::All,
    concerns: Concerns::TheScript,
    why: "The schema is another one there from then on, and later scripts and the models were tried on one of them.",
    mend: "Do the like on every engine, or say in the script why nothing is to do there.",
    decides: "Nothing.",
    sources: &["neutron, ironic and octavia chains that fail on other engines, as executed"],
    severities: [W, W, W, W],
    hit: "if op.get_bind().dialect.name == 'mysql':\n    op.drop_index('i', 't')",
    near_miss: "if op.get_bind().dialect.name == 'mysql':\n    op.drop_index('i', 't')\nelse:\n    op.drop_index('i', table_name='t')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, surroundings: &Surroundings<'_>) -> Option<String> {
    if operation.engines == Engines::ALL || !operation.change.is_of_schema() {
        return None;
    }
    // Character sets are MySQL's own affair.
    if matches!(operation.change, Change::CharacterSet { .. }) {
        return None;
    }
    let alike = |other: &&Operation| {
        other.table == operation.table
            && other.change.column() == operation.change.column()
            && std::mem::discriminant(&other.change) == std::mem::discriminant(&operation.change)
    };
    let engines = surroundings.script.iter().filter(alike).fold(Engines::NONE, |all, other| all.or(other.engines));
    (engines != Engines::ALL).then(|| format!("{} on {} alone", done(operation), engines.words()))
}
