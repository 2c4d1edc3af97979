//! A place to make images in, leapfrog in it, and the engine's own tool.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use crate::cloud::{Told, environment};
use crate::machine::{compiler, environments};

/// A place of a test's own: no layers are in it but the base's. Packages are downloaded once for all of them.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        compiler();
        // Beside the others, so that uv can share files and the base's layer can be linked.
        std::fs::create_dir_all(environments()).unwrap();
        let directory = tempfile::Builder::new().prefix("test-").tempdir_in(environments()).unwrap();
        let place = Self { directory };
        std::fs::create_dir(place.path().join("layers")).unwrap();
        for file in base() {
            std::fs::hard_link(file, place.path().join("layers").join(file.file_name().unwrap())).unwrap();
        }
        std::os::unix::fs::symlink(environments().join("packages"), place.path().join("packages")).unwrap();
        place
    }

    pub(crate) fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.directory.path()).unwrap()
    }

    /// The base's layer.
    pub(crate) fn base_tar(&self) -> Utf8PathBuf {
        base().iter().find(|file| file.extension() == Some("tar")).unwrap().clone()
    }

    /// `leapfrog env build` here.
    pub(crate) fn build(&self, arguments: &[&str]) -> Value {
        self.build_with(arguments, &[])
    }

    /// `leapfrog env build` with these variables.
    pub(crate) fn build_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Value {
        let mut command = leapfrog(&["env", "build", "--directory", self.path().as_str(), "-o", "json"]);
        command.args(arguments).current_dir(self.path()).envs(variables.iter().copied());
        let told = Told::from(command.output().unwrap()).ended(0);
        serde_json::from_str(&told.stdout).unwrap()
    }
}

/// leapfrog with the test bed's engine, and without a cloud file.
pub(crate) fn leapfrog(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leapfrog"));
    command.args(arguments).stdin(Stdio::null()).env("LANG", "C.UTF-8").env_remove("LEAPFROG_CONFIG");
    with_engine(&mut command);
    command
}

fn with_engine(command: &mut Command) {
    if let Some(host) = environment()["docker_host"].as_str() {
        command.env("DOCKER_HOST", host);
    }
}

/// What docker says; it must succeed.
pub(crate) fn docker(arguments: &[&str]) -> String {
    let (good, text) = try_docker(arguments);
    assert!(good, "docker {arguments:?}: {text}");
    text
}

/// What docker says, and whether it succeeded.
pub(crate) fn try_docker(arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("docker");
    with_engine(&mut command);
    let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text.trim().to_owned())
}

/// The files of the base's layer, which is made once and stays with what else the test bed keeps.
fn base() -> &'static [Utf8PathBuf] {
    static BASE: OnceLock<Vec<Utf8PathBuf>> = OnceLock::new();
    BASE.get_or_init(|| {
        let kept = environments();
        let arguments = ["env", "build", "--series", "2024.1", "--service", "barbican", "--directory", kept.as_str()];
        let built = leapfrog(&[&arguments[..], &["-o", "json"]].concat()).current_dir("/").output().unwrap();
        let built: Value = serde_json::from_str(&Told::from(built).ended(0).stdout).unwrap();
        assert_eq!(built["layers"][0]["holds"], "Debian bookworm");
        let known = kept.join("layers").read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path());
        let mut known: Vec<_> = known.filter(|path| path.extension() == Some("json")).collect();
        known.retain(|path| std::fs::read_to_string(path).unwrap().contains("\"Debian bookworm\""));
        // Bases of earlier recipes may still be there: all of them are at hand, and one is taken.
        known.into_iter().flat_map(|path| [path.with_extension("tar"), path]).collect()
    })
}
