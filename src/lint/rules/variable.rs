//! A variable of the server is set.

use super::{Concerns, Find, N, Phases, Rule, Surroundings, W};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-S09",
    name: "sets-variable",
    detects: "A variable of the session or of the server is set.",
    phases: Phases::All,
    concerns: Concerns::TheScript,
    why: "What follows is done under other rules: without checks of foreign keys, in another SQL mode. Of the server it needs a right that services do not have, and concerns everybody. Behind a proxy a session may be another one a statement later.",
    mend: "Do without; else set it back in the same script, whatever happens.",
    decides: "Nothing.",
    sources: &["MySQL reference manual, using system variables"],
    severities: [W, W, W, N],
    hit: "op.execute('SET foreign_key_checks = 0')",
    near_miss: "op.execute('SHOW VARIABLES')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match operation.change {
        Change::Variable { global: true } => Some("sets a variable of the whole server".to_owned()),
        Change::Variable { global: false } => Some("sets a variable of its session".to_owned()),
        _ => None,
    }
}
