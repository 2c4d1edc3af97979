//! One command, from its launch to its end.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Performance, StepEnd, StepMessage, reached};
use crate::conduct::StopLevel;
use crate::conduct::listen::Listener;
use crate::journal::{Failure, MigrationCount, Outcome};
use crate::model::{ReleaseCheck, Stream};
use crate::plan::{Action, StepConfiguration};
use crate::readers::{CheckReader, CountReader, Raised, Unread};
use crate::runner::{Exit, OutputLine, RunnerError, RunnerErrorKind, Task, TaskHandle, TaskId};

/// One command run to its end.
pub(super) struct Finished {
    pub(super) command: String,
    pub(super) handle: TaskHandle,
    pub(super) exit: Exit,
    /// Whether it was told to stop.
    pub(super) stopped: bool,
    pub(super) last_lines: Vec<String>,
    pub(super) alarm: Option<String>,
    /// What a data migration's output said; absent for other commands.
    pub(super) counts: Option<Result<Vec<MigrationCount>, Unread>>,
    pub(super) raised: Vec<Raised>,
    /// What the release's own checks said; nothing if they were not run or not understood.
    pub(super) checks: Option<Vec<ReleaseCheck>>,
    pub(super) log: String,
    pub(super) took: Duration,
}

/// A command that could not be started, or whose end could not be seen.
pub(super) struct Unseen {
    pub(super) error: RunnerError,
    pub(super) last_lines: Vec<String>,
    pub(super) log: Option<String>,
}

impl Performance {
    /// Runs one command, or watches the one that an earlier process launched, to its end.
    pub(super) async fn command(
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
                    let silence = silent_since.elapsed().as_secs();
                    silent_since = Instant::now();
                    self.remark(&format!("no output for {silence} s; still running")).await;
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
        let Listener { last_lines, alarm, counts, checks, exceptions, .. } = listener;
        let counts = counts.map(CountReader::finish);
        let checks = checks.and_then(CheckReader::finish);
        Ok(Finished {
            command,
            handle,
            exit,
            stopped,
            last_lines: last_lines.into(),
            alarm,
            counts,
            checks,
            raised: exceptions.finish(),
            log: log_name,
            took,
        })
    }

    /// Tells what leapfrog itself has to say of a step, beside its output.
    pub(super) async fn remark(&self, text: &str) {
        let text = format!("(leapfrog: {text})");
        let _ = self.tell.send(StepMessage::Line(self.step.id.clone(), Stream::Stderr, text)).await;
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

    pub(super) fn failure(&self, finished: &Finished, what: String, advice: Option<String>) -> Failure {
        Failure {
            what: self.redactor.redact(what),
            command: Some(finished.command.clone()),
            exit: Some(finished.exit.code),
            last_lines: finished.last_lines.clone(),
            log: Some(finished.log.clone()),
            migration: None,
            advice: advice.unwrap_or_else(|| {
                "read the last lines and the log, mend the cause, then run the same command again: it goes on with \
                 this step"
                    .to_owned()
            }),
        }
    }

    pub(super) fn unseen(&self, Unseen { error, last_lines, log }: Unseen) -> StepEnd {
        let waited = error.kind == RunnerErrorKind::EngineUnreachable && log.is_none();
        if waited && *self.stop.borrow() > StopLevel::None {
            // It was to be launched once the engine is back, and the operator did not want to wait.
            return StepEnd::interrupted().before_it_began();
        }
        let mut what = error.what.clone();
        if let Some(source) = &error.source {
            what.push_str(&format!(" ({source})"));
        }
        let never_began = log.is_none() || error.kind == RunnerErrorKind::NotStarted;
        let failure = Failure {
            what: self.redactor.redact(what),
            command: self.step.action.command(self.batch),
            exit: None,
            last_lines,
            log,
            migration: None,
            advice: error.advice,
        };
        StepEnd { never_began, ..StepEnd::failed(Outcome::Failed, failure) }
    }
}
