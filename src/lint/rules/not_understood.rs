//! What is not linted.

use super::{Concerns, Find, Phases, Rule, Surroundings, W, done};
use crate::lint::operation::{Certainty, Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-S04",
    name: "not-understood",
    detects: "Something in a script is not understood: SQL that is put together from what only a run knows, a function of another module, a table without a name.",
    phases: Phases::All,
    concerns: Concerns::TheScript,
    why: "Nothing can be said of it. That no rule finds anything is no proof where this one does.",
    mend: "Write names in words; else read the script.",
    decides: "Nothing.",
    sources: &["what a reader of scripts can see: 96 of 100 operations of 2023.1 to 2026.2"],
    severities: [W, W, W, W],
    hit: "op.execute(text)",
    near_miss: "op.execute('SELECT 1')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match &operation.change {
        Change::NotUnderstood { why } => Some(why.clone()),
        _ if operation.certainty == Certainty::Opaque => {
            Some(format!("{}, and what exactly is not known", done(operation)))
        }
        _ => None,
    }
}
