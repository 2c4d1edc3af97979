//! What was found, for people: each place once, with its lines, a caret and everything that is said of it.

use crate::lint::{Accepted, Found, Heavy, Report, Severity};
use crate::report::{Paper, bytes, clean};

/// How many lines of a script are shown of one place.
const LINES: usize = 4;
/// How many of several findings of one rule at one place are told in full.
const ALIKE: usize = 3;

/// The findings from warnings on, with information if `verbose`, and how many there are.
pub(super) fn render(report: &Report, paper: Paper, verbose: bool) -> String {
    let shown: Vec<&Found> = report.findings.iter().filter(|found| verbose || shows(found)).collect();
    let mut lines = Vec::new();
    let mut mended = Vec::new();
    let mut rest = &shown[..];
    while let Some(first) = rest.first() {
        let here = |found: &&Found| found.at.file == first.at.file && found.at.start == first.at.start;
        let count = rest.iter().take_while(|found| here(found)).count();
        let (place, more) = rest.split_at(count);
        rest = more;
        lines.push(head(first));
        lines.extend(excerpt(first));
        for (found, others) in alike(place) {
            lines.extend(
                paper
                    .hang(&format!("  {:<11}  {}  ", found.severity.word(), found.rule), &clean(&said(found, &others))),
            );
            if !mended.contains(&found.rule) {
                mended.push(found.rule);
                for (word, text) in [("why", found.why), ("mend", found.mend)] {
                    lines.extend(paper.hang(&format!("  {:<11}  {word:<6}  ", ""), text));
                }
            }
        }
        lines.push(String::new());
    }
    lines.extend(notes(report, paper, verbose));
    lines.extend(weights(&report.heavy, paper));
    lines.extend(super::executed::lines(report, paper, verbose));
    lines.push(counts(report, verbose));
    lines.join("\n") + "\n"
}

/// Whether a finding is shown that nobody asked for in particular.
pub(super) fn shows(found: &Found) -> bool {
    found.severity > Severity::Information && found.accepted.is_none()
}

/// Where it is.
fn head(found: &Found) -> String {
    let at = &found.at;
    let told = [
        at.series.as_ref().map(|series| format!("release {series}")),
        at.revision.as_ref().map(|revision| format!("revision {revision}")),
        at.branch.map(|branch| branch.to_string()),
    ];
    let told: Vec<String> = told.into_iter().flatten().collect();
    let told = if told.is_empty() { String::new() } else { format!("  ({})", told.join(", ")) };
    clean(&format!("{}:{}:{}{told}", at.file, at.start.line, at.start.character))
}

/// Its lines, and what marks it.
fn excerpt(found: &Found) -> Vec<String> {
    let at = &found.at;
    let last = at.start.line + at.excerpt.len().min(LINES);
    let width = last.to_string().len().max(4);
    let mut lines = Vec::new();
    for (number, line) in at.excerpt.iter().take(LINES).enumerate() {
        // Tabs would put the mark elsewhere.
        let shown: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        lines.push(format!("{:>width$} | {shown}", at.start.line + number).trim_end().to_owned());
        if number == 0 {
            // A long line is not shown to its end.
            let length = shown.chars().count();
            let end = if at.end.line == at.start.line { at.end.character.min(length + 1) } else { length + 1 };
            let start = at.start.character.min(end);
            let marks = (end - start).max(1);
            lines.push(format!("{:>width$} | {}{}", "", " ".repeat(start - 1), "^".repeat(marks)));
        }
    }
    let all = at.end.line - at.start.line + 1;
    if all > LINES && at.excerpt.len() > LINES {
        lines.push(format!("{:>width$} | and {} more lines", "", all - LINES));
    }
    lines
}

/// The findings of one place, those that one rule has of one severity together.
fn alike<'f>(place: &[&'f Found]) -> Vec<(&'f Found, Vec<&'f Found>)> {
    let mut groups: Vec<(&Found, Vec<&Found>)> = Vec::new();
    for found in place {
        let same = |(first, _): &&mut (&Found, Vec<&Found>)| {
            first.rule == found.rule && first.severity == found.severity && first.accepted == found.accepted
        };
        match groups.iter_mut().find(same) {
            Some((_, others)) => others.push(found),
            None => groups.push((found, Vec::new())),
        }
    }
    groups
}

