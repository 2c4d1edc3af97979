//! The stream for programs: its form, its schema, what may be left out.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::sync::OnceLock;

use proptest::prelude::*;
use serde_json::Value;

use crate::journal::{Event, Progress, Record, arbitrary};
use crate::report::jsonl::{Line, schema};
use crate::report::outlet::tests::Page;
use crate::report::stories::{self, Story};
use crate::report::{JsonLinesReporter, Reporter};

fn stream(story: &Story) -> Vec<String> {
    let page = Page::default();
    let mut reporter = JsonLinesReporter::new(page.outlet());
    story.tell(&mut reporter, 0.0, story.length() + 1.0, |_| {});
    reporter.finish(stories::after(story.length() + 1.0));
    page.take().lines().map(|line| line.expect("text")).collect()
}

fn validator() -> &'static jsonschema::Validator {
    static VALIDATOR: OnceLock<jsonschema::Validator> = OnceLock::new();
    VALIDATOR.get_or_init(|| {
        let schema = serde_json::to_value(schema()).expect("a schema is JSON");
        jsonschema::validator_for(&schema).expect("a valid schema")
    })
}

#[test]
fn every_line_of_a_real_run_fits_the_schema_and_has_its_envelope() {
    let validator = validator();
    for line in stream(&stories::leap()).iter().chain(&stream(&stories::failing())) {
        let value: Value = serde_json::from_str(line).expect("every line is an object of its own");
        assert!(validator.is_valid(&value), "{line}\n{:?}", validator.iter_errors(&value).next());
        assert_eq!(value["format"], 1, "{line}");
        assert!(value["time"].is_string(), "{line}");
        let kinds = ["event", "progress", "output"].iter().filter(|kind| value.get(**kind).is_some()).count();
        assert_eq!(kinds, 1, "one key says the kind: {line}");
    }
}

#[test]
fn records_are_the_journals_and_none_is_left_out() {
    let story = stories::leap();
    let records: Vec<Record> = stream(&story).iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(records, story.records());
    let first = serde_json::to_string(&story.records()[0]).expect("JSON");
    assert!(stream(&story).contains(&first), "the same bytes as in the journal");
}

#[test]
fn progress_on_one_thing_comes_once_a_second_and_news_comes_at_once() {
    let page = Page::default();
    let mut reporter = JsonLinesReporter::new(page.outlet());
    let rows = |step: &str, moved| {
        let step = step.parse().expect("a step");
        Event::Progress(Progress::Rows { step, round: 1, moved, total: None, rate: f64::INFINITY })
    };
    for tenth in 0..25u64 {
        let now = stories::after(tenth as f64 / 10.0);
        reporter.see(&rows("2023.2/nova/online-data-migrations@cell1", tenth), now);
        reporter.see(&rows("2023.2/cinder/online-data-migrations", tenth), now);
        if tenth == 13 {
            reporter.see(&Event::Progress(Progress::Notice { text: "reconnected".to_owned() }), now);
        }
    }
    reporter.finish(stories::after(3.0));
    insta::assert_snapshot!(page.text());
}

#[test]
fn the_schema_tells_the_three_kinds_apart() {
    let validator = validator();
    let base = serde_json::json!({"format": 1, "time": "2026-11-22T03:15:02Z"});
    assert!(!validator.is_valid(&base), "a line of no kind was taken for one");
}

/// Every value of `const` in a schema: the kinds that there are.
fn kinds(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(kind) = object.get("const").and_then(Value::as_str) {
                found.insert(kind.to_owned());
            }
            object.values().for_each(|value| kinds(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| kinds(value, found)),
        _ => {}
    }
}

#[test]
fn the_document_for_readers_shows_every_kind_of_line_and_each_fits_the_schema() {
    let document = include_str!("../../../docs/events.md");
    let mut shown = BTreeSet::new();
    for line in document.lines().filter(|line| line.starts_with('{')) {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(validator().is_valid(&value), "{line}");
        let kind = value.get("event").or(value.get("progress")).and_then(Value::as_str);
        shown.extend(kind.map(str::to_owned));
    }
    let schema = serde_json::to_value(schema()).expect("a schema is JSON");
    let mut known = BTreeSet::new();
    for kind in ["Record", "ProgressLine"] {
        kinds(&schema["$defs"][kind], &mut known);
    }
    assert_eq!(shown, known);
}

proptest! {
    #[test]
    fn any_event_makes_a_line_that_fits_the_schema(event in arbitrary::event(), now in arbitrary::time()) {
        let line = Line::of(&event, now).to_json().expect("every event has a form in JSON");
        prop_assert!(!line.contains('\n'));
        let value: Value = serde_json::from_str(&line).expect("JSON");
        let validator = validator();
        prop_assert!(validator.is_valid(&value), "{line}");
    }
}
