//! The conductor: carries out a plan.
//!
//! One loop owns the journal, the events and the cancellation. Steps run in tasks of their own and tell
//! the loop what happens. What comes next is a pure function of the plan and the folded journal
//! ([`schedule`]); what a round of a data migration means is a pure function of what was seen
//! ([`judge`]). A record is durable before anyone sees it and before the act it announces.
//!
//! Nothing here prints, speaks SQL or knows containers: runner and heads reader are interfaces.

mod ask;
mod back;
mod cancel;
mod conductor;
mod doubt;
mod found;
mod images;
mod judge;
mod killed;
mod launch;
mod listen;
mod pace;
mod patience;
mod points;
mod proof;
mod schedule;
mod sink;
mod slowing;
mod step;
mod tally;
mod trips;

pub use ask::{Asked, Questioner};
pub use cancel::{Signal, StopLevel};
pub use conductor::failure;
pub use conductor::{Conclusion, ConductError, Conductor, Settings};
pub use found::{Swept, sweep};
pub use images::{ImageInspector, lack_of, obtain};
pub use launch::{Connections, Redactor};
pub use patience::patient;
pub use points::RestorePoints;
pub use sink::EventSink;
pub use trips::{Touched, Toucher, TripNews};

use crate::journal::Failure;
use crate::model::{DatabaseId, Heads, RecordedService, Trigger, Unreachable};

/// Reads from the databases what proves a step.
#[async_trait::async_trait]
pub trait DatabaseReader: Send + Sync {
    /// The heads of `database` as they are now.
    async fn heads(&self, database: &DatabaseId) -> Result<Heads, Unreachable>;

    /// How many tables `database` holds; views do not count.
    async fn tables(&self, database: &DatabaseId) -> Result<u64, Unreachable>;

    /// The triggers of `database`, as far as they can be seen.
    async fn triggers(&self, database: &DatabaseId) -> Result<Vec<Trigger>, Unreachable>;

    /// The number that `query`, which changes nothing, finds in `database`.
    async fn count(&self, database: &DatabaseId, query: &str) -> Result<u64, Unreachable>;

    /// The same for the progress of a command that works in the database meanwhile: given up after
    /// minutes, and refused where reading would hold the command up.
    async fn left(&self, database: &DatabaseId, query: &str) -> Result<u64, Unreachable>;

    /// The services of `database` with the versions that they recorded, as `query` reads them.
    async fn services(&self, database: &DatabaseId, query: &str) -> Result<Vec<RecordedService>, Unreachable>;
}

/// Proof that nobody else works on the databases.
#[async_trait::async_trait]
pub trait Fence: Send + Sync {
    /// Why the next hop must not begin: who else is there, and what to do.
    async fn broken(&self) -> Option<Failure>;
}
