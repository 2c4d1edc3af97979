//! Exceptions: findings that somebody accepted, with the note that an operator needs.
//!
//! A finding is accepted only with every answer: what changes, why, what becomes of the data, what decides the downtime,
//! what an operator should do, who accepted it, and until when. An exception that matches no finding any more is a
//! mistake, and so is one whose day is over: both are told with their line.

use std::fmt;

use camino::Utf8Path;
use jiff::civil::Date;
use serde::Deserialize;

use crate::cli::stop::Stop;
use crate::document::{Document, Mistake, Source};
use crate::lint::{Accepted, Report, Rule};
use crate::model::{Series, Service};

/// The version of the document's format.
const FORMAT: u32 = 1;

/// The document.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    /// The version of this document's format: 1.
    #[expect(dead_code, reason = "compared before anything else is read")]
    #[schemars(range(min = 1, max = 1))]
    format: u32,
    /// The exceptions.
    exceptions: Vec<Exception>,
}

/// One exception.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Exception {
    /// The rule, by its identifier or its name: `LF-C01`.
    rule: String,
    /// The revision whose findings are accepted.
    revision: String,
    /// The service; absent: whichever has that revision.
    service: Option<Service>,
    /// The release that brings the revision; absent: whichever.
    #[schemars(with = "Option<String>")]
    series: Option<Series>,
    /// The table; absent: every one.
    table: Option<String>,
    /// The column; absent: every one.
    column: Option<String>,
    /// What changes.
    changes: String,
    /// Why.
    why: String,
    /// How data is migrated, or why there is nothing to migrate.
    data: String,
    /// What decides the downtime.
    downtime: String,
    /// What an operator should do.
    operator: String,
    /// Who accepted it.
    accepted_by: String,
    /// The last day on which it counts, `YYYY-MM-DD`.
    #[schemars(with = "String")]
    until: Date,
}

/// Mistakes in files of exceptions.
#[derive(Debug)]
struct Wrong(Vec<Mistake>);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the exceptions have a mistake"),
            number => write!(f, "the exceptions have {number} mistakes"),
        }
    }
}

impl std::error::Error for Wrong {}

impl miette::Diagnostic for Wrong {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        Some(Box::new(self.0.iter().map(|mistake| mistake as &dyn miette::Diagnostic)))
    }
}

/// Marks what the exceptions of `files` accept. With `partial`, not everything was looked at, and an exception may match
/// nothing.
pub(super) fn apply(
    files: &[camino::Utf8PathBuf],
    report: &mut Report,
    today: Date,
    partial: bool,
) -> Result<(), Stop> {
    let mut mistakes = Vec::new();
    for file in files {
        match read(file) {
            Ok(document) => mistakes.extend(accept(&document, report, today, partial)),
            Err(found) => mistakes.extend(found),
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Stop::document(Wrong(mistakes))) }
}

fn read(file: &Utf8Path) -> Result<Document<Exceptions>, Vec<Mistake>> {
    let bytes = std::fs::read(file).map_err(|error| {
        vec![Mistake::of_file(file, format!("cannot be read: {error}")).with_help("name a file of exceptions")]
    })?;
    let source = Source::from_bytes(file, bytes).map_err(|mistake| vec![mistake])?;
    Document::read(&source, FORMAT)
}

/// Marks what a document accepts. Returns what is wrong with it.
fn accept(document: &Document<Exceptions>, report: &mut Report, today: Date, partial: bool) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for (number, exception) in document.value.exceptions.iter().enumerate() {
        let path = |key: &str| format!("exceptions/{number}/{key}");
        let answers = [
            ("revision", &exception.revision),
            ("changes", &exception.changes),
            ("why", &exception.why),
            ("data", &exception.data),
            ("downtime", &exception.downtime),
            ("operator", &exception.operator),
            ("accepted_by", &exception.accepted_by),
        ];
        let empty = answers.into_iter().filter(|(_, text)| text.trim().is_empty());
        let empty: Vec<Mistake> =
            empty.map(|(key, _)| document.mistake(&path(key), format!("`{key}` says nothing"))).collect();
        if !empty.is_empty() {
            mistakes.extend(empty);
            continue;
        }
        let Some(rule) = Rule::named(&exception.rule) else {
            let help = "`leapfrog lint --explain` with any word lists the rules";
            mistakes
                .push(document.mistake(&path("rule"), format!("there is no rule {}", exception.rule)).with_help(help));
            continue;
        };
        if exception.until < today {
            let help = "look at the findings again; accept them anew with another day, or mend them";
            mistakes.push(document.mistake(&path("until"), format!("was over on {}", exception.until)).with_help(help));
            continue;
        }
        let mut matched = false;
        for found in report.findings.iter_mut().filter(|found| found.rule == rule.id && exception.is_about(&found.at)) {
            matched = true;
            found.accepted = Some(exception.note());
        }
        if !matched && !partial {
            let what =
                format!("matches no finding: there is no {} of revision {} any more", rule.id, exception.revision);
            let help = "take it out, or look whether table, column, service and series are those of the finding";
            mistakes.push(document.mistake(&path("revision"), what).with_help(help));
        }
    }
    mistakes
}

impl Exception {
    fn is_about(&self, at: &crate::lint::At) -> bool {
        fn fits<T: PartialEq>(wanted: Option<&T>, there: Option<&T>) -> bool {
            wanted.is_none() || wanted == there
        }
        at.revision.as_ref() == Some(&self.revision)
            && fits(self.service.as_ref(), at.service.as_ref())
            && fits(self.series.as_ref(), at.series.as_ref())
            && fits(self.table.as_ref(), at.table.as_ref())
            && fits(self.column.as_ref(), at.column.as_ref())
    }

    fn note(&self) -> Accepted {
        Accepted {
            changes: self.changes.clone(),
            why: self.why.clone(),
            data: self.data.clone(),
            downtime: self.downtime.clone(),
            operator: self.operator.clone(),
            by: self.accepted_by.clone(),
            until: self.until.to_string(),
        }
    }
}
