//! Sees a task to its end: all of its output, then its exit.
//!
//! The engine's account of the container decides, not the calls: a wait that fails, an engine that
//! restarts, a reading that breaks off lead to another look at the container, for
//! the settings' outage at most.
//!
//! Following the output serves those who look on; it is never the whole truth. Docker Engine 20.10.24
//! ends it in good order while the last lines are still unread (in two of three runs for a last line
//! without an end, and by far the most of it for a slow reader). And it may never end, because a stray
//! process holds it open. So what was followed is given [`QUIET`] without news after the task's end, and
//! then the output is read once more as it stands; only that reading, ended in order, makes it complete.

use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum as Status};
use bollard::query_parameters::{InspectContainerOptions, WaitContainerOptions};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::Containers;
use super::output::{Read, Reading, Taken};
use super::trouble::{is_missing, is_unknown_state, trouble, went_away};
use crate::model::Stream;
use crate::runner::lines::Lines;
use crate::runner::{Exit, OutputLine, RunnerError, RunnerErrorKind, TaskHandle};

/// How long an engine may be away before the watch gives up, unless the settings say. The task is not harmed by that.
const ENGINE_AWAY: Duration = Duration::from_secs(600);
/// How long output may be silent after the task's end.
const QUIET: Duration = Duration::from_secs(3);
/// How often a task is looked at even though no end was announced: connections can die in silence.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How long a container may stay unstarted whose start was ordered without an answer.
const SETTLE: Duration = Duration::from_secs(5);
/// The first pause before output is followed again that ended before the task.
const REOPEN: Duration = Duration::from_millis(400);
/// How often output is read again after the end when the reading breaks off.
const READINGS: u32 = 3;

/// Whether a container's command ever began. Engines give exit codes to containers that did not start.
pub(super) fn was_started(found: &ContainerInspectResponse) -> bool {
    let started = found.state.as_ref().and_then(|state| state.started_at.as_deref());
    // The year 1 is how engines write "never".
    started.is_some_and(|time| !time.is_empty() && !time.starts_with("0001-"))
}

/// Whether a container's command ended. States that nobody knows count as running.
pub(super) fn has_ended(found: &ContainerInspectResponse) -> bool {
    let status = found.state.as_ref().and_then(|state| state.status);
    was_started(found) && matches!(status, Some(Status::EXITED | Status::DEAD | Status::REMOVING))
}

impl Containers {
    /// Sends all output to `lines` and returns the exit.
    pub(super) async fn watch_task(
        &self,
        task: &TaskHandle,
        lines: mpsc::Sender<OutputLine>,
    ) -> Result<Exit, RunnerError> {
        let mut output = Output { lines: Lines::default(), taken: Taken::default(), to: Some(lines) };
        let mut reading = Some(self.read(task, true));
        let mut pause = Pause(REOPEN);
        let mut again = Instant::now();
        let end = self.end_of(task);
        tokio::pin!(end);
        let exit = loop {
            tokio::select! {
                read = next(&mut reading, &mut output.taken) => match read {
                    Read::Piece(piece) => {
                        pause = Pause(REOPEN);
                        output.take(piece.stream, &piece.bytes).await;
                    }
                    Read::Known => {}
                    Read::End | Read::Broken => {
                        reading = None;
                        again = Instant::now() + pause.next();
                    }
                },
                // The reading ended and the task did not, or its end is a moment late.
                () = tokio::time::sleep_until(again), if reading.is_none() => reading = Some(self.read(task, true)),
                exit = &mut end => break exit?,
            }
        };
        if let Some(reading) = reading {
            output.drain(reading).await;
        }
        if !self.read_rest(task, &mut output).await {
            let text = "leapfrog: the container engine could not return the rest of this output".to_owned();
            output.send(OutputLine { stream: Stream::Stderr, text }).await;
        }
        output.finish().await;
        Ok(exit)
    }

    fn read(&self, task: &TaskHandle, follow: bool) -> Reading {
        Reading::begin(self.client.clone(), task.0.clone(), follow)
    }

    /// Reads what is left of the output of a task that ended; returns whether that is all.
    async fn read_rest(&self, task: &TaskHandle, output: &mut Output) -> bool {
        let mut pause = Pause::new();
        for _ in 0..READINGS {
            if output.drain(self.read(task, false)).await {
                return true;
            }
            sleep(pause.next()).await;
        }
        false
    }

