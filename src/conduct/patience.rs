//! Waiting for a container engine or a registry that is away: it may come back.
//!
//! [`Patient`] is a runner before the runner. What it was asked for it asks again, where that is safe:
//! reading is, and so is launching, since an error of [`Runner::launch`] means that the command has not
//! begun and a task that exists already is not made twice. It waits for [`Patience::outage`] at most,
//! says so, and how much longer, and gives up at once when the operator wants the run to stop.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use camino::Utf8PathBuf;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::StopLevel;
use super::sink::{EventSink, QuietSink};
use super::step::reached;
use crate::model::{ImageReference, RunId};
use crate::runner::{
    Exit, FetchProgress, FoundTask, OutputLine, PinnedImage, ReadFiles, ReadRequest, Runner, RunnerError,
    RunnerErrorKind, RunnerIdentity, Task, TaskHandle,
};

/// The pause between two attempts; it doubles from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// How often an operator is told that something is still away.
const REMIND: Duration = Duration::from_secs(60);
/// How often is looked whether the engine is there while a task is watched.
const LOOK: Duration = Duration::from_secs(10);
/// How long the removal of a finished container waits: what is left is swept later.
const REMOVAL: Duration = Duration::from_secs(60);

/// How long to wait, and who hears of it.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    /// How long something may be away.
    pub(super) outage: Duration,
    /// How far the operator wants the run to be stopped.
    pub(super) stop: watch::Receiver<StopLevel>,
    /// Who is told.
    pub(super) events: QuietSink,
}

/// A runner that waits for its engine and for registries, each time for `outage` at most, and tells `events`.
pub fn patient(runner: Arc<dyn Runner>, outage: Duration, events: &EventSink) -> Arc<dyn Runner> {
    // Nobody stops it: whoever waits with it gives up by dropping the future.
    let (_, stop) = watch::channel(StopLevel::None);
    Arc::new(Patient::new(runner, Patience { outage, stop, events: events.quietly() }))
}

/// A runner that waits for its engine.
pub(super) struct Patient {
    runner: Arc<dyn Runner>,
    patience: Patience,
    /// Whether the operator knows that the engine is away while tasks are watched.
    told: AtomicBool,
}

impl Patient {
    /// `runner`, waited for with `patience`.
    pub(super) fn new(runner: Arc<dyn Runner>, patience: Patience) -> Self {
        Self { runner, patience, told: AtomicBool::new(false) }
    }

    /// Tells that the engine is away, and that it is back, for as long as a task is watched.
    async fn look_after(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let Patience { outage, events, .. } = &self.patience;
            match self.runner.identify().await {
                Err(error) if is_passing(error.kind) => {
                    if !self.told.swap(true, Ordering::Relaxed) {
                        let most = words(*outage);
                        events.notice(format!("{error}: what runs goes on; its end is waited for, {most} at most"));
                    }
                }
                Err(_) => {}
                Ok(identity) => {
                    if self.told.swap(false, Ordering::Relaxed) {
                        events.notice(format!("{} answers again", identity.name));
                    }
                }
            }
        }
    }

    /// Asks again while nobody answers who may come back, until the run is stopped as far as `until`.
    async fn ask<'a, T>(
        &self,
        until: StopLevel,
        most: Duration,
        question: &(dyn Fn() -> BoxFuture<'a, Result<T, RunnerError>> + Send + Sync),
    ) -> Result<T, RunnerError> {
        let Patience { outage, stop, events } = &self.patience;
        let (limit, mut stop) = ((*outage).min(most), stop.clone());
        let (mut since, mut told, mut pause) = (None, None::<Instant>, PAUSES.0);
        loop {
            let error = match question().await {
                Err(error) if is_passing(error.kind) => error,
                answer => {
                    if let Some(since) = since {
                        let after = words(Instant::now().saturating_duration_since(since));
                        events.notice(format!("it answers again after {after}; the run goes on"));
                    }
                    return answer;
                }
            };
            let left = limit.saturating_sub(since.get_or_insert_with(Instant::now).elapsed());
            if left.is_zero() || *stop.borrow() >= until {
                return Err(error);
            }
            if told.is_none_or(|told| told.elapsed() >= REMIND) {
                told = Some(Instant::now());
                events.notice(format!("{error}: waiting for it, {} at most", words(left)));
            }
            tokio::select! {
                () = tokio::time::sleep(pause.min(left)) => {}
                () = reached(&mut stop, until) => {}
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}

/// Whether who did not answer may answer later.
fn is_passing(kind: RunnerErrorKind) -> bool {
    matches!(kind, RunnerErrorKind::EngineUnreachable | RunnerErrorKind::RegistryUnreachable)
}

/// A length of time in words, to the second.
fn words(length: Duration) -> String {
    let seconds = length.saturating_add(Duration::from_millis(500)).as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} m"),
        (minutes, seconds) => format!("{minutes} m {seconds} s"),
    }
}

