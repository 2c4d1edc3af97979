//! What the demo's cloud holds: `demo/cloud.yaml` and the SQL beside it.

use std::collections::BTreeMap;

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use crate::catalog::Playbook;
use crate::document::{Document, Mistake, Source};
use crate::model::{ConnectionUrl, DatabaseId, Secret, Series, SeriesRange, Service, Slot};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/demo");

/// The version of the document's format.
const FORMAT: u32 = 1;

/// The document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    #[expect(dead_code, reason = "compared before anything else is read")]
    format: u32,
    services: BTreeMap<Service, Part>,
}

/// One service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    /// The names of the databases of a slot that may have several.
    #[serde(default)]
    members: BTreeMap<Slot, Vec<Slot>>,
    /// What it holds once its seeds are in, in a few words.
    holds: String,
    seeds: Vec<SeedFile>,
}

/// A file of SQL and what it is run for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedFile {
    sql: String,
    for_each: Vec<Slot>,
    into: Option<Slot>,
    #[serde(default)]
    series: SeriesRange,
}

/// What the demo's cloud holds.
#[derive(Debug)]
pub struct Sketch(Contents);

/// Statements for one database. They may hold a password: nova's cell mappings do.
#[derive(Debug, Clone)]
pub struct Seed {
    /// Where they are run.
    pub database: DatabaseId,
    /// The statements.
    pub sql: Secret,
}

impl Sketch {
    /// The sketch in the binary.
    ///
    /// # Errors
    /// It has mistakes.
    pub fn embedded() -> Result<Self, Vec<Mistake>> {
        let source = Source::new("built-in/demo/cloud.yaml", text("cloud.yaml"));
        Ok(Self(Document::read(&source, FORMAT)?.value))
    }

    /// The services.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.0.services.keys()
    }

    /// What a service holds once its seeds are in; nothing where one of them does not fit the release.
    pub fn holds(&self, service: &Service, series: &Series) -> Option<&str> {
        let part = self.0.services.get(service)?;
        part.seeds.iter().all(|seed| seed.series.contains(series)).then_some(part.holds.as_str())
    }

    /// The databases of a service, in the order of its playbook.
    pub fn databases(&self, playbook: &Playbook) -> Vec<DatabaseId> {
        let slots = playbook.databases.iter().map(|slot| &slot.slot);
        slots.flat_map(|slot| self.in_slot(&playbook.service, slot)).collect()
    }

    /// The databases of one slot.
    fn in_slot(&self, service: &Service, slot: &Slot) -> Vec<DatabaseId> {
        let one = |member: Option<Slot>| DatabaseId { service: service.clone(), slot: slot.clone(), member };
        match self.0.services.get(service).and_then(|part| part.members.get(slot)) {
            Some(members) => members.iter().cloned().map(Some).map(one).collect(),
            None => vec![one(None)],
        }
    }

    /// What is put into a service's databases at a release, in order.
    pub fn seeds(&self, service: &Service, series: &Series, url: &dyn Fn(&DatabaseId) -> ConnectionUrl) -> Vec<Seed> {
        let files = self.0.services.get(service).into_iter().flat_map(|part| &part.seeds);
        let mut seeds = Vec::new();
        for file in files.filter(|file| file.series.contains(series)) {
            for slot in &file.for_each {
                for (place, subject) in self.in_slot(service, slot).into_iter().enumerate() {
                    let number = if subject.member.is_some() { place + 1 } else { 0 };
                    let sql = text(&file.sql)
                        .replace("{name}", subject.short())
                        .replace("{number}", &number.to_string())
                        .replace("{url}", &url(&subject).for_service().expose().replace('\'', "''"));
                    let into = |slot: &Slot| DatabaseId { slot: slot.clone(), member: None, ..subject.clone() };
                    let database = file.into.as_ref().map_or_else(|| subject.clone(), into);
                    seeds.push(Seed { database, sql: Secret::new(sql) });
                }
            }
        }
        seeds
    }
}

/// The text of an embedded file; nothing where there is none.
fn text(name: &str) -> &'static str {
    FILES.get_file(name).and_then(|file| file.contents_utf8()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn sketch() -> Sketch {
        Sketch::embedded().unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
    }

    #[test]
    fn every_seed_is_a_file_for_databases_that_the_playbook_has() {
        let (sketch, catalog) = (sketch(), Catalog::embedded().expect("sound"));
        let series: Series = "2023.1".parse().expect("a series");
        let url = |id: &DatabaseId| format!("mysql://u:p'w@h/{}", id.short()).parse().expect("a URL");
        for service in sketch.services() {
            let databases = sketch.databases(catalog.playbook(service).expect("a playbook"));
            let seeds = sketch.seeds(service, &series, &url);
            assert!(!seeds.is_empty(), "{service}");
            for Seed { database, sql } in seeds {
                let text = sql.expose();
                assert!(databases.contains(&database), "{database}");
                assert!(text.contains("INSERT INTO"), "{database}: {text}");
                for placeholder in ["{name}", "{number}", "{url}"] {
                    assert!(!text.contains(placeholder), "{database}: {text}");
                }
            }
        }
    }

    #[test]
    fn cells_have_names_numbers_and_mappings_of_their_own() {
        let url = |id: &DatabaseId| format!("mysql://u@h/{}", id.short()).parse().expect("a URL");
        let nova: Service = "nova".parse().expect("a service");
        let seeds = sketch().seeds(&nova, &"2023.1".parse().expect("a series"), &url);
        let found: Vec<String> = seeds
            .iter()
            .filter(|seed| seed.sql.expose().contains("INTO cell_mappings"))
            .map(|seed| {
                let text = seed.sql.expose();
                let from = text.find("mysql+pymysql").expect("a URL");
                format!("{} {}", seed.database, &text[from..from + text[from..].find('\'').expect("its end")])
            })
            .collect();
        let expected = ["cell0", "cell1", "cell2"].map(|cell| format!("nova.api mysql+pymysql://u@h/{cell}"));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_a_later_release_does_not_take_is_not_put_in_and_not_told() {
        let cinder: Service = "cinder".parse().expect("a service");
        let url = |_: &DatabaseId| "mysql://u@h/d".parse().expect("a URL");
        for (series, seeds) in [("2023.1", 1), ("2023.2", 1), ("2024.1", 0)] {
            let series: Series = series.parse().expect("a series");
            assert_eq!(sketch().seeds(&cinder, &series, &url).len(), seeds, "{series}");
            assert_eq!(sketch().holds(&cinder, &series).is_some(), seeds > 0, "{series}");
        }
    }
}
