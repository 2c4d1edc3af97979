//! Databases that do not stand where they should: found, expected, and a next command that works.

use crate::lab::{CLOSED, Lab, antelope, follows};

const GLANCE_2024_1: &[&str] = &["2024_1_contract01"];

#[test]
fn a_database_that_does_not_answer_is_named_with_what_to_check() {
    let lab = Lab::new().service_like("keystone", &format!("{{url: \"mysql+pymysql://k@{CLOSED}/k\"}}")).ready();
    insta::assert_snapshot!(lab.tell(&["detect", "plan --from 2023.1 --to +1"]));
}

#[test]
fn a_database_that_is_away_delays_and_refuses_only_its_own_service() {
    let lab = Lab::at_antelope(&["glance"]);
    let lab = lab.service_like("keystone", &format!("{{url: \"postgresql://k@{CLOSED}/k\"}}")).ready();
    assert_eq!(lab.run(&["plan", "--from", "2023.1", "--to", "+1", "--only", "glance"]).code, 0);
    assert_eq!(lab.run(&["detect", "--only", "glance"]).code, 0);
    lab.run(&["detect"]).fails(3, &[]);
}

#[test]
fn an_sqlite_file_that_is_missing_or_none_is_told_apart() {
    let lab = Lab::new();
    lab.file(
        "text",
        "not a database, but longer than the header of one would have to be for a look into it\n".repeat(20),
    );
    let [missing, text] = ["missing", "text"].map(|name| format!("{{url: \"sqlite:///{}\"}}", lab.path(name)));
    let lab = lab.service_like("glance", &missing).service_like("keystone", &text).ready();
    insta::assert_snapshot!(lab.tell(&["detect"]));
}

#[test]
fn an_empty_database_is_refused() {
    let lab = Lab::new();
    lab.sql("glance", &[]);
    let url = format!("{{url: \"sqlite:///{}\"}}", lab.path("glance.db"));
    let lab = lab.service_like("glance", &url).ready();
    insta::assert_snapshot!(lab.tell(&["detect", "plan --from 2023.1 --to +1", "plan --from auto --to +1"]));
}

#[test]
fn a_database_with_tables_and_no_version_is_refused() {
    let lab = Lab::new().service("glance", &[]).ready();
    lab.run(&["plan", "--from", "2023.1", "--to", "+1"])
        .fails(3, &["database glance has tables and no schema version", "leapfrog detect"]);
}

#[test]
fn an_unknown_head_is_refused_and_the_advice_can_be_typed() {
    let lab = Lab::at_antelope(&["placement"]).service("glance", &["c0ffee123456"]).ready();
    insta::assert_snapshot!(lab.tell(&["plan --from 2023.1 --to +1 --only glance", "detect --only glance"]));
}

#[test]
fn a_database_ahead_of_or_behind_from_is_refused_with_the_command_that_fits() {
    let lab = Lab::at_antelope(&["placement"]).service("glance", GLANCE_2024_1).ready();
    insta::assert_snapshot!(lab.tell(&[
        "plan --from 2023.1 --to 2024.2 --only glance",
        "plan --from 2024.2 --to 2025.1 --only glance",
        "plan --from 2024.1 --to 2024.2",
    ]));
}

#[test]
fn databases_at_different_releases_are_refused_with_their_groups() {
    let lab = Lab::at_antelope(&["placement", "keystone"]).service("glance", GLANCE_2024_1).ready();
    insta::assert_snapshot!(lab.tell(&["detect", "plan --from auto --to +1"]));
}

#[test]
fn a_migration_that_was_begun_and_not_finished_is_refused() {
    let lab = Lab::new().service("glance", &["2023_1_contract01", "2024_1_expand01"]).ready();
    lab.run(&["plan", "--from", "auto", "--to", "+1"]).fails(3, &["stands between releases", "restore a copy"]);
}

#[test]
fn an_engine_that_a_service_has_no_steps_for_is_refused() {
    let lab = Lab::new().service("neutron", antelope("neutron")).ready();
    insta::assert_snapshot!(lab.tell(&["plan --from 2023.1 --to +1"]));
}

#[test]
fn cell_mappings_that_lead_elsewhere_are_refused_unless_they_are_vouched_for() {
    let lab = Lab::at_antelope(&["nova"]).ready();
    lab.sql(
        "api",
        &["UPDATE cell_mappings SET database_connection = 'mysql://nova:Zwetschgenknoedel@10.0.0.9/nova' WHERE id = 2"
            .to_owned()],
    );
    insta::assert_snapshot!(lab.tell(&["plan --from 2023.1 --to +1"]));
    let text = std::fs::read_to_string(lab.path("leapfrog.yaml")).expect("the cloud file");
    lab.file("leapfrog.yaml", text.replace("  nova:\n", "  nova:\n    stored_urls: trust\n"));
    assert_eq!(lab.run(&["plan", "--from", "2023.1", "--to", "+1"]).code, 0);
}

#[test]
fn a_program_is_told_every_reason_in_one_line() {
    let lab = Lab::new().service("glance", &["c0ffee123456"]);
    let lab = lab.service_like("keystone", &format!("{{url: \"mysql://k@{CLOSED}/k\"}}")).ready();
    for arguments in
        [&["plan", "-o", "json"][..], &["plan", "-o", "jsonl"], &["pull", "-o", "jsonl"], &["-y", "-o", "jsonl"]]
    {
        let done = lab.run(&[arguments, &["--from", "2023.1", "--to", "+1"]].concat());
        done.fails(3, &["(2 reasons)"]);
        assert_eq!(done.out.lines().count(), 1, "{}", done.out);
        follows("events", &done.json());
        let kinds: Vec<_> =
            done.json()["refused"].as_array().expect("reasons").iter().map(|r| r["kind"].clone()).collect();
        assert_eq!(kinds, ["foreign", "unreachable"]);
    }
}

#[test]
fn advice_names_the_files_that_were_asked_about_as_a_shell_reads_them() {
    let lab = Lab::new().service("glance", GLANCE_2024_1).ready();
    std::fs::rename(lab.path("leapfrog.yaml"), lab.path("my cloud.yaml")).expect("renamed");
    lab.run(&["plan", "--from", "2023.1", "--to", "2024.2", "-c", "my cloud.yaml"])
        .fails(3, &["`leapfrog --from 2024.1 --to 2024.2 --config 'my cloud.yaml'`"]);
}

#[test]
fn without_an_engine_for_containers_nothing_begins() {
    let lab = Lab::at_antelope(&["glance"]).ready();
    insta::assert_snapshot!(lab.tell(&["--from 2023.1 --to +1 --yes", "pull --from 2023.1 --to +1", "runs"]));
}
