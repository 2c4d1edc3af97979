//! What a release's own checks say (`*-status upgrade check`).

use std::fmt;

use serde::{Deserialize, Serialize};

/// How one check of a release ended (oslo.upgradecheck: 0, 1, 2, which is its exit code too).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckResult {
    /// Nothing to do.
    Success,
    /// Something to look at; an upgrade may be possible all the same.
    Warning,
    /// Something that stops an upgrade.
    Failure,
}

impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Failure => "failure",
        })
    }
}

/// One check of a release and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseCheck {
    /// The check's name, such as `Service UUIDs`.
    pub name: String,
    /// How it ended.
    pub result: CheckResult,
    /// What it found, where it says so.
    pub details: Option<String>,
}
