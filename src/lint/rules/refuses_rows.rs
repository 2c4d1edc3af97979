//! A script that will not run before rows are in order.

use super::{Concerns, Find, Phases, Rule, Surroundings, W};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-P05",
    name: "refuses-rows",
    detects: "A script raises an exception of its own.",
    phases: Phases::All,
    concerns: Concerns::TheScript,
    why: "It does so where it finds rows that an online data migration of an earlier release should have moved, or that it cannot move itself. The leap then stops in the middle of a release.",
    mend: "Finish the online data migrations on the release before; ask for such rows beforehand (leapfrog check).",
    decides: "Rows that are left.",
    sources: &["nova, upgrade checks and online_data_migrations", "cinder b8660621f1b9, c92a3e68beed"],
    severities: [W, W, W, W],
    hit: "if op.get_bind().execute('SELECT 1').scalar():\n    raise Exception('migrate first')",
    near_miss: "try:\n    op.get_bind()\nexcept Exception:\n    raise",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    let how = if operation.guarded { " under a condition" } else { "" };
    (operation.change == Change::Raises).then(|| format!("raises an exception of its own{how}"))
}
