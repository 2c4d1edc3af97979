//! The demo's directory: one for each demo, and cleared away with whatever still runs in it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::time::Duration;

use anyhow::{Context, anyhow};
use camino::{Utf8Path, Utf8PathBuf};

use crate::cli::arguments::Common;
use crate::cli::executor;
use crate::cli::stop::Stop;
use crate::cli::world::World;
use crate::model::RunId;
use crate::runner::FoundState;

/// Locked while a demo works in its directory.
const IN_USE: &str = "in-use";
/// In a directory that was left there on purpose.
const KEPT: &str = "kept";
/// How long a command that is still there may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// A demo's own directory.
pub(super) struct Place {
    pub(super) directory: Utf8PathBuf,
    lock: File,
}

impl Place {
    /// Makes a directory that only this user can look into.
    pub(super) fn make() -> Result<Self, Stop> {
        let base = base();
        let stamp = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string();
        let directory = base.join(format!("{stamp}-{}", std::process::id()));
        let made = || -> io::Result<File> {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700).create(&base)?;
            builder.recursive(false).create(&directory)?;
            let lock = File::create(directory.join(IN_USE))?;
            lock.lock()?;
            builder.create(directory.join("databases"))?;
            Ok(lock)
        };
        let lock = made().with_context(|| format!("failed to make the demo's directory {directory}"));
        Ok(Self { lock: lock.map_err(Stop::usage)?, directory })
    }

    /// The cloud file.
    pub(super) fn config(&self) -> Utf8PathBuf {
        self.directory.join("leapfrog.yaml")
    }

    /// Writes a file of the demo, which nobody else may read: it may be a password.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), Stop> {
        let path = self.directory.join(name);
        let write = || {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            options.open(&path)?.write_all(text.as_bytes())
        };
        write().with_context(|| format!("failed to write {path}")).map_err(Stop::usage)
    }

    /// Leaves everything there for good.
    pub(super) fn keep(self) -> Result<(), Stop> {
        self.write(KEPT, "")
    }

    /// Ends what still runs and removes the directory.
    pub(super) async fn clear(self, common: &Common) -> Result<(), Stop> {
        clear(&self.directory, common).await?;
        drop(self.lock);
        Ok(())
    }
}

/// Where demos are: below the user's state, or with other files of passing use.
fn base() -> Utf8PathBuf {
    let absolute = |name: &str| std::env::var(name).ok().map(Utf8PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    match state {
        Some(state) => state.join("leapfrog/demo"),
        None => {
            Utf8PathBuf::from_path_buf(std::env::temp_dir()).unwrap_or_else(|_| "/tmp".into()).join("leapfrog-demo")
        }
    }
}

/// Clears away what demos left that were killed, or that failed.
pub(super) async fn clear_leftovers(common: &Common) -> Result<(), Stop> {
    let Ok(entries) = base().read_dir_utf8() else { return Ok(()) };
    for entry in entries.flatten() {
        let directory = entry.path();
        let Ok(lock) = File::open(directory.join(IN_USE)) else { continue };
        if !directory.join(KEPT).exists() && lock.try_lock().is_ok() {
            clear(directory, common).await?;
        }
    }
    Ok(())
}

async fn clear(directory: &Utf8Path, common: &Common) -> Result<(), Stop> {
    let common = Common { config: directory.join("leapfrog.yaml"), ..common.clone() };
    // Where the cloud file was not written to the end, nothing was begun.
    if let Ok(world) = World::read(&common) {
        end_commands(&world).await?;
    }
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Stop::usage(anyhow!(error).context(format!("failed to remove {directory}"))))
        }
        _ => Ok(()),
    }
}

/// Ends the commands of every run that was begun in the directory. They must not write to databases that are made anew.
async fn end_commands(world: &World) -> Result<(), Stop> {
    let runner = executor::runner(world)?;
    let mut runs: Vec<RunId> = world.store().runs()?;
    let tasks = world.cloud.state_dir.join("tasks").read_dir_utf8().into_iter().flatten().flatten();
    runs.extend(tasks.filter_map(|entry| entry.file_name().parse().ok()));
    runs.extend(fs::read_to_string(founding_file(world)).ok().and_then(|text| text.parse().ok()));
    for run in runs {
        // What does not answer now has no command of ours that anybody could end.
        for task in runner.find(&run).await.unwrap_or_default() {
            if task.state == FoundState::Running {
                let _ = runner.stop(&task.handle, GRACE).await;
            }
            let _ = runner.reap(&task.handle).await;
        }
    }
    Ok(())
}

/// Where the name of the run stands that makes the schemas: it has no journal.
pub(super) fn founding_file(world: &World) -> Utf8PathBuf {
    world.cloud.state_dir.join("founding.run")
}
