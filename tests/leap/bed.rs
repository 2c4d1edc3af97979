//! Clouds of the test bed and what leapfrog says about them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Why these tests are ignored in plain `cargo test`.
const TESTBED: &str = "tests/testbed/testbed";

pub(crate) fn testbed(arguments: &[&str], stdin: &str) -> String {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(TESTBED);
    let mut child = Command::new(&program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
    child.stdin.take().expect("a pipe").write_all(stdin.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ended");
    assert!(
        output.status.success(),
        "testbed {arguments:?} failed (is it up? `make testbed`):\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// docker, of the test bed's engine.
pub(crate) fn docker() -> Command {
    let mut command = Command::new("docker");
    command.envs(environment()["docker_host"].as_str().map(|host| ("DOCKER_HOST", host)));
    command
}

/// Puts a release's image under another tag, with files on top: path in the image and content.
pub(crate) fn variant(tag: &str, series: &str, files: &[(&str, &str)]) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut arguments = vec!["variant".to_owned(), tag.to_owned(), "--of".to_owned(), series.to_owned()];
    for (number, (path, content)) in files.iter().enumerate() {
        let file = directory.path().join(number.to_string());
        std::fs::write(&file, content).expect("written");
        arguments.extend(["--add".to_owned(), format!("{path}={}", file.display())]);
    }
    testbed(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), "");
}

/// What the test bed says of itself.
pub(crate) fn environment() -> Value {
    static ENVIRONMENT: std::sync::OnceLock<Value> = std::sync::OnceLock::new();
    ENVIRONMENT.get_or_init(|| serde_json::from_str(&testbed(&["env"], "")).expect("JSON")).clone()
}

/// A cloud with databases at 2023.1 and work pending, removed with the value.
pub(crate) struct Cloud {
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) directory: tempfile::TempDir,
}

impl Cloud {
    /// A cloud of this name with so many nova instances. The process makes the name its own: another run
    /// of these tests may work on the same test bed.
    pub(crate) fn new(name: &str, rows: u64) -> Self {
        Self::with(name, rows, &[])
    }

    /// The same with more said to the test bed: how many cells, for one.
    pub(crate) fn with(name: &str, rows: u64, more: &[&str]) -> Self {
        let name = &format!("{name}{}", std::process::id());
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().to_str().expect("UTF-8").to_owned();
        let told = testbed(&[&["cloud", name, "--dir", &path, "--rows", &rows.to_string()], more].concat(), "");
        let told: Value = serde_json::from_str(&told).expect("JSON");
        let password = told["password"].as_str().expect("a password").to_owned();
        Self { name: name.to_owned(), password, directory }
    }

    /// Runs SQL as the server's root in one of the cloud's databases; tab separated rows.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        testbed(&["sql", &format!("{}_{database}", self.name)], sql)
    }

    /// The one number that a query finds.
    pub(crate) fn number(&self, database: &str, sql: &str) -> u64 {
        let text = self.sql(database, sql);
        text.trim().parse().unwrap_or_else(|_| panic!("{sql} in {database} found {text:?}"))
    }

    /// The schema versions that a database stores, sorted.
    pub(crate) fn heads(&self, database: &str) -> Vec<String> {
        let text = self.sql(database, "SELECT version_num FROM alembic_version ORDER BY version_num");
        text.lines().map(str::to_owned).collect()
    }

    /// How many rows each table of a database has.
    pub(crate) fn rows(&self, database: &str) -> BTreeMap<String, u64> {
        let tables = self.sql(database, "SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'");
        let tables = tables.lines().map(|line| line.split('\t').next().expect("a name"));
        let counts: Vec<String> = tables.map(|table| format!("SELECT '{table}', COUNT(*) FROM `{table}`")).collect();
        let counted = self.sql(database, &counts.join(" UNION ALL "));
        let lines = counted.lines().map(|line| line.split_once('\t').expect("two columns"));
        lines.map(|(table, rows)| (table.to_owned(), rows.parse().expect("a number"))).collect()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.directory.path().join("leapfrog.yaml")
    }

    /// Changes the cloud file: `from` must be in it.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.config()).expect("readable");
        assert!(text.contains(from), "the cloud file holds no {from:?}:\n{text}");
        std::fs::write(self.config(), text.replace(from, to)).expect("writable");
    }

    /// leapfrog with this cloud's file.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leapfrog"));
        command.args(arguments).arg("--config").arg(self.config()).current_dir(self.directory.path());
        command.stdin(Stdio::null()).env("LANG", "C.UTF-8").env_remove("LEAPFROG_CONFIG");
        command
    }

    /// Runs leapfrog to its end.
    pub(crate) fn leapfrog(&self, arguments: &[&str]) -> Told {
        Told::from(self.command(arguments).output().expect("leapfrog runs"))
    }

    /// Every file of the state directory, with its content.
    pub(crate) fn state(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut open = vec![self.directory.path().join("state")];
        while let Some(directory) = open.pop() {
            let Ok(entries) = std::fs::read_dir(&directory) else { continue };
            for entry in entries {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    files.push((path.clone(), std::fs::read(&path).expect("readable")));
                }
            }
        }
        files
    }

    /// The records of the latest run, as the stream shows them: without the sums that guard their lines.
    pub(crate) fn journal(&self) -> Vec<Value> {
        let mut journals: Vec<_> =
            self.state().into_iter().filter(|(path, _)| path.ends_with("journal.jsonl")).collect();
        journals.sort();
        let (_, text) = journals.pop().expect("a journal");
        let text = String::from_utf8(text).expect("UTF-8");
        let records = text.lines().map(|line| {
            let mut record: Value = serde_json::from_str(line).expect("a record");
            let sum = record.as_object_mut().and_then(|record| record.remove("sum"));
            assert!(sum.is_some(), "a line without a sum: {line}");
            record
        });
        records.collect()
    }

    /// The plan of the latest run.
    pub(crate) fn plan(&self) -> Value {
        let mut plans: Vec<_> = self.state().into_iter().filter(|(path, _)| path.ends_with("plan.json")).collect();
        plans.sort();
        serde_json::from_slice(&plans.pop().expect("a plan").1).expect("JSON")
    }

    /// How many containers of this cloud the engine knows, running or not.
    pub(crate) fn containers(&self) -> usize {
        self.listed("-aq")
    }

    /// How many containers of this cloud work at this moment: not those that were created only.
    pub(crate) fn running(&self) -> usize {
        self.listed("-q")
    }

    fn listed(&self, which: &str) -> usize {
        let filter = format!("label=leapfrog.cloud={}", self.name);
        let output = docker().args(["ps", which, "--filter", &filter]).output().expect("docker runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().count()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            testbed(&["drop", &self.name], "");
        }
    }
}

/// What leapfrog said, and how it ended.
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Told {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("ended by itself"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

impl Told {
    /// The exit code was `code`.
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard error holds each of `texts`.
    pub(crate) fn said(self, texts: &[&str]) -> Self {
        // Words are wrapped; what counts is that they are there.
        let words = self.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        for text in texts {
            assert!(words.contains(text), "{text:?} is not in:\n{}", self.stderr);
        }
        self
    }
}
