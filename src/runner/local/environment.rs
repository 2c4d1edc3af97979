//! Makes environments, each at its place for good: a virtual environment cannot be moved.
//!
//! An environment's directory is named by its lock. It counts only once its marker is there, which is written last,
//! after everything else is on the disk. Whoever makes one holds a lock file, and so does uv while it works: should
//! leapfrog die, the next one waits for uv's end, clears away what there is and makes it anew.

use std::fs::{self, File};
use std::io;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::interpreter::{self, Interpreter};
use super::lock::{Lock, name};
use super::place::{read, write_durably};
use super::tool::{blocking, is_program, is_unreachable, words};
use super::trouble::{RunnerErrorExt, trouble};
use super::{Local, Recipe, look};
use crate::model::{Digest, ImageReference, Service};
use crate::runner::{FetchProgress, PinnedImage, RunnerError, RunnerErrorKind};

/// What is written last, in the environment's directory.
pub(super) const MARKER: &str = "leapfrog-environment.json";
/// What is touched when an environment is used, in its directory.
pub(super) const USED: &str = "leapfrog-used";
/// How often is told how far the making is.
const TELL: Duration = Duration::from_millis(500);

pub(super) const AGAIN: &str =
    "Put right what is complained about, then run the same command again: what is here already is not fetched again.";

/// Packages' directories that no command reads: a third of an environment, and half of what would be compiled.
const UNUSED: [&str; 2] = ["googleapiclient/discovery_cache/documents", "botocore/data"];

/// What an environment says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    format: u32,
    /// What it was made for.
    pub(super) reference: ImageReference,
    pub(super) services: Vec<Service>,
    pub(super) digest: Digest,
    pub(super) interpreter: Interpreter,
    pub(super) made: Timestamp,
    pub(super) bytes: u64,
}

impl Marker {
    const FORMAT: u32 = 1;

    /// What the environment in `directory` says of itself, if it was made to the end.
    pub(super) fn of(directory: &Utf8Path) -> Option<Self> {
        read(&directory.join(MARKER)).filter(|marker: &Self| marker.format == Self::FORMAT)
    }

    /// Why the environment in `directory` cannot be used; nothing if it can.
    ///
    /// # Errors
    /// Nobody can tell: its interpreter could not be asked.
    pub(super) fn trouble(&self, directory: &Utf8Path) -> io::Result<Option<String>> {
        if directory.file_name() != Some(&name(&self.digest)) {
            return Ok(Some("it was moved or copied here".to_owned()));
        }
        let python = directory.join("bin/python");
        if !is_program(python.as_std_path()) {
            return Ok(Some(format!("its interpreter {} is gone", self.interpreter.path)));
        }
        Ok(match interpreter::ask(&python)? {
            None => Some(format!("its interpreter {} does not work any more", self.interpreter.path)),
            Some(now) if now.tag != self.interpreter.tag => Some(format!("its interpreter is {} now", now.tag)),
            Some(_) => None,
        })
    }
}

impl Local {
    /// Where the environment of a lock is, or will be.
    fn directory_of(&self, digest: &Digest) -> Utf8PathBuf {
        self.settings.environments.join(name(digest))
    }

    /// The environment of an image, if it is here and can be used. What was found well once is taken for well as long
    /// as its marker is there.
    pub(super) async fn ready(&self, image: &PinnedImage) -> Result<Option<Utf8PathBuf>, RunnerError> {
        let directory = self.directory_of(&image.digest);
        let Some(marker) = Marker::of(&directory) else { return Ok(None) };
        let known = |checked: &std::collections::BTreeSet<Digest>| checked.contains(&image.digest);
        if !known(&self.checked.lock().unwrap_or_else(std::sync::PoisonError::into_inner)) {
            let asked = directory.clone();
            // What is made anew is removed first: not on the word of a machine that is out of breath.
            let found = blocking(move || marker.trouble(&asked)).await.map_err(|error| {
                let what = format!("see whether environment {} can be used: {error}", image.reference);
                trouble(RunnerErrorKind::Other, what, AGAIN).because(error)
            })?;
            if found.is_some() {
                return Ok(None);
            }
            self.checked.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(image.digest.clone());
        }
        // When it was used last is for people; a file system that does not take it harms nobody.
        let _ = File::options()
            .create(true)
            .append(true)
            .open(directory.join(USED))
            .and_then(|file| file.set_modified(std::time::SystemTime::now()));
        Ok(Some(directory))
    }

