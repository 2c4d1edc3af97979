//! A journal whose process dies at a record that a test names.
//!
//! ```
//! use leapfrog::journal::{CrashPoint, CrashingJournal, JournalDisk};
//!
//! let disk = JournalDisk::default();
//! // The first process dies when its second record is half written; the next one reads what is left.
//! let first = CrashingJournal::open(&disk, Some(CrashPoint::InTheMiddleOf(2, 10)));
//! // … conduct, which ends with an error …
//! let (next, contents) = CrashingJournal::open(&disk, None).expect("readable");
//! assert_eq!(contents.torn, 0);
//! # drop((first, next));
//! ```
//!
//! Lines are those of the file, read back by the same reader. They are kept in memory: a disk would take
//! milliseconds a record, and thousands of deaths take some hundred thousand records.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use camino::Utf8Path;

use super::file::{line_of, parse};
use super::{Contents, FILE_NAME, JournalError, Record, RecordBody, RecordLog, RunState};

/// What is left of a journal when its process is dead. A clone is the same disk.
#[derive(Debug, Clone, Default)]
pub struct JournalDisk(Arc<Mutex<Vec<u8>>>);

impl JournalDisk {
    /// A disk that holds these bytes.
    pub fn holding(bytes: &[u8]) -> Self {
        Self(Arc::new(Mutex::new(bytes.to_vec())))
    }

    /// What is on it.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().clone()
    }

    /// What the journal on it says. Nothing is changed.
    ///
    /// # Errors
    /// As [`super::read`].
    pub fn read(&self) -> Result<Contents, JournalError> {
        parse(Utf8Path::new(FILE_NAME), &self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the process dies. Records are counted from 1, by this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// What the record tells has happened; the record is not written.
    Before(u64),
    /// So many bytes of the record are written, at least one and never all.
    InTheMiddleOf(u64, usize),
    /// The record is durable; what it announces does not happen.
    After(u64),
}

/// A journal in memory that ends its process.
#[derive(Debug)]
pub struct CrashingJournal {
    disk: JournalDisk,
    state: RunState,
    /// How many records this process wrote or was about to.
    count: u64,
    crash: Option<CrashPoint>,
    dead: bool,
}

impl CrashingJournal {
    /// Opens the journal on `disk`, which may be empty. A torn line at its end is cut off.
    ///
    /// # Errors
    /// As [`super::read`].
    pub fn open(disk: &JournalDisk, crash: Option<CrashPoint>) -> Result<(Self, Contents), JournalError> {
        let contents = disk.read()?;
        {
            let mut bytes = disk.lock();
            let whole = bytes.len() - usize::try_from(contents.torn).unwrap_or(0);
            bytes.truncate(whole);
        }
        let state = contents.state.clone();
        Ok((Self { disk: disk.clone(), state, count: 0, crash, dead: false }, contents))
    }

    fn die(&mut self) -> JournalError {
        self.dead = true;
        let source = io::Error::other("the process died here, as the test wants it");
        JournalError::Disk { action: "write", path: FILE_NAME.into(), source }
    }
}

impl RecordLog for CrashingJournal {
    fn append(&mut self, time: jiff::Timestamp, body: RecordBody) -> Result<Record, JournalError> {
        if self.dead {
            return Err(self.die());
        }
        self.count += 1;
        let crash = self.crash.filter(|crash| {
            let (CrashPoint::Before(at) | CrashPoint::InTheMiddleOf(at, _) | CrashPoint::After(at)) = crash;
            *at == self.count
        });
        if let Some(CrashPoint::Before(_)) = crash {
            return Err(self.die());
        }
        let record = Record { format: Record::FORMAT, sequence: self.state.sequence + 1, time, body };
        let illegal = |source| JournalError::Illegal { path: FILE_NAME.into(), source };
        self.state.apply(&record).map_err(illegal)?;
        let line = line_of(&record).map_err(|error| JournalError::Disk {
            action: "write",
            path: FILE_NAME.into(),
            source: error.into(),
        })?;
        let kept = match crash {
            Some(CrashPoint::InTheMiddleOf(_, bytes)) => &line[..bytes.clamp(1, line.len() - 1)],
            _ => &line[..],
        };
        self.disk.lock().extend_from_slice(kept);
        if crash.is_some() { Err(self.die()) } else { Ok(record) }
    }

    fn state(&self) -> &RunState {
        &self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::arbitrary;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_left_after_a_death_is_every_record_before_it(
            bodies in proptest::collection::vec(arbitrary::body(), 1..4), bytes in 0..400_usize, how in 0..3_u8,
        ) {
            let (disk, began) = (JournalDisk::default(), arbitrary::run_started());
            let at = match how {
                0 => CrashPoint::Before(2),
                1 => CrashPoint::InTheMiddleOf(2, bytes),
                _ => CrashPoint::After(2),
            };
            let time = jiff::Timestamp::UNIX_EPOCH;
            let (mut journal, _) = CrashingJournal::open(&disk, Some(at)).expect("empty");
            journal.append(time, began).expect("legal");
            let dies = RecordBody::HopStarted { series: "2023.1".parse().expect("valid") };
            prop_assert!(journal.append(time, dies).is_err());
            for body in bodies {
                prop_assert!(journal.append(time, body).is_err(), "the dead write nothing");
            }
            let left = disk.read().expect("readable");
            prop_assert_eq!(left.records.len(), if how == 2 { 2 } else { 1 });
            prop_assert_eq!(left.torn > 0, how == 1);
            let (_, again) = CrashingJournal::open(&disk, None).expect("readable");
            prop_assert_eq!((again, disk.read().expect("readable").torn), (left, 0));
        }
    }
}
