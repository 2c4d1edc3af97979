//! Something that is done or not, as the database looks.

use super::{Concerns, Find, I, Phases, Rule, Surroundings, done};
use crate::lint::operation::Operation;

pub(super) const RULE: Rule = Rule {
    id: "LF-S02",
    name: "depends-on-database",
    detects: "Whether an operation is done depends on what the script finds in the database, or on the environment.",
    phases: Phases::All,
    concerns: Concerns::TheScript,
    why: "What this operation does to your database cannot be told from the script alone: it is taken for done here.",
    mend: "Nothing, where it makes the script one that can begin again; confirm it on a copy.",
    decides: "What the database holds.",
    sources: &["keystone c88cdce8f248, neutron 0aefee21cd87: names from an inspector"],
    severities: [I, I, I, I],
    hit: "if 'b' not in sa.inspect(op.get_bind()).get_table_names():\n    op.drop_table('a')",
    near_miss: "for table in ('a',):\n    op.drop_table(table)",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    let depends = operation.guarded && !operation.for_each_row && operation.change.is_of_schema();
    depends.then(|| format!("{} only under a condition that a run decides", done(operation)))
}
