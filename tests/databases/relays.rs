//! The relay that overhears statements, shapes and schema copies, on real servers.

use leapfrog::database::{Heard, Purpose, Relay, Scratch, ScratchUse, chain, connect, connect_for};
use leapfrog::model::ConnectionUrl;
use leapfrog::restore::SchemaCopy;

use super::mariadb::Server;
use super::postgresql::Cluster;
use super::{LONG_LIFE, TIMEOUT, run, seen, wait};

/// What two sessions say through a relay is heard, in order, and done.
async fn overheard(url: &ConnectionUrl) {
    let relay = Relay::open(url).await.expect("a port");
    relay.is_let_in(TIMEOUT).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert!(relay.take().is_empty(), "its own question is nobody's");
    let long = format!("INSERT INTO t VALUES (1, '{}')", "x".repeat(60_000));
    let statements = ["CREATE TABLE t (a INT, b TEXT)", long.as_str(), "ALTER TABLE t ADD COLUMN ü INT"];
    run(relay.url(), &statements).await;
    run(relay.url(), &["DROP TABLE t", "CREATE TABLE u (a INT)"]).await;
    let heard = relay.take();
    // The driver has a few words of its own at the beginning of a session.
    let said = |wanted: u64| -> Vec<&str> {
        let own = heard.iter().filter(|one: &&Heard| one.session == wanted).map(|one| one.text.as_str());
        own.filter(|text| ["CREATE", "INSERT", "ALTER", "DROP"].iter().any(|word| text.starts_with(word))).collect()
    };
    assert_eq!(said(2), statements);
    assert_eq!(said(3), ["DROP TABLE t", "CREATE TABLE u (a INT)"]);
    let mut connection = connect(url, TIMEOUT).await.expect("a connection");
    let shape = connection.shape().await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert_eq!(shape.tables.keys().collect::<Vec<_>>(), ["u"], "what was said was done");
    connection.close().await;
    assert!(relay.take().is_empty(), "what went around it was not heard");
    let port = relay.url().port();
    drop(relay);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "it still listens");
}

/// A schema is made again without its rows, but for those that say where it stands, and looks the same.
async fn copied(url: &ConnectionUrl, made: &[&str]) {
    run(url, &LONG_LIFE).await;
    run(url, made).await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = camino::Utf8Path::from_path(directory.path()).expect("UTF-8").join("schema.zst");
    let copy = SchemaCopy::take(url, &file, TIMEOUT).await.unwrap_or_else(|error| panic!("{}", error.line()));
    let scratch =
        Scratch::make(url, ScratchUse::Trial, TIMEOUT).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    copy.bring_to(scratch.url()).await.unwrap_or_else(|error| panic!("{}", error.line()));
    let mut shapes = Vec::new();
    for one in [url, scratch.url()] {
        let mut connection = connect_for(one, Purpose::Change, TIMEOUT).await.expect("a connection");
        shapes.push(connection.shape().await.unwrap_or_else(|error| panic!("{}", chain(&error))));
        let rows = connection.rows("SELECT count(*) FROM parent").await.expect("rows");
        assert_eq!(rows[0][0].as_deref(), Some(if one == url { "1" } else { "0" }));
        connection.close().await;
    }
    assert_eq!(shapes[0], shapes[1]);
    let table = &shapes[0].tables["child"];
    assert_eq!(table.keys.iter().find(|(name, _)| name.contains("ix_two")).expect("an index").1.columns, ["a", "b"]);
    assert!(table.keys.keys().any(|name| name.contains("fk_parent")), "{:?}", table.keys);
    let column = &table.columns["a"];
    assert!(!column.nullable && column.default.as_deref().is_some_and(|text| text.contains('7')), "{column:?}");
    assert_eq!(table.columns["b"].default, None);
    let (heads, tables) = seen(scratch.url()).await;
    assert_eq!((heads.as_str(), tables), ("960aac0e09ea / nova=422", 8), "with the mark that it is leapfrog's");
    scratch.drop().await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    let gone = Scratch::make(url, ScratchUse::Trial, TIMEOUT).await.expect("another one");
    assert_eq!(seen(gone.url()).await.1, 1, "what was there before is gone");
    gone.drop().await.expect("dropped");
}

const PARENT: [&str; 2] = ["CREATE TABLE parent (id INT PRIMARY KEY)", "INSERT INTO parent VALUES (1)"];

#[test]
#[ignore = "needs the test bed's database servers"]
fn what_sessions_say_to_mariadb_is_overheard() {
    let database = Server::find().database("relayed");
    let url = database.allowed();
    wait(overheard(&url));
    database.run(&[&format!("ALTER USER `{}`@`%` REQUIRE SSL", database.name)]);
    wait(async {
        let relay = Relay::open(&url).await.expect("a port");
        let error = relay.is_let_in(TIMEOUT).await.expect_err("a server that insists on encryption");
        assert!(!chain(&error).contains("Secret"));
    });
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn what_sessions_say_to_postgresql_is_overheard_though_it_could_encrypt() {
    let cluster = Cluster::shared();
    wait(overheard(&cluster.database("relayed")));
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_schema_of_mariadb_is_copied_without_its_rows() {
    let database = Server::find().database("trial");
    let child = "CREATE TABLE child (a INT NOT NULL DEFAULT 7 COMMENT 'why', b VARCHAR(9), INDEX ix_two (a, b), \
                 CONSTRAINT fk_parent FOREIGN KEY (a) REFERENCES parent (id))";
    wait(copied(&database.root(), &[PARENT[0], PARENT[1], child]));
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_schema_of_postgresql_is_copied_without_its_rows() {
    let cluster = Cluster::shared();
    let child =
        "CREATE TABLE child (a INT NOT NULL DEFAULT 7 CONSTRAINT fk_parent REFERENCES parent (id), b VARCHAR(9))";
    wait(copied(&cluster.database("trial"), &[PARENT[0], PARENT[1], child, "CREATE INDEX ix_two ON child (a, b)"]));
}

#[test]
fn a_schema_of_a_file_is_copied_without_its_rows() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("UTF-8");
    let file = |name: &str| -> ConnectionUrl {
        std::fs::File::create(format!("{path}/{name}")).expect("a file");
        format!("sqlite:///{path}/{name}").parse().expect("a URL")
    };
    let (from, to) = (file("from"), file("to"));
    wait(async {
        run(&from, &LONG_LIFE).await;
        run(&from, &[PARENT[0], PARENT[1], "CREATE TABLE t (a INT NOT NULL DEFAULT 7)", "CREATE INDEX i ON t (a)"])
            .await;
        let unused = camino::Utf8Path::new("/nowhere/schema.zst");
        let copy = SchemaCopy::take(&from, unused, TIMEOUT).await.unwrap_or_else(|error| panic!("{}", error.line()));
        copy.bring_to(&to).await.unwrap_or_else(|error| panic!("{}", error.line()));
        let mut shapes = Vec::new();
        for one in [&from, &to] {
            let mut connection = connect(one, TIMEOUT).await.expect("a connection");
            shapes.push(connection.shape().await.unwrap_or_else(|error| panic!("{}", chain(&error))));
            connection.close().await;
        }
        assert_eq!(shapes[0], shapes[1]);
        assert_eq!(shapes[0].tables["t"].columns["a"].default.as_deref(), Some("7"));
        assert_eq!(shapes[0].tables["t"].keys.keys().collect::<Vec<_>>(), ["index i"]);
        assert_eq!(seen(&to).await, ("960aac0e09ea / nova=422".to_owned(), 7));
    });
}
