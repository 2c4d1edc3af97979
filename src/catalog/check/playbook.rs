//! One playbook by itself: its databases, configuration files and checks.

use std::collections::BTreeSet;

use camino::{Utf8Component, Utf8Path};

use super::Examination;
use crate::catalog::{
    ConfigurationFile, ConfigurationOption, DatabaseSlot, Heartbeats, PassingTriggers, Playbook, PlaybookCheck,
};
use crate::document::{Document, Mistake, nearest};
use crate::model::{SeriesRange, Slot};

/// Adds what is wrong with the playbook in the file `name`.yaml.
pub(in crate::catalog) fn playbook(name: &str, document: &Document<Playbook>, mistakes: &mut Vec<Mistake>) {
    let mut examination = Examination { document, mistakes };
    let playbook = &document.value;
    if playbook.service.as_str() != name {
        let message = format!("the playbook of {} must be named {}.yaml", playbook.service, playbook.service);
        examination.report("service", message);
    }
    examination.require_text("title", &playbook.title, "the title");
    examination.databases();
    examination.code();
    examination.configuration();
    for (index, check) in playbook.checks.iter().enumerate() {
        examination.check(&format!("checks/{index}/*"), check);
    }
    for (index, heartbeats) in playbook.heartbeats.iter().enumerate() {
        examination.heartbeats(&format!("heartbeats/{index}"), heartbeats);
    }
    for (index, triggers) in playbook.triggers.iter().enumerate() {
        examination.passing(&format!("triggers/{index}"), triggers);
    }
    examination.recorded_versions();
    examination.preconditions();
    examination.steps();
    examination.known();
}

