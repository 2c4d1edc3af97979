//! A range of eight releases of fourteen services, linted out of images with their real scripts.

use std::collections::{BTreeMap, BTreeSet};

use leapfrog::catalog::{Catalog, Release};
use leapfrog::lint::Rule;
use leapfrog::model::{DatabaseId, Series};
use serde_json::Value;

use crate::cloud::{Told, environment, testbed};

/// Where and how far.
const RANGE: (&str, &str) = ("2023.1", "2026.2");

/// The releases of the range, and the release that it starts from.
fn releases(catalog: &Catalog) -> Vec<&Release> {
    let [from, to]: [Series; 2] = [RANGE.0, RANGE.1].map(|series| series.parse().unwrap());
    catalog.releases().filter(|release| from <= release.series && release.series <= to).collect()
}

/// A cloud file for all services, whose images hold each service's package of the release and nothing else; no database
/// is there.
fn cloud(catalog: &Catalog) -> tempfile::TempDir {
    for release in releases(catalog) {
        let packages = release.services.values().map(|facts| format!("{}=={}", facts.package, facts.versions.last));
        let packages: Vec<String> = packages.collect();
        let mut arguments = vec!["scripts", release.series.as_str()];
        arguments.extend(packages.iter().map(String::as_str));
        testbed(&arguments, "");
    }
    let facts = environment();
    let socket = facts["docker_host"].as_str().map(|host| format!("    socket: {host}\n")).unwrap_or_default();
    let image = facts["image"].as_str().unwrap();
    let mut text = format!(
        "format: 1\nname: range\nrunner:\n  containers:\n{socket}    images:\n      default: \"{image}:scripts-{{series}}\"\n\
         services:\n"
    );
    for playbook in catalog.playbooks() {
        let service = &playbook.service;
        text.push_str(&format!("  {service}:\n"));
        let mut named = String::new();
        for slot in &playbook.databases {
            let name = &slot.slot;
            let url = format!("{{url: \"mysql+pymysql://nobody@127.0.0.1:1/{service}_{name}\"}}");
            match name.as_str() {
                DatabaseId::MAIN => text.push_str(&format!("    database: {url}\n")),
                _ if slot.many => text.push_str(&format!("    {name}: {{cell1: {url}}}\n")),
                _ => named.push_str(&format!("      {name}: {url}\n")),
            }
        }
        if !named.is_empty() {
            text.push_str(&format!("    databases:\n{named}"));
        }
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("leapfrog.yaml"), text).unwrap();
    directory
}

/// `leapfrog lint` over the range.
fn lint(directory: &tempfile::TempDir, arguments: &[&str]) -> Told {
    let mut command = crate::bed::leapfrog(&["lint", "--from", RANGE.0, "--to", RANGE.1]);
    Told::from(command.args(arguments).current_dir(directory.path()).output().unwrap())
}

/// A finding's service, revision and rule.
fn key(found: &Value) -> (String, String, String) {
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (text("service"), text("revision"), text("rule"))
}

#[test]
#[ignore = "needs the test bed: make test"]
fn every_finding_from_warnings_on_has_a_note_and_every_note_a_finding() {
    let catalog = Catalog::embedded().unwrap();
    let cloud = cloud(&catalog);
    let engines = ["--engine", "mysql,mariadb,postgresql"];
    let told = lint(&cloud, &[&engines[..], &["--deny", "warning", "-o", "json"]].concat());
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    assert!(report["scripts"].as_u64() > Some(90), "{}", told.stderr);
    assert!(!told.stderr.contains("the notes on"), "{}", told.stderr);
    let findings = report["findings"].as_array().unwrap();
    let grave = findings.iter().filter(|found| found["severity"] != "information" && found["accepted"].is_null());
    let silent: BTreeSet<_> = grave.map(key).collect();
    assert!(silent.is_empty(), "{} without a note: {silent:#?}", silent.len());
    told.ended(0);

    let known: BTreeSet<_> = findings.iter().map(key).collect();
    let mut idle = Vec::new();
    for release in &releases(&catalog)[1..] {
        for note in &release.exceptions {
            let service = note.service.as_ref().unwrap().to_string();
            for name in &note.rules {
                let rule = Rule::named(name).unwrap_or_else(|| panic!("{}: no rule {name}", release.series));
                let wanted = (service.clone(), note.revision.clone(), rule.id.to_owned());
                if !known.contains(&wanted) {
                    idle.push(wanted);
                }
            }
        }
    }
    assert!(idle.is_empty(), "notes of nothing: {idle:#?}");

    // Without the notes the same is denied.
    lint(&cloud, &[&engines[..], &["--no-notes", "--only", "nova"]].concat()).ended(8);
}

#[test]
#[ignore = "needs the test bed: make test"]
fn what_is_known_to_hurt_is_found_by_name() {
    let catalog = Catalog::embedded().unwrap();
    let told = lint(&cloud(&catalog), &["--no-notes", "-o", "json"]).ended(8);
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    let mut found: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for (service, revision, rule) in report["findings"].as_array().unwrap().iter().map(key) {
        found.entry((service, revision)).or_default().insert(rule);
    }
    for (service, revision, rules) in [
        // use_quota becomes NOT NULL.
        ("cinder", "b8660621f1b9", &["LF-C06", "LF-L02"][..]),
        // Every table becomes utf8mb4.
        ("ironic", "2a3b4c5d6e7f", &["LF-C15", "LF-L01"]),
    ] {
        let here = &found[&(service.to_owned(), revision.to_owned())];
        for rule in rules {
            assert!(here.contains(*rule), "{service} {revision}: {here:?} has no {rule}");
        }
    }
}
