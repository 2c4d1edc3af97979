//! Whether the server lets this user make the triggers that an expand step makes.

use crate::catalog::{Release, Taken};
use crate::cli::world::World;
use crate::database::connect;
use crate::model::{DatabaseId, Engine, Phase};
use crate::plan::{Plan, Refusal, RefusalKind};

/// Every database in which a step of the plan would make triggers and may not.
pub(super) async fn refused(world: &World, release: &Release, plan: &Plan) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if plan.part.phase() != Some(Phase::Expand) {
        return refusals;
    }
    let databases = plan.hops.iter().flat_map(|hop| &hop.lanes).flat_map(|lane| lane.standing.keys());
    for id in databases {
        let Some(url) = world.cloud.databases.get(id).filter(|url| url.engine() == Engine::Mysql) else { continue };
        let Some(book) = world.catalog.playbook(&id.service) else { continue };
        let made: Vec<String> = book
            .triggers(&release.series, url.engine(), Taken::InParts)
            .map(|(step, made)| format!("{step} makes {}", made.what.trim()))
            .collect();
        if made.is_empty() {
            continue;
        }
        let Ok(mut connection) = connect(url, world.cloud.limits.connect).await else { continue };
        // A server that does not tell lets the step find out.
        let refuses = connection.refuses_triggers().await.unwrap_or(false);
        connection.close().await;
        refusals.extend(refuses.then(|| refusal(id, &made)));
    }
    refusals
}

fn refusal(id: &DatabaseId, made: &[String]) -> Refusal {
    Refusal {
        kind: RefusalKind::Precondition,
        database: Some(id.clone()),
        what: format!("the server lets this user make no triggers in {id}: {}", made.join("; ")),
        found: Some("log_bin is on, log_bin_trust_function_creators is off, and the user has no SUPER".to_owned()),
        expected: None,
        next: "SET GLOBAL log_bin_trust_function_creators = 1 until the contract is done, or name a user with SUPER in the \
               cloud file"
            .to_owned(),
    }
}
