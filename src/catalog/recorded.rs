//! A playbook's `recorded_versions`: versions that services record of themselves, and which of them a release's programs
//! do not accept.
//!
//! Migrations do not look at them, so a leap succeeds; what was not started since then still has the version of before,
//! and the release's programs refuse to start, or to work with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::precondition::MovedBy;
use crate::model::{Series, SeriesRange, Slot};

/// Services with a version of their own in a database, of which a release accepts only new enough ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordedVersions {
    /// The question's name.
    pub name: Slot,
    /// The slots of the databases that hold the rows.
    pub databases: Vec<Slot>,
    /// What the services are, as it follows a number: `compute services`.
    pub what: String,
    /// Reads five columns as text, on every engine and in every release of `oldest`: the program, its host, the version
    /// that it recorded (numbers with dots; NULL is older than all), when it last reported (UTC), and what else its row
    /// says (`disabled`; empty or NULL: nothing). Only rows that the release's own check counts.
    pub query: String,
    /// The oldest version that a release accepts, by release; a release in none of the ranges accepts every version.
    pub oldest: Vec<OldestAccepted>,
    /// The release that a version is known by: the newest of those with the same number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// What happens while there are older ones, in the service's own words where it has some.
    pub means: String,
    /// What can be done about it.
    pub mends: Vec<RecordedMend>,
    /// The step that writes the release's versions, in the last release of a leap: then older ones are no news before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_by: Option<MovedBy>,
    /// Where this is known from: files of the service, with versions.
    pub source: String,
}

/// The oldest version that releases accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OldestAccepted {
    /// The releases that accept no older one.
    pub series: SeriesRange,
    /// The version: numbers with dots between them.
    pub version: String,
    /// The name that the release's code gives this version; absent: it has none there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
}

/// Something that can be done about services that a release does not accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordedMend {
    /// The releases that have the means for it; absent: all.
    #[serde(default)]
    pub series: SeriesRange,
    /// What to do, a sentence or more.
    pub what: String,
    /// From which versions of the service on it exists; absent: in all of these releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

impl RecordedVersions {
    /// The oldest version that a release accepts; none: it accepts every one.
    pub fn oldest(&self, series: &Series) -> Option<&OldestAccepted> {
        self.oldest.iter().find(|one| one.series.contains(series))
    }

    /// What can be done in a release, in words.
    pub fn mends(&self, series: &Series) -> Vec<String> {
        self.mends.iter().filter(|mend| mend.series.contains(series)).map(RecordedMend::told).collect()
    }
}

impl RecordedMend {
    /// What to do, and where it can be done.
    pub fn told(&self) -> String {
        let what = self.what.trim();
        // The playbook says "from" which release on; the versions say since when a release has it.
        let from = match (&self.series.from, &self.series.to) {
            (None, None) => None,
            (Some(from), None) => Some(format!("from {from} on")),
            (None, Some(to)) => Some(format!("up to {to}")),
            (Some(from), Some(to)) => Some(format!("from {from} to {to}")),
        };
        match (from, &self.since) {
            (None, None) => what.to_owned(),
            (Some(from), None) => format!("{what} (exists {from})"),
            (None, Some(since)) => format!("{what} (exists in {})", since.trim()),
            (Some(from), Some(since)) => format!("{what} (exists {from}: {})", since.trim()),
        }
    }
}

impl OldestAccepted {
    /// Whether a version is older than this one.
    pub fn refuses(&self, version: Option<&str>) -> bool {
        version.and_then(numbers) < numbers(&self.version)
    }
}

/// A version as numbers that can be compared: `1.38` is newer than `1.9`. Absent: this is no version.
pub(crate) fn numbers(version: &str) -> Option<Vec<u64>> {
    version.trim().split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers_part_by_part() {
        assert!(numbers("1.38") > numbers("1.9") && numbers("66") > numbers("9"));
        assert!(numbers("3") < numbers("3.0"), "a part more is newer");
        assert_eq!((numbers("liberty"), numbers(""), numbers("1..2")), (None, None, None));
        let oldest = OldestAccepted { series: SeriesRange::default(), version: "1.38".into(), named: None };
        let refused = |version: Option<&str>| oldest.refuses(version);
        assert!(
            refused(Some("1.9")) && refused(None) && refused(Some("liberty")),
            "what is no version is older than all"
        );
        assert!(!refused(Some("1.38")) && !refused(Some("1.39")) && !refused(Some("2")));
    }

    #[test]
    fn a_mend_says_since_when_it_exists() {
        let mend = |series: SeriesRange, since: Option<&str>| {
            RecordedMend { series, what: " Do it. ".into(), since: since.map(str::to_owned) }.told()
        };
        let from = SeriesRange { from: Some("rocky".parse().expect("a series")), to: None };
        assert_eq!(mend(SeriesRange::default(), None), "Do it.");
        assert_eq!(mend(from.clone(), None), "Do it. (exists from rocky on)");
        assert_eq!(mend(from, Some("13.0.0 and later")), "Do it. (exists from rocky on: 13.0.0 and later)");
    }
}
