//! The reporter for a terminal: permanent lines above, a frame that changes below.
//!
//! What happens once becomes permanent lines: how the run began, a hop that is complete, a failure
//! with all that is known of it, what the operator should read. What changes is the frame, drawn
//! through indicatif about once a second (at once when a step begins or ends): over a slow link that is
//! less than a kilobyte a second. Output of steps is not scrolled past; it is in the steps' logs, and
//! its last line stands in the frame where there is room.

use std::sync::Arc;

use camino::Utf8PathBuf;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use crate::journal::{Event, Outcome, Progress, Record, RecordBody};
use crate::plan::Plan;

use super::block::{self, Paper};
use super::frame::{Size, frame};
use super::look::{Look, Mark};
use super::outlet::Outlet;
use super::screen::{Measure, Screen};
use super::view::View;
use super::{Reporter, text};

/// How long a frame stands at least, in seconds, if nothing durable happened.
const CALM: f64 = 0.85;

/// How long a frame stands at least in any case, in seconds.
const SHORTEST: f64 = 0.09;

/// Shows a run on a terminal.
#[derive(Debug)]
pub struct TerminalReporter {
    view: View,
    look: Look,
    directory: Utf8PathBuf,
    screen: Screen,
    lines: MultiProgress,
    bars: Vec<ProgressBar>,
    drawn: Option<Timestamp>,
    frame: Vec<String>,
    /// Whether something durable happened since the last frame.
    news: bool,
}

impl TerminalReporter {
    /// A reporter on standard error. `history`: what earlier processes recorded of a run that goes
    /// on; `directory`: where the run's files are.
    pub fn stderr(plan: Arc<Plan>, history: &[Record], directory: Utf8PathBuf, look: Look) -> Self {
        Self::new(plan, history, directory, look, Outlet::stderr(), Box::new(stderr_size))
    }

    pub(super) fn new(
        plan: Arc<Plan>,
        history: &[Record],
        directory: Utf8PathBuf,
        look: Look,
        outlet: Outlet,
        measure: Measure,
    ) -> Self {
        let screen = Screen::new(outlet, measure);
        let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
        Self {
            view: View::resumed(plan, history),
            look,
            directory,
            screen,
            lines: MultiProgress::with_draw_target(target),
            bars: Vec::new(),
            drawn: None,
            frame: Vec::new(),
            news: false,
        }
    }

    fn paper(&self) -> Paper {
        Paper { look: self.look, columns: self.screen.size().columns.saturating_sub(1).max(20) }
    }

    /// What an event leaves on the terminal for good.
    fn permanent(&self, event: &Event, now: Timestamp) -> Vec<String> {
        let (account, paper) = (self.view.account(), self.paper());
        let record = match event {
            Event::Record(record) => record,
            Event::Progress(Progress::Stopping { text }) => return block::notice(Mark::Odd, text, now, paper),
            Event::Progress(Progress::NotFetched { text, .. }) => return block::notice(Mark::Failed, text, now, paper),
            Event::Progress(Progress::Notice { text }) => return block::notice(Mark::Notice, text, now, paper),
            Event::Progress(_) | Event::Output { .. } => return Vec::new(),
        };
        match &record.body {
            RecordBody::RunStarted { .. } | RecordBody::RunResumed { .. } => {
                // Apart from what stood on the terminal before.
                let mut lines = vec![String::new()];
                lines.extend(block::opening(account, &record.body, paper));
                let done = (0..account.plan().hops.len()).filter(|hop| account.hop_is_done(*hop));
                lines.extend(done.map(|hop| block::hop_done(account, hop, record.time, paper)));
                lines
            }
            RecordBody::HopEnded { series } => {
                let hop = account.plan().hops.iter().position(|hop| hop.series == *series);
                hop.map(|hop| block::hop_done(account, hop, record.time, paper)).into_iter().collect()
            }
            RecordBody::StepStarted { step, adopted: true, .. } => {
                let text =
                    format!("{} {} {} was still running: it is watched again", step.series, step.service, step.short());
                block::notice(Mark::Notice, &text, record.time, paper)
            }
            RecordBody::StepEnded { step, attempt, outcome, .. } => {
                let attempts = account.place(step).map(|place| account.attempts(place)).unwrap_or_default();
                let end = attempts.last().and_then(|attempt| attempt.end.as_ref());
                match (outcome, end) {
                    (Outcome::Failed | Outcome::Stuck, Some(end)) => {
                        block::step_ended(step, *attempt, end, &self.directory, paper)
                    }
                    (Outcome::Done, Some(end)) => block::warning(step, end)
                        .map(|text| block::notice(Mark::Odd, &text, record.time, paper))
                        .unwrap_or_default(),
                    _ => Vec::new(),
                }
            }
            RecordBody::RestoreStarted { because, .. } => {
                let why = because.as_ref().map(|step| format!(", since {step} died")).unwrap_or_default();
                let about = account.restores().last().map(super::restores::Restore::about).unwrap_or_default();
                block::notice(Mark::Odd, &format!("brings back {about}{why}"), record.time, paper)
            }
            RecordBody::RestoreEnded { failure: Some(failure), .. } => {
                block::failure_fields(failure, &self.directory, 0, paper)
            }
            RecordBody::RestoreEnded { .. } => {
                let about = account.restores().last().map(super::restores::Restore::about).unwrap_or_default();
                block::notice(Mark::Notice, &format!("brought back {about}"), record.time, paper)
            }
            RecordBody::RunEnded { failure: Some(failure), .. } => {
                block::failure_fields(failure, &self.directory, 0, paper)
            }
            _ => Vec::new(),
        }
    }

