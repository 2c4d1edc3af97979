//! Performing one step: launch, watch, judge; and again, for steps that are repeated until done.
//!
//! A step's task owns nothing but its log file. It tells the conductor what happens through a channel
//! and obeys the stop level; it never writes the journal and never decides what comes after the step.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use tokio::sync::{mpsc, watch};

use super::judge::{Harmless, Judgement, Round, judge};
use super::launch::{Connections, Redactor};
use super::listen::Listener;
use super::output::CountReader;
use super::{DatabaseReader, StopLevel};
use crate::journal::{Evidence, Failure, MigrationCount, Outcome};
use crate::model::{DatabaseId, RunId, StepId, Stream, Unreachable, Verdict};
use crate::plan::{Action, DataMigration, Step, StepConfiguration, Verification};
use crate::runner::{Exit, FoundTask, OutputLine, PinnedImage, Runner, RunnerError, Task, TaskHandle, TaskId};

/// What a step's task tells the conductor.
#[derive(Debug)]
pub(super) enum StepMessage {
    /// A line of output, without secrets; in the log already.
    Line(StepId, Stream, String),
    /// A round of a repeated step ended.
    Round {
        /// The step.
        step: StepId,
        /// What was seen.
        round: Round,
        /// How long it took.
        took: Duration,
        /// What is left of its task, to be removed once the round is in the journal.
        handle: TaskHandle,
    },
    /// The step ended.
    Ended {
        /// The step.
        step: StepId,
        /// How.
        end: StepEnd,
        /// What is left of its task, to be removed once the end is in the journal.
        handle: Option<TaskHandle>,
    },
}

/// How a step ended.
#[derive(Debug)]
pub(super) struct StepEnd {
    /// In a word.
    pub outcome: Outcome,
    /// Rows that this attempt moved, for steps that move rows.
    pub rows: Option<u64>,
    /// What supports it.
    pub evidence: Vec<Evidence>,
    /// What went wrong.
    pub failure: Option<Failure>,
}

impl StepEnd {
    fn failed(outcome: Outcome, failure: Failure) -> Self {
        Self { outcome, rows: None, evidence: Vec::new(), failure: Some(failure) }
    }

    fn interrupted() -> Self {
        Self { outcome: Outcome::Interrupted, rows: None, evidence: Vec::new(), failure: None }
    }
}

/// Everything a step's task needs.
pub(super) struct Performance {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: Step,
    /// How often it was begun.
    pub attempt: u32,
    /// The lane's image.
    pub image: PinnedImage,
    /// Who executes.
    pub runner: Arc<dyn Runner>,
    /// Who reads the databases.
    pub reader: Arc<dyn DatabaseReader>,
    /// Where the databases are.
    pub connections: Arc<Connections>,
    /// What hides secrets.
    pub redactor: Arc<Redactor>,
    /// A task of an earlier process that is watched in the place of the first launch.
    pub adopt: Option<FoundTask>,
    /// The most rows of a round, where the operator says so.
    pub batch: Option<u64>,
    /// The run's directory; logs go to `logs/` in it.
    pub directory: Utf8PathBuf,
    /// How long a stopped command may take to end by itself.
    pub grace: Duration,
    /// After how much silence the log and the screen say so.
    pub stall: Duration,
    /// How far the operator wants the run to be stopped.
    pub stop: watch::Receiver<StopLevel>,
    /// To the conductor.
    pub tell: mpsc::Sender<StepMessage>,
}

/// One command run to its end.
struct Finished {
    command: String,
    handle: TaskHandle,
    exit: Exit,
    /// Whether it was told to stop.
    stopped: bool,
    last_lines: Vec<String>,
    alarm: Option<String>,
    counts: Option<Vec<MigrationCount>>,
    log: String,
    took: Duration,
}

/// A command that could not be started, or whose end could not be seen.
struct Unseen {
    error: RunnerError,
    last_lines: Vec<String>,
    log: Option<String>,
}

