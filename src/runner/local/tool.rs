//! uv, which resolves and installs Python packages: the machine's own, or one that is fetched once.
//!
//! What is secret in an index's address reaches it in its environment, never as an argument.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use camino::{Utf8Path, Utf8PathBuf};

use super::trouble::{RunnerErrorExt, trouble, without_credentials};
use super::{Local, Source};
use crate::runner::{RunnerError, RunnerErrorKind};

/// Where the indexes are that pip was told of, if uv was told of none.
const INDEX_VARIABLES: [&str; 3] = ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX"];

impl Local {
    /// uv's path; it is fetched where the machine has none.
    pub(super) async fn uv(&self) -> Result<Utf8PathBuf, RunnerError> {
        let found = self.uv.get_or_try_init(|| async {
            let (settings, pip_index) = (self.settings.clone(), self.pip_index().await);
            blocking(move || obtain(settings.uv.as_deref(), &settings.environments, &settings.source, pip_index)).await
        });
        found.await.cloned()
    }

    /// The index that pip is told of on this machine, where uv is told of none: uv does not read pip's settings.
    pub(super) async fn pip_index(&self) -> Option<String> {
        if !matches!(self.settings.source, Source::Configured) {
            return None;
        }
        let asked = self.pip_index.get_or_init(|| blocking(pip_index));
        asked.await.clone()
    }

    /// uv with what it needs to find packages.
    pub(super) async fn uv_command(&self) -> Result<Command, RunnerError> {
        let mut command = Command::new(self.uv().await?);
        command.env("UV_NO_PROGRESS", "1").env("UV_PYTHON_DOWNLOADS", "never").env("NO_COLOR", "1");
        // Neither a project nor an environment that the operator stands in is meant.
        command
            .env_remove("VIRTUAL_ENV")
            .env_remove("UV_PROJECT_ENVIRONMENT")
            .env_remove("PYTHONPATH")
            .current_dir("/");
        match &self.settings.source {
            Source::Configured => {
                if let Some(index) = self.pip_index().await {
                    command.env("UV_INDEX_URL", &index).env("UV_DEFAULT_INDEX", &index);
                }
            }
            Source::Index(index) => {
                command.env("UV_INDEX_URL", index.expose()).env("UV_DEFAULT_INDEX", index.expose());
            }
            Source::Wheels(directory) => {
                command.env("UV_OFFLINE", "1").env("UV_NO_INDEX", "1").env("UV_FIND_LINKS", directory.as_str());
            }
        }
        Ok(command)
    }
}

/// Runs what may take long where it holds up nobody.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Runs a command to its end with `input`.
pub(super) fn run(mut command: Command, input: &str) -> io::Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // Whoever does not want it all says why in its answer.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output()
}

/// What a command said last that failed, in one line.
pub(super) fn words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(12)..].join(" ");
    without_credentials(&last.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Whether what a command complained of is that nobody answered.
pub(super) fn is_unreachable(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    [
        "dns error",
        "error sending request",
        "connection refused",
        "connection reset",
        "failed to establish a new connection",
        "timed out",
        "timeout",
        "temporary failure in name resolution",
        "network is unreachable",
        "502 bad gateway",
        "503 service",
        "504 gateway",
    ]
    .iter()
    .any(|text| words.contains(text))
}

/// The program of that name in the `PATH`.
pub(super) fn in_path(name: &str) -> Vec<Utf8PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let places = path.split(':').filter(|directory| directory.starts_with('/'));
    places.map(|directory| Utf8Path::new(directory).join(name)).filter(|path| is_program(path.as_std_path())).collect()
}

pub(super) fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn works(uv: &Utf8Path) -> bool {
    let asked = Command::new(uv).arg("--version").stdin(Stdio::null()).output();
    asked.is_ok_and(|output| output.status.success() && output.stdout.starts_with(b"uv "))
}

