//! The state directory of a cloud: its runs, and the lock that lets one leapfrog work at a time.
//!
//! ```text
//! lock                      held while a leapfrog works; says who
//! runs/<run>/plan.json      what the run does
//! runs/<run>/journal.jsonl  what it did
//! runs/<run>/logs/…         what its commands printed
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use camino::{Utf8Path, Utf8PathBuf};

use super::{Journal, JournalError};
use crate::model::RunId;

/// A cloud's state directory.
#[derive(Debug, Clone)]
pub struct Store {
    directory: Utf8PathBuf,
}

/// The right to work on a cloud; given back when dropped or when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// What can be wrong with a state directory.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refuses.
    #[error("{action} {path}: the state directory (`state` in the cloud file) must be writable and have space")]
    Disk {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: Utf8PathBuf,
        /// Why it did not work.
        #[source]
        source: io::Error,
    },
    /// Another leapfrog works.
    #[error("lock {path}: another leapfrog works on this cloud ({holder}). Wait for it, or stop it with SIGTERM")]
    Locked {
        /// The lock file.
        path: Utf8PathBuf,
        /// Who holds it, as it wrote.
        holder: String,
    },
    /// There is no such run.
    #[error("find run {run} in {directory}: `leapfrog runs` lists the runs")]
    NoRun {
        /// The run that was asked for.
        run: RunId,
        /// Where it was looked for.
        directory: Utf8PathBuf,
    },
    /// The run's journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Store {
    /// The state directory at `directory`, which need not exist yet.
    pub fn at(directory: &Utf8Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Takes the right to work. `holder` tells others who has it.
    ///
    /// # Errors
    /// Somebody else has it, or the directory cannot be written.
    pub fn lock(&self, holder: &str) -> Result<Lock, StoreError> {
        self.make_directory(&self.directory)?;
        let path = self.directory.join("lock");
        let disk = |action, source| StoreError::Disk { action, path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|e| disk("open", e))?;
        match lock_soon(&file) {
            Ok(()) => {
                let written =
                    file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(holder.as_bytes()));
                written.map_err(|e| disk("write", e))?;
                Ok(Lock { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds it is a courtesy; that it is held is what counts.
                let _ = file.read_to_string(&mut holder);
                Err(StoreError::Locked { path, holder })
            }
            Err(TryLockError::Error(source)) => Err(disk("lock", source)),
        }
    }

    /// Who works on the cloud at this moment, as they wrote.
    ///
    /// # Errors
    /// The lock file exists and cannot be read.
    pub fn holder(&self) -> Result<Option<String>, StoreError> {
        let path = self.directory.join("lock");
        let disk = |action, source| StoreError::Disk { action, path: path.clone(), source };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(disk("open", error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(|e| disk("read", e))?;
                Ok(Some(holder))
            }
            Err(TryLockError::Error(source)) => Err(disk("lock", source)),
        }
    }

    /// The runs, oldest first.
    ///
    /// # Errors
    /// The directory exists and cannot be read.
    pub fn runs(&self) -> Result<Vec<RunId>, StoreError> {
        let path = self.directory.join("runs");
        let disk = |source| StoreError::Disk { action: "read", path: path.clone(), source };
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(disk(error)),
        };
        let mut runs = Vec::new();
        for entry in entries {
            let name = entry.map_err(disk)?.file_name();
            let run: Option<RunId> = name.to_str().and_then(|name| name.parse().ok());
            // A directory without a journal is a run whose beginning was cut off: nothing was done in it.
            runs.extend(run.filter(|run| self.directory_of(run).join(super::FILE_NAME).exists()));
        }
        runs.sort();
        Ok(runs)
    }

    /// A name for a run that begins at `now`: later than that of every other run, also where the clock was set
    /// back meanwhile, since the latest run is the one that goes on.
    ///
    /// # Errors
    /// The directory exists and cannot be read.
    pub fn name_run(&self, now: jiff::Timestamp, salt: u16) -> Result<RunId, StoreError> {
        const FORM: &str = "%Y%m%d-%H%M%S";
        let name = RunId::new(&now.strftime(FORM).to_string(), salt);
        let Some(last) = self.runs()?.pop().filter(|last| *last >= name) else { return Ok(name) };
        let stamp = last.as_str().rsplit_once('-').map_or("", |(stamp, _)| stamp);
        let began = jiff::civil::DateTime::strptime(FORM, stamp);
        let next = began.and_then(|began| began.checked_add(jiff::Span::new().seconds(1)));
        Ok(next.map_or(name, |next| RunId::new(&next.strftime(FORM).to_string(), salt)))
    }

    /// Where a run keeps its files.
    pub fn directory_of(&self, run: &RunId) -> Utf8PathBuf {
        self.directory.join("runs").join(run.as_str())
    }

    /// Begins a run: its directory, its plan, its empty journal.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn create(&self, run: &RunId, plan: &[u8]) -> Result<Journal, StoreError> {
        let directory = self.directory_of(run);
        self.make_directory(&directory)?;
        self.sync_directories(&directory)?;
        let path = directory.join("plan.json");
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(plan)?;
            file.sync_all()
        };
        write().map_err(|source| StoreError::Disk { action: "write", path: path.clone(), source })?;
        Ok(Journal::create(&directory)?)
    }

    /// The plan of a run, as it was written.
    ///
    /// # Errors
    /// There is no such run, or its plan cannot be read.
    pub fn plan(&self, run: &RunId) -> Result<Vec<u8>, StoreError> {
        let path = self.directory_of(run).join("plan.json");
        fs::read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => StoreError::NoRun { run: run.clone(), directory: self.directory.clone() },
            _ => StoreError::Disk { action: "read", path, source },
        })
    }

    /// Makes sure that `directory` is found again after a power failure.
    fn sync_directories(&self, directory: &Utf8Path) -> Result<(), StoreError> {
        let inside = |above: &&Utf8Path| above.starts_with(&self.directory);
        for above in directory.ancestors().skip(1).take_while(inside) {
            File::open(above).and_then(|above| above.sync_all()).map_err(|source| StoreError::Disk {
                action: "flush",
                path: above.to_owned(),
                source,
            })?;
        }
        // What lies above the state directory may be closed to this user.
        let above = self.directory.parent().map(|above| if above == "" { Utf8Path::new(".") } else { above });
        let _ = above.map(|above| File::open(above).and_then(|above| above.sync_all()));
        Ok(())
    }

    fn make_directory(&self, directory: &Utf8Path) -> Result<(), StoreError> {
        // Logs and journals are nobody else's business.
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|source| StoreError::Disk {
            action: "create",
            path: directory.to_owned(),
            source,
        })
    }
}