    /// Waits until the container ended, through restarts of the engine.
    async fn end_of(&self, task: &TaskHandle) -> Result<Exit, RunnerError> {
        let began = Instant::now();
        let (mut seen_running, mut announced, mut left) = (false, None, false);
        let mut away: Option<Instant> = None;
        let mut pause = Pause::new();
        loop {
            match self.client.inspect_container(&task.0, None::<InspectContainerOptions>).await {
                Ok(found) if has_ended(&found) => return Ok(exit_of(&found, announced, left)),
                Ok(found) if !was_started(&found) => {
                    if began.elapsed() > SETTLE {
                        return Err(never_started(&found));
                    }
                    sleep(pause.next()).await;
                    continue;
                }
                Ok(_) => (away, seen_running) = (None, true),
                Err(error) if is_unknown_state(&error) => away = None,
                Err(error) if is_missing(&error) => {
                    // Somebody removed it in the moment between its end and this look.
                    let code = announced.filter(|_| seen_running).ok_or_else(|| lost(task))?;
                    return Ok(Exit { code, out_of_memory: false, engine_left: left });
                }
                Err(error) => {
                    left |= went_away(&error);
                    let outage = self.settings.outage.unwrap_or(ENGINE_AWAY);
                    if away.get_or_insert_with(Instant::now).elapsed() > outage {
                        return Err(self.gave_up(error));
                    }
                    sleep(pause.next()).await;
                    continue;
                }
            }
            let asked = Instant::now();
            // Any other answer, and none, means another look.
            match self.wait(task).await {
                Ok(Waited::Ended(code)) => announced = Some(code),
                Ok(Waited::BrokenOff) => left = true,
                Ok(Waited::StillRuns) => {}
                Err(error) => left |= went_away(&error),
            }
            if asked.elapsed() > Duration::from_secs(1) {
                pause = Pause::new();
            } else {
                // An answer at once, and the look before said that it runs: the two are not in step yet.
                sleep(pause.next()).await;
            }
        }
    }

    /// Waits for the announcement of the end, for [`LOOK_AGAIN`] at most.
    async fn wait(&self, task: &TaskHandle) -> Result<Waited, Error> {
        let mut announcement = self.client.wait_container(&task.0, None::<WaitContainerOptions>);
        match timeout(LOOK_AGAIN, announcement.next()).await {
            Ok(Some(Ok(end))) => Ok(Waited::Ended(end.status_code)),
            // Exit codes other than 0 arrive as errors.
            Ok(Some(Err(Error::DockerContainerWaitError { code, .. }))) => Ok(Waited::Ended(code)),
            Ok(Some(Err(error))) => Err(error),
            Ok(None) => Ok(Waited::BrokenOff),
            Err(_) => Ok(Waited::StillRuns),
        }
    }

    fn gave_up(&self, error: Error) -> RunnerError {
        RunnerError {
            advice: "The task may be running still. Start the container engine again, then run the same command again: the task \
                     is found and its end is read, or it is run again where that is safe."
                .into(),
            ..self.address.refused("see a task to its end", error)
        }
    }
}

/// What came of waiting for a task's end.
enum Waited {
    /// It ended with this code.
    Ended(i64),
    /// The engine stopped answering in the middle.
    BrokenOff,
    /// It was waited for long enough.
    StillRuns,
}

/// The next read of a reading, if there is one.
async fn next(reading: &mut Option<Reading>, taken: &mut Taken) -> Read {
    match reading {
        Some(reading) => reading.next(taken).await,
        None => std::future::pending().await,
    }
}

fn exit_of(found: &ContainerInspectResponse, announced: Option<i64>, engine_left: bool) -> Exit {
    let state = found.state.as_ref();
    Exit {
        // An engine that says neither way how a task ended has not said that it ended well.
        code: state.and_then(|state| state.exit_code).or(announced).unwrap_or(255),
        out_of_memory: state.and_then(|state| state.oom_killed).unwrap_or(false),
        engine_left,
    }
}

fn never_started(found: &ContainerInspectResponse) -> RunnerError {
    let state = found.state.as_ref();
    let why = state.and_then(|state| state.error.as_deref()).filter(|why| !why.is_empty());
    trouble(
        RunnerErrorKind::NotStarted,
        format!(
            "the task's container was created and never started{}",
            why.map(|why| format!(": {why}")).unwrap_or_default()
        ),
        "Its command has not begun. Run the same command again.",
    )
}

fn lost(task: &TaskHandle) -> RunnerError {
    trouble(
        RunnerErrorKind::Lost,
        format!("the task's container {} is gone, and with it how the task ended", task.0.get(..12).unwrap_or(&task.0)),
        "Somebody or something removed it (such as `docker system prune`): keep that away from leapfrog's containers while it runs, \
         then run the same command again.",
    )
}

/// Output on its way to whoever wants the lines.
struct Output {
    lines: Lines,
    taken: Taken,
    /// None once nobody listens any more.
    to: Option<mpsc::Sender<OutputLine>>,
}

impl Output {
    async fn take(&mut self, stream: Stream, bytes: &[u8]) {
        for line in self.lines.take(stream, bytes) {
            self.send(line).await;
        }
    }

    async fn send(&mut self, line: OutputLine) {
        if let Some(to) = &self.to
            && to.send(line).await.is_err()
        {
            self.to = None;
        }
    }

    /// Takes what a reading still brings, until its end or a silence; returns whether it ended in order.
    async fn drain(&mut self, mut reading: Reading) -> bool {
        loop {
            // Only the engine's silence counts, not that of whoever takes the lines.
            match timeout(QUIET, reading.next(&mut self.taken)).await {
                Ok(Read::Piece(piece)) => self.take(piece.stream, &piece.bytes).await,
                Ok(Read::Known) => {}
                Ok(Read::End) => return true,
                Ok(Read::Broken) => return false,
                Err(_) => return false,
            }
        }
    }

    async fn finish(mut self) {
        for line in std::mem::take(&mut self.lines).finish() {
            self.send(line).await;
        }
    }
}

/// Pauses that double, up to 5 s.
#[derive(Debug, Clone, Copy)]
struct Pause(Duration);

impl Pause {
    fn new() -> Self {
        Self(Duration::from_millis(50))
    }

    fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(Duration::from_secs(5));
        pause
    }
}
