//! Whole lines out of output that arrives in pieces.
//!
//! Engines and pipes hand over output in frames that are cut anywhere: in the middle of a line, of
//! a character, of a colour code. [`Lines`] holds the open line of each stream until its end was
//! seen. The lines are the same however the bytes were cut; a property test holds it to that.
//!
//! What leaves here is plain text: colour codes and other control sequences are taken out (OpenStack
//! logs end in `ESC[00m` up to 2024.1), control characters too, because the lines are shown on
//! terminals and in reports. A carriage return ends a line, so a progress display loses nothing.
//! A line without end cannot fill the memory: beyond [`LONGEST`] bytes only a count is kept.

use super::OutputLine;
use crate::model::Stream;

/// The most bytes of one line that are kept.
pub const LONGEST: usize = 64 * 1024;

/// The open lines of a task's two streams.
#[derive(Debug, Default)]
pub struct Lines {
    stdout: OpenLine,
    stderr: OpenLine,
}

/// A line whose end was not seen yet.
#[derive(Debug, Default)]
struct OpenLine {
    bytes: Vec<u8>,
    /// Bytes that were dropped because the line is too long.
    dropped: usize,
    /// Whether the line before ended in a carriage return, so that a newline now belongs to that end.
    after_return: bool,
}

impl Lines {
    /// Takes the next piece of a stream and returns the lines that it completes.
    pub fn take(&mut self, stream: Stream, piece: &[u8]) -> Vec<OutputLine> {
        let open = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let mut complete = Vec::new();
        for &byte in piece {
            let ends = match byte {
                b'\n' => !std::mem::take(&mut open.after_return),
                b'\r' => !open.bytes.is_empty(),
                _ => {
                    open.push(byte);
                    false
                }
            };
            if ends {
                complete.push(OutputLine { stream, text: open.close() });
                open.after_return = byte == b'\r';
            }
        }
        complete
    }

    /// Returns what was never ended: the last lines of a task whose output lacks a final newline.
    pub fn finish(self) -> Vec<OutputLine> {
        [(Stream::Stdout, self.stdout), (Stream::Stderr, self.stderr)]
            .into_iter()
            .filter(|(_, open)| !open.bytes.is_empty())
            .map(|(stream, mut open)| OutputLine { stream, text: open.close() })
            .collect()
    }
}

impl OpenLine {
    fn push(&mut self, byte: u8) {
        self.after_return = false;
        if self.bytes.len() < LONGEST {
            self.bytes.push(byte);
        } else {
            self.dropped += 1;
        }
    }

    fn close(&mut self) -> String {
        if self.dropped > 0 {
            // Not in the middle of a character, nor counting one as unreadable that was only cut.
            if let Err(error) = std::str::from_utf8(&self.bytes)
                && error.error_len().is_none()
            {
                self.dropped += self.bytes.len() - error.valid_up_to();
                self.bytes.truncate(error.valid_up_to());
            }
        }
        let mut text = plain(&self.bytes);
        if self.dropped > 0 {
            text.push_str(&format!(" … ({} bytes more)", self.dropped));
        }
        self.bytes.clear();
        self.dropped = 0;
        text
    }
}

/// The text of a line, without control sequences and control characters.
fn plain(line: &[u8]) -> String {
    let mut kept = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            0x1b => after_escape(after),
            b'\t' => {
                kept.push(byte);
                after
            }
            0x00..=0x1f | 0x7f => after,
            _ => {
                kept.push(byte);
                after
            }
        };
    }
    // The second range of control characters has two bytes in UTF-8 and can only be told from text there.
    String::from_utf8_lossy(&kept).chars().filter(|c| !('\u{80}'..='\u{9f}').contains(c)).collect()
}

