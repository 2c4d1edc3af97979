//! Commands whose standard output is data: texts for people, JSON for programs.

use std::process::Command;

use crate::lab::{Lab, follows, project};

const ALL: &[&str] = &["barbican", "cinder", "glance", "keystone", "nova", "placement"];

#[test]
fn a_plan_says_what_would_be_done_and_why() {
    let lab = Lab::at_antelope(&["keystone", "nova", "placement"]).ready();
    insta::assert_snapshot!(lab.tell(&["plan --from 2023.1 --to +1"]));
}

#[test]
fn a_plan_is_the_same_however_its_ends_are_named() {
    let lab = Lab::at_antelope(&["cinder", "nova"]).ready();
    let plan = |from: &str, to: &str| lab.run(&["plan", "--from", from, "--to", to, "-o", "json"]).json();
    let expected = plan("2023.1", "2024.1");
    for (from, to) in [("antelope", "caracal"), ("Antelope", "+2"), ("auto", "2024.1"), ("auto", "+2")] {
        let other = plan(from, to);
        for key in ["from", "to", "hops"] {
            assert_eq!(other[key], expected[key], "--from {from} --to {to}");
        }
    }
    assert_eq!(plan("2023.1", "+0")["hops"].as_array().map(Vec::len), Some(1), "only what 2023.1 itself left to do");
}

#[test]
fn a_plan_for_a_program_follows_its_schema() {
    let lab = Lab::at_antelope(ALL).ready();
    let done = lab.run(&["plan", "--from", "2023.1", "--to", "2025.1", "-o", "json"]);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    follows("plan", &done.json());
    assert_eq!(done.json()["hops"].as_array().map(Vec::len), Some(5));
    let line = lab.run(&["plan", "--from", "2023.1", "--to", "2025.1", "-o", "jsonl"]);
    assert_eq!((line.out.lines().count(), line.json()), (1, done.json()));
}

#[test]
fn detect_tells_where_every_database_stands() {
    let lab = Lab::at_antelope(ALL).ready();
    insta::assert_snapshot!(lab.tell(&["detect", "detect --only glance,nova"]));
    let json = lab.run(&["detect", "-o", "json"]).json();
    assert_eq!(json["standing"]["at"], serde_json::json!(["2023.1"]));
    assert_eq!(json["databases"].as_object().map(serde_json::Map::len), Some(8));
}

#[test]
fn the_catalogue_is_data_for_programs_too() {
    let lab = Lab::new();
    let releases = lab.run(&["releases", "-o", "json"]).json();
    let playbooks = lab.run(&["playbooks", "-o", "json"]).json();
    let nova = lab.run(&["playbooks", "show", "nova", "-o", "json"]).json();
    assert!(releases.to_string().contains("dalmatian"), "{releases}");
    assert!(playbooks.to_string().contains("nova"), "{playbooks}");
    assert_eq!(nova["service"], "nova");
}

#[test]
fn every_schema_is_printed_as_it_is_published() {
    let lab = Lab::new();
    for name in ["cloud", "release", "playbook", "plan", "verify", "doctor", "events", "trip"] {
        let published =
            std::fs::read_to_string(project().join("schemas").join(format!("{name}.json"))).expect("a schema");
        let published: serde_json::Value = serde_json::from_str(&published).expect("JSON");
        assert_eq!(lab.run(&["schema", name]).json(), published, "{name}");
    }
}

#[test]
fn bash_understands_its_completions() {
    let lab = Lab::new();
    let script = lab.file("completions", lab.run(&["completions", "bash"]).out);
    let read = Command::new("bash").arg("-n").arg(&script).status();
    assert!(read.map_or(true, |status| status.success()), "where there is a bash, it must be able to read this");
}

#[test]
fn a_catalogue_of_ones_own_is_checked_and_used() {
    let lab = Lab::new();
    lab.file("mine/playbooks/glance.yaml", std::fs::read(project().join("playbooks/glance.yaml")).expect("readable"));
    insta::assert_snapshot!(lab.tell(&["catalog check mine", "catalog check mine -o json"]));
    assert_eq!(lab.run(&["releases", "--catalog", "mine"]).code, 0);
}

#[test]
fn every_mistake_of_a_catalogue_is_told_with_its_line_and_column() {
    let lab = Lab::new();
    let read = |name: &str| std::fs::read_to_string(project().join(name)).expect("readable");
    lab.file("mine/releases/2023.1.yaml", read("releases/2023.1.yaml").replace("\ncodename:", "\ncodenam:"));
    lab.file("mine/playbooks/glance.yaml", read("playbooks/glance.yaml").replace("format: 1", "format: 9"));
    insta::assert_snapshot!(lab.tell(&["catalog check mine", "catalog check mine -o json", "releases --catalog mine"]));
    lab.run(&["catalog", "check", "nowhere"]).fails(2, &["nowhere", "no such directory"]);
}
