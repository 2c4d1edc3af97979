//! All files together.

use std::collections::BTreeMap;

use super::Examination;
use crate::catalog::files::BUILT_IN;
use crate::catalog::{Known, Playbook, PlaybookStep, Release};
use crate::document::{Document, Mistake};
use crate::model::{Engine, Series, SeriesRange};

/// Adds what does not agree between the files that could be read. `complete` says whether all could:
/// only then does a file that is not there mean something.
pub(in crate::catalog) fn together(
    releases: &[Document<Release>],
    playbooks: &[Document<Playbook>],
    complete: bool,
    mistakes: &mut Vec<Mistake>,
) {
    let mut codenames: BTreeMap<&str, &Series> = BTreeMap::new();
    for document in releases {
        let release = &document.value;
        let mut examination = Examination { document, mistakes };
        if let Some(other) = codenames.insert(&release.codename, &release.series) {
            examination.report("codename", format!("{other} has the codename {} already", release.codename));
        }
        for playbook in playbooks {
            examination.agrees_with(playbook);
        }
        examination.floors(releases);
        let named = release.services.keys().map(|service| ("services", service));
        let named = named.chain(release.absent.keys().map(|service| ("absent", service)));
        let strangers = named
            .filter(|(_, service)| complete && playbooks.iter().all(|playbook| playbook.value.service != **service));
        for (key, service) in strangers {
            let path = format!("{key}/{service}");
            examination.report(&path, format!("{service} has no playbook: playbooks/{service}.yaml is missing"));
        }
    }
    for document in playbooks {
        let mut examination = Examination { document, mistakes };
        examination.codenames_in_ranges(releases);
        for release in releases {
            examination.covers(&release.value);
        }
    }
}

impl Examination<'_, Release> {
    /// Where to put a change to a file that cannot be edited.
    fn own_copy(&self) -> String {
        match self.document.source().file().strip_prefix(BUILT_IN) {
            Ok(file) => format!(" in a copy of this file: {file} in your directory takes its place"),
            Err(_) => String::new(),
        }
    }

    /// The release must list the playbook's service and the heads of its schemas, and no others.
    fn agrees_with(&mut self, playbook: &Document<Playbook>) {
        let (service, file) = (&playbook.value.service, playbook.source().file());
        let Some(facts) = self.document.value.services.get(service) else {
            if !self.document.value.absent.contains_key(service) {
                let message = format!("{service} is missing: it has a playbook ({file})");
                let help = format!("add `{service}:` with package, versions and heads{}", self.own_copy());
                self.advise("services", message, help);
            }
            return;
        };
        for database in &playbook.value.databases {
            if !facts.heads.contains_key(&database.schema) {
                let message = format!("the heads of the schema {} are missing ({file} names it)", database.schema);
                let help = format!("add them{}", self.own_copy());
                self.advise(&format!("services/{service}/heads"), message, help);
            }
        }
        for schema in facts.heads.keys() {
            if playbook.value.databases.iter().all(|database| database.schema != *schema) {
                let message = format!("no database of {service} has the schema {schema} (see {file})");
                self.report(&format!("services/{service}/heads/{schema}"), message);
            }
        }
    }
}

impl Examination<'_, Release> {
    /// A floor is one of the releases there are, or older than all of them.
    fn floors(&mut self, releases: &[Document<Release>]) {
        let release = &self.document.value;
        for (service, facts) in &release.services {
            let Some(floor) = &facts.floor else { continue };
            let known = releases.iter().any(|other| other.value.series == floor.from);
            let oldest = releases.iter().map(|other| &other.value.series).min();
            if !known && oldest.is_some_and(|oldest| *oldest < floor.from) {
                let message = format!("{} is no release of this catalogue: write its series", floor.from);
                self.report(&format!("services/{service}/floor/from"), message);
            }
        }
    }
}