/// What is said of a finding and of those that are like it.
fn said(found: &Found, others: &[&Found]) -> String {
    let mut text = format!("{}: {}", found.name, found.what);
    for other in others.iter().take(ALIKE - 1).filter(|other| other.what != found.what) {
        text.push_str(&format!("; {}", other.what));
    }
    if others.len() >= ALIKE {
        text.push_str(&format!("; and {} more like it", others.len() - (ALIKE - 1)));
    }
    if let Some(softened) = found.softened {
        text.push_str(&format!(" ({softened})"));
    }
    if let Some(note) = &found.accepted {
        text.push_str(&format!(
            " (accepted by {} until {}. What changes: {} Why: {} Data: {} Downtime: {} For operators: {})",
            note.by, note.until, note.changes, note.why, note.data, note.downtime, note.operator
        ));
    }
    let grave: Vec<&str> = found
        .severities
        .iter()
        .filter(|(_, severity)| **severity == found.severity)
        .map(|(server, _)| server.name())
        .collect();
    if grave.len() < found.severities.len() {
        let rest = found.severities.iter().filter(|(_, severity)| **severity != found.severity);
        let rest: Vec<String> =
            rest.map(|(server, severity)| format!("{} on {}", severity.word(), server.name())).collect();
        text.push_str(&format!(" [on {}; {}]", grave.join(", "), rest.join(", ")));
    }
    text
}

/// What an operator should know of the changes of a range that are wanted: each note once.
fn notes(report: &Report, paper: Paper, verbose: bool) -> Vec<String> {
    let mut told: Vec<(&Found, &Accepted, Vec<&str>)> = Vec::new();
    for found in report.findings.iter().filter(|found| found.at.series.is_some()) {
        let Some(note) = &found.accepted else { continue };
        match told.iter_mut().find(|(first, other, _)| *other == note && first.at.revision == found.at.revision) {
            Some((_, _, rules)) if rules.contains(&found.rule) => {}
            Some((_, _, rules)) => rules.push(found.rule),
            None => told.push((found, note, vec![found.rule])),
        }
    }
    if told.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["What is wanted, and what the notes on it say:".to_owned(), String::new()];
    for (found, note, rules) in told {
        let at = &found.at;
        let of = [
            at.series.as_ref().map(ToString::to_string),
            at.service.as_ref().map(ToString::to_string),
            at.revision.clone(),
        ];
        let of: Vec<String> = of.into_iter().flatten().collect();
        lines.push(clean(&format!("{}  ({})", of.join(" "), rules.join(", "))));
        let answers = [
            ("changes", &note.changes, true),
            ("why", &note.why, verbose),
            ("data", &note.data, verbose),
            ("downtime", &note.downtime, true),
            ("do", &note.operator, true),
        ];
        for (word, text, _) in answers.into_iter().filter(|(_, _, shown)| *shown) {
            lines.extend(paper.hang(&format!("  {word:<8}  "), &clean(text)));
        }
    }
    lines.push(String::new());
    lines
}

/// The tables that take longest, as the databases are now.
fn weights(heavy: &[Heavy], paper: Paper) -> Vec<String> {
    if heavy.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["What takes as long as a table is large, the largest first:".to_owned()];
    for one in heavy {
        let size = one.bytes.map(|size| format!(", {}", bytes(size))).unwrap_or_default();
        lines.push(clean(&format!("  {} {}: {} rows{size}", one.database, one.table, one.rows)));
        let mut told: Vec<(String, usize)> = Vec::new();
        for pass in &one.done {
            let costs: Vec<String> =
                pass.costs.iter().map(|(server, words)| format!("{} on {}", words, server.name())).collect();
            let series = pass.series.as_ref().map(|series| format!("{series} ")).unwrap_or_default();
            let text = format!("{series}{} it: {}", pass.does, costs.join("; "));
            match told.last_mut() {
                Some((last, times)) if *last == text => *times += 1,
                _ => told.push((text, 1)),
            }
        }
        for (text, times) in told {
            let times = if times == 1 { String::new() } else { format!(" ({times} times)") };
            lines.extend(paper.hang("    ", &format!("{text}{times}")));
        }
    }
    lines.push(String::new());
    lines
}

/// How many there are.
fn counts(report: &Report, verbose: bool) -> String {
    let plural = |number: usize, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    let servers: Vec<String> =
        report.servers.iter().map(|against| format!("{} {}", against.server.name(), against.version)).collect();
    let accepted = if report.accepted == 0 { String::new() } else { format!(", {} accepted", report.accepted) };
    let hidden = if verbose || report.information + report.accepted == 0 { "" } else { " (shown with --verbose)" };
    format!(
        "{}, {} for {}: {}, {}, {} information{accepted}{hidden}",
        plural(report.scripts, "script", "scripts"),
        plural(report.operations.len(), "operation", "operations"),
        servers.join(" and "),
        plural(report.errors, "error", "errors"),
        plural(report.warnings, "warning", "warnings"),
        report.information,
    )
}
