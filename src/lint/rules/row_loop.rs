//! Rows are changed one by one.

use super::{Concerns, Find, Phases, Rule, Surroundings, W, table_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-D02",
    name: "row-loop",
    detects: "A loop over the rows of a query changes rows.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "A statement a row: as many round trips as there are rows, all rows in memory, and one long transaction.",
    mend: "One statement in SQL, or an online data migration.",
    decides: "Rows that the query finds.",
    sources: &["neutron 5bcb7b31ec7d: every port binding is read, and each trusted one written"],
    severities: [W, W, W, W],
    hit: "bindings = sa.Table('bindings', sa.MetaData())\nsession = sa.orm.Session(bind=op.get_bind())\nfor row in session.query(bindings).all():\n    session.execute(bindings.update().values(profile=row[0]))",
    near_miss: "bindings = sa.Table('bindings', sa.MetaData())\nsession = sa.orm.Session(bind=op.get_bind())\nfor table in ('a', 'b'):\n    session.execute(bindings.update().values(profile=table))",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    let changes = matches!(operation.change, Change::Rows(_)) && operation.for_each_row;
    changes.then(|| format!("changes {} once for each row that a query finds", table_of(operation)))
}
