//! A cloud of SQLite files in a directory of its own, and the program to be tried on it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

/// Port 1 of this machine (tcpmux): nothing listens there.
pub(crate) const CLOSED: &str = "127.0.0.1:1";

/// The password of every database that has one. Nothing the program prints or writes may hold it.
pub(crate) const PASSWORD: &str = "Zwetschgenknoedel";

/// The heads of 2023.1, as its release file names them: schema, heads.
const ANTELOPE: &[(&str, &[&str])] = &[
    ("barbican", &["8c74e2d7f1ff"]),
    ("cinder", &["daa98075b90d"]),
    ("glance", &["2023_1_contract01"]),
    ("keystone", &["29e87d24a316", "e25ffa003242"]),
    ("neutron", &["5c85685d616d", "fc153938cdc1"]),
    ("nova", &["960aac0e09ea"]),
    ("nova_api", &["b30f573d3377"]),
    ("placement", &["422ece571366"]),
];

/// These clouds have no way back.
const NO_POINTS: &str = "restore_points: {policy: none, accept_no_way_back: true}\n";

/// A cloud in a directory.
pub(crate) struct Lab {
    directory: TempDir,
    services: String,
    extra: String,
    /// What the cloud file says of restore points.
    points: &'static str,
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// What a run of the program came to.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Lab {
    /// A cloud without services.
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("lab").tempdir().expect("a directory");
        Self { directory, services: String::new(), extra: String::new(), points: NO_POINTS, variables: Vec::new() }
    }

    /// A cloud with these services, all of them at 2023.1.
    pub(crate) fn at_antelope(services: &[&str]) -> Self {
        let mut lab = Self::new();
        for service in services {
            lab = if *service == "nova" { lab.nova() } else { lab.service(service, antelope(service)) };
        }
        lab
    }

    /// One more service with a database of its own that shows `heads`.
    pub(crate) fn service(mut self, service: &str, heads: &[&str]) -> Self {
        let url = self.database(service, heads);
        let _ = writeln!(self.services, "  {service}: {{database: {{url: \"{url}\"}}}}");
        self
    }

    /// One more service whose database is written like this.
    pub(crate) fn service_like(mut self, service: &str, database: &str) -> Self {
        let _ = writeln!(self.services, "  {service}: {{database: {database}}}");
        self
    }

    /// One more service, written like this.
    pub(crate) fn section(mut self, lines: &str) -> Self {
        self.services.push_str(lines);
        self
    }

    /// Nova at 2023.1, with a cell and cell mappings that lead to it.
    fn nova(mut self) -> Self {
        let [api, cell0, cell1] = [("api", "nova_api"), ("cell0", "nova"), ("cell1", "nova")]
            .map(|(file, schema)| self.database(file, antelope(schema)));
        self.sql(
            "api",
            &[
                "CREATE TABLE cell_mappings (id integer, uuid text, name text, database_connection text)".to_owned(),
                format!(
                    "INSERT INTO cell_mappings VALUES (1, '00000000-0000-0000-0000-000000000000', 'cell0', '{cell0}')"
                ),
                format!("INSERT INTO cell_mappings VALUES (2, 'a', 'cell1', '{cell1}')"),
            ],
        );
        let _ = write!(
            self.services,
            "  nova:\n    databases:\n      api: {{url: \"{api}\"}}\n      cell0: {{url: \"{cell0}\"}}\n    cells:\n      \
             cell1: {{url: \"{cell1}\"}}\n"
        );
        self
    }

    /// More lines of the cloud file.
    pub(crate) fn with(mut self, lines: &str) -> Self {
        self.extra.push_str(lines);
        self.extra.push('\n');
        self
    }

    /// Restore points, as they are unless the file says something else.
    pub(crate) fn with_points(self) -> Self {
        Self { points: "", ..self }
    }

    /// An environment variable of the program.
    pub(crate) fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Writes the cloud file that all of this makes.
    pub(crate) fn ready(self) -> Self {
        let text = format!(
            "format: 1\nname: lab\n{}{}runner:\n  containers:\n    images:\n      default: \
             \"registry.example/openstack:{{series}}\"\nservices:\n{}",
            self.extra, self.points, self.services
        );
        self.file("leapfrog.yaml", text);
        self
    }

    /// A path in the directory.
    pub(crate) fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.directory.path().join(name)).expect("UTF-8")
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> Utf8PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(&path, contents).expect("written");
        path
    }

    /// An SQLite file `NAME.db` that shows `heads`; returns its URL.
    pub(crate) fn database(&self, name: &str, heads: &[&str]) -> String {
        let path = self.path(&format!("{name}.db"));
        let _ = std::fs::remove_file(&path);
        let mut statements = vec![
            "CREATE TABLE things (id integer)".to_owned(),
            "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)".to_owned(),
        ];
        statements.extend(heads.iter().map(|head| format!("INSERT INTO alembic_version VALUES ('{head}')")));
        self.sql(name, &statements);
        format!("sqlite:///{path}")
    }

    /// Runs statements on `NAME.db`, which is made if need be.
    pub(crate) fn sql(&self, name: &str, statements: &[String]) {
        let path = self.path(&format!("{name}.db"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
            let mut connection = options.connect().await.expect("opened");
            for statement in statements {
                sqlx::query(sqlx::AssertSqlSafe(statement.as_str())).execute(&mut connection).await.expect("executed");
            }
            connection.close().await.expect("closed");
        });
    }

    /// The program with `arguments`, in the directory, with no terminal and no container engine.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leapfrog"));
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            .env("DOCKER_HOST", format!("tcp://{CLOSED}"))
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm")
            .env("RUST_BACKTRACE", "1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program and looks at what no run may show: a panic, a backtrace, a password, silence.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        Done::new(self.command(arguments).output().expect("the program can be started"), &format!("{arguments:?}"))
    }

    /// Runs command lines and tells what each printed, with this directory's path as `LAB`.
    pub(crate) fn tell(&self, lines: &[&str]) -> String {
        let mut text = String::new();
        for line in lines {
            let arguments: Vec<&str> = line.split_whitespace().collect();
            let Done { code, out, err } = self.run(&arguments);
            let _ = write!(text, "$ leapfrog {line}\n{out}");
            text.extend(err.lines().map(|line| format!("! {line}").trim_end().to_owned() + "\n"));
            let _ = writeln!(text, "(exit {code})\n");
        }
        text.replace(self.directory.path().to_str().expect("UTF-8"), "LAB")
    }

    /// Every file under the directory with its bytes.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut directories = vec![self.directory.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(&directory).expect("readable") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    files.push((path.clone(), Vec::new()));
                    directories.push(path);
                } else {
                    files.push((path.clone(), std::fs::read(&path).expect("readable")));
                }
            }
        }
        files.sort();
        files
    }

    /// The directory.
    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }
}

