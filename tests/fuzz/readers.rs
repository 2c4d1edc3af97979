//! The readers, and what must hold of whatever they say. Each tells whether its input could still be read.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::str::FromStr;

use camino::Utf8Path;
use leapfrog::catalog::{OutputFormat, Playbook};
use leapfrog::document::{Document, Source};
use leapfrog::journal::{self, MigrationCount};
use leapfrog::lint::read::read;
use leapfrog::lint::{Models, Report, Scope, Script, Server, Target, Transactions, judge};
use leapfrog::model::{ConnectionUrl, DatabaseId, Digest, ImageReference, RunId, Series, StepId, Stream};
use leapfrog::oslo::{Configuration, Name};
use leapfrog::readers::{CheckReader, CountReader, ExceptionReader};
use leapfrog::runner::lines::Lines;

use crate::random::Random;

/// Lines of an output that came in pieces.
fn lines<'p>(pieces: impl Iterator<Item = &'p [u8]>) -> Vec<String> {
    let mut lines = Lines::default();
    let mut texts: Vec<String> = Vec::new();
    for piece in pieces {
        texts.extend(lines.take(Stream::Stdout, piece).into_iter().map(|line| line.text));
    }
    texts.extend(lines.finish().into_iter().map(|line| line.text));
    texts
}

fn counts(format: OutputFormat, lines: &[String]) -> Option<Vec<MigrationCount>> {
    let mut reader = CountReader::new(format);
    lines.iter().for_each(|line| reader.line(line));
    reader.finish().ok()
}

/// Every number that is written in digits and fits.
fn numbers(lines: &[String]) -> BTreeSet<u64> {
    let runs = lines.iter().flat_map(|line| line.split(|c: char| !c.is_ascii_digit()));
    runs.filter_map(|digits| digits.parse().ok()).collect()
}

/// The output of a command, through everything that listens to it.
pub(crate) fn output(bytes: &[u8], random: &mut Random) -> bool {
    let whole = lines(std::iter::once(bytes));
    let length = 1 + random.place(90);
    if random.below(4) == 0 {
        assert_eq!(lines(bytes.chunks(length)), whole, "pieces of {length} bytes read otherwise");
    }
    for line in &whole {
        assert!(!line.contains(|c: char| c.is_control() && c != '\t'), "a control character is left in {line:?}");
    }
    let table = counts(OutputFormat::Table, &whole);
    let sentences = counts(OutputFormat::Ironic, &whole);
    for counts in [&table, &sentences].into_iter().flatten() {
        bounded(counts);
    }
    if let Some(counts) = table.as_ref().filter(|counts| !counts.is_empty()) {
        let numbers = numbers(&whole);
        for MigrationCount { migration, found, moved } in counts {
            let row = |line: &String| line.contains(migration.as_str());
            assert!(whole.iter().any(row), "{migration} was made up");
            assert!(numbers.contains(found) && numbers.contains(moved), "{found} or {moved} was made up");
        }
    }
    if let Some(counts) = sentences.as_ref().filter(|counts| !counts.is_empty()) {
        let runs = whole.iter().flat_map(|line| line.split(|c: char| !c.is_ascii_digit()));
        let all = runs.filter_map(|digits| digits.parse::<u64>().ok()).fold(0, u64::saturating_add);
        for count in counts {
            assert!(count.found <= all && count.moved <= all, "{count:?} is more than was written");
        }
    }
    let mut exceptions = ExceptionReader::default();
    whole.iter().for_each(|line| exceptions.line(line));
    let raised = exceptions.finish();
    assert!(raised.len() <= 16, "{} exceptions", raised.len());
    for raised in &raised {
        let longest = raised.exception.iter().map(|text| text.chars().count()).max().unwrap_or_default();
        assert!(longest <= 400, "an exception of {longest} characters");
        assert!(raised.migration.as_ref().is_none_or(|name| !name.is_empty() && name.len() <= 128), "{raised:?}");
    }
    let mut checks = CheckReader::new();
    whole.iter().for_each(|line| checks.line(line));
    let checks = checks.finish();
    // In JSON a name may be written with escapes.
    for check in checks.iter().flatten().filter(|_| !whole.iter().any(|line| line.trim().starts_with('{'))) {
        assert!(whole.iter().any(|line| line.contains(check.name.split(' ').next().unwrap_or_default())), "{check:?}");
    }
    assert!(checks.as_ref().is_none_or(|checks| !checks.is_empty() && checks.len() <= 256), "{checks:?}");
    table.is_some() || sentences.is_some() || checks.is_some()
}

fn bounded(counts: &[MigrationCount]) {
    assert!(counts.len() <= 256, "{} migrations", counts.len());
    assert!(counts.windows(2).all(|pair| pair[0].migration < pair[1].migration), "a migration is there twice");
    for count in counts {
        let name = &count.migration;
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte));
        assert!(plain && !name.is_empty() && name.len() <= 128, "{name:?} is no name of a migration");
    }
}

