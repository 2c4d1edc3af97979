//! A journal on disk: `journal.jsonl` in the run's directory, one record a line, each flushed to the
//! disk before [`Journal::append`] returns.
//!
//! A line ends in `,"sum":"…"}`: the first eight digits of the SHA-256 of the bytes before that. A disk
//! that turns one digit into another leaves a record that can be read and is wrong; with the sum it is
//! refused. A line without one is read as it is, so that a journal can be written and mended by hand.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest, Sha256};

use super::{IllegalRecord, Record, RecordBody, RunState};

/// The open journal of one run.
#[derive(Debug)]
pub struct Journal {
    path: Utf8PathBuf,
    file: File,
    state: RunState,
    /// Whether the disk refused a record.
    broken: bool,
}

/// What a journal on disk says.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    /// The records, in order.
    pub records: Vec<Record>,
    /// The state after them.
    pub state: RunState,
    /// How many bytes at the end were an unfinished line: a record whose writing was cut off, and
    /// which therefore nobody acted upon.
    pub torn: u64,
}

/// What can be wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refuses.
    #[error("{action} {path}: look at the disk's space and the directory's owner, then run the same command again")]
    Disk {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: Utf8PathBuf,
        /// Why it did not work.
        #[source]
        source: io::Error,
    },
    /// A whole line that is no record.
    #[error(
        "record {number} of {path} is damaged: {why}. Nothing was changed; restore the file from a copy, or move the \
         run's directory away and start anew with `--from auto`"
    )]
    Damaged {
        /// The journal.
        path: Utf8PathBuf,
        /// Which line, from 1.
        number: u64,
        /// What is wrong.
        why: String,
    },
    /// A record of a format that this program does not know.
    #[error("{path} was written in format {format} and this leapfrog reads format {known}: use the newer leapfrog")]
    Newer {
        /// The journal.
        path: Utf8PathBuf,
        /// Its format.
        format: u64,
        /// The format that is read.
        known: u32,
    },
    /// A record that cannot follow the ones before it.
    #[error(
        "the journal {path} contradicts itself. Nothing was changed; restore the file from a copy, or move the run's \
         directory away and start anew with `--from auto`"
    )]
    Illegal {
        /// The journal.
        path: Utf8PathBuf,
        /// What is wrong.
        #[source]
        source: IllegalRecord,
    },
}

/// The journal's file name in the run's directory.
pub const FILE_NAME: &str = "journal.jsonl";

impl Journal {
    /// Begins the journal of a new run in `directory`, which exists.
    ///
    /// # Errors
    /// The file exists already or cannot be made.
    pub fn create(directory: &Utf8Path) -> Result<Self, JournalError> {
        let path = directory.join(FILE_NAME);
        let disk = |action, source| JournalError::Disk { action, path: path.clone(), source };
        let file = OpenOptions::new().append(true).create_new(true).open(&path).map_err(|e| disk("create", e))?;
        // A file is found after a crash only if its directory entry was written, too.
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|e| disk("flush the directory of", e))?;
        Ok(Self { path, file, state: RunState::default(), broken: false })
    }

    /// Opens the journal of a run that began before, for more records. A torn line at its end is cut
    /// off.
    ///
    /// # Errors
    /// As [`read`], or the file cannot be written.
    pub fn open(directory: &Utf8Path) -> Result<(Self, Contents), JournalError> {
        let path = directory.join(FILE_NAME);
        let contents = read(directory)?;
        let disk = |action, source| JournalError::Disk { action, path: path.clone(), source };
        let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(|e| disk("open", e))?;
        let length = file.metadata().map_err(|e| disk("read", e))?.len();
        if contents.torn > 0 {
            file.set_len(length - contents.torn).and_then(|()| file.sync_all()).map_err(|e| disk("repair", e))?;
        }
        file.seek(SeekFrom::End(0)).map_err(|e| disk("open", e))?;
        Ok((Self { path, file, state: contents.state.clone(), broken: false }, contents))
    }

    /// Writes a record and waits until the disk has it.
    ///
    /// # Errors
    /// The record cannot follow the ones before it, or the disk refuses it. After a disk's refusal the
    /// journal must not be written any more: what is in the file is unknown until it is read again.
    pub fn append(&mut self, time: jiff::Timestamp, body: RecordBody) -> Result<Record, JournalError> {
        let disk = |source| JournalError::Disk { action: "write", path: self.path.clone(), source };
        if self.broken {
            return Err(disk(io::Error::other("an earlier record could not be written")));
        }
        let record = Record { format: Record::FORMAT, sequence: self.state.sequence + 1, time, body };
        self.state.apply(&record).map_err(|source| JournalError::Illegal { path: self.path.clone(), source })?;
        let line = line_of(&record).map_err(|error| disk(error.into()))?;
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        self.broken = written.is_err();
        written.map_err(disk)?;
        Ok(record)
    }

    /// The state after the last record.
    pub fn state(&self) -> &RunState {
        &self.state
    }
}

