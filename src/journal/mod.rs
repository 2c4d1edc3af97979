//! The durable record of a run, and the state that follows from it.
//!
//! A run is a file of records, one JSON object a line, each made durable before anyone sees it and
//! before the act that it announces. [`RunState`] is a fold over the records: what a reader of the
//! file knows is what the program knows. Nothing here knows runners or databases.

#[cfg(test)]
pub(crate) mod arbitrary;
mod crashing;
mod event;
mod evidence;
mod file;
mod log;
mod record;
mod restore;
mod state;
mod store;
#[cfg(test)]
mod tests;

pub use crashing::{CrashPoint, CrashingJournal, JournalDisk};
pub use event::{Event, Progress};
pub use evidence::{Evidence, SavedPoint};
pub use file::{Contents, FILE_NAME, Journal, JournalError, parse, read};
pub use log::RecordLog;
pub use record::{FailedMigration, Failure, MigrationCount, Outcome, Record, RecordBody, Waiver};
pub use restore::Restoring;
pub use state::{HopState, IllegalRecord, RunState, Start, StepState};
pub use store::{Lock, Store, StoreError};
