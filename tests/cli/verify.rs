//! `leapfrog verify`: what proves that databases stand complete at a release, and what does not.

use crate::lab::{Lab, follows};

/// cinder and nova at 2023.1 with the tables that their data migrations are counted in.
fn lab() -> Lab {
    let lab = Lab::at_antelope(&["cinder", "nova"]).ready();
    let table = |name: &str, columns: &str| format!("CREATE TABLE {name} ({columns})");
    for name in ["volumes", "snapshots"] {
        lab.sql("cinder", &[table(name, "id integer, use_quota boolean, deleted boolean")]);
    }
    for cell in ["cell0", "cell1"] {
        lab.sql(cell, &[table("migrations", "id integer, uuid text, deleted integer")]);
    }
    lab
}

fn pending(lab: &Lab) {
    lab.sql("cinder", &["INSERT INTO volumes VALUES (1, NULL, 0), (2, 1, 0), (3, NULL, 1)".to_owned()]);
    lab.sql("cell1", &["INSERT INTO migrations VALUES (1, NULL, 0), (2, NULL, 0)".to_owned()]);
}

#[test]
fn databases_whose_every_claim_is_proved_are_complete() {
    let lab = lab();
    insta::assert_snapshot!(lab.tell(&["verify --at 2023.1", "verify --at antelope --only nova"]));
}

#[test]
fn rows_that_are_left_disprove_it_with_their_query_and_the_way_on() {
    let lab = lab();
    pending(&lab);
    insta::assert_snapshot!(lab.tell(&["verify --at 2023.1"]));
}

#[test]
fn heads_of_another_release_disprove_it_and_no_row_of_them_is_counted() {
    let lab = lab();
    pending(&lab);
    insta::assert_snapshot!(lab.tell(&["verify --at 2023.2"]));
}

#[test]
fn without_a_release_the_newest_one_that_fits_them_all_is_verified() {
    let lab = lab();
    let at = |only: &str| lab.run(&["verify", "--only", only, "-o", "json"]).json()["at"].clone();
    assert_eq!(at("cinder"), "2023.1");
    // barbican's head never moved.
    let lab = Lab::at_antelope(&["barbican"]).ready();
    assert_eq!(lab.run(&["verify", "-o", "json"]).json()["at"], "2026.2");
    // One service is behind the other: it comes to light.
    let behind = Lab::at_antelope(&["keystone"]).service("cinder", &["9c74c1c6971f"]).ready();
    let done = behind.run(&["verify", "-o", "json"]);
    assert_eq!((done.code, &done.json()["at"]), (4, &serde_json::json!("2024.1")), "{}", done.out);
}

#[test]
fn what_cannot_be_looked_at_proves_nothing_and_disproves_nothing() {
    let lab = Lab::at_antelope(&["cinder"]).ready();
    insta::assert_snapshot!("no-table", lab.tell(&["verify --at 2023.1"]));
    let away = Lab::new().service_like("keystone", "{url: \"mysql://k@127.0.0.1:1/keystone\"}").ready();
    away.run(&["verify", "--at", "2023.1"]).fails(3, &["could not look at everything of 2023.1"]);
    away.run(&["verify"]).fails(3, &["name one with --at", "leapfrog detect"]);
}

#[test]
fn cell_mappings_that_lead_elsewhere_disprove_it() {
    let lab = lab();
    lab.sql("api", &["UPDATE cell_mappings SET database_connection = 'mysql://n@db/nova' WHERE id = 2".to_owned()]);
    let done = lab.run(&["verify", "--at", "2023.1", "--only", "nova"]);
    done.fails(4, &["not complete at 2023.1"]);
    assert!(done.out.contains("cell1 leads to mysql://n@db/nova"), "{}", done.out);
}

#[test]
fn a_proof_for_a_program_follows_its_schema() {
    let lab = lab();
    pending(&lab);
    let done = lab.run(&["verify", "--at", "2023.1", "-o", "json"]);
    follows("verify", &done.json());
    assert_eq!((done.code, &done.json()["answer"]), (4, &serde_json::json!("no")));
    let line = lab.run(&["verify", "--at", "2023.1", "-o", "jsonl"]);
    assert_eq!((line.out.lines().count(), line.json()), (1, done.json()));
}

#[test]
fn nothing_is_changed_and_no_run_is_begun() {
    let lab = lab();
    pending(&lab);
    let before = lab.files();
    lab.run(&["verify", "--at", "2023.1"]);
    // The release's own checks need the engine, which is away.
    lab.run(&["verify", "--at", "2023.1", "--checks"]).fails(3, &["next"]);
    assert_eq!(lab.files(), before);
}

#[test]
fn a_release_nobody_knows_is_a_mistake_in_the_arguments() {
    lab().run(&["verify", "--at", "2022.1"]).fails(2, &["--at names no release"]);
}
