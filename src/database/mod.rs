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
mod changing;
mod classify;
mod clear;
mod connect;
mod connection;
mod fingerprint;
mod heartbeats;
mod keys;
mod load;
mod lock;
mod named;
mod recorded;
mod relay;
mod rights;
mod scratch;
mod sessions;
mod shape;
mod sizes;
mod structures;
mod triggers;

pub use asked::Right;
pub use connect::{ConnectError, Purpose, connect, connect_for};
pub use connection::{Connection, QueryError, Row};
pub use fingerprint::{Depth, Fingerprint, TablePrint};
pub use heartbeats::Heartbeat;
pub use keys::{KeyColumn, Keyed};
pub use load::{Lag, Load};
pub use lock::{DatabaseLock, Holder, LockError, Loss, lock};
pub use named::lobby;
pub use relay::{Heard, Relay};
pub use rights::{CharacterSets, Lacking};
pub use scratch::{MARKER, Scratch, ScratchError, ScratchUse, scratch_name, trial_name};
pub use sessions::{Session, Sessions};
pub use sizes::TableSize;
pub use structures::{Definition, ForeignKey};
pub use triggers::RowTrigger;

/// A name of a table or a column as `engine` takes it for one.
pub fn name(engine: crate::model::Engine, name: &str) -> String {
    match engine {
        crate::model::Engine::Mysql => fingerprint::quoted(name),
        _ => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// A text as a literal of `engine`, whatever the session's mode. PostgreSQL: with `standard_conforming_strings`, which is
/// its default.
pub fn text(engine: crate::model::Engine, text: &str) -> String {
    match engine {
        crate::model::Engine::Mysql => {
            let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            format!("_utf8mb4 x'{digits}'")
        }
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

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
