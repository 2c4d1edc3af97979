//! How large tables are, as each engine says.

use std::collections::BTreeMap;

use leapfrog::database::TableSize;
use leapfrog::model::ConnectionUrl;
use leapfrog::observe::sizes_of;

use super::mariadb::Server;
use super::postgresql::Cluster;
use super::{TIMEOUT, run, wait};

/// Tables of a hundred rows and of none, and what the server says of them once it has looked.
fn sizes(url: &ConnectionUrl, analyse: &[&str]) -> BTreeMap<String, TableSize> {
    let rows: Vec<String> = (0..100).map(|number| format!("({number})")).collect();
    let insert = format!("INSERT INTO filled VALUES {}", rows.join(", "));
    let mut statements =
        vec!["CREATE TABLE filled (i INT)", "CREATE TABLE vacant (i INT)", "CREATE VIEW v AS SELECT 1 AS x"];
    statements.push(&insert);
    statements.extend(analyse);
    wait(run(url, &statements));
    wait(sizes_of(url, TIMEOUT, TIMEOUT)).unwrap_or_else(|unreachable| panic!("{}", unreachable.reason))
}

fn holds(sizes: &BTreeMap<String, TableSize>, bytes: bool) {
    assert_eq!(sizes.keys().collect::<Vec<_>>(), ["filled", "vacant"]);
    assert_eq!((sizes["filled"].rows, sizes["vacant"].rows), (100, 0));
    assert!(sizes.values().all(|size| size.bytes.is_some() == bytes), "{sizes:?}");
    assert!(!bytes || sizes["filled"].bytes > Some(1000), "{sizes:?}");
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn mariadb_says_how_large_its_tables_are() {
    let database = Server::find().database("sizes");
    holds(&sizes(&database.root(), &["ANALYZE TABLE filled", "ANALYZE TABLE vacant"]), true);
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn postgresql_says_how_large_its_tables_are() {
    let cluster = Cluster::shared();
    holds(&sizes(&cluster.database("sizes"), &["ANALYZE"]), true);
}

#[test]
fn the_tables_of_a_file_are_counted() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let path = directory.path().join("sizes.db");
    std::fs::write(&path, "").expect("a file");
    holds(&sizes(&super::url(&format!("sqlite:///{}", path.display())), &[]), false);
}
