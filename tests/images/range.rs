//! A range of eight releases of fourteen services, linted out of images with their real scripts.

use std::collections::{BTreeMap, BTreeSet};

use leapfrog::catalog::{Catalog, Release};
use leapfrog::lint::Rule;
use leapfrog::model::{DatabaseId, Series, Service};
use serde_json::Value;

use crate::bed::docker;
use crate::cloud::{Told, environment, testbed};

/// The releases whose environments are known, for all services.
const RANGE: [&str; 2] = ["2023.1", "2026.2"];

/// The releases of a range, and the release that it starts from.
fn releases<'c>(catalog: &'c Catalog, range: [&str; 2]) -> Vec<&'c Release> {
    let [from, to]: [Series; 2] = range.map(|series| series.parse().unwrap());
    catalog.releases().filter(|release| from <= release.series && release.series <= to).collect()
}

/// A cloud file for these services, or for all, whose images hold each service's package of the release and nothing else; no
/// database is there.
fn cloud(catalog: &Catalog, range: [&str; 2], services: &[&str]) -> tempfile::TempDir {
    let wanted = |service: &Service| services.is_empty() || services.contains(&service.as_str());
    for release in releases(catalog, range) {
        let here = release.services.iter().filter(|(service, _)| wanted(service));
        let packages = here.map(|(_, facts)| format!("{}=={}", facts.package, facts.versions.last));
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
    for playbook in catalog.playbooks().filter(|playbook| wanted(&playbook.service)) {
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

/// `leapfrog lint` over a range.
fn lint(directory: &tempfile::TempDir, range: [&str; 2], arguments: &[&str]) -> Told {
    let mut command = crate::bed::leapfrog(&["lint", "--from", range[0], "--to", range[1]]);
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
    let cloud = cloud(&catalog, RANGE, &[]);
    let engines = ["--engine", "mysql,mariadb,postgresql"];
    let told = lint(&cloud, RANGE, &[&engines[..], &["--deny", "warning", "-o", "json"]].concat());
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
    for release in &releases(&catalog, RANGE)[1..] {
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
    lint(&cloud, RANGE, &[&engines[..], &["--no-notes", "--only", "nova"]].concat()).ended(8);
}

/// What is found, by service and revision: the rules.
fn found(report: &Value) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut found: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for (service, revision, rule) in report["findings"].as_array().unwrap().iter().map(key) {
        found.entry((service, revision)).or_default().insert(rule);
    }
    found
}

fn has(found: &BTreeMap<(String, String), BTreeSet<String>>, service: &str, revision: &str, rules: &[&str]) {
    let here = found.get(&(service.to_owned(), revision.to_owned()));
    let here = here.unwrap_or_else(|| panic!("nothing is found in {service} {revision}: {:?}", found.keys()));
    for rule in rules {
        assert!(here.contains(*rule), "{service} {revision}: {here:?} has no {rule}");
    }
}

#[test]
#[ignore = "needs the test bed: make test"]
fn what_is_known_to_hurt_is_found_by_name() {
    let catalog = Catalog::embedded().unwrap();
    let report = |range: [&str; 2], services: &[&str]| -> Value {
        let told = lint(&cloud(&catalog, range, services), range, &["--no-notes", "-o", "json"]).ended(8);
        serde_json::from_str(&told.stdout).unwrap()
    };
    let all = found(&report(RANGE, &[]));
    // use_quota becomes NOT NULL; every table becomes utf8mb4.
    has(&all, "cinder", "9ab1b092a404", &["LF-C06", "LF-L02"]);
    has(&all, "ironic", "c1fd28861bb9", &["LF-C15", "LF-L01"]);
    // Columns are dropped in an expand script, which goes through rows one by one.
    let zed = found(&report(["yoga", "zed"], &["neutron"]));
    has(&zed, "neutron", "I43e0b669096", &["LF-C01", "LF-P01", "LF-P03", "LF-D02", "LF-D03"]);

    // Triggers that glance makes while its rows move.
    let image = format!("{}:scripts-2023.1", environment()["image"].as_str().unwrap());
    let directory = tempfile::tempdir().unwrap();
    docker(&["pull", "--quiet", &image]);
    let container = docker(&["create", &image]);
    let package = "/opt/openstack/lib/python3.11/site-packages/glance";
    let here = directory.path().to_str().unwrap();
    docker(&["cp", &format!("{container}:{package}"), here]);
    docker(&["rm", &container]);
    let told = Told::from(crate::bed::leapfrog(&["lint", here, "--deny", "never", "-o", "json"]).output().unwrap());
    let glance = found(&serde_json::from_str(&told.ended(0).stdout).unwrap());
    has(&glance, "", "ocata_expand01", &["LF-P06"]);
}
