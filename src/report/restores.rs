//! Restore points and restores, in words; and what a restore takes back from an account.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::account::Account;
use super::text::{bytes, counted, listed, stamp};
use crate::journal::{Failure, Outcome, SavedPoint};
use crate::model::{PointProof, Series, Service, StepId};

/// A restore that began.
#[derive(Debug, Clone)]
pub(super) struct Restore {
    pub(super) time: Timestamp,
    pub(super) to: Series,
    pub(super) services: BTreeSet<Service>,
    /// The step whose death was undone; absent where the operator asked for it.
    pub(super) because: Option<StepId>,
    /// How it ended, if that was seen.
    pub(super) outcome: Option<Outcome>,
    pub(super) failure: Option<Failure>,
}

impl Restore {
    /// Whether its databases stand nowhere.
    pub(super) fn is_open(&self) -> bool {
        !self.outcome.is_some_and(Outcome::is_complete)
    }

    /// Whose databases it is about, and where they go.
    pub(super) fn about(&self) -> String {
        let services: Vec<String> = self.services.iter().map(ToString::to_string).collect();
        format!("{} to where {} began", listed(&services), self.to)
    }

    fn sentence(&self) -> String {
        let why = match &self.because {
            Some(step) => format!(", since {step} died"),
            None => String::new(),
        };
        let how = match self.outcome {
            Some(outcome) if outcome.is_complete() => "brought back",
            Some(_) => "not brought back (failed)",
            None => "not brought back (cut off)",
        };
        format!("{}: {how} {}{why}", stamp(self.time), self.about())
    }
}

/// What was brought back in a run, for its last words.
pub(super) fn sentences(account: &Account) -> Vec<String> {
    account.restores().iter().map(Restore::sentence).collect()
}

/// A restore point in words.
pub fn saved(point: &SavedPoint) -> String {
    let size = if point.bytes > 0 { format!("{} of ", bytes(point.bytes)) } else { String::new() };
    let proof = match point.proof {
        PointProof::Off => "not proved",
        PointProof::Sample => "proved in part",
        PointProof::Full => "proved",
    };
    let removed = match point.removed.len() as u64 {
        0 => String::new(),
        number => format!("; {} removed", counted(number, "older one", "older ones")),
    };
    format!(
        "restore point of {}: {size}{} in {}, {proof}{removed}",
        point.database,
        counted(point.rows, "row", "rows"),
        counted(point.tables, "table", "tables")
    )
}
