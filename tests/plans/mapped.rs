//! Databases that stored URLs name: which of them are followed, and what keeps the original safe from a copy.

use std::collections::BTreeMap;

use leapfrog::catalog::{Catalog, PlaybookCheck};
use leapfrog::model::{AccessOverride, ConnectionUrl, DatabaseId, MappedDatabases, MappedUrl, Secret};
use leapfrog::plan::Mappings;

use crate::cloud::valid;

/// A nova whose cloud file names the API database and cell0 only.
struct Nova {
    rows: Vec<MappedUrl>,
    wanted: MappedDatabases,
}

const CELL0: (&str, &str) = ("cell0", "mysql+pymysql://nova:Stored99@10.0.0.5/nova_cell0?charset=utf8");
const CELL1: (&str, &str) = ("cell1", "mysql+pymysql://nova:Stored99@10.0.0.5/nova?charset=utf8");
const CELL2: (&str, &str) = ("Cell 2", "mysql+pymysql://nova:Stored99@10.0.0.6:3307/nova_cell2");

impl Nova {
    fn with(rows: &[(&str, &str)]) -> Self {
        let rows = rows.iter().map(|(name, text)| {
            let url: Option<ConnectionUrl> = text.parse().ok();
            let leads_to = url.as_ref().map_or_else(|| "(not a URL)".to_owned(), ToString::to_string);
            MappedUrl { name: (*name).into(), url, leads_to }
        });
        let wanted = MappedDatabases { slot: valid("cells"), servers: Vec::new(), overrides: BTreeMap::new() };
        Self { rows: rows.collect(), wanted }
    }

    fn reaches(mut self, name: &str, how: AccessOverride) -> Self {
        self.wanted.overrides.insert(valid(name), how);
        self
    }

    fn on_server(mut self, server: &str) -> Self {
        self.wanted.servers.push(valid(server));
        self
    }

    fn adopt(&self) -> Result<BTreeMap<DatabaseId, ConnectionUrl>, String> {
        let catalog = Catalog::embedded().unwrap_or_else(|error| panic!("{error}"));
        let playbook = catalog.playbook(&valid("nova")).expect("there");
        let PlaybookCheck::StoredUrls(check) = &playbook.checks[0];
        let named = [("nova.api", "nova_api"), ("nova.cell0", "nova_cell0")];
        let named = named.map(|(id, name)| (valid(id), valid(&format!("mysql+pymysql://leap@10.0.0.5/{name}"))));
        let mappings = Mappings {
            service: &valid("nova"),
            owner: &valid("nova.api"),
            check,
            named: &named.into(),
            wanted: &self.wanted,
            rows: &self.rows,
        };
        mappings.adopt().map_err(|refusals| {
            let told = refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n");
            assert!(!told.contains("99"), "a password is shown: {told}");
            told
        })
    }

    fn urls(&self) -> Vec<String> {
        let adopted = self.adopt().unwrap_or_else(|told| panic!("{told}"));
        adopted.iter().map(|(id, url)| format!("{id} {}", url.for_service().expose())).collect()
    }
}

#[test]
fn every_mapping_but_cell0s_is_a_cell_with_its_stored_url() {
    let nova = Nova::with(&[CELL0, CELL1, ("disabled", "mysql+pymysql://n:p@10.0.0.5/nova_old")]);
    assert_eq!(
        nova.urls(),
        [
            "nova.cells.cell1 mysql+pymysql://nova:Stored99@10.0.0.5/nova?charset=utf8",
            "nova.cells.disabled mysql+pymysql://n:p@10.0.0.5/nova_old",
        ]
    );
}

#[test]
fn the_mappings_of_a_copy_that_lead_to_the_original_are_not_followed() {
    let original = [
        ("cell0", "mysql+pymysql://nova:Stored99@production.example/nova_cell0"),
        ("cell1", "mysql+pymysql://nova:Stored99@production.example/nova"),
    ];
    insta::assert_snapshot!(Nova::with(&original).adopt().expect_err("refused"));
    // The copy is on the same server, under other names: only cell0 tells.
    let beside = [("cell0", "mysql://nova@10.0.0.5/original_cell0"), ("cell1", "mysql://nova@10.0.0.5/original")];
    insta::assert_snapshot!(Nova::with(&beside).adopt().expect_err("refused"));
}

#[test]
fn a_cell_on_a_server_that_the_cloud_file_does_not_name_is_refused_unless_it_is_stated() {
    let nova = || Nova::with(&[CELL0, CELL1, CELL2]);
    insta::assert_snapshot!(nova().adopt().expect_err("refused"));
    assert_eq!(nova().on_server("10.0.0.6:3307").urls().len(), 2);
    assert!(nova().on_server("10.0.0.6").adopt().is_err(), "another port is another server");
    // Credentials say nothing about the server; a URL does.
    let login = AccessOverride::Login { user: Some("leap".into()), password: None };
    assert!(nova().reaches("cell-2", login).adopt().is_err());
    let url = AccessOverride::Url(valid("mysql+pymysql://leap:own@10.0.0.6:3307/nova_cell2"));
    assert_eq!(
        nova().reaches("cell-2", url).urls()[0],
        "nova.cells.cell-2 mysql+pymysql://leap:own@10.0.0.6:3307/nova_cell2"
    );
}

#[test]
fn credentials_of_the_cloud_file_take_the_place_of_the_stored_ones() {
    let login = AccessOverride::Login { user: Some("leap".into()), password: Some(Secret::new("other")) };
    let nova = Nova::with(&[CELL0, CELL1]).reaches("cell1", login);
    assert_eq!(nova.urls(), ["nova.cells.cell1 mysql+pymysql://leap:other@10.0.0.5/nova?charset=utf8"]);
    let password = AccessOverride::Login { user: None, password: Some(Secret::new("other")) };
    let nova = Nova::with(&[CELL0, CELL1]).reaches("cell1", password);
    assert_eq!(nova.urls(), ["nova.cells.cell1 mysql+pymysql://nova:other@10.0.0.5/nova?charset=utf8"]);
}

#[test]
fn mappings_that_make_no_sense_are_refused_by_name_and_all_at_once() {
    let nova = Nova::with(&[
        CELL0,
        ("cell0-again", "mysql://nova@10.0.0.5/nova_cell0"),
        CELL1,
        ("old", "mysql://nova@10.0.0.5/nova_old"),
        ("twin", "mysql://other@10.0.0.5:3306/nova_old"),
        ("broken", "none:///"),
    ]);
    let elsewhere = AccessOverride::Url(valid("mysql://leap@10.0.0.5/nova_other"));
    let nova = nova.reaches("cell1", elsewhere).reaches("cell9", AccessOverride::Login { user: None, password: None });
    insta::assert_snapshot!(nova.adopt().expect_err("refused"));
    insta::assert_snapshot!(Nova::with(&[CELL0]).adopt().expect_err("no cell at all"));
}
