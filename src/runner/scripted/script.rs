//! What a scripted task does, written as a chain.

use std::time::Duration;

use camino::Utf8PathBuf;

use crate::model::Stream;
use crate::runner::OutputLine;

/// What a task does.
#[derive(Debug, Clone)]
pub struct Script {
    pub(super) lines: Vec<(Duration, OutputLine)>,
    pub(super) pause: Duration,
    pub(super) end: Ending,
    pub(super) out_of_memory: bool,
    pub(super) engine_left: bool,
    pub(super) deaf: bool,
    pub(super) written: Vec<Utf8PathBuf>,
    pub(super) idle: bool,
    /// How often each line is told.
    pub(super) tells: usize,
}

/// How a task ends by itself.
#[derive(Debug, Clone)]
pub(super) enum Ending {
    Exit(i64),
    Never,
    Refused(String),
    Lost(String),
}

impl Script {
    fn new(end: Ending) -> Self {
        Self {
            lines: Vec::new(),
            pause: Duration::ZERO,
            end,
            out_of_memory: false,
            engine_left: false,
            deaf: false,
            written: Vec::new(),
            idle: false,
            tells: 1,
        }
    }

    /// A task that ends with `code`.
    pub fn ends(code: i64) -> Self {
        Self::new(Ending::Exit(code))
    }

    /// A task that ends only when it is stopped, with 143.
    pub fn hangs() -> Self {
        Self::new(Ending::Never)
    }

    /// A task that cannot be started.
    pub fn refused(why: &str) -> Self {
        Self::new(Ending::Refused(why.into()))
    }

    /// A task whose container is lost: watching it fails after its output.
    pub fn lost(why: &str) -> Self {
        Self::new(Ending::Lost(why.into()))
    }

    /// Lets time pass before what follows: the next line, or the end.
    #[must_use]
    pub fn after(mut self, pause: Duration) -> Self {
        self.pause += pause;
        self
    }

    /// Writes a line to standard output.
    #[must_use]
    pub fn out(self, text: &str) -> Self {
        self.line(Stream::Stdout, text)
    }

    /// Writes a line to standard error.
    #[must_use]
    pub fn err(self, text: &str) -> Self {
        self.line(Stream::Stderr, text)
    }

    /// Is ended for want of memory.
    #[must_use]
    pub fn out_of_memory(mut self) -> Self {
        self.out_of_memory = true;
        self
    }

    /// Its engine is killed meanwhile: what it says of the end since may be untrue.
    #[must_use]
    pub fn engine_left(mut self) -> Self {
        self.engine_left = true;
        self
    }

    /// Does not obey when it is asked to stop: it is ended by force after the grace, with 137.
    #[must_use]
    pub fn deaf(mut self) -> Self {
        self.deaf = true;
        self
    }

    /// Leaves a SQLite file behind.
    #[must_use]
    pub fn writes(mut self, path: &str) -> Self {
        self.written.push(path.into());
        self
    }

    /// Lies: it changes nothing, whatever it says and however it ends.
    #[must_use]
    pub fn idle(mut self) -> Self {
        self.idle = true;
        self
    }

    /// Repeats itself: each line is told twice, as an engine does that reads a log again.
    #[must_use]
    pub fn repeats(mut self) -> Self {
        self.tells = 2;
        self
    }

    fn line(mut self, stream: Stream, text: &str) -> Self {
        self.lines.push((std::mem::take(&mut self.pause), OutputLine { stream, text: text.into() }));
        self
    }

    /// When the task ends by itself, counted from its start.
    pub(super) fn length(&self) -> Duration {
        self.lines.iter().map(|(pause, _)| *pause).sum::<Duration>() + self.pause
    }
}
