//! Finds, stops and removes containers of tasks.

use std::time::Duration;

use bollard::errors::Error;
use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    InspectContainerOptions, KillContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};

use super::trouble::{is_missing, is_unknown_state, trouble, words};
use super::watch::{has_ended, was_started};
use super::{Containers, labels};
use crate::model::RunId;
use crate::runner::{FoundState, FoundTask, RunnerError, RunnerErrorKind, TaskHandle};

/// How long a container may take to end that is ended by force.
const LEEWAY: Duration = Duration::from_secs(60);
/// How often a list is asked for again that holds a state which the client cannot read. Those pass quickly.
const LISTINGS: u32 = 5;

impl Containers {
    /// The tasks of a run that have a container, in their order.
    pub(super) async fn find_tasks(&self, run: &RunId) -> Result<Vec<FoundTask>, RunnerError> {
        let mut found = Vec::new();
        for container in self.list(run).await? {
            let (Some(id), Some(task)) = (container.id, container.labels.as_ref().and_then(labels::task)) else {
                continue;
            };
            // The list tells of states in words; whether a command ever began stands only in the inspection.
            let state = match self.client.inspect_container(&id, None::<InspectContainerOptions>).await {
                Ok(seen) if has_ended(&seen) => FoundState::Ended,
                Ok(seen) if was_started(&seen) => FoundState::Running,
                Ok(seen) if is_unstarted(&seen) => FoundState::NeverStarted,
                Ok(_) => FoundState::Running,
                Err(error) if is_unknown_state(&error) => FoundState::Running,
                Err(error) if is_missing(&error) => continue,
                Err(error) => return Err(self.address.refused(&format!("look at container {id}"), error)),
            };
            found.push(FoundTask { id: task, handle: TaskHandle(id), state });
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    async fn list(&self, run: &RunId) -> Result<Vec<ContainerSummary>, RunnerError> {
        let options = ListContainersOptionsBuilder::default().all(true).filters(&labels::filter(run)).build();
        let mut listings = 1;
        loop {
            match self.client.list_containers(Some(options.clone())).await {
                Ok(found) => return Ok(found),
                Err(error) if is_unknown_state(&error) && listings < LISTINGS => {
                    listings += 1;
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(error) => return Err(self.address.refused(&format!("list the containers of run {run}"), error)),
            }
        }
    }

    /// Asks a task to end, and ends it after `grace`. A task that is gone has ended.
    ///
    /// The grace is counted here and not by the engine's own call for stopping, which cannot be taken back: whoever
    /// gives up waiting leaves the command as it is.
    pub(super) async fn stop_task(&self, task: &TaskHandle, grace: Duration) -> Result<(), RunnerError> {
        if self.signal(task, "SIGTERM").await? || self.ends_within(task, grace).await {
            return Ok(());
        }
        if self.signal(task, "SIGKILL").await? || self.ends_within(task, LEEWAY).await {
            return Ok(());
        }
        Err(trouble(
            RunnerErrorKind::Other,
            format!("stop container {}: it runs on though it was ended by force", short(task)),
            "See the container engine's own log; a disk or a network file system that does not answer can hold a process.",
        ))
    }

    /// Sends a signal to a task's command; returns whether it has ended already.
    async fn signal(&self, task: &TaskHandle, signal: &str) -> Result<bool, RunnerError> {
        let options = KillContainerOptionsBuilder::default().signal(signal).build();
        let Err(error) = self.client.kill_container(&task.0, Some(options)).await else { return Ok(false) };
        if is_missing(&error) || self.has_stopped(task).await {
            return Ok(true);
        }
        Err(self.address.refused(&format!("stop container {}", short(task)), error))
    }

    /// Whether a task ends in that time.
    async fn ends_within(&self, task: &TaskHandle, time: Duration) -> bool {
        let ending = async {
            let mut pause = Duration::from_millis(50);
            while !self.has_stopped(task).await {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        };
        tokio::time::timeout(time, ending).await.is_ok()
    }

    /// Whether a task's command is seen not to run.
    async fn has_stopped(&self, task: &TaskHandle) -> bool {
        match self.client.inspect_container(&task.0, None::<InspectContainerOptions>).await {
            Ok(found) => has_ended(&found) || is_unstarted(&found),
            Err(error) => is_missing(&error),
        }
    }

    /// Removes the container of a task that ended, with its private files and anonymous volumes. One that runs stays.
    pub(super) async fn reap_task(&self, task: &TaskHandle) -> Result<(), RunnerError> {
        let options = RemoveContainerOptionsBuilder::default().v(true).force(false).build();
        match self.client.remove_container(&task.0, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) if is_missing(&error) || is_being_removed(&error) => Ok(()),
            Err(error) => Err(self.address.refused(&format!("remove container {}", short(task)), error)),
        }
    }
}

/// Whether a container is as it was created.
fn is_unstarted(found: &bollard::models::ContainerInspectResponse) -> bool {
    use bollard::models::ContainerStateStatusEnum::{CREATED, DEAD, EXITED};
    let status = found.state.as_ref().and_then(|state| state.status);
    !was_started(found) && matches!(status, Some(CREATED | EXITED | DEAD))
}

fn is_being_removed(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 409, .. })
        && words(error).contains("already in progress")
}

fn short(task: &TaskHandle) -> &str {
    task.0.get(..12).unwrap_or(&task.0)
}
