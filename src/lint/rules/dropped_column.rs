//! A column goes while old code may still read it.

use super::{Concerns, E, Find, Phases, Rule, Surroundings, column_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C01",
    name: "drop-column",
    detects: "A column is dropped.",
    phases: Phases::WhileOldCodeRuns,
    concerns: Concerns::OldCode,
    why: "The statement takes no time, and from that moment on each query of the release before that names the column fails with `Unknown column`. Its values are gone.",
    mend: "Stop mapping the column in one release, and drop it in a later one, in a contract script.",
    decides: "Which services of the release before still run. On MySQL the table is rebuilt as well, before 8.0.29 always and later where the column has an index: rows, bytes.",
    sources: &[
        "keystone, tests/unit/test_sql_banned_operations.py",
        "nova, reference/database-migrations: additive only",
        "MySQL 8.4 reference manual, online DDL operations",
    ],
    severities: [E, E, E, E],
    hit: "op.drop_column('subnets', 'in_use')",
    near_miss: "op.add_column('subnets', sa.Column('in_use', sa.Boolean))",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    matches!(operation.change, Change::DropColumn { .. }).then(|| format!("drops {}", column_of(operation)))
}
