//! Downloads as a frame shows them: before a run its only lines, then beside the lanes.

use jiff::Timestamp;

use super::frame::Size;
use super::line::Line;
use super::look::{Ink, Look, Mark};
use super::text::{bytes, clock, count, cut, left, seconds_between, width};
use super::view::{Pull, View};
use crate::model::ImageReference;

/// The widest an image's name is shown.
const NAME: usize = 36;

/// The frame while images are brought here and no run is open; nothing if none are.
pub(super) fn before_the_run(view: &View, look: Look, size: Size, now: Timestamp) -> Vec<Line> {
    let pulls: Vec<(String, Pull)> = view.pulls().map(|(image, pull)| (short(image, look), *pull)).collect();
    if pulls.is_empty() && view.ready() == 0 {
        return Vec::new();
    }
    let clock = clock(view.seconds(now));
    let head = Line::new().ink(Ink::Bold, format!("{}s", view.noun())).plain(format!("  {} here", count(view.ready())));
    let gap = size.columns.saturating_sub(head.width() + clock.len()).max(1);
    let mut lines = vec![Line::new().plain(" "), head.plain(" ".repeat(gap)).ink(Ink::Bold, clock)];
    let room = size.rows.saturating_sub(lines.len() + 1).max(1);
    let widest = pulls.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let shown = if pulls.len() > room { room - 1 } else { pulls.len() };
    for (name, pull) in &pulls[..shown] {
        let mark = Mark::Pulling;
        let start = Line::new().plain(" ").ink(mark.ink(), look.mark(mark)).plain(format!(" {}  ", left(name, widest)));
        lines.push(pull_text(*pull, look, now).after(start));
    }
    if shown < pulls.len() {
        lines.push(Line::new().ink(Ink::Dim, format!("   and {} more", pulls.len() - shown)));
    }
    lines
}

/// What tells an image from the others: its name and tag without registry and path.
fn short(image: &ImageReference, look: Look) -> String {
    let text = image.to_string();
    let name = text.strip_prefix("local/").unwrap_or_else(|| text.rsplit('/').next().unwrap_or(&text));
    cut(name, NAME, look.ellipsis())
}

/// Downloads for lanes that are not shown, in one line.
pub(super) fn beside(view: &View, hop: usize, look: Look, now: Timestamp) -> Option<Line> {
    let pulls = view.pulls_beside(hop);
    let (first, rest) = pulls.split_first()?;
    let all = rest.iter().fold(first.1, |sum, (_, pull)| Pull {
        since: sum.since.min(pull.since),
        done: sum.done.saturating_add(pull.done),
        // One unknown total makes the sum unknown.
        total: if sum.total == 0 || pull.total == 0 { 0 } else { sum.total.saturating_add(pull.total) },
    });
    let what = match pulls.len() {
        1 => short(first.0, look),
        images => format!("{images} {}s", first.0.noun()),
    };
    let mark = Mark::Pulling;
    let line = Line::new()
        .plain(" ")
        .ink(mark.ink(), look.mark(mark))
        .plain(format!(" ahead: {} {what}  ", first.0.bringing()));
    Some(pull_text(all, look, now).after(line))
}

/// How far a download is: a bar where the engine says how much there is, else a turning mark.
pub(super) fn pull_text(pull: Pull, look: Look, now: Timestamp) -> Line {
    const COLUMNS: u64 = 16;
    let seconds = seconds_between(pull.since, now);
    if pull.total == 0 {
        let turning = if look.unicode { ["◐", "◓", "◑", "◒"] } else { ["|", "/", "-", "\\"] };
        let place = (now.as_millisecond() / 500).rem_euclid(4) as usize;
        let done = if pull.done == 0 { String::new() } else { format!("  {}", bytes(pull.done)) };
        return Line::new().ink(Ink::Busy, turning[place]).plain(done).ink(Ink::Dim, format!("  {}", clock(seconds)));
    }
    let done = pull.done.min(pull.total);
    let full = (u128::from(done) * u128::from(COLUMNS) / u128::from(pull.total)) as usize;
    let (on, off) = if look.unicode { ("━", "─") } else { ("#", "-") };
    Line::new()
        .ink(Ink::Busy, on.repeat(full))
        .ink(Ink::Dim, off.repeat(COLUMNS as usize - full))
        .plain(format!("  {} of {}", bytes(done), bytes(pull.total)))
        .ink(Ink::Dim, format!("  {}", clock(seconds)))
}
