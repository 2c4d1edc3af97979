//! Tasks as containers, on Docker Engine or on Podman's compatible service.
//!
//! One container per task: create, put its private files into it, start, follow its output, wait,
//! inspect, and only when the caller has recorded the end, remove. Never a command inside a
//! long-lived container: such a command cannot be stopped, goes on unseen when its client dies, and
//! cannot be found again. Never automatic removal either: it loses exit codes and output of quick tasks.
//!
//! Invariants:
//! * The engine's account of a container outranks every call: a call that fails or times out is
//!   followed by an inspection, and an exit code counts only if the container was started.
//! * A container outlives this process and every future of this module. It is found by its labels.
//! * What is secret is in files inside the container only: not in its environment, labels or
//!   arguments, so `inspect` does not show it. Removing the container removes the files.
//! * Images are used by digest. Nothing is pulled by a tag that may move, except to learn its digest
//!   where an engine offers no other way (Podman).
//!
//! `connect` finds the engine; `login` and `registry` deal with registries; `images` gets images;
//! `programs`, `read`, `places` and `archive` look into them; `launch` with `files` and `labels` starts tasks;
//! `watch` with `output` sees them end; `written` looks at what they left behind; `tasks` finds, stops and removes
//! them; `store` brings images that were made here into the engine and out of it; `trouble` words the errors.

mod archive;
mod connect;
mod files;
mod images;
mod labels;
mod launch;
mod login;
mod output;
mod places;
mod programs;
mod read;
mod registry;
mod store;
mod tasks;
mod trouble;
mod watch;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bollard::Docker;
use camino::Utf8PathBuf;
use tokio::sync::{OnceCell, mpsc};

use self::trouble::Address;
pub use self::written::Storage;
use super::{
    Exit, FetchProgress, FoundTask, OutputLine, PinnedImage, ReadFiles, ReadRequest, Runner, RunnerError,
    RunnerIdentity, Task, TaskHandle,
};
use crate::model::{ImageReference, RunId};

/// How tasks are run in containers.
#[derive(Debug, Clone, Default)]
pub struct ContainerSettings {
    /// The engine's address, `unix:///…` or `tcp://…`; by default `DOCKER_HOST`, then the usual sockets.
    pub socket: Option<String>,
    /// The network of the containers, such as `host`; by default the engine's.
    pub network: Option<String>,
    /// Whether images may be downloaded.
    pub pull: Pull,
    /// The cloud's name, for a label.
    pub cloud: String,
    /// The user that commands run as; by default the image's.
    pub user: Option<String>,
    /// The file with the credentials for registries; by default where `docker login` and `podman login` put them.
    pub credentials: Option<Utf8PathBuf>,
    /// How long the engine may be away while a task is watched; by default ten minutes.
    pub outage: Option<Duration>,
}

/// Whether images may be downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pull {
    /// Images are looked up at their registry, and downloaded if they are not here.
    #[default]
    Auto,
    /// Images are taken as they are here. Registries are not asked.
    Never,
}

/// Runs tasks in containers.
#[derive(Debug)]
pub struct Containers {
    client: Docker,
    address: Address,
    settings: ContainerSettings,
    engine: OnceCell<Engine>,
    /// Whether the engine was seen to lack the small init process that passes signals on.
    without_init: AtomicBool,
    /// Whether the engine's storage lists what a container changed.
    lists_changes: OnceCell<bool>,
    /// Whether what dead processes left of looking into images was removed.
    tidied: OnceCell<()>,
    /// What was seen of images already.
    seen: Mutex<Seen>,
}

/// What was seen of images' filesystems. An image does not change, and some engines have to mount a container's
/// filesystem for each question about it.
#[derive(Debug, Default)]
struct Seen {
    /// Programs that an image has, by the image's name.
    programs: BTreeSet<(String, String)>,
    /// The deepest directory that an image has on the way to a private file.
    directories: BTreeMap<(String, Utf8PathBuf), Utf8PathBuf>,
}

/// What the engine says of itself.
#[derive(Debug, Clone)]
struct Engine {
    name: String,
    podman: bool,
}

