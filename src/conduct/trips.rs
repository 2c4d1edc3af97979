//! Touching every row of tables as a run needs it: leapfrog's own work in a database, which no command does.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::Conductor;
use crate::journal::{Evidence, Failure, Outcome};
use crate::plan::Touching;

/// Touches rows, so that row triggers work on them.
#[async_trait::async_trait]
pub trait Toucher: Send + Sync {
    /// Touches every row of the tables, from where an earlier attempt ended. `settled`: the triggers may be gone already,
    /// with what the release removes. Once `stop` says so, it ends after the batch at hand. Whoever does not wait for the
    /// end loses that batch alone. `tell` hears how far it is.
    async fn touch(
        &self,
        touching: &Touching,
        settled: bool,
        stop: watch::Receiver<bool>,
        tell: &mpsc::UnboundedSender<TripNews>,
    ) -> Touched;
}

/// What is told while rows are touched.
#[derive(Debug, Clone, PartialEq)]
pub enum TripNews {
    /// Something for the operator.
    Said(String),
    /// How far it is.
    Rows {
        /// Which walk through the table it is.
        walk: u32,
        /// How many rows this attempt has touched so far.
        moved: u64,
        /// How many it will have touched in the end.
        total: u64,
        /// Rows a second.
        rate: f64,
    },
}

/// How it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Touched {
    /// In a word.
    pub outcome: Outcome,
    /// Rows that this attempt touched.
    pub rows: u64,
    /// What supports it.
    pub evidence: Vec<Evidence>,
    /// What went wrong.
    pub failure: Option<Failure>,
}

impl Conductor {
    /// Lets `toucher` touch the rows that the plan says.
    #[must_use]
    pub fn touching(mut self, toucher: Arc<dyn Toucher>) -> Self {
        self.toucher = Some(toucher);
        self
    }
}
