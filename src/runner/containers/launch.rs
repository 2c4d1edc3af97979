//! Creates and starts the container of a task.
//!
//! A call whose answer was lost is never taken for a failure: the engine may have done it. So
//! launching the same task twice cannot run its command twice. Who asks for a task that exists
//! already gets the container that is there.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, RemoveContainerOptionsBuilder, StartContainerOptions,
};

use super::images::LocalImage;
use super::trouble::{is_answer, is_leaving, trouble, words};
use super::{Containers, images, labels};
use crate::runner::{FoundState, RunnerError, RunnerErrorKind, Task, TaskHandle};

/// What became of an attempt to create a container.
enum Created {
    /// A new one, not started.
    New(String),
    /// One of this very task was there.
    Old(TaskHandle),
}

impl Containers {
    /// Creates and starts a task.
    pub(super) async fn launch_task(&self, task: &Task) -> Result<TaskHandle, RunnerError> {
        let Some(program) = task.command.first() else {
            return Err(not_started(task, "the command is empty", "Name a program in the playbook."));
        };
        let Some(image) = self.local_image(&task.image).await? else {
            let missing = images::not_here(&task.image.reference.pinned(&task.image.digest));
            return Err(RunnerError { kind: RunnerErrorKind::NotStarted, ..missing });
        };
        self.engine().await?;
        let mut with_init = !self.without_init.load(Ordering::Relaxed);
        loop {
            let id = match self.create(task, &image, with_init).await {
                Ok(Created::New(id)) => id,
                Ok(Created::Old(handle)) => return Ok(handle),
                Err(error) if with_init && is_about_init(&error) => {
                    with_init = false;
                    continue;
                }
                Err(error) => return Err(self.not_started(task, error)),
            };
            match self.begin(task, &id, &image, program).await {
                Ok(()) => {
                    if !with_init {
                        self.without_init.store(true, Ordering::Relaxed);
                    }
                    return Ok(TaskHandle(id));
                }
                Err(Begin::Refused(error)) if with_init && is_about_init(&error) => {
                    self.discard(&id).await;
                    with_init = false;
                }
                Err(Begin::Refused(error)) => {
                    self.discard(&id).await;
                    return Err(self.not_started(task, error));
                }
                Err(Begin::Impossible(error)) => {
                    self.discard(&id).await;
                    return Err(error);
                }
            }
        }
    }

    async fn create(&self, task: &Task, image: &LocalImage, with_init: bool) -> Result<Created, Error> {
        let name = labels::name(&task.id);
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let body = self.body(task, image, with_init);
        let error = match self.client.create_container(Some(options), body).await {
            Ok(created) => return Ok(Created::New(created.id)),
            Err(error) => error,
        };
        // The name is taken (Docker: 409, Podman: 500 and a text), or the answer was lost.
        let taken = matches!(&error, Error::DockerResponseServerError { status_code: 409, .. })
            || words(&error).contains("already in use");
        if !taken && is_answer(&error) {
            return Err(error);
        }
        let Ok(found) = self.find_tasks(&task.id.run).await else { return Err(error) };
        match found.into_iter().find(|found| found.id == task.id) {
            // Left by a process that died before the start; its private files may be incomplete.
            Some(found) if found.state == FoundState::NeverStarted => {
                self.discard(&found.handle.0).await;
                let options = CreateContainerOptionsBuilder::default().name(&name).build();
                let body = self.body(task, image, with_init);
                self.client.create_container(Some(options), body).await.map(|created| Created::New(created.id))
            }
            Some(found) => Ok(Created::Old(found.handle)),
            None => Err(error),
        }
    }

