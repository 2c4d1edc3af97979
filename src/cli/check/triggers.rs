//! Triggers that an expand step made and no contract step has removed: what an interrupted migration leaves, and what they do
//! to whoever writes meanwhile.

use std::collections::BTreeSet;

use super::builtin::checked;
use crate::cli::world::World;
use crate::model::{DatabaseId, Engine, Service, Trigger};
use crate::plan::preconditions::{Checked, Condition};
use crate::plan::{Refusal, RefusalKind};

/// Some that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Left {
    database: DatabaseId,
    engine: Engine,
    triggers: Vec<Trigger>,
    made: String,
    effect: String,
}

/// Those that the playbooks name and that are there. A database that does not answer is told of elsewhere.
pub(in crate::cli) async fn left(world: &World, services: &BTreeSet<Service>) -> Vec<Left> {
    let mut found = Vec::new();
    for (database, url) in world.databases(services) {
        let passing = world.catalog.playbook(&database.service).into_iter().flat_map(|book| &book.triggers);
        let passing: Vec<_> = passing.filter(|one| one.databases.contains(&database.slot)).collect();
        if passing.is_empty() {
            continue;
        }
        let Ok(there) = crate::observe::triggers_of(&url, world.cloud.limits.connect).await else { continue };
        for one in passing {
            let triggers: Vec<Trigger> =
                there.iter().filter(|trigger| one.names.contains(&trigger.name)).cloned().collect();
            if !triggers.is_empty() {
                let (made, effect) = (one.made.trim().to_owned(), one.effect.trim().to_owned());
                found.push(Left { database: database.clone(), engine: url.engine(), triggers, made, effect });
            }
        }
    }
    found
}

impl Left {
    /// Where, which, and what they do, in a line.
    pub(in crate::cli) fn told(&self) -> String {
        format!("{}: {}: {}", self.database, self.names(), self.effect)
    }

    fn names(&self) -> String {
        self.triggers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    fn what(&self) -> String {
        format!("triggers of a migration that was not finished: {}. {}", self.names(), self.effect)
    }

    fn next(&self) -> String {
        let drops: Vec<String> = self.triggers.iter().map(|one| one.dropped(self.engine)).collect();
        format!(
            "finish that release first (`leapfrog contract`), or, where its contract is done already, {}; made by {}",
            drops.join("; "),
            self.made
        )
    }

    /// What `leapfrog check` says of them.
    pub(super) fn checked(&self) -> Checked {
        let one = checked(Condition::Failure, "triggers", self.database.to_string(), self.what());
        Checked { next: Some(self.next()), ..one }
    }

    /// Why a leap does not begin with them.
    pub(super) fn refusal(&self) -> Refusal {
        Refusal {
            kind: RefusalKind::Precondition,
            database: Some(self.database.clone()),
            what: format!("database {} has {}", self.database, self.what()),
            found: None,
            expected: Some("none between two releases".to_owned()),
            next: self.next(),
        }
    }
}
