//! A script that cannot begin a second time.

use super::{Concerns, Find, I, N, Phases, Rule, Surroundings};
use crate::lint::operation::Operation;

pub(super) const RULE: Rule = Rule {
    id: "LF-S01",
    name: "not-rerunnable",
    detects: "A script changes the schema in two steps, and does not look whether the first is done.",
    phases: Phases::All,
    concerns: Concerns::TheScript,
    why: "MySQL and MariaDB commit each statement that changes a schema. Where the script dies between two of them, the next try fails at the first.",
    mend: "One change a script; or look whether it is done already.",
    decides: "Nothing.",
    sources: &[
        "keystone, contributor/database-migrations: scripts are idempotent",
        "MySQL reference manual: statements that cause an implicit commit",
    ],
    severities: [I, I, N, N],
    hit: "op.add_column('a', sa.Column('b', sa.Integer))\nop.add_column('a', sa.Column('c', sa.Integer))",
    near_miss: "op.add_column('a', sa.Column('b', sa.Integer))\nop.execute('UPDATE a SET b = 1')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, surroundings: &Surroundings<'_>) -> Option<String> {
    let engine = surroundings.target.server.engine();
    let changes = |one: &Operation| one.change.is_of_schema() && !one.guarded && one.engines.contains(engine);
    let earlier = surroundings.script[..surroundings.at].iter().filter(|one| changes(one)).count();
    // Said once, at the second.
    (earlier == 1 && changes(operation))
        .then(|| "is the second change of a script that cannot begin again after the first".to_owned())
}
