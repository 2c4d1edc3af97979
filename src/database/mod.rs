//! Connections to the databases of a cloud.
//!
//! A [`Connection`] is one of three typed ones; there is no common denominator driver between them and
//! the server, because errors have to be told apart by each engine's own codes. Options are set one
//! by one: no URL with a password in it is ever put together, so none can get into an error.
//!
//! A session is read-only unless it was asked for with [`Purpose::Change`]: MySQL and PostgreSQL are
//! told to refuse changes, an SQLite file is opened for reading and must exist.
//!
//! Nothing here knows releases, services or terminals.

mod asked;
mod classify;
mod clear;
mod connect;
mod connection;
mod fingerprint;
mod heartbeats;
mod lock;
mod named;
mod relay;
mod rights;
mod scratch;
mod sessions;
mod shape;
mod sizes;
mod structures;

pub use asked::Right;
pub use connect::{ConnectError, Purpose, connect, connect_for};
pub use connection::{Connection, QueryError, Row};
pub use fingerprint::{Depth, Fingerprint, TablePrint};
pub use heartbeats::Heartbeat;
pub use lock::{DatabaseLock, Holder, LockError, Loss, lock};
pub use named::lobby;
pub use relay::{Heard, Relay};
pub use rights::{CharacterSets, Lacking};
pub use scratch::{MARKER, Scratch, ScratchError, ScratchUse, scratch_name, trial_name};
pub use sessions::{Session, Sessions};
pub use sizes::TableSize;
pub use structures::{Definition, ForeignKey};

/// An error and what led to it, in one line: `log in …: Access denied for user …`.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(error) = inner {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        inner = error.source();
    }
    text
}
