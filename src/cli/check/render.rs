//! The report as a table, in the style of `leapfrog doctor`.

use super::Report;
use crate::plan::preconditions::{Checked, Condition};
use crate::report::Paper;

/// How many rows the table shows.
const ROWS: usize = 5;
/// How wide a value may be there.
const VALUE: usize = 60;

/// The table: state, database, what was found; with what is not in order, and with everything if `verbose`, the query.
pub(super) fn render(report: &Report, paper: Paper, verbose: bool) -> String {
    let lines = folded(&report.checks, verbose);
    let widest = lines.iter().map(|checked| subject(checked).chars().count()).max().unwrap_or(0);
    let mut text = Vec::new();
    for checked in &lines {
        let state = match checked.state {
            Condition::Ok => "ok",
            Condition::Later => "later",
            Condition::Warning => "warning",
            Condition::Failure => "FAILURE",
        };
        let lead = format!("{state:<7}  {:<widest$}  ", subject(checked));
        let about = match &checked.before {
            Some(series) => format!("{}, before {series}: {}", checked.about, checked.what),
            None => format!("{}: {}", checked.about, checked.what),
        };
        text.extend(paper.hang(&lead, &about));
        let mut more = |word: &str, words: &str| {
            text.extend(paper.hang(&format!("{:<7}  {:<widest$}  {word:<6}", "", ""), words));
        };
        let wrong = matches!(checked.state, Condition::Warning | Condition::Failure);
        if let Some(means) = &checked.means {
            more("means", means);
        }
        if let Some(query) = checked.query.as_ref().filter(|_| verbose || (wrong && checked.show.is_none())) {
            more("asked", query);
        }
        if let Some(show) = checked.show.as_ref().filter(|_| verbose || wrong) {
            more("query", show);
        }
        if wrong || verbose {
            for row in checked.shown.iter().take(ROWS) {
                more("row", &told(row));
            }
            let rest = checked.rows.unwrap_or_default().saturating_sub(checked.shown.len().min(ROWS) as u64);
            if rest > 0 && !checked.shown.is_empty() {
                more("", &format!("and {rest} more"));
            }
        }
        if let Some(next) = &checked.next {
            more("next", next);
        }
        if let Some(source) = checked.source.as_ref().filter(|_| verbose) {
            more("source", source);
        }
    }
    let plural = |number: usize, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
    let (warnings, failures) = (plural(report.warnings, "warning"), plural(report.failures, "failure"));
    let way = match (&report.from, &report.to) {
        (Some(from), Some(to)) => format!("{}: {from} → {to}", report.cloud),
        _ => {
            format!("{}: where the databases stand is unclear, so no release's preconditions were asked", report.cloud)
        }
    };
    format!("{way}\n\n{}\n\n{} ok, {} later, {warnings}, {failures}\n", text.join("\n"), report.ok, report.later)
}

fn subject(checked: &Checked) -> &str {
    &checked.check
}

/// What is in order in the same words about several databases is one line, unless everything is to be seen.
fn folded(checks: &[Checked], verbose: bool) -> Vec<Checked> {
    let mut lines: Vec<Checked> = Vec::new();
    for checked in checks {
        let same = lines.iter_mut().find(|line| {
            !verbose
                && checked.state == Condition::Ok
                && line.state == Condition::Ok
                && (&line.check, &line.what, &line.before) == (&checked.check, &checked.what, &checked.before)
        });
        match same {
            Some(line) => line.about = format!("{}, {}", line.about, checked.about),
            None => lines.push(checked.clone()),
        }
    }
    lines
}

/// A row in a line.
fn told(row: &[Option<String>]) -> String {
    let values = row.iter().map(|value| match value {
        None => "NULL".to_owned(),
        Some(text) => {
            let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            if plain.chars().count() > VALUE { plain.chars().take(VALUE).collect::<String>() + "…" } else { plain }
        }
    });
    values.collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_whatever_a_tenant_wrote_into_it() {
        let row = [None, Some("a\nb\u{1b}[31m".to_owned()), Some("x".repeat(100))];
        let line = told(&row);
        assert_eq!(line, format!("NULL | a b [31m | {}…", "x".repeat(60)));
    }
}
