//! A script of the schema moves data.

use super::{Concerns, Find, Phases, Rule, Surroundings, W, done};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-P03",
    name: "data-in-schema-script",
    detects: "Rows are inserted, updated or deleted by a script of the schema.",
    phases: Phases::WhileOldCodeRuns,
    concerns: Concerns::WhatWasThere,
    why: "What it takes depends on the rows, while a schema migration is planned as short, and what the release before writes meanwhile is not moved.",
    mend: "An online data migration, or a data script of its own.",
    decides: "Rows.",
    sources: &[
        "nova, reference/database-migrations: forbidden",
        "ironic, contributor/rolling-upgrades: what a rolling upgrade allows",
    ],
    severities: [W, W, W, W],
    hit: "op.bulk_insert(sa.table('rules'), [{'id': 1}])",
    near_miss: "op.execute('SELECT 1')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    matches!(operation.change, Change::Rows(_)).then(|| done(operation))
}
