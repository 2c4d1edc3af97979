//! Whether the server lets this user make the triggers that steps make.

use std::collections::BTreeMap;

use crate::catalog::{Release, Taken};
use crate::cli::world::World;
use crate::database::{Right, connect};
use crate::model::{DatabaseId, Engine, Phase};
use crate::plan::{Plan, Refusal, RefusalKind};

/// The triggers that the plan of a part makes, in words, by database.
pub(in crate::cli) fn made(world: &World, release: &Release, plan: &Plan) -> BTreeMap<DatabaseId, Vec<String>> {
    if plan.part.phase() != Some(Phase::Expand) {
        return BTreeMap::new();
    }
    let databases = plan.hops.iter().flat_map(|hop| &hop.lanes).flat_map(|lane| lane.standing.keys());
    let made = databases.filter_map(|id| {
        let url = world.cloud.databases.get(id)?;
        let triggers = world.catalog.playbook(&id.service)?.triggers(&release.series, url.engine(), Taken::InParts);
        Some((id.clone(), triggers.map(|(step, made)| format!("{step} makes {}", made.what.trim())).collect()))
    });
    made.collect()
}

/// Every database in which triggers would be made and this user may not.
pub(in crate::cli) async fn refused(world: &World, made: &BTreeMap<DatabaseId, Vec<String>>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (id, made) in made.iter().filter(|(_, made)| !made.is_empty()) {
        let Some(url) = world.cloud.databases.get(id).filter(|url| url.engine() == Engine::Mysql) else { continue };
        let Ok(mut connection) = connect(url, world.cloud.limits.connect).await else { continue };
        // A server that does not tell lets the step find out.
        let refuses = connection.refuses_triggers().await.unwrap_or(false);
        let right = connection.may_trigger().await.unwrap_or(Right::Unclear);
        connection.close().await;
        let (found, next) = if refuses {
            let next = "SET GLOBAL log_bin_trust_function_creators = 1 until the contract is done, or name a user with \
                        SUPER in the cloud file";
            ("log_bin is on, log_bin_trust_function_creators is off, and the user has no SUPER", next.to_owned())
        } else if right == Right::Lacking {
            let next = format!("an administrator grants it: GRANT TRIGGER ON `{}`.* TO this user", url.name());
            ("the user has no privilege TRIGGER", next)
        } else {
            continue;
        };
        refusals.push(Refusal {
            kind: RefusalKind::Precondition,
            database: Some(id.clone()),
            what: format!("the server lets this user make no triggers in {id}: {}", made.join("; ")),
            found: Some(found.to_owned()),
            expected: None,
            next,
        });
    }
    refusals
}
