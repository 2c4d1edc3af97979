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
//! The first launch of a step plays its first script, the next the second, and so on; the last one
//! repeats. Steps without a script end with 0 and say nothing. A clone shares everything: it is the
//! same engine as the next process of leapfrog sees it. Time is tokio's, so tests may pause it.

mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use camino::Utf8PathBuf;
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::{
    Exit, FetchProgress, FoundState, FoundTask, OutputLine, PackageFiles, PinnedImage, ReadFiles, ReadRequest, Runner,
    RunnerError, RunnerErrorKind, RunnerIdentity, Task, TaskHandle, TaskId,
};
use crate::model::{Digest, ImageReference, RunId, StepId};

use self::script::Ending;
pub use self::script::Script;

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

#[derive(Debug, Default)]
struct State {
    scripts: BTreeMap<String, Vec<Script>>,
    launches: BTreeMap<String, usize>,
    calls: Vec<Call>,
    tasks: BTreeMap<String, Played>,
    number: usize,
    most_at_once: usize,
    here: BTreeSet<ImageReference>,
    lacking: BTreeMap<ImageReference, BTreeSet<String>>,
    holding: BTreeMap<ImageReference, BTreeMap<String, String>>,
    missing: BTreeSet<ImageReference>,
    away: bool,
    registry_away: bool,
}

#[derive(Debug, Clone)]
struct Played {
    id: TaskId,
    script: Script,
    began: Option<Instant>,
    /// When and how the task is ended from outside.
    stopped: watch::Sender<Option<(Instant, i64)>>,
}

impl Played {
    fn new(id: TaskId, script: Script, began: Option<Instant>) -> Self {
        Self { id, script, began, stopped: watch::Sender::new(None) }
    }

    fn state(&self) -> FoundState {
        let Some(began) = self.began else { return FoundState::NeverStarted };
        let now = Instant::now();
        let stopped = self.stopped.borrow().is_some_and(|(when, _)| when <= now);
        let over = !matches!(self.script.end, Ending::Never) && began + self.script.length() <= now;
        if stopped || over { FoundState::Ended } else { FoundState::Running }
    }
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

impl State {
    fn add(&mut self, task: Played) -> TaskHandle {
        self.number += 1;
        let handle = format!("scripted-{}", self.number);
        self.tasks.insert(handle.clone(), task);
        let running = self.tasks.values().filter(|task| task.state() == FoundState::Running).count();
        self.most_at_once = self.most_at_once.max(running);
        TaskHandle(handle)
    }

    fn next_script(&mut self, step: &str) -> Script {
        let launches = self.launches.entry(step.to_owned()).or_default();
        let number = *launches;
        *launches += 1;
        let scripts = self.scripts.get(step).map(Vec::as_slice).unwrap_or_default();
        scripts.get(number).or(scripts.last()).cloned().unwrap_or_else(|| Script::ends(0))
    }
}

fn error(kind: RunnerErrorKind, what: &str) -> RunnerError {
    RunnerError { what: what.into(), advice: "Look at the test's script.".into(), kind, source: None }
}

fn missing(image: &ImageReference) -> RunnerError {
    error(RunnerErrorKind::ImageMissing, &format!("the registry has no image {image}"))
}

#[async_trait::async_trait]
impl Runner for Scripted {
    async fn identify(&self) -> Result<RunnerIdentity, RunnerError> {
        drop(self.present()?);
        Ok(RunnerIdentity { name: "Scripted 1.0".into(), address: "scripted://".into() })
    }

    async fn resolve(&self, reference: &ImageReference) -> Result<PinnedImage, RunnerError> {
        if self.present()?.missing.contains(reference) {
            return Err(missing(reference));
        }
        Ok(PinnedImage { reference: reference.clone(), digest: Self::digest(reference) })
    }

    async fn has(&self, image: &PinnedImage) -> Result<bool, RunnerError> {
        Ok(self.present()?.here.contains(&image.reference))
    }

    async fn fetch(
        &self,
        image: &PinnedImage,
        progress: &(dyn Fn(FetchProgress) + Send + Sync),
    ) -> Result<(), RunnerError> {
        let mut state = self.present()?;
        if state.missing.contains(&image.reference) {
            return Err(missing(&image.reference));
        }
        if state.registry_away && !state.here.contains(&image.reference) {
            return Err(error(RunnerErrorKind::RegistryUnreachable, "registry registry.example broke off in mid-pull"));
        }
        if state.here.insert(image.reference.clone()) {
            state.calls.push(Call::Fetch(image.reference.clone()));
            drop(state);
            progress(FetchProgress { done: 50, total: 100 });
            progress(FetchProgress { done: 100, total: 100 });
        }
        Ok(())
    }

