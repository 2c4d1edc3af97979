//! A machine in a directory, and the program that is run on it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

/// The password of every database. Nothing the program prints may hold it, nor what it writes unless told.
pub(crate) const PASSWORD: &str = "Zwetschgenknoedel";

/// The services, the file of each, its section, its option, and its database.
pub(crate) const SERVICES: &[(&str, &str, &str, &str, &str)] = &[
    ("barbican", "barbican.conf", "DEFAULT", "sql_connection", "barbican"),
    ("cinder", "cinder.conf", "database", "connection", "cinder"),
    ("glance", "glance-api.conf", "database", "connection", "glance"),
    ("keystone", "keystone.conf", "database", "connection", "keystone"),
    ("neutron", "neutron.conf", "database", "connection", "neutron"),
    ("nova", "nova.conf", "database", "connection", "nova_cell0"),
    ("nova", "nova.conf", "api_database", "connection", "nova_api"),
    ("placement", "placement.conf", "placement_database", "connection", "placement"),
];

/// A machine.
pub(crate) struct Machine {
    directory: TempDir,
}

/// What a run of the program came to.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The URL of a service's database.
pub(crate) fn url(name: &str) -> String {
    let user = name.split('_').next().unwrap_or(name);
    format!("mysql+pymysql://{user}:{PASSWORD}@10.0.0.5/{name}?charset=utf8")
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::Builder::new().prefix("machine").tempdir().expect("a directory") }
    }

    /// A machine with every service's sample configuration, filled in.
    pub(crate) fn with_packages() -> Self {
        let machine = Self::new();
        for (service, file, ..) in SERVICES {
            machine.write(&format!("etc/{service}/{file}"), filled(file));
        }
        machine
    }

    /// One service with this file, and nothing else.
    pub(crate) fn with(service: &str, file: &str, text: impl AsRef<[u8]>) -> Self {
        let machine = Self::new();
        machine.write(&format!("etc/{service}/{file}"), text);
        machine
    }

    pub(crate) fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.directory.path()).expect("UTF-8").join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("set");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Runs the program in the directory, without a terminal and without an engine.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        let output = Command::new(env!("CARGO_BIN_EXE_leapfrog"))
            .args(arguments)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .env_clear()
            .env("HOME", self.directory.path())
            .env("DOCKER_HOST", "tcp://127.0.0.1:1")
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm")
            .output()
            .expect("the program can be started");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let done = Done {
            code: output.status.code().unwrap_or_else(|| panic!("{arguments:?}: {}", output.status)),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        for forbidden in ["panicked", PASSWORD] {
            assert!(!done.out.contains(forbidden) && !done.err.contains(forbidden), "{}{}", done.out, done.err);
        }
        done
    }

    /// `leapfrog init` on this machine.
    pub(crate) fn init(&self, more: &[&str]) -> Done {
        self.run(&[&["init", "--root", ".", "--yes", "--name", "lab"], more].concat())
    }

    /// What a command printed, with this directory as `ROOT` and the day as `TODAY`.
    pub(crate) fn told(&self, done: &Done) -> String {
        let err: String = done.err.lines().map(|line| format!("! {line}").trim_end().to_owned() + "\n").collect();
        self.plain(&format!("{}{err}(exit {})\n", done.out, done.code))
    }

    /// A text with this directory as `ROOT` and the day as `TODAY`.
    pub(crate) fn plain(&self, text: &str) -> String {
        let today = jiff::Timestamp::now().strftime("%F").to_string();
        text.replace(self.directory.path().to_str().expect("UTF-8"), "ROOT").replace(&today, "TODAY")
    }

    /// Where a command of the cloud file that was written goes: `detect`, with every database out of reach.
    pub(crate) fn databases(&self) -> Vec<(String, String)> {
        let text = self.read("leapfrog.yaml");
        let catalog = leapfrog::catalog::Catalog::embedded().expect("a catalogue");
        let playbooks: Vec<_> = catalog.playbooks().collect();
        let cloud = leapfrog::cloud::Cloud::check(&self.path("leapfrog.yaml"), &text, &playbooks, &|_| None);
        let cloud = cloud.unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        let databases = cloud.databases.iter();
        databases.map(|(id, url)| (id.to_string(), url.for_service().expose().to_owned())).collect()
    }
}

/// A service's sample configuration with its databases filled in as an operator does it: below the comment.
pub(crate) fn filled(file: &str) -> String {
    let sample =
        std::fs::read_to_string(Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contact/samples").join(file));
    let (mut text, mut section) = (String::new(), String::new());
    for line in sample.unwrap_or_else(|error| panic!("{file}: {error}")).lines() {
        text.push_str(line);
        text.push('\n');
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.to_owned();
        }
        for (_, of, group, option, database) in SERVICES {
            if *of == file && *group == section && line.starts_with(&format!("#{option} = ")) {
                text.push_str(&format!("{option} = {}\n", url(database)));
            }
        }
    }
    text
}
