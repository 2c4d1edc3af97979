//! Nothing that can be typed brings the parser down.

use clap::Parser;
use leapfrog::cli::Arguments;
use proptest::prelude::*;

/// Words that mean something, and anything else.
fn word() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "plan",
        "detect",
        "pull",
        "status",
        "logs",
        "runs",
        "releases",
        "playbooks",
        "show",
        "catalog",
        "check",
        "schema",
        "cloud",
        "completions",
        "bash",
        "help",
        "--from",
        "--to",
        "--only",
        "--yes",
        "-y",
        "--jobs",
        "-j",
        "--prefetch",
        "--fresh",
        "--config",
        "-c",
        "--catalog",
        "--output",
        "-o",
        "--color",
        "--run",
        "--",
        "-",
        "--help",
        "auto",
        "2023.1",
        "+1",
        "-1",
        "nova",
        "nova,,glance",
        "0",
        "99999",
        "jsonl",
        "--to=",
        "--to=-1",
        "-ojson",
        "-yj",
    ];
    prop_oneof![4 => prop::sample::select(WORDS).prop_map(str::to_owned), 1 => any::<String>(), 1 => "-{0,3}[a-z=]{0,8}"]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn any_words_are_understood_or_refused_in_words(words in prop::collection::vec(word(), 0..8)) {
        let parsed = Arguments::try_parse_from(std::iter::once("leapfrog".to_owned()).chain(words));
        if let Err(error) = parsed {
            prop_assert!(!error.to_string().is_empty());
            prop_assert!(matches!(error.exit_code(), 0 | 2));
        }
    }
}

#[test]
fn the_command_line_contradicts_itself_nowhere() {
    <Arguments as clap::CommandFactory>::command().debug_assert();
}