/// A journal: what can be read says the same when it is written and read again.
pub(crate) fn journal(bytes: &[u8]) -> bool {
    let _ = journal::parse(Utf8Path::new("journal.jsonl"), bytes);
    let mut any = false;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Ok(record) = serde_json::from_slice::<journal::Record>(line) else { continue };
        any = true;
        if matches!(record.body, journal::RecordBody::Unknown) {
            continue;
        }
        let written = serde_json::to_string(&record).expect("a record has a form in JSON");
        let read: journal::Record = serde_json::from_str(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(serde_json::to_string(&read).expect("as before"), written);
    }
    any
}

/// A name of anything: what is accepted round-trips.
pub(crate) fn name(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let names = [
        round_trips::<StepId>(&text),
        round_trips::<DatabaseId>(&text),
        round_trips::<RunId>(&text),
        round_trips::<Series>(&text),
        round_trips::<ImageReference>(&text),
        round_trips::<Digest>(&text),
    ];
    let url = text.parse::<ConnectionUrl>();
    if let Ok(url) = &url {
        // For a service it holds the password; shown, it must still be a text.
        assert!(!url.to_string().is_empty());
        let _ = (url.engine(), url.has_percent_sign(), url.for_service());
    }
    url.is_ok() || names.contains(&true)
}

fn round_trips<T: FromStr + Display + PartialEq + Debug>(text: &str) -> bool {
    let Ok(name) = text.parse::<T>() else { return false };
    let shown = name.to_string();
    let Ok(again) = shown.parse::<T>() else { panic!("{text:?} was taken and its own form {shown:?} is not") };
    assert_eq!(again, name, "{text:?} is shown as {shown:?}");
    true
}

/// A document: sound, or mistakes that can be shown.
pub(crate) fn document(bytes: Vec<u8>) -> bool {
    let source = match Source::from_bytes("playbooks/nova.yaml", bytes) {
        Ok(source) => source,
        Err(mistake) => {
            assert!(!mistake.one_line().is_empty());
            return false;
        }
    };
    match Document::<Playbook>::read(&source, 1) {
        Ok(_) => true,
        Err(mistakes) => {
            assert!(!mistakes.is_empty() && mistakes.iter().all(|mistake| !mistake.one_line().is_empty()));
            false
        }
    }
}

/// A service's configuration: what is read is written there, what is not is told with a line, and neither is shown.
pub(crate) fn configuration(bytes: &[u8]) -> bool {
    let mut read = Configuration::default();
    if let Err(error) = read.take(Utf8Path::new("nova.conf"), bytes) {
        let told = error.to_string();
        assert!(told.starts_with("nova.conf:") && !told.contains("Secret99"), "{told}");
        return false;
    }
    let text = String::from_utf8(bytes.to_vec()).expect("only UTF-8 is read");
    for (group, option) in
        [("database", "connection"), ("api_database", "connection"), ("DEFAULT", "debug"), ("DEFAULT", "host")]
    {
        let name = Name::new(group, option);
        let Some(written) = read.written(std::slice::from_ref(&name)) else { continue };
        let ends = written.line..=text.matches(['\n', '\r']).count() + 1;
        assert!(!ends.is_empty(), "line {} of {text:?}", written.line);
        for line in written.value.expose().split('\n') {
            assert!(text.contains(line), "{line:?} was made up");
        }
        match read.value(&[name]) {
            Ok(value) => assert!(value.is_some_and(|value| value.value.expose().len() <= 1 << 20)),
            Err(error) => assert!(!error.to_string().contains("Secret99") && !error.advice().is_empty(), "{error}"),
        }
    }
    true
}

/// A migration script: whatever is found stands in it, and what is not understood is said.
pub(crate) fn script(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let operations = read(&text);
    let _ = Models::read([text.as_str()]);
    let transactions = Some(Transactions::read(&text));
    for operation in &operations {
        let place = operation.place;
        assert!(text.get(place.offset..place.offset + place.length).is_some(), "{place:?} is no part of the script");
        assert_eq!(text[..place.offset].matches('\n').count() + 1, place.line, "{place:?}");
    }
    let understood = operations.iter().any(|operation| !operation.change.is_opaque());
    let script = Script {
        series: None,
        service: None,
        schema: "versions".into(),
        file: "versions/a.py".into(),
        text,
        revision: None,
        branch: None,
        operations,
        remarks: Vec::new(),
        models: None,
        transactions,
    };
    let opaque = script.operations.iter().filter(|operation| operation.change.is_opaque()).count();
    let (scripts, targets) = ([script], Server::ALL.map(Target::usual));
    let findings = judge(&scripts, &targets, Scope::Together);
    let told = findings.iter().filter(|finding| finding.rule.id == "LF-S04").count();
    assert!(told >= opaque, "{opaque} places are not understood, and {told} are told");
    let _ = Report::new(&scripts, &targets, &findings);
    understood
}
