//! PostgreSQL: a cluster of the tests' own, made in a temporary directory and gone afterwards.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use leapfrog::database::{ConnectError, QueryError, chain, connect};
use leapfrog::model::{ConnectionUrl, Secret};
use tempfile::TempDir;

use super::programs::{output, postgres, program};
use super::{LONG_LIFE, PASSWORD, TIMEOUT, change, free_port, refusal, run, seen, url, wait};

/// A running server.
pub(crate) struct Cluster {
    directory: TempDir,
    pub(crate) port: u16,
    server: Option<Child>,
}

impl Cluster {
    /// The cluster of the tests that run now: made by the first, stopped by the last.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = shared.upgrade() {
            return cluster;
        }
        let cluster = Arc::new(Self::start());
        *shared = Arc::downgrade(&cluster);
        cluster
    }

    fn start() -> Self {
        let directory = TempDir::new().expect("a directory");
        let mut cluster = Self { directory, port: free_port(), server: None };
        if let Some((user, group)) = postgres() {
            chown(cluster.directory.path(), Some(user), Some(group)).expect("the directory given away");
        }
        let secret = cluster.path("password");
        fs::write(&secret, PASSWORD).expect("a file");
        if let Some((user, group)) = postgres() {
            chown(&secret, Some(user), Some(group)).expect("the file given away");
        }
        let data = cluster.path("data");
        let made =
            output(program("initdb").args(["--auth=scram-sha-256", "--username=owner", "--encoding=UTF8"]).args([
                "--locale=C".to_owned(),
                "--no-sync".to_owned(),
                format!("--pwfile={}", secret.display()),
                format!("--pgdata={}", data.display()),
            ]));
        assert!(made.status.success(), "initdb failed:\n{}", String::from_utf8_lossy(&made.stderr));
        cluster.certify("server");
        let rules = "host all stranger all reject\nhost all all all scram-sha-256\n";
        fs::write(data.join("pg_hba.conf"), rules).expect("a file");
        let log = fs::File::create(cluster.path("log")).expect("a file");
        let mut server = program("postgres");
        server.args(["-D".as_ref(), data.as_os_str(), "-k".as_ref(), cluster.directory.path().as_os_str()]);
        server.args(["-p", &cluster.port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        server.args(["-c".to_owned(), "ssl=on".to_owned()]);
        for (setting, file) in [("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key")] {
            server.args(["-c".to_owned(), format!("{setting}={}", cluster.path(file).display())]);
        }
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        cluster.server = Some(server.spawn().expect("the server starts"));
        let began = Instant::now();
        while let Err(error) = wait(connect(&cluster.owner("postgres"), TIMEOUT)) {
            let log = fs::read_to_string(cluster.path("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(30), "{}\n{log}", chain(&error));
            std::thread::sleep(Duration::from_millis(50));
        }
        cluster
    }

    /// Makes a certificate for this address that vouches for itself, and its key.
    fn certify(&self, name: &str) {
        let (certificate, key) = (self.path(&format!("{name}.crt")), self.path(&format!("{name}.key")));
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=leapfrog"]);
        command.args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]);
        command.args(["-out".as_ref(), certificate.as_os_str(), "-keyout".as_ref(), key.as_os_str()]);
        let made = output(&mut command);
        assert!(made.status.success(), "openssl failed:\n{}", String::from_utf8_lossy(&made.stderr));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("permissions");
        if let Some((user, group)) = postgres() {
            chown(&key, Some(user), Some(group)).expect("the key given away");
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn login(&self, user: &str, database: &str) -> ConnectionUrl {
        url(&format!("postgresql+psycopg2://{user}@127.0.0.1:{}/{database}", self.port))
    }

    /// As the owner of everything.
    pub(crate) fn owner(&self, database: &str) -> ConnectionUrl {
        self.login("owner", database).with_password(Secret::new(PASSWORD))
    }

    /// An empty database.
    pub(crate) fn database(&self, name: &str) -> ConnectionUrl {
        wait(run(&self.owner("postgres"), &[&format!("CREATE DATABASE {name}")]));
        self.owner(name)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            // setpriv became the server, so this is its process.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn both_version_tables_are_read_and_look_alikes_are_not() {
    let cluster = Cluster::shared();
    let database = cluster.database("heads");
    assert_eq!(wait(seen(&database)), ("none / ".to_owned(), 0), "an empty database has no heads");
    wait(run(&database, &LONG_LIFE));
    assert_eq!(wait(seen(&database)), ("960aac0e09ea / nova=422".to_owned(), 5));
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn the_server_says_its_version_and_refuses_every_change() {
    let cluster = Cluster::shared();
    let database = cluster.database("changes");
    wait(async {
        run(&database, &["CREATE TABLE t (i INT)"]).await;
        let mut connection = connect(&database, TIMEOUT).await.expect("a connection");
        assert!(connection.version().await.expect("a version").starts_with("15."));
        assert!(connection.uptime().await.expect("an uptime") < TIMEOUT * 1_000_000);
        for statement in ["INSERT INTO t VALUES (1)", "DROP TABLE t", "CREATE TABLE u (i INT)"] {
            let said = change(&mut connection, statement).await;
            assert!(said.contains("read-only transaction"), "{statement}: {said}");
        }
        let rows = connection.rows("SELECT 7, NULL, 'é', 1.5, true").await.expect("a row");
        let row: Vec<Option<&str>> = rows[0].iter().map(Option::as_deref).collect();
        assert_eq!(row, [Some("7"), None, Some("é"), Some("1.5"), Some("t")]);
        connection.close().await;
    });
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn reasons_not_to_get_in_are_told_apart() {
    let cluster = Cluster::shared();
    wait(run(&cluster.owner("postgres"), &["CREATE ROLE stranger LOGIN PASSWORD 'Secret'"]));
    wait(async {
        let wrong = cluster.login("owner", "postgres").with_password(Secret::new("Secret"));
        let (error, text) = refusal(&wrong, TIMEOUT).await;
        assert!(matches!(error, ConnectError::Credentials { .. }), "{text}");
        assert!(text.contains("password authentication failed"), "{text}");
        let stranger = cluster.login("stranger", "postgres").with_password(Secret::new("Secret"));
        let (error, text) = refusal(&stranger, TIMEOUT).await;
        assert!(matches!(error, ConnectError::Origin { .. }), "{text}");
        let (error, text) = refusal(&cluster.owner("nowhere"), TIMEOUT).await;
        assert!(matches!(error, ConnectError::NoDatabase { .. }), "{text}");
        assert!(text.contains("\"nowhere\" does not exist"), "{text}");
    });
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_user_without_rights_does_not_make_a_database_look_empty() {
    let cluster = Cluster::shared();
    let database = cluster.database("rights");
    wait(run(&database, &LONG_LIFE));
    wait(run(&database, &[&format!("CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'")]));
    let guest = cluster.login("guest", "rights").with_password(Secret::new(PASSWORD));
    wait(async {
        let mut connection = connect(&guest, TIMEOUT).await.expect("a connection");
        let error = leapfrog::observe::heads(&mut connection).await.expect_err("no right to the version");
        assert!(matches!(error, QueryError::Privilege { .. }), "{}", chain(&error));
        connection.close().await;
    });
    // Without a right to the schema the server does not even admit that the tables are there.
    wait(run(&database, &["REVOKE ALL ON SCHEMA public FROM PUBLIC"]));
    assert_eq!(wait(seen(&guest)), ("none / ".to_owned(), 5));
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_session_is_encrypted_if_the_server_can_and_verified_if_the_url_asks_for_it() {
    let cluster = Cluster::shared();
    cluster.certify("stranger");
    let path = |name: &str| cluster.path(name).display().to_string();
    let login = |parameters: &str| {
        let text = format!("postgresql://owner@127.0.0.1:{}/postgres?{parameters}", cluster.port);
        url(&text).with_password(Secret::new(PASSWORD))
    };
    let encrypted = |parameters: &str| {
        wait(async {
            let mut connection = connect(&login(parameters), TIMEOUT).await.unwrap_or_else(|e| panic!("{}", chain(&e)));
            let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            let rows = connection.rows(query).await.expect("a row");
            connection.close().await;
            rows[0][0].as_deref() == Some("t")
        })
    };
    assert!(encrypted("application_name=x"), "encryption is preferred");
    assert!(!encrypted("sslmode=disable"));
    assert!(encrypted(&format!("sslmode=verify-full&sslrootcert={}", path("server.crt"))));
    let strange = login(&format!("sslmode=verify-full&sslrootcert={}", path("stranger.crt")));
    let (error, text) = wait(refusal(&strange, TIMEOUT));
    assert!(matches!(error, ConnectError::Encryption { .. }), "{text}");
    assert!(text.starts_with("agree on encryption with 127.0.0.1:"), "{text}");
}