    /// The error of an environment that must be here and is not.
    pub(super) fn not_here(&self, reference: &ImageReference) -> RunnerError {
        trouble(
            RunnerErrorKind::ImageMissing,
            format!("environment {reference} is not on this machine, or cannot be used any more"),
            "`leapfrog env list` shows which are; `leapfrog pull` makes what is missing.",
        )
    }

    /// Makes the environment of an image unless it is here.
    pub(super) async fn make_environment(
        &self,
        image: &PinnedImage,
        progress: &(dyn Fn(FetchProgress) + Send + Sync),
    ) -> Result<(), RunnerError> {
        if self.ready(image).await?.is_some() {
            return Ok(());
        }
        let recipe = self.recipe(&image.reference)?.clone();
        let interpreter = self.interpreter(&recipe).await?;
        let lock = self.wanted_lock(image).await?;
        if lock.tag() != Some(interpreter.tag.as_str()) {
            let what = format!(
                "environment {} was resolved for {}, and the interpreter found now is {}",
                image.reference,
                lock.tag().unwrap_or_default(),
                interpreter.tag
            );
            let advice =
                "Bring that Python back, or say where it is with `python` under runner.local in the cloud file.";
            return Err(trouble(RunnerErrorKind::ImageMissing, what, advice));
        }
        let unwritable = |error: io::Error| {
            let what = format!("write {}: {error}", self.settings.environments);
            trouble(RunnerErrorKind::Other, what, AGAIN).because(error)
        };
        let file =
            lock_file(&self.settings.environments.join(format!("{}.lock", name(&lock.digest)))).map_err(unwritable)?;
        while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(unwritable(error.into()));
            }
            // Another leapfrog makes the same.
            progress(FetchProgress { done: installed(&self.directory_of(&lock.digest)), total: 0 });
            tokio::time::sleep(TELL).await;
        }
        if self.ready(image).await?.is_some() {
            return Ok(());
        }
        self.build(image, &recipe, &interpreter, &lock, &file, progress).await?;
        match self.ready(image).await? {
            Some(_) => Ok(()),
            None => Err(self.not_here(&image.reference)),
        }
    }

    /// The lock of an image: as it is kept here, or as its recipe is resolved now, if that is the same.
    async fn wanted_lock(&self, image: &PinnedImage) -> Result<Lock, RunnerError> {
        if let Some(lock) = self.lock(&image.digest) {
            return Ok(lock);
        }
        let now = self.resolve_recipe(&image.reference).await?;
        self.lock(&image.digest).ok_or_else(|| {
            trouble(
                RunnerErrorKind::ImageMissing,
                format!("{} was {} and is {} now", image.reference, image.digest, now.digest),
                "The list of its packages is no longer on this machine, and resolving it gives another one: bring the \
                 environments directory back, or begin a new run.",
            )
        })
    }

    async fn build(
        &self,
        image: &PinnedImage,
        recipe: &Recipe,
        interpreter: &Interpreter,
        lock: &Lock,
        held: &File,
        progress: &(dyn Fn(FetchProgress) + Send + Sync),
    ) -> Result<(), RunnerError> {
        let directory = self.directory_of(&lock.digest);
        let said = |what: &str| format!("make environment {}: {what}", image.reference);
        let unwritable = |error: io::Error| {
            trouble(RunnerErrorKind::Other, said(&format!("{directory}: {error}")), AGAIN).because(error)
        };
        let leftover = directory.clone();
        blocking(move || clear(&leftover)).await.map_err(unwritable)?;
        let mut venv = self.uv_command().await?;
        venv.args(["venv", "--quiet", "--no-project", "--python", interpreter.path.as_str(), directory.as_str()]);
        let mut sync = self.uv_command().await?;
        let python = directory.join("bin/python");
        sync.args(["pip", "sync", "--require-hashes", "--python", python.as_str()]);
        if let Some(date) = &recipe.exclude_newer {
            // What builds packages that have no wheel is held to the same day.
            sync.args(["--exclude-newer", date]);
        }
        sync.arg(self.lock_path(&lock.digest));
        let mut compile = Command::new(&python);
        compile.args(["-I", "-m", "compileall", "-q", "-j", "0"]).arg(directory.join("lib"));
        // uv's complaints are an error; that some package holds a file for another Python is none.
        for (command, must) in [(venv, true), (sync, true), (compile, false)] {
            if !must {
                let slim = directory.clone();
                blocking(move || drop_unused(&slim)).await.map_err(unwritable)?;
            }
            let ran = self.follow(command, held, &directory, progress).await.map_err(unwritable)?;
            if must && !ran.status.success() {
                let words = words(&ran);
                let kind =
                    if is_unreachable(&words) { RunnerErrorKind::RegistryUnreachable } else { RunnerErrorKind::Other };
                return Err(trouble(kind, said(&words), advice(&words, interpreter.minor())));
            }
        }
        let marker = Marker {
            format: Marker::FORMAT,
            reference: image.reference.clone(),
            services: recipe.services.iter().cloned().collect(),
            digest: lock.digest.clone(),
            interpreter: interpreter.clone(),
            made: Timestamp::now(),
            bytes: 0,
        };
        blocking(move || finish(&directory, marker))
            .await
            .map_err(|error| trouble(RunnerErrorKind::Other, said(&error.to_string()), AGAIN).because(error))
    }

    /// Runs a part of the making to its end. It holds the lock file too: it may outlive leapfrog.
    async fn follow(
        &self,
        mut command: Command,
        held: &File,
        directory: &Utf8Path,
        progress: &(dyn Fn(FetchProgress) + Send + Sync),
    ) -> io::Result<Output> {
        command.stdin(Stdio::from(held.try_clone()?)).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn()?;
        let mut ending = tokio::task::spawn_blocking(move || child.wait_with_output());
        let mut told = Instant::now();
        loop {
            tokio::select! {
                ended = &mut ending => return ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())),
                () = tokio::time::sleep(TELL.saturating_sub(told.elapsed())) => {
                    told = Instant::now();
                    progress(FetchProgress { done: installed(directory), total: 0 });
                }
            }
        }
    }
}

