//! What people and programs are told: the only part of the program that prints.
//!
//! A [`Reporter`] sees every [`Event`](crate::journal::Event) of a run and hears a tick about ten
//! times a second. It has no way to answer: it cannot fail, block or decide anything, and an output
//! that breaks or stalls is the reporter's own affair (see [`Outlet`]). What happened is in the
//! journal whether or not anybody was told.
//!
//! | reporter | for | shows |
//! | --- | --- | --- |
//! | [`TerminalReporter`] | an operator at a terminal | permanent lines above, a frame that changes below |
//! | [`PlainReporter`] | a log file, a pager, a simple terminal | dated lines, a heartbeat |
//! | [`JsonLinesReporter`] | tools | JSON Lines, see `docs/events.md` |
//!
//! [`summary()`], [`status()`] and [`runs()`] are texts about a run as a whole. They are pure functions of
//! its plan and its records: what was shown once can be shown again.

mod account;
mod block;
mod conclusion;
mod evidence;
mod frame;
pub mod jsonl;
mod lane_line;
mod line;
mod look;
mod outlet;
mod plain;
mod pulls;
mod restores;
mod screen;
mod services;
mod status;
#[cfg(test)]
mod stories;
mod summary;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod view;

use jiff::Timestamp;

pub use block::Paper;
pub use jsonl::JsonLinesReporter;
pub use look::{ColorChoice, Look, can_redraw};
pub use outlet::Outlet;
pub use plain::PlainReporter;
pub use restores::saved as saved_point;
pub use status::{Process, RunEntry, runs, status};
pub use summary::{About, summary};
pub use terminal::{TerminalReporter, terminal_columns};
pub use text::{bytes, clean, columns, count as grouped, took};

use crate::journal::Event;

/// Tells somebody about a run.
pub trait Reporter: Send {
    /// Something was seen. Records are durable before they come here.
    fn see(&mut self, event: &Event, now: Timestamp);

    /// Time has passed; called about ten times a second.
    fn tick(&mut self, now: Timestamp);

    /// The process is about to end: everything that was said must be out after this.
    fn finish(&mut self, now: Timestamp);
}

/// Several reporters that are told the same.
#[derive(Default)]
pub struct Reporters(Vec<Box<dyn Reporter>>);

impl Reporters {
    /// These reporters.
    pub fn new(reporters: Vec<Box<dyn Reporter>>) -> Self {
        Self(reporters)
    }

    /// One more.
    pub fn push(&mut self, reporter: Box<dyn Reporter>) {
        self.0.push(reporter);
    }
}

impl Reporter for Reporters {
    fn see(&mut self, event: &Event, now: Timestamp) {
        self.0.iter_mut().for_each(|reporter| reporter.see(event, now));
    }

    fn tick(&mut self, now: Timestamp) {
        self.0.iter_mut().for_each(|reporter| reporter.tick(now));
    }

    fn finish(&mut self, now: Timestamp) {
        self.0.iter_mut().for_each(|reporter| reporter.finish(now));
    }
}
