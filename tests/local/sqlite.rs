//! Databases in files of this machine: what no container sees is taken through releases here, and nobody else writes.

use std::process::{Command, Stdio};

use camino::Utf8PathBuf;
use leapfrog::model::ImageReference;
use leapfrog::runner::Runner;
use leapfrog::runner::local::{Local, Recipe, shelved};

use crate::bed::{Home, environments, settings};
use crate::machine::compiler;

/// A directory with a cloud file for keystone and placement in SQLite files.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        let text = format!(
            "format: 1\nname: files\nrunner: {{local: {{directory: '{}'}}}}\nrestore_points: {{policy: every-hop}}\nservices:\n  \
             keystone: {{database: {{url: 'sqlite:///{}'}}}}\n  placement: {{database: {{url: 'sqlite:///{}'}}}}\n",
            environments(),
            files.path("keystone.db"),
            files.path("placement.db"),
        );
        std::fs::write(files.0.path().join("leapfrog.yaml"), text).unwrap();
        files
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn leapfrog(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leapfrog"));
        command.args(arguments).args(["--config", &self.path("leapfrog.yaml")]).current_dir(self.0.path());
        let output = command.env("DOCKER_HOST", "tcp://127.0.0.1:1").stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn heads(&self, name: &str) -> String {
        let script = "import sqlite3, sys\nfor row in sqlite3.connect(sys.argv[1]).execute('select version_num from alembic_version order by 1'): print(*row)";
        let output = Command::new("python3").args(["-c", script, &self.path(name)]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// The programs of 2023.1's keystone and placement. The databases need them before leapfrog can be asked.
async fn programs() -> Utf8PathBuf {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    let recipe = Recipe {
        series: "2023.1".parse().unwrap(),
        services: ["keystone", "placement"].map(|name| name.parse().unwrap()).into(),
        pythons: words(&["3.11", "3.10"]),
        requirements: words(&[
            "keystone>=23,<24",
            "openstack-placement>=9,<10",
            "PyMySQL",
            "psycopg2-binary",
            "netifaces2",
            "setuptools<81",
        ]),
        constraints: words(&["sqlalchemy<2"]),
        constraints_list: None,
        without: words(&["netifaces", "scrypt"]),
        exclude_newer: Some("2023-07-02T00:00:00Z".into()),
    };
    let reference = ImageReference::environment(&recipe.series, None);
    let home = Home::new();
    let mut settings = settings(&environments(), home.path(), recipe.clone());
    settings.recipes = [(reference.clone(), recipe)].into();
    let runner = Local::new(settings);
    let image = runner.resolve(&reference).await.unwrap();
    runner.fetch(&image, &|_| ()).await.unwrap_or_else(|error| panic!("{error}: {}", error.advice));
    let all = shelved(&environments()).unwrap();
    all.into_iter().find(|one| one.digest == image.digest).unwrap().directory.join("bin")
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn databases_in_files_are_taken_through_a_release_and_nobody_else_writes_meanwhile() {
    compiler();
    let files = Files::new();
    let programs = programs().await;
    for (name, program, command) in [
        ("keystone.db", "keystone-manage", &["db_sync"][..]),
        ("placement.db", "placement-manage", &["db", "sync"][..]),
    ] {
        let group = if name == "keystone.db" { "OS_DATABASE__CONNECTION" } else { "OS_PLACEMENT_DATABASE__CONNECTION" };
        let output = Command::new(format!("{programs}/{program}"))
            .args(command)
            .env(group, format!("sqlite:///{}", files.path(name)))
            .env("HOME", "/nowhere")
            .current_dir(files.0.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    let leap = ["--from", "2023.1", "--to", "2023.2", "--yes"];
    // Somebody has a file open.
    let hold = "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1]); c.execute('select 1 from sqlite_master').fetchall(); print('held', flush=True); time.sleep(600)";
    let mut holder =
        Command::new("python3").args(["-c", hold, &files.path("keystone.db")]).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = [0; 4];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut said).unwrap();
    let (code, _, err) = files.leapfrog(&leap);
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(code == 3 && err.contains("python3"), "{code}: {err}");

    let (code, out, err) = files.leapfrog(&leap);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(files.heads("keystone.db"), "11c3b243b4cb c88cdce8f248");
    assert_eq!(files.heads("placement.db"), "a082b8bb98d0");
    let (code, _, err) = files.leapfrog(&["verify", "--at", "2023.2", "--checks"]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = files.leapfrog(&["restore", "--to", "2023.2", "--yes"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(files.heads("placement.db"), "422ece571366");
    let (code, _, err) = files.leapfrog(&leap);
    assert_eq!(code, 0, "{err}");
    assert_eq!(files.heads("placement.db"), "a082b8bb98d0");
}
