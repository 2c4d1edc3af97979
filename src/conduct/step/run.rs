//! A command that is run once: a schema migration, most of the time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::command::Finished;
use super::{Performance, StepEnd, reached};
use crate::conduct::StopLevel;
use crate::conduct::killed::{self, killed};
use crate::conduct::listen::Listener;
use crate::conduct::proof::{Seen, Sight, left_at, nothing_to_do, prove, triggers, triggers_around};
use crate::journal::{Evidence, Failure, Outcome};
use crate::model::{DatabaseId, Effect, Trigger, Unreachable, Verdict};
use crate::plan::{CommandRun, SchemaMove};
use crate::runner::TaskHandle;

/// After so long a run knows that the locks in its databases are gone.
const MISSED: Duration = Duration::from_secs(3);

impl Performance {
    /// Runs the command and judges how it ended; a schema migration that has nothing to do is skipped.
    pub(super) async fn run_once(&mut self, run: &CommandRun) -> (StepEnd, Option<TaskHandle>) {
        // Of a command that ran before anyone looked, nobody knows what it began with.
        let schema = run.schema.as_ref().filter(|_| self.adopt.is_none());
        let before = match schema {
            Some(schema) => match self.look(schema).await {
                Ok(before) => Some(before),
                Err(unreachable) => return (self.unseen_database(run, unreachable), None),
            },
            None => None,
        };
        if let Some((schema, before)) = schema.filter(|schema| schema.skippable).zip(before.as_ref()) {
            match self.idle(schema, before).await {
                Ok(Some(evidence)) => {
                    return (StepEnd::ended(Outcome::Skipped, evidence), None);
                }
                Ok(None) => {}
                Err(unreachable) => return (self.unseen_database(run, unreachable), None),
            }
        }
        let Some(mut place) = self.place().await else { return (StepEnd::interrupted().before_it_began(), None) };
        let had = if self.adopt.is_none() { Some(self.triggers(run).await) } else { None };
        let words = run.command.words(None);
        let listener = Listener::new(&run.failure_texts, None);
        match self.command(1, words, &run.configuration, listener).await {
            Ok(mut finished) => {
                self.give_back(&mut place).await;
                let verdict = run.exits.verdict(finished.exit.code);
                if run.schema.is_some() && !matches!(verdict, Verdict::Done | Verdict::Warning) {
                    self.may_have_lost_its_server(&mut finished).await;
                }
                let mut end = self.judge_run(&finished, verdict);
                if let Some(schema) = &run.schema {
                    end = self.judge_schema(run, schema, before.as_ref(), &finished, end).await;
                }
                for (database, now) in self.triggers(run).await {
                    let then = had.as_ref().and_then(|had| had.get(&database)).map(Vec::as_slice);
                    end.evidence.extend(triggers(&database, then, &now));
                }
                (end, Some(finished.handle))
            }
            Err(unseen) => (self.unseen(unseen), None),
        }
    }

    /// Holds back the judgement of a command that failed until a database server that went away under it would be
    /// missed: then it is one of the commands that were cut off, and its exit code says nothing of the migration.
    async fn may_have_lost_its_server(&mut self, finished: &mut Finished) {
        tokio::select! {
            () = reached(&mut self.stop, StopLevel::Stop) => finished.stopped = true,
            () = tokio::time::sleep(MISSED) => {}
        }
    }

    fn judge_run(&self, finished: &Finished, verdict: Verdict) -> StepEnd {
        let code = finished.exit.code;
        let evidence = vec![Evidence::Exit { code, verdict }];
        let well = matches!(verdict, Verdict::Done | Verdict::Warning);
        if let Some(alarm) = finished.alarm.as_ref().filter(|_| well || !finished.stopped) {
            let what = format!("the output says that it failed, whatever its exit code {code} says: {alarm}");
            return StepEnd::failed(Outcome::Failed, self.failure(finished, what, None));
        }
        if well {
            return StepEnd::ended(Outcome::Done, evidence);
        }
        if finished.stopped {
            return StepEnd::interrupted();
        }
        let (what, advice) = match killed(finished.exit) {
            Some(trouble) => (trouble.what, Some(trouble.advice)),
            None => (format!("the command failed with exit code {code}"), None),
        };
        let failure = self.failure(finished, what, advice);
        StepEnd {
            evidence: killed::evidence(finished.exit).into_iter().collect(),
            ..StepEnd::failed(Outcome::Failed, failure)
        }
    }

