//! What a client of PostgreSQL's protocol says, the third version of it.

/// The most that is kept of one statement, in bytes.
const LONGEST: usize = 8 << 20;

/// The codes of requests for encryption, by TLS and by GSSAPI, in the place of a version.
const ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];

/// Whether the first eight bytes of a client ask for encryption.
pub(super) fn asks_for_encryption(first: [u8; 8]) -> bool {
    let [a, b, c, d, e, f, g, h] = first;
    u32::from_be_bytes([a, b, c, d]) == 8 && ENCRYPTION.contains(&u32::from_be_bytes([e, f, g, h]))
}

/// Hears statements in the bytes of a client, however they are cut.
#[derive(Debug, Default)]
pub(super) struct Ears {
    /// Whether the first message, which has no kind, is over.
    begun: bool,
    header: Vec<u8>,
    left: usize,
    kept: Vec<u8>,
    /// Whether something came that is not of the protocol: nothing after it is understood.
    lost: bool,
}

impl Ears {
    /// The statements that end in `bytes`.
    pub(super) fn hear(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut said = Vec::new();
        while !bytes.is_empty() && !self.lost {
            let whole = if self.begun { 5 } else { 4 };
            if self.header.len() < whole {
                let (head, rest) = bytes.split_at((whole - self.header.len()).min(bytes.len()));
                self.header.extend_from_slice(head);
                bytes = rest;
                if self.header.len() == whole {
                    self.begin();
                }
            } else {
                let (part, rest) = bytes.split_at(self.left.min(bytes.len()));
                if matches!(self.header[..], [b'Q' | b'P', _, _, _, _]) {
                    let room = LONGEST.saturating_sub(self.kept.len());
                    self.kept.extend_from_slice(&part[..part.len().min(room)]);
                }
                self.left -= part.len();
                bytes = rest;
            }
            if self.header.len() == whole && self.left == 0 {
                said.extend(self.end());
            }
        }
        said
    }

    fn begin(&mut self) {
        let length = match self.header[..] {
            [a, b, c, d] | [_, a, b, c, d] => u32::from_be_bytes([a, b, c, d]),
            _ => 0,
        };
        // A length counts itself.
        match usize::try_from(length).ok().and_then(|length| length.checked_sub(4)) {
            Some(left) => self.left = left,
            None => self.lost = true,
        }
    }

    fn end(&mut self) -> Option<String> {
        self.begun = true;
        let header = std::mem::take(&mut self.header);
        let kept = std::mem::take(&mut self.kept);
        let mut texts = kept.split(|byte| *byte == 0);
        let text = match header.first().filter(|_| header.len() == 5)? {
            b'Q' => texts.next(),
            // What is prepared has a name first.
            b'P' => texts.nth(1),
            _ => None,
        };
        text.map(|text| String::from_utf8_lossy(text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(kind: &[u8], body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
        [kind, &length, body].concat()
    }

    fn session() -> Vec<u8> {
        [
            message(b"", b"\0\x03\0\0user\0Q\0\0"),
            message(b"p", b"secret\0"),
            message(b"Q", b"BEGIN\0"),
            message(b"P", b"name\0ALTER TABLE t ADD c INT\0\0\0"),
            message(b"S", b""),
            message(b"Q", b"COMMIT\0"),
        ]
        .concat()
    }

    #[test]
    fn a_wish_for_encryption_is_told_from_a_start() {
        assert!(asks_for_encryption([0, 0, 0, 8, 4, 210, 22, 47]));
        assert!(asks_for_encryption([0, 0, 0, 8, 4, 210, 22, 48]));
        assert!(!asks_for_encryption([0, 0, 0, 8, 0, 3, 0, 0]) && !asks_for_encryption([0, 0, 0, 9, 4, 210, 22, 47]));
    }

    #[test]
    fn what_is_not_of_the_protocol_ends_the_hearing() {
        let mut ears = Ears::default();
        assert!(ears.hear(&[0, 0, 0, 1]).is_empty());
        assert!(ears.hear(&session()).is_empty());
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
            prop_assert_eq!(said, ["BEGIN", "ALTER TABLE t ADD c INT", "COMMIT"]);
        }

        #[test]
        fn no_bytes_make_it_panic(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..20)) {
            let mut ears = Ears::default();
            for part in parts {
                prop_assert!(ears.hear(&part).iter().map(String::len).sum::<usize>() <= LONGEST);
            }
        }
    }
}
