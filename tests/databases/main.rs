//! What leapfrog sees of databases, proved against real servers: MariaDB of the test bed, PostgreSQL
//! clusters that are made for a moment, and SQLite files.
//!
//! `make test` runs these; by hand: `tests/testbed/testbed up`, then
//! `cargo test --test databases -- --ignored`.

mod heartbeats;
mod locks;
mod mariadb;
mod observation;
mod points;
mod postgresql;
mod preconditions;
mod programs;
mod queries;
mod relays;
mod sizes;
mod sqlite;
mod stages;
mod structures;
mod trip;

use std::future::Future;
use std::io::Write;
use std::time::Duration;

use leapfrog::database::{ConnectError, Connection, Purpose, chain, connect, connect_for};
use leapfrog::model::ConnectionUrl;

/// A password that no text may show.
const PASSWORD: &str = "t4dp0le-%:@/Secret";

/// Long enough for any server that answers.
const TIMEOUT: Duration = Duration::from_secs(10);

fn url(text: &str) -> ConnectionUrl {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

/// Runs statements, one after the other.
async fn run(url: &ConnectionUrl, statements: &[&str]) {
    let mut connection = connect_for(url, Purpose::Change, TIMEOUT).await.expect("a connection");
    for statement in statements {
        connection.rows(statement).await.unwrap_or_else(|error| panic!("{statement}: {}", chain(&error)));
    }
    connection.close().await;
}

/// The error of connecting, which must not hold the password, as one line.
async fn refusal(url: &ConnectionUrl, timeout: Duration) -> (ConnectError, String) {
    let error = connect(url, timeout).await.expect_err("a refusal");
    let text = chain(&error);
    for told in [&text, &format!("{error:?}"), error.advice()] {
        assert!(!told.contains("Secret"), "the password is told: {told}");
    }
    (error, text)
}

/// The heads of a database as text, and how many tables it has.
async fn seen(url: &ConnectionUrl) -> (String, u64) {
    let mut connection = connect(url, TIMEOUT).await.expect("a connection");
    let heads = leapfrog::observe::heads(&mut connection).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    let tables = connection.tables().await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    connection.close().await;
    let numbers: Vec<String> = heads.migrate.iter().map(|(name, number)| format!("{name}={number}")).collect();
    (format!("{heads} / {}", numbers.join(" ")), tables)
}

/// What a session says that is told to change something.
async fn change(connection: &mut Connection, statement: &str) -> String {
    chain(&connection.rows(statement).await.expect_err("a session that only looks"))
}

/// A free port, until somebody takes it.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Statements that leave the version tables a long life leaves: both systems, and look-alikes.
const LONG_LIFE: [&str; 9] = [
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
    "INSERT INTO alembic_version VALUES ('960aac0e09ea')",
    "CREATE TABLE migrate_version (repository_id VARCHAR(250) NOT NULL, repository_path TEXT, version INTEGER)",
    "INSERT INTO migrate_version VALUES ('nova', '/usr/lib/nova', 422)",
    "CREATE TABLE shadow_alembic_version (version_num VARCHAR(32) NOT NULL)",
    "INSERT INTO shadow_alembic_version VALUES ('ffffffffffff')",
    "CREATE TABLE alembic_version_midonet (version_num VARCHAR(32) NOT NULL)",
    "INSERT INTO alembic_version_midonet VALUES ('eeeeeeeeeeee')",
    "CREATE TABLE instances (id INTEGER)",
];

#[test]
fn a_server_that_never_answers_is_given_up_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    for scheme in ["mysql+pymysql", "postgresql"] {
        let began = std::time::Instant::now();
        let url = url(&format!("{scheme}://u:Secret@127.0.0.1:{port}/d"));
        let (error, text) = wait(refusal(&url, Duration::from_millis(300)));
        assert!(matches!(error, ConnectError::Timeout { .. }), "{text}");
        assert_eq!(text, format!("reach 127.0.0.1:{port} within 0.3 s"));
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_server_of_another_kind_is_survived() {
    for greeting in ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "\0\0\0\0", "N"] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let answering = std::thread::spawn(move || {
            for stream in listener.incoming().take(2) {
                let _ = stream.and_then(|mut stream| stream.write_all(greeting.as_bytes()));
            }
        });
        for scheme in ["mysql", "postgresql"] {
            let url = url(&format!("{scheme}://u:Secret@127.0.0.1:{port}/d"));
            let (_, text) = wait(refusal(&url, TIMEOUT));
            assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
        }
        answering.join().expect("it answered");
    }
}

#[test]
fn files_that_the_url_names_and_that_are_not_there_are_no_matter_of_the_network() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let gone = url("mysql://u:Secret@h/d?unix_socket=/nowhere/mysql.sock");
    let (error, text) = wait(refusal(&gone, TIMEOUT));
    assert!(matches!(error, ConnectError::Refused { .. }), "{text}");
    assert!(text.starts_with("reach /nowhere/mysql.sock: No such file"), "{text}");
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        // PostgreSQL's yes to the question for encryption.
        stream.write_all(b"S").expect("an answer");
        stream
    });
    let gone =
        url(&format!("postgresql://u:Secret@127.0.0.1:{port}/d?sslmode=verify-full&sslrootcert=/nowhere/ca.pem"));
    let (error, text) = wait(refusal(&gone, TIMEOUT));
    assert!(matches!(error, ConnectError::Encryption { .. }), "{text}");
    drop(answering.join());
}

#[test]
fn a_closed_port_and_an_unknown_host_are_told_apart() {
    let port = free_port();
    for scheme in ["mysql", "postgresql"] {
        let closed = url(&format!("{scheme}://u:Secret@127.0.0.1:{port}/d"));
        let (error, text) = wait(refusal(&closed, TIMEOUT));
        assert!(matches!(error, ConnectError::Refused { .. }), "{text}");
        assert!(text.starts_with(&format!("reach 127.0.0.1:{port}: ")), "{text}");
        let unknown = url(&format!("{scheme}://u:Secret@no-such-host.invalid/d"));
        let (error, text) = wait(refusal(&unknown, TIMEOUT));
        assert!(matches!(error, ConnectError::Resolve { .. }), "{text}");
        assert!(text.starts_with("find the host `no-such-host.invalid`"), "{text}");
    }
}
