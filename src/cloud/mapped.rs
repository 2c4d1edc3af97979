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
            self.flaw(&path, message, "list every cell but cell0 under `cells`, by any name");
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
        let has_url =
            given.url.is_some() || given.url_env.is_some() || given.url_file.is_some() || given.url_from.is_some();
        if has_url {
            if given.user.is_some() {
                self.flaw(format!("{path}/user"), "the URL names the user", "leave one of the two out");
            }
            let access = Access {
                url: given.url.clone(),
                url_env: given.url_env.clone(),
                url_file: given.url_file.clone(),
                url_from: given.url_from.clone(),
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

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;
    use crate::catalog::Catalog;
    use crate::cloud::{Cloud, resolve::Surroundings};
    use crate::document::Source;
    use crate::model::Secret;

    const PASSWORD: &str = "Secret99";

    /// The cloud with this section for nova, besides its two databases.
    fn read(nova: &str) -> Result<Cloud, String> {
        let catalog = Catalog::embedded().unwrap_or_else(|error| panic!("{error}"));
        let playbooks: Vec<&Playbook> = catalog.playbooks().collect();
        let env = |name: &str| match name {
            "CELL_PASSWORD" => Some(PASSWORD.to_owned()),
            "CELL_URL" => Some(format!("mysql://nova:{PASSWORD}@10.0.0.9/nova_cell3")),
            _ => None,
        };
        let text = format!(
            "format: 1\nname: x\nrunner: {{containers: {{images: {{default: 'r.example/x:{{series}}'}}}}}}\nservices:\n  nova:\n    \
             databases: {{api: {{url: 'mysql://n@10.0.0.5/nova_api'}}, cell0: {{url: 'mysql://n@10.0.0.5/nova_cell0'}}}}\n{nova}"
        );
        let surroundings = Surroundings { file: Utf8Path::new("leapfrog.yaml"), playbooks: &playbooks, env: &env };
        Cloud::from_source(&Source::new("leapfrog.yaml", text), &surroundings).map_err(|mistakes| {
            let lines: Vec<String> = mistakes.iter().map(crate::document::Mistake::one_line).collect();
            lines.join("\n")
        })
    }

    fn mapped(nova: &str) -> MappedDatabases {
        let cloud = read(nova).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert!(!format!("{cloud:?}").contains(PASSWORD), "shown: {cloud:?}");
        cloud.mapped.into_values().next().expect("mapped cells")
    }

    #[test]
    fn cells_that_are_left_out_are_mapped_and_so_are_those_that_say_so() {
        assert_eq!(mapped(""), mapped("    cells: mapped\n"));
        assert_eq!(mapped("").slot.as_str(), "cells");
        let listed = read("    cells: {one: {url: 'mysql://n@10.0.0.5/nova'}}\n").expect("listed cells");
        assert!(listed.mapped.is_empty());
        assert_eq!(listed.databases.len(), 3);
    }

    #[test]
    fn single_cells_may_have_credentials_or_a_whole_url_of_their_own() {
        let found = mapped(
            "    cell_servers: [10.0.0.6, 'db.example:3307']\n    cell_overrides:\n      cell1: {user: leap, password_env: \
             CELL_PASSWORD}\n      cell2: {password_env: CELL_PASSWORD}\n      cell3: {url_env: CELL_URL}\n",
        );
        let servers: Vec<String> = found.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.0.0.6", "db.example:3307"]);
        let of = |name: &str| found.overrides[&name.parse().expect("a name")].clone();
        let password = Some(Secret::new(PASSWORD));
        assert_eq!(of("cell1"), AccessOverride::Login { user: Some("leap".into()), password: password.clone() });
        assert_eq!(of("cell2"), AccessOverride::Login { user: None, password });
        let AccessOverride::Url(url) = of("cell3") else { panic!("a URL") };
        assert_eq!(url.to_string(), "mysql://nova@10.0.0.9/nova_cell3");
    }

    #[test]
    fn what_contradicts_mapped_cells_is_a_mistake() {
        let told = |nova: &str| read(nova).expect_err("a mistake");
        insta::assert_snapshot!(told("    stored_urls: trust\n"));
        insta::assert_snapshot!(told("    cells: maped\n"));
        insta::assert_snapshot!(told("    cells: {}\n"));
        insta::assert_snapshot!(told(
            "    cell_servers: ['mysql://n:Secret99@h/x', 'h:99999']\n    cell_overrides:\n      cell1: {}\n      cell2: \
             {url: 'mysql://n@h/x', user: n}\n      cell3: {user: '', password_env: UNSET}\n      cell4: {url: 'mysql://n@h/x', \
             url_env: CELL_URL}\n"
        ));
        insta::assert_snapshot!(told(
            "    cells: {one: {url: 'mysql://n@h/x'}}\n    cell_servers: [h]\n    cell_overrides: {one: {user: n}}\n"
        ));
    }
}
