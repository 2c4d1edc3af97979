//! Finds, stops and removes tasks.

use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use rustix::process::Signal;

use super::Local;
use super::place::{Place, State};
use super::trouble::{RunnerErrorExt, trouble};
use crate::model::RunId;
use crate::runner::{FoundState, FoundTask, RunnerError, RunnerErrorKind, TaskHandle};

/// How long a process may take to end that is ended by force.
const LEEWAY: Duration = Duration::from_secs(60);

impl Local {
    /// The directory of a task.
    pub(super) fn place(&self, handle: &TaskHandle) -> Result<Place, RunnerError> {
        let parts: Vec<&str> = handle.0.split('/').collect();
        match parts[..] {
            [run, name] if run.parse::<RunId>().is_ok() && !name.starts_with('.') && !name.is_empty() => {
                Ok(Place(self.settings.tasks.join(run).join(name)))
            }
            _ => Err(lost(handle)),
        }
    }

    /// The tasks of a run that are still known, in their order. One whose end nobody saw is not: all that can be
    /// known of it is in the databases.
    pub(super) fn find_tasks(&self, run: &RunId) -> Result<Vec<FoundTask>, RunnerError> {
        let directory = self.settings.tasks.join(run.as_str());
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                let advice = "Let this user read the state directory, then run the same command again.";
                return Err(
                    trouble(RunnerErrorKind::Other, format!("list the tasks in {directory}"), advice).because(error)
                );
            }
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut found = Vec::new();
        for name in names {
            let handle = TaskHandle(format!("{run}/{name}"));
            let place = Place(directory.join(&name));
            // Whoever made it died before it was anything.
            let Some(kept) = place.kept() else { continue };
            let state = match place.state() {
                State::NeverStarted => FoundState::NeverStarted,
                State::Beginning | State::Running(_) => FoundState::Running,
                State::Ended(_) => FoundState::Ended,
                State::Unseen => {
                    place.forget_secrets();
                    continue;
                }
                State::Elsewhere => return Err(elsewhere(&handle)),
            };
            if state == FoundState::NeverStarted {
                place.forget_secrets();
            }
            found.push(FoundTask { id: kept.id(), handle, state });
        }
        found.sort_by(|one, two| one.id.cmp(&two.id));
        Ok(found)
    }

    /// Asks a task to end, and ends it after `grace`: its command and whatever that began in its own group.
    pub(super) async fn stop_task(&self, handle: &TaskHandle, grace: Duration) -> Result<(), RunnerError> {
        let place = self.place(handle)?;
        if ends_within(&place, Some(Signal::TERM), grace).await || ends_within(&place, Some(Signal::KILL), LEEWAY).await
        {
            return Ok(());
        }
        if place.state() == State::Elsewhere {
            return Err(elsewhere(handle));
        }
        Err(trouble(
            RunnerErrorKind::Other,
            format!("stop task {}: it runs on though it was ended by force", handle.0),
            "A disk or a network file system that does not answer can hold a process: see `dmesg`.",
        ))
    }

    /// Removes the directory of a task that does not run.
    pub(super) fn reap_task(&self, handle: &TaskHandle) -> Result<(), RunnerError> {
        let place = self.place(handle)?;
        let what = format!("remove task {}", handle.0);
        match place.state() {
            State::Beginning | State::Running(_) => {
                let advice = "Wait for its end, or stop it.";
                return Err(trouble(RunnerErrorKind::Other, format!("{what}: its command runs"), advice));
            }
            State::Elsewhere => return Err(elsewhere(handle)),
            State::NeverStarted | State::Ended(_) | State::Unseen => {}
        }
        let advice = "Let this user write to the state directory, then run `leapfrog sweep`.";
        place.remove().map_err(|error| trouble(RunnerErrorKind::Other, what, advice).because(error))?;
        // The run's directory, once nothing is in it any more.
        let _ = place.0.parent().map(fs::remove_dir);
        Ok(())
    }

    /// Removes what tasks left whose end nobody saw.
    pub(super) fn tidy_up(&self) -> usize {
        let Ok(runs) = self.settings.tasks.read_dir_utf8() else { return 0 };
        let mut removed = 0;
        for run in runs.flatten() {
            let Ok(tasks) = run.path().read_dir_utf8() else { continue };
            for task in tasks.flatten() {
                let place = Place(task.path().to_owned());
                let over = matches!(place.state(), State::Unseen)
                    || (place.kept().is_none() && place.state() == State::NeverStarted);
                if over && place.remove().is_ok() {
                    removed += 1;
                }
            }
            let _ = fs::remove_dir(run.path());
        }
        removed
    }
}

/// Whether a task ends in that time after a signal.
async fn ends_within(place: &Place, mut signal: Option<Signal>, time: Duration) -> bool {
    let ending = async {
        let mut pause = Duration::from_millis(20);
        loop {
            match place.state() {
                State::Running(process) => {
                    if let Some(signal) = signal.take() {
                        process.signal_group(signal);
                    }
                }
                State::Beginning => {}
                State::Elsewhere => std::future::pending().await,
                State::NeverStarted | State::Ended(_) | State::Unseen => return,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    };
    tokio::time::timeout(time, ending).await.is_ok()
}

/// The error of a task that nobody here can look at.
pub(super) fn elsewhere(handle: &TaskHandle) -> RunnerError {
    trouble(
        RunnerErrorKind::Other,
        format!("task {} was begun on another machine, or in another container, and may run there still", handle.0),
        "Run the same command there. If that machine is gone for good, remove the task's directory below `tasks` in the \
         state directory: the step is then judged by the databases.",
    )
}

/// The error of a task whose end nobody can tell.
pub(super) fn lost(handle: &TaskHandle) -> RunnerError {
    trouble(
        RunnerErrorKind::Lost,
        format!("how task {} ended was not seen: its supervisor was killed, or its directory was removed", handle.0),
        "Keep whoever did that away from leapfrog's processes and its state directory, then run the same command again: the \
         databases show what was done.",
    )
}