    fn body(&self, task: &Task, image: &LocalImage, with_init: bool) -> ContainerCreateBody {
        let podman = self.engine.get().is_some_and(|engine| engine.podman);
        let (program, arguments) = task.command.split_first().map_or((None, &[][..]), |(p, a)| (Some(p.clone()), a));
        ContainerCreateBody {
            image: Some(image.name.clone()),
            // The image's own entry point (kolla_start, dumb-init) would run something else first.
            entrypoint: program.map(|program| vec![program]),
            cmd: Some(arguments.to_vec()),
            working_dir: Some("/".into()),
            user: self.settings.user.clone(),
            labels: Some(labels::of_task(&task.id, &self.settings.cloud)),
            tty: Some(false),
            // Images of web services ask for signals that mean nothing to a command.
            stop_signal: Some("SIGTERM".into()),
            healthcheck: Some(HealthConfig { test: Some(vec!["NONE".into()]), ..Default::default() }),
            host_config: Some(HostConfig {
                init: with_init.then_some(true),
                network_mode: self.settings.network.clone(),
                auto_remove: Some(false),
                restart_policy: Some(RestartPolicy {
                    name: Some(RestartPolicyNameEnum::NO),
                    maximum_retry_count: None,
                }),
                log_config: (!podman).then(log_config),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    /// Makes a new container ready and starts it.
    async fn begin(&self, task: &Task, id: &str, image: &LocalImage, program: &str) -> Result<(), Begin> {
        // With an init process in front a missing program would start, and end with 127.
        let known = (image.name.clone(), program.to_owned());
        let seen = self.seen().programs.contains(&known);
        if seen || self.has_program(id, &image.path, program).await.map_err(Begin::Impossible)? {
            self.seen().programs.insert(known);
        } else {
            let what = format!("image {} has no program `{program}`", task.image.reference);
            let advice =
                "Check that the image is one of this service and this release, and name another in the cloud file.";
            return Err(Begin::Impossible(not_started(task, &what, advice)));
        }
        self.put_files(id, &image.name, &task.files).await.map_err(Begin::Impossible)?;
        let Err(error) = self.client.start_container(id, None::<StartContainerOptions>).await else { return Ok(()) };
        match self.client.inspect_container(id, None::<InspectContainerOptions>).await {
            Ok(found) if super::watch::was_started(&found) => Ok(()),
            Ok(_) if is_answer(&error) => Err(Begin::Refused(error)),
            Err(_) if is_answer(&error) => Err(Begin::Refused(error)),
            // Nobody knows. Whoever watches the container will find out; that is safer than to say it did not start.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Removes a container whose command has not begun.
    async fn discard(&self, id: &str) {
        let options = RemoveContainerOptionsBuilder::default().v(true).force(true).build();
        let _ = self.client.remove_container(id, Some(options)).await;
    }

    fn not_started(&self, task: &Task, error: Error) -> RunnerError {
        if !is_answer(&error) || is_leaving(&error) {
            return self.address.unreachable(error);
        }
        let advice = "The command has not begun. Put right what the container engine complains about, then run the same command again.";
        let not_started = not_started(task, &words(&error), advice);
        RunnerError { source: Some(Box::new(error)), ..not_started }
    }
}

/// Why a container that was created did not start.
enum Begin {
    /// The engine refused to start it.
    Refused(Error),
    /// It could not be made ready.
    Impossible(RunnerError),
}

fn not_started(task: &Task, why: &str, advice: &str) -> RunnerError {
    let command = task.command.join(" ");
    trouble(RunnerErrorKind::NotStarted, format!("`{command}` of {} could not be started: {why}", task.id.step), advice)
}

/// Whether a refusal is about the init process: Docker's `docker-init`, Podman's `catatonit`.
fn is_about_init(error: &Error) -> bool {
    let words = words(error);
    ["docker-init", "catatonit", "container-init", "init binary"].iter().any(|name| words.contains(name))
}

/// Where Docker keeps a container's output: its own file, whatever the daemon's default is.
///
/// Output must be readable from the beginning until the container is removed. Some drivers keep none,
/// and a daemon's defaults may rotate early or drop lines when busy; they also hold for a driver that
/// is named here unless each option is named too. 1 GiB is more than any migration writes.
fn log_config() -> HostConfigLogConfig {
    let options = [("max-size", "1g"), ("max-file", "2"), ("mode", "blocking")];
    let config: HashMap<String, String> = options.map(|(name, value)| (name.into(), value.into())).into();
    HostConfigLogConfig { typ: Some("json-file".into()), config: Some(config) }
}
