//! Something goes that the code of the release before still maps.

use super::{Concerns, E, Find, Phases, Rule, Surroundings, column_of, table_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-C17",
    name: "still-mapped",
    detects: "A table or a column is dropped, in whichever script, that the models of the release before map; found over a range of releases, whose models are read, with their mixins.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "Each query of that model names it: services of the release before fail from that moment on, whatever branch the script is of.",
    mend: "Stop mapping it in one release and drop it in the next. Operators: stop the services of the release before first.",
    decides: "Which services of the release before still run.",
    sources: &[
        "barbican, contributor/database_migrations: drop only after every release that references it is past its end of life",
        "nova, reference/database-migrations",
    ],
    severities: [E, E, E, E],
    hit: "# in 2024.1: class Port: __tablename__ = 'ports'; mac = sa.Column(sa.String(32))\nop.drop_column('ports', 'mac')",
    near_miss: "op.drop_column('ports', 'in_use')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, surroundings: &Surroundings<'_>) -> Option<String> {
    let what = match &operation.change {
        Change::DropTable => table_of(operation),
        _ => column_of(operation),
    };
    let series = &surroundings.old_code?.series;
    (surroundings.maps(operation)?).then(|| format!("drops {what}, which the code of {series} maps"))
}