impl Examination<'_, Playbook> {
    /// A codename in a range would be read as a release of the time before 2023.1.
    fn codenames_in_ranges(&mut self, releases: &[Document<Release>]) {
        let playbook = &self.document.value;
        let mut ranges: Vec<(String, &SeriesRange)> = Vec::new();
        for (index, file) in playbook.configuration.iter().enumerate() {
            ranges.push((format!("configuration/{index}"), &file.series));
        }
        for (index, database) in playbook.databases.iter().enumerate() {
            for (number, scripts) in database.scripts.iter().enumerate() {
                ranges.push((format!("databases/{index}/scripts/{number}"), &scripts.series));
            }
            for (number, one) in database.repositories.iter().enumerate() {
                ranges.push((format!("databases/{index}/repositories/{number}"), &one.series));
            }
        }
        for (index, file) in playbook.options_in.iter().enumerate() {
            ranges.push((format!("options_in/{index}"), &file.series));
        }
        for (index, known) in playbook.known.iter().enumerate() {
            ranges.push((format!("known/{index}"), &known.series));
        }
        for (index, one) in playbook.preconditions.iter().enumerate() {
            ranges.push((format!("preconditions/{index}"), &one.series));
            ranges.extend(one.moved_by.iter().map(|by| (format!("preconditions/{index}/moved_by"), &by.series)));
        }
        for (index, one) in playbook.recorded_versions.iter().enumerate() {
            let path = format!("recorded_versions/{index}");
            ranges.extend(one.oldest.iter().enumerate().map(|(n, old)| (format!("{path}/oldest/{n}"), &old.series)));
            ranges.extend(one.mends.iter().enumerate().map(|(n, mend)| (format!("{path}/mends/{n}"), &mend.series)));
            ranges.extend(one.moved_by.iter().map(|by| (format!("{path}/moved_by"), &by.series)));
        }
        for (index, step) in playbook.steps.iter().enumerate() {
            ranges.push((format!("steps/{index}/*"), step.series()));
            if let PlaybookStep::Drain(drain) = step {
                for (place, common) in drain.alone_while.iter().enumerate() {
                    ranges.push((format!("steps/{index}/*/alone_while/{place}"), &common.series));
                }
                for (residue, explained) in drain.residues.iter().enumerate() {
                    ranges.push((format!("steps/{index}/*/residues/{residue}"), &explained.series));
                }
            }
            if let PlaybookStep::Run(run) = step {
                ranges.extend(run.triggers.iter().map(|made| (format!("steps/{index}/*/triggers"), &made.series)));
            }
            if let PlaybookStep::Check(check) = step {
                let allowed = check.allow.iter().enumerate();
                ranges.extend(allowed.map(|(at, allow)| (format!("steps/{index}/*/allow/{at}"), &allow.series)));
            }
        }
        for (path, range) in ranges {
            for (key, end) in [("from", &range.from), ("to", &range.to)] {
                let Some(end) = end else { continue };
                let named = releases.iter().find(|release| {
                    release.value.codename == end.as_str() && release.value.series.as_str() != end.as_str()
                });
                if let Some(release) = named {
                    let series = &release.value.series;
                    let message = format!("{end} is a codename: ranges are written with the series, `{series}`");
                    self.report(&format!("{path}/series/{key}"), message);
                }
            }
        }
    }

    /// In every release a configuration file applies, and something is done on some engine.
    fn covers(&mut self, release: &Release) {
        let playbook = &self.document.value;
        let series = &release.series;
        if !release.services.contains_key(&playbook.service) {
            return;
        }
        let knows = |known: &Known| known.series.contains(series);
        if !playbook.known.is_empty() && !playbook.known.iter().any(knows) {
            let message =
                format!("nothing is said of how {} is known: by tests, by running or by reading", release.name());
            self.report("known", message);
        }
        if playbook.configuration(series).is_none() && !playbook.configuration.is_empty() {
            self.report("configuration", format!("no configuration file holds for {}", release.name()));
        }
        // An engine without steps is one the service does not support; all of them is an oversight.
        let idle = |engine| !playbook.supports(series, engine);
        if !playbook.steps.is_empty() && [Engine::Mysql, Engine::Postgresql, Engine::Sqlite].into_iter().all(idle) {
            self.report("steps", format!("no step is taken in {}, on any engine", release.name()));
        }
    }
}
