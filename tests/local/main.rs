//! The runner of local environments against real processes, real packages and real OpenStack commands.
//!
//! These tests fetch packages and are ignored without the test bed: `make test` runs them
//! (`cargo test --test local -- --ignored`). They are never skipped in silence.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod bed;
#[path = "../leap/bed.rs"]
#[expect(dead_code, reason = "the clouds of the leap's tests; not all of it is needed here")]
mod cloud;
#[path = "../contract/mod.rs"]
mod contract;
mod deaths;
mod demo;
mod environments;
mod founding;
mod keystone;
mod ladder;
mod leaps;
mod machine;
mod output;
mod postgresql;
#[path = "../databases/programs.rs"]
mod programs;
#[path = "../tested/record.rs"]
mod record;
#[path = "../tested/results.rs"]
mod results;
mod services;
mod sqlite;
mod tasks;
mod truth;
