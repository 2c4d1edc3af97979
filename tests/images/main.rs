//! Utility images: made of real packages, loaded into a real engine, pushed to a real registry, used in a real leap.
//!
//! These tests fetch packages and need the test bed; they are ignored without it: `make test` runs them
//! (`cargo test --test images -- --ignored`). They are never skipped in silence.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod bed;
mod carried;
#[path = "../leap/bed.rs"]
#[expect(dead_code, reason = "the clouds of the leap's tests; not all of it is needed here")]
mod cloud;
mod leap;
#[path = "../local/machine.rs"]
mod machine;
mod made;
mod range;