#[async_trait::async_trait]
impl Runner for Patient {
    async fn identify(&self) -> Result<RunnerIdentity, RunnerError> {
        self.ask(StopLevel::Drain, Duration::MAX, &|| self.runner.identify()).await
    }

    async fn resolve(&self, reference: &ImageReference) -> Result<PinnedImage, RunnerError> {
        self.ask(StopLevel::Drain, Duration::MAX, &|| self.runner.resolve(reference)).await
    }

    async fn has(&self, image: &PinnedImage) -> Result<bool, RunnerError> {
        self.ask(StopLevel::Drain, Duration::MAX, &|| self.runner.has(image)).await
    }

    async fn fetch(
        &self,
        image: &PinnedImage,
        progress: &(dyn Fn(FetchProgress) + Send + Sync),
    ) -> Result<(), RunnerError> {
        self.ask(StopLevel::Drain, Duration::MAX, &|| self.runner.fetch(image, progress)).await
    }

    async fn lacking(&self, image: &PinnedImage, programs: &BTreeSet<String>) -> Result<BTreeSet<String>, RunnerError> {
        self.ask(StopLevel::Drain, Duration::MAX, &|| self.runner.lacking(image, programs)).await
    }

    async fn read(&self, image: &PinnedImage, request: &ReadRequest) -> Result<ReadFiles, RunnerError> {
        self.ask(StopLevel::Drain, Duration::MAX, &|| self.runner.read(image, request)).await
    }

    async fn launch(&self, task: &Task) -> Result<TaskHandle, RunnerError> {
        self.ask(StopLevel::Drain, Duration::MAX, &|| self.runner.launch(task)).await
    }

    /// The runner waits by itself: it knows what it has read already.
    async fn watch(&self, task: &TaskHandle, lines: mpsc::Sender<OutputLine>) -> Result<Exit, RunnerError> {
        tokio::select! {
            exit = self.runner.watch(task, lines) => exit,
            () = self.look_after() => unreachable!("nobody ends it"),
        }
    }

    async fn stop(&self, task: &TaskHandle, grace: Duration) -> Result<(), RunnerError> {
        self.ask(StopLevel::Abandon, Duration::MAX, &|| self.runner.stop(task, grace)).await
    }

    async fn written(&self, task: &TaskHandle, thorough: bool) -> Result<Option<Vec<Utf8PathBuf>>, RunnerError> {
        self.ask(StopLevel::Stop, Duration::MAX, &|| self.runner.written(task, thorough)).await
    }

    async fn reap(&self, task: &TaskHandle) -> Result<(), RunnerError> {
        self.ask(StopLevel::Drain, REMOVAL, &|| self.runner.reap(task)).await
    }

    async fn find(&self, run: &RunId) -> Result<Vec<FoundTask>, RunnerError> {
        self.ask(StopLevel::Drain, Duration::MAX, &|| self.runner.find(run)).await
    }
}
