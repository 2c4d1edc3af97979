//! One release file by itself.

use std::cmp::Ordering;

use super::Examination;
use crate::catalog::{Environment, Release, ReleaseService, Status};
use crate::document::{Document, Mistake};
use crate::model::Heads;

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
    examination.absent(release);
    if let Some(environment) = &release.environment {
        examination.environment(environment, release);
    }
    for (index, note) in release.notes.iter().enumerate() {
        examination.require_text(&format!("notes/{index}/text"), &note.text, "the note");
        for (key, text) in [("check", &note.check), ("downtime", &note.downtime)] {
            if let Some(text) = text {
                examination.require_text(&format!("notes/{index}/{key}"), text, "the text");
            }
        }
        if let Some(service) = note.service.as_ref().filter(|service| !release.services.contains_key(service)) {
            examination.report(
                &format!("notes/{index}/service"),
                format!("the note is about {service}, which this release does not list"),
            );
        }
    }
}

impl Examination<'_, Release> {
    fn environment(&mut self, environment: &Environment, release: &Release) {
        if environment.python.is_empty() {
            self.report("environment/python", "without a version of Python no environment can be made");
        }
        for (index, version) in environment.python.iter().enumerate() {
            if numbers(version).is_none_or(|parts| parts.len() != 2) {
                self.report(&format!("environment/python/{index}"), "a version of Python is two numbers, like 3.11");
            }
        }
        if environment.exclude_newer < release.released {
            self.report("environment/exclude_newer", "that is before the release: none of its packages would count");
        }
        for (service, requirements) in &environment.services {
            let path = format!("environment/services/{service}");
            let Some(facts) = release.services.get(service) else {
                self.report(&path, format!("{service} is none of the release's services"));
                continue;
            };
            if !requirements.iter().any(|text| package(text) == Some(facts.package.as_str())) {
                self.report(&path, format!("the service's own package, {}, is not among them", facts.package));
            }
        }
        for service in environment.usual.iter().filter(|name| !environment.services.contains_key(name)) {
            self.report("environment/usual", format!("`services` does not say what {service} is made of"));
        }
        let lists = environment.services.iter().map(|(service, list)| (format!("services/{service}"), list));
        let others = [
            ("packages".to_owned(), &environment.packages),
            ("constraints".to_owned(), &environment.constraints),
            ("without".to_owned(), &environment.without),
        ];
        for (key, list) in lists.chain(others) {
            for (index, text) in list.iter().enumerate() {
                if package(text).is_none() {
                    let path = format!("environment/{key}/{index}");
                    self.report(&path, "a package is a name and a range, like nova>=27,<28");
                }
            }
        }
    }

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
            self.names(&path, heads);
        }
        for (schema, others) in &facts.also {
            let Some(own) = facts.heads.get(schema) else {
                self.report(&format!("{path}/also/{schema}"), format!("`heads` does not name the schema {schema}"));
                continue;
            };
            for (index, heads) in others.iter().enumerate() {
                let path = format!("{path}/also/{schema}/{index}");
                if heads.is_empty() || heads == own || others[..index].contains(heads) {
                    self.report(&path, "other heads are meant: these are none, or are there already");
                }
                self.names(&path, heads);
            }
        }
        if let Some(floor) = &facts.floor {
            self.require_text(&format!("{path}/floor/why"), &floor.why, "`why`");
            if floor.from >= self.document.value.series {
                self.report(&format!("{path}/floor/from"), "a floor is an older release than this one");
            }
        }
        if let Some(servers) = &facts.servers {
            self.require_text(&format!("{path}/servers/why"), &servers.why, "`why`");
            for (key, version) in [("mariadb", &servers.mariadb), ("mysql", &servers.mysql)] {
                if version.as_ref().is_some_and(|version| numbers(version).is_none()) {
                    self.report(&format!("{path}/servers/{key}"), "a version is numbers with dots, like 10.3");
                }
            }
        }
    }

    /// Revisions are words; a repository of sqlalchemy-migrate may have a space in its name, as glance's has.
    fn names(&mut self, path: &str, heads: &Heads) {
        let bad = |text: &String| text.trim() != text || text.is_empty() || text.contains(char::is_control);
        if heads.alembic.iter().any(|text| bad(text) || text.contains(' ')) || heads.migrate.keys().any(bad) {
            self.report(path, "a revision or repository is empty or holds a space");
        }
    }

    /// Services that the release does not have, and those that became services of their own.
    fn absent(&mut self, release: &Release) {
        for (service, why) in &release.absent {
            let path = format!("absent/{service}");
            self.require_text(&path, why, "the reason");
            if release.services.contains_key(service) {
                self.report(&path, format!("{service} is one of the release's services"));
            }
        }
        for (index, split) in release.splits.iter().enumerate() {
            let path = format!("splits/{index}");
            self.require_text(&format!("{path}/why"), &split.why, "`why`");
            self.require_text(&format!("{path}/mend"), &split.mend, "`mend`");
            for (key, service) in [("service", &split.service), ("of", &split.of)] {
                if !release.services.contains_key(service) {
                    self.report(&format!("{path}/{key}"), format!("{service} is none of the release's services"));
                }
            }
        }
    }
}

/// The numbers of a version like `27.5.1`.
fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

/// The name of a package in a requirement such as `nova>=27,<28`; nothing in what is none. Options of installers, which
/// begin with a dash, addresses and files are none.
fn package(requirement: &str) -> Option<&str> {
    let end = requirement.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
    let (name, range) = requirement.split_at(end.unwrap_or(requirement.len()));
    let named = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let ranged = range.chars().all(|c| c.is_ascii_alphanumeric() || "<>=!~,.*+[]_- ".contains(c));
    (named && ranged).then_some(name)
}
