//! Where reports go: a writer that can break or stall without the run noticing.
//!
//! A reader may close its end of a pipe, or stop reading; an operator may press Ctrl-S. None of that
//! may stop or slow a run, so what is said is handed to a thread that writes it. Durable news waits
//! in line however long the line is (a run has thousands of records, not millions); replaceable news
//! is dropped while many others wait. After the first error nothing is written any more.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How many pieces may wait before replaceable ones are dropped.
const PATIENCE: usize = 4_096;

/// How long the end of a program waits for a reader that reads nothing.
const LAST_CALL: Duration = Duration::from_secs(3);

/// A place to write to that never fails and never blocks.
#[derive(Debug, Clone)]
pub struct Outlet {
    sender: Sender<Piece>,
    state: Arc<State>,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Drained(Sender<()>),
}

#[derive(Debug, Default)]
struct State {
    waiting: AtomicUsize,
    broken: AtomicBool,
    error: Mutex<Option<String>>,
}

impl Outlet {
    /// An outlet that writes to `writer` from a thread of its own and flushes after every piece.
    pub fn to(writer: Box<dyn Write + Send>) -> Self {
        let (sender, receiver) = mpsc::channel();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let spawned =
            std::thread::Builder::new().name("report".to_owned()).spawn(move || pump(writer, &receiver, &shared));
        if let Err(error) = spawned {
            state.fail(&error.to_string());
        }
        Self { sender, state }
    }

    /// An outlet to standard output.
    pub fn stdout() -> Self {
        Self::to(Box::new(std::io::stdout()))
    }

    /// An outlet to standard error.
    pub fn stderr() -> Self {
        Self::to(Box::new(std::io::stderr()))
    }

    /// Writes `text`, later if the reader is slow.
    pub fn say(&self, text: impl Into<String>) {
        if self.is_broken() {
            return;
        }
        self.state.waiting.fetch_add(1, Ordering::Relaxed);
        if self.sender.send(Piece::Text(text.into())).is_err() {
            self.state.fail("the writing thread has ended");
        }
    }

    /// Writes `text` unless the reader is far behind.
    pub fn mention(&self, text: impl Into<String>) {
        if self.state.waiting.load(Ordering::Relaxed) < PATIENCE {
            self.say(text);
        }
    }

    /// Whether everything said so far has been written.
    pub fn is_idle(&self) -> bool {
        self.state.waiting.load(Ordering::Relaxed) == 0
    }

    /// Whether an error ended the writing.
    pub fn is_broken(&self) -> bool {
        self.state.broken.load(Ordering::Relaxed)
    }

    /// The error that ended the writing.
    pub fn error(&self) -> Option<String> {
        self.state.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until everything said so far is written, as long as the reader reads.
    pub fn drain(&self) {
        let (sender, receiver) = mpsc::channel();
        if self.is_broken() || self.sender.send(Piece::Drained(sender)).is_err() {
            return;
        }
        let mut waiting = usize::MAX;
        // The answer never comes if the reader stalls.
        while receiver.recv_timeout(LAST_CALL) == Err(RecvTimeoutError::Timeout) {
            let left = self.state.waiting.load(Ordering::Relaxed);
            if left >= waiting {
                return;
            }
            waiting = left;
        }
    }
}

impl State {
    fn fail(&self, error: &str) {
        let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| error.to_owned());
        self.broken.store(true, Ordering::Relaxed);
    }
}

fn pump(mut writer: Box<dyn Write + Send>, pieces: &Receiver<Piece>, state: &State) {
    while let Ok(piece) = pieces.recv() {
        match piece {
            Piece::Text(text) => {
                if !state.broken.load(Ordering::Relaxed)
                    && let Err(error) = writer.write_all(text.as_bytes()).and_then(|()| writer.flush())
                {
                    state.fail(&error.to_string());
                }
                state.waiting.fetch_sub(1, Ordering::Relaxed);
            }
            Piece::Drained(done) => {
                // Whoever asked may have stopped waiting.
                let _ = done.send(());
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Instant;

    use super::*;

    /// What was written, to look at afterwards.
    #[derive(Clone, Default)]
    pub(crate) struct Page(Arc<Mutex<Vec<u8>>>);

    impl Page {
        pub(crate) fn outlet(&self) -> Outlet {
            Outlet::to(Box::new(self.clone()))
        }

        pub(crate) fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
        }

        pub(crate) fn take(&self) -> Vec<u8> {
            std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Accepts some writes, then fails like a pipe whose reader has gone.
    struct Closing(usize);

    impl Write for Closing {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.0 == 0 {
                return Err(std::io::ErrorKind::BrokenPipe.into());
            }
            self.0 -= 1;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Never comes back from a write until it is told to.
    struct Stalled(Receiver<()>);

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_said_arrives_in_order() {
        let page = Page::default();
        let outlet = page.outlet();
        for line in ["one\n", "two\n", "three\n"] {
            outlet.say(line);
        }
        outlet.drain();
        assert_eq!(page.text(), "one\ntwo\nthree\n");
        assert!(outlet.is_idle() && !outlet.is_broken());
    }

    #[test]
    fn a_reader_that_has_gone_is_remembered_and_bothers_nobody() {
        let outlet = Outlet::to(Box::new(Closing(1)));
        outlet.say("seen");
        outlet.say("lost");
        outlet.drain();
        assert!(outlet.is_broken());
        assert!(outlet.error().expect("an error").contains("broken pipe"), "{:?}", outlet.error());
        outlet.say("never tried");
        outlet.drain();
    }

    #[test]
    fn a_reader_that_does_not_read_holds_nobody_up() {
        let (release, wait) = mpsc::channel();
        let outlet = Outlet::to(Box::new(Stalled(wait)));
        let began = Instant::now();
        for _ in 0..(2 * PATIENCE) {
            outlet.mention("replaceable");
        }
        outlet.say("durable");
        assert!(began.elapsed() < Duration::from_secs(2));
        let waiting = outlet.state.waiting.load(Ordering::Relaxed);
        assert!((PATIENCE..=PATIENCE + 1).contains(&waiting), "{waiting} pieces wait");
        drop(release);
        outlet.drain();
    }
}
