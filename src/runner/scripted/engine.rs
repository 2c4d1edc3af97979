//! The engine's side: tasks play their scripts.

use std::collections::BTreeSet;
use std::time::Duration;

use camino::Utf8PathBuf;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::script::Ending;
use super::state::Played;
use super::{Call, DeathPoint, Scripted, error};
use crate::model::{ImageReference, RunId};
use crate::runner::{
    Exit, FetchProgress, FoundState, FoundTask, OutputLine, PackageFiles, PinnedImage, ReadFiles, ReadRequest, Runner,
    RunnerError, RunnerErrorKind, RunnerIdentity, Task, TaskHandle,
};

fn missing(image: &ImageReference) -> RunnerError {
    error(RunnerErrorKind::ImageMissing, &format!("the registry has no image {image}"))
}

impl Scripted {
    /// Ends the process if it is to die here: nothing of it goes on.
    async fn dies(&self, death: Option<DeathPoint>, here: DeathPoint) {
        if death == Some(here) {
            self.state().dead.send_replace(true);
            std::future::pending::<()>().await;
        }
    }

    fn remove(&self, task: &TaskHandle) -> Result<(), RunnerError> {
        let mut state = self.present()?;
        if state.tasks.get(&task.0).is_some_and(|task| task.state() == FoundState::Running) {
            return Err(error(RunnerErrorKind::Other, &format!("the task {} runs", task.0)));
        }
        if let Some(played) = state.tasks.remove(&task.0) {
            state.calls.push(Call::Reap(played.id));
        }
        Ok(())
    }
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
        let death = self.present()?.act();
        self.dies(death, DeathPoint::Before).await;
        let play = self.state().play.clone();
        let played = play.and_then(|play| (play.0)(task));
        let handle = {
            let mut state = self.present()?;
            state.calls.push(Call::Launch(task.clone()));
            let script = played.unwrap_or_else(|| state.next_script(&task.id.step.to_string()));
            if let Ending::Refused(why) = &script.end {
                return Err(error(RunnerErrorKind::NotStarted, why));
            }
            let began = (death != Some(DeathPoint::Between)).then(Instant::now);
            state.add(Played::new(task.id.clone(), script, began))
        };
        self.dies(death, DeathPoint::Between).await;
        self.dies(death, DeathPoint::After).await;
        Ok(handle)
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
                return Ok(Exit { code, out_of_memory: false, engine_left: script.engine_left });
            }
            for _ in 0..script.tells {
                // Nobody has to listen.
                let _ = lines.send(line.clone()).await;
            }
        }
        let far = Duration::from_secs(30 * 365 * 24 * 3600);
        let ending = due + if matches!(script.end, Ending::Never) { far } else { script.pause };
        match (reach(ending).await, script.end) {
            (Some(code), _) => Ok(Exit { code, out_of_memory: false, engine_left: script.engine_left }),
            (None, Ending::Exit(code)) => {
                Ok(Exit { code, out_of_memory: script.out_of_memory, engine_left: script.engine_left })
            }
            (None, Ending::Lost(why) | Ending::Refused(why)) => Err(error(RunnerErrorKind::Lost, &why)),
            (None, Ending::Never) => Err(error(RunnerErrorKind::Other, "the test waited for thirty years")),
        }
    }

    async fn stop(&self, task: &TaskHandle, grace: Duration) -> Result<(), RunnerError> {
        let death = self.present()?.act();
        self.dies(death, DeathPoint::Before).await;
        let Ok(played) = self.task(task) else { return self.present().map(drop) };
        self.state().calls.push(Call::Stop(played.id.clone(), grace));
        if played.state() == FoundState::Running {
            let now = Instant::now();
            let (when, code) = if played.script.deaf { (now + grace, 137) } else { (now, 143) };
            played.stopped.send_replace(Some((when, code)));
            self.dies(death, DeathPoint::Between).await;
            sleep_until(when).await;
        }
        self.dies(death, DeathPoint::After).await;
        Ok(())
    }

    async fn written(&self, task: &TaskHandle, _thorough: bool) -> Result<Option<Vec<Utf8PathBuf>>, RunnerError> {
        Ok(Some(self.task(task)?.script.written))
    }

    async fn reap(&self, task: &TaskHandle) -> Result<(), RunnerError> {
        let death = self.present()?.act();
        self.dies(death, DeathPoint::Before).await;
        self.remove(task)?;
        // Removing is one act: there is nothing between.
        self.dies(death, DeathPoint::Between).await;
        self.dies(death, DeathPoint::After).await;
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
