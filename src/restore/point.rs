//! A restore point on the disk: its name, its two files, and what is recorded of it.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::RestoreError;
use crate::database::Fingerprint;
use crate::model::{DatabaseId, Engine, Heads, PointProof, RunId, Series};

/// Which restore point: of which run, before which hop, of which database, and which attempt made it.
/// As a text it is the place in the directory: `20261122-031502-7f3a/2023.2/nova.api.1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The run.
    pub run: RunId,
    /// The hop before which it was taken.
    pub series: Series,
    /// The database.
    pub database: DatabaseId,
    /// The attempt of the step that made it.
    pub attempt: u32,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}.{}", self.run, self.series, self.database, self.attempt)
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a restore point: `leapfrog restore --list` lists them");
        let [run, series, rest] = text.split('/').collect::<Vec<_>>()[..] else { return Err(wrong()) };
        let (database, attempt) = rest.rsplit_once('.').ok_or_else(wrong)?;
        Ok(Self {
            run: run.parse().map_err(|_| wrong())?,
            series: series.parse().map_err(|_| wrong())?,
            database: database.parse().map_err(|_| wrong())?,
            attempt: attempt.parse().map_err(|_| wrong())?,
        })
    }
}

/// How a restore point was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    /// leapfrog dumped the database.
    Dump,
    /// The operator's own command took a snapshot.
    Snapshot,
}

/// What is recorded of a restore point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The version of this document: 1.
    pub format: u32,
    /// The cloud's name.
    pub cloud: String,
    /// The database.
    pub database: DatabaseId,
    /// The engine's family.
    pub engine: Engine,
    /// The server's version.
    pub version: String,
    /// The server: host and port, or the directory of an SQLite file.
    pub server: String,
    /// The database's name on the server.
    pub name: String,
    /// When it was taken.
    pub time: Timestamp,
    /// How it was taken.
    pub means: Means,
    /// The dump's file name; absent for a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its bytes before compression.
    pub plain: u64,
    /// Its bytes on the disk.
    pub bytes: u64,
    /// Its SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<String>,
    /// The database's heads.
    pub heads: Heads,
    /// How it was proved.
    pub proof: PointProof,
    /// What the database held.
    pub fingerprint: Fingerprint,
}

impl Point {
    /// The version of the document that this program writes.
    pub const FORMAT: u32 = 1;
}

/// The directory of restore points.
#[derive(Debug, Clone)]
pub struct PointFiles {
    directory: Utf8PathBuf,
}

