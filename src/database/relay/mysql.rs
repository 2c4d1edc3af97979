//! What a client of the MySQL protocol says, and a greeting after which it says it in the open.

/// The most that is kept of one statement, in bytes.
const LONGEST: usize = 8 << 20;

/// The length of a packet that the next one continues.
const FULL: usize = 0xff_ffff;

/// Commands that carry SQL: COM_QUERY and COM_STMT_PREPARE.
const SQL: [u8; 2] = [0x03, 0x16];

/// Hears statements in the bytes of a client, however they are cut.
#[derive(Debug, Default)]
pub(super) struct Ears {
    header: Vec<u8>,
    left: usize,
    goes_on: bool,
    /// What a command says; absent in what is none: the login, and files that a client sends.
    kept: Option<Vec<u8>>,
}

impl Ears {
    /// The statements that end in `bytes`.
    pub(super) fn hear(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut said = Vec::new();
        while !bytes.is_empty() {
            if self.header.len() < 4 {
                let (head, rest) = bytes.split_at((4 - self.header.len()).min(bytes.len()));
                self.header.extend_from_slice(head);
                bytes = rest;
                if let [a, b, c, number] = self.header[..] {
                    self.begin(usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16, number);
                }
            } else {
                let (part, rest) = bytes.split_at(self.left.min(bytes.len()));
                self.keep(part);
                self.left -= part.len();
                bytes = rest;
            }
            if self.header.len() == 4 && self.left == 0 {
                said.extend(self.end());
            }
        }
        said
    }

    fn begin(&mut self, length: usize, number: u8) {
        if !self.goes_on {
            // Every command begins to count anew; what answers the server counts on.
            self.kept = (number == 0).then(Vec::new);
        }
        self.goes_on = length == FULL;
        self.left = length;
    }

    fn keep(&mut self, part: &[u8]) {
        let Some(kept) = &mut self.kept else { return };
        let first = kept.first().or(part.first());
        if first.is_some_and(|command| !SQL.contains(command)) {
            self.kept = None;
        } else {
            let room = LONGEST.saturating_sub(kept.len());
            kept.extend_from_slice(&part[..part.len().min(room)]);
        }
    }

    fn end(&mut self) -> Option<String> {
        self.header.clear();
        if self.goes_on {
            return None;
        }
        let kept = self.kept.take()?;
        let (_, text) = kept.split_first()?;
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

/// Takes from a server's greeting, a whole packet, that it could encrypt and compress, and that queries may have attributes:
/// a client that is not told so does none of it.
pub(super) fn open(greeting: &mut [u8]) {
    // After the header: the version of the protocol, the server's version to a zero, four bytes of a number, eight of a
    // salt, a zero; then the lower half of what it can do, three bytes, and the upper half.
    const PROTOCOL: u8 = 10;
    const LOWER: u8 = 0x20; // CLIENT_COMPRESS
    const SECOND: u8 = 0x08; // CLIENT_SSL
    const FOURTH: u8 = 0x0c; // CLIENT_ZSTD_COMPRESSION_ALGORITHM, CLIENT_QUERY_ATTRIBUTES
    let Some((PROTOCOL, text)) = greeting.get(4).copied().zip(greeting.get(5..)) else { return };
    let Some(end) = text.iter().position(|byte| *byte == 0) else { return };
    let at = 5 + end + 1 + 4 + 8 + 1;
    for (place, bits) in [(at, LOWER), (at + 1, SECOND), (at + 6, FOURTH)] {
        if let Some(byte) = greeting.get_mut(place) {
            *byte &= !bits;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(number: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).expect("short").to_le_bytes();
        [&length[..3], &[number], body].concat()
    }

    fn session() -> Vec<u8> {
        [
            packet(1, b"\x03 is how a login may begin"),
            packet(0, b"\x03SELECT 1"),
            packet(0, b"\x0e"),
            packet(0, b"\x16ALTER TABLE t ADD c INT"),
            packet(0, b""),
            packet(0, b"\x02db"),
        ]
        .concat()
    }

    #[test]
    fn a_statement_of_several_packets_is_one() {
        let long = vec![b'x'; FULL - 1];
        let bytes = [packet(0, &[&b"\x03"[..], &long].concat()), packet(1, b"end"), packet(0, b"\x03next")].concat();
        let said = Ears::default().hear(&bytes);
        // More than enough for a change of a schema is kept of it.
        assert_eq!((said.len(), said[0].len(), said[1].as_str()), (2, LONGEST - 1, "next"));
    }

    #[test]
    fn a_greeting_offers_no_encryption_any_more_and_all_else() {
        let body = b"\x0a8.4.0\0\x01\x02\x03\x04abcdefgh\0\xff\xff\x21\x02\0\xff\xff\x15";
        let mut greeting = packet(0, body);
        let before = greeting.clone();
        open(&mut greeting);
        let at = 4 + 1 + 6 + 4 + 8 + 1;
        assert_eq!((greeting[at], greeting[at + 1], greeting[at + 6]), (0xdf, 0xf7, 0xf3), "{greeting:?}");
        let changed = before.iter().zip(&greeting).filter(|(one, other)| one != other).count();
        assert_eq!(changed, 3);
        let mut refusal = packet(0, b"\xff\x10\x04Too many connections");
        let same = refusal.clone();
        open(&mut refusal);
        assert_eq!(refusal, same);
    }

    proptest! {
        #[test]
        fn statements_are_the_same_however_the_bytes_are_cut(cuts in prop::collection::vec(1_usize..9, 0..40)) {
            let bytes = session();
            let mut ears = Ears::default();
            let (mut said, mut rest) = (Vec::new(), &bytes[..]);
            for cut in cuts {
                let (part, after) = rest.split_at(cut.min(rest.len()));
                said.extend(ears.hear(part));
                rest = after;
            }
            said.extend(ears.hear(rest));
            prop_assert_eq!(said, ["SELECT 1", "ALTER TABLE t ADD c INT"]);
        }

        #[test]
        fn no_bytes_make_it_panic(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..20)) {
            let mut ears = Ears::default();
            for part in parts {
                let said = ears.hear(&part);
                prop_assert!(said.iter().map(String::len).sum::<usize>() <= LONGEST);
                open(&mut part.clone());
            }
        }
    }
}
