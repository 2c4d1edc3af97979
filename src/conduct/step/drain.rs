//! A data migration: rounds until it is proved complete.

use super::command::Finished;
use super::{Performance, StepEnd, StepMessage, reached, uncounted};
use crate::catalog::Remainder;
use crate::conduct::judge::{self, Harmless, Judgement, Round, Trouble, judge};
use crate::conduct::killed::killed;
use crate::conduct::listen::Listener;
use crate::conduct::pace::{Measured, next_count};
use crate::conduct::{StopLevel, slowing};
use crate::journal::{Evidence, FailedMigration, Failure, Outcome};
use crate::model::{DatabaseId, Unreachable, Verdict};
use crate::plan::DataMigration;
use crate::readers::CountReader;
use crate::runner::TaskHandle;

/// How many rounds of a migration are remembered.
const REMEMBERED: usize = 64;

/// How often a round may be ended from outside until its step fails: rounds are safe to repeat.
const CUT_OFF: u32 = 3;

impl Performance {
    /// Rounds until done, stuck, failed or interrupted.
    pub(super) async fn drain(&mut self, migration: &DataMigration) -> (StepEnd, Option<TaskHandle>) {
        let mut before: Option<Round> = None;
        let mut measured: Vec<Measured> = Vec::new();
        let mut rows = 0_u64;
        let mut cut_off = 0;
        let counting = self.counting(migration);
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
            let mut turn = match self.turn(migration).await {
                Ok(Some(turn)) => turn,
                Ok(None) => return (StepEnd { rows: Some(rows), ..StepEnd::interrupted() }, None),
                Err(failure) => {
                    return (StepEnd { rows: Some(rows), ..StepEnd::failed(Outcome::Failed, failure) }, None);
                }
            };
            let adopted = self.adopt.is_some();
            let batch = self.batch.unwrap_or_else(|| next_count(&measured, migration.count, self.round));
            let count = batch.saturating_add(harmless.iter().map(|harmless| harmless.rows).sum());
            let words = migration.command.words(Some(count));
            let listener = Listener::new(&migration.failure_texts, Some(CountReader::new(migration.output)));
            let finished = match self.command(number, words, &migration.configuration, listener).await {
                Ok(finished) => finished,
                Err(unseen) => return (StepEnd { rows: Some(rows), ..self.unseen(unseen) }, None),
            };
            // A round that says that there is more is followed by another one, which keeps its place.
            let last = migration.exits.verdict(finished.exit.code) != Verdict::More;
            if last {
                self.give_back(&mut turn.place).await;
            }
            let round = Round {
                number,
                count: (!adopted).then_some(count),
                exit: finished.exit.code,
                verdict: migration.exits.verdict(finished.exit.code),
                counts: finished.counts.clone().unwrap_or_else(|| Ok(Vec::new())),
                alarm: finished.alarm.clone(),
                raised: finished.raised.clone(),
            };
            rows = rows.saturating_add(round.moved());
            if !adopted {
                // How long the command of an earlier process took nobody knows.
                remember(&mut measured, Measured { count: batch, moved: round.moved(), took: finished.took });
            }
            let unmoved = counting.ended(&round);
            let mut judgement = judge(&round, before.as_ref(), &harmless);
            if matches!(judgement, Judgement::Stuck(_)) && !migration.residues.is_empty() {
                // The round itself may have made such a row, as nova's first one makes its marker.
                match self.harmless(migration).await {
                    Ok(Some(now)) => judgement = judge(&round, before.as_ref(), &now),
                    Ok(None) => return (StepEnd { rows: Some(rows), ..StepEnd::interrupted() }, None),
                    Err(failure) => {
                        return (StepEnd { rows: Some(rows), ..StepEnd::failed(Outcome::Failed, failure) }, None);
                    }
                }
            }
            if judgement == Judgement::Again {
                let slow = || slowing::slowing(&measured, self.round).map(|slow| judge::slowing(&slow, round.counts()));
                let trouble = unmoved.as_ref().map(judge::unmoved).or_else(slow);
                judgement = trouble.map_or(judgement, Judgement::Stuck);
            }
            if let Some(trouble) = killed(finished.exit).filter(|_| matches!(judgement, Judgement::Failed(_))) {
                cut_off += 1;
                let again = !finished.stopped && !finished.exit.out_of_memory && cut_off < CUT_OFF;
                if again {
                    self.remark(&format!("{}; the round is repeated", trouble.what)).await;
                }
                judgement = if again { Judgement::Again } else { Judgement::Failed(trouble) };
            }
            if let Judgement::Done(evidence) = judgement {
                judgement = self.none_remain(migration, evidence).await;
            }
            let message = StepMessage::Round {
                step: self.step.id.clone(),
                round: self.without_secrets(round.clone()),
                course: counting.course(number),
                took: finished.took,
                handle: finished.handle.clone(),
            };
            if self.tell.send(message).await.is_err() {
                return (StepEnd::interrupted(), None);
            }
            let end = match judgement {
                Judgement::Done(evidence) => Some(StepEnd::ended(Outcome::Done, evidence)),
                _ if finished.stopped => Some(StepEnd::interrupted()),
                Judgement::Again if *self.stop.borrow() > StopLevel::None => Some(StepEnd::interrupted()),
                Judgement::Again => None,
                Judgement::Stuck(trouble) => {
                    Some(StepEnd::failed(Outcome::Stuck, self.trouble(&finished, &round, migration, trouble)))
                }
                Judgement::Failed(trouble) => {
                    Some(StepEnd::failed(Outcome::Failed, self.trouble(&finished, &round, migration, trouble)))
                }
            };
            if let Some(end) = end {
                return (StepEnd { rows: Some(rows), ..end }, None);
            }
            if last {
                self.waits(false).await;
            }
            before = Some(round);
        }
        (StepEnd::interrupted(), None)
    }

    /// What is told of trouble: with the migration it is about, its counts, and how to see its rows.
    fn trouble(&self, finished: &Finished, round: &Round, migration: &DataMigration, trouble: Trouble) -> Failure {
        let Trouble { what, advice, migration: name } = trouble;
        let failed = name.map(|name| {
            let count = round.counts().iter().find(|count| count.migration == name);
            let raised = round.raised.iter().find(|raised| raised.migration.as_deref() == Some(name.as_str()));
            let of_it = |remainder: &&Remainder| remainder.migration.as_deref() == Some(name.as_str());
            FailedMigration {
                found: count.map(|count| count.found),
                moved: count.map(|count| count.moved),
                exception: raised.and_then(|raised| raised.exception.clone()),
                queries: migration.remainders.iter().filter(of_it).map(Remainder::shows).collect(),
                name: self.redactor.redact(name),
            }
        });
        Failure { migration: failed.map(Box::new), ..self.failure(finished, what, Some(advice)) }
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
            let rows = rows.map_err(|unreachable| {
                let what = format!("the rows that {} leaves could not be counted", residue.migration);
                uncounted(&what, &residue.query, unreachable)
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
                    let mend = remainder.mend.as_deref().unwrap_or("find out why the command passed over them").trim();
                    return Judgement::Stuck(Trouble {
                        what: format!("the command says done and {database} still holds {rows} {}", remainder.what),
                        advice: format!(
                            "{mend}; they are shown in {database} by: {}. Then run the same command again",
                            remainder.shows()
                        ),
                        migration: remainder.migration.clone(),
                    });
                }
                Err(unreachable) => {
                    return Judgement::Failed(Trouble::new(
                        format!("{} could not be counted in {database}: {}", remainder.what, unreachable.reason),
                        unreachable.advice,
                    ));
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

/// Keeps what the next rounds are decided by: the first round, which has the playbook's size, and the last ones.
fn remember(measured: &mut Vec<Measured>, round: Measured) {
    measured.push(round);
    if measured.len() > REMEMBERED {
        measured.remove(1);
    }
}
