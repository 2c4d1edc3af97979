//! A release series of OpenStack and ranges of them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A release series: a name up to `zed`, a year and a half from `2023.1` on.
///
/// Ordered by time: names were given in the order of the alphabet, and every named series is older
/// than every numbered one (source: openstack/releases `data/series_status.yaml`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Series(Arc<str>);

/// A text that names no series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a release series: write it like 2024.1, or as a codename like antelope")]
pub struct SeriesError {
    text: String,
}

impl Series {
    /// The series as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_numbered(&self) -> bool {
        self.0.as_bytes().first().is_some_and(u8::is_ascii_digit)
    }
}

impl Ord for Series {
    fn cmp(&self, other: &Self) -> Ordering {
        // Both forms compare correctly as text: names by alphabet, `YYYY.H` by digits.
        self.is_numbered().cmp(&other.is_numbered()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Series {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Series {
    type Err = SeriesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = !text.is_empty() && text.len() <= 32 && text.chars().all(|c| c.is_ascii_lowercase());
        let numbered = text.split_once('.').is_some_and(|(year, half)| {
            year.len() == 4 && year.chars().all(|c| c.is_ascii_digit()) && matches!(half, "1" | "2")
        });
        if named || numbered { Ok(Self(text.into())) } else { Err(SeriesError { text: text.to_owned() }) }
    }
}

impl TryFrom<String> for Series {
    type Error = SeriesError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Series> for String {
    fn from(series: Series) -> Self {
        series.0.as_ref().to_owned()
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The series from `from` to `to`, both included; an absent end is open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeriesRange {
    /// The first series the range holds; absent: every earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Series>,
    /// The last series the range holds; absent: every later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Series>,
}

impl SeriesRange {
    /// Whether `series` lies in the range.
    pub fn contains(&self, series: &Series) -> bool {
        self.from.as_ref().is_none_or(|from| from <= series) && self.to.as_ref().is_none_or(|to| series <= to)
    }

    /// Whether no series can lie in the range.
    pub fn is_empty(&self) -> bool {
        matches!((&self.from, &self.to), (Some(from), Some(to)) if from > to)
    }

    /// Whether some series may lie in both ranges.
    pub fn overlaps(&self, other: &Self) -> bool {
        let from = self.from.as_ref().max(other.from.as_ref());
        let to = match (&self.to, &other.to) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.as_ref().or(two.as_ref()),
        };
        !matches!((from, to), (Some(from), Some(to)) if from > to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(text: &str) -> Series {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn named_series_come_before_numbered_ones_and_sort_by_time() {
        let mut found = ["2024.1", "zed", "2023.2", "newton", "2023.1", "yoga"].map(series);
        found.sort();
        assert_eq!(found, ["newton", "yoga", "zed", "2023.1", "2023.2", "2024.1"].map(series));
    }

    #[test]
    fn a_text_that_names_no_series_is_refused() {
        for text in ["", "2024", "2024.3", "2024.10", "24.1", "Zed", "2024.1 ", "é", "+3"] {
            assert!(text.parse::<Series>().is_err(), "{text:?} was taken for a series");
        }
    }

    #[test]
    fn ranges_include_their_ends_and_know_when_they_meet() {
        let early = SeriesRange { from: None, to: Some(series("2023.2")) };
        let late = SeriesRange { from: Some(series("2024.1")), to: None };
        assert!(early.contains(&series("zed")) && early.contains(&series("2023.2")));
        assert!(!early.contains(&series("2024.1")) && late.contains(&series("2024.1")));
        assert!(!early.overlaps(&late) && early.overlaps(&SeriesRange::default()));
        assert!(SeriesRange { from: Some(series("2024.1")), to: Some(series("2023.1")) }.is_empty());
    }
}
