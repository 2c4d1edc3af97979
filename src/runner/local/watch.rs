//! Follows the output of a task from its beginning, and sees it end.

use std::io::SeekFrom;
use std::time::Duration;

use camino::Utf8Path;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::mpsc;

use super::Local;
use super::place::{Place, State};
use super::tasks::{elsewhere, lost};
use super::trouble::trouble;
use crate::model::Stream;
use crate::runner::lines::Lines;
use crate::runner::{Exit, OutputLine, RunnerError, RunnerErrorKind, TaskHandle};

/// How often is looked for more.
const LOOK: Duration = Duration::from_millis(25);
/// The most bytes that are read at once.
const PIECE: u64 = 64 * 1024;

impl Local {
    /// Sends all output to `lines` and returns the exit.
    pub(super) async fn watch_task(
        &self,
        handle: &TaskHandle,
        lines: mpsc::Sender<OutputLine>,
    ) -> Result<Exit, RunnerError> {
        let place = self.place(handle)?;
        if place.kept().is_none() {
            return Err(lost(handle));
        }
        let mut output = Output::new(lines);
        loop {
            // Looked at before the output is read: what is written before the end is read after it.
            let state = place.state();
            output.follow(&place).await;
            let end = match state {
                State::Running(_) | State::Beginning => {
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                State::Ended(exit) => Ok(exit),
                State::Unseen => Err(lost(handle)),
                State::Elsewhere => Err(elsewhere(handle)),
                State::NeverStarted => Err(trouble(
                    RunnerErrorKind::NotStarted,
                    format!("task {} was prepared and never started", handle.0),
                    "Its command has not begun. Run the same command again.",
                )),
            };
            output.finish(&place).await;
            return end;
        }
    }
}

/// Output on its way to whoever wants the lines.
struct Output {
    lines: Lines,
    /// None once nobody listens any more.
    to: Option<mpsc::Sender<OutputLine>>,
    /// How much of each stream was read, and of the marks.
    read: [u64; 2],
    marks: u64,
}

impl Output {
    fn new(to: mpsc::Sender<OutputLine>) -> Self {
        Self { lines: Lines::default(), to: Some(to), read: [0, 0], marks: 0 }
    }

    /// Reads what the marks say that is there, in their turns.
    async fn follow(&mut self, place: &Place) {
        let mut text = Vec::new();
        read_from(&place.marks(), self.marks, u64::MAX, &mut text).await;
        // The last line may be in the making.
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        self.marks += whole as u64;
        for line in String::from_utf8_lossy(&text[..whole]).lines() {
            let Some((letter, length)) = line.split_once(' ') else { continue };
            let Ok(length) = length.parse() else { continue };
            let stream = if letter == "e" { Stream::Stderr } else { Stream::Stdout };
            self.read_up_to(place, stream, length).await;
        }
    }

    /// Reads what no mark speaks of, and the lines that were never ended.
    async fn finish(mut self, place: &Place) {
        self.follow(place).await;
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.read_up_to(place, stream, u64::MAX).await;
        }
        for line in std::mem::take(&mut self.lines).finish() {
            self.send(line).await;
        }
    }

    async fn read_up_to(&mut self, place: &Place, stream: Stream, end: u64) {
        let (path, index) = match stream {
            Stream::Stdout => (place.stdout(), 0),
            Stream::Stderr => (place.stderr(), 1),
        };
        while self.read[index] < end {
            let mut piece = Vec::new();
            let from = self.read[index];
            read_from(&path, from, PIECE.min(end - from), &mut piece).await;
            if piece.is_empty() {
                return;
            }
            self.read[index] += piece.len() as u64;
            for line in self.lines.take(stream, &piece) {
                self.send(line).await;
            }
        }
    }

    async fn send(&mut self, line: OutputLine) {
        if let Some(to) = &self.to
            && to.send(line).await.is_err()
        {
            self.to = None;
        }
    }
}

/// Appends to `into` what a file holds from `at` on, `most` bytes at most. A file that is not there holds nothing.
async fn read_from(path: &Utf8Path, at: u64, most: u64, into: &mut Vec<u8>) {
    let reading = async {
        let mut file = File::open(path).await?;
        file.seek(SeekFrom::Start(at)).await?;
        file.take(most).read_to_end(into).await
    };
    // What cannot be read now is asked for again at the next look.
    let _: std::io::Result<usize> = reading.await;
}
