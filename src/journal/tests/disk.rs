//! What is left of a journal after power failures, bad disks and newer programs.

use camino::Utf8Path;
use proptest::prelude::*;

use super::legal::{numbered, run, started};
use crate::journal::arbitrary;
use crate::journal::file::line_of;
use crate::journal::{Journal, JournalError, Record, RecordBody, parse, read};

/// A journal's directory with these records in it, and the file's bytes.
fn written(records: &[Record]) -> (tempfile::TempDir, Vec<u8>) {
    let guard = tempfile::tempdir().expect("a directory");
    let directory = Utf8Path::from_path(guard.path()).expect("UTF-8");
    let mut journal = Journal::create(directory).expect("created");
    for record in records {
        assert_eq!(journal.append(record.time, record.body.clone()).expect("legal"), *record);
    }
    let bytes = std::fs::read(directory.join("journal.jsonl")).expect("readable");
    (guard, bytes)
}

/// The bytes of a journal with these records, without a disk.
fn lines(records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(|record| line_of(record).expect("a form in JSON")).collect()
}

fn parsed(bytes: &[u8]) -> Result<(Vec<Record>, u64), JournalError> {
    parse(Utf8Path::new("journal.jsonl"), bytes).map(|contents| (contents.records, contents.torn))
}

/// A hop with a step in doubt.
fn short() -> Vec<Record> {
    numbered(vec![
        started(),
        RecordBody::HopStarted { series: "2023.1".parse().expect("valid") },
        RecordBody::StepStarted {
            step: "2023.1/nova/db-sync".parse().expect("valid"),
            attempt: 1,
            command: None,
            adopted: false,
        },
    ])
}

#[test]
fn after_a_power_failure_the_torn_line_is_cut_off_and_the_numbers_go_on() {
    let records = short();
    let (guard, bytes) = written(&records);
    let directory = Utf8Path::from_path(guard.path()).expect("UTF-8");
    std::fs::write(directory.join("journal.jsonl"), &bytes[..bytes.len() - 20]).expect("written");
    let before = read(directory).expect("readable");
    assert_eq!((before.records.len(), before.torn > 0), (2, true));
    let (mut journal, contents) = Journal::open(directory).expect("opened");
    assert_eq!(contents, before, "reading changes nothing");
    let again = journal.append(records[2].time, records[2].body.clone()).expect("written");
    assert_eq!(again.sequence, 3);
    let after = read(directory).expect("readable");
    assert_eq!((after.records, after.torn), (records, 0));
    assert_eq!(&after.state, journal.state());
}