    /// Draws the frame as it is now.
    fn draw(&mut self, now: Timestamp) {
        let frame = frame(&self.view, self.look, self.screen.size(), now);
        self.drawn = Some(now);
        self.news = false;
        self.screen.hold();
        while self.bars.len() > frame.len() {
            if let Some(bar) = self.bars.pop() {
                bar.finish_and_clear();
                self.lines.remove(&bar);
            }
        }
        while self.bars.len() < frame.len() {
            let bar = ProgressBar::new_spinner().with_style(line_style());
            self.bars.push(self.lines.add(bar));
        }
        for (bar, line) in self.bars.iter().zip(&frame) {
            bar.set_message(line.clone());
        }
        if frame.is_empty() {
            // Nothing here can fail: the screen keeps errors to itself.
            let _ = self.lines.clear();
        }
        self.screen.release();
        self.frame = frame;
    }

    fn since_drawn(&self, now: Timestamp) -> f64 {
        self.drawn.map_or(f64::INFINITY, |drawn| text::seconds_between(drawn, now))
    }
}

impl Reporter for TerminalReporter {
    fn see(&mut self, event: &Event, now: Timestamp) {
        self.view.see(event, now);
        // Rounds may end many times a second.
        self.news |= matches!(event, Event::Record(record) if !matches!(record.body, RecordBody::RoundEnded { .. }));
        let mut lines = self.permanent(event, now);
        if !self.look.unicode {
            lines.iter_mut().for_each(|line| *line = text::ascii(line));
        }
        if !lines.is_empty() {
            self.screen.keep(&lines);
            self.draw(now);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        let rest = if self.news { SHORTEST } else { CALM };
        // A terminal that does not take what it was given gets nothing that is out of date already.
        if self.since_drawn(now) < rest || !self.screen.outlet().is_idle() {
            return;
        }
        if frame(&self.view, self.look, self.screen.size(), now) != self.frame {
            self.draw(now);
        }
    }

    fn finish(&mut self, _: Timestamp) {
        self.screen.hold();
        for bar in self.bars.drain(..) {
            bar.finish_and_clear();
            self.lines.remove(&bar);
        }
        let _ = self.lines.clear();
        self.screen.release();
        if self.view.is_open() {
            // Apart from what is said when the run is over.
            self.screen.keep(&[String::new()]);
        }
        self.screen.outlet().drain();
    }
}

/// A line that is nothing but its message.
fn line_style() -> ProgressStyle {
    ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// The columns of the terminal.
pub fn terminal_columns() -> usize {
    stderr_size().columns
}

fn stderr_size() -> Size {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    let side = |side: u16, usual: usize| if side == 0 { usual } else { usize::from(side) };
    size.map_or(Size { columns: 80, rows: 24 }, |size| Size {
        columns: side(size.ws_col, 80),
        rows: side(size.ws_row, 24),
    })
}
