//! Which databases stored URLs add to those of the cloud file: nova's cells from its cell mappings.
//!
//! The danger is a copy. Its mappings still lead to the original, and a leap that followed them would
//! migrate it. So two things are asked of the mappings before one of them is taken:
//!
//! * **a witness**: each single database that they must lead to (cell0) is the one that the cloud file names.
//!   On a copy whose mappings were not rewritten it is the original's, and nothing is taken;
//! * **a known server**: each database is on a server that the cloud file names for the service, because one of
//!   its databases is there, or in so many words.
//!
//! Every row counts, disabled cells too. What cannot be read or is there twice is refused by name.

use std::collections::{BTreeMap, BTreeSet};

use super::build::and;
use super::refusal::{Refusal, RefusalKind};
use crate::catalog::StoredUrls;
use crate::model::{AccessOverride, ConnectionUrl, DatabaseId, MappedDatabases, MappedUrl, Service, Slot};

/// The stored URLs of a service, and what they are held against.
pub struct Mappings<'a> {
    /// The service.
    pub service: &'a Service,
    /// The database that stores them.
    pub owner: &'a DatabaseId,
    /// What the playbook says of them.
    pub check: &'a StoredUrls,
    /// The databases of the service that the cloud file names.
    pub named: &'a BTreeMap<DatabaseId, ConnectionUrl>,
    /// What the cloud file says of those that it does not name.
    pub wanted: &'a MappedDatabases,
    /// The rows.
    pub rows: &'a [MappedUrl],
}

impl Mappings<'_> {
    /// The databases that the rows add.
    ///
    /// # Errors
    /// Every reason why the rows cannot be followed; none of them is taken then.
    pub fn adopt(&self) -> Result<BTreeMap<DatabaseId, ConnectionUrl>, Vec<Refusal>> {
        let mut refusals = Vec::new();
        let witnesses: Vec<(&DatabaseId, &ConnectionUrl)> =
            self.named.iter().filter(|(id, _)| self.check.lead_to.contains(&id.slot)).collect();
        let mut known = true;
        for (id, url) in &witnesses {
            let led = self.rows.iter().filter(|row| row.url.as_ref().is_some_and(|row| row.same_database(url))).count();
            if led != 1 {
                known = false;
                refusals.push(self.refusal(
                    format!(
                        "{} lead to {id}, so the stored URLs of {} are not known to be this cloud's: on a copy they \
                         lead to the original until they are rewritten",
                        if led == 0 { "none".to_owned() } else { led.to_string() },
                        self.owner
                    ),
                    self.told(self.rows.iter()),
                    Some(format!("one that leads to {url}")),
                ));
            }
        }
        let is_witness = |url: &ConnectionUrl| witnesses.iter().any(|(_, witness)| witness.same_database(url));
        let mut taken: BTreeMap<DatabaseId, ConnectionUrl> = BTreeMap::new();
        let mut away = Vec::new();
        for (row, name) in self.rows.iter().zip(names(self.rows)) {
            let Some(url) = &row.url else {
                refusals.push(self.refusal(
                    format!("the stored URL of {} in {} is none that can be followed", row.name, self.owner),
                    row.leads_to.clone(),
                    None,
                ));
                continue;
            };
            if is_witness(url) {
                continue;
            }
            let url = match self.wanted.overrides.get(&name) {
                Some(AccessOverride::Url(own)) if !own.same_database(url) => {
                    let what = format!("{} in {} leads elsewhere than the cloud file says", row.name, self.owner);
                    refusals.push(self.refusal(what, row.leads_to.clone(), Some(own.to_string())));
                    continue;
                }
                Some(AccessOverride::Url(own)) => own.clone(),
                login => {
                    if !self.knows_server(url) {
                        away.push(row);
                        continue;
                    }
                    match login {
                        Some(AccessOverride::Login { user, password }) => url.clone().with_login(user, password),
                        _ => url.clone(),
                    }
                }
            };
            if let Some((twin, _)) = taken.iter().find(|(_, other)| other.same_database(&url)) {
                let what = format!("{} and {} in {} lead to one database", twin.short(), row.name, self.owner);
                refusals.push(self.refusal(what, row.leads_to.clone(), None));
                continue;
            }
            let id = DatabaseId { service: self.service.clone(), slot: self.wanted.slot.clone(), member: Some(name) };
            taken.insert(id, url);
        }
        // Where the mappings are not this cloud's, their servers are none to be named.
        if known && !away.is_empty() {
            let names: Vec<&str> = away.iter().map(|row| row.name.as_str()).collect();
            refusals.push(Refusal {
                next: format!(
                    "if these are this cloud's own databases and no other's, name their servers under `cell_servers` of \
                     {}, or list every cell under `cells`. If this is a copy: {}",
                    self.service,
                    self.check.mend.trim()
                ),
                ..self.refusal(
                    format!(
                        "stored URLs of {} lead to servers that the cloud file does not name: {}",
                        self.owner,
                        and(&names)
                    ),
                    self.told(away.iter().copied()),
                    Some(self.servers()),
                )
            });
        }
        refusals.extend(self.unknown_overrides());
        if refusals.is_empty() && taken.is_empty() {
            refusals.push(self.refusal(
                format!("{} stores no URL of a database in {}", self.owner, self.wanted.slot),
                self.told(self.rows.iter()),
                Some("at least one besides those that the cloud file names".to_owned()),
            ));
        }
        if refusals.is_empty() { Ok(taken) } else { Err(refusals) }
    }

    fn refusal(&self, what: String, found: String, expected: Option<String>) -> Refusal {
        Refusal {
            kind: RefusalKind::StoredUrl,
            database: Some(self.owner.clone()),
            what,
            found: Some(found),
            expected,
            next: self.check.mend.trim().to_owned(),
        }
    }

    fn told<'r>(&self, rows: impl Iterator<Item = &'r MappedUrl>) -> String {
        let rows: Vec<String> = rows.map(|row| format!("{} leads to {}", row.name, row.leads_to)).collect();
        if rows.is_empty() { "no stored URL at all".to_owned() } else { rows.join(", ") }
    }

    /// Whether the cloud file names the server of `url` for this service.
    fn knows_server(&self, url: &ConnectionUrl) -> bool {
        self.named.values().any(|named| named.same_server(url))
            || self.wanted.servers.iter().any(|server| server.is_of(url))
    }

    fn servers(&self) -> String {
        let named = self.named.values().map(ConnectionUrl::server);
        let all: BTreeSet<String> = named.chain(self.wanted.servers.iter().map(ToString::to_string)).collect();
        all.into_iter().collect::<Vec<_>>().join(", ")
    }

    /// Overrides of databases that no row leads to.
    fn unknown_overrides(&self) -> Vec<Refusal> {
        let names: Vec<Slot> = names(self.rows).collect();
        let unknown = self.wanted.overrides.keys().filter(|name| !names.contains(name));
        let known = names.iter().map(Slot::to_string).collect::<Vec<_>>().join(", ");
        unknown
            .map(|name| Refusal {
                next: "correct the name under `cell_overrides` in the cloud file".to_owned(),
                ..self.refusal(
                    format!("the cloud file says how to reach {name}, and no stored URL of {} is named so", self.owner),
                    known.clone(),
                    None,
                )
            })
            .collect()
    }
}

