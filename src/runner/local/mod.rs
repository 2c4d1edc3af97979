//! Tasks as processes of this machine, each in the Python environment of its release.
//!
//! For operators without a container engine on their database host. What an image is elsewhere is here an environment:
//! `local/2023.1`, made by uv from what the release file says ([`Recipe`]). Its digest is that of its lock, the list
//! of every package with the digests of its files, and of the interpreter that it is for. What is asked of images is
//! asked of it in the same words: resolving makes the lock, fetching makes the environment, reading looks into its
//! directory.
//!
//! Invariants:
//! * A task outlives leapfrog, and it is known for good whether it runs, how it ended, or that nobody saw it
//!   (`place`): a supervisor begins it and writes down its end; its processes are told from all others by number,
//!   moment of their begin and start of the machine.
//! * Its command sees nothing of the machine's own configuration, and gets nothing secret but in a file that only this
//!   user can read and that goes away with its end (`files`).
//! * An environment that is not made to the end counts for nothing, and is never used as it was left (`environment`).
//! * Nothing is installed but below the environments directory.
//!
//! `tool` finds or fetches uv; `interpreter` finds a Python; `lock` resolves; `environment` makes; `look` reads;
//! `shelf` lists and removes environments; `portable` and `needs` make trees of packages for images (`runner::build`). `launch` with `files` and `supervise` begins tasks; `watch` sees them end;
//! `written` looks at what they left behind; `tasks` finds, stops and removes them.

mod environment;
mod files;
mod interpreter;
mod launch;
mod lock;
mod look;
mod needs;
mod place;
mod portable;
mod process;
mod shelf;
mod supervise;
mod tasks;
mod tool;
mod trouble;
mod watch;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use camino::Utf8PathBuf;
use tokio::sync::{OnceCell, mpsc};

use self::interpreter::Interpreter;
pub(super) use self::portable::{Packages, Step, Tree, sum};
pub use self::shelf::{Shelved, shelved};
pub use self::supervise::{BECOME, SUPERVISE, become_task, supervise};
use self::tool::blocking;
pub(super) use self::trouble::{RunnerErrorExt, trouble};
use super::{
    Exit, FetchProgress, FoundTask, OutputLine, PinnedImage, ReadFiles, ReadRequest, Runner, RunnerError,
    RunnerIdentity, Task, TaskHandle,
};
use crate::model::{Digest, ImageReference, RunId, Secret, Series, Service};

/// How environments are made and tasks are run.
#[derive(Debug, Clone)]
pub struct LocalSettings {
    /// Where environments are: an absolute path. They may be shared by clouds and kept between runs.
    pub environments: Utf8PathBuf,
    /// Where the directories of tasks are, by run: an absolute path below the state directory.
    pub tasks: Utf8PathBuf,
    /// The leapfrog that supervises tasks: called with [`SUPERVISE`] and with [`BECOME`]. [`LocalSettings::OWN`] is this
    /// very program.
    pub supervisor: Utf8PathBuf,
    /// Where packages come from.
    pub source: Source,
    /// The uv to use; by default the one in the `PATH`, or one that is fetched.
    pub uv: Option<Utf8PathBuf>,
    /// Where interpreters are, the likeliest first: paths or names with `{series}` and `{version}` (such as `3.11`) in
    /// them; by default in the `PATH`, among pyenv's and where uv finds some.
    pub python: Vec<String>,
    /// What each environment is made of.
    pub recipes: BTreeMap<ImageReference, Recipe>,
}

impl LocalSettings {
    /// The program that runs now, also when its file was replaced meanwhile.
    pub const OWN: &str = "/proc/self/exe";
}

/// Where packages come from.
#[derive(Debug, Clone, Default)]
pub enum Source {
    /// Where uv, or else pip, is configured on this machine to look.
    #[default]
    Configured,
    /// From this index. Its address may hold a password.
    Index(Secret),
    /// From this directory and nowhere else.
    Wheels(Utf8PathBuf),
}

/// What an environment is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The release.
    pub series: Series,
    /// The services whose code is in it.
    pub services: BTreeSet<Service>,
    /// The versions of Python it may have, such as `3.11`, the best first.
    pub pythons: Vec<String>,
    /// Packages with their ranges, such as `nova>=27,<28`.
    pub requirements: Vec<String>,
    /// Ranges for what they need in turn, such as `sqlalchemy<2`.
    pub constraints: Vec<String>,
    /// A list of constraints besides: a file or an address.
    pub constraints_list: Option<String>,
    /// Packages that are left out although others ask for them.
    pub without: Vec<String>,
    /// Nothing that was published later counts: a day, or a moment, as uv's `--exclude-newer` takes it.
    pub exclude_newer: Option<String>,
}

/// Runs tasks in environments of this machine.
#[derive(Debug)]
pub struct Local {
    settings: LocalSettings,
    uv: OnceCell<Utf8PathBuf>,
    pip_index: OnceCell<Option<String>>,
    /// Interpreters that were found, by what was looked for.
    interpreters: Mutex<BTreeMap<String, Interpreter>>,
    /// Environments that were seen to work.
    checked: Mutex<BTreeSet<Digest>>,
    scratches: AtomicU64,
}

impl Local {
    /// A runner. Nothing is looked for yet.
    pub fn new(settings: LocalSettings) -> Self {
        Self {
            settings,
            uv: OnceCell::new(),
            pip_index: OnceCell::new(),
            interpreters: Mutex::default(),
            checked: Mutex::default(),
            scratches: AtomicU64::new(0),
        }
    }
}

#[async_trait::async_trait]
impl Runner for Local {
    fn noun(&self) -> &'static str {
        "process"
    }

    async fn identify(&self) -> Result<RunnerIdentity, RunnerError> {
        Ok(RunnerIdentity { name: "local environments".into(), address: self.settings.environments.to_string() })
    }

    async fn resolve(&self, reference: &ImageReference) -> Result<PinnedImage, RunnerError> {
        self.resolve_recipe(reference).await
    }

    async fn has(&self, image: &PinnedImage) -> Result<bool, RunnerError> {
        Ok(self.ready(image).await?.is_some())
    }

    async fn fetch(
        &self,
        image: &PinnedImage,
        progress: &(dyn Fn(FetchProgress) + Send + Sync),
    ) -> Result<(), RunnerError> {
        self.make_environment(image, progress).await
    }

    async fn lacking(&self, image: &PinnedImage, programs: &BTreeSet<String>) -> Result<BTreeSet<String>, RunnerError> {
        let request = ReadRequest { programs: programs.clone(), ..ReadRequest::default() };
        Ok(self.read_environment(image, &request).await?.lacking)
    }

    async fn read(&self, image: &PinnedImage, request: &ReadRequest) -> Result<ReadFiles, RunnerError> {
        self.read_environment(image, request).await
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

    async fn written(&self, task: &TaskHandle, _thorough: bool) -> Result<Option<Vec<Utf8PathBuf>>, RunnerError> {
        self.written_databases(task).map(Some)
    }

    async fn reap(&self, task: &TaskHandle) -> Result<(), RunnerError> {
        self.reap_task(task)
    }

    async fn find(&self, run: &RunId) -> Result<Vec<FoundTask>, RunnerError> {
        self.find_tasks(run)
    }

    async fn tidy(&self) -> Result<usize, RunnerError> {
        let settings = self.settings.clone();
        Ok(blocking(move || Local::new(settings).tidy_up()).await)
    }
}
