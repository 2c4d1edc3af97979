//! Reads a container's output, and goes on where it was cut off.
//!
//! The engine returns output from its beginning only. So each reading counts the bytes of each
//! stream, and the next reading after a lost connection passes over as many. The client's decoder
//! panics on frames it does not know (the engine writes its own errors as such): it runs in a task
//! of its own, whose end by panic reads like a lost connection.

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::model::Stream;

/// Frames that may wait to be taken; the engine is slowed down beyond that.
const WAITING: usize = 16;

/// A piece of output, cut anywhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) stream: Stream,
    pub(super) bytes: Bytes,
}

/// How a reading went on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Output that was not read before.
    Piece(Piece),
    /// Output that an earlier reading brought; a sign of life.
    Known,
    /// The engine ended the output in an orderly way.
    End,
    /// The reading broke off.
    Broken,
}

/// How much of each stream was taken over all readings.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Taken {
    stdout: u64,
    stderr: u64,
}

impl Taken {
    fn of(&mut self, stream: Stream) -> &mut u64 {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

/// One reading of a container's output from its beginning.
#[derive(Debug)]
pub(super) struct Reading {
    frames: mpsc::Receiver<Frame>,
    reader: JoinHandle<()>,
    seen: Taken,
}

#[derive(Debug)]
enum Frame {
    Piece(Piece),
    End,
    Broken,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Reading {
    /// Begins to read; with `follow` until the container ends.
    pub(super) fn begin(client: Docker, container: String, follow: bool) -> Self {
        let (sender, frames) = mpsc::channel(WAITING);
        let reader = tokio::spawn(read(client, container, follow, sender));
        Self { frames, reader, seen: Taken::default() }
    }

    /// The next piece, without what is among the `taken`; counts it there. May be dropped and called again.
    pub(super) async fn next(&mut self, taken: &mut Taken) -> Read {
        match self.frames.recv().await {
            Some(Frame::Piece(piece)) => self.unread(piece, taken).map_or(Read::Known, Read::Piece),
            Some(Frame::End) => Read::End,
            // Without a last word the reader panicked.
            Some(Frame::Broken) | None => Read::Broken,
        }
    }

    fn unread(&mut self, mut piece: Piece, taken: &mut Taken) -> Option<Piece> {
        let (seen, taken) = (self.seen.of(piece.stream), taken.of(piece.stream));
        let length = piece.bytes.len() as u64;
        let known = taken.saturating_sub(*seen).min(length);
        *seen += length;
        *taken += length - known;
        let known = usize::try_from(known).unwrap_or(piece.bytes.len());
        piece.bytes = piece.bytes.split_off(known);
        (!piece.bytes.is_empty()).then_some(piece)
    }
}

async fn read(client: Docker, container: String, follow: bool, frames: mpsc::Sender<Frame>) {
    let options = LogsOptionsBuilder::default().follow(follow).stdout(true).stderr(true).build();
    let mut logs = client.logs(&container, Some(options));
    let last = loop {
        let frame = match logs.next().await {
            Some(Ok(LogOutput::StdOut { message })) => Frame::Piece(Piece { stream: Stream::Stdout, bytes: message }),
            Some(Ok(LogOutput::StdErr { message })) => Frame::Piece(Piece { stream: Stream::Stderr, bytes: message }),
            // Bytes outside any frame: the rest of one that was cut off. The next reading has it whole.
            Some(Ok(LogOutput::Console { .. } | LogOutput::StdIn { .. }) | Err(_)) => break Frame::Broken,
            None => break Frame::End,
        };
        if frames.send(frame).await.is_err() {
            return;
        }
    };
    let _ = frames.send(last).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(frames: Vec<Frame>) -> Reading {
        let (sender, receiver) = mpsc::channel(frames.len().max(1));
        for frame in frames {
            sender.try_send(frame).expect("room");
        }
        Reading { frames: receiver, reader: tokio::spawn(async {}), seen: Taken::default() }
    }

    fn out(text: &'static str) -> Frame {
        Frame::Piece(Piece { stream: Stream::Stdout, bytes: Bytes::from_static(text.as_bytes()) })
    }

    fn err(text: &'static str) -> Frame {
        Frame::Piece(Piece { stream: Stream::Stderr, bytes: Bytes::from_static(text.as_bytes()) })
    }

    async fn all(mut reading: Reading, taken: &mut Taken) -> (String, Read) {
        let mut text = String::new();
        loop {
            match reading.next(taken).await {
                Read::Piece(piece) => text.push_str(&String::from_utf8_lossy(&piece.bytes)),
                Read::Known => {}
                end => return (text, end),
            }
        }
    }

    #[tokio::test]
    async fn a_second_reading_goes_on_where_the_first_broke_off_however_the_frames_are_cut() {
        let mut taken = Taken::default();
        let first = all(reading(vec![out("one "), err("warn"), out("tw"), Frame::Broken]), &mut taken).await;
        assert_eq!(first, ("one warntw".into(), Read::Broken));
        let second = all(reading(vec![out("one two "), err("warning"), out("three"), Frame::End]), &mut taken).await;
        assert_eq!(second, ("o ingthree".into(), Read::End));
    }

    #[tokio::test]
    async fn a_reader_that_panicked_reads_like_a_lost_connection() {
        let mut taken = Taken::default();
        assert_eq!(all(reading(vec![out("one")]), &mut taken).await, ("one".into(), Read::Broken));
    }
}
