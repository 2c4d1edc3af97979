//! A contract script adds.

use super::{Concerns, Find, Phases, Rule, Surroundings, W, done};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-P02",
    name: "additive-in-contract",
    detects: "A table, a column, an index or a constraint is added in a contract script.",
    phases: Phases::Contract,
    concerns: Concerns::TheScript,
    why: "What the new code needs is there only when the contract scripts have run, and they run last, when services of the new release may be up already.",
    mend: "Move it to the expand branch.",
    decides: "Nothing.",
    sources: &["keystone, tests/unit/test_sql_banned_operations.py", "neutron, db/migration/autogen.py"],
    severities: [W, W, W, W],
    hit: "op.add_column('nodes', sa.Column('health', sa.String(32)))",
    near_miss: "op.drop_column('nodes', 'health')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    let adds = matches!(
        operation.change,
        Change::CreateTable { .. } | Change::AddColumn(_) | Change::CreateIndex { .. } | Change::AddConstraint { .. }
    );
    adds.then(|| format!("{} in a contract script", done(operation)))
}
