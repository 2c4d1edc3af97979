//! The part of a terminal that changes: a pure function of the view, the size and the time.
//!
//! ```text
//! 2023.1 ✓  2023.2 ▸  2024.1 ·  2024.2 ·                       37 of 164 steps  12m52s
//!  ✓ keystone   done                                1m12s
//!  ▸ nova       migrate  3/5 online-data@cell1      4m03s  1,204,350 rows  5,120/s
//!  ↓ placement  pulling ━━━━━━━━────────  120 of 480 MiB
//!  · heat       waiting
//! ```
//!
//! The first line is empty: it sets the frame apart from what stands above, and it is what is left
//! behind when somebody presses Enter to see whether the terminal is alive. Columns agree over all
//! lanes; where the terminal is too narrow for all of them, the least telling ones go first, in all
//! lanes alike. Where it is too low, lanes of a kind share a line. Nothing ever wraps.

use jiff::Timestamp;

use crate::journal::Outcome;

use super::lane_line::{LaneRow, lane_lines};
use super::line::Line;
use super::look::{Ink, Look, Mark};
use super::pulls::{before_the_run, beside};
use super::text::{clock, count};
use super::view::{Shown, View};

/// The room for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// The lines of the frame; none once there is nothing left to watch.
pub(super) fn frame(view: &View, look: Look, size: Size, now: Timestamp) -> Vec<String> {
    // The last column stays free: some terminals wrap when it is written.
    let columns = size.columns.saturating_sub(1).max(10);
    let lines = if view.is_open() {
        run(view, look, Size { columns, ..size }, now)
    } else {
        before_the_run(view, look, Size { columns, ..size }, now)
    };
    // A line without any text would not be drawn at all.
    let rendered = lines.iter().map(|line| line.render(look, columns));
    rendered.map(|line| if line.is_empty() { " ".to_owned() } else { line }).take(size.rows.max(1)).collect()
}

fn run(view: &View, look: Look, size: Size, now: Timestamp) -> Vec<Line> {
    let (account, columns) = (view.account(), size.columns);
    let Some(hop) = view.shown_hop().filter(|_| account.outcome().is_none()) else { return Vec::new() };
    let mut lines = vec![Line::new().plain(" "), head(view, hop, look, columns, now)];
    let rows = lane_rows(view, hop, look, now);
    let beside = beside(view, hop, look, now);
    let room = size.rows.saturating_sub(lines.len() + usize::from(beside.is_some()) + 1).max(1);
    lines.extend(lane_lines(rows, look, columns, room));
    lines.extend(beside);
    lines
}

/// What the lanes of a hop show: a line each, and one more for each step that runs beside the first.
pub(super) fn lane_rows(view: &View, hop: usize, look: Look, now: Timestamp) -> Vec<LaneRow> {
    let mut rows = Vec::new();
    for (lane, shown) in view.lanes(hop, now).into_iter().enumerate() {
        rows.push(LaneRow::new(view.account().lane(hop, lane).service.as_str(), shown, look, now));
        rows.extend(view.beside(hop, lane, now).into_iter().map(|shown| LaneRow::new("", shown, look, now)));
    }
    rows
}

fn head(view: &View, hop: usize, look: Look, columns: usize, now: Timestamp) -> Line {
    let mut clock = clock(view.seconds(now));
    if view.is_stopping() {
        clock = format!("stopping  {clock}");
    }
    let account = view.account();
    let all = account.lanes().map(|(hop, lane)| account.lane(hop, lane).steps.len()).sum::<usize>();
    let done = account.lanes().map(|(hop, lane)| account.lane_done(hop, lane)).sum::<usize>();
    let steps = format!("{done} of {} steps  ", count(all as u64));
    let ladder = ladder(view, hop, look, columns.saturating_sub(clock.len() + 2));
    let gap = columns.saturating_sub(ladder.width() + clock.len());
    let ink = if view.is_stopping() { Ink::Odd } else { Ink::Bold };
    if gap >= steps.len() + 2 {
        ladder.plain(" ".repeat(gap - steps.len())).ink(Ink::Dim, steps).ink(ink, clock)
    } else {
        ladder.plain(" ".repeat(gap.max(1))).ink(ink, clock)
    }
}

/// Every hop with its mark; around the current one where there is no room for all.
fn ladder(view: &View, current: usize, look: Look, columns: usize) -> Line {
    let hops = &view.account().plan().hops;
    let rungs = |from: usize, to: usize| {
        (from..to).fold(Line::new(), |line, hop| {
            let mark = hop_mark(view, hop, current);
            let ink = if hop == current { Ink::Bold } else { Ink::Dim };
            let gap = if hop + 1 == to { "" } else { "  " };
            line.ink(ink, hops[hop].series.as_str()).plain(" ").ink(mark.ink(), look.mark(mark)).plain(gap)
        })
    };
    let all = rungs(0, hops.len());
    if all.width() <= columns {
        return all;
    }
    let around = |to: usize| {
        let mut line = Line::new();
        if current > 0 {
            line = line.ink(Ink::Dim, format!("{current} done "));
            line = line.ink(Ink::Good, look.mark(Mark::Done)).plain("  ");
        }
        let line = rungs(current, to).after(line);
        if to < hops.len() { line.ink(Ink::Dim, format!("  +{}", hops.len() - to)) } else { line }
    };
    let fitting = (current + 1..hops.len()).rev().map(around).find(|line| line.width() <= columns);
    fitting.unwrap_or_else(|| rungs(current, current + 1))
}

fn hop_mark(view: &View, hop: usize, current: usize) -> Mark {
    if view.account().hop_is_done(hop) {
        return Mark::Done;
    }
    if hop != current || !view.account().hop_began(hop) {
        return Mark::Waiting;
    }
    let lanes = 0..view.account().hop(hop).lanes.len();
    let ended = lanes.filter_map(|lane| match view.account().lane_state(hop, lane) {
        super::account::LaneState::Ended(_, outcome) => Some(outcome_mark(outcome)),
        _ => None,
    });
    // The worst of them: failed before stuck before stopped.
    ended.min_by_key(|mark| *mark as u8).unwrap_or(Mark::Running)
}

/// The mark of how something ended.
pub(super) fn outcome_mark(outcome: Outcome) -> Mark {
    match outcome {
        Outcome::Done | Outcome::Skipped => Mark::Done,
        Outcome::Failed => Mark::Failed,
        Outcome::Stuck => Mark::Stuck,
        Outcome::Interrupted => Mark::Stopped,
    }
}

/// Whether two lanes may share a line when there is no room for both.
pub(super) fn kind(shown: &Shown<'_>) -> Option<&'static str> {
    match shown {
        Shown::Done { .. } => Some("done"),
        Shown::Waiting | Shown::ImageElsewhere(_) => Some("waiting"),
        _ => None,
    }
}
