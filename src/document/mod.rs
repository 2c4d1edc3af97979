//! Documents that people write: YAML text to checked values, and every mistake with its place.
//!
//! A [`Document`] is read in two passes over one parse. The parser's events become a small tree that
//! remembers where each node stands; a serde deserializer walks the tree. Serde stops at its first
//! mistake, so the walk is repeated without the part that was wrong (and with something in the place of
//! a missing key) until nothing wrong is left: one reading reports all unknown keys, all missing keys
//! and all wrong values of a file. The tree outlives the reading, so
//! that whoever checks the *meaning* of a document can still point at the place of each value.
//!
//! What the documents may use is a plain subset of YAML: no anchors, no aliases, no tags, one
//! document per file, keys that are words, each key once. Size and depth are limited. Text may stay
//! unquoted: `2024.1` and `47147121` are read as they are spelled, never as numbers.
//!
//! A document with secrets in it can be read discreetly: its mistakes show another text and repeat
//! nothing of what they found.
//!
//! No input makes this module panic. It does no I/O and knows no document's meaning.

mod mistake;
mod nearest;
mod read;
mod source;
mod supplied;
#[cfg(test)]
mod tests;
mod tree;
mod typed;

pub use mistake::{Mistake, Place};
pub use nearest::nearest;
pub use read::{Attempt, Document};
pub use source::Source;
pub use tree::Entry;
pub(crate) use tree::is_word;
