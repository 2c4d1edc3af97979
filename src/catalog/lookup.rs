//! Questions to a catalogue.

use super::{Catalog, Playbook, Release};
use crate::document::nearest;
use crate::model::{Series, Service};

/// A text that names no release of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no release in the catalogue{}; known are {known}", self.meant.as_ref().map(|meant| format!(", did you mean {meant}?")).unwrap_or_default())]
pub struct UnknownSeries {
    text: String,
    meant: Option<String>,
    known: String,
}

impl Catalog {
    /// The releases, oldest first.
    pub fn releases(&self) -> impl DoubleEndedIterator<Item = &Release> + ExactSizeIterator {
        self.releases.values()
    }

    /// One release.
    pub fn release(&self, series: &Series) -> Option<&Release> {
        self.releases.get(series)
    }

    /// The playbooks, by name of the service.
    pub fn playbooks(&self) -> impl DoubleEndedIterator<Item = &Playbook> + ExactSizeIterator {
        self.playbooks.values()
    }

    /// One service's playbook.
    pub fn playbook(&self, service: &Service) -> Option<&Playbook> {
        self.playbooks.get(service)
    }

    /// The releases from `from` to `to`, both included, oldest first; none where `to` is older.
    pub fn between(&self, from: &Series, to: &Series) -> Vec<&Release> {
        self.releases().filter(|release| *from <= release.series && release.series <= *to).collect()
    }

    /// The release `n` releases after `series`; `series` itself for 0.
    pub fn later(&self, series: &Series, n: usize) -> Option<&Release> {
        self.releases().skip_while(|release| release.series != *series).nth(n)
    }

    /// The series that an operator names by number (`2024.1`) or codename (`Caracal`).
    ///
    /// # Errors
    ///
    /// A text that names no release of the catalogue; the error says which one it may have been and
    /// lists those there are.
    pub fn find_series(&self, text: &str) -> Result<Series, UnknownSeries> {
        let text = text.trim();
        let lower = text.to_lowercase();
        let found = self.releases().find(|release| release.series.as_str() == lower || release.codename == lower);
        if let Some(release) = found {
            return Ok(release.series.clone());
        }
        let names = self.releases().flat_map(|release| [release.series.as_str(), release.codename.as_str()]);
        // A wrong digit is a wrong release, not a slip: only codenames are guessed at.
        let meant = nearest(&lower, names.filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase())));
        let shown: String = text.chars().take(40).filter(|c| !c.is_control()).collect();
        Err(UnknownSeries {
            text: shown,
            meant: meant.map(str::to_owned),
            known: self.releases().map(Release::name).collect::<Vec<_>>().join(", "),
        })
    }
}

impl Release {
    /// How an operator is told of it: `2024.1 (caracal)`, or `zed`.
    pub fn name(&self) -> String {
        if self.series.as_str() == self.codename {
            self.codename.clone()
        } else {
            format!("{} ({})", self.series, self.codename)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Catalog {
        Catalog::embedded().unwrap_or_else(|error| panic!("{:?}", miette::Report::new(error)))
    }

    fn names(releases: &[&Release]) -> String {
        releases.iter().map(|release| release.series.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_operator_may_write_a_codename_in_any_letter_case() {
        let catalog = catalog();
        for text in ["2024.1", "caracal", "Caracal", "CARACAL", " caracal "] {
            assert_eq!(catalog.find_series(text).map(String::from).as_deref(), Ok("2024.1"), "{text:?}");
        }
    }

    #[test]
    fn a_release_nobody_knows_is_answered_with_the_ones_there_are() {
        let error = catalog().find_series("Caracall").expect_err("misspelt");
        let error = error.to_string();
        let start = "`Caracall` is no release in the catalogue, did you mean caracal?; known are newton, ocata, pike,";
        assert!(error.starts_with(start), "{error}");
        assert!(error.ends_with("zed, 2023.1 (antelope), 2023.2 (bobcat), 2024.1 (caracal), 2024.2 (dalmatian), 2025.1 (epoxy), 2025.2 (flamingo), 2026.1 (gazpacho), 2026.2 (hibiscus)"), "{error}");
        let error = catalog().find_series("2022.1").expect_err("never existed").to_string();
        assert!(error.starts_with("`2022.1` is no release in the catalogue; known are newton"), "{error}");
    }

    #[test]
    fn a_leap_is_the_releases_from_the_first_to_the_last() {
        let catalog = catalog();
        let series = |text: &str| catalog.find_series(text).unwrap_or_else(|error| panic!("{error}"));
        let (antelope, dalmatian) = (series("antelope"), series("dalmatian"));
        assert_eq!(names(&catalog.between(&antelope, &dalmatian)), "2023.1 2023.2 2024.1 2024.2");
        assert_eq!(names(&catalog.between(&dalmatian, &antelope)), "");
        assert_eq!(catalog.later(&antelope, 3).map(|release| &release.series), Some(&dalmatian));
        assert_eq!(catalog.later(&antelope, 0).map(|release| &release.series), Some(&antelope));
        assert_eq!(catalog.later(&antelope, usize::MAX), None);
    }
}