/// Locks the file, passing over those who only look who holds it ([`Store::holder`]): that takes an instant.
fn lock_soon(file: &File) -> Result<(), TryLockError> {
    for _ in 0..4 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(std::time::Duration::from_millis(25)),
            answer => return answer,
        }
    }
    file.try_lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = Utf8Path::from_path(directory.path()).expect("a UTF-8 path").join("state");
        (directory, Store::at(&path))
    }

    #[test]
    fn a_second_leapfrog_is_told_who_works_and_may_work_afterwards() {
        let (_guard, store) = store();
        let lock = store.lock("host alpha, process 7").expect("free");
        let error = store.lock("another").expect_err("held");
        assert!(error.to_string().contains("host alpha, process 7"), "{error}");
        drop(lock);
        store.lock("another").expect("free again");
    }

    #[test]
    fn a_new_run_is_the_latest_one_whatever_the_clock_says() {
        let (_guard, store) = store();
        let now: jiff::Timestamp = "2026-11-22T03:15:02Z".parse().expect("a time");
        let hour = jiff::SignedDuration::from_hours(1);
        let (mut before, mut clock) = (None, now);
        for (jump, salt) in [(hour, 9), (-hour * 30, 9), (hour, 8), (jiff::SignedDuration::ZERO, 7), (hour * 100, 1)] {
            clock += jump;
            let run = store.name_run(clock, salt).expect("readable");
            assert!(before.is_none_or(|before| before < run), "{run}");
            store.create(&run, b"{}").expect("created");
            assert_eq!(store.runs().expect("readable").last(), Some(&run));
            before = Some(run);
        }
        assert_eq!(
            before.map(|run| run.to_string()),
            Some("20261125-031502-0001".to_owned()),
            "a clock that is right again"
        );
    }

    #[test]
    fn runs_are_listed_by_age_and_strangers_are_passed_over() {
        let (_guard, store) = store();
        assert_eq!(store.runs().expect("no directory is no error"), []);
        let runs = [RunId::new("20261122-031502", 7), RunId::new("20261121-031502", 0xffff)];
        for run in &runs {
            store.create(run, b"{}").expect("created");
        }
        fs::create_dir(store.directory_of(&runs[0]).with_file_name("notes")).expect("created");
        assert_eq!(store.runs().expect("readable"), [runs[1].clone(), runs[0].clone()]);
        assert_eq!(store.plan(&runs[0]).expect("readable"), b"{}");
        assert!(matches!(store.plan(&RunId::new("20200101-000000", 1)), Err(StoreError::NoRun { .. })));
    }
}
