//! The databases of the document, compared with what the playbooks want.

use std::collections::BTreeMap;

use super::document::{Access, Cells, ServiceSection};
use super::resolve::{Flaw, Resolver};
use crate::catalog::Playbook;
use crate::model::{ConnectionUrl, DatabaseId, Service, Slot};

impl Resolver<'_> {
    /// A service's databases.
    pub(super) fn service(&mut self, service: &Service, section: &ServiceSection) -> Vec<(DatabaseId, ConnectionUrl)> {
        let path = format!("services/{service}");
        let playbooks = self.surroundings.playbooks;
        let Some(playbook) = playbooks.iter().find(|playbook| playbook.service == *service) else {
            let known: Vec<&str> = playbooks.iter().map(|playbook| playbook.service.as_str()).collect();
            let advice = format!("there are playbooks for {}", known.join(", "));
            self.flaws.push(Flaw::new(&path, format!("no playbook for `{service}`"), advice).at_key());
            // Its databases are looked at all the same: their mistakes would come to light later.
            for (place, access) in given(&path, section) {
                self.access(&place, access);
            }
            return Vec::new();
        };
        let mut found = Vec::new();
        let id = |slot: &Slot, member: Option<&Slot>| DatabaseId {
            service: service.clone(),
            slot: slot.clone(),
            member: member.cloned(),
        };
        for slot in playbook.databases.iter().filter(|slot| !slot.many).map(|slot| &slot.slot) {
            let key = key(slot);
            let access =
                if slot.as_str() == DatabaseId::MAIN { section.database.as_ref() } else { section.databases.get(slot) };
            match access {
                Some(access) => {
                    found.extend(self.access(&format!("{path}/{key}"), access).map(|url| (id(slot, None), url)));
                }
                None => {
                    let place = if section.databases.is_empty() { path.clone() } else { format!("{path}/databases") };
                    let key = key.replace('/', ".");
                    self.flaw(
                        place,
                        format!("`{service}` lacks `{key}`"),
                        "every database of the service has to be listed",
                    );
                }
            }
        }
        if let Some(many) = playbook.databases.iter().find(|slot| slot.many) {
            if let Cells::Listed(cells) = &section.cells
                && cells.is_empty()
            {
                let message = format!("`{service}` lists no cell");
                let advice = "list every cell but cell0 under `cells`, by any name; or say `mapped`";
                self.flaw(format!("{path}/cells"), message, advice);
            }
            for (name, access) in section.cells.listed() {
                let url = self.access(&format!("{path}/cells/{name}"), access);
                found.extend(url.map(|url| (id(&many.slot, Some(name)), url)));
            }
        }
        self.superfluous(&path, section, playbook);
        found
    }

    /// Databases the playbook knows nothing of.
    fn superfluous(&mut self, path: &str, section: &ServiceSection, playbook: &Playbook) {
        let service = &playbook.service;
        let wanted = playbook.databases.iter();
        let wanted: Vec<String> =
            wanted.map(|slot| if slot.many { "cells".to_owned() } else { key(&slot.slot) }).collect();
        let advice = format!("the playbook of `{service}` has {}", wanted.join(", ").replace('/', "."));
        let mut report = |key: String, message: String| {
            if !wanted.contains(&key) {
                self.flaws.push(Flaw::new(format!("{path}/{key}"), message, advice.clone()).at_key());
            }
        };
        if section.database.is_some() {
            report("database".to_owned(), format!("`{service}` has no single database"));
        }
        for slot in section.databases.keys() {
            report(format!("databases/{slot}"), format!("`{service}` has no database `{slot}`"));
        }
        if matches!(section.cells, Cells::Listed(_)) {
            report("cells".to_owned(), format!("`{service}` has no cells"));
        }
    }

    /// Two names for one database would migrate it twice, side by side.
    pub(super) fn twins(&mut self, databases: &BTreeMap<DatabaseId, ConnectionUrl>) {
        let all: Vec<_> = databases.iter().collect();
        for (at, (id, url)) in all.iter().enumerate() {
            let Some((twin, _)) = all[..at].iter().find(|(_, other)| other.same_database(url)) else { continue };
            let key = id.member.as_ref().map_or_else(|| key(&id.slot), |member| format!("cells/{member}"));
            let message = format!("`{id}` is the same database as `{twin}`: {url}");
            let advice = "every database has one place in this file";
            self.flaws.push(Flaw::new(format!("services/{}/{key}", id.service), message, advice).at_key());
        }
    }
}

/// Where the document has a slot of one database, below its service.
fn key(slot: &Slot) -> String {
    if slot.as_str() == DatabaseId::MAIN { "database".to_owned() } else { format!("databases/{slot}") }
}

/// Every database of a section, with its path.
fn given<'a>(path: &str, section: &'a ServiceSection) -> Vec<(String, &'a Access)> {
    let single = section.database.iter().map(|access| (format!("{path}/database"), access));
    let named = section.databases.iter().map(|(slot, access)| (format!("{path}/databases/{slot}"), access));
    let cells = section.cells.listed().map(|(name, access)| (format!("{path}/cells/{name}"), access));
    single.chain(named).chain(cells).collect()
}
