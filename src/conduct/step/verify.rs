//! The heads that a lane must have reached, and at the end of a leap the services that its release does not accept.

use super::{Performance, StepEnd};
use crate::journal::{Evidence, Failure, Outcome};
use crate::plan::{Verification, VersionQuestion};

impl Performance {
    /// Reads heads and compares them with what the release's migrations must have reached.
    pub(super) async fn verify(&self, verification: &Verification) -> StepEnd {
        let mut evidence = Vec::new();
        let mut wrong = Vec::new();
        for (database, expected) in &verification.heads {
            match self.reader.heads(database).await {
                Ok(found) if found.stand_at(expected) => {
                    evidence.push(Evidence::Heads { database: database.clone(), heads: expected.clone() });
                }
                Ok(found) => wrong.push(format!("{database} stands at {found}, not at {expected}")),
                Err(unreachable) => wrong.push(format!("{database} cannot be read: {}", unreachable.reason)),
            }
        }
        if wrong.is_empty() {
            self.services(&verification.services, &mut evidence).await;
            return StepEnd::ended(Outcome::Done, evidence);
        }
        let failure = Failure {
            what: format!(
                "the commands of {} reported success and the databases do not show it: {}",
                self.step.id.series,
                wrong.join("; ")
            ),
            command: None,
            exit: None,
            last_lines: Vec::new(),
            log: None,
            migration: None,
            advice: format!(
                "check that image and cloud file belong to {} and to this cloud, and that nothing else writes to these \
                 databases; then run the same command again",
                self.step.id.series
            ),
        };
        StepEnd { evidence, ..StepEnd::failed(Outcome::Failed, failure) }
    }

    /// Looks which services recorded a version that the release does not accept. Whatever there is to tell, the databases
    /// are right.
    async fn services(&self, questions: &[VersionQuestion], evidence: &mut Vec<Evidence>) {
        for question in questions {
            let database = &question.database;
            match self.reader.services(database, &question.query).await {
                Ok(services) => {
                    evidence.extend(question.judge(services).map(|old| Evidence::OldServices(Box::new(old))));
                }
                Err(unreachable) => evidence.push(Evidence::ServicesUnread {
                    database: database.clone(),
                    what: question.what.clone(),
                    reason: unreachable.reason,
                }),
            }
        }
    }
}
