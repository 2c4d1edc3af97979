//! Rows that are touched on real servers, while others write, and while leapfrog is killed.

mod keys;
mod killed;
mod lag;
mod server;
mod triggers;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use leapfrog::database::{Purpose, chain, connect, connect_for};
use leapfrog::model::{ConnectionUrl, Engine};
use serde_json::Value;
use tempfile::TempDir;

use super::{TIMEOUT, wait};

/// Tells whoever reads the tests' output.
pub(crate) fn say(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A server of PostgreSQL without passwords.
pub(super) fn postgresql() -> server::Server {
    server::Server::postgresql(&[])
}

/// A cloud with one database, and leapfrog to be tried on it.
pub(crate) struct Site {
    directory: TempDir,
    pub(crate) url: ConnectionUrl,
}

/// A leapfrog that works, line by line.
pub(crate) struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    /// Every line so far.
    pub(crate) seen: Vec<Value>,
}

impl Site {
    pub(crate) fn new(url: &ConnectionUrl) -> Self {
        let directory = TempDir::new().expect("a directory");
        let (open, secret) =
            (url.to_string(), url.password().map_or(String::new(), |secret| secret.expose().to_owned()));
        let with = if secret.is_empty() { "" } else { ", password_file: secret" };
        let file = directory.path().join("secret");
        std::fs::write(&file, secret).expect("a file");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("permissions");
        let text = format!(
            "format: 1\nname: trip\nrestore_points: {{policy: none, accept_no_way_back: true}}\nrunner:\n  containers: \
             {{images: {{default: \"localhost/none:{{series}}\"}}}}\nservices:\n  keystone: {{database: {{url: \
             \"{open}\"{with}}}}}\n"
        );
        std::fs::write(directory.path().join("leapfrog.yaml"), text).expect("a file");
        Self { directory, url: url.clone() }
    }

    /// A database in an SQLite file.
    pub(crate) fn sqlite() -> (TempDir, Self) {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().join("k.db");
        std::fs::write(&path, "").expect("a file");
        let url: ConnectionUrl = format!("sqlite:///{}", path.display()).parse().expect("a URL");
        (directory, Self::new(&url))
    }

    pub(crate) fn engine(&self) -> Engine {
        self.url.engine()
    }

    pub(crate) fn run(&self, statements: &[&str]) {
        wait(async {
            let mut connection = connect_for(&self.url, Purpose::Change, TIMEOUT).await.expect("a connection");
            for statement in statements {
                let done = connection.change(statement).await;
                done.unwrap_or_else(|error| panic!("{statement}: {}", chain(&error)));
            }
            connection.close().await;
        });
    }

    pub(crate) fn number(&self, query: &str) -> u64 {
        wait(async {
            let mut connection = connect(&self.url, TIMEOUT).await.expect("a connection");
            let rows = connection.rows(query).await.unwrap_or_else(|error| panic!("{query}: {}", chain(&error)));
            connection.close().await;
            rows[0][0].as_deref().unwrap_or("0").parse().expect("a number")
        })
    }

    /// Waits until `query` finds `wanted` or more. Returns what it finds then.
    pub(crate) fn reaches(&self, query: &str, wanted: u64) -> u64 {
        let began = Instant::now();
        wait(async {
            let mut connection = connect(&self.url, TIMEOUT).await.expect("a connection");
            loop {
                let found = connection.rows(query).await.ok().and_then(|rows| rows[0][0].as_deref()?.parse().ok());
                if let Some(found) = found.filter(|found| *found >= wanted) {
                    connection.close().await;
                    return found;
                }
                assert!(began.elapsed() < Duration::from_secs(600), "{query} never found {wanted}: {found:?}");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leapfrog"));
        command.args(arguments).current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    /// `leapfrog trip` until its end: exit code, lines, standard error.
    pub(crate) fn trip(&self, arguments: &[&str]) -> (i32, Vec<Value>, String) {
        let output = self.command(&[&["trip", "--yes", "-o", "jsonl"], arguments].concat()).output().expect("it runs");
        let lines = String::from_utf8(output.stdout).expect("text");
        let lines = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        (output.status.code().expect("a code"), lines, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Begins `leapfrog trip`.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(&[&["trip", "--yes", "-o", "jsonl"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Running { child, lines, seen: Vec::new() }
    }
}

impl Running {
    /// The next line that is about `event`; nothing if it ends before.
    pub(crate) fn next(&mut self, event: &str) -> Option<Value> {
        loop {
            let line: Value = serde_json::from_str(&self.lines.next()?.expect("a line")).expect("JSON");
            self.seen.push(line.clone());
            if let Some(found) = line.get(event) {
                return Some(found.clone());
            }
        }
    }

    /// How many rows are touched when it has touched `rows`; nothing if it ends before.
    pub(crate) fn touched(&mut self, rows: u64) -> Option<u64> {
        loop {
            let touched = self.next("progress")?["touched"].as_u64().expect("a number");
            if touched >= rows {
                return Some(touched);
            }
        }
    }

    pub(crate) fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// `kill -9`, while it works.
    pub(crate) fn kill(mut self) {
        let ended = self.child.try_wait().expect("its state");
        assert!(ended.is_none(), "it ended before it was killed: {ended:?}");
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Waits for its end: exit code and every line.
    pub(crate) fn end(mut self) -> (i32, Vec<Value>) {
        while self.next("nothing").is_some() {}
        (self.child.wait().expect("its end").code().expect("a code"), self.seen)
    }
}

/// Every line of a trip follows the published schema.
pub(crate) fn follow(lines: &[Value]) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/trip.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("a schema")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    for line in lines {
        assert!(validator.is_valid(line), "{line} does not follow schemas/trip.json");
    }
}
