//! The terminal under the progress lines: what indicatif draws to.
//!
//! indicatif ends a line by filling it with spaces up to the margin. A terminal then takes all lines
//! for one long one: when it is made wider, the lines flow together, fewer rows are left than were
//! drawn, and the next clearing takes permanent lines with it; and whoever copies an error copies the
//! filling. This screen ends lines with a line feed instead, knows how many rows they take after the
//! terminal has become narrower, and sends a whole frame in one write.
//!
//! It relies on how indicatif draws (version 0.18): the lines of the frame before are cleared one by
//! one, then each new line is written, followed by its filling, then all is flushed. Tests hold that.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::TermLike;

use super::frame::Size;
use super::outlet::Outlet;
use super::text::width;

/// How large the terminal is, asked each time: it changes.
pub(super) type Measure = Box<dyn Fn() -> Size + Send + Sync>;

/// A terminal with lines that change at its bottom and lines that stay above them.
#[derive(Clone)]
pub(super) struct Screen(Arc<Inner>);

struct Inner {
    outlet: Outlet,
    measure: Measure,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The lines as they stand on the terminal; the cursor is at the end of the last one.
    shown: Vec<String>,
    /// The lines that are being drawn.
    next: Vec<String>,
    /// Whether nothing was written since the last flush: the next line begins a new frame.
    fresh: bool,
    /// Whether the next write is the filling of the line before.
    filling: bool,
    /// Whether flushes wait: several lines change together.
    held: bool,
}

impl Screen {
    pub(super) fn new(outlet: Outlet, measure: Measure) -> Self {
        Self(Arc::new(Inner { outlet, measure, state: Mutex::default() }))
    }

    pub(super) fn size(&self) -> Size {
        (self.0.measure)()
    }

    pub(super) fn outlet(&self) -> &Outlet {
        &self.0.outlet
    }

    /// Sends nothing until [`release`](Self::release).
    pub(super) fn hold(&self) {
        self.state().held = true;
    }

    /// Sends what was drawn since [`hold`](Self::hold), once.
    pub(super) fn release(&self) {
        self.state().held = false;
        self.send();
    }

    /// Writes lines that stay, above the frame. The frame is drawn again by whoever holds it.
    pub(super) fn keep(&self, lines: &[String]) {
        let mut state = self.state();
        let mut text = erase(&state.shown, self.size().columns);
        state.shown.clear();
        for line in lines {
            text.push_str(line);
            text.push_str("\r\n");
        }
        self.0.outlet.say(text);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self) {
        let mut state = self.state();
        if state.held || (state.shown.is_empty() && state.next.is_empty()) {
            return;
        }
        // Shown as one by terminals that know how; the others ignore the marks around it.
        let text =
            format!("\x1b[?2026h{}{}\x1b[?2026l", erase(&state.shown, self.size().columns), state.next.join("\r\n"));
        state.shown = state.next.clone();
        self.0.outlet.say(text);
    }
}

/// Moves the cursor from the end of the frame to its start and erases it.
///
/// Erased as a whole, not line by line as it is written over: some terminals (tmux) remember how far a
/// line was once written and wrap it accordingly when they become narrower, and how many rows a frame
/// takes then could not be told.
fn erase(shown: &[String], columns: usize) -> String {
    if shown.is_empty() {
        return String::new();
    }
    // A terminal that has become narrower has wrapped the lines that no longer fit.
    let rows: usize = shown.iter().map(|line| visible(line).div_ceil(columns.max(1)).max(1)).sum();
    // Some terminals cut lines instead of wrapping them. The frame's first line is empty: leaving it
    // behind costs nothing in the ones that wrap and saves a permanent line in the others.
    let above = rows - 1 - usize::from(rows > shown.len());
    if above > 0 { format!("\x1b[{above}A\r\x1b[J") } else { "\r\x1b[J".to_owned() }
}

/// The columns of a line without its inks.
fn visible(line: &str) -> usize {
    width(&super::text::clean(line))
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("shown", &self.state().shown).finish_non_exhaustive()
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        u16::try_from(self.size().columns).unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        u16::try_from(self.size().rows).unwrap_or(u16::MAX)
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.state().push(text);
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut state = self.state();
        if !state.filling {
            state.push(text);
        }
        state.filling = !state.filling;
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        {
            let mut state = self.state();
            if state.fresh {
                state.next.clear();
            }
            (state.fresh, state.filling) = (true, false);
        }
        self.send();
        Ok(())
    }
}

impl State {
    fn push(&mut self, line: &str) {
        if self.fresh {
            self.next.clear();
            self.fresh = false;
        }
        self.next.push(line.to_owned());
    }
}
