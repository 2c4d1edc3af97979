//! A PostgreSQL server of a test's own, from Debian's package, in a temporary directory and gone afterwards.

use std::fs;
use std::os::unix::fs::chown;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use leapfrog::database::{chain, connect};
use leapfrog::model::{ConnectionUrl, Secret};

use crate::programs::{output, postgres, program};

const PASSWORD: &str = "Leak0ladder";
const TIMEOUT: Duration = Duration::from_secs(10);

/// A running server.
pub(crate) struct Cluster {
    directory: tempfile::TempDir,
    port: u16,
    server: Child,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path()).unwrap().to_owned();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (secret, data) = (path.join("password"), path.join("data"));
        fs::write(&secret, PASSWORD).unwrap();
        for given in [&path, &secret] {
            if let Some((user, group)) = postgres() {
                chown(given, Some(user), Some(group)).unwrap();
            }
        }
        let mut initdb = program("initdb");
        initdb.args(["--auth=scram-sha-256", "--username=owner", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        let made = output(initdb.args([format!("--pwfile={secret}"), format!("--pgdata={data}")]));
        assert!(made.status.success(), "initdb failed:\n{}", String::from_utf8_lossy(&made.stderr));
        let mut server = program("postgres");
        server.args(["-D", data.as_str(), "-k", path.as_str(), "-p", &port.to_string()]);
        server.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        let log = fs::File::create(path.join("log")).unwrap();
        let server = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let cluster = Self { directory, port, server };
        let began = Instant::now();
        while let Err(error) = connect(&cluster.url("postgres"), TIMEOUT).await {
            let log = fs::read_to_string(cluster.directory.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(60), "{}\n{log}", chain(&error));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        cluster
    }

    /// A database of the server, as the owner of everything.
    fn url(&self, name: &str) -> ConnectionUrl {
        let text = format!("postgresql+psycopg2://owner@127.0.0.1:{}/{name}", self.port);
        text.parse::<ConnectionUrl>().unwrap().with_password(Secret::new(PASSWORD))
    }

    /// An empty database.
    pub(crate) fn database(&self, name: &str) -> ConnectionUrl {
        let mut createdb = Command::new("createdb");
        createdb.args(["-h", "127.0.0.1", "-U", "owner", "-p", &self.port.to_string(), name]);
        let made = output(createdb.env("PGPASSWORD", PASSWORD));
        assert!(made.status.success(), "createdb failed:\n{}", String::from_utf8_lossy(&made.stderr));
        self.url(name)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // setpriv became the server, so this is its process.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
