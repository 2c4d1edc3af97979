//! Releases.

use serde::Serialize;

use super::explain::changed;
use super::text::{count, list, paragraph, table};
use crate::catalog::{Catalog, Knowledge, Release, Status};
use crate::model::Service;

/// What `leapfrog releases --output json` says: every release, as its file says it.
#[derive(Debug, Serialize)]
pub struct ReleaseList<'c> {
    /// The releases, oldest first.
    pub releases: Vec<&'c Release>,
}

impl<'c> ReleaseList<'c> {
    /// All releases of a catalogue.
    pub fn new(catalog: &'c Catalog) -> Self {
        Self { releases: catalog.releases().collect() }
    }
}

/// The releases, one a line.
pub fn releases(catalog: &Catalog) -> String {
    let mut rows = vec![["SERIES", "CODENAME", "RELEASED", "STATUS", "SLURP", "SERVICES", "NOTES"].map(str::to_owned)];
    rows.extend(catalog.releases().map(|release| {
        [
            release.series.to_string(),
            release.codename.clone(),
            release.released.to_string(),
            status(release),
            yes_or_no(release.slurp).to_owned(),
            release.services.len().to_string(),
            release.notes.len().to_string(),
        ]
    }));
    table(0, &rows)
}

/// One release in full: versions, heads, what it needs, and what an operator should have read.
pub fn release(catalog: &Catalog, release: &Release) -> String {
    let slurp = if release.slurp { "a SLURP release" } else { "not a SLURP release" };
    let mut text = format!(
        "{}: released {}, {}, {slurp}, {}\n\nSERVICES\n",
        release.name(),
        release.released,
        status(release),
        count(release.services.len(), "service", "services"),
    );
    text.push_str(&services(catalog, release));
    let needs = needs(release);
    if !needs.is_empty() {
        text.push_str("\nWHAT IT NEEDS\n");
        needs.iter().for_each(|(_, need)| text.push_str(&paragraph(2, "- ", need)));
    }
    if !release.absent.is_empty() {
        text.push_str("\nWHAT IT DOES NOT HAVE\n");
        for (service, why) in &release.absent {
            text.push_str(&paragraph(2, "- ", &format!("{service}: {}", why.trim())));
        }
    }
    if !release.notes.is_empty() {
        text.push_str("\nBEFORE THIS HOP\n");
        for note in &release.notes {
            let about = note.service.as_ref().map(|service| format!("{service}: ")).unwrap_or_default();
            text.push_str(&paragraph(2, "- ", &format!("{about}{}", note.text)));
            for (lead, more) in [("to check: ", &note.check), ("downtime: ", &note.downtime)] {
                text.push_str(&more.as_ref().map(|more| paragraph(4, lead, more)).unwrap_or_default());
            }
        }
    }
    if !release.exceptions.is_empty() {
        text.push_str("\nWHAT THE SCHEMA MIGRATIONS CHANGE\n");
        release.exceptions.iter().for_each(|exception| text.push_str(&changed(exception)));
    }
    if !release.sources.is_empty() {
        text.push_str("\nSOURCES\n");
        for source in &release.sources {
            text.push_str(&paragraph(2, "- ", source));
        }
    }
    if !release.python.is_empty() {
        text.push_str(&format!("\nPython versions: {}\n", list(&release.python)));
    }
    text
}

/// The services with their versions and heads, and how each is known.
fn services(catalog: &Catalog, release: &Release) -> String {
    let mut rows = vec![["SERVICE", "PACKAGE", "VERSIONS", "KNOWN", "SCHEMA", "HEADS"].map(str::to_owned)];
    for (service, facts) in &release.services {
        let known = catalog.playbook(service).map(|playbook| playbook.knowledge(&release.series));
        let known = match known {
            Some(Knowledge::Tested) => "tested",
            Some(Knowledge::Run) => "run elsewhere",
            Some(Knowledge::Read) | None => "read",
        };
        for (index, (schema, heads)) in facts.heads.iter().enumerate() {
            let first = |text: &str| if index == 0 { text.to_owned() } else { String::new() };
            let versions = format!("{} to {}", facts.versions.first, facts.versions.last);
            let others = facts.also.get(schema).into_iter().flatten().map(|other| format!(", also {other}"));
            rows.push([
                first(service.as_str()),
                first(&facts.package),
                first(&versions),
                first(known),
                schema.to_string(),
                format!("{heads}{}", others.collect::<String>()),
            ]);
        }
    }
    table(2, &rows)
}

/// What must have been before, and on what it works, each with the service it is about: floors, servers, services of
/// their own.
pub(super) fn needs(release: &Release) -> Vec<(&Service, String)> {
    let mut needs = Vec::new();
    for (service, facts) in &release.services {
        if let Some(floor) = &facts.floor {
            let why = floor.why.trim();
            let need = format!("{} or later first: {service} of {} and later {why}", floor.from, release.series);
            needs.push((service, need));
        }
        if let Some(servers) = &facts.servers {
            let named = [("MariaDB", &servers.mariadb), ("MySQL", &servers.mysql)];
            let named = named.into_iter().filter_map(|(name, version)| Some(format!("{name} {}", version.as_ref()?)));
            let named: Vec<String> = named.collect();
            needs.push((service, format!("{} or later for {service}: {}", named.join(" or "), servers.why.trim())));
        }
    }
    for split in &release.splits {
        let need = format!("a database of its own for {}: {}. {}", split.service, split.why.trim(), split.mend.trim());
        needs.push((&split.service, need));
    }
    needs
}

fn status(release: &Release) -> String {
    let status = match release.status {
        Status::Maintained => "maintained",
        Status::Unmaintained => "unmaintained",
        Status::EndOfLife => "end of life",
    };
    match release.ended {
        Some(day) => format!("{status} since {day}"),
        None => status.to_owned(),
    }
}

fn yes_or_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}
