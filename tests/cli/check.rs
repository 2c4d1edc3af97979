//! `leapfrog check` on SQLite databases: what is asked, what is found, what becomes of it, and that nothing is changed.

use serde_json::Value;

use crate::lab::{CLOSED, Done, Lab, PASSWORD, antelope, follows};

const LEAP: [&str; 5] = ["check", "--from", "2023.1", "--to", "2024.1"];

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cinder(rows: &[&str]) -> Lab {
    let lab = Lab::new().service("cinder", antelope("cinder")).with_points().ready();
    let table = |name: &str| {
        format!(
            "CREATE TABLE {name} (id text, project_id text, status text, deleted boolean, deleted_at text, use_quota boolean)"
        )
    };
    lab.sql("cinder", &[table("volumes"), table("snapshots")]);
    lab.sql("cinder", &rows.iter().map(|row| format!("INSERT INTO volumes VALUES ({row})")).collect::<Vec<_>>());
    lab
}

/// The one check of this name.
fn named<'r>(report: &'r Value, check: &str) -> &'r Value {
    let found: Vec<&Value> =
        report["checks"].as_array().expect("checks").iter().filter(|one| one["check"] == check).collect();
    assert_eq!(found.len(), 1, "{check} in {report:#}");
    found[0]
}

fn report(lab: &Lab, arguments: &[&str]) -> (Done, Value) {
    let done = lab.run(&[arguments, &["-o", "json"]].concat());
    let report = done.json();
    follows("check", &report);
    (done, report)
}

#[test]
fn rows_that_the_leap_moves_by_itself_are_no_fault_and_those_that_it_passes_over_are() {
    let lab = cinder(&["'v1', 'p', 'available', 0, NULL, NULL", "'v2', 'p', 'deleted', 1, '2024-01-01', NULL"]);
    let before = lab.files();
    let (done, found) = report(&lab, &LEAP);
    assert_eq!(lab.files(), before, "something was changed");
    assert_eq!(done.code, 3, "{found:#}");
    let moved = named(&found, "volumes-without-use-quota");
    assert_eq!((moved["state"].as_str(), moved["rows"].as_u64()), (Some("ok"), Some(1)), "{moved}");
    let what = moved["what"].as_str().expect("words");
    assert_eq!(what, "1 volumes without use_quota; 2023.1/cinder/online-data-migrations moves them before 2024.1");
    let stays = named(&found, "soft-deleted-volumes-without-use-quota");
    assert_eq!((stays["state"].as_str(), stays["before"].as_str()), (Some("failure"), Some("2024.1")), "{stays}");
    assert_eq!(stays["shown"], serde_json::json!([["v2", "p", "2024-01-01"]]));
    assert!(stays["next"].as_str().expect("a mend").contains("cinder-manage db purge"), "{stays}");
    assert_eq!(named(&found, "soft-deleted-snapshots-without-use-quota")["state"], "ok");
    assert_eq!(found["failures"], 1);

    let done = lab.run(&LEAP);
    let out = words(&done.out);
    for part in [
        "FAILURE soft-deleted-volumes-without-use-quota cinder, before 2024.1: 1 soft-deleted volumes without use_quota",
        "query SELECT id, project_id, deleted_at FROM volumes WHERE use_quota IS NULL AND deleted <> FALSE LIMIT 20",
        "row v2 | p | 2024-01-01",
        "next Remove them with `cinder-manage db purge DAYS`",
    ] {
        assert!(out.contains(part), "no {part:?} in:\n{}", done.out);
    }
    assert!(!out.contains("asked SELECT COUNT(*) FROM snapshots"), "{}", done.out);
    let verbose = words(&lab.run(&[&LEAP[..], &["--verbose"]].concat()).out);
    assert!(
        verbose.contains("asked SELECT COUNT(*) FROM snapshots WHERE use_quota IS NULL AND deleted <> FALSE"),
        "{verbose}"
    );

    lab.sql("cinder", &["UPDATE volumes SET use_quota = 1 WHERE deleted = 1".to_owned()]);
    let (done, found) = report(&lab, &LEAP);
    assert_eq!((done.code, found["failures"].as_u64()), (0, Some(0)), "{found:#}");
}

#[test]
fn the_leap_itself_is_refused_before_anything_is_touched_and_names_the_check() {
    let lab = cinder(&["'v2', 'p', 'deleted', 1, '2024-01-01', NULL"]);
    let before = lab.files();
    let done = lab.run(&["--from", "2023.1", "--to", "2024.1", "--yes"]);
    done.fails(3, &["2024.1 cannot migrate database cinder", "1 soft-deleted volumes without use_quota"]);
    assert!(words(&done.err).contains("`leapfrog check --from 2023.1 --to 2024.1` shows them"), "{}", done.err);
    let databases = |files: Vec<(std::path::PathBuf, Vec<u8>)>| {
        files.into_iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "db")).collect::<Vec<_>>()
    };
    assert_eq!(databases(lab.files()), databases(before), "a database was changed");
    // Where the leap ends before, it is no matter.
    let done = lab.run(&["--from", "2023.1", "--to", "2023.2", "--yes"]);
    assert!(!done.err.contains("cannot migrate"), "{}", done.err);
}

