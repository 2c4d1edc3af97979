//! Whatever a document says, it is read or refused.

use std::sync::LazyLock;

use super::*;
use proptest::prelude::*;

/// Loads one changed file beside some others: whatever happens, no panic, and what loads is a
/// catalogue like any other.
fn load(path: &str, text: &str) {
    static SHIPPED: LazyLock<[Vec<(String, String)>; 2]> = LazyLock::new(|| ["releases", "playbooks"].map(shipped));
    let (directory, name) = path.split_once('/').expect("a directory and a name");
    let [mut releases, mut playbooks] = SHIPPED.clone();
    // Two releases are enough for a file to disagree with.
    releases.retain(|(series, _)| ["2023.1", "2024.1"].contains(&series.as_str()));
    let files = if directory == "releases" { &mut releases } else { &mut playbooks };
    files.retain(|(known, _)| known != name);
    files.push((name.to_owned(), text.to_owned()));
    match Catalog::from_texts(&borrowed(&releases), &borrowed(&playbooks)) {
        Ok(catalog) => {
            for playbook in catalog.playbooks() {
                for release in catalog.releases() {
                    let absent = release.absent.contains_key(&playbook.service);
                    assert!(absent || release.services.contains_key(&playbook.service));
                    assert!(absent || playbook.configuration(&release.series).is_some());
                }
                assert!(playbook.steps.iter().all(|step| step.exits().can_end()));
            }
        }
        Err(error) => {
            assert!(!error.mistakes.is_empty());
            let _ = rendered(&error);
            let _ = serde_json::to_string(&error.mistakes).expect("a mistake as JSON");
        }
    }
}

fn file() -> impl Strategy<Value = (String, String)> {
    let files: Vec<_> = ["releases", "playbooks"]
        .into_iter()
        .flat_map(|directory| {
            shipped(directory).into_iter().map(move |(name, text)| (format!("{directory}/{name}"), text))
        })
        .collect();
    proptest::sample::select(files)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn changed_bytes_never_cause_a_panic((path, text) in file(), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = text.into_bytes();
        for (index, byte) in edits {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        load(&path, &String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn missing_lines_never_cause_a_panic((path, text) in file(), gone in prop::collection::vec(any::<prop::sample::Index>(), 1..6)) {
        let mut lines: Vec<&str> = text.lines().collect();
        for index in gone {
            let at = index.index(lines.len());
            lines.remove(at);
        }
        load(&path, &lines.join("\n"));
    }

    #[test]
    fn moved_and_repeated_lines_never_cause_a_panic((path, text) in file(), moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6)) {
        let mut lines: Vec<&str> = text.lines().collect();
        for (from, to) in moves {
            let line = lines[from.index(lines.len())];
            lines.insert(to.index(lines.len()), line);
        }
        load(&path, &lines.join("\n"));
    }

    #[test]
    fn garbage_never_causes_a_panic(text in "(?s).{0,200}", tail in prop::sample::select(vec!["", "\n- ", "\n{", "\n? [", "\n&a *a", "\n%TAG ! x\n---\n!!x y"])) {
        load("playbooks/nova", &format!("format: 1\nservice: nova\n{text}{tail}"));
        load("playbooks/nova", &text);
    }

    #[test]
    fn text_cut_off_anywhere_never_causes_a_panic((path, text) in file(), at in any::<prop::sample::Index>()) {
        let at = text.floor_char_boundary(at.index(text.len()));
        load(&path, &text[..at]);
    }
}

#[test]
fn documents_made_to_exhaust_a_reader_are_refused_with_their_reason() {
    let nested = |open: &str, depth: usize| format!("format: 1\ntitle: {}\n", open.repeat(depth));
    let blocks: String = (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let bomb = "format: 1\na: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\ntitle: *c\n";
    let wide = format!("format: 1\nsources: [{}]\n", "x, ".repeat(60_000));
    let wrong = format!("format: 1\nsources: [{}]\n", "{}, ".repeat(20_000));
    let texts = [nested("[", 100_000), nested("{a: ", 50_000), blocks, bomb.to_owned(), wide, wrong];
    let reasons: Vec<String> = texts
        .iter()
        .map(|text| {
            let found = mistakes(&[("playbooks/nova", text)]);
            format!("{} of {}", found[0].message(), found.len())
        })
        .collect();
    insta::assert_snapshot!(reasons.join("\n"));
}
