//! The vocabulary: series, services, databases, heads, steps, exit tables, images, secrets.
//!
//! Plain values that are parsed once, at the edge, and are valid from then on. `Display` and
//! `FromStr` round-trip. Nothing here does I/O, awaits, prints or knows another module.

mod check;
mod command;
mod connection;
mod database;
mod engine;
mod exit;
mod heads;
mod identifier;
mod image;
mod mapped;
mod observed;
mod point;
mod recorded;
mod run;
mod secret;
mod series;
mod shape;
mod step;
mod trigger;

pub use check::{CheckResult, ReleaseCheck};
pub use command::{Command, CommandError};
pub use connection::{ConnectionUrl, ConnectionUrlError};
pub use database::{DatabaseId, DatabaseIdError};
pub use engine::Engine;
pub use exit::{ExitTable, Verdict};
pub use heads::Heads;
pub use identifier::{IdentifierError, Schema, Service, Slot};
pub use image::{Digest, ImageError, ImageReference};
pub use mapped::{AccessOverride, MappedDatabases, MappedUrl, ServerName, ServerNameError};
pub use observed::{Observation, ObservedDatabase, StoredUrl, Unreachable};
pub use point::{PointPolicy, PointProof, Points};
pub use recorded::{OldServices, RecordedService};
pub use run::{RunId, RunIdError};
pub use secret::Secret;
pub use series::{Series, SeriesError, SeriesRange};
pub use shape::{ColumnShape, KeyShape, Shape, TableShape};
pub use step::{Branch, Effect, Phase, StepId, StepIdError, Stream};
pub use trigger::Trigger;
