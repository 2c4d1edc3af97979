//! The catalogue: which releases there are and how each service is taken through one.
//!
//! `releases/*.yaml` and `playbooks/*.yaml` are data. They are embedded in the binary and can be
//! overridden by a directory. Reading them reports every mistake of every file in one go, with file,
//! line and column; a [`Catalog`] that exists is consistent. Nothing here knows runners or databases.
//!
//! What a [`Catalog`] promises, so that nobody has to ask again:
//!
//! * every release lists every service that has a playbook, with heads for each of its schemas, or says why it
//!   has it not, and no service without one;
//! * in every release exactly one configuration file of a playbook applies, and each step's command
//!   learns from it where its databases are;
//! * a step's name is unique among the steps that can apply together, and phases never go backwards;
//! * a command that is repeated takes a count and can end; a command that is run once takes none;
//! * what has to be explained to an operator (`why`, notes, residues) is explained.

mod check;
mod drain;
mod exception;
mod files;
mod heartbeats;
mod known;
mod load;
mod lookup;
mod passing;
mod playbook;
mod playbook_check;
mod precondition;
mod recorded;
mod release;
mod release_check;
mod release_limits;
mod schemas;
pub mod show;
#[cfg(test)]
mod tests;
mod trip_step;

pub use drain::{AloneWhile, Drain, OutputFormat, Remainder, Residue};
pub use exception::{Exception, Exceptions};
pub use files::Overlay;
pub use heartbeats::Heartbeats;
pub use known::{Knowledge, Known};
pub use load::{Catalog, CatalogError};
pub use lookup::UnknownSeries;
pub use passing::PassingTriggers;
pub use playbook::{
    Besides, CodeFile, ConfigurationFile, ConfigurationOption, DatabaseSlot, NumberedScripts, Playbook, PlaybookStep,
    Run, Scripts, Taken,
};
pub use playbook_check::{PlaybookCheck, StoredUrls};
pub use precondition::{Good, MovedBy, Precondition, Severity, Triggers};
pub(crate) use recorded::numbers;
pub use recorded::{OldestAccepted, RecordedMend, RecordedVersions};
pub use release::{Environment, Note, Release, ReleaseService, Status, Versions};
pub use release_check::{Allowance, Check, CheckFormat};
pub use release_limits::{Floor, Servers, Split};
pub use schemas::schemas;
pub use trip_step::{TripStep, TripWhen, TrippedTable};
