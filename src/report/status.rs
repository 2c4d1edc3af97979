//! A run as it stands at this moment, from its files alone: `leapfrog status` and `leapfrog runs`.

use std::sync::Arc;

use jiff::Timestamp;

use crate::journal::{Outcome, Record};
use crate::plan::Plan;

use super::account::Account;
use super::block::{self, Paper};
use super::frame::{lane_rows, outcome_mark};
use super::lane_line::lane_lines;
use super::look::{Ink, Mark};
use super::summary::{About, closing, troubles};
use super::text::{clock, count, left, right, seconds_between, stamp, took, width};
use super::view::View;

/// Whether a process works on the run: whether it holds the run's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// It does.
    Works,
    /// None does.
    Gone,
}

/// What is done, what runs, what failed and why, and what to do next.
pub fn status(about: &About<'_>, process: Process, now: Timestamp, paper: Paper) -> String {
    let mut view = View::of(Arc::new(about.plan.clone()), about.records);
    if process == Process::Gone {
        view = view.closed();
    }
    let account = view.account();
    let (Some(opening), Some(sitting)) = (account.opening(), account.sittings().last()) else {
        return "Nothing was recorded yet.\n".to_owned();
    };
    let works = account.works();
    let then = if works { now } else { sitting.last };
    let path = block::path(account, paper.look);
    let mut lines = paper.hang("", &format!("run {} of {}: {path}", opening.run, about.plan.cloud));
    let place = format!("on {} (process {}), {}", sitting.host, sitting.pid, opening.runner);
    let (mark, state) = state(account);
    let state = paper.look.ink(mark.ink(), &format!("{} {state}", paper.look.mark(mark)));
    let since = if works { "for" } else { "after" };
    lines.push(format!("{state} {since} {}", took(account.run_seconds(then))));
    lines.extend(paper.hang("  ", &place));
    lines.extend(paper.hang("  ", &heard(account, now)));
    lines.push(String::new());
    for hop in 0..about.plan.hops.len() {
        if account.hop_is_done(hop) {
            lines.push(block::hop_done(account, hop, then, paper));
            continue;
        }
        let series = account.hop(hop).series.as_str();
        if !account.hop_began(hop) {
            let mark = paper.look.mark(Mark::Waiting);
            lines.push(paper.look.ink(Ink::Dim, &format!("{mark} {series}  not begun")));
            continue;
        }
        let mark = if works { Mark::Running } else { mark };
        let time = clock(account.hop_seconds(hop, then));
        let mark = paper.look.ink(mark.ink(), paper.look.mark(mark));
        lines.push(format!("{mark} {}  {time}", paper.look.ink(Ink::Bold, series)));
        let rows = lane_rows(&view, hop, paper.look, then);
        let columns = paper.columns.saturating_sub(2);
        let lanes = lane_lines(rows, paper.look, columns, usize::MAX);
        lines.extend(lanes.iter().map(|line| format!("  {}", line.render(paper.look, columns))));
    }
    lines.push(String::new());
    if works {
        lines.push(paper.label(0, "files", about.directory.as_str()));
    } else {
        lines.extend(troubles(account, about, paper));
        lines.extend(closing(account, about, paper));
    }
    paper.text(&lines)
}

fn state(account: &Account) -> (Mark, &'static str) {
    match account.outcome() {
        Some(outcome) => (outcome_mark(outcome), block::verb(outcome)),
        None if account.works() => (Mark::Running, "running"),
        None => (Mark::Odd, "cut off"),
    }
}

/// When the run was last heard of.
fn heard(account: &Account, now: Timestamp) -> String {
    let Some(last) = account.last_time() else { return String::new() };
    format!("last record {} ({} ago)", stamp(last), clock(seconds_between(last, now)))
}

/// A run in a list of runs.
#[derive(Debug, Clone)]
pub struct RunEntry {
    /// What was to be done.
    pub plan: Plan,
    /// What was recorded.
    pub records: Vec<Record>,
    /// Whether a process works on it.
    pub process: Process,
}

/// The runs as a table, in the order given.
pub fn runs(entries: &[RunEntry], now: Timestamp, paper: Paper) -> String {
    if entries.is_empty() {
        return "No runs yet.\n".to_owned();
    }
    /// From this column on there are numbers.
    const NUMBERS: usize = 4;
    let rows: Vec<[(Option<Mark>, String); 6]> = entries.iter().map(|entry| run_cells(entry, now, paper)).collect();
    let titles = ["run", "cloud", "path", "state", "time", "rows"];
    let widest = |column: usize| {
        let cells = rows.iter().map(|row| width(&row[column].1));
        cells.chain([width(titles[column])]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..titles.len()).map(widest).collect();
    let titles = titles.iter().zip(&widths).enumerate();
    let titles = titles
        .map(|(place, (title, columns))| if place >= NUMBERS { right(title, *columns) } else { left(title, *columns) });
    let title = titles.collect::<Vec<_>>().join("  ");
    let mut lines = vec![paper.look.ink(Ink::Dim, title.trim_end())];
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(place, ((mark, text), columns))| {
            let text = if place >= NUMBERS { right(text, *columns) } else { left(text, *columns) };
            mark.map_or(text.clone(), |mark| paper.look.ink(mark.ink(), &text))
        });
        lines.push(cells.collect::<Vec<_>>().join("  ").trim_end().to_owned());
    }
    paper.text(&lines)
}

fn run_cells(entry: &RunEntry, now: Timestamp, paper: Paper) -> [(Option<Mark>, String); 6] {
    let mut account = Account::of(&entry.plan, &entry.records);
    if entry.process == Process::Gone {
        account = account.closed();
    }
    let (mark, mut word) = {
        let (mark, word) = state(&account);
        (mark, word.to_owned())
    };
    let current = (0..entry.plan.hops.len()).find(|hop| !account.hop_is_done(*hop));
    if let Some(hop) = current
        && account.outcome() != Some(Outcome::Done)
    {
        word.push_str(&format!(" in {}", account.hop(hop).series));
    }
    let then = if account.works() { now } else { account.last_time().unwrap_or(now) };
    let rows = (0..entry.plan.hops.len()).filter_map(|hop| account.hop_rows(hop)).fold(0u64, u64::saturating_add);
    [
        (None, account.opening().map_or_else(|| "-".to_owned(), |opening| opening.run.to_string())),
        (None, entry.plan.cloud.clone()),
        (None, block::path(&account, paper.look)),
        (Some(mark), format!("{} {word}", paper.look.mark(mark))),
        (None, clock(account.run_seconds(then))),
        (None, count(rows)),
    ]
}
