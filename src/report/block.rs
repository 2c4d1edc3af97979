//! Texts that stay: what a run says once, in lines that the terminal keeps.
//!
//! Words are wrapped at the terminal's width with their indent kept. What a command printed is wrapped
//! too; of a very long line, start and end are shown, because the cause stands in either. What is to be
//! copied, a path or a command, is never broken.

use camino::Utf8Path;
use jiff::Timestamp;

use crate::journal::{Failure, Outcome, RecordBody};
use crate::model::{StepId, Verdict};

use super::account::{Account, End};
use super::line::Line;
use super::look::{Ink, Look, Mark};
use super::text::{ascii, clean, counted, left, level_and_gist, listed, time_of_day, took, width, wrap};

/// The most lines of the screen that one line of a command's output takes.
const OUTPUT_LINES: usize = 4;

/// The columns of a field's label.
const LABEL: usize = 9;

/// What a text may look like and how wide it may be.
#[derive(Debug, Clone, Copy)]
pub struct Paper {
    /// Colour and characters.
    pub look: Look,
    /// Display columns in which words are wrapped.
    pub columns: usize,
}

impl Paper {
    /// Lines as one text that ends with a line feed.
    pub(super) fn text(self, lines: &[String]) -> String {
        let text = lines.join("\n") + "\n";
        if self.look.unicode { text } else { ascii(&text) }
    }

    /// `text` with its words wrapped, line by line: under the start of a field's text where a line is a
    /// labelled field, else under the line's own start.
    pub fn fold(self, text: &str) -> String {
        let fold = |line: &str| {
            // One word, such as a path, is not broken: it is to be copied.
            let word = line.split_whitespace().map(width).max().unwrap_or(0);
            if width(line) <= self.columns || word + 2 * LABEL > self.columns {
                return line.to_owned();
            }
            let indent = line.len() - line.trim_start().len();
            let label = line[indent..].find("  ").filter(|_| indent > 0);
            let text = label.map_or(indent, |end| line.len() - line[indent + end..].trim_start().len());
            self.hang(&line[..text], &line[text..]).join("\n")
        };
        let mut folded = text.lines().map(fold).collect::<Vec<_>>().join("\n");
        if text.ends_with('\n') {
            folded.push('\n');
        }
        folded
    }

    /// `text` wrapped behind `first`, later lines under its start; `first` has no ink.
    pub fn hang(self, first: &str, text: &str) -> Vec<String> {
        let indent = width(first);
        let lines = wrap(text, self.columns.saturating_sub(indent));
        let lines = lines.into_iter().enumerate();
        lines
            .map(|(n, line)| if n == 0 { format!("{first}{line}") } else { format!("{}{line}", " ".repeat(indent)) })
            .collect()
    }

    /// `label` in its column, then `text`, wrapped.
    pub(super) fn field(self, indent: usize, label: &str, text: &str) -> Vec<String> {
        let first = " ".repeat(indent + LABEL);
        let mut lines = self.hang(&first, text);
        if let Some(line) = lines.first_mut() {
            *line = self.label(indent, label, &line[first.len()..]);
        }
        lines
    }

    /// `label` in its column, then `text` as it is: something to be copied, such as a path.
    pub(super) fn label(self, indent: usize, label: &str, text: &str) -> String {
        format!("{}{}{text}", " ".repeat(indent), self.look.ink(Ink::Dim, &left(label, LABEL)))
    }
}

/// From where to where a run goes.
pub(super) fn path(account: &Account, look: Look) -> String {
    let plan = account.plan();
    if plan.from == plan.to {
        format!("{} only", plan.to)
    } else {
        format!("{} {} {}", plan.from, look.arrow(), plan.to)
    }
}

/// How a run that begins or goes on is announced.
pub(super) fn opening(account: &Account, body: &RecordBody, paper: Paper) -> Vec<String> {
    let plan = account.plan();
    let Some(opening) = account.opening() else { return Vec::new() };
    let Some(sitting) = account.sittings().last() else { return Vec::new() };
    let mut lines = Vec::new();
    let title = format!("leapfrog {}", opening.leapfrog);
    let rest = format!("  {}  {}", plan.cloud, path(account, paper.look));
    if width(&title) + width(&rest) <= paper.columns {
        lines.push(format!("{}{rest}", paper.look.ink(Ink::Bold, &title)));
    } else {
        lines.extend(wrap(&format!("{title} {rest}"), paper.columns));
    }
    let place = format!("run {} on {} (process {}), {}", opening.run, sitting.host, sitting.pid, opening.runner);
    lines.extend(paper.hang("", &place));
    if matches!(body, RecordBody::RunResumed { .. }) {
        let done = (0..plan.hops.len()).filter(|hop| account.hop_is_done(*hop)).count();
        let all = counted(plan.hops.len() as u64, "release", "releases");
        let text = format!("goes on where it stopped: {done} of {all} done");
        lines.extend(paper.hang("", &text));
    }
    lines
}

