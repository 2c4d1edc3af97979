//! Where a run's records are kept: a file, or in tests what only looks like one.

use super::{Journal, JournalError, Record, RecordBody, RunState};

/// Keeps the records of one run, in order, and folds them.
pub trait RecordLog: Send {
    /// Writes a record and waits until it is durable.
    ///
    /// # Errors
    /// The record cannot follow the ones before it, or it cannot be kept. After the latter nothing more is
    /// written: what was kept is unknown until it is read again.
    fn append(&mut self, time: jiff::Timestamp, body: RecordBody) -> Result<Record, JournalError>;

    /// The state after the last record.
    fn state(&self) -> &RunState;
}

impl RecordLog for Journal {
    fn append(&mut self, time: jiff::Timestamp, body: RecordBody) -> Result<Record, JournalError> {
        self.append(time, body)
    }

    fn state(&self) -> &RunState {
        self.state()
    }
}
