//! What will be done, in which order, and why: decided before anything is touched.
//!
//! Planning is pure and synchronous: documents and observations in, a [`Plan`] or every [`Refusal`] out.
//! After it the conductor has no choices left. No I/O, no clock, no secrets: a plan can be printed,
//! kept and compared.

mod backends;
mod belongs;
mod build;
mod configure;
pub mod detect;
mod document;
mod founding;
pub mod images;
mod lane;
mod mapped;
pub mod part;
mod path;
pub mod preconditions;
pub mod proof;
mod reconcile;
pub mod recorded;
mod refusal;
mod save;
mod schema;
mod shared;
mod sorted;
mod start;
mod text;
mod trips;
mod urls;

pub use build::{Brief, build};
pub use document::{
    Action, CommandRun, CommonRows, DataMigration, Hop, Lane, OptionValue, Plan, ReleaseChecks, SavedDatabase,
    SchemaMove, SchemaTarget, Standing, Step, StepConfiguration, Touching, Unless, Verification,
};
pub use founding::founding;
pub use mapped::Mappings;
pub use part::Part;
pub use path::{Stops, stops};
pub use reconcile::{reconcile, stands_at_the_end};
pub use recorded::VersionQuestion;
pub use refusal::{Refusal, RefusalKind, Refused};
pub use shared::{Shared, Text};
pub use sorted::Sorted;
pub use start::{Start, start};
pub use text::{render, render_brief};
