//! What an operator or a program is told of a trip.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::arguments::Output;
use crate::cli::look::Show;
use crate::model::DatabaseId;
use crate::report::{bytes, clean, grouped, took};
use crate::trip::Event;

/// How often progress is told where lines cannot be drawn over.
const LOG: Duration = Duration::from_secs(10);
/// How often it is told to programs.
const LINES: Duration = Duration::from_millis(400);

/// A line of `leapfrog trip --output jsonl`.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct Line {
    /// The version of the line's format: 1.
    pub format: u32,
    /// When it was seen, UTC.
    #[schemars(with = "String")]
    pub time: Timestamp,
    /// The database.
    pub database: DatabaseId,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Tells events.
pub(super) struct Teller<'s> {
    show: &'s Show,
    database: DatabaseId,
    terminal: bool,
    told: Option<Instant>,
    drawn: bool,
    /// For `--output json`: everything but progress.
    kept: Vec<Line>,
}

impl<'s> Teller<'s> {
    pub(super) fn new(show: &'s Show, database: DatabaseId) -> Self {
        Self { show, database, terminal: show.is_terminal(), told: None, drawn: false, kept: Vec::new() }
    }

    pub(super) fn see(&mut self, event: Event) {
        let progress = matches!(event, Event::Progress { .. });
        if self.show.output == Output::Text {
            return if progress { self.progress(&event) } else { self.say(&event) };
        }
        if self.show.output == Output::Jsonl && progress && !self.due(LINES) {
            return;
        }
        let line = Line { format: 1, time: Timestamp::now(), database: self.database.clone(), event };
        match self.show.output {
            Output::Jsonl => {
                if let Ok(text) = serde_json::to_string(&line) {
                    self.show.stdout().say(text + "\n");
                }
            }
            Output::Json if !progress => self.kept.push(line),
            _ => {}
        }
    }

    /// Leaves the line that was drawn last, and gives what was kept.
    pub(super) fn end(self) -> Vec<Line> {
        if self.drawn {
            self.show.stderr().say("\n".to_owned());
        }
        self.kept
    }

    fn due(&mut self, pause: Duration) -> bool {
        let due = self.told.is_none_or(|told| told.elapsed() >= pause);
        if due {
            self.told = Some(Instant::now());
        }
        due
    }

    /// A line that stays.
    fn say(&mut self, event: &Event) {
        let clear = if std::mem::take(&mut self.drawn) { "\r\u{1b}[K" } else { "" };
        self.told = None;
        self.show.stderr().say(format!("{clear}{}\n", clean(&text(&self.database, event))));
    }

    /// A line that is drawn over, or now and then one that stays.
    fn progress(&mut self, event: &Event) {
        let text = clean(&text(&self.database, event));
        if self.terminal {
            self.drawn = true;
            self.show.stderr().mention(format!("\r{text}\u{1b}[K"));
        } else if self.due(LOG) {
            self.show.stderr().mention(text + "\n");
        }
    }
}

/// An event in words.
pub(super) fn text(database: &DatabaseId, event: &Event) -> String {
    let of = |rows: u64, counted: bool| format!("{}{}", if counted { "" } else { "about " }, grouped(rows));
    match event {
        Event::Begin { table, touched, rows, counted, walk } => {
            let again = if *walk > 1 { format!(", walk {walk}") } else { String::new() };
            let on =
                if *touched > 0 { format!(", {} of them touched already", grouped(*touched)) } else { String::new() };
            format!("{database} {table}: {} rows{on}{again}", of(*rows, *counted))
        }
        Event::Progress { table, touched, rows, counted, rate, .. } => {
            // Rows that came since the beginning are touched as well.
            let all = (*rows).max(*touched);
            let left = if *rate >= 1.0 {
                format!(", {} a second, {} left", grouped(*rate as u64), took((all - touched) as f64 / rate))
            } else {
                String::new()
            };
            format!("{database} {table}: {} of {} rows{left}", grouped(*touched), of(all, *counted))
        }
        Event::SmallLog { table, bytes: log, wanted } => format!(
            "{database} {table}: MariaDB's redo log has {}, which this fills: whoever writes meanwhile waits, again and again, \
             while pages are flushed; SET GLOBAL innodb_log_file_size = {wanted} avoids that from 10.9 on; \
             before, its configuration and a restart",
            bytes(*log)
        ),
        Event::Waits { why } => format!("waiting: {why}"),
        Event::GoesOn { waited } => format!("going on after {}", took(*waited)),
        Event::Retry { table, why } => format!("{database} {table}: a batch is tried again, smaller: {why}"),
        Event::Again { table, why } => format!("{database} {table}: begun with anew: {why}"),
        Event::Done(proof) => {
            let remainder = match proof.remainder {
                Some(rows) => format!("; the remainder query counts {rows}"),
                None => String::new(),
            };
            format!(
                "{database} {}: every row touched since {} appeared: {} rows in {} batches{remainder}",
                proof.table,
                proof.triggers.join(", "),
                grouped(proof.touched),
                grouped(proof.batches)
            )
        }
        Event::Stuck { table, left } => format!(
            "{database} {table}: every row was touched, and the remainder query still counts {} rows\n  next      see why \
             the trigger leaves them so, or who writes such rows; then run the same command again",
            grouped(*left)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_never_says_more_than_all() {
        let event = Event::Progress {
            table: "user".to_owned(),
            touched: 1_200,
            rows: 1_000,
            counted: true,
            rate: 400.0,
            slowest: 90,
        };
        let text = text(&"keystone".parse().expect("a database"), &event);
        assert_eq!(text, "keystone user: 1,200 of 1,200 rows, 400 a second, 0.0s left");
    }
}