    async fn lacking(&self, image: &PinnedImage, programs: &BTreeSet<String>) -> Result<BTreeSet<String>, RunnerError> {
        let state = self.present()?;
        let lacking = state.lacking.get(&image.reference);
        Ok(lacking.map(|lacking| lacking.intersection(programs).cloned().collect()).unwrap_or_default())
    }

    async fn read(&self, image: &PinnedImage, request: &ReadRequest) -> Result<ReadFiles, RunnerError> {
        let lacking = self.lacking(image, &request.programs).await?;
        let files = self.present()?.holding.get(&image.reference).cloned().unwrap_or_default();
        let below = |path: &str, wanted: &str| path.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'));
        let packages = request.packages.iter().map(|package| {
            let mut read = PackageFiles { place: Some("/site-packages".into()), ..PackageFiles::default() };
            for wanted in package.directories.iter().chain(&package.files) {
                let found = files.iter().filter(|(path, _)| *path == wanted || below(path, wanted));
                let before = read.texts.len();
                read.texts.extend(found.map(|(path, text)| (path.clone(), text.clone())));
                if read.texts.len() == before {
                    read.missing.insert(wanted.clone());
                }
            }
            let there = |candidate: &&String| files.keys().any(|path| path == *candidate || below(path, candidate));
            read.candidate = package.candidates.iter().find(there).cloned();
            read
        });
        Ok(ReadFiles { lacking, packages: packages.collect() })
    }

    async fn launch(&self, task: &Task) -> Result<TaskHandle, RunnerError> {
        let mut state = self.present()?;
        state.calls.push(Call::Launch(task.clone()));
        let script = state.next_script(&task.id.step.to_string());
        if let Ending::Refused(why) = &script.end {
            return Err(error(RunnerErrorKind::NotStarted, why));
        }
        Ok(state.add(Played::new(task.id.clone(), script, Some(Instant::now()))))
    }

    async fn watch(&self, task: &TaskHandle, lines: mpsc::Sender<OutputLine>) -> Result<Exit, RunnerError> {
        let Played { script, began, stopped, .. } = self.task(task)?;
        let Some(began) = began else {
            return Err(error(RunnerErrorKind::NotStarted, "the task was created and never started"));
        };
        let mut stopped = stopped.subscribe();
        // Ends when the task was stopped before `due`.
        let mut reach = async |due: Instant| -> Option<i64> {
            loop {
                let stop = *stopped.borrow_and_update();
                match stop {
                    Some((when, code)) if when <= due => {
                        sleep_until(when).await;
                        return Some(code);
                    }
                    _ => tokio::select! {
                        () = sleep_until(due) => return None,
                        Ok(()) = stopped.changed() => {}
                    },
                }
            }
        };
        let mut due = began;
        for (pause, line) in script.lines {
            due += pause;
            if let Some(code) = reach(due).await {
                return Ok(Exit { code, out_of_memory: false });
            }
            // Nobody has to listen.
            let _ = lines.send(line).await;
        }
        let far = Duration::from_secs(30 * 365 * 24 * 3600);
        let ending = due + if matches!(script.end, Ending::Never) { far } else { script.pause };
        match (reach(ending).await, script.end) {
            (Some(code), _) => Ok(Exit { code, out_of_memory: false }),
            (None, Ending::Exit(code)) => Ok(Exit { code, out_of_memory: script.out_of_memory }),
            (None, Ending::Lost(why) | Ending::Refused(why)) => Err(error(RunnerErrorKind::Lost, &why)),
            (None, Ending::Never) => Err(error(RunnerErrorKind::Other, "the test waited for thirty years")),
        }
    }

    async fn stop(&self, task: &TaskHandle, grace: Duration) -> Result<(), RunnerError> {
        let Ok(played) = self.task(task) else { return self.present().map(drop) };
        self.state().calls.push(Call::Stop(played.id.clone(), grace));
        if played.state() == FoundState::Running {
            let now = Instant::now();
            let (when, code) = if played.script.deaf { (now + grace, 137) } else { (now, 143) };
            played.stopped.send_replace(Some((when, code)));
            sleep_until(when).await;
        }
        Ok(())
    }

    async fn written(&self, task: &TaskHandle, _thorough: bool) -> Result<Option<Vec<Utf8PathBuf>>, RunnerError> {
        Ok(Some(self.task(task)?.script.written))
    }

