//! Exceptions: findings that somebody accepted, with the note that an operator needs.
//!
//! A finding is accepted only with every answer: what changes, why, what becomes of the data, what decides the downtime,
//! what an operator should do, who accepted it, and until when. An exception that matches no finding any more is a
//! mistake, and so is one whose day is over: both are told with their line.

use std::fmt;

use camino::Utf8Path;
use jiff::civil::Date;

use crate::catalog::{Exception, Exceptions};
use crate::cli::stop::Stop;
use crate::document::{Document, Mistake, Source};
use crate::lint::{Accepted, At, Find, Report, Rule, Script};
use crate::model::Series;

/// The version of the document's format.
const FORMAT: u32 = 1;

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

/// Marks what releases' notes accept, for as long as they count. Returns those whose revision is none of `scripts`: the
/// images have another history than the notes tell of.
pub(super) fn apply_notes<'n>(
    notes: &'n [(Series, Exception)],
    report: &mut Report,
    scripts: &[Script],
    today: Date,
) -> Vec<&'n (Series, Exception)> {
    let mut elsewhere = Vec::new();
    for noted in notes {
        let (_, exception) = noted;
        if exception.until >= today {
            for rule in exception.rules.iter().filter_map(|name| Rule::named(name)) {
                mark(exception, rule, report);
            }
        }
        let told = |script: &Script| {
            script.service == exception.service && script.revision.as_ref() == Some(&exception.revision)
        };
        if !scripts.iter().any(told) {
            elsewhere.push(noted);
        }
    }
    elsewhere
}

/// Marks the findings of a rule that an exception accepts, and says whether there is any.
fn mark(exception: &Exception, rule: &Rule, report: &mut Report) -> bool {
    let mut matched = false;
    for found in report.findings.iter_mut().filter(|found| found.rule == rule.id && is_about(exception, &found.at)) {
        matched = true;
        found.accepted = Some(note(exception));
    }
    matched
}

/// Marks what a document accepts. Returns what is wrong with it.
fn accept(document: &Document<Exceptions>, report: &mut Report, today: Date, partial: bool) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for (number, exception) in document.value.exceptions.iter().enumerate() {
        let path = |key: &str| format!("exceptions/{number}/{key}");
        let empty = exception.answers().into_iter().filter(|(_, text)| text.trim().is_empty());
        let mut wrong: Vec<Mistake> =
            empty.map(|(key, _)| document.mistake(&path(key), format!("`{key}` says nothing"))).collect();
        if exception.rules.is_empty() {
            wrong.push(document.mistake(&path("rules"), "without a rule nothing is accepted"));
        }
        if exception.until < today {
            let help = "look at the findings again; accept them anew with another day, or mend them";
            wrong.push(document.mistake(&path("until"), format!("was over on {}", exception.until)).with_help(help));
        }
        if !wrong.is_empty() {
            mistakes.extend(wrong);
            continue;
        }
        for (index, name) in exception.rules.iter().enumerate() {
            let path = path(&format!("rules/{index}"));
            let Some(rule) = Rule::named(name) else {
                let help = "`leapfrog lint --explain` with any word lists the rules";
                mistakes.push(document.mistake(&path, format!("there is no rule {name}")).with_help(help));
                continue;
            };
            // What only a run shows, nobody looked for.
            let unlooked = matches!(rule.find, Find::InExecution) && report.executed.is_empty();
            if !mark(exception, rule, report) && !partial && !unlooked {
                let what =
                    format!("matches no finding: there is no {} of revision {} any more", rule.id, exception.revision);
                let help = "take it out, or look whether tables, column, service and series are those of the finding";
                mistakes.push(document.mistake(&path, what).with_help(help));
            }
        }
    }
    mistakes
}

fn is_about(exception: &Exception, at: &At) -> bool {
    fn fits<T: PartialEq>(wanted: Option<&T>, there: Option<&T>) -> bool {
        wanted.is_none() || wanted == there
    }
    at.revision.as_ref() == Some(&exception.revision)
        && fits(exception.service.as_ref(), at.service.as_ref())
        && fits(exception.series.as_ref(), at.series.as_ref())
        && (exception.tables.is_empty() || at.table.as_ref().is_some_and(|table| exception.tables.contains(table)))
        && fits(exception.column.as_ref(), at.column.as_ref())
}

fn note(exception: &Exception) -> Accepted {
    let Exception { changes, why, data, downtime, operator, accepted_by, until, .. } = exception.clone();
    Accepted { changes, why, data, downtime, operator, by: accepted_by, until: until.to_string() }
}