    /// Holds what a schema migration says of itself against the databases, and against what it wrote elsewhere.
    async fn judge_schema(
        &self,
        run: &CommandRun,
        schema: &SchemaMove,
        before: Option<&Sight>,
        finished: &Finished,
        mut end: StepEnd,
    ) -> StepEnd {
        if end.outcome == Outcome::Interrupted {
            return end;
        }
        let after = self.look(schema).await;
        let proof = after.as_ref().map(|after| prove(schema, before, after));
        // Where the databases prove it, nothing can have been written elsewhere instead.
        let thorough = end.failure.is_some() || !matches!(proof, Ok(Ok(_)));
        match self.runner.written(&finished.handle, thorough).await {
            Ok(Some(strays)) if strays.is_empty() => end.evidence.push(Evidence::NothingElsewhere {}),
            Ok(Some(strays)) => {
                let strays: Vec<&str> = strays.iter().map(|path| path.as_str()).collect();
                let what = format!(
                    "the command wrote a SQLite file of its own, {}: it did not use the configured database",
                    strays.join(" and ")
                );
                let advice = format!(
                    "no database of the cloud was changed by that, and the file goes away with the {}. {}",
                    self.runner.noun(),
                    not_used(run, "the file that leapfrog gives it")
                );
                return StepEnd::failed(Outcome::Failed, self.failure(finished, what, Some(advice)));
            }
            // An engine that cannot tell: the heads have to prove it alone.
            Ok(None) | Err(_) => {}
        }
        if let Some(failure) = &mut end.failure {
            if let Ok(after) = after {
                let left = left_at(schema, before, &after);
                failure.what = format!("{}; {}", failure.what, left.join("; "));
                end.evidence.extend(triggers_around(before, &after));
            }
            return end;
        }
        let failure = match proof {
            Ok(Ok(evidence)) => {
                end.evidence.extend(evidence);
                return end;
            }
            Ok(Err(wrong)) => {
                end.evidence.extend(killed::evidence(finished.exit));
                end.evidence.extend(after.iter().flat_map(|after| triggers_around(before, after)));
                match killed(finished.exit) {
                    Some(trouble) => {
                        let what = format!("{}; the databases show no end: {}", trouble.what, wrong.join("; "));
                        self.failure(finished, what, Some(trouble.advice))
                    }
                    None => {
                        let what = format!(
                            "the command ended with {} and the databases do not show it: {}",
                            finished.exit.code,
                            wrong.join("; ")
                        );
                        self.failure(finished, what, Some(not_used(run, "its configuration")))
                    }
                }
            }
            Err(unreachable) => {
                let what = format!(
                    "the command ended with {} and that cannot be held against the databases: {}",
                    finished.exit.code, unreachable.reason
                );
                self.failure(finished, what, Some(unreachable.advice.clone()))
            }
        };
        StepEnd { evidence: end.evidence, ..StepEnd::failed(Outcome::Failed, failure) }
    }

    /// What shows that the command has nothing to do; nothing if it has.
    async fn idle(&self, schema: &SchemaMove, before: &Sight) -> Result<Option<Vec<Evidence>>, Unreachable> {
        let Some(mut evidence) = nothing_to_do(schema, before) else { return Ok(None) };
        if let Some(unless) = &schema.unless {
            for database in schema.databases.keys() {
                if self.reader.count(database, &unless.query).await? > 0 {
                    return Ok(None);
                }
            }
            evidence.push(Evidence::NothingBesides { what: unless.what.to_string() });
        }
        Ok(Some(evidence))
    }

    /// The triggers of the databases that a command is told of and that it does not migrate by name, as far as they can be read:
    /// they support nothing.
    async fn triggers(&self, run: &CommandRun) -> BTreeMap<DatabaseId, Vec<Trigger>> {
        let mut found = BTreeMap::new();
        if run.schema.is_some() || self.step.effect == Effect::ReadOnly {
            return found;
        }
        for database in run.configuration.databases() {
            if let Ok(triggers) = self.reader.triggers(database).await {
                found.insert(database.clone(), triggers);
            }
        }
        found
    }

    /// Looks at the databases whose schema a command migrates.
    async fn look(&self, schema: &SchemaMove) -> Result<Sight, Unreachable> {
        let mut sight = Sight::new();
        for database in schema.databases.keys() {
            let heads = self.reader.heads(database).await?;
            let tables = self.reader.tables(database).await?;
            let triggers = self.reader.triggers(database).await?;
            sight.insert(database.clone(), Seen { heads, tables, triggers });
        }
        Ok(sight)
    }

    fn unseen_database(&self, run: &CommandRun, unreachable: Unreachable) -> StepEnd {
        let failure = Failure {
            what: self.redactor.redact(format!(
                "the command was not run, since its database cannot be read and nothing could prove its end: {}",
                unreachable.reason
            )),
            command: Some(run.command.to_string()),
            exit: None,
            last_lines: Vec::new(),
            log: None,
            migration: None,
            advice: unreachable.advice,
        };
        StepEnd::failed(Outcome::Failed, failure).before_it_began()
    }
}

/// What to do about a command that worked elsewhere, or not at all.
fn not_used(run: &CommandRun, reads: &str) -> String {
    let configuration = &run.configuration;
    let options: Vec<String> = configuration
        .options
        .iter()
        .flat_map(|(group, options)| options.keys().map(move |option| format!("[{group}] {option}")))
        .collect();
    format!(
        "check that the image holds the release that its name says, and that its {} reads {reads} at {} ({}); then run \
         the same command again: it goes on with this step",
        run.command.program(),
        configuration.path,
        options.join(", ")
    )
}
