//! A runner that runs nothing: it plays what a test has written down, and notes what was asked of it.
//!
//! ```
//! use leapfrog::runner::scripted::{Script, Scripted};
//!
//! let runner = Scripted::default();
//! runner.on("2024.1/nova/online-data", [Script::ends(1).out("| migrate_x | 50 | 50 |"), Script::ends(0)]);
//! runner.on("2024.1/nova/db-sync", [Script::hangs()]);
//! runner.on("2024.1/cinder/db-sync", [Script::refused("no room left")]);
//! // … conduct …
//! assert!(runner.launches().is_empty());
//! ```
//!
//! [`Scripted::plays`] decides launch by launch; [`Scripted::deeds`] says what commands really did, which is what
//! databases are made of in a test. [`Scripted::dies_at`] lets the process die between two acts, and
//! [`Scripted::kill`] and [`Scripted::forget`] are what happens to containers meanwhile.
//!
//! The first launch of a step plays its first script, the next the second, and so on; the last one
//! repeats. Steps without a script end with 0 and say nothing. A clone shares everything: it is the
//! same engine as the next process of leapfrog sees it. Time is tokio's, so tests may pause it.

mod engine;
mod script;
mod state;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::{FoundState, FoundTask, RunnerError, RunnerErrorKind, Task, TaskHandle, TaskId};
use crate::model::{Digest, ImageReference, StepId};

use self::script::Ending;
pub use self::script::Script;
use self::state::{Play, Played, State};

/// What was asked of the runner, in order.
#[derive(Debug, Clone)]
pub enum Call {
    /// An image was downloaded.
    Fetch(ImageReference),
    /// A task was launched, or was to be.
    Launch(Task),
    /// A task was stopped, with this grace.
    Stop(TaskId, Duration),
    /// A task was removed.
    Reap(TaskId),
}

/// The scripted runner.
#[derive(Debug, Clone, Default)]
pub struct Scripted {
    state: Arc<Mutex<State>>,
}

/// When a process dies that asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeathPoint {
    /// Before anything is done.
    Before,
    /// In the middle: a task is created and not started, a stop was asked for and not waited for.
    Between,
    /// It is done, and nobody was told.
    After,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Which command.
    pub id: TaskId,
    /// How far it came.
    pub end: DeedEnd,
    /// Whether it changed nothing, whatever it says.
    pub idle: bool,
}

/// How far a command came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeedEnd {
    /// It was created and never started.
    NeverBegan,
    /// It works.
    Works,
    /// It was ended before it was through.
    Cut,
    /// It came to its own end.
    Whole,
}

impl Scripted {
    /// Writes down what the launches of a step do, one after the other.
    ///
    /// # Panics
    ///
    /// If `step` is no step, or `scripts` is empty: that is a mistake in the test.
    pub fn on(&self, step: &str, scripts: impl IntoIterator<Item = Script>) {
        let scripts: Vec<Script> = scripts.into_iter().collect();
        assert!(step.parse::<StepId>().is_ok() && !scripts.is_empty(), "a script for {step}");
        self.state().scripts.insert(step.to_owned(), scripts);
    }

    /// Lets `play` decide what each launch does; where it has no answer, what [`Scripted::on`] wrote down counts.
    pub fn plays(&self, play: impl Fn(&Task) -> Option<Script> + Send + Sync + 'static) {
        self.state().play = Some(Play(Arc::new(play)));
    }

    /// Lets the process that works with this runner die at its `act`th launch, stop or removal, counted from 1:
    /// that call never returns, and [`Scripted::death`] does. Whoever conducts has to drop what he conducts then.
    pub fn dies_at(&self, act: usize, point: DeathPoint) {
        let mut state = self.state();
        (state.acts, state.deadly) = (0, Some((act, point)));
        state.dead.send_replace(false);
    }

    /// Lets the next process live.
    pub fn lives(&self) {
        let mut state = self.state();
        state.deadly = None;
        state.dead.send_replace(false);
    }

    /// Ends when the process is dead.
    pub async fn death(&self) {
        let mut dead = self.state().dead.subscribe();
        // The sender lives as long as the runner.
        let _ = dead.wait_for(|dead| *dead).await;
    }