impl PointFiles {
    /// The restore points in `directory`, which need not exist yet.
    pub fn at(directory: &Utf8Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// The directory of one run's restore points before one hop, made for this user alone.
    pub(super) fn make(&self, name: &Name) -> Result<Utf8PathBuf, RestoreError> {
        let directory = self.directory.join(name.run.as_str()).join(name.series.as_str());
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        made.map_err(|error| RestoreError::disk("make the directory", &directory, error))?;
        Ok(directory)
    }

    /// A file of a restore point.
    pub(super) fn file(&self, name: &Name, ending: &str) -> Utf8PathBuf {
        self.directory.join(format!("{name}.{ending}"))
    }

    /// Where the dump of a restore point is.
    pub fn dump(&self, name: &Name, point: &Point) -> Option<Utf8PathBuf> {
        let file = point.file.as_ref()?;
        Some(self.directory.join(name.run.as_str()).join(name.series.as_str()).join(file))
    }

    /// Writes what is recorded of a restore point: from now on it counts.
    pub(super) fn commit(&self, name: &Name, point: &Point) -> Result<(), RestoreError> {
        let path = self.file(name, "json");
        let part = self.file(name, "json.part");
        let disk = |error| RestoreError::disk("write", &path, error);
        let text = serde_json::to_vec_pretty(point).map_err(|error| disk(error.into()))?;
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&part, &path)
        };
        write().map_err(disk)?;
        self.sync(name)
    }

    /// Waits until the disk knows the names of the files.
    pub(super) fn sync(&self, name: &Name) -> Result<(), RestoreError> {
        let directory = self.directory.join(name.run.as_str()).join(name.series.as_str());
        // Every directory on the way down from one that was there before the run.
        for directory in directory.ancestors().take(3) {
            let synced = File::open(directory).and_then(|directory| directory.sync_all());
            synced.map_err(|error| RestoreError::disk("flush", directory, error))?;
        }
        Ok(())
    }

    /// What is recorded of a restore point.
    ///
    /// # Errors
    /// It is not there, or is damaged.
    pub fn read(&self, name: &Name) -> Result<Point, RestoreError> {
        let path = self.file(name, "json");
        let bytes = fs::read(&path).map_err(|error| RestoreError::disk("read", &path, error))?;
        let damaged = |why: String| RestoreError::Damaged { path: path.clone(), why };
        let point: Point = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if point.format != Point::FORMAT {
            return Err(damaged(format!(
                "it is of format {}, and this leapfrog reads {}",
                point.format,
                Point::FORMAT
            )));
        }
        Ok(point)
    }

    /// Every restore point that counts, the oldest first; one that cannot be read with the reason.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn all(&self) -> Result<BTreeMap<Name, Result<Point, RestoreError>>, RestoreError> {
        let mut all = BTreeMap::new();
        for run in entries(&self.directory)? {
            for series in entries(&run)? {
                for file in entries(&series)? {
                    let Some(place) = file.strip_prefix(&self.directory).ok() else { continue };
                    let Some(name) = place.as_str().strip_suffix(".json").and_then(|text| text.parse::<Name>().ok())
                    else {
                        continue;
                    };
                    let point = self.read(&name);
                    all.insert(name, point);
                }
            }
        }
        Ok(all)
    }

    /// Removes every file of a database in the hop of `name` but those of `name` itself.
    pub(super) fn discard_others(&self, name: &Name) -> Result<(), RestoreError> {
        let directory = self.make(name)?;
        let own = format!("{}.{}.", name.database, name.attempt);
        for file in entries(&directory)? {
            let text = file.file_name().unwrap_or_default();
            let of_it = text.strip_prefix(&format!("{}.", name.database)).is_some_and(|rest| {
                let number = rest.split('.').next().unwrap_or_default();
                number.parse::<u32>().is_ok()
            });
            if of_it && !text.starts_with(&own) {
                delete(&file)?;
            }
        }
        Ok(())
    }

    /// Removes a restore point's files: first what makes it count. The directory stays: another database of the same hop
    /// may be about to put its own into it.
    pub(super) fn clear(&self, name: &Name) -> Result<(), RestoreError> {
        for ending in ["json", "json.part", "sql.zst", "sql.zst.part", "sqlite.zst", "sqlite.zst.part", "sqlite"] {
            delete(&self.file(name, ending))?;
        }
        Ok(())
    }

    /// Removes a restore point of a hop in which none is being taken.
    pub(super) fn delete(&self, name: &Name) -> Result<(), RestoreError> {
        self.clear(name)?;
        // Directories that are empty now; others stay.
        let directory = self.directory.join(name.run.as_str()).join(name.series.as_str());
        if fs::remove_dir(&directory).is_ok() {
            let _ = fs::remove_dir(self.directory.join(name.run.as_str()));
        }
        Ok(())
    }

    /// The directory.
    pub fn directory(&self) -> &Utf8Path {
        &self.directory
    }
}

fn delete(path: &Utf8Path) -> Result<(), RestoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(RestoreError::disk("remove", path, error)),
        _ => Ok(()),
    }
}

/// What a directory holds, by name; nothing if there is none, or it is a file.
fn entries(directory: &Utf8Path) -> Result<Vec<Utf8PathBuf>, RestoreError> {
    let disk = |error| RestoreError::disk("read", directory, error);
    let found = match directory.read_dir_utf8() {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(disk(error)),
    };
    let mut paths = Vec::new();
    for entry in found {
        paths.push(entry.map_err(disk)?.into_path());
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_and_others_are_refused() {
        for text in ["20261122-031502-7f3a/2023.2/nova.api.1", "20261122-031502-7f3a/zed/nova.cells.cell1.12"] {
            assert_eq!(text.parse::<Name>().expect("valid").to_string(), text);
        }
        for text in ["", "a/b/c", "20261122-031502-7f3a/2023.2/nova", "20261122-031502-7f3a/2023.2/../x.1"] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_one_database_clears_away_is_not_the_directory_of_another_in_the_same_hop() {
        let directory = tempfile::tempdir().expect("a directory");
        let files = PointFiles::at(Utf8Path::from_path(directory.path()).expect("UTF-8"));
        let name = |text: &str| text.parse::<Name>().expect("valid");
        let (one, two) =
            (name("20261122-031502-7f3a/2023.2/keystone.main.1"), name("20261122-031502-7f3a/2023.2/placement.main.1"));
        let made = files.make(&one).expect("made");
        files.clear(&two).expect("nothing to clear");
        assert!(made.is_dir());
        files.delete(&two).expect("nothing to delete");
        assert!(!made.exists(), "the last one takes the empty directory away");
    }
}
