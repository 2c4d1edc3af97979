//! A PostgreSQL server of a test's own, from Debian's package, in a temporary directory and gone afterwards.

use std::fs;
use std::os::unix::fs::chown;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use leapfrog::database::{chain, connect};
use leapfrog::model::{ConnectionUrl, Secret};

const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
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

/// The user and group that the server runs as where the tests run as root, which it refuses to.
fn postgres() -> Option<(u32, u32)> {
    let id = |words: &[&str]| {
        let told = output(Command::new("id").args(words));
        String::from_utf8_lossy(&told.stdout).trim().parse::<u32>().ok()
    };
    (id(&["-u"]) == Some(0)).then(|| {
        let found = id(&["-u", "postgres"]).zip(id(&["-g", "postgres"]));
        found.expect("there is no user `postgres`: install the package postgresql-15")
    })
}

/// One of PostgreSQL's programs, run by a user it accepts.
fn program(name: &str) -> Command {
    let path = Utf8PathBuf::from(PROGRAMS).join(name);
    assert!(path.exists(), "{path} is missing: install the package postgresql-15");
    let mut command = match postgres() {
        None => return Command::new(path),
        Some((user, group)) => {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
            command
        }
    };
    command.arg(path).current_dir("/");
    command
}

fn output(command: &mut Command) -> Output {
    let program = command.get_program().to_owned();
    command.output().unwrap_or_else(|error| panic!("{} cannot be run, install it: {error}", program.display()))
}