impl Performance {
    /// Performs the step and tells the conductor how it ended.
    pub(super) async fn perform(mut self) {
        let action = self.step.action.clone();
        let (end, handle) = match &action {
            Action::Run { command, exits, failure_texts, configuration } => {
                let words = command.words(None);
                let listener = Listener::new(failure_texts, None);
                match self.command(1, words, configuration, listener).await {
                    Ok(finished) => {
                        let verdict = exits.verdict(finished.exit.code);
                        (self.judge_run(&finished, verdict), Some(finished.handle))
                    }
                    Err(unseen) => (self.unseen(unseen), None),
                }
            }
            Action::Drain(migration) => self.drain(migration).await,
            Action::Verify(verification) => (self.verify(verification).await, None),
        };
        let message = StepMessage::Ended { step: self.step.id.clone(), end, handle };
        // The conductor is gone only if the run was abandoned.
        let _ = self.tell.send(message).await;
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
            return StepEnd { outcome: Outcome::Done, rows: None, evidence, failure: None };
        }
        if finished.stopped {
            return StepEnd::interrupted();
        }
        let what = if finished.exit.out_of_memory {
            format!("the kernel ended the command for want of memory (exit code {code})")
        } else {
            format!("the command failed with exit code {code}")
        };
        StepEnd::failed(Outcome::Failed, self.failure(finished, what, None))
    }

    /// Rounds until done, stuck, failed or interrupted.
    async fn drain(&mut self, migration: &DataMigration) -> (StepEnd, Option<TaskHandle>) {
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
    async fn count(&self, database: &DatabaseId, query: &str) -> Option<Result<u64, Unreachable>> {
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

    /// Reads heads and compares them with what the release's migrations must have reached.
    async fn verify(&self, verification: &Verification) -> StepEnd {
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
            return StepEnd { outcome: Outcome::Done, rows: None, evidence, failure: None };
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
            advice: format!(
                "check that image and cloud file belong to {} and to this cloud, and that nothing else writes to these \
                 databases; then run the same command again",
                self.step.id.series
            ),
        };
        StepEnd { evidence, ..StepEnd::failed(Outcome::Failed, failure) }
    }

    /// Runs one command, or watches the one that an earlier process launched, to its end.
    async fn command(
        &mut self,
        round: u32,
        words: Vec<String>,
        configuration: &StepConfiguration,
        mut listener: Listener<'_>,
    ) -> Result<Finished, Unseen> {
        let began = Instant::now();
        let (mut log, log_name) = self.open_log(round, &words);
        let command = words.join(" ");
        let handle = match self.adopt.take() {
            Some(found) => found.handle,
            None => {
                let id = TaskId { run: self.run.clone(), step: self.step.id.clone(), attempt: self.attempt, round };
                let files = vec![self.connections.render(configuration)];
                let task = Task { id, image: self.image.clone(), command: words, files };
                let launched = self.runner.launch(&task).await;
                launched.map_err(|error| Unseen { error, last_lines: Vec::new(), log: None })?
            }
        };
        let runner = Arc::clone(&self.runner);
        let (lines, mut output) = mpsc::channel::<OutputLine>(256);
        let watched = handle.clone();
        let mut watching = std::pin::pin!(runner.watch(&watched, lines));
        let mut stopped = false;
        let mut exit = None;
        let mut open = true;
        let mut silent_since = Instant::now();
        // Until the command ended and its output was read to the end.
        while exit.is_none() || open {
            tokio::select! {
                line = output.recv(), if open => match line {
                    Some(line) => {
                        silent_since = Instant::now();
                        let text = self.redactor.redact(line.text.clone());
                        if let Some(log) = &mut log {
                            // A full disk must not fail a migration that goes well; the journal will tell.
                            let _ = writeln!(log, "{text}");
                        }
                        listener.hear(&line.text, &text);
                        let _ = self.tell.send(StepMessage::Line(self.step.id.clone(), line.stream, text)).await;
                    }
                    None => open = false,
                },
                ended = &mut watching, if exit.is_none() => exit = Some(ended),
                () = reached(&mut self.stop, StopLevel::Stop), if !stopped && exit.is_none() => {
                    stopped = true;
                    let (runner, handle, grace) = (Arc::clone(&self.runner), handle.clone(), self.grace);
                    // Not awaited: its last words are read meanwhile. Should it not obey, its end decides.
                    tokio::spawn(async move { runner.stop(&handle, grace).await });
                }
                () = tokio::time::sleep(self.stall.saturating_sub(silent_since.elapsed())), if exit.is_none() => {
                    let text = format!("(leapfrog: no output for {} s; still running)", silent_since.elapsed().as_secs());
                    silent_since = Instant::now();
                    let _ = self.tell.send(StepMessage::Line(self.step.id.clone(), Stream::Stderr, text)).await;
                }
            }
        }
        let Some(exit) = exit else { unreachable!("the loop ends with an exit") };
        let exit = match exit {
            Ok(exit) => exit,
            Err(error) => {
                return Err(Unseen { error, last_lines: listener.last_lines.into(), log: Some(log_name) });
            }
        };
        let took = began.elapsed();
        if let Some(log) = &mut log {
            let _ = writeln!(log, "# exit {} after {:.1} s", exit.code, took.as_secs_f64());
        }
        let Listener { last_lines, alarm, counts, .. } = listener;
        let counts = counts.and_then(CountReader::finish);
        Ok(Finished {
            command,
            handle,
            exit,
            stopped,
            last_lines: last_lines.into(),
            alarm,
            counts,
            log: log_name,
            took,
        })
    }

    /// Opens the log of one round; without it the step still runs.
    fn open_log(&self, round: u32, words: &[String]) -> (Option<std::fs::File>, String) {
        let id = &self.step.id;
        let name = if matches!(self.step.action, Action::Drain(_)) {
            format!("logs/{}/{}/{}.{}.{round}.log", id.series, id.service, id.short(), self.attempt)
        } else {
            format!("logs/{}/{}/{}.{}.log", id.series, id.service, id.short(), self.attempt)
        };
        let path = self.directory.join(&name);
        let open = || {
            path.parent().map(std::fs::create_dir_all).transpose()?;
            let mut file = std::fs::File::create(&path)?;
            writeln!(file, "# {} ({})\n# {}", words.join(" "), self.image.reference, jiff::Timestamp::now())?;
            Ok::<_, std::io::Error>(file)
        };
        (open().ok(), name)
    }

    /// The round as it may be kept.
    fn without_secrets(&self, mut round: Round) -> Round {
        for count in round.counts.iter_mut().flatten() {
            count.migration = self.redactor.redact(std::mem::take(&mut count.migration));
        }
        round
    }

    fn failure(&self, finished: &Finished, what: String, advice: Option<String>) -> Failure {
        Failure {
            what: self.redactor.redact(what),
            command: Some(finished.command.clone()),
            exit: Some(finished.exit.code),
            last_lines: finished.last_lines.clone(),
            log: Some(finished.log.clone()),
            advice: advice.unwrap_or_else(|| {
                "read the last lines and the log, mend the cause, then run the same command again: it goes on with \
                 this step"
                    .to_owned()
            }),
        }
    }

    fn unseen(&self, Unseen { error, last_lines, log }: Unseen) -> StepEnd {
        let mut what = error.what.clone();
        if let Some(source) = &error.source {
            what.push_str(&format!(" ({source})"));
        }
        let failure = Failure {
            what: self.redactor.redact(what),
            command: self.step.action.command(self.batch),
            exit: None,
            last_lines,
            log,
            advice: error.advice,
        };
        StepEnd::failed(Outcome::Failed, failure)
    }
}

/// Waits until the operator wants the run to be stopped that far; for ever if that cannot come any more.
async fn reached(stop: &mut watch::Receiver<StopLevel>, level: StopLevel) {
    if stop.wait_for(|now| *now >= level).await.is_err() {
        std::future::pending().await
    }
}
