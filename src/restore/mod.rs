//! Restore points: verified copies of databases, and the way back to them.
//!
//! A restore point is two files in a directory of the operator's choice: the dump (compressed, with a sum) and
//! beside it what was seen of the database when it was dumped ([`Point`]). The second one is written last; a
//! dump without it is what a dead process left, and counts for nothing.
//!
//! Dumps are made and loaded by the engine's own client programs, found on this machine: `mariadb-dump` or
//! `mysqldump`, `pg_dump`; SQLite copies itself. They stream through a thread of this process, which compresses
//! and sums them; nothing is ever held whole. A password reaches a client in a file that exists in memory
//! alone ([`PrivateFile`]), never in an argument, an environment or on a disk.
//!
//! A dump is proved by bringing it back into a scratch database beside the original and comparing fingerprints
//! ([`Fingerprint`](crate::database::Fingerprint)). A restore is proved the same way, on the database itself.
//!
//! [`SchemaCopy`] is no restore point: a schema without its rows, for trying migrations in a scratch database.
//!
//! Whatever is dropped in the middle (a future, the process) leaves no client running and no half file that
//! counts. Nothing here knows runs, plans, journals or terminals.

mod back;
mod client;
mod error;
mod pipe;
mod point;
mod private;
mod ready;
mod save;
mod schema;
mod snapshot;
mod sqlite;
mod sweep;

pub use back::{Back, bring_back};
pub use client::Client;
pub use error::RestoreError;
pub use point::{Means, Name, Point, PointFiles};
pub use private::PrivateFile;
pub use ready::{Lack, Way, lacks};
pub use save::{Order, save};
pub use schema::SchemaCopy;
pub use snapshot::Snapshots;
pub use sweep::{kept, remove};

use std::time::Duration;

use camino::Utf8PathBuf;

/// How restore points are taken and kept.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Where they are kept.
    pub directory: Utf8PathBuf,
    /// How many of each database are kept, besides the first of the run.
    pub keep: usize,
    /// The operator's own commands, in the place of dumps.
    pub snapshots: Option<Snapshots>,
    /// How long connecting to a database may take.
    pub timeout: Duration,
}
