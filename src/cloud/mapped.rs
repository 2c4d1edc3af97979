//! Cells that the document does not list: what it says of them besides.

use super::document::{Access, Cells, Override, ServiceSection, StoredUrlPolicy};
use super::resolve::{Flaw, Resolver};
use crate::catalog::{Playbook, PlaybookCheck};
use crate::model::{AccessOverride, MappedDatabases, Service};

impl Resolver<'_> {
    /// What is said of a service's databases that are taken from its stored URLs; nothing if none are.
    pub(super) fn mapped(&mut self, service: &Service, section: &ServiceSection) -> Option<MappedDatabases> {
        let path = format!("services/{service}");
        let playbook = self.surroundings.playbooks.iter().find(|playbook| playbook.service == *service)?;
        let many = playbook.databases.iter().find(|slot| slot.many);
        let wanted = many.filter(|_| matches!(section.cells, Cells::Mapped));
        let Some(many) = wanted else {
            self.no_mapped(&path, section);
            return None;
        };
        if !follows(playbook, &many.slot) {
            let message = format!("`{service}` lists no cell");
            self.flaw(&path, message, "list every one under `cells`, by any name");
            return None;
        }
        if section.stored_urls == StoredUrlPolicy::Trust {
            let message = "cells are taken from stored URLs, which nobody checks: on a copy they lead to the original";
            self.flaw(
                format!("{path}/stored_urls"),
                message,
                "list every cell under `cells`, or leave `stored_urls` out",
            );
        }
        let mut mapped =
            MappedDatabases { slot: many.slot.clone(), servers: Vec::new(), overrides: Default::default() };
        for (at, server) in section.cell_servers.iter().enumerate() {
            match server.parse() {
                Ok(server) => mapped.servers.push(server),
                Err(error) => self.flaw(format!("{path}/cell_servers/{at}"), format!("{error}"), ""),
            }
        }
        for (name, given) in &section.cell_overrides {
            let found = self.replacement(&format!("{path}/cell_overrides/{name}"), given);
            mapped.overrides.extend(found.map(|found| (name.clone(), found)));
        }
        Some(mapped)
    }

    /// Keys that say something of mapped cells where none are.
    fn no_mapped(&mut self, path: &str, section: &ServiceSection) {
        let keys = [
            ("cell_overrides", !section.cell_overrides.is_empty()),
            ("cell_servers", !section.cell_servers.is_empty()),
        ];
        for (key, given) in keys {
            if given {
                let message = format!("`{key}` is for mapped cells, and there are none");
                let advice = "leave it out, or leave `cells` out";
                self.flaws.push(Flaw::new(format!("{path}/{key}"), message, advice).at_key());
            }
        }
    }

    fn replacement(&mut self, path: &str, given: &Override) -> Option<AccessOverride> {
        let has_url = given.url.is_some() || given.url_env.is_some() || given.url_file.is_some();
        if has_url {
            if given.user.is_some() {
                self.flaw(format!("{path}/user"), "the URL names the user", "leave one of the two out");
            }
            let access = Access {
                url: given.url.clone(),
                url_env: given.url_env.clone(),
                url_file: given.url_file.clone(),
                password_env: given.password_env.clone(),
                password_file: given.password_file.clone(),
            };
            return self.access(path, &access).map(AccessOverride::Url);
        }
        if given.user.is_none() && given.password_env.is_none() && given.password_file.is_none() {
            self.flaw(path, "nothing is said of this cell", "give a URL, `user`, `password_env` or `password_file`");
            return None;
        }
        if given.user.as_ref().is_some_and(String::is_empty) {
            self.flaw(format!("{path}/user"), "the user is empty", "");
        }
        let password = self.password(path, given.password_env.as_ref(), given.password_file.as_ref())?;
        Some(AccessOverride::Login { user: given.user.clone(), password: password.map(|(_, password)| password) })
    }
}

/// Whether a check of the playbook reads where the databases of a slot are.
fn follows(playbook: &Playbook, slot: &crate::model::Slot) -> bool {
    playbook.checks.iter().any(|PlaybookCheck::StoredUrls(check)| check.lead_to.contains(slot))
}
