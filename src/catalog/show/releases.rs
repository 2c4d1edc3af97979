//! Releases.

use serde::Serialize;

use super::text::{count, list, paragraph, table};
use crate::catalog::{Catalog, Release, Status};

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

/// One release in full: versions, heads, and what an operator should have read.
pub fn release(release: &Release) -> String {
    let slurp = if release.slurp { "a SLURP release" } else { "not a SLURP release" };
    let mut text = format!(
        "{}: released {}, {}, {slurp}, {}\n\nSERVICES\n",
        release.name(),
        release.released,
        status(release),
        count(release.services.len(), "service", "services"),
    );
    let mut rows = vec![["SERVICE", "PACKAGE", "VERSIONS", "SCHEMA", "HEADS"].map(str::to_owned)];
    for (service, facts) in &release.services {
        for (index, (schema, heads)) in facts.heads.iter().enumerate() {
            let versions = format!("{} to {}", facts.versions.first, facts.versions.last);
            let first = |text: String| if index == 0 { text } else { String::new() };
            rows.push([
                first(service.to_string()),
                first(facts.package.clone()),
                first(versions),
                schema.to_string(),
                heads.to_string(),
            ]);
        }
    }
    text.push_str(&table(2, &rows));
    if !release.notes.is_empty() {
        text.push_str("\nBEFORE THIS HOP\n");
        for note in &release.notes {
            let about = note.service.as_ref().map(|service| format!("{service}: ")).unwrap_or_default();
            text.push_str(&paragraph(2, "- ", &format!("{about}{}", note.text)));
        }
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
