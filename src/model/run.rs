//! The identity of a run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A run's name: the moment it began, to the second, and what tells runs of one second apart, such as
/// `20261122-031502-7f3a`. Sorts by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct RunId(String);

/// A text that is no run's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a run: `leapfrog runs` lists them")]
pub struct RunIdError(String);

impl RunId {
    /// The name of a run that began at `began` (text `YYYYMMDD-HHMMSS`), told apart by `salt`.
    pub fn new(began: &str, salt: u16) -> Self {
        Self(format!("{began}-{salt:04x}"))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form: Vec<usize> = text.split('-').map(str::len).collect();
        let valid =
            form == [8, 6, 4] && text.chars().all(|c| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c));
        if valid { Ok(Self(text.to_owned())) } else { Err(RunIdError(text.to_owned())) }
    }
}

impl TryFrom<String> for RunId {
    type Error = RunIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
