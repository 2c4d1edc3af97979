//! The JSON Schemas in `schemas/` agree with the code and with the documents that leapfrog ships.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Every schema that the project publishes, by the name of its file.
fn schemas() -> Vec<(&'static str, Value)> {
    leapfrog::cli::documents()
}

/// The shipped documents that a schema describes: directory, how their names end, and schema.
const DOCUMENTS: &[(&str, &str, &str)] = &[
    ("releases", "yaml", "release"),
    ("releases", "notes.yaml", "lint-exceptions"),
    ("playbooks", "yaml", "playbook"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(directory: &str, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join(directory))
        .expect("a directory of the project")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
            // A series has a dot of its own.
            name.ends_with(&format!(".{ending}")) && (ending == "notes.yaml" || !name.ends_with(".notes.yaml"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_schemas_in_the_project_are_those_of_the_code() {
    let update = std::env::var_os("LEAPFROG_UPDATE").is_some();
    let mut stale = Vec::new();
    let mut expected = Vec::new();
    for (name, schema) in schemas() {
        let path = root().join("schemas").join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
        if std::fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            if update {
                std::fs::write(&path, text).expect("a schema can be written");
            } else {
                stale.push(name);
            }
        }
        expected.push(path);
    }
    assert!(
        stale.is_empty(),
        "stale: {stale:?}; run `LEAPFROG_UPDATE=1 cargo test --test schemas` and look at the changes"
    );
    expected.sort();
    assert_eq!(files("schemas", "json"), expected, "a schema that nothing generates any more");
}

#[test]
fn the_page_of_the_lints_rules_is_that_of_the_code() {
    let path = root().join("docs/lint-rules.md");
    let page = leapfrog::cli::lint::page();
    if std::fs::read_to_string(&path).ok().as_deref() == Some(&page) {
        return;
    }
    assert!(
        std::env::var_os("LEAPFROG_UPDATE").is_some(),
        "docs/lint-rules.md is stale; run `LEAPFROG_UPDATE=1 cargo test --test schemas` and look at the changes"
    );
    std::fs::write(&path, page).expect("a page can be written");
}

#[test]
fn every_shipped_document_follows_its_schema() {
    for (directory, ending, name) in DOCUMENTS {
        let (_, schema) = schemas().into_iter().find(|(known, _)| known == name).expect("a schema");
        let validator = jsonschema::validator_for(&schema).expect("a valid schema");
        let documents = files(directory, ending);
        assert!(!documents.is_empty(), "{directory} is empty");
        for path in documents {
            // Read as any YAML reader would, not as leapfrog does: an unquoted 2024.1 is a number here.
            let text = std::fs::read_to_string(&path).expect("text");
            let value: Value =
                serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let mistakes: Vec<String> =
                validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(mistakes.is_empty(), "{}: {mistakes:#?}", path.display());
        }
    }
}
