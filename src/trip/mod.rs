//! Touching every row of a table, so that its row triggers do their work.
//!
//! A trigger that appears does nothing for rows that are there already. This walks through them in the order of the
//! primary key, in batches, each a transaction: the boundary of the next batch is asked of the server ([`statements`]),
//! its rows are set to themselves, and how far that is stands in a table of the same database ([`ledger`]), written in
//! the same transaction. So whoever kills this at any moment loses no row and counts none twice.
//!
//! | file | holds |
//! | --- | --- |
//! | `table.rs` | which tables can be walked through, and why others cannot |
//! | `key.rs`, `statements.rs` | values of keys as they are carried, and the SQL of a batch; pure |
//! | `pace.rs` | how many rows the next batch may have; pure |
//! | `limits.rs` | when to wait; pure |
//! | `redo.rs` | whether MariaDB's redo log has room for a walk; pure |
//! | `others.rs` | when somebody else may have an SQLite file |
//! | `ledger.rs` | how far each part of a table is |
//! | `walk.rs` | one part of a table, batch by batch |
//! | `run.rs` | a table: its parts, its passes, what proves it |
//! | `watch.rs` | looks at servers and files, and says when to wait |
//!
//! Nothing here locks a table, prints, or knows services and releases.

mod event;
mod key;
mod ledger;
mod limits;
mod others;
mod pace;
mod redo;
mod run;
mod statements;
mod table;
mod walk;
mod watch;

pub use event::{Event, Proof, Verdict};
pub use ledger::{LEDGER, forget};
pub use limits::Limits;
pub use run::{Order, Trouble, trip};
pub use table::{Choice, Flaw, Reached, Suited, Survey, Table, reached, suited, survey};
pub use walk::Halt;
pub use watch::{Gate, Pause, Watch, watch};