impl Containers {
    /// Prepares the way to an engine, without asking it anything yet.
    ///
    /// # Errors
    ///
    /// [`RunnerErrorKind::EngineUnreachable`](super::RunnerErrorKind::EngineUnreachable) if there is
    /// no socket, or if the certificates for an encrypted connection cannot be read.
    pub fn connect(settings: ContainerSettings) -> Result<Self, RunnerError> {
        let (client, address) = connect::connect(settings.socket.as_deref())?;
        Ok(Self {
            client,
            address,
            settings,
            engine: OnceCell::new(),
            without_init: AtomicBool::new(false),
            lists_changes: OnceCell::new(),
            tidied: OnceCell::new(),
            seen: Mutex::default(),
        })
    }

    /// What was seen of images already.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the engine says of itself; asked once.
    async fn engine(&self) -> Result<&Engine, RunnerError> {
        self.engine.get_or_try_init(|| self.ask_engine()).await
    }

    async fn ask_engine(&self) -> Result<Engine, RunnerError> {
        let version = self.client.version().await.map_err(|error| self.address.unreachable(error))?;
        let components = version.components.unwrap_or_default();
        let podman = components.iter().any(|component| component.name.starts_with("Podman"));
        let number = version.version.unwrap_or_else(|| "of an unknown version".into());
        let name = if podman { format!("Podman {number}") } else { format!("Docker Engine {number}") };
        // bollard 0.21.1 keeps the result to itself; later versions put it into every request. An engine that
        // does not say its version of the interface is taken as it is.
        let _ = self.client.clone().negotiate_version().await;
        Ok(Engine { name, podman })
    }
}

#[async_trait::async_trait]
impl Runner for Containers {
    async fn identify(&self) -> Result<RunnerIdentity, RunnerError> {
        self.client.ping().await.map_err(|error| self.address.unreachable(error))?;
        let name = self.engine().await?.name.clone();
        Ok(RunnerIdentity { name, address: self.address.0.clone() })
    }

    async fn resolve(&self, reference: &ImageReference) -> Result<PinnedImage, RunnerError> {
        self.resolve_image(reference).await
    }

    async fn has(&self, image: &PinnedImage) -> Result<bool, RunnerError> {
        Ok(self.local_image(image).await?.is_some())
    }

    async fn fetch(
        &self,
        image: &PinnedImage,
        progress: &(dyn Fn(FetchProgress) + Send + Sync),
    ) -> Result<(), RunnerError> {
        self.fetch_image(image, progress).await
    }

    async fn lacking(&self, image: &PinnedImage, programs: &BTreeSet<String>) -> Result<BTreeSet<String>, RunnerError> {
        self.lacking_programs(image, programs).await
    }

    async fn read(&self, image: &PinnedImage, request: &ReadRequest) -> Result<ReadFiles, RunnerError> {
        self.read_image(image, request).await
    }

    async fn launch(&self, task: &Task) -> Result<TaskHandle, RunnerError> {
        self.launch_task(task).await
    }

    async fn watch(&self, task: &TaskHandle, lines: mpsc::Sender<OutputLine>) -> Result<Exit, RunnerError> {
        self.watch_task(task, lines).await
    }

    async fn stop(&self, task: &TaskHandle, grace: Duration) -> Result<(), RunnerError> {
        self.stop_task(task, grace).await
    }

    async fn written(&self, task: &TaskHandle, thorough: bool) -> Result<Option<Vec<Utf8PathBuf>>, RunnerError> {
        if thorough || self.lists_changes().await {
            return self.written_databases(task).await.map(Some);
        }
        Ok(None)
    }

    async fn reap(&self, task: &TaskHandle) -> Result<(), RunnerError> {
        self.reap_task(task).await
    }

    async fn find(&self, run: &RunId) -> Result<Vec<FoundTask>, RunnerError> {
        self.find_tasks(run).await
    }

    async fn tidy(&self) -> Result<usize, RunnerError> {
        self.remove_dead_probes().await
    }
}
