//! What a task wrote where it stood, as far as it may be a database.
//!
//! A command that does not see its configuration falls back to a default: keystone and barbican make a SQLite file
//! where they stand, migrate that, and say that all went well.

use std::fs::File;
use std::io::{ErrorKind, Read};

use camino::{Utf8Path, Utf8PathBuf};

use super::Local;
use super::trouble::{RunnerErrorExt, trouble};
use crate::runner::stray::{MAGIC, may_be_database};
use crate::runner::{RunnerError, RunnerErrorKind, TaskHandle};

impl Local {
    /// The SQLite files in the directories that a task had of its own.
    pub(super) fn written_databases(&self, handle: &TaskHandle) -> Result<Vec<Utf8PathBuf>, RunnerError> {
        let place = self.place(handle)?;
        let mut found = Vec::new();
        for directory in [place.work(), place.home(), place.temporary()] {
            collect(&directory, &mut found).map_err(|error| {
                let what = format!("look for what task {} wrote in {directory}", handle.0);
                trouble(RunnerErrorKind::Other, what, "Let this user read the state directory.").because(error)
            })?;
        }
        found.sort();
        Ok(found)
    }
}

fn collect(directory: &Utf8Path, found: &mut Vec<Utf8PathBuf>) -> std::io::Result<()> {
    let entries = match directory.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(entry.path(), found)?;
        } else if kind.is_file() && may_be_database(entry.path()) && is_sqlite(entry.path()) {
            found.push(entry.path().to_owned());
        }
    }
    Ok(())
}

/// Whether a file's content is SQLite's, or nothing yet. One that cannot be read counts.
fn is_sqlite(path: &Utf8Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut start));
    read.is_err() || start.is_empty() || start == MAGIC
}
