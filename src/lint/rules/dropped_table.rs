//! A table goes while old code may still read it.

use super::{Concerns, E, Find, Phases, Rule, Surroundings, table_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C02",
    name: "drop-table",
    detects: "A table is dropped.",
    phases: Phases::WhileOldCodeRuns,
    concerns: Concerns::OldCode,
    why: "Each query of the release before that names the table fails. Its rows are gone.",
    mend: "Stop mapping the table in one release, and drop it in a later one, in a contract script.",
    decides: "Which services of the release before still run.",
    sources: &[
        "keystone, tests/unit/test_sql_banned_operations.py",
        "nova, reference/database-migrations: additive only",
    ],
    severities: [E, E, E, E],
    hit: "op.drop_table('alarm_counter')",
    near_miss: "op.create_table('alarm_counter', sa.Column('id', sa.Integer))",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    matches!(operation.change, Change::DropTable).then(|| format!("drops {}", table_of(operation)))
}