/// A uv that works: the one that is named, or one in the `PATH`, or leapfrog's own, which is fetched if need be.
fn obtain(
    named: Option<&Utf8Path>,
    environments: &Utf8Path,
    source: &Source,
    pip_index: Option<String>,
) -> Result<Utf8PathBuf, RunnerError> {
    if let Some(named) = named {
        return if works(named) {
            Ok(named.to_owned())
        } else {
            let what = format!("{named} is no uv that works on this machine");
            Err(trouble(
                RunnerErrorKind::Other,
                what,
                "Name another under `uv` of runner.local in the cloud file, or leave it out.",
            ))
        };
    }
    if let Some(found) = in_path("uv").into_iter().find(|path| works(path)) {
        return Ok(found);
    }
    let own = environments.join("uv");
    let program = own.join("bin/uv");
    if works(&program) {
        return Ok(program);
    }
    fetch(&own, environments, source, pip_index)?;
    if works(&program) {
        return Ok(program);
    }
    let what = format!("uv was installed into {own} and does not work");
    Err(trouble(RunnerErrorKind::Other, what, BY_HAND))
}

const BY_HAND: &str = "Install uv yourself (a package of your system, or `pip install uv` where pip works) so that it is in the PATH, or name it \
                       under `uv` of runner.local in the cloud file; then run the same command again.";

/// Installs uv into an environment of leapfrog's own.
fn fetch(
    own: &Utf8Path,
    environments: &Utf8Path,
    source: &Source,
    pip_index: Option<String>,
) -> Result<(), RunnerError> {
    let unwritable = |error: io::Error| {
        let what = format!("{environments} cannot be written: {error}");
        let advice = "Name another directory under `directory` of runner.local in the cloud file.";
        trouble(RunnerErrorKind::Other, what, advice).because(error)
    };
    fs::create_dir_all(environments).map_err(unwritable)?;
    let lock = super::environment::lock_file(&environments.join("uv.lock")).map_err(unwritable)?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).map_err(|error| unwritable(error.into()))?;
    if works(&own.join("bin/uv")) {
        return Ok(());
    }
    let mut pythons = in_path("python3");
    pythons.truncate(3);
    let mut complaint = "there is no python3 in the PATH".to_owned();
    for python in pythons {
        let _ = fs::remove_dir_all(own);
        let mut make = Command::new(&python);
        make.args(["-m", "venv"]).arg(own);
        let made = run(make, "").map_err(unwritable)?;
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stdout).into_owned();
            complaint = format!(
                "{python} makes no environment: {} {}",
                words(&made),
                said.split_whitespace().collect::<Vec<_>>().join(" ")
            );
            continue;
        }
        let mut install = Command::new(own.join("bin/python"));
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"]).env_remove("PYTHONPATH");
        match source {
            Source::Configured => install.envs(pip_index.iter().map(|index| ("PIP_INDEX_URL", index))),
            Source::Index(index) => install.env("PIP_INDEX_URL", index.expose()),
            Source::Wheels(directory) => install.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", directory.as_str()),
        };
        let installed = run(install, "").map_err(unwritable)?;
        if installed.status.success() {
            return Ok(());
        }
        let said = words(&installed);
        let kind = if is_unreachable(&said) { RunnerErrorKind::RegistryUnreachable } else { RunnerErrorKind::Other };
        return Err(trouble(
            kind,
            format!("uv is not on this machine and cannot be fetched with pip: {said}"),
            BY_HAND,
        ));
    }
    let advice = format!("Install Python's venv module (Debian, Ubuntu: `apt install python3-venv`). Or: {BY_HAND}");
    Err(trouble(
        RunnerErrorKind::Other,
        format!("uv is not on this machine and cannot be fetched: {complaint}"),
        advice,
    ))
}

/// What pip has for `global.index-url`, unless uv is told of an index by its own means.
fn pip_index() -> Option<String> {
    let told = INDEX_VARIABLES.iter().any(|name| std::env::var_os(name).is_some());
    let home = std::env::var("HOME").unwrap_or_default();
    let files = [format!("{home}/.config/uv/uv.toml"), "/etc/uv/uv.toml".to_owned()];
    if told || std::env::var_os("UV_CONFIG_FILE").is_some() || files.iter().any(|file| Path::new(file).exists()) {
        return None;
    }
    if let Ok(index) = std::env::var("PIP_INDEX_URL") {
        return Some(index);
    }
    let python = in_path("python3").into_iter().next()?;
    let mut ask = Command::new(python);
    ask.args(["-m", "pip", "config", "get", "global.index-url"]).env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    let answer = run(ask, "").ok().filter(|output| output.status.success())?;
    let index = String::from_utf8(answer.stdout).ok()?.trim().to_owned();
    (!index.is_empty()).then_some(index)
}
