//! Waiting for a container engine or a registry that is away: it may come back.
//!
//! [`Patient`] is a runner before the runner. What it was asked for it asks again, where that is safe:
//! reading is, and so is launching, since an error of [`Runner::launch`] means that the command has not
//! begun and a task that exists already is not made twice. It waits for [`Patience::outage`] at most,
//! says so, and how much longer, and gives up at once when the operator wants the run to stop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
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
    /// Who is away, as far as the operator knows.
    away: Mutex<BTreeMap<&'static str, Away>>,
}

/// Somebody who is waited for.
#[derive(Debug, Clone, Copy)]
struct Away {
    since: Instant,
    told: Instant,
}

impl Patient {
    /// `runner`, waited for with `patience`.
    pub(super) fn new(runner: Arc<dyn Runner>, patience: Patience) -> Self {
        Self { runner, patience, away: Mutex::default() }
    }

    /// Who answers again, or not.
    fn who(&self, kind: RunnerErrorKind) -> &'static str {
        match (kind, self.runner.noun()) {
            (RunnerErrorKind::RegistryUnreachable, "process") => "the package index",
            (RunnerErrorKind::RegistryUnreachable, _) => "the registry",
            _ => "the container engine",
        }
    }

    /// Tells that somebody is away, once a minute, however many wait.
    fn tell_away(&self, error: &RunnerError) {
        let now = Instant::now();
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let known = away.get(self.who(error.kind)).copied();
        if known.is_some_and(|known| now - known.told < REMIND) {
            return;
        }
        let since = known.map_or(now, |known| known.since);
        away.insert(self.who(error.kind), Away { since, told: now });
        let left = self.patience.outage.saturating_sub(now - since);
        self.patience.events.notice(format!("{error}: waiting for it, {} at most", words(left)));
    }

    /// Tells that who was away answers.
    fn tell_back(&self, who: &'static str) {
        let known = self.away.lock().unwrap_or_else(PoisonError::into_inner).remove(who);
        if let Some(known) = known {
            self.patience.events.notice(format!("{who} answers again after {}", words(known.since.elapsed())));
        }
    }

    /// Tells that the engine is away, and that it is back, for as long as a task is watched.
    async fn look_after(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            match self.runner.identify().await {
                Err(error) if is_passing(error.kind) => self.tell_away(&error),
                Err(_) => {}
                Ok(_) => self.tell_back(self.who(RunnerErrorKind::EngineUnreachable)),
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
        let (limit, mut stop) = (self.patience.outage.min(most), self.patience.stop.clone());
        let (mut since, mut waited, mut pause) = (None, None, PAUSES.0);
        loop {
            let error = match question().await {
                Err(error) if is_passing(error.kind) => error,
                answer => {
                    waited.into_iter().for_each(|who| self.tell_back(who));
                    return answer;
                }
            };
            let left = limit.saturating_sub(since.get_or_insert_with(Instant::now).elapsed());
            if left.is_zero() || *stop.borrow() >= until {
                return Err(error);
            }
            waited = Some(self.who(error.kind));
            self.tell_away(&error);
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
    fn noun(&self) -> &'static str {
        self.runner.noun()
    }

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
