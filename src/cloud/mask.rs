//! Makes a cloud file's text fit to be shown: what may be a password becomes stars.
//!
//! Errors show the lines around a mistake, and a line may hold a database URL. Stars take the place of
//! text, as many bytes and characters as it had: places in the masked text are places in the file.

use crate::document::{Attempt, Entry, is_word};

/// Words of the format that may be shown even where the text is no YAML.
const WORDS: &[&str] = &[
    "format",
    "name",
    "state",
    "runner",
    "containers",
    "socket",
    "network",
    "user",
    "pull",
    "prefetch",
    "read_images",
    "images",
    "local",
    "index",
    "wheels",
    "constraints",
    "separate",
    "uv",
    "python",
    "default",
    "services",
    "database",
    "databases",
    "cells",
    "cell_overrides",
    "cell_servers",
    "mapped",
    "stored_urls",
    "url",
    "url_env",
    "url_file",
    "url_from",
    "files",
    "section",
    "option",
    "password_env",
    "password_file",
    "limits",
    "jobs",
    "batch",
    "round",
    "stall",
    "connect",
    "restore_points",
    "policy",
    "accept_no_way_back",
    "directory",
    "keep",
    "verify",
    "commands",
    "save",
    "restore",
    "remove",
    "api",
    "cell0",
];

/// The text of a file that can be parsed: keys stay, and values that hold no secrets. Nothing if it
/// cannot be parsed.
pub(super) fn values<T>(text: &str, attempt: &Attempt<T>) -> Option<String> {
    let mut masked = words(text, &[]).into_bytes();
    let parsed = attempt.visit(&mut |Entry { path, key, value }| {
        let key = Some(key).filter(|_| path.last().is_some_and(|key| is_word(key)));
        let value = value.filter(|_| is_plain(path));
        for range in key.into_iter().chain(value) {
            if let (Some(to), Some(from)) = (masked.get_mut(range.clone()), text.as_bytes().get(range)) {
                to.copy_from_slice(from);
            }
        }
    });
    // A URL may stand where none belongs.
    parsed.then(|| urls(&String::from_utf8_lossy(&masked)))
}

/// The text of a file that is no YAML: only words of the format (and `services`) stay.
pub(super) fn words(text: &str, services: &[&str]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        if WORDS.contains(&word.as_str()) || services.contains(&word.as_str()) {
            masked.push_str(&word);
        } else {
            masked.extend(word.chars().map(star));
        }
        word.clear();
        // Passwords have punctuation too; what gives YAML its form stays.
        if c.is_whitespace() || "{}[]:,\"'#-".contains(c) {
            masked.push(c);
        } else {
            masked.push(star(c));
        }
    }
    masked.pop();
    masked
}

/// Whether the value that `path` leads to holds no secret.
fn is_plain(path: &[&str]) -> bool {
    match *path {
        ["format" | "name" | "state"] | ["limits", _] | ["runner", "containers", ..] => true,
        // Their addresses may let somebody in.
        ["runner", "local", key, ..] => !matches!(key, "index" | "constraints"),
        ["services", _, "stored_urls"] => true,
        // The operator's commands may hold anything.
        ["restore_points", key] => key != "commands",
        ["services", .., "url_from", last] | ["services", .., "url_from", last, _] => {
            matches!(last, "files" | "section" | "option" | "database")
        }
        ["services", .., last] => matches!(last, "url_env" | "url_file" | "password_env" | "password_file"),
        _ => false,
    }
}

/// A character that takes the place of `c` and has as many bytes.
fn star(c: char) -> char {
    match c.len_utf8() {
        1 => '*',
        2 => '\u{d7}',
        3 => '\u{2022}',
        _ => '\u{1f784}',
    }
}

/// Masks user information and query of whatever looks like a URL.
fn urls(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let Some((scheme, rest)) = line.split_once("://") else {
            masked.push_str(line);
            continue;
        };
        masked.push_str(scheme);
        masked.push_str("://");
        let hide = rest.rfind('@').unwrap_or(0);
        let query = rest.find('?').unwrap_or(rest.len());
        for (at, c) in rest.char_indices() {
            if at < hide || (at > query && !c.is_whitespace() && !matches!(c, '"' | '\'' | '}')) {
                masked.push(star(c));
            } else {
                masked.push(c);
            }
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Source;
    use proptest::prelude::*;

    fn attempt(text: &str) -> Attempt<()> {
        Attempt::read(&Source::new("leapfrog.yaml", text), 1)
    }

    #[test]
    fn urls_and_unknown_values_are_masked_and_all_else_stays() {
        let text = "name: x\nrunner: {containers: {socket: unix:///run/docker.sock}}\nservices:\n  nova:\n    \
                    database: {url: \"mysql://k:Secret99@h/k\", password: Secret99, url_env: SOME}\n";
        insta::assert_snapshot!(values(text, &attempt(text)).expect("YAML"), @r#"
        name: x
        runner: {containers: {socket: unix:///run/docker.sock}}
        services:
          nova:
            database: {url: "*****:***:************", password: ********, url_env: SOME}
        "#);
        insta::assert_snapshot!(words(text, &["nova"]), @r#"
        name: *
        runner: {containers: {socket: ****:******************}}
        services:
          nova:
            database: {url: "*****:***:************", ********: ********, url_env: ****}
        "#);
    }

    #[test]
    fn a_url_in_the_wrong_place_is_masked_too() {
        assert_eq!(urls("a: mysql://k:pa@ss@h/d?password=x # y\n"), "a: mysql://*******@h/d?********** * *\n");
    }

    proptest! {
        #[test]
        fn masking_keeps_every_place(text in "[a-zé\u{2022}\u{1f784} :/@?{}\"\n]{0,80}") {
            let mut masked = vec![words(&text, &[]), urls(&text)];
            masked.extend(values(&text, &attempt(&text)));
            for masked in masked {
                let places = |text: &str| text.char_indices().map(|(at, _)| at).collect::<Vec<_>>();
                prop_assert_eq!(places(&masked), places(&text));
            }
        }
    }
}
