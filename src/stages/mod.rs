//! Which part of a release each database has behind it, kept where it outlives the operator's machine.
//!
//! The journal of a run is the truth and lies on one machine. What follows from it for each database, its [`Mark`], is copied
//! into a table in a database of leapfrog's own on the same server, so that whoever goes on from another machine finds it.
//! On every start the table is compared with the heads that the databases show: they outrank it.
//!
//! | file | holds |
//! | --- | --- |
//! | `mark.rs` | the stages, and what is noted with one; pure |
//! | `book.rs` | the marks that follow from a plan and the records of its run; pure |
//! | `relation.rs` | a mark against the heads of its database; pure |
//! | `table.rs` | the table `leapfrog_state` on the three engines |
//!
//! A mark is written after the proof of what it says, and a mark that cannot be written stops nothing.

mod book;
mod mark;
mod relation;
mod table;

pub use book::{Book, Changes};
pub use mark::{Mark, Stage, StageError};
pub use relation::{Judge, Relation, Shown, same_heads};
pub use table::{Place, StagesError, TABLE, make, places, read, write};