/// Opens a lock file.
pub(super) fn lock_file(path: &Utf8Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

/// Removes a directory, its marker first: what is half removed counts for nothing.
pub(super) fn clear(directory: &Utf8Path) -> io::Result<()> {
    for remove in [fs::remove_file(directory.join(MARKER)), fs::remove_dir_all(directory)] {
        match remove {
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Brings everything to the disk, then the marker.
fn finish(directory: &Utf8Path, marker: Marker) -> io::Result<()> {
    rustix::fs::syncfs(File::open(directory)?)?;
    let marker = Marker { bytes: size(directory)?, ..marker };
    write_durably(&directory.join(MARKER), &serde_json::to_vec_pretty(&marker)?)?;
    if let Some(above) = directory.parent() {
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

/// The bytes of all files in a directory, those that other environments share included.
fn size(directory: &Utf8Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in directory.read_dir_utf8()? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sum += size(entry.path())?;
        } else if kind.is_file() {
            sum += entry.metadata()?.len();
        }
    }
    Ok(sum)
}

/// Removes what no command reads: packages' own tests, and data of clouds' interfaces.
pub(super) fn drop_unused(environment: &Utf8Path) -> io::Result<()> {
    let Some(packages) = look::packages(environment) else { return Ok(()) };
    for name in UNUSED {
        let _ = fs::remove_dir_all(packages.join(name));
    }
    drop_tests(&packages, 0)
}

fn drop_tests(directory: &Utf8Path, depth: u32) -> io::Result<()> {
    for entry in directory.read_dir_utf8()? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        // Not at the top, where it would be a package of that name.
        if depth > 0 && entry.file_name() == "tests" {
            fs::remove_dir_all(entry.path())?;
        } else {
            drop_tests(entry.path(), depth + 1)?;
        }
    }
    Ok(())
}

/// How many bytes of packages are installed, by their own lists: quick, however many files they have.
fn installed(environment: &Utf8Path) -> u64 {
    let Some(packages) = look::packages(environment) else { return 0 };
    let Ok(entries) = packages.read_dir_utf8() else { return 0 };
    let lists = entries.flatten().filter(|entry| entry.file_name().ends_with(".dist-info"));
    let sizes = lists.map(|entry| {
        let list = fs::read_to_string(entry.path().join("RECORD")).unwrap_or_default();
        list.lines().filter_map(|line| line.rsplit_once(',')?.1.parse::<u64>().ok()).sum::<u64>()
    });
    sizes.sum()
}

/// What to do about an environment that could not be made.
pub(super) fn advice(words: &str, python: &str) -> String {
    let lower = words.to_ascii_lowercase();
    if ["gcc", "cc1", "compiler", "python.h", "fatal error", "openssl"].iter().any(|text| lower.contains(text)) {
        return format!(
            "Some packages come without a binary for this machine and are compiled: install a C compiler and headers (Debian, \
             Ubuntu: `apt install gcc libc6-dev libssl-dev python{python}-dev`), then run the same command again."
        );
    }
    if lower.contains("no space left") {
        return "Make room: an environment takes about 350 MiB, less where it shares files with others. \
                `leapfrog env remove --unused` removes those that nobody needs."
            .to_owned();
    }
    AGAIN.to_owned()
}
