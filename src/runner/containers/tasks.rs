//! Finds, stops and removes containers of tasks.

use std::time::Duration;

use bollard::errors::Error;
use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    InspectContainerOptions, KillContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
    StopContainerOptionsBuilder,
};

use super::trouble::{is_missing, is_unknown_state, words};
use super::watch::{has_ended, was_started};
use super::{Containers, labels};
use crate::model::RunId;
use crate::runner::{FoundState, FoundTask, RunnerError, TaskHandle};

/// How long the engine may take for ending a container, beyond the grace.
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
    pub(super) async fn stop_task(&self, task: &TaskHandle, grace: Duration) -> Result<(), RunnerError> {
        let seconds = i32::try_from(grace.as_secs().max(u64::from(grace.subsec_nanos() > 0))).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::default().t(seconds).build();
        // The engine answers when the container has ended.
        let client = self.client.clone().with_timeout(grace.saturating_add(LEEWAY));
        let stopped = client.stop_container(&task.0, Some(options)).await;
        let error = match stopped {
            Ok(()) => return Ok(()),
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => error,
        };
        match self.client.inspect_container(&task.0, None::<InspectContainerOptions>).await {
            Ok(found) if has_ended(&found) || is_unstarted(&found) => return Ok(()),
            Err(missing) if is_missing(&missing) => return Ok(()),
            _ => {}
        }
        let options = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
        match self.client.kill_container(&task.0, Some(options)).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.address.refused(&format!("stop container {}", short(task)), error)),
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
