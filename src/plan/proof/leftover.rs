//! Triggers that stand between an expand step and its contract step, and that are still there.

use std::collections::{BTreeMap, BTreeSet};

use super::{Answer, Claim, ClaimKind, Inquiry};
use crate::catalog::PassingTriggers;
use crate::model::{ConnectionUrl, DatabaseId, Engine, Service, Trigger, Unreachable};
use crate::plan::build::{Brief, databases_in};
use crate::plan::detect::Verdict;

/// The triggers of databases, as they were seen.
pub type Triggers = BTreeMap<DatabaseId, Result<Vec<Trigger>, Unreachable>>;

/// What may stand in a database for a while.
#[derive(Debug)]
pub(super) struct Passing {
    engine: Engine,
    triggers: Vec<PassingTriggers>,
}

/// Those of the playbooks, by database.
pub(super) fn passing(brief: &Brief<'_>) -> BTreeMap<DatabaseId, Passing> {
    let mut found: BTreeMap<DatabaseId, Passing> = BTreeMap::new();
    for playbook in &brief.playbooks {
        for triggers in &playbook.triggers {
            for id in triggers.databases.iter().flat_map(|slot| databases_in(brief, &playbook.service, slot)) {
                let engine = brief.databases.get(id).map_or(Engine::Mysql, ConnectionUrl::engine);
                let of_it = found.entry(id.clone()).or_insert(Passing { engine, triggers: Vec::new() });
                of_it.triggers.push(triggers.clone());
            }
        }
    }
    found
}

impl Inquiry {
    /// The databases whose triggers have to be looked at: those that answered before.
    pub fn with_triggers(&self) -> BTreeSet<&DatabaseId> {
        let answers = |id: &&DatabaseId| {
            let detected = self.detection.databases.get(*id);
            !detected.is_some_and(|detected| matches!(detected.verdict, Verdict::Unreachable(_)))
        };
        self.passing.keys().filter(answers).collect()
    }

    /// What is left of a service's triggers. None may be where the release's heads are reached; elsewhere those that stand are
    /// named.
    pub(super) fn leftovers(&self, service: &Service, seen: &Triggers) -> Vec<Claim> {
        let mut claims = Vec::new();
        for (id, passing) in self.passing.iter().filter(|(id, _)| id.service == *service) {
            let claim = |what: String, answer, found, next| Claim {
                service: service.clone(),
                database: Some(id.clone()),
                kind: ClaimKind::Triggers,
                what,
                answer,
                found,
                expected: None,
                next,
            };
            match seen.get(id) {
                // That it does not answer is told of its heads.
                None => {}
                Some(Err(_)) if !self.stands(id) => {}
                Some(Err(unreachable)) => {
                    let (found, next) = (unreachable.reason.clone(), unreachable.advice.clone());
                    let what = "its triggers could not be looked at".to_owned();
                    claims.push(claim(what, Answer::Unknown, Some(found), Some(next)));
                }
                Some(Ok(there)) => {
                    let before = claims.len();
                    for (left, one) in passing.triggers.iter().filter_map(|one| Some((left(there, one)?, one))) {
                        let names: Vec<String> = left.iter().map(ToString::to_string).collect();
                        let what = format!(
                            "triggers are left of a migration that was not finished. {}",
                            one.effect.trim().trim_end_matches('.')
                        );
                        let next = self.remove(id, passing.engine, &left, one);
                        claims.push(claim(what, Answer::No, Some(names.join(", ")), Some(next)));
                    }
                    if claims.len() == before && self.stands(id) {
                        let what = "none of the triggers is left that stand during a migration".to_owned();
                        claims.push(claim(what, Answer::Yes, None, None));
                    }
                }
            }
        }
        claims
    }

    /// How triggers go away that are left.
    fn remove(&self, id: &DatabaseId, engine: Engine, left: &[&Trigger], one: &PassingTriggers) -> String {
        let drops: Vec<String> = left.iter().map(|trigger| trigger.dropped(engine)).collect();
        let made = one.made.trim();
        if self.stands(id) {
            return format!("{}, for the contract of {} is done; made by {made}", drops.join("; "), self.at);
        }
        format!(
            "finish that release: `leapfrog contract --at {}{}`; or, where its contract is done already, {}; made by {made}",
            self.at,
            self.only(&id.service),
            drops.join("; ")
        )
    }
}

/// Those of `one` that are there, if any is.
fn left<'t>(there: &'t [Trigger], one: &PassingTriggers) -> Option<Vec<&'t Trigger>> {
    let left: Vec<&Trigger> = there.iter().filter(|trigger| one.names.contains(&trigger.name)).collect();
    (!left.is_empty()).then_some(left)
}
