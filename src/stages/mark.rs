//! The stages of a release, and what is noted with one.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Heads, RunId, Series};

/// How far into a release the databases of a service are. In this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// What the release adds is there: L(e).
    Expanded,
    /// What it moves is moved: L(m).
    Migrated,
    /// Nothing was seen any more that uses what it removes, or somebody took the responsibility.
    Ready,
    /// What it removes is gone, and nothing of the release is left to do: L(c).
    Contracted,
}

/// A text that is no stage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no stage: there are expanded, migrated, ready and contracted")]
pub struct StageError(String);

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 4] = [Self::Expanded, Self::Migrated, Self::Ready, Self::Contracted];

    /// The stage as a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expanded => "expanded",
            Self::Migrated => "migrated",
            Self::Ready => "ready",
            Self::Contracted => "contracted",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = StageError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text).ok_or_else(|| StageError(text.to_owned()))
    }
}

/// What is noted of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Mark {
    /// The release.
    pub series: Series,
    /// How far into it.
    pub stage: Stage,
    /// The heads that the database showed then.
    pub heads: Heads,
    /// Since when: the time of the record that proves it, UTC.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// The run whose journal has the proof.
    pub run: RunId,
    /// Who ran it: USER@MACHINE, or the machine where the user is not known.
    pub by: String,
    /// The version of leapfrog.
    pub leapfrog: String,
}

impl Mark {
    /// Whether it says all that `other` says, of the same heads: then `other` need not take its place.
    pub fn covers(&self, other: &Self) -> bool {
        self.series == other.series && self.stage >= other.stage && super::same_heads(&self.heads, &other.heads)
    }
}

impl fmt::Display for Mark {
    /// `2024.1 expanded, since 2026-11-22 03:15:02 UTC, run … by …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.since.strftime("%F %T UTC");
        write!(f, "{} {}, since {since}, run {} by {}", self.series, self.stage, self.run, self.by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_in_the_order_of_a_release_and_read_as_they_are_written() {
        assert!(Stage::ALL.is_sorted());
        for stage in Stage::ALL {
            assert_eq!(stage.to_string().parse(), Ok(stage));
            assert_eq!(serde_json::to_string(&stage).expect("JSON"), format!("\"{stage}\""));
        }
        assert!("done".parse::<Stage>().is_err());
    }
}
