//! What the plan says of tables whose rows are touched.

use std::collections::BTreeMap;

use super::document::{Action, Plan, Step, Touching};
use crate::catalog::{TripStep, TrippedTable};
use crate::model::{DatabaseId, Heads, Phase, StepId};

/// What a step of a playbook touches in a database.
pub(super) fn touching(trip: &TripStep, database: &DatabaseId) -> Touching {
    Touching { database: database.clone(), tables: trip.tables.iter().cloned().collect(), settled: None }
}

/// Says at which heads the triggers are gone: those that a later contract step of the lane takes the database to.
pub(super) fn settle(steps: &mut [Step]) {
    let mut contracted: BTreeMap<DatabaseId, Heads> = BTreeMap::new();
    for step in steps.iter_mut().rev() {
        match &mut step.action {
            Action::Run(run) if step.phase == Phase::Contract => {
                let targets = run.schema.iter().flat_map(|schema| &schema.databases);
                contracted.extend(targets.map(|(database, target)| (database.clone(), target.heads.clone())));
            }
            Action::Trip(touching) => touching.settled = contracted.get(&touching.database).cloned(),
            _ => {}
        }
    }
}

impl Touching {
    /// The tables' names, in a list.
    pub fn names(&self) -> String {
        self.tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The tables with the queries that count what is left, as long as these have something to count: after a contract the
    /// columns may be gone.
    pub fn counted(&self) -> impl Iterator<Item = (&TrippedTable, &str)> {
        let asked = self.tables.iter().filter(|_| self.settled.is_none());
        asked.filter_map(|table| Some((table, table.remainder.as_deref()?)))
    }
}

impl Plan {
    /// What is touched in the whole plan.
    pub fn touches(&self) -> impl Iterator<Item = (&StepId, &Touching)> {
        self.steps().filter_map(|(.., step)| match &step.action {
            Action::Trip(touching) => Some((&step.id, &**touching)),
            _ => None,
        })
    }
}