    async fn reap(&self, task: &TaskHandle) -> Result<(), RunnerError> {
        let mut state = self.present()?;
        if state.tasks.get(&task.0).is_some_and(|task| task.state() == FoundState::Running) {
            return Err(error(RunnerErrorKind::Other, &format!("the task {} runs", task.0)));
        }
        if let Some(played) = state.tasks.remove(&task.0) {
            state.calls.push(Call::Reap(played.id));
        }
        Ok(())
    }

    async fn find(&self, run: &RunId) -> Result<Vec<FoundTask>, RunnerError> {
        let state = self.present()?;
        let of_run = state.tasks.iter().filter(|(_, task)| task.id.run == *run);
        let mut found: Vec<FoundTask> = of_run
            .map(|(handle, task)| FoundTask {
                id: task.id.clone(),
                handle: TaskHandle(handle.clone()),
                state: task.state(),
            })
            .collect();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(step: &str) -> Task {
        let reference: ImageReference = "quay.io/openstack/nova:1".parse().expect("valid");
        let digest = Scripted::digest(&reference);
        Task {
            id: TaskId {
                run: "20261122-031502-7f3a".parse().expect("valid"),
                step: step.parse().expect("valid"),
                attempt: 1,
                round: 1,
            },
            image: PinnedImage { reference, digest },
            command: vec!["nova-manage".into()],
            files: Vec::new(),
        }
    }

    async fn watch(runner: &Scripted, handle: &TaskHandle) -> (Vec<String>, Result<Exit, RunnerError>) {
        let (sender, mut receiver) = mpsc::channel(100);
        let exit = runner.watch(handle, sender).await;
        let mut lines = Vec::new();
        while let Some(line) = receiver.recv().await {
            lines.push(line.text);
        }
        (lines, exit)
    }

    #[tokio::test(start_paused = true)]
    async fn each_launch_plays_the_next_script_and_the_last_one_repeats() {
        let runner = Scripted::default();
        let step = "2024.1/nova/online-data";
        runner.on(step, [Script::ends(1).out("50"), Script::ends(0).after(Duration::from_secs(9)).out("0").err("end")]);
        for (code, expected) in [(1, vec!["50"]), (0, vec!["0", "end"]), (0, vec!["0", "end"])] {
            let handle = runner.launch(&task(step)).await.expect("launched");
            let (lines, exit) = watch(&runner, &handle).await;
            assert_eq!((lines, exit.expect("ended").code), (expected.iter().map(|s| (*s).to_owned()).collect(), code));
            runner.reap(&handle).await.expect("removed");
        }
        assert_eq!((runner.launched().len(), runner.most_at_once()), (3, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_task_obeys_a_deaf_one_does_not_and_both_are_found_by_the_next_process() {
        let runner = Scripted::default();
        runner.on("2024.1/nova/a", [Script::hangs().out("ready")]);
        runner.on("2024.1/nova/b", [Script::hangs().deaf()]);
        for (step, code, grace) in [("2024.1/nova/a", 143, 0), ("2024.1/nova/b", 137, 30)] {
            let handle = runner.launch(&task(step)).await.expect("launched");
            let next = runner.clone();
            let found = next.find(&task(step).id.run).await.expect("found");
            assert_eq!((found.len(), found[0].state), (1, FoundState::Running));
            assert!(next.reap(&handle).await.is_err());
            let began = Instant::now();
            let ((_, exit), stopped) =
                tokio::join!(watch(&next, &handle), runner.stop(&handle, Duration::from_secs(30)));
            stopped.expect("stopped");
            assert_eq!((exit.expect("ended").code, began.elapsed().as_secs()), (code, grace));
            next.reap(&handle).await.expect("removed");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_losses_and_what_an_earlier_process_left_can_be_played() {
        let runner = Scripted::default();
        let step = "2024.1/nova/a";
        runner.on(step, [Script::refused("no room left"), Script::lost("it was pruned")]);
        assert_eq!(runner.launch(&task(step)).await.expect_err("refused").kind, RunnerErrorKind::NotStarted);
        let handle = runner.launch(&task(step)).await.expect("launched");
        assert_eq!(watch(&runner, &handle).await.1.expect_err("lost").kind, RunnerErrorKind::Lost);

        let left =
            runner.leave(task(step).id, FoundState::Ended, Script::ends(2).after(Duration::from_secs(60)).out("x"));
        let (lines, exit) = watch(&runner, &left).await;
        assert_eq!((lines.len(), exit.expect("ended").code), (1, 2));
        let never = runner.leave(task(step).id, FoundState::NeverStarted, Script::ends(0));
        assert_eq!(watch(&runner, &never).await.1.expect_err("never").kind, RunnerErrorKind::NotStarted);
        runner.away(true);
        assert_eq!(runner.identify().await.expect_err("away").kind, RunnerErrorKind::EngineUnreachable);
    }
}
