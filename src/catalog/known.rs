//! From where a playbook knows what it says: from having run it, or from reading.

use serde::{Deserialize, Serialize};

use super::Playbook;
use crate::model::{Series, SeriesRange};

/// From where what a playbook says of some releases is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The releases this holds for; absent: all.
    #[serde(default)]
    pub series: SeriesRange,
    /// How it is known.
    pub how: Knowledge,
    /// What was run, where and on what, or what was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
}

/// How something is known of a service in a release.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Knowledge {
    /// This project's tests run it.
    #[default]
    Tested,
    /// It was run, and this project's tests do not run it.
    Run,
    /// Its code and documents were read, and nobody ran it.
    Read,
}

impl Knowledge {
    /// Whether this project's tests run it.
    pub fn is_tested(&self) -> bool {
        *self == Self::Tested
    }

    /// How a person is told of it.
    pub fn told(self) -> &'static str {
        match self {
            Self::Tested => "run by this project's tests",
            Self::Run => "run elsewhere, never by this project's tests",
            Self::Read => "read, never run by this project's tests",
        }
    }
}

impl Playbook {
    /// From where what is said of a release is known. A playbook that does not say it was only read.
    pub fn knowledge(&self, series: &Series) -> Knowledge {
        self.known.iter().find(|known| known.series.contains(series)).map_or(Knowledge::Read, |known| known.how)
    }
}
