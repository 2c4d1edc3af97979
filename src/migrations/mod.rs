//! Migration scripts, read and understood without running any Python.
//!
//! An alembic script says in plain assignments which revision it is, which come before it and which it
//! depends on. From all scripts of a schema comes a [`Tree`]: its heads, the revisions between any two
//! points, and what they drop. That is what an image *holds*, whatever its tag says; [`ImageFacts`] keeps it.
//!
//! Pure: texts in, plain values out. Invariants:
//! * A script that is not understood is reported with its file and the reason ([`Misread`]); it is never
//!   passed over, because a tree with a hole would prove nothing.
//! * A [`Tree`] holds no revision twice, names none that it lacks, and has no circle. That is checked when it
//!   is made, also when it is read from a file.
//! * No text makes this code panic.
//!
//! Scripts of sqlalchemy-migrate (`042_*.py`) are only put in order, which is for the lint: a leap is not planned by them.
//!
//! `python` understands constants, `drops` counts dropped tables, `script` reads one script, `read` all of
//! them, `tree` is the graph, `facts` what is known of an image, `numbered` what came before alembic.

mod drops;
mod facts;
mod numbered;
pub(crate) mod python;
mod read;
mod script;
#[cfg(test)]
mod tests;
mod tree;

pub use facts::{ImageFacts, LackingOption, SchemaFacts, ServiceFacts};
pub use numbered::{Language, Numbered, number, numbered};
pub(crate) use read::is_script;
pub use read::{Misread, Place, read};
pub use tree::{Revision, Tree, TreeError};
