//! A data migration: rounds until it is proved complete.

use super::{Performance, StepEnd, StepMessage, reached};
use crate::conduct::StopLevel;
use crate::conduct::judge::{Harmless, Judgement, Round, judge};
use crate::conduct::listen::Listener;
use crate::conduct::output::CountReader;
use crate::journal::{Evidence, Failure, Outcome};
use crate::model::{DatabaseId, Unreachable};
use crate::plan::DataMigration;
use crate::runner::TaskHandle;

impl Performance {
    /// Rounds until done, stuck, failed or interrupted.
    pub(super) async fn drain(&mut self, migration: &DataMigration) -> (StepEnd, Option<TaskHandle>) {
        let batch = self.batch.unwrap_or(migration.count);
        let mut before: Option<Round> = None;
        let mut rows = 0_u64;
        for number in 1.. {
            // Harmless rows are found again in every round; a round must be able to see past them.
            let harmless = match self.harmless(migration).await {
                Ok(Some(harmless)) => harmless,
                Ok(None) => return (StepEnd { rows: Some(rows), ..StepEnd::interrupted() }, None),
                Err(failure) => {
                    return (StepEnd { rows: Some(rows), ..StepEnd::failed(Outcome::Failed, failure) }, None);
                }
            };
            if self.adopt.is_none() && *self.stop.borrow() > StopLevel::None {
                return (StepEnd { rows: Some(rows), ..StepEnd::interrupted() }, None);
            }
            let _turn = match self.turn(migration).await {
                Ok(Some(turn)) => turn,
                Ok(None) => return (StepEnd { rows: Some(rows), ..StepEnd::interrupted() }, None),
                Err(failure) => {
                    return (StepEnd { rows: Some(rows), ..StepEnd::failed(Outcome::Failed, failure) }, None);
                }
            };
            let count = batch.saturating_add(harmless.iter().map(|harmless| harmless.rows).sum());
            let words = migration.command.words(Some(count));
            let listener = Listener::new(&migration.failure_texts, Some(CountReader::new(migration.output)));
            let finished = match self.command(number, words, &migration.configuration, listener).await {
                Ok(finished) => finished,
                Err(unseen) => return (StepEnd { rows: Some(rows), ..self.unseen(unseen) }, None),
            };
            let round = Round {
                number,
                exit: finished.exit.code,
                verdict: migration.exits.verdict(finished.exit.code),
                counts: finished.counts.clone(),
                alarm: finished.alarm.clone(),
            };
            rows = rows.saturating_add(round.moved());
            let mut judgement = judge(&round, before.as_ref(), &harmless);
            if let Judgement::Done(evidence) = judgement {
                judgement = self.none_remain(migration, evidence).await;
            }
            let message = StepMessage::Round {
                step: self.step.id.clone(),
                round: self.without_secrets(round.clone()),
                took: finished.took,
                handle: finished.handle.clone(),
            };
            if self.tell.send(message).await.is_err() {
                return (StepEnd::interrupted(), None);
            }
            let end = match judgement {
                Judgement::Done(evidence) => {
                    Some(StepEnd { outcome: Outcome::Done, rows: None, evidence, failure: None })
                }
                _ if finished.stopped => Some(StepEnd::interrupted()),
                Judgement::Again if *self.stop.borrow() > StopLevel::None => Some(StepEnd::interrupted()),
                Judgement::Again => None,
                Judgement::Stuck { what, advice } => {
                    Some(StepEnd::failed(Outcome::Stuck, self.failure(&finished, what, Some(advice))))
                }
                Judgement::Failed { what, advice } => {
                    Some(StepEnd::failed(Outcome::Failed, self.failure(&finished, what, Some(advice))))
                }
            };
            if let Some(end) = end {
                return (StepEnd { rows: Some(rows), ..end }, None);
            }
            before = Some(round);
        }
        (StepEnd::interrupted(), None)
    }

    /// Counts rows; nothing if the run is stopped meanwhile, for a count can take half an hour.
    pub(super) async fn count(&self, database: &DatabaseId, query: &str) -> Option<Result<u64, Unreachable>> {
        let mut stop = self.stop.clone();
        tokio::select! {
            biased;
            rows = self.reader.count(database, query) => Some(rows),
            () = reached(&mut stop, StopLevel::Stop) => None,
        }
    }

    /// Counts the rows that are found and never moved; nothing if the run is stopped meanwhile.
    async fn harmless(&self, migration: &DataMigration) -> Result<Option<Vec<Harmless>>, Failure> {
        let mut harmless = Vec::new();
        for residue in &migration.residues {
            let Some(rows) = self.count(&migration.database, &residue.query).await else { return Ok(None) };
            let rows = rows.map_err(|unreachable| Failure {
                what: format!(
                    "the rows that {} leaves could not be counted: {}",
                    residue.migration, unreachable.reason
                ),
                command: Some(residue.query.clone()),
                exit: None,
                last_lines: Vec::new(),
                log: None,
                advice: unreachable.advice,
            })?;
            harmless.push(Harmless { migration: residue.migration.clone(), rows, why: residue.why.clone() });
        }
        Ok(Some(harmless))
    }

    /// Holds the command's word that it is done against the database.
    async fn none_remain(&self, migration: &DataMigration, mut evidence: Vec<Evidence>) -> Judgement {
        for remainder in &migration.remainders {
            let database = &migration.database;
            // Stopped meanwhile: nothing is proved.
            let Some(rows) = self.count(database, &remainder.query).await else { return Judgement::Again };
            match rows {
                Ok(0) => {
                    evidence.push(Evidence::NoneRemain { what: remainder.what.clone(), database: database.clone() });
                }
                Ok(rows) => {
                    return Judgement::Stuck {
                        what: format!("the command says done and {database} still holds {rows} {}", remainder.what),
                        advice: format!(
                            "{}; they are counted by: {}. Then run the same command again",
                            remainder.mend.as_deref().unwrap_or("find out why the command passed over them").trim(),
                            remainder.query.trim()
                        ),
                    };
                }
                Err(unreachable) => {
                    return Judgement::Failed {
                        what: format!("{} could not be counted in {database}: {}", remainder.what, unreachable.reason),
                        advice: unreachable.advice,
                    };
                }
            }
        }
        Judgement::Done(evidence)
    }

    /// The round as it may be kept.
    fn without_secrets(&self, mut round: Round) -> Round {
        for count in round.counts.iter_mut().flatten() {
            count.migration = self.redactor.redact(std::mem::take(&mut count.migration));
        }
        round
    }
}
