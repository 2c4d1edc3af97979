//! A playbook's step `check`: the release's own checks before its schema is touched.

use serde::{Deserialize, Serialize};

use crate::model::{CheckResult, Command, Engine, SeriesRange, Slot};

/// The release's own checks (`*-status upgrade check`), run in its image before its schema is touched,
/// and not in the first release of a leap: the databases stand there already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The step's name.
    pub name: Slot,
    /// The series this holds for; absent: all.
    #[serde(default)]
    pub series: SeriesRange,
    /// The engines this holds for; absent: all. What counts is the engine of the service's first
    /// database.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<Engine>,
    /// The command. It changes nothing.
    pub command: Command,
    /// How the output says how each check ended.
    pub output: CheckFormat,
    /// Checks that end with something else than success on databases that may go on all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Allowance>,
    /// Why the step is there.
    pub why: String,
}

/// How the output of a release's checks says how each of them ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckFormat {
    /// What oslo.upgradecheck prints: a drawn table of `Check:`, `Result:` and `Details:`, or one line of
    /// JSON with `--json`. nova-status draws the same table.
    UpgradeCheck,
}

/// A check that may end with something else than success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// The check's name, as the output says it.
    pub check: String,
    /// The results that are allowed: `failure`, `warning` or both.
    pub results: Vec<CheckResult>,
    /// The series this holds for; absent: all.
    #[serde(default)]
    pub series: SeriesRange,
    /// Counts the rows, in the service's first database, that would make the result a true one: it is
    /// allowed only while there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<String>,
    /// Why the databases may go on all the same.
    pub why: String,
}
