//! What was run on copies without rows, for people.

use crate::lint::{Ran, Report};
use crate::report::{Paper, clean};

/// How much of a statement is shown.
const SHOWN: usize = 90;

/// The changes of tables that were there, revision by revision, with what the server took for each; if `verbose`, those of
/// new tables, too, and what was read of them.
pub(super) fn lines(report: &Report, paper: Paper, verbose: bool) -> Vec<String> {
    if report.executed.is_empty() {
        return Vec::new();
    }
    let told = |ran: &&Ran| verbose || ran.failed.is_some() || ran.was_there && !ran.measured.is_empty();
    let mut lines = vec!["What was run on copies without rows, and what your servers take for it:".to_owned()];
    let mut last = None;
    let mut shown = 0;
    for ran in report.executed.iter().filter(told) {
        let head = (&ran.series, &ran.database, &ran.revision);
        if last != Some(head) {
            let revision = ran.revision.as_deref().unwrap_or("(no revision)");
            lines.push(clean(&format!("  {} {} {revision}", ran.series, ran.database)));
            last = Some(head);
        }
        let measured = if ran.measured.is_empty() { "-" } else { &ran.measured };
        let read = match &ran.read {
            Some(read) if verbose => format!(" (read as: {read})"),
            _ => String::new(),
        };
        let text: String = ran.statement.chars().take(SHOWN).collect();
        let more = if ran.statement.chars().count() > SHOWN { "…" } else { "" };
        lines.extend(paper.hang("    ", &clean(&format!("{text}{more}"))));
        lines.extend(paper.hang("      ", &clean(&format!("{measured}{read}"))));
        shown += 1;
    }
    let rest = report.executed.len() - shown;
    if rest > 0 {
        lines.push(format!("  and {rest} changes that touch no table that was there (shown with --verbose)"));
    }
    lines.push(String::new());
    lines
}
