//! What a document may hold, and where its mistakes are found.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    format: u32,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    texts: Vec<String>,
    #[serde(default)]
    small: BTreeMap<u8, bool>,
    #[serde(default)]
    share: f64,
    #[serde(default)]
    colour: Colour,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Colour {
    #[default]
    Grey,
    Mixed {
        red: i16,
    },
}

fn read(body: &str) -> Result<Sample, Vec<String>> {
    let source = Source::new("sample.yaml", format!("format: 1\n{body}"));
    Document::read(&source, 1)
        .map(|document| document.value)
        .map_err(|mistakes| mistakes.iter().map(Mistake::one_line).collect())
}

fn mistakes(body: &str) -> String {
    read(body).expect_err("a mistake").join("\n")
}

#[test]
fn text_may_stay_unquoted_and_is_read_as_it_is_spelled() {
    for text in ["2024.1", "2024.10", "47147121", "1e3", "0x1F", "yes", "true", "1_000", "22.0.0", "2024-10-02", ".nan"]
    {
        assert_eq!(read(&format!("text: {text}\n")).expect("text").text.as_deref(), Some(text));
    }
    assert_eq!(read("text: ~\n").expect("nothing").text, None);
    assert_eq!(read("text: '~'\n").expect("text").text.as_deref(), Some("~"));
}

#[test]
fn numbers_and_truth_values_have_one_spelling_each() {
    let sample = read("small: {1: true, 255: false}\nshare: 0.25\ncolour: {mixed: {red: -3}}\n").expect("values");
    assert_eq!(sample.small, [(1, true), (255, false)].into());
    assert_eq!(read("small: {'1': true}\n").expect("as in JSON").small, [(1, true)].into());
    assert_eq!((sample.share, sample.colour), (0.25, Colour::Mixed { red: -3 }));
    insta::assert_snapshot!(mistakes(
        "small: {256: true, -1: true, one: true, 2: yes, 3: 'true', 4: [true]}\nshare: .inf\n\
         colour: {mixed: {red: 40000}}\n"
    ));
}

#[test]
fn what_yaml_has_beyond_plain_documents_is_refused_by_name() {
    insta::assert_snapshot!(mistakes(
        "text: &name x\ntexts: [*name, *nobody, !!str y, a]\nsmall: !odd {}\n<<: {share: 1}\n? [a, b]\n: c\n"
    ));
}

#[test]
fn a_value_of_another_kind_than_expected_is_named() {
    let bodies = [
        "texts: a\ntext: [a]\ncolour: [mixed]\nsmall:\n",
        "colour: mixed\n",
        "colour: {grey: 1}\n",
        "colour: {}\n",
        "colour: {grey: , mixed: {red: 1}}\n",
        "text: x\ntext: y\ntext: z\n---\nformat: 1\n",
        "texts: [a, b\ntext: 'x\n",
        "text: \"\\q\"\n",
        "\ttext: x\n",
    ];
    let found: Vec<String> = bodies.iter().map(|body| format!("{body:?}\n{}\n", mistakes(body))).collect();
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn a_place_is_counted_in_characters_and_never_leaves_its_line() {
    assert_eq!(mistakes("'größe': 1\n"), "sample.yaml:2:1: unknown key `größe`");
    assert_eq!(mistakes("small: {ü: true}\n"), "sample.yaml:2:9: expected a whole number, found `ü`");
    let source = Source::new("sample.yaml", "format: 1\ntexts: >-\n  a\n  b\n");
    let mistakes = Document::<Sample>::read(&source, 1).expect_err("a text is no list");
    let place = mistakes[0].place().expect("a place");
    assert_eq!((place.line, place.column), (3, 3));
    assert!(!source.text()[place.offset..place.offset + place.length].contains('\n'));
}

#[test]
fn whoever_checks_the_meaning_can_point_at_a_value_or_at_what_is_around_it() {
    let source = Source::new("sample.yaml", "format: 1\ntexts: [a, b]\ncolour:\n  mixed:\n    red: 7\n");
    let document = Document::<Sample>::read(&source, 1).expect("a document");
    let place = |path: &str| document.mistake(path, "x").one_line();
    assert_eq!(place("texts/1"), "sample.yaml:2:12: x");
    assert_eq!(place("colour/*/red"), "sample.yaml:5:10: x");
    assert_eq!(place("colour/*/green"), "sample.yaml:5:5: x");
    assert_eq!(place("texts/9"), "sample.yaml:2:8: x");
    assert_eq!(place("nowhere/at/all"), "sample.yaml:1:1: x");
}

proptest! {
    #[test]
    fn any_single_line_of_text_survives_quoting(text in "\\PC{0,40}") {
        let quoted = serde_json::to_string(&text).expect("JSON is YAML");
        prop_assert_eq!(read(&format!("text: {quoted}\n")).expect("text").text, Some(text));
    }

    #[test]
    fn no_text_makes_the_reader_panic_or_forget_to_say_why(body in "(?s)[-:{}\\[\\],&*!|>'\"%#?~ \n\ta-c1é]{0,120}") {
        if let Err(found) = read(&body) {
            prop_assert!(!found.is_empty());
        }
    }
}

#[test]
fn a_discreet_document_repeats_words_that_are_keys_and_nothing_else() {
    let text = "format: 1\ntexts: Secret99\ntext: [a]\nshare: Secret99\ncolor: grey\nSecret@99: 1\ncolour: Secret99\n\
                small: {1: Secret99, Secret99!: true}\nSecret@99: 2\n";
    let shown = text.replace("Secret", "******");
    let attempt = Attempt::<Sample>::read(&Source::new("sample.yaml", text).discreet(shown), 1);
    let lines: Vec<String> = attempt.mistakes.iter().map(Mistake::one_line).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    sample.yaml:2:8: expected a list
    sample.yaml:3:7: expected text
    sample.yaml:4:8: expected a number
    sample.yaml:5:1: unknown key `color`
    sample.yaml:6:1: unknown key
    sample.yaml:7:9: unknown word
    sample.yaml:8:12: expected `true` or `false`
    sample.yaml:8:22: expected a whole number
    sample.yaml:9:1: the key is given twice, first in line 6
    ");
    assert!(!format!("{:?}", attempt.mistakes).contains("Secret"));
}

#[test]
fn what_a_mistake_leaves_of_a_document_can_be_checked() {
    let text = "format: 1\nsmall: {1: true, 2: maybe}\ncolour: {mixed: {red: 1}}\ntexts: [a, {b: c}]\nshare: 0.5\n";
    let attempt = Attempt::<Sample>::read(&Source::new("sample.yaml", text), 1);
    assert_eq!(attempt.mistakes.len(), 2);
    assert_eq!(attempt.value.as_ref().map(|sample| sample.small.len()), Some(1));
    for (path, sound) in [("small", false), ("small/1", true), ("small/2", false), ("colour/mixed/red", true)] {
        assert_eq!(attempt.is_sound(path), sound, "{path}");
    }
    assert_eq!((attempt.is_sound("share"), attempt.is_sound("texts"), attempt.is_sound("")), (true, false, false));
    let place = |mistake: Mistake| mistake.place().map(|place| (place.line, place.column, place.length));
    assert_eq!(place(attempt.mistake("colour/mixed", "")), Some((3, 10, 5)));
    assert_eq!(place(attempt.mistake("colour/mixed/red", "")), Some((3, 23, 1)));
    assert_eq!(place(attempt.mistake_at_key("colour/mixed/red", "")), Some((3, 18, 3)));
}