/// The name of each row's database: the row's own in lower-case letters, digits, `-` and `_`; a number
/// after it where two come out alike.
fn names(rows: &[MappedUrl]) -> impl Iterator<Item = Slot> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut names = Vec::new();
    for row in rows {
        let plain = slug(&row.name);
        let mut name = plain.clone();
        let mut number = 2;
        while !seen.insert(name.clone()) {
            name = format!("{plain}-{number}");
            number += 1;
        }
        names.extend(name.parse::<Slot>().ok());
    }
    names.into_iter()
}

fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.trim().to_lowercase().chars() {
        let kept = c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        slug.push(if kept { c } else { '-' });
    }
    if !slug.starts_with(|c: char| c.is_ascii_lowercase()) {
        slug.insert_str(0, "cell-");
    }
    // Room for a number.
    slug.truncate(56);
    slug
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(name: &str) -> MappedUrl {
        MappedUrl { name: name.into(), url: None, leads_to: "x".into() }
    }

    #[test]
    fn a_cell_is_named_after_its_mapping_and_two_that_sound_alike_are_told_apart() {
        let rows = ["cell1", "Cell 1", "cell-1", "7e57ab1e-0000-4000-8000-000000000001", "Zürich", ""].map(row);
        let names: Vec<String> = names(&rows).map(|name| name.to_string()).collect();
        assert_eq!(
            names,
            ["cell1", "cell-1", "cell-1-2", "cell-7e57ab1e-0000-4000-8000-000000000001", "z-rich", "cell-"]
        );
    }

    proptest! {
        #[test]
        fn every_row_gets_a_name_of_its_own(texts in proptest::collection::vec("\\PC{0,80}|cell[- _]?1", 0..20)) {
            let rows: Vec<MappedUrl> = texts.iter().map(|text| row(text)).collect();
            let names: Vec<Slot> = names(&rows).collect();
            prop_assert_eq!(names.len(), rows.len());
            prop_assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), rows.len());
        }
    }
}