    /// What every command did that was ever launched, in order, whether it is still known or not; without the
    /// first `known` ones. What has ended does not change any more.
    pub fn deeds(&self, known: usize) -> Vec<Deed> {
        self.state().past.iter().skip(known).map(Played::deed).collect()
    }

    /// The tasks that are there now.
    pub fn tasks(&self) -> Vec<FoundTask> {
        let state = self.state();
        let found = state.tasks.iter().map(|(handle, task)| FoundTask {
            id: task.id.clone(),
            handle: TaskHandle(handle.clone()),
            state: task.state(),
        });
        let mut found: Vec<FoundTask> = found.collect();
        found.sort_by(|one, two| one.id.cmp(&two.id));
        found
    }

    /// Ends a task's command by force, with 137, as a dying machine does.
    pub fn kill(&self, task: &TaskHandle) {
        if let Some(played) = self.state().tasks.get(&task.0).filter(|task| task.state() == FoundState::Running) {
            played.stopped.send_replace(Some((Instant::now(), 137)));
        }
    }

    /// Ends a task's command and forgets it, as somebody does who prunes containers.
    pub fn forget(&self, task: &TaskHandle) {
        self.kill(task);
        self.state().tasks.remove(&task.0);
    }

    /// Puts a task there as an earlier process left it.
    pub fn leave(&self, id: TaskId, state: FoundState, script: Script) -> TaskHandle {
        let now = Instant::now();
        let began = match state {
            FoundState::NeverStarted => None,
            FoundState::Running => Some(now),
            FoundState::Ended => Some(now.checked_sub(script.length()).unwrap_or(now)),
        };
        let played = Played::new(id, script, began);
        if state == FoundState::Ended && matches!(played.script.end, Ending::Never) {
            played.stopped.send_replace(Some((now, 143)));
        }
        self.state().add(played)
    }

    /// Lets the image lack these programs.
    pub fn lacks(&self, image: ImageReference, programs: &[&str]) {
        let programs = programs.iter().map(|program| (*program).to_owned()).collect();
        self.state().lacking.insert(image, programs);
    }

    /// Lets the image hold these files, by their path below `site-packages`. Without them it holds none.
    pub fn holds(&self, image: ImageReference, files: &[(&str, &str)]) {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        self.state().holding.insert(image, files);
    }

    /// Lets the registry lack the image.
    pub fn misses(&self, image: ImageReference) {
        self.state().missing.insert(image);
    }

    /// Lets no engine answer, or again. Tasks go on meanwhile.
    pub fn away(&self, away: bool) {
        self.state().away = away;
    }

    /// Lets the registry break off downloads, or no longer.
    pub fn registry_away(&self, away: bool) {
        self.state().registry_away = away;
    }

    /// Everything that was asked, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The tasks that were launched, or were to be, in order.
    pub fn launches(&self) -> Vec<Task> {
        let launch = |call: &Call| if let Call::Launch(task) = call { Some(task.clone()) } else { None };
        self.state().calls.iter().filter_map(launch).collect()
    }

    /// The steps of [`Scripted::launches`], as text.
    pub fn launched(&self) -> Vec<String> {
        self.launches().iter().map(|task| task.id.step.to_string()).collect()
    }

    /// How many tasks ran side by side at most.
    pub fn most_at_once(&self) -> usize {
        self.state().most_at_once
    }

    /// The digest that every image has here: made from its name.
    pub fn digest(image: &ImageReference) -> Digest {
        let hex: String = Sha256::digest(image.to_string()).iter().map(|byte| format!("{byte:02x}")).collect();
        let digest = format!("sha256:{hex}").parse();
        digest.unwrap_or_else(|error| unreachable!("{error}"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn present(&self) -> Result<MutexGuard<'_, State>, RunnerError> {
        let state = self.state();
        if state.away {
            return Err(error(RunnerErrorKind::EngineUnreachable, "no engine answers at scripted://"));
        }
        Ok(state)
    }

    fn task(&self, handle: &TaskHandle) -> Result<Played, RunnerError> {
        let known = self.present()?.tasks.get(&handle.0).cloned();
        known.ok_or_else(|| error(RunnerErrorKind::Lost, &format!("the task {} is gone", handle.0)))
    }
}

fn error(kind: RunnerErrorKind, what: &str) -> RunnerError {
    RunnerError { what: what.into(), advice: "Look at the test's script.".into(), kind, source: None }
}