#[test]
fn what_is_not_there_yet_is_asked_later_and_never_passed_in_silence() {
    let lab = Lab::new().service("cinder", antelope("cinder")).with_points().ready();
    let (done, found) = report(&lab, &LEAP);
    assert_eq!((done.code, found["later"].as_u64(), found["failures"].as_u64()), (0, Some(4), Some(0)), "{found:#}");
    let moved = named(&found, "volumes-without-use-quota");
    assert_eq!(moved["state"], "later");
    assert!(
        moved["next"].as_str().expect("words").starts_with("nothing: 2023.1/cinder/online-data-migrations"),
        "{moved}"
    );
    let stays = named(&found, "soft-deleted-volumes-without-use-quota");
    let what = stays["what"].as_str().expect("words");
    assert!(what.contains("no such table: volumes") && what.contains("shows at 2023.2"), "{what}");
    assert!(stays["next"].as_str().expect("words").contains("ask again when the databases stand at 2023.2"), "{stays}");
    // A column that is missing is the same.
    lab.sql("cinder", &["CREATE TABLE volumes (id text, deleted boolean)".to_owned()]);
    let (_, found) = report(&lab, &LEAP);
    assert_eq!(named(&found, "volumes-without-use-quota")["state"], "later");
}

#[test]
fn only_what_lies_on_the_way_is_asked() {
    let lab = cinder(&["'v2', 'p', 'deleted', 1, '2024-01-01', NULL"]);
    let (done, found) = report(&lab, &["check", "--from", "2023.1", "--to", "+1"]);
    assert_eq!(done.code, 0, "{found:#}");
    // Of the release itself only what its services recorded.
    let asked = |one: &Value| one["check"].as_str().is_some_and(|name| name.ends_with("-versions"));
    let checks = found["checks"].as_array().expect("checks");
    assert!(checks.iter().all(|one| one["before"].is_null() || asked(one)), "{found:#}");
    assert_eq!((found["from"].as_str(), found["to"].as_str()), (Some("2023.1"), Some("2023.2")));
    let (done, found) = report(&lab, &["check", "--from", "auto", "--to", "2024.1", "--stops", "slurp"]);
    let moved = named(&found, "volumes-without-use-quota");
    assert_eq!((done.code, moved["rows"].as_u64()), (3, Some(0)), "{found:#}");
}

#[test]
fn databases_that_stand_elsewhere_or_do_not_answer_are_failures_and_the_others_are_asked() {
    let lab = Lab::at_antelope(&["glance"])
        .service_like("keystone", &format!("{{url: \"mysql://k:{PASSWORD}@{CLOSED}/k\"}}"))
        .service("cinder", &["89aa6f9639f9"])
        .ready();
    let (done, found) = report(&lab, &LEAP);
    assert_eq!(done.code, 3);
    let checks = found["checks"].as_array().expect("checks");
    let about = |id: &str| checks.iter().filter(|one| one["about"] == id && one["state"] == "failure").count();
    assert_eq!((about("keystone"), about("cinder")), (1, 1), "{found:#}");
    let engine = named(&found, "engine");
    assert_eq!((engine["about"].as_str(), engine["state"].as_str()), (Some("cinder, glance"), Some("ok")));
    let out = words(&lab.run(&["check", "--from", "auto", "--to", "2024.1"]).out);
    assert!(out.contains("where the databases stand is unclear"), "{out}");
}

#[test]
fn an_sqlite_file_that_may_not_be_written_is_a_failure() {
    use std::os::unix::fs::PermissionsExt;
    if rustix::process::geteuid().is_root() {
        return; // Nothing is forbidden to root.
    }
    let lab = Lab::at_antelope(&["glance"]).ready();
    std::fs::set_permissions(lab.path("glance.db"), PermissionsExt::from_mode(0o444)).expect("set");
    let (done, found) = report(&lab, &LEAP);
    assert_eq!((done.code, named(&found, "rights")["state"].as_str()), (3, Some("failure")), "{found:#}");
}

#[test]
fn leftovers_and_look_alikes_of_version_tables_do_not_count_and_are_named_on_demand() {
    let lab = Lab::at_antelope(&["glance", "keystone"]).ready();
    let table = |name: &str| format!("CREATE TABLE {name} (version_num varchar(32))");
    lab.sql(
        "keystone",
        &[
            table("alembic_version_fwaas"),
            table("shadow_alembic_version"),
            "INSERT INTO shadow_alembic_version VALUES ('ffffffffffff')".to_owned(),
            "CREATE TABLE migrate_version (repository_id text, repository_path text, version integer)".to_owned(),
            "INSERT INTO migrate_version VALUES ('keystone_contract', '', 79)".to_owned(),
        ],
    );
    let quiet = lab.run(&["detect"]);
    assert!(quiet.out.contains("The cloud stands at 2023.1.") && !quiet.out.contains("shadow"), "{}", quiet.out);
    let told = lab.run(&["detect", "--verbose"]);
    assert_eq!(told.code, 0);
    for part in [
        "keystone: keystone_contract 79 are left in migrate_version from before alembic and do not count",
        "  keystone: alembic_version_fwaas, shadow_alembic_version",
    ] {
        assert!(told.out.contains(part), "no {part:?} in:\n{}", told.out);
    }
    assert!(!told.out.contains("  glance:"), "{}", told.out);
}
