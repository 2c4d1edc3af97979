//! Servers of these tests' and of the benchmark's own, with their usual durability, gone afterwards.

use std::fs;
use std::future::Future;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use leapfrog::database::{Purpose, chain, connect, connect_for};
use leapfrog::model::ConnectionUrl;
use tempfile::TempDir;

use crate::programs::{output, postgres, program};

/// Long enough for any server that answers.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A running server.
pub(crate) struct Server {
    _directory: TempDir,
    scheme: &'static str,
    pub(crate) port: u16,
    process: Child,
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

/// A free port, until somebody takes it.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

impl Server {
    /// MariaDB, with more settings such as `--server-id=2`.
    pub(crate) fn mariadb(settings: &[&str]) -> Self {
        let directory = TempDir::new().expect("a directory");
        let data = directory.path().join("data");
        let made = output(
            Command::new("mariadb-install-db")
                .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
                .args([format!("--datadir={}", data.display()), "--user=root".to_owned()])
                // A server that starts removes what it takes for left over in the directory of temporary files.
                .env("TMPDIR", directory.path()),
        );
        assert!(made.status.success(), "mariadb-install-db failed: {}", String::from_utf8_lossy(&made.stderr));
        Self::start(directory, "mariadbd".into(), &["--no-defaults", "--user=root"], settings)
    }

    /// MySQL with more settings, if `LEAPFROG_MYSQLD` names one: a program, or a script that calls it in a place of its own.
    pub(crate) fn mysql(settings: &[&str]) -> Option<Self> {
        let program = PathBuf::from(std::env::var_os("LEAPFROG_MYSQLD")?);
        let directory = TempDir::new().expect("a directory");
        let data = format!("--datadir={}", directory.path().join("data").display());
        let made =
            output(Command::new(&program).args(["--no-defaults", "--initialize-insecure", "--user=root", &data]));
        assert!(made.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&made.stderr));
        Some(Self::start(directory, program, &["--no-defaults", "--user=root", "--mysqlx=OFF"], settings))
    }

    fn start(directory: TempDir, program: PathBuf, first: &[&str], settings: &[&str]) -> Self {
        let port = free_port();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let users = "CREATE USER trip@'%';\nGRANT ALL ON *.* TO trip@'%' WITH GRANT OPTION;\n";
        fs::write(path("users"), users).expect("a file");
        let log = fs::File::create(path("log")).expect("a file");
        let mut command = Command::new(program);
        command.args(first).args([
            format!("--datadir={}", path("data")),
            format!("--socket={}", path("socket")),
            format!("--pid-file={}", path("pid")),
            format!("--init-file={}", path("users")),
            format!("--port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--innodb-buffer-pool-size=1G".to_owned(),
            "--secure-file-priv=".to_owned(),
        ]);
        command.args(settings).env("TMPDIR", directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().expect("the server starts");
        let server = Self { _directory: directory, scheme: "mysql+pymysql", port, process };
        server.answers("information_schema");
        server
    }

    /// PostgreSQL, with more settings such as `-cmax_wal_size=4GB`.
    pub(crate) fn postgresql(settings: &[&str]) -> Self {
        let (directory, port) = (TempDir::new().expect("a directory"), free_port());
        if let Some((user, group)) = postgres() {
            chown(directory.path(), Some(user), Some(group)).expect("the directory given away");
        }
        let data = directory.path().join("data").display().to_string();
        let words = ["--auth=trust", "--username=trip", "--encoding=UTF8", "--locale=C", "--pgdata"];
        let made = output(program("initdb").args(words).arg(&data));
        assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        let log = fs::File::create(directory.path().join("log")).expect("a file");
        let mut command = program("postgres");
        command.args(["-D", &data, "-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-k"]);
        command.arg(directory.path()).args(settings).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().expect("the server starts");
        let server = Self { _directory: directory, scheme: "postgresql+psycopg2", port, process };
        server.answers("postgres");
        server
    }

    /// Waits until it does.
    fn answers(&self, database: &str) {
        let began = Instant::now();
        while let Err(error) = wait(connect(&self.url(database), TIMEOUT)) {
            assert!(began.elapsed() < Duration::from_secs(60), "{}", chain(&error));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn url(&self, database: &str) -> ConnectionUrl {
        format!("{}://trip@127.0.0.1:{}/{database}", self.scheme, self.port).parse().expect("a URL")
    }

    /// Makes an empty database.
    pub(crate) fn database(&self, name: &str) -> ConnectionUrl {
        let (lobby, more) = if self.scheme.starts_with("mysql") {
            ("information_schema", " CHARACTER SET utf8mb3")
        } else {
            ("postgres", "")
        };
        wait(async {
            let connection = connect_for(&self.url(lobby), Purpose::Change, TIMEOUT).await;
            let mut connection = connection.unwrap_or_else(|error| panic!("{}", chain(&error)));
            let made = connection.change(&format!("CREATE DATABASE {name}{more}")).await;
            made.unwrap_or_else(|error| panic!("{}", chain(&error)));
            connection.close().await;
        });
        self.url(name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
