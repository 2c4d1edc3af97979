//! Stages in a database of leapfrog's own, on the three engines.

use std::collections::BTreeMap;

use leapfrog::database::chain;
use leapfrog::model::{ConnectionUrl, DatabaseId, Heads, Secret};
use leapfrog::stages::{self, Changes, Mark, Place, Stage, StagesError};

use super::mariadb::Server;
use super::postgresql::Cluster;
use super::{PASSWORD, TIMEOUT, run, url, wait};

fn id(text: &str) -> DatabaseId {
    text.parse().expect("a database")
}

fn mark(stage: Stage, heads: &[&str]) -> Mark {
    Mark {
        series: "2024.1".parse().expect("a release"),
        stage,
        heads: Heads::alembic(heads.iter().copied()),
        since: "2026-11-22T03:15:02.123Z".parse().expect("a time"),
        run: "20261122-031502-7f3a".parse().expect("a run"),
        by: "o'brien\\@ctl1".into(),
        leapfrog: "0.1.0".into(),
    }
}

/// The lines of the cloud `ewr1`, and nothing where there is no table.
fn read(place: &Place) -> Option<BTreeMap<DatabaseId, Mark>> {
    wait(stages::read(place, "ewr1", TIMEOUT)).unwrap_or_else(|error| panic!("{}", chain(&error)))
}

fn write(place: &Place, cloud: &str, changes: &Changes) {
    wait(stages::write(place, cloud, changes, TIMEOUT)).unwrap_or_else(|error| panic!("{}", chain(&error)));
}

fn make(places: &[Place]) {
    let failed = wait(stages::make(places, TIMEOUT));
    assert!(failed.is_empty(), "{}", failed.iter().map(|error| chain(error)).collect::<Vec<_>>().join("; "));
}

/// What holds on every engine: made once, written again and again, each cloud for itself, forgotten.
fn holds(place: &Place) {
    assert_eq!(read(place), None, "nobody made it yet");
    make(std::slice::from_ref(place));
    make(std::slice::from_ref(place));
    assert_eq!(read(place), Some(BTreeMap::new()));
    let expanded = mark(Stage::Expanded, &["2023_1_contract01", "2024_1_expand01"]);
    let contracted = mark(Stage::Contracted, &["2024_1_contract01"]);
    let glance = |mark: &Mark| Changes::from([(id("glance"), Some(mark.clone()))]);
    write(place, "ewr1", &glance(&expanded));
    write(place, "ewr2", &glance(&expanded));
    assert_eq!(read(place), Some([(id("glance"), expanded)].into()));
    for _ in 0..2 {
        write(place, "ewr1", &glance(&contracted));
        assert_eq!(read(place), Some([(id("glance"), contracted.clone())].into()));
    }
    write(place, "ewr1", &[(id("glance"), None)].into());
    assert_eq!(read(place), Some(BTreeMap::new()));
    // A line that somebody wrote who knows more, or nothing.
    let line = "'ewr1', 'glance', '2024.1', 'polished', '{}', '', '', '', ''";
    wait(run(&place.url, &[&format!("INSERT INTO leapfrog_state VALUES ({line})")]));
    let error = wait(stages::read(place, "ewr1", TIMEOUT)).expect_err("a line that cannot be read");
    assert!(matches!(error, StagesError::Damaged { .. }), "{}", chain(&error));
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn mariadb_keeps_stages_once_an_administrator_ran_what_he_was_told() {
    let database = Server::find().database("stages");
    let glance = database.allowed();
    let name = format!("{}_own", database.name);
    let place = stages::places([(&id("glance"), &glance)], &name).remove(0);
    assert_eq!(read(&place), None);
    let failed = wait(stages::make(std::slice::from_ref(&place), TIMEOUT));
    let [error @ StagesError::Lacking { mend, .. }] = &failed[..] else { panic!("{failed:?}") };
    assert!(!chain(error).contains("Secret") && error.advice().contains("administrator"), "{}", chain(error));
    let statements: Vec<&str> = mend.split("; ").collect();
    assert_eq!(statements.len(), 2, "{mend}");
    database.run(&[statements[1]]);
    holds(&place);
    database.run(&[&format!("DROP DATABASE {name}")]);
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn postgresql_s_owner_of_the_table_lets_the_other_logins_of_the_cloud_in() {
    let cluster = Cluster::shared();
    let keystone = cluster.database("stages_keystone");
    let owner = cluster.owner("postgres");
    wait(run(&owner, &["DROP ROLE IF EXISTS glance_stages"]));
    wait(run(&owner, &[&format!("CREATE ROLE glance_stages LOGIN PASSWORD '{PASSWORD}'")]));
    let glance: ConnectionUrl = url(&format!("postgresql://glance_stages@127.0.0.1:{}/stages_keystone", cluster.port));
    let glance = glance.with_password(Secret::new(PASSWORD));
    // glance may make nothing, and comes first.
    let places = stages::places([(&id("glance"), &glance), (&id("keystone"), &keystone)], "stages_own");
    let failed = wait(stages::make(&places[..1], TIMEOUT));
    assert!(matches!(&failed[..], [StagesError::Lacking { mend, .. }] if mend.contains("OWNER \"glance_stages\"")));
    make(&places);
    write(&places[0], "ewr1", &[(id("glance"), Some(mark(Stage::Ready, &["a"])))].into());
    assert_eq!(read(&places[0]).map(|lines| lines.len()), Some(1));
    assert_eq!(read(&places[1]), Some(BTreeMap::new()), "a login has the lines of its own databases");
    holds(&stages::places([(&id("glance"), &keystone)], "stages_other")[0]);
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn sqlite_keeps_stages_in_a_file_beside_the_service_s() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let glance = url(&format!("sqlite:///{}/glance.db", directory.path().display()));
    let place = stages::places([(&id("glance"), &glance)], "leapfrog").remove(0);
    holds(&place);
    assert!(directory.path().join("leapfrog.sqlite").exists() && !directory.path().join("glance.db").exists());
}
