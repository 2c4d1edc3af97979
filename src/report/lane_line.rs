//! The lines of the lanes in a frame: columns that agree, and what goes when there is no room.

use jiff::Timestamp;

use crate::journal::Outcome;

use super::frame::{kind, outcome_mark};
use super::line::Line;
use super::look::{Ink, Look, Mark};
use super::pulls::pull_text;
use super::text::{clock, count, cut, left, rate, right, took, width};
use super::view::{Running, Shown};

/// Silence that is worth a word, in seconds.
const QUIET: f64 = 60.0;

/// The narrowest room in which a line of output says something.
const NOTE: usize = 16;

/// What one lane shows, before columns are decided.
#[derive(Debug, Clone)]
pub(super) struct LaneRow {
    service: String,
    mark: Mark,
    what: What,
    time: String,
    rows: String,
    rate: String,
    note: String,
    /// Lanes of one kind may share a line.
    kind: Option<&'static str>,
}

#[derive(Debug, Clone)]
enum What {
    /// A step that runs.
    Step {
        phase: String,
        counter: String,
        name: String,
        /// `@` and the database that the step is taken for.
        target: String,
    },
    /// Words.
    Words(String),
    /// Something that takes the rest of the line.
    Wide(Line),
}

/// Which columns there is room for.
#[derive(Debug, Clone, Copy)]
struct Columns {
    phase: bool,
    counter: bool,
    /// The most columns for a step's name.
    name: usize,
    rows: bool,
    rate: bool,
}

/// From the richest to the barest; before columns go, names of steps get shorter.
const LAYOUTS: [Columns; 5] = [
    Columns { phase: true, counter: true, name: 16, rows: true, rate: true },
    Columns { phase: false, counter: true, name: 16, rows: true, rate: true },
    Columns { phase: false, counter: false, name: 14, rows: true, rate: true },
    Columns { phase: false, counter: false, name: 14, rows: true, rate: false },
    Columns { phase: false, counter: false, name: 10, rows: false, rate: false },
];

/// The widest a step's name is shown.
const NAME: usize = 40;

impl LaneRow {
    pub(super) fn new(service: &str, shown: Shown<'_>, look: Look, now: Timestamp) -> Self {
        let words = |mark: Mark, text: String| Self {
            service: service.to_owned(),
            mark,
            what: What::Words(text),
            time: String::new(),
            rows: String::new(),
            rate: String::new(),
            note: String::new(),
            kind: kind(&shown),
        };
        match &shown {
            Shown::Waiting => words(Mark::Waiting, "waiting".to_owned()),
            Shown::NotBegun => words(Mark::Waiting, "not begun".to_owned()),
            Shown::Stopped { step, number, of } => {
                words(Mark::Stopped, format!("stopped before {} ({number}/{of})", step.id.short()))
            }
            Shown::ImageElsewhere(noun) => words(Mark::Waiting, format!("waiting for its {noun}")),
            Shown::Between { done, of } => words(Mark::Running, format!("{done} of {of} steps done")),
            Shown::Pulling(pull, bringing) => {
                let line = pull_text(*pull, look, now).after(Line::new().plain(format!("{bringing} ")));
                Self { what: What::Wide(line), ..words(Mark::Pulling, String::new()) }
            }
            Shown::Done { seconds, rows } => Self {
                time: took(*seconds),
                rows: rows.filter(|rows| *rows > 0).map(count).unwrap_or_default(),
                ..words(Mark::Done, "done".to_owned())
            },
            Shown::Ended { step, number, of, outcome } => {
                let word = match outcome {
                    Outcome::Done | Outcome::Skipped => "done",
                    Outcome::Failed => "failed",
                    Outcome::Stuck => "stuck",
                    Outcome::Interrupted => "stopped",
                };
                words(outcome_mark(*outcome), format!("{word} at {} ({number}/{of})", step.id.short()))
            }
            Shown::OutOfSight { step, number, of } => {
                words(Mark::Odd, format!("cut off in {} ({number}/{of})", step.id.short()))
            }
            Shown::Running(running) => Self { kind: None, ..Self::running(service, running) },
        }
    }

    fn running(service: &str, running: &Running<'_>) -> Self {
        let note = if running.quiet >= QUIET {
            format!("quiet for {}", clock(running.quiet))
        } else {
            running.line.unwrap_or_default().to_owned()
        };
        Self {
            service: service.to_owned(),
            mark: Mark::Running,
            what: What::Step {
                phase: running.step.phase.to_string(),
                counter: format!("{}/{}", running.number, running.of),
                name: running.step.id.name.to_string(),
                target: running.step.id.target.as_ref().map(|target| format!("@{target}")).unwrap_or_default(),
            },
            time: clock(running.seconds),
            rows: match (running.rows, running.total) {
                (Some(rows), Some(total)) => format!("{}/{}", count(rows), count(total)),
                (Some(rows), None) => count(rows),
                (None, _) => String::new(),
            },
            rate: match (running.rate, running.remaining()) {
                (Some(rows), Some(left)) => format!("{}, {} left", rate(rows), clock(left)),
                (Some(rows), None) => rate(rows),
                (None, _) => String::new(),
            },
            note,
            kind: None,
        }
    }

    fn what(&self, columns: Columns, counters: usize, look: Look) -> String {
        match &self.what {
            What::Wide(_) => String::new(),
            What::Words(text) => text.clone(),
            What::Step { phase, counter, name, target } => {
                let mut text = String::new();
                if columns.phase {
                    text.push_str(&left(phase, 9));
                }
                if columns.counter {
                    text.push_str(&right(counter, counters));
                    text.push(' ');
                }
                text.push_str(&step_name(name, target, columns.name, look));
                text
            }
        }
    }
}

