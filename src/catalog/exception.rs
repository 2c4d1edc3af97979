//! Operations of schema migrations that are dangerous and wanted all the same, with what an operator needs to know of
//! them: the document `releases/<series>.notes.yaml`, and the one that a project gives to `leapfrog lint --exceptions`.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::model::{Series, Service};

/// The document.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    /// The version of this document's format: 1.
    #[expect(dead_code, reason = "compared before anything else is read")]
    #[schemars(range(min = 1, max = 1))]
    format: u32,
    /// The exceptions.
    pub exceptions: Vec<Exception>,
}

/// One exception: what one revision does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The rules whose findings are accepted, each by its identifier or its name: `LF-C01`.
    pub rules: Vec<String>,
    /// The revision whose findings they are.
    pub revision: String,
    /// The service; absent: whichever has that revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// The release that brings the revision; absent: whichever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub series: Option<Series>,
    /// The tables; absent: every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// The column; absent: every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What changes.
    pub changes: String,
    /// Why.
    pub why: String,
    /// How data is migrated, or why there is nothing to migrate.
    pub data: String,
    /// What decides the downtime. It begins with `none` where nothing waits longer than a moment.
    pub downtime: String,
    /// What an operator should do.
    pub operator: String,
    /// Who accepted it.
    pub accepted_by: String,
    /// The last day on which it counts, `YYYY-MM-DD`.
    #[schemars(with = "String")]
    pub until: Date,
}

impl Exception {
    /// What its author has to say, with the key of each answer.
    pub fn answers(&self) -> [(&'static str, &str); 7] {
        [
            ("revision", &self.revision),
            ("changes", &self.changes),
            ("why", &self.why),
            ("data", &self.data),
            ("downtime", &self.downtime),
            ("operator", &self.operator),
            ("accepted_by", &self.accepted_by),
        ]
    }

    /// What an operator should know before the window, in one paragraph.
    pub fn told(&self) -> String {
        let service = self.service.as_ref().map(|service| format!("{service} ")).unwrap_or_default();
        let [changes, downtime, operator] = [&self.changes, &self.downtime, &self.operator].map(|text| text.trim());
        format!("{service}{}: {changes} Downtime: {downtime} To do: {operator}", self.revision)
    }

    /// Whether something waits for it for as long as there are rows.
    pub fn takes_time(&self) -> bool {
        !self.downtime.trim_start().to_lowercase().starts_with("none")
    }
}
