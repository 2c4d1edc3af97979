//! MariaDB, the test bed's.

use std::process::Command;

use leapfrog::database::{ConnectError, QueryError, chain, connect};
use leapfrog::model::{ConnectionUrl, Secret};

use super::{LONG_LIFE, PASSWORD, TIMEOUT, change, refusal, run, seen, url, wait};

/// The server of the test bed.
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u64,
    root: String,
}

impl Server {
    /// The running one; a test fails with advice if there is none.
    pub(crate) fn find() -> Self {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/testbed/testbed");
        let output = Command::new(program).arg("env").output();
        let output = output.unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the test bed is not up: run `tests/testbed/testbed up` first\n{told}");
        let facts: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let fact = |name: &str| facts["mariadb"][name].as_str().unwrap_or_default().to_owned();
        Self { host: fact("host"), port: facts["mariadb"]["port"].as_u64().expect("a port"), root: fact("root_user") }
    }

    fn root(&self, database: &str) -> ConnectionUrl {
        url(&format!("mysql://{}@{}:{}/{database}", self.root, self.host, self.port))
    }

    /// An empty database, gone when the test is over.
    pub(crate) fn database(self, story: &str) -> Database {
        let name = format!("observed_{}_{story}", std::process::id());
        wait(run(
            &self.root("information_schema"),
            &[&format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb3"), &format!("CREATE USER `{name}`@`%`")],
        ));
        Database { server: self, name }
    }
}

/// A database and a user of the same name with all privileges on nothing.
pub(crate) struct Database {
    pub(crate) server: Server,
    pub(crate) name: String,
}

impl Database {
    /// As root.
    pub(crate) fn root(&self) -> ConnectionUrl {
        self.server.root(&self.name)
    }

    /// As the user of the database's name.
    fn user(&self, password: &str) -> ConnectionUrl {
        let Server { host, port, .. } = &self.server;
        url(&format!("mysql+pymysql://{0}@{host}:{port}/{0}", self.name)).with_password(Secret::new(password))
    }

    /// As a user with all rights on the database and on nothing else.
    pub(crate) fn allowed(&self) -> ConnectionUrl {
        self.grant(&format!("ALL ON `{}`.*", self.name));
        self.user(PASSWORD)
    }

    /// As the user, with what it was granted and nothing else.
    pub(crate) fn allowed_as_granted(&self) -> ConnectionUrl {
        self.user(PASSWORD)
    }

    pub(crate) fn run(&self, statements: &[&str]) {
        wait(run(&self.root(), statements));
    }

    /// Gives the user a password and a right.
    pub(crate) fn grant(&self, right: &str) {
        self.run(&[
            &format!("ALTER USER `{}`@`%` IDENTIFIED BY '{PASSWORD}'", self.name),
            &format!("GRANT {right} TO `{}`@`%`", self.name),
        ]);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let root = self.server.root("information_schema");
        let statements = [format!("DROP DATABASE `{}`", self.name), format!("DROP USER `{}`@`%`", self.name)];
        // A runtime may be running on this thread already, if the test failed inside it.
        let dropping = std::thread::spawn(move || wait(run(&root, &statements.each_ref().map(String::as_str))));
        let _ = dropping.join();
    }
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn both_version_tables_are_read_and_look_alikes_are_not() {
    let database = Server::find().database("heads");
    assert_eq!(wait(seen(&database.root())), ("none / ".to_owned(), 0), "an empty database has no heads");
    database.run(&LONG_LIFE);
    assert_eq!(wait(seen(&database.root())), ("960aac0e09ea / nova=422".to_owned(), 5));
    database.run(&["DELETE FROM alembic_version", "CREATE VIEW v AS SELECT * FROM instances"]);
    assert_eq!(wait(seen(&database.root())), ("nova 422 / nova=422".to_owned(), 5));
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn the_server_says_its_version_and_refuses_every_change() {
    let database = Server::find().database("changes");
    database.run(&["CREATE TABLE t (i INT)"]);
    wait(async {
        let mut connection = connect(&database.root(), TIMEOUT).await.expect("a connection");
        assert!(connection.version().await.expect("a version").contains("MariaDB"));
        assert!(connection.uptime().await.expect("an uptime") < TIMEOUT * 1_000_000);
        for statement in ["INSERT INTO t VALUES (1)", "DROP TABLE t", "CREATE TABLE u (i INT)", "UPDATE t SET i = 2"] {
            let said = change(&mut connection, statement).await;
            assert!(said.contains("READ ONLY transaction"), "{statement}: {said}");
        }
        let rows = connection.rows("SELECT 7, NULL, 'é', 1.5, now() > '2020-01-01'").await.expect("a row");
        let row: Vec<Option<&str>> = rows[0].iter().map(Option::as_deref).collect();
        assert_eq!(row, [Some("7"), None, Some("é"), Some("1.5"), Some("1")]);
        connection.close().await;
    });
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_wrong_password_and_a_missing_database_are_told_apart() {
    let database = Server::find().database("credentials");
    database.grant(&format!("ALL ON `{}`.*", database.name));
    wait(async {
        connect(&database.user(PASSWORD), TIMEOUT).await.expect("the password is right").close().await;
        let (error, text) = refusal(&database.user("Secret"), TIMEOUT).await;
        assert!(matches!(error, ConnectError::Credentials { .. }), "{text}");
        assert!(text.contains("Access denied for user") && text.starts_with("log in at"), "{text}");
        let (error, text) = refusal(&database.server.root("observed_nowhere"), TIMEOUT).await;
        assert!(matches!(error, ConnectError::NoDatabase { .. }), "{text}");
        assert!(text.contains("Unknown database 'observed_nowhere'"), "{text}");
    });
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_user_without_rights_does_not_make_a_database_look_empty() {
    let database = Server::find().database("rights");
    database.run(&LONG_LIFE);
    database.grant("USAGE ON *.*");
    wait(async {
        let (error, text) = refusal(&database.user(PASSWORD), TIMEOUT).await;
        assert!(matches!(error, ConnectError::Privilege { .. }), "{text}");
    });
    // Seen by nobody but those with a right to it, a table can still not be taken for absent.
    database.grant(&format!("SELECT ON `{}`.instances", database.name));
    wait(async {
        let mut connection = connect(&database.user(PASSWORD), TIMEOUT).await.expect("a connection");
        assert_eq!(connection.tables().await.expect("a number"), 1);
        let error = leapfrog::observe::heads(&mut connection).await.expect_err("no right to the version");
        assert!(matches!(error, QueryError::Privilege { .. }), "{}", chain(&error));
        connection.close().await;
    });
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_way_to_log_in_that_is_not_supported_is_named() {
    let database = Server::find().database("method");
    database.run(&[
        "INSTALL PLUGIN IF NOT EXISTS ed25519 SONAME 'auth_ed25519'",
        &format!("ALTER USER `{}`@`%` IDENTIFIED VIA ed25519 USING PASSWORD('Secret')", database.name),
    ]);
    let (error, text) = wait(refusal(&database.user("Secret"), TIMEOUT));
    assert!(matches!(error, ConnectError::Method { .. }), "{text}");
    assert!(text.contains("client_ed25519"), "{text}");
}