/// A hop that is complete, in one line: all of its lanes collapse into it.
pub(super) fn hop_done(account: &Account, hop: usize, now: Timestamp, paper: Paper) -> String {
    let series = account.plan().hops.iter().map(|hop| width(hop.series.as_str())).max().unwrap_or(0);
    let lanes = &account.hop(hop).lanes;
    let steps: usize = lanes.iter().map(|lane| lane.steps.len()).sum();
    let rows = account.hop_rows(hop).map(|rows| counted(rows, "row", "rows"));
    let details = rows
        .into_iter()
        .chain([counted(steps as u64, "step", "steps"), counted(lanes.len() as u64, "service", "services")]);
    let mut line = Line::new()
        .ink(Mark::Done.ink(), paper.look.mark(Mark::Done))
        .plain(" ")
        .ink(Ink::Bold, left(account.hop(hop).series.as_str(), series))
        .plain(format!("  done in {}", left(&took(account.hop_seconds(hop, now)), 8)));
    for detail in details {
        if line.width() + 2 + width(&detail) <= paper.columns {
            line = line.ink(Ink::Dim, format!("  {detail}"));
        }
    }
    line.render(paper.look, paper.columns)
}

/// The word for how a step ended other than well.
pub(super) fn verb(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Skipped => "skipped",
        Outcome::Failed => "failed",
        Outcome::Stuck => "stuck",
        Outcome::Interrupted => "stopped",
    }
}

/// A step that ended other than well: everything that is known and what to do.
pub(super) fn step_ended(step: &StepId, attempt: u32, end: &End, directory: &Utf8Path, paper: Paper) -> Vec<String> {
    let mark = super::frame::outcome_mark(end.outcome);
    let tries = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
    let title = format!(
        "{} {} {} after {}{tries}",
        paper.look.mark(mark),
        format_args!("{} {} {}", step.series, step.service, step.short()),
        verb(end.outcome),
        took(end.seconds)
    );
    let mut lines: Vec<String> =
        wrap(&title, paper.columns).iter().map(|line| paper.look.ink(mark.ink(), line)).collect();
    if let Some(failure) = &end.failure {
        lines.extend(failure_fields(failure, directory, 2, paper));
    }
    lines
}

/// The fields of a failure, indented.
pub(super) fn failure_fields(failure: &Failure, directory: &Utf8Path, indent: usize, paper: Paper) -> Vec<String> {
    let mut lines = paper.field(indent, "what", &clean(&failure.what));
    if let Some(command) = &failure.command {
        lines.push(paper.label(indent, "command", &clean(command)));
    }
    if let Some(exit) = failure.exit
        && !failure.what.contains(&format!("exit code {exit}"))
    {
        lines.push(paper.label(indent, "exit", &exit.to_string()));
    }
    let mut label = "output";
    for line in &failure.last_lines {
        let mut shown = paper.field(indent, label, &level_and_gist(&clean(line)));
        if shown.len() > OUTPUT_LINES {
            // The head says where it comes from, the tail what it is about.
            let tail = shown.split_off(shown.len() - OUTPUT_LINES / 2);
            shown.truncate(OUTPUT_LINES / 2 - 1);
            shown.push(format!("{}{}", " ".repeat(indent + LABEL), paper.look.ellipsis()));
            shown.extend(tail);
        }
        lines.extend(shown);
        label = "";
    }
    for query in failure.migration.iter().flat_map(|migration| &migration.queries) {
        lines.push(paper.label(indent, "rows", &clean(query)));
    }
    if let Some(log) = &failure.log {
        lines.push(paper.label(indent, "log", directory.join(log).as_str()));
    }
    lines.extend(paper.field(indent, "next", &clean(&failure.advice)));
    lines
}

/// Something the operator should read, with the time of day.
pub(super) fn notice(mark: Mark, text: &str, now: Timestamp, paper: Paper) -> Vec<String> {
    let first = format!("{} {}  ", paper.look.mark(mark), time_of_day(now));
    let mut lines = paper.hang(&first, &clean(text));
    if mark != Mark::Notice {
        lines = lines.iter().map(|line| paper.look.ink(mark.ink(), line)).collect();
    }
    lines
}

/// What a step said with a warning, where one of its exits is one.
pub(super) fn warning(step: &StepId, end: &End) -> Option<String> {
    let about = format!("{} {} {}", step.series, step.service, step.short());
    if end.evidence.iter().any(|piece| matches!(piece, crate::journal::Evidence::Check { .. })) {
        // Their exit code is the gravest result, allowed ones among them.
        let unread = super::evidence::to_read(&end.evidence);
        return (!unread.is_empty()).then(|| format!("{about}: {}", unread.join("; ")));
    }
    let codes: Vec<String> = end
        .evidence
        .iter()
        .filter_map(|evidence| match evidence {
            crate::journal::Evidence::Exit { code, verdict: Verdict::Warning } => Some(code.to_string()),
            _ => None,
        })
        .collect();
    (!codes.is_empty()).then(|| format!("{about} is done with a warning (exit {}): read its log", listed(&codes)))
}
