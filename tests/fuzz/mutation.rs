//! Damage.

use crate::random::Random;

/// The most bytes of a text that are taken as they are; longer ones give a piece.
const PIECE: usize = 700;

/// One in so many texts is taken whole.
const WHOLE: u64 = 50;

/// What is put in: what readers look for, and what breaks them.
const TOKENS: [&[u8]; 44] = [
    b"|",
    b"|\n",
    b"| ",
    b"+---+---+---+\n",
    b"|---+---+---|\n",
    b"| Migration | Total Needed | Completed |\n",
    b"+-+\n| Migration | Total Found | Completed |\n+-+\n",
    b"| populate_uuids | 50 | 50 |\n",
    b"| a | 5 | 5 |",
    b"| a | 1 | 18446744073709551615 |\n",
    b"99999999999999999999999999",
    b"18446744073709551616",
    b"-1",
    b"+1",
    b"0x10",
    b"1e9",
    b"\xd9\xa3\xd9\xa4",
    b"\x1b[00m",
    b"\x1b]0;title\x07",
    b"\r",
    b"\r\n",
    b"\n",
    b"\n\n",
    b"\0",
    b"\xff\xfe",
    b"\xc3",
    b"\xf0\x9f",
    b"\xe2\x80\xae",
    b"Error attempting to run <function ",
    b"Error attempting to run ",
    b"Traceback (most recent call last):\n",
    b"2026-11-21 21:47:38.727 22501 ERROR nova.cmd.manage ",
    b"() migrated ",
    b"x() migrated 5 of 7 objects.\n",
    b"Data migrations have completed.\n",
    b"Data migrations have not completed. Please re-run.\n",
    b"| Check: a\n| Result: Success\n| Details: None |\n",
    b"Upgrade Check Results",
    b"{\"format\":1,",
    b",\"sum\":\"00000000\"}\n",
    b"null",
    b"%2F%00",
    b"://",
    b"@",
];

/// A damaged text; `pieces` where any part of one is as good as the whole.
pub(crate) fn mutated(texts: &[Vec<u8>], pieces: bool, random: &mut Random) -> Vec<u8> {
    let mut bytes = part(&texts[random.place(texts.len())], pieces, random).to_vec();
    // Some are left as they are but for where they are cut.
    for _ in 0..random.below(7) {
        mutate(&mut bytes, texts, pieces, random);
    }
    bytes
}

fn part<'t>(text: &'t [u8], pieces: bool, random: &mut Random) -> &'t [u8] {
    if !pieces || text.len() <= PIECE || random.below(WHOLE) == 0 {
        return text;
    }
    // The end of an output is where tables stand.
    let start = if random.below(2) == 0 { text.len() - PIECE } else { random.place(text.len()) };
    &text[start..text.len().min(start + PIECE)]
}

fn mutate(bytes: &mut Vec<u8>, texts: &[Vec<u8>], pieces: bool, random: &mut Random) {
    let at = random.place(bytes.len() + 1);
    match random.below(9) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.next() as u8;
            }
        }
        2 => {
            let end = bytes.len().min(at + random.place(40));
            bytes.drain(at..end);
        }
        3 => insert(bytes, at, random.pick(&TOKENS)),
        4 => {
            let line = line_at(bytes, at);
            let copy = bytes[line.clone()].to_vec();
            (0..=random.below(3)).for_each(|_| insert(bytes, line.end, &copy));
        }
        5 => {
            let other = part(&texts[random.place(texts.len())], pieces, random);
            let from = random.place(other.len() + 1);
            let upto = other.len().min(from + random.place(200));
            insert(bytes, at, &other[from..upto]);
        }
        6 => bytes.truncate(at),
        7 => {
            // A line moves elsewhere.
            let line = line_at(bytes, at);
            let moved: Vec<u8> = bytes.drain(line).collect();
            let to = random.place(bytes.len() + 1);
            insert(bytes, to, &moved);
        }
        _ => {
            // A number becomes another one.
            let Some(start) = (at..bytes.len()).find(|place| bytes[*place].is_ascii_digit()) else { return };
            let end = (start..bytes.len()).find(|place| !bytes[*place].is_ascii_digit()).unwrap_or(bytes.len());
            let number = (random.next() >> random.below(64)).to_string();
            bytes.splice(start..end, number.into_bytes());
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    bytes.splice(at..at, new.iter().copied());
}

/// The line that a place is in, with its end.
fn line_at(bytes: &[u8], at: usize) -> std::ops::Range<usize> {
    let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end + 1);
    start..end
}
