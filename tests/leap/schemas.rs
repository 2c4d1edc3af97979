//! Schema migrations that say all went well and worked elsewhere, and those with nothing to do.

use serde_json::Value;

use crate::bed::Cloud;

/// The end of a step in a journal.
fn end<'j>(journal: &'j [Value], step: &str) -> &'j Value {
    let mut ends = journal.iter().rev();
    let end = ends.find(|record| record["event"] == "step-ended" && record["step"] == step);
    end.unwrap_or_else(|| panic!("{step} did not end"))
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_keystone_that_does_not_see_its_database_is_no_success_and_what_it_made_instead_is_named() {
    let cloud = Cloud::new("stray", 10);
    // As a user who may write where the command stands; for others, opening that file fails.
    cloud.edit("    network: host\n", "    network: host\n    user: root\n");
    let before = cloud.heads("keystone");
    let tables = cloud.sql("keystone", "SHOW TABLES");
    // A catalogue whose playbook misspells the section of the connection: keystone then uses its default.
    let catalog = cloud.directory.path().join("catalog");
    std::fs::create_dir_all(catalog.join("playbooks")).expect("a directory");
    let playbook = include_str!("../../playbooks/keystone.yaml");
    let broken = playbook.replace("{group: database, option: connection", "{group: databases, option: connection");
    assert_ne!(playbook, broken);
    std::fs::write(catalog.join("playbooks/keystone.yaml"), broken).expect("written");
    let leap = ["--from", "2023.1", "--to", "2023.2", "--yes", "--only", "keystone"];
    let mut with_catalog = leap.to_vec();
    with_catalog.extend(["--catalog", catalog.to_str().expect("UTF-8")]);

    let told = cloud.leapfrog(&with_catalog).ended(4).said(&[
        "2023.2/keystone/db-expand",
        "the command wrote a SQLite file of its own, /keystone.db: it did not use the configured database",
        "/etc/keystone/keystone.conf",
        "[databases] connection",
        "run the same command again",
    ]);
    assert!(!told.stderr.contains(&cloud.password));
    assert_eq!((cloud.heads("keystone"), cloud.sql("keystone", "SHOW TABLES")), (before, tables), "it was touched");
    let journal = cloud.journal();
    assert_eq!(end(&journal, "2023.1/keystone/db-expand")["outcome"], "skipped");
    let failed = end(&journal, "2023.2/keystone/db-expand");
    assert_eq!((&failed["outcome"], &failed["failure"]["exit"]), (&"failed".into(), &0.into()), "keystone says 0");
    assert_eq!(cloud.containers(), 0);
    for place in [cloud.directory.path(), std::path::Path::new("/")] {
        assert!(!place.join("keystone.db").exists(), "a file is left in {}", place.display());
    }

    // The run's plan holds the broken option: it is begun anew, with the right catalogue.
    let mut anew = leap.to_vec();
    anew.push("--fresh");
    cloud.leapfrog(&anew).ended(0);
    assert_eq!(cloud.heads("keystone"), ["11c3b243b4cb", "c88cdce8f248"]);
    let journal = cloud.journal();
    let expand = end(&journal, "2023.2/keystone/db-expand")["evidence"].to_string();
    assert!(expand.contains("11c3b243b4cb"), "{expand}");
}

#[test]
#[ignore = "needs the test bed: make test"]
fn schema_steps_with_nothing_to_do_are_skipped_with_the_heads_as_evidence_and_run_where_that_is_asked_for() {
    let cloud = Cloud::new("skips", 10);
    let leap = ["--from", "2023.1", "--to", "2023.2", "--yes", "--only", "barbican,glance,placement"];
    let plan = ["plan", "--from", "2023.1", "--to", "2023.2", "--only", "barbican,glance,placement"];
    let planned = cloud.leapfrog(&plan).ended(0).stdout;
    assert_eq!(planned.matches("(skipped: at the release's heads)").count(), 9, "{planned}");
    cloud.leapfrog(&leap).ended(0);
    let journal = cloud.journal();
    let outcome = |step: &str| end(&journal, step)["outcome"].as_str().expect("text").to_owned();
    for step in ["2023.1/placement/db-sync", "2023.1/glance/db-expand", "2023.2/glance/db-contract"] {
        assert_eq!(outcome(step), "skipped", "{step}");
        let evidence = end(&journal, step)["evidence"].to_string();
        assert!(evidence.contains("heads") && evidence.contains("alembic"), "{step}: {evidence}");
    }
    assert_eq!(outcome("2023.2/placement/db-sync"), "done", "its head moves");
    cloud.leapfrog(&["status"]).ended(0);

    let again = ["--from", "2023.2", "--to", "2024.1", "--yes", "--only", "barbican", "--no-skip"];
    cloud.leapfrog(&again).ended(0);
    let journal = cloud.journal();
    let end = end(&journal, "2024.1/barbican/db-upgrade");
    assert_eq!(end["outcome"], "done");
    assert!(end["evidence"].to_string().contains("8c74e2d7f1ff"), "{end}");
}
