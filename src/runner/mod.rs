//! What executes a step's command: containers, or environments on this machine.
//!
//! A [`Runner`] knows tasks, images and nothing else: not what a step means, not which comes next,
//! not where it is recorded. It never decides that a task went well; it reports an exit.

pub mod build;
pub mod containers;
pub mod lines;
pub mod local;
mod read;
pub mod scripted;
mod stray;

use std::collections::BTreeSet;
use std::time::Duration;

use camino::Utf8PathBuf;

pub use self::read::{PackageFiles, PackageRequest, ReadFiles, ReadRequest};
use crate::model::{Digest, ImageReference, RunId, Secret, StepId, Stream};

/// A private configuration file for the time of one task.
#[derive(Debug, Clone)]
pub struct PrivateFile {
    /// Where the task sees it: an absolute path.
    pub path: Utf8PathBuf,
    /// The option that names it to the command where the task cannot see it at its path and the command would not find it
    /// elsewhere by itself.
    pub passed_with: Option<String>,
    /// What it says.
    pub content: Secret,
}

/// Which command of a run this is: unique, and found again after leapfrog died.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepId,
    /// How often the step was begun, from 1.
    pub attempt: u32,
    /// How often the step's command was run in this attempt, from 1.
    pub round: u32,
}

/// One command to run in a release's environment.
#[derive(Debug, Clone)]
pub struct Task {
    /// Which command this is.
    pub id: TaskId,
    /// The image as it was pinned.
    pub image: PinnedImage,
    /// Program and arguments. They hold no secrets: they can be seen by anyone on the machine.
    pub command: Vec<String>,
    /// Files that exist for this task alone.
    pub files: Vec<PrivateFile>,
}

/// A task that was launched, by the runner's own name for it (a container's id).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TaskHandle(pub String);

impl TaskHandle {
    /// What people need of it: the beginning of a container's id, the name of a task without its run.
    pub fn short(&self) -> &str {
        match self.0.split_once('/') {
            Some((_, name)) => name,
            None => self.0.get(..12).unwrap_or(&self.0),
        }
    }
}

/// A task of a run that the runner still knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTask {
    /// Which command it is.
    pub id: TaskId,
    /// How to reach it.
    pub handle: TaskHandle,
    /// Whether it is still running, or was never started, or ended.
    pub state: FoundState,
}

/// What a found task is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundState {
    /// Created, its command never began.
    NeverStarted,
    /// Its command runs. States that an engine does not explain count as running.
    Running,
    /// Its command ended; output and exit code can still be read with [`Runner::watch`].
    Ended,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The command's exit code; 128 + n where signal n ended it.
    pub code: i64,
    /// Whether the kernel ended it for want of memory.
    pub out_of_memory: bool,
    /// Whether the engine went away while the task ran: then it may have ended the task itself when it came back, or
    /// not know how it ended.
    pub engine_left: bool,
}

/// A whole line of a task's output, without its end, with bytes that are no text replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputLine {
    /// Where it came from.
    pub stream: Stream,
    /// The line.
    pub text: String,
}

/// An image and the digest it had when the run began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedImage {
    /// As the cloud file names it.
    pub reference: ImageReference,
    /// What it was found to be.
    pub digest: Digest,
}

/// How far the download of an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchProgress {
    /// Bytes received.
    pub done: u64,
    /// Bytes announced so far; 0 where the engine does not say.
    pub total: u64,
}

/// Who executes the tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerIdentity {
    /// Such as `Docker Engine 20.10.24` or `Podman 4.3.1`.
    pub name: String,
    /// How it is reached.
    pub address: String,
}

/// What a runner could not do: what, where, and what next.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct RunnerError {
    /// What is wrong, and where, as a fragment that fits after "failed to …" or stands alone.
    pub what: String,
    /// What to do next, a whole sentence.
    pub advice: String,
    /// Which kind of trouble this is.
    pub kind: RunnerErrorKind,
    /// The engine's own words.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Kinds of trouble that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunnerErrorKind {
    /// No engine answers.
    EngineUnreachable,
    /// The registry does not answer.
    RegistryUnreachable,
    /// The registry wants a login, or refused the one it got.
    LoginRefused,
    /// The registry has no such image.
    ImageMissing,
    /// The task could not be started.
    NotStarted,
    /// The engine lost the task, or refuses to speak of it.
    Lost,
    /// Anything else.
    Other,
}

/// Executes tasks in the environments of releases.
#[async_trait::async_trait]
pub trait Runner: Send + Sync {
    /// What a task is run in, in a word for operators: `container` or `process`.
    fn noun(&self) -> &'static str {
        "container"
    }

    /// Finds out who executes and that it answers. Called before a run, and to reconnect.
    async fn identify(&self) -> Result<RunnerIdentity, RunnerError>;

    /// Finds out which content a reference names now, without downloading it.
    async fn resolve(&self, reference: &ImageReference) -> Result<PinnedImage, RunnerError>;

    /// Whether the image is here already.
    async fn has(&self, image: &PinnedImage) -> Result<bool, RunnerError>;

    /// Brings the image here, exactly the pinned content; nothing happens if it is here.
    async fn fetch(
        &self,
        image: &PinnedImage,
        progress: &(dyn Fn(FetchProgress) + Send + Sync),
    ) -> Result<(), RunnerError>;

    /// Which of `programs` the image, which must be here, does not have. Nothing is run.
    async fn lacking(&self, image: &PinnedImage, programs: &BTreeSet<String>) -> Result<BTreeSet<String>, RunnerError>;

    /// Reads files of the image, which must be here, and answers as [`Runner::lacking`] does for the programs
    /// of the request. Nothing is run, nothing is written to a disk.
    async fn read(&self, image: &PinnedImage, request: &ReadRequest) -> Result<ReadFiles, RunnerError>;

    /// Creates and starts a task. An error means that its command has not begun.
    async fn launch(&self, task: &Task) -> Result<TaskHandle, RunnerError>;

    /// Sends every line of the task's output from its beginning to `lines`, waits for its end and
    /// returns how it ended. Works for tasks that ended before. Dropping the future leaves the task alone.
    async fn watch(&self, task: &TaskHandle, lines: tokio::sync::mpsc::Sender<OutputLine>)
    -> Result<Exit, RunnerError>;

    /// Asks a task to end and ends it by force after `grace`.
    async fn stop(&self, task: &TaskHandle, grace: Duration) -> Result<(), RunnerError>;

    /// The SQLite files that a task, which ended, added or changed in its own filesystem. A database that the
    /// task was told of is not among them: it is no part of that filesystem.
    ///
    /// An engine whose storage keeps no list of changes compares the whole image, which takes seconds: unless
    /// that is wanted (`thorough`) it is not asked, and nothing is returned.
    async fn written(&self, task: &TaskHandle, thorough: bool) -> Result<Option<Vec<Utf8PathBuf>>, RunnerError>;

    /// Removes what is left of a task that ended, its private files with it.
    async fn reap(&self, task: &TaskHandle) -> Result<(), RunnerError>;

    /// The tasks of a run that are still known.
    async fn find(&self, run: &RunId) -> Result<Vec<FoundTask>, RunnerError>;

    /// Removes what is no task's and was left by processes of this machine that are gone: containers that
    /// images were looked into with. Returns how many things that were.
    async fn tidy(&self) -> Result<usize, RunnerError> {
        Ok(0)
    }
}
