//! One release file by itself.

use std::cmp::Ordering;

use super::Examination;
use crate::catalog::{Release, ReleaseService, Status};
use crate::document::{Document, Mistake};

/// Adds what is wrong with the release in the file `name`.yaml.
pub(in crate::catalog) fn release(name: &str, document: &Document<Release>, mistakes: &mut Vec<Mistake>) {
    let mut examination = Examination { document, mistakes };
    let release = &document.value;
    if release.series.as_str() != name {
        let message = format!("the file of series {} must be named {}.yaml", release.series, release.series);
        examination.report("series", message);
    }
    if release.codename.is_empty() || !release.codename.chars().all(|c| c.is_ascii_lowercase()) {
        examination.report("codename", "a codename is one word in lower-case letters");
    }
    if let Some(ended) = release.ended {
        if ended < release.released {
            examination.report("ended", "it ended before it was released");
        }
        if release.status == Status::Maintained {
            examination.report("ended", "a maintained release has no day it ended");
        }
    }
    if release.services.is_empty() {
        examination.report("services", "a release without services says nothing");
    }
    for (service, facts) in &release.services {
        examination.service(&format!("services/{service}"), facts);
    }
    for (index, note) in release.notes.iter().enumerate() {
        examination.require_text(&format!("notes/{index}/text"), &note.text, "the note");
        if let Some(service) = note.service.as_ref().filter(|service| !release.services.contains_key(service)) {
            examination.report(
                &format!("notes/{index}/service"),
                format!("the note is about {service}, which this release does not list"),
            );
        }
    }
}

impl Examination<'_, Release> {
    fn service(&mut self, path: &str, facts: &ReleaseService) {
        self.require_text(&format!("{path}/package"), &facts.package, "the package's name");
        let (first, last) = (numbers(&facts.versions.first), numbers(&facts.versions.last));
        for (key, version) in [("first", &first), ("last", &last)] {
            if version.is_none() {
                self.report(&format!("{path}/versions/{key}"), "a version is numbers with dots, like 27.5.1");
            }
        }
        if let (Some(first), Some(last)) = (first, last)
            && first.cmp(&last) == Ordering::Greater
        {
            self.report(&format!("{path}/versions"), "the first version is later than the last");
        }
        if facts.heads.is_empty() {
            self.report(&format!("{path}/heads"), "no heads are given: the service's databases could not be verified");
        }
        for (schema, heads) in &facts.heads {
            let path = format!("{path}/heads/{schema}");
            if heads.is_empty() {
                self.report(&path, format!("the heads of {schema} are empty: nothing would ever stand there"));
            }
            if !heads.alembic.is_empty() && !heads.migrate.is_empty() {
                let message = "give either alembic's revisions or migrate's numbers";
                self.advise(&path, message, "where a database holds both, only alembic's revisions count");
            }
            let revisions = heads.alembic.iter().chain(heads.migrate.keys());
            if revisions.into_iter().any(|text| text.trim().is_empty() || text.contains(char::is_whitespace)) {
                self.report(&path, "a revision or repository is empty or holds a space");
            }
        }
    }
}

/// The numbers of a version like `27.5.1`.
fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}