#[test]
fn a_journal_of_a_newer_leapfrog_is_refused_and_says_which_it_needs() {
    let (_guard, bytes) = written(&short());
    let newer = String::from_utf8(bytes).expect("text").replace("{\"format\":1,", "{\"format\":7,");
    let error = parsed(newer.as_bytes()).expect_err("refused");
    assert!(matches!(error, JournalError::Newer { format: 7, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("use the newer leapfrog"), "{error}");
}

#[test]
fn a_line_that_leapfrog_did_not_write_is_refused_by_its_number() {
    for line in ["", "not json", "{}", "[1]", "{\"format\":1}", "{\"format\":\"1\"}", "{\"format\":1,\"sequence\":2}"] {
        let (_guard, mut bytes) = written(&short()[..1]);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        let error = parsed(&bytes).expect_err("refused");
        assert!(matches!(error, JournalError::Damaged { number: 2, .. }), "{line}: {error}");
        assert!(error.to_string().starts_with("record 2 of journal.jsonl is damaged"), "{error}");
    }
}

#[test]
fn a_digit_that_the_disk_turned_into_another_is_noticed() {
    let (_guard, bytes) = written(&short());
    let text = String::from_utf8(bytes).expect("text");
    let error = parsed(text.replace("\"attempt\":1", "\"attempt\":2").as_bytes()).expect_err("refused");
    assert!(matches!(error, JournalError::Damaged { number: 3, .. }), "{error}");
    let error = parsed(text.replace("step-started", "step-sta2ted").as_bytes()).expect_err("refused");
    assert!(matches!(error, JournalError::Damaged { number: 3, .. }), "{error}");
}

#[test]
fn a_journal_written_by_hand_needs_no_sums() {
    let records = short();
    let lines: String =
        records.iter().map(|record| serde_json::to_string(record).expect("a form in JSON") + "\n").collect();
    assert_eq!(parsed(lines.as_bytes()).expect("readable"), (records, 0));
}

#[test]
fn a_journal_is_never_begun_over_another() {
    let (guard, bytes) = written(&short());
    let directory = Utf8Path::from_path(guard.path()).expect("UTF-8");
    assert!(matches!(Journal::create(directory), Err(JournalError::Disk { action: "create", .. })));
    assert_eq!(std::fs::read(directory.join("journal.jsonl")).expect("readable"), bytes);
}

#[test]
fn a_record_that_may_not_follow_is_not_written() {
    let (guard, bytes) = written(&short());
    let directory = Utf8Path::from_path(guard.path()).expect("UTF-8");
    let (mut journal, _) = Journal::open(directory).expect("opened");
    let body = RecordBody::HopEnded { series: "2023.1".parse().expect("valid") };
    let refused = journal.append(jiff::Timestamp::now(), body);
    assert!(matches!(refused, Err(JournalError::Illegal { .. })));
    assert_eq!(std::fs::read(directory.join("journal.jsonl")).expect("readable"), bytes);
    assert_eq!(journal.state().sequence, 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_beginning_of_a_journal_reads_as_its_whole_records_and_a_torn_rest(
        records in run(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 8),
        near in any::<prop::sample::Index>(),
    ) {
        let bytes = lines(&records);
        let ends: Vec<usize> = (1..=bytes.len()).filter(|end| bytes[end - 1] == b'\n').collect();
        let end = *near.get(&ends);
        let near_an_end = end.saturating_sub(3)..=(end + 2).min(bytes.len());
        for length in cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain(near_an_end).chain([0]) {
            let beginning = &bytes[..length];
            let whole = beginning.iter().filter(|byte| **byte == b'\n').count();
            let torn = beginning.iter().rev().take_while(|byte| **byte != b'\n').count();
            let read = parsed(beginning).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(read, (records[..whole].to_vec(), torn as u64));
        }
    }

    #[test]
    fn a_byte_that_changes_is_refused_or_changes_nothing(records in run(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let bytes = lines(&records);
        let at = at.index(bytes.len());
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << bit;
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        match parsed(&damaged) {
            Err(JournalError::Damaged { number, .. }) => prop_assert_eq!(number, line as u64 + 1),
            Err(JournalError::Newer { .. }) => prop_assert!(damaged[at].is_ascii_digit(), "only a format is newer"),
            Err(other) => prop_assert!(false, "{}", other),
            Ok((read, 0)) => prop_assert_eq!(read, records),
            Ok((read, torn)) => prop_assert!(false, "{} of {} records, {torn} bytes torn", read.len(), records.len()),
        }
    }

    #[test]
    fn any_record_is_read_back_from_its_line(body in arbitrary::body(), time in arbitrary::time()) {
        // Only the first record can be any: it is refused where it is not the beginning of a run.
        let guard = tempfile::tempdir().expect("a directory");
        let directory = Utf8Path::from_path(guard.path()).expect("UTF-8");
        let mut journal = Journal::create(directory).expect("created");
        let appended = journal.append(time, body.clone());
        let records = read(directory).expect("readable").records;
        match appended {
            Ok(record) => prop_assert_eq!(records, [record]),
            Err(error) => {
                prop_assert!(matches!(error, JournalError::Illegal { .. }) && records.is_empty(), "{}", error);
            }
        }
    }

    #[test]
    fn a_journal_that_is_closed_and_opened_after_each_record_is_the_same(mut records in run()) {
        records.truncate(15);
        let guard = tempfile::tempdir().expect("a directory");
        let directory = Utf8Path::from_path(guard.path()).expect("UTF-8");
        drop(Journal::create(directory).expect("created"));
        for record in &records {
            let (mut journal, _) = Journal::open(directory).expect("opened");
            journal.append(record.time, record.body.clone()).expect("legal");
        }
        prop_assert_eq!(std::fs::read(directory.join("journal.jsonl")).expect("readable"), lines(&records));
    }
}
