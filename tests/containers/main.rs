//! The container runner against a real engine and real registries.
//!
//! These tests need the test bed and are ignored without it: `make test` brings it up and runs them
//! (`cargo test --test containers -- --ignored`). They are never skipped in silence.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod away;
mod bed;
#[path = "../contract/mod.rs"]
mod contract;
mod faults;
mod images;
mod output;
mod reading;
mod tasks;