impl Examination<'_, Playbook> {
    pub(super) fn playbook(&self) -> &Playbook {
        &self.document.value
    }

    pub(super) fn slot(&self, slot: &Slot) -> Option<&DatabaseSlot> {
        self.playbook().databases.iter().find(|database| database.slot == *slot)
    }

    /// Slots that are named must exist, each once.
    pub(super) fn slots(&mut self, path: &str, slots: &[Slot]) {
        let mut seen = BTreeSet::new();
        for (index, slot) in slots.iter().enumerate() {
            let path = format!("{path}/{index}");
            self.known_slot(&path, slot);
            if !seen.insert(slot) {
                self.report(&path, format!("{slot} is named twice"));
            }
        }
    }

    fn heartbeats(&mut self, path: &str, heartbeats: &Heartbeats) {
        self.slots(&format!("{path}/databases"), &heartbeats.databases);
        if heartbeats.databases.is_empty() {
            self.report(&format!("{path}/databases"), "name the databases that hold the rows");
        }
        self.require_text(&format!("{path}/query"), &heartbeats.query, "the query");
        if !(1..=300).contains(&heartbeats.every) {
            self.report(&format!("{path}/every"), "a service reports every 1 to 300 seconds");
        }
    }

    fn passing(&mut self, path: &str, triggers: &PassingTriggers) {
        self.slots(&format!("{path}/databases"), &triggers.databases);
        if triggers.databases.is_empty() {
            self.report(&format!("{path}/databases"), "name the databases that they are in");
        }
        if triggers.names.is_empty() {
            self.report(&format!("{path}/names"), "name the triggers");
        }
        for (index, name) in triggers.names.iter().enumerate() {
            self.require_text(&format!("{path}/names/{index}"), name, "the name");
        }
        let texts = [("made", &triggers.made), ("effect", &triggers.effect), ("source", &triggers.source)];
        for (key, text) in texts {
            self.require_text(&format!("{path}/{key}"), text, &format!("`{key}`"));
        }
    }

    fn known(&mut self) {
        let known = &self.document.value.known;
        for (index, one) in known.iter().enumerate() {
            let path = format!("known/{index}");
            self.range(&path, &one.series);
            if let Some(what) = &one.what {
                self.require_text(&format!("{path}/what"), what, "`what`");
            }
            if known[..index].iter().any(|other| other.series.overlaps(&one.series)) {
                self.report(&format!("{path}/series"), "this and one before it hold for the same series");
            }
        }
    }

    fn known_slot(&mut self, path: &str, slot: &Slot) {
        if self.slot(slot).is_some() {
            return;
        }
        let known: Vec<_> = self.playbook().databases.iter().map(|database| database.slot.to_string()).collect();
        let meant = nearest(slot.as_str(), known.iter().map(String::as_str));
        let help = match meant {
            Some(meant) => format!("did you mean {meant}? `databases` names {}", known.join(", ")),
            None => format!("`databases` names {}", known.join(", ")),
        };
        self.advise(path, format!("{slot} is no database of this service"), help);
    }

    pub(super) fn range(&mut self, path: &str, range: &SeriesRange) {
        if range.is_empty() {
            self.report(&format!("{path}/series"), "no series lies in this range: `from` is later than `to`");
        }
    }

    fn databases(&mut self) {
        let playbook = &self.document.value;
        if playbook.databases.is_empty() {
            self.report("databases", "a service without a database needs no playbook");
        }
        let mut seen = BTreeSet::new();
        for (index, database) in playbook.databases.iter().enumerate() {
            let path = format!("databases/{index}");
            if !seen.insert(&database.slot) {
                self.report(&format!("{path}/slot"), format!("the slot {} is there twice", database.slot));
            }
            if database.numbers_end.keys().any(|repository| repository.trim().is_empty()) {
                self.report(&format!("{path}/numbers_end"), "a repository has no name");
            }
            let named = playbook
                .configuration
                .iter()
                .any(|file| file.options.iter().any(|option| option.url_of.contains(&database.slot)));
            if !named {
                let message = format!("no configuration option says where {} is (`url_of`)", database.slot);
                self.report(&path, message);
            }
        }
    }

    fn configuration(&mut self) {
        let files = &self.document.value.configuration;
        if files.is_empty() {
            self.report("configuration", "no configuration file tells the commands where the databases are");
        }
        for (index, file) in files.iter().enumerate() {
            let path = format!("configuration/{index}");
            self.range(&path, &file.series);
            if files[..index].iter().any(|other| other.series.overlaps(&file.series)) {
                self.advise(
                    &format!("{path}/series"),
                    "this file and one before it hold for the same series",
                    "in every series exactly one file applies: end one range where the other begins",
                );
            }
            self.file(&path, file);
        }
    }

    fn file(&mut self, path: &str, file: &ConfigurationFile) {
        let normal = file.path.components().skip(1).all(|part| matches!(part, Utf8Component::Normal(_)));
        if !file.path.is_absolute() || !normal || file.path.file_name().is_none() || file.path.as_str().ends_with('/') {
            self.report(&format!("{path}/path"), "the path must be absolute and name a file, without . and ..");
        } else if file.path.parent() == Some(Utf8Path::new("/")) {
            self.report(&format!("{path}/path"), "the file must lie in a directory below /");
        }
        let is_option =
            |option: &str| option.starts_with("--") && option.len() > 2 && !option.contains(char::is_whitespace);
        if file.passed_with.as_deref().is_some_and(|option| !is_option(option)) {
            self.report(&format!("{path}/passed_with"), "this must be one long option, such as --config-file");
        }
        if let Some(reason) = &file.refuses_percent {
            self.require_text(&format!("{path}/refuses_percent"), reason, "the reason");
        }
        let mut seen = BTreeSet::new();
        for (index, option) in file.options.iter().enumerate() {
            let path = format!("{path}/options/{index}");
            if !seen.insert((&option.group, &option.option)) {
                self.report(&path, format!("[{}] {} is there twice", option.group, option.option));
            }
            self.option(&path, option);
        }
    }

    fn option(&mut self, path: &str, option: &ConfigurationOption) {
        let bad = |text: &str, forbidden: &[char]| {
            text.is_empty() || text.contains(char::is_control) || text.trim() != text || text.contains(forbidden)
        };
        if bad(&option.group, &['[', ']']) {
            self.report(&format!("{path}/group"), "this cannot be the name of an INI section");
        }
        if bad(&option.option, &['=', ' ', '[', ']', '#', ';']) || option.option.starts_with(':') {
            self.report(&format!("{path}/option"), "this cannot be the name of an INI option");
        }
        if option.value.as_ref().is_some_and(|value| value.contains(char::is_control)) {
            self.report(&format!("{path}/value"), "the value must be one line of text");
        }
        match (option.url_of.is_empty(), &option.value) {
            (true, None) => self.report(path, "the option has no value: give `url_of` or `value`"),
            (false, Some(_)) => self.report(path, "the option has two values: give `url_of` or `value`, not both"),
            _ => {}
        }
        self.slots(&format!("{path}/url_of"), &option.url_of);
    }

    fn check(&mut self, path: &str, check: &PlaybookCheck) {
        let PlaybookCheck::StoredUrls(check) = check;
        let same = |other: &PlaybookCheck| {
            let PlaybookCheck::StoredUrls(other) = other;
            other.name == check.name
        };
        if self.playbook().checks.iter().filter(|other| same(other)).count() > 1 {
            self.report(&format!("{path}/name"), format!("two checks are named {}", check.name));
        }
        self.known_slot(&format!("{path}/database"), &check.database);
        if self.slot(&check.database).is_some_and(|database| database.many) {
            self.report(&format!("{path}/database"), "the URLs must be stored in one database, not in any of many");
        }
        if check.lead_to.is_empty() {
            self.report(&format!("{path}/lead_to"), "no database is named that the URLs may lead to");
        }
        self.slots(&format!("{path}/lead_to"), &check.lead_to);
        let query = check.query.trim_start();
        if !query.get(..6).is_some_and(|verb| verb.eq_ignore_ascii_case("select")) || query.contains(';') {
            self.report(&format!("{path}/query"), "a check reads only: one SELECT statement, without a semicolon");
        }
        self.require_text(&format!("{path}/why"), &check.why, "`why`");
        self.require_text(&format!("{path}/mend"), &check.mend, "`mend`");
    }
}