/// Reads the journal in `directory` without changing it.
///
/// # Errors
/// It cannot be read, a whole line is no record, a record is of a newer format, or one contradicts the
/// ones before it.
pub fn read(directory: &Utf8Path) -> Result<Contents, JournalError> {
    let path = directory.join(FILE_NAME);
    let mut bytes = Vec::new();
    fs::File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(|source| JournalError::Disk {
        action: "read",
        path: path.clone(),
        source,
    })?;
    parse(&path, &bytes)
}

/// Reads the bytes of a journal. `path` is for errors.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Utf8Path, bytes: &[u8]) -> Result<Contents, JournalError> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut records = Vec::new();
    let mut state = RunState::default();
    for (number, line) in (1_u64..).zip(bytes[..whole].split_inclusive(|byte| *byte == b'\n')) {
        let damaged = |why: String| JournalError::Damaged { path: path.to_owned(), number, why };
        let value: serde_json::Value = serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
        let format = value.get("format").and_then(serde_json::Value::as_u64);
        match format {
            Some(format) if format == u64::from(Record::FORMAT) => {}
            Some(format) if format > u64::from(Record::FORMAT) => {
                return Err(JournalError::Newer { path: path.to_owned(), format, known: Record::FORMAT });
            }
            _ => return Err(damaged("it has no `format`, so it is not a record of leapfrog".to_owned())),
        }
        if !sum_fits(line) {
            return Err(damaged("its `sum` does not fit: the line is not what leapfrog wrote".to_owned()));
        }
        let record: Record = serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
        state.apply(&record).map_err(|source| JournalError::Illegal { path: path.to_owned(), source })?;
        records.push(record);
    }
    let rest = &bytes[whole..];
    if holds_a_whole_record(rest) {
        // A writing that is cut off ends before the line feed; behind a whole record it was something else.
        let why = "its line feed is not what leapfrog wrote".to_owned();
        return Err(JournalError::Damaged { path: path.to_owned(), number: records.len() as u64 + 1, why });
    }
    Ok(Contents { records, state, torn: rest.len() as u64 })
}

/// What stands between a record and its sum.
const BEFORE_SUM: &[u8] = b",\"sum\":\"";
/// What stands behind it.
const AFTER_SUM: &[u8] = b"\"}\n";

/// A record as a line of a journal.
pub(super) fn line_of(record: &Record) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(record)?;
    // The brace comes again behind the sum.
    line.pop();
    let sum = sum_of(&line);
    line.extend_from_slice(BEFORE_SUM);
    line.extend_from_slice(sum.as_bytes());
    line.extend_from_slice(AFTER_SUM);
    Ok(line)
}

/// Whether a line is what its sum says. A line without a sum is.
fn sum_fits(line: &[u8]) -> bool {
    let rest = line.strip_suffix(AFTER_SUM).and_then(|rest| rest.split_last_chunk::<8>());
    let Some((rest, sum)) = rest else { return true };
    rest.strip_suffix(BEFORE_SUM).is_none_or(|record| sum_of(record).as_bytes() == sum)
}

/// Whether bytes without a line feed begin with a whole record, with its sum, and do not end there.
fn holds_a_whole_record(rest: &[u8]) -> bool {
    let places = rest.windows(BEFORE_SUM.len()).enumerate().filter(|(_, window)| *window == BEFORE_SUM);
    let mut behind = places.map(|(place, _)| (&rest[..place], &rest[place + BEFORE_SUM.len()..]));
    behind.any(|(record, sum)| match sum.split_first_chunk::<8>() {
        // The quotation mark, the brace, and something in the place of the line feed.
        Some((sum, after)) => after.len() >= AFTER_SUM.len() && sum_of(record).as_bytes() == sum,
        None => false,
    })
}

/// Eight hexadecimal digits.
fn sum_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}
