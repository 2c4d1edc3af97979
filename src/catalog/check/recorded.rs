//! A playbook's recorded versions: questions that only look, with a minimum that can be compared.

use super::Examination;
use crate::catalog::{Playbook, RecordedVersions, numbers};

impl Examination<'_, Playbook> {
    pub(super) fn recorded_versions(&mut self) {
        let all = &self.document.value.recorded_versions;
        for (index, one) in all.iter().enumerate() {
            let path = format!("recorded_versions/{index}");
            if all[..index].iter().any(|other| other.name == one.name) {
                self.report(&format!("{path}/name"), format!("{} is there already", one.name));
            }
            self.recorded(&path, one);
        }
    }

    fn recorded(&mut self, path: &str, one: &RecordedVersions) {
        self.slots(&format!("{path}/databases"), &one.databases);
        if one.databases.is_empty() {
            self.report(&format!("{path}/databases"), "name the databases that hold the rows");
        }
        self.showing_query(&format!("{path}/query"), &one.query);
        self.only_looks(&format!("{path}/query"), &one.query);
        for (key, text) in [("what", &one.what), ("means", &one.means), ("source", &one.source)] {
            self.require_text(&format!("{path}/{key}"), text, &format!("`{key}`"));
        }
        if one.oldest.is_empty() {
            self.report(&format!("{path}/oldest"), "say which version is the oldest that a release accepts");
        }
        for (index, oldest) in one.oldest.iter().enumerate() {
            let path = format!("{path}/oldest/{index}");
            self.range(&path, &oldest.series);
            if one.oldest[..index].iter().any(|other| other.series.overlaps(&oldest.series)) {
                self.report(&format!("{path}/series"), "this and one before it hold for the same series");
            }
            self.a_version(&format!("{path}/version"), &oldest.version);
        }
        for version in one.names.keys() {
            self.a_version(&format!("{path}/names"), version);
        }
        if one.mends.is_empty() {
            self.report(&format!("{path}/mends"), "say what can be done about it");
        }
        for (index, mend) in one.mends.iter().enumerate() {
            let path = format!("{path}/mends/{index}");
            self.range(&path, &mend.series);
            self.require_text(&format!("{path}/what"), &mend.what, "`what`");
            if let Some(since) = &mend.since {
                self.require_text(&format!("{path}/since"), since, "`since`");
            }
        }
        if let Some(moved) = &one.moved_by {
            self.step_that_moves(&format!("{path}/moved_by"), moved);
        }
    }

    fn a_version(&mut self, path: &str, version: &str) {
        if numbers(version).is_none() {
            self.report(
                path,
                format!("\"{version}\" is no version: write numbers with dots between them, such as 1.38"),
            );
        }
    }
}