impl Done {
    /// Looks at what no run of the program may show.
    pub(crate) fn new(output: Output, what: &str) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        let code = output.status.code().unwrap_or_else(|| panic!("{what}: {}", output.status));
        let done = Self { code, out: text(output.stdout), err: text(output.stderr) };
        for forbidden in ["panicked", "backtrace", "RUST_BACKTRACE", "src/", PASSWORD] {
            assert!(!done.out.contains(forbidden), "{what}: `{forbidden}` in {}", done.out);
            assert!(!done.err.contains(forbidden), "{what}: `{forbidden}` in {}", done.err);
        }
        assert!(done.code == 0 || !done.err.is_empty(), "{what}: exit {code} without a word");
        done
    }

    /// The exit code must be `code` and standard error must say each of `words`.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, code, "{}", self.err);
        for word in words {
            assert!(self.err.contains(word), "no `{word}` in:\n{}", self.err);
        }
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
}

/// The heads of 2023.1 in a schema.
pub(crate) fn antelope(schema: &str) -> &'static [&'static str] {
    ANTELOPE.iter().find(|(name, _)| *name == schema).map_or(&[], |(_, heads)| *heads)
}

/// The project's directory.
pub(crate) fn project() -> &'static Utf8Path {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Checks a document against one of the schemas in `schemas/`.
#[track_caller]
pub(crate) fn follows(schema: &str, document: &serde_json::Value) {
    let text = std::fs::read_to_string(project().join("schemas").join(format!("{schema}.json"))).expect("a schema");
    let schema: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    let mistakes: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(mistakes.is_empty(), "{mistakes:#?}");
}
