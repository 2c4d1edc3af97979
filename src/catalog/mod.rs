//! The catalogue: which releases there are and how each service is taken through one.
//!
//! `releases/*.yaml` and `playbooks/*.yaml` are data. They are embedded in the binary and can be
//! overridden by a directory. Reading them reports every mistake of every file in one go, with file,
//! line and column; a [`Catalog`] that exists is consistent. Nothing here knows runners or databases.

mod playbook;
mod release;

pub use playbook::{
    ConfigurationFile, ConfigurationOption, DatabaseSlot, Drain, OutputFormat, Playbook, PlaybookCheck, PlaybookStep,
    Remainder, Residue, Run, StoredUrls,
};
pub use release::{Note, Release, ReleaseService, Status, Versions};