/// What follows the control sequence whose escape character was just taken (ECMA-48).
fn after_escape(sequence: &[u8]) -> &[u8] {
    let Some((&kind, rest)) = sequence.split_first() else { return sequence };
    match kind {
        // Parameters and intermediates up to one final byte.
        b'[' => match rest.iter().position(|byte| !(0x20..=0x3f).contains(byte)) {
            Some(end) if (0x40..=0x7e).contains(&rest[end]) => &rest[end + 1..],
            Some(end) => &rest[end..],
            None => &[],
        },
        // A string up to BEL or ESC \.
        b']' | b'P' | b'X' | b'^' | b'_' => match rest.iter().position(|&byte| byte == 0x07 || byte == 0x1b) {
            Some(end) if rest[end] == 0x1b && rest.get(end + 1) == Some(&b'\\') => &rest[end + 2..],
            Some(end) if rest[end] == 0x1b => &rest[end..],
            Some(end) => &rest[end + 1..],
            None => &[],
        },
        // Intermediates and one final byte, such as the choice of a character set.
        0x20..=0x2f => match rest.iter().position(|byte| !(0x20..=0x2f).contains(byte)) {
            Some(end) if rest[end] < 0x7f => &rest[end + 1..],
            Some(end) => &rest[end..],
            None => &[],
        },
        0x30..=0x7e => rest,
        // No sequence: the byte is text, or the next escape character.
        _ => sequence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut all: Vec<OutputLine> = pieces.iter().flat_map(|piece| lines.take(Stream::Stdout, piece)).collect();
        all.extend(lines.finish());
        all.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn a_character_cut_in_two_and_a_last_line_without_an_end_are_whole() {
        assert_eq!(lines(&[b"caf\xc3", b"\xa9 \xe2", b"\x82", b"\xac\nlast"]), ["café €", "last"]);
    }

    #[test]
    fn empty_lines_count_and_every_kind_of_line_end_is_one_end() {
        assert_eq!(lines(&[b"a\n\nb\r\n\r\nc\r", b"\nd\re\r\r\nf"]), ["a", "", "b", "", "c", "d", "e", "f"]);
    }

    #[test]
    fn colours_and_other_control_sequences_are_taken_out() {
        for (bytes, text) in [
            (&b"\x1b[31mred\x1b[0m INFO \x1b[00m"[..], "red INFO "),
            (b"\x1b]0;a title\x07text", "text"),
            (b"\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
            (b"\x1b(Btext\x1b7\x1b[?25l", "text"),
            (b"bell\x07 tab\tback\x08 nul\x00", "bell tab\tback nul"),
            (b"cut off \x1b[3", "cut off "),
            (b"c1 \xc2\x9b31m", "c1 31m"),
            ("ESC then text \u{1b}é".as_bytes(), "ESC then text é"),
        ] {
            assert_eq!(lines(&[bytes]), [text], "{bytes:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_cut_and_says_how_much_is_missing() {
        let mut long = "é".repeat(LONGEST / 2 - 1).into_bytes();
        long.extend("x€ and more\nnext\n".bytes());
        let lines = lines(&[&long[..30_000], &long[30_000..]]);
        assert!(lines[0].ends_with("éx … (12 bytes more)"), "{}", &lines[0][lines[0].len() - 40..]);
        assert_eq!(lines[1], "next");
    }

    #[test]
    fn streams_do_not_mix() {
        let mut lines = Lines::default();
        assert!(lines.take(Stream::Stdout, b"out").is_empty());
        assert_eq!(lines.take(Stream::Stderr, b"err\n"), [OutputLine { stream: Stream::Stderr, text: "err".into() }]);
        assert_eq!(
            lines.take(Stream::Stdout, b"put\n"),
            [OutputLine { stream: Stream::Stdout, text: "output".into() }]
        );
    }

    proptest! {
        #[test]
        fn however_the_bytes_are_cut_the_lines_are_the_same(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'\r'), Just(0x1b), Just(b'['), Just(b'm'), 0xc0..=0xf4_u8, any::<u8>()], 0..200),
            cuts in proptest::collection::vec(0..200_usize, 0..20),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < bytes.len()).collect();
            cuts.sort_unstable();
            cuts.push(bytes.len());
            let mut from = 0;
            let mut pieces = Vec::new();
            for cut in cuts {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            let whole = lines(&[&bytes]);
            prop_assert_eq!(lines(&pieces), whole.clone());
            for line in whole {
                prop_assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{:?}", line);
            }
        }
    }
}