/// The lines of the lanes, at most `room` of them, `columns` wide.
pub(super) fn lane_lines(mut rows: Vec<LaneRow>, look: Look, columns: usize, room: usize) -> Vec<Line> {
    let mut shared = Vec::new();
    for kind in ["done", "waiting"] {
        let alike = rows.iter().filter(|row| row.kind == Some(kind)).count();
        if rows.len() + shared.len() > room && alike > 1 {
            let names: Vec<&str> =
                rows.iter().filter(|row| row.kind == Some(kind)).map(|row| row.service.as_str()).collect();
            let mark = if kind == "done" { Mark::Done } else { Mark::Waiting };
            let text = format!(" {kind}: {}", names.join(", "));
            shared.push((mark, text));
            rows.retain(|row| row.kind != Some(kind));
        }
    }
    let layout = layout(&rows, look, columns);
    let widths = Widths::new(&rows, layout, look);
    let mut lines: Vec<Line> = rows.iter().map(|row| lane_line(row, &widths, look, columns)).collect();
    let shared = shared
        .into_iter()
        .map(|(mark, text)| Line::new().plain(" ").ink(mark.ink(), look.mark(mark)).ink(Ink::Dim, text));
    lines.extend(shared);
    if lines.len() > room {
        let hidden = lines.len() - room.saturating_sub(1);
        lines.truncate(room.saturating_sub(1));
        lines.push(Line::new().ink(Ink::Dim, format!("   and {hidden} more")));
    }
    lines
}

/// The richest layout that all lanes fit into.
fn layout(rows: &[LaneRow], look: Look, columns: usize) -> Columns {
    let fits = |layout: &Columns| {
        let widths = Widths::new(rows, *layout, look);
        rows.iter().all(|row| widths.total(row) <= columns)
    };
    let layouts = LAYOUTS.iter().flat_map(|least| (least.name..=NAME).rev().map(|name| Columns { name, ..*least }));
    layouts.into_iter().find(fits).unwrap_or(LAYOUTS[LAYOUTS.len() - 1])
}

/// A step's name in at most `columns`; what tells it from its twins is kept longest.
fn step_name(name: &str, target: &str, columns: usize, look: Look) -> String {
    let rest = columns.saturating_sub(width(target)).max(4);
    cut(&format!("{}{target}", cut(name, rest, look.ellipsis())), columns, look.ellipsis())
}

struct Widths {
    layout: Columns,
    service: usize,
    counter: usize,
    what: usize,
    time: usize,
    rows: usize,
    rate: usize,
}

impl Widths {
    fn new(rows: &[LaneRow], layout: Columns, look: Look) -> Self {
        let widest = |cell: &dyn Fn(&LaneRow) -> usize| rows.iter().map(cell).max().unwrap_or(0);
        let counter = widest(&|row| match &row.what {
            What::Step { counter, .. } => width(counter),
            _ => 0,
        });
        let table = |row: &LaneRow| !row.time.is_empty();
        Self {
            layout,
            service: widest(&|row| width(&row.service)),
            counter,
            // Words without a time after them need no column.
            what: widest(&|row| if table(row) { width(&row.what(layout, counter, look)) } else { 0 }),
            time: widest(&|row| width(&row.time)),
            rows: if layout.rows { widest(&|row| width(&row.rows)) } else { 0 },
            rate: if layout.rate { widest(&|row| width(&row.rate)) } else { 0 },
        }
    }

    /// The columns that a row needs, without its note.
    fn total(&self, row: &LaneRow) -> usize {
        let start = 3 + self.service + 2;
        if row.time.is_empty() {
            // Words and downloads are cut at the end, where their least telling part stands.
            return start;
        }
        let rows = if row.rows.is_empty() || self.rows == 0 { 0 } else { 2 + self.rows + " rows".len() };
        let rate = if row.rate.is_empty() || self.rate == 0 { 0 } else { 2 + self.rate };
        start + self.what + 2 + self.time + rows + rate
    }
}

fn lane_line(row: &LaneRow, widths: &Widths, look: Look, columns: usize) -> Line {
    let quiet = matches!(row.mark, Mark::Done | Mark::Waiting);
    let start = Line::new().plain(" ").ink(row.mark.ink(), look.mark(row.mark)).plain(" ");
    let service = left(&row.service, widths.service + 2);
    let start = if quiet { start.ink(Ink::Dim, service) } else { start.ink(Ink::Bold, service) };
    let what = row.what(widths.layout, widths.counter, look);
    let ink = if quiet { Ink::Dim } else { row.mark.ink() };
    let mut line = match &row.what {
        What::Wide(line) => return line.clone().after(start),
        What::Words(_) if row.time.is_empty() => return start.ink(ink, what),
        What::Words(_) => start.ink(ink, left(&what, widths.what)),
        What::Step { .. } => start.plain(left(&what, widths.what)),
    };
    let time = format!("  {}", right(&row.time, widths.time));
    line = if quiet { line.ink(Ink::Dim, time) } else { line.plain(time) };
    if widths.rows > 0 && !row.rows.is_empty() {
        let rows = format!("  {} rows", right(&row.rows, widths.rows));
        line = if quiet { line.ink(Ink::Dim, rows) } else { line.plain(rows) };
        if widths.rate > 0 && !row.rate.is_empty() {
            line = line.ink(Ink::Dim, format!("  {}", right(&row.rate, widths.rate)));
        }
    }
    let left_over = columns.saturating_sub(line.width() + 2);
    if !row.note.is_empty() && left_over >= NOTE {
        line = line.ink(Ink::Dim, format!("  {}", cut(&row.note, left_over, look.ellipsis())));
    }
    line
}
