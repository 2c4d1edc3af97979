//! A journal with every kind of record in it, cut off at every byte and with every byte turned: nothing
//! panics, and nothing is read that says more than the whole said.

use camino::Utf8Path;

use super::legal::{numbered, started};
use crate::journal::file::line_of;
use crate::journal::{Contents, Evidence, Failure, JournalError, MigrationCount, Outcome, Record, RecordBody, parse};
use crate::model::{StepId, Verdict};

fn series() -> crate::model::Series {
    "2023.1".parse().expect("valid")
}

fn step(name: &str) -> StepId {
    format!("2023.1/nova/{name}").parse().expect("valid")
}

fn begins(name: &str, attempt: u32) -> RecordBody {
    RecordBody::StepStarted { step: step(name), attempt, command: Some("nova-manage".into()), adopted: false }
}

fn ends(name: &str, attempt: u32, outcome: Outcome, failure: Option<Failure>) -> RecordBody {
    let evidence = vec![Evidence::Exit { code: 0, verdict: Verdict::Done }];
    let (step, seconds, rows) = (step(name), 1.5, Some(1));
    RecordBody::StepEnded { step, attempt, outcome, seconds, rows, evidence, failure, never_began: false }
}

/// A whole run, with a death and a word of the operator in it.
fn records() -> Vec<Record> {
    let failure = Failure {
        what: "it failed".into(),
        command: None,
        exit: Some(1),
        last_lines: vec!["ünïcode".into()],
        log: None,
        migration: None,
        advice: "mend it".into(),
    };
    let round = RecordBody::RoundEnded {
        step: step("data"),
        attempt: 1,
        round: 1,
        exit: 1,
        verdict: Verdict::More,
        count: Some(50),
        counts: vec![MigrationCount { migration: "m".into(), found: 5, moved: 5 }],
        seconds: 0.25,
    };
    let (leapfrog, host) = ("0.1.0".to_owned(), "alpha".to_owned());
    numbered(vec![
        started(),
        RecordBody::HopStarted { series: series() },
        begins("sync", 1),
        ends("sync", 1, Outcome::Done, None),
        begins("data", 1),
        round,
        ends("data", 1, Outcome::Failed, Some(failure)),
        begins("once", 1),
        RecordBody::RunResumed { leapfrog: leapfrog.clone(), host: host.clone(), pid: 8, unfenced: true },
        begins("data", 2),
        ends("data", 2, Outcome::Done, None),
        RecordBody::RunEnded { outcome: Outcome::Failed, failure: None },
        RecordBody::StepResolved {
            step: step("once"),
            attempt: 1,
            outcome: Outcome::Done,
            by: "alice".into(),
            host: host.clone(),
            note: Some("looked".into()),
            evidence: Vec::new(),
        },
        RecordBody::RunResumed { leapfrog, host, pid: 9, unfenced: false },
        RecordBody::HopEnded { series: series() },
        RecordBody::RunEnded { outcome: Outcome::Done, failure: None },
    ])
}

fn bytes(records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(|record| line_of(record).expect("a form in JSON")).collect()
}

fn read(bytes: &[u8]) -> Result<Contents, JournalError> {
    parse(Utf8Path::new("journal.jsonl"), bytes)
}

/// Whether `part` claims nothing that `whole` does not.
fn claims_no_more(part: &Contents, whole: &Contents) -> bool {
    let steps = part.state.steps.keys().all(|step| !part.state.is_done(step) || whole.state.is_done(step));
    let hops = part.state.hops.iter().all(|hop| hop.ended.is_none() || whole.state.hop_is_complete(&hop.series));
    steps && hops && (!part.state.is_complete() || whole.state.is_complete())
}

#[test]
fn cut_off_at_any_byte_a_journal_reads_as_the_records_before_the_cut() {
    let records = records();
    let bytes = bytes(&records);
    let whole = read(&bytes).expect("readable");
    assert!(whole.state.is_complete());
    for length in 0..=bytes.len() {
        let left = read(&bytes[..length]).unwrap_or_else(|error| panic!("{length} bytes: {error}"));
        let lines = bytes[..length].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(left.records[..], records[..lines], "{length} bytes");
        assert!(claims_no_more(&left, &whole), "{length} bytes");
        assert_eq!(left.state.is_complete(), length == bytes.len());
    }
}

#[test]
fn with_any_byte_turned_a_journal_is_refused_by_the_number_of_its_record_or_reads_as_before() {
    let records = records();
    let bytes = bytes(&records);
    let whole = read(&bytes).expect("readable");
    let mut line = 1;
    let (mut refused, mut same) = (0, 0);
    for at in 0..bytes.len() {
        // One digit for its neighbour, any other bit in turn, and a byte that is no text.
        for bits in [1, 1 << (at % 8), 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= bits;
            match read(&damaged) {
                Err(JournalError::Damaged { number, .. }) => {
                    assert_eq!(number, line, "byte {at}, bits {bits}");
                    refused += 1;
                }
                Err(JournalError::Newer { .. }) => refused += 1,
                Err(other) => panic!("byte {at}, bits {bits}: {other}"),
                Ok(read) => {
                    assert_eq!(read, whole, "byte {at}, bits {bits}");
                    same += 1;
                }
            }
        }
        line += u64::from(bytes[at] == b'\n');
    }
    // Only the name and the frame of a sum can change without a word of the record.
    assert!(refused > 20 * same, "{refused} refused, {same} read as before");
}

#[test]
fn with_any_two_bytes_exchanged_or_a_block_of_zeros_no_success_is_made_up() {
    let records = records();
    let bytes = bytes(&records);
    let whole = read(&bytes).expect("readable");
    for at in (0..bytes.len() - 1).filter(|at| bytes[*at] != bytes[at + 1]) {
        let mut damaged = bytes.clone();
        damaged.swap(at, at + 1);
        if let Ok(left) = read(&damaged) {
            assert!(claims_no_more(&left, &whole), "bytes {at} and {}", at + 1);
        }
    }
    for block in (0..bytes.len()).step_by(64) {
        let mut damaged = bytes.clone();
        let end = (block + 64).min(bytes.len());
        damaged[block..end].fill(0);
        assert!(read(&damaged).is_err() || end == bytes.len(), "a block of zeros at {block} was read over");
    }
}
