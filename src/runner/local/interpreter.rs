//! Which Python runs a release's code: the first of the versions that the release file names for which this machine
//! has an interpreter that works.
//!
//! Looked for in the `PATH`, among pyenv's versions and where uv finds some; or only where the cloud file says.
//! Nothing is installed: what is missing is said before anything begins.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use camino::Utf8PathBuf;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::tool::{blocking, in_path};
use super::trouble::trouble;
use super::{Local, Recipe};
use crate::runner::{RunnerError, RunnerErrorKind};

/// An interpreter that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::runner) struct Interpreter {
    /// Its own path, whatever link or shim led to it.
    pub(in crate::runner) path: Utf8PathBuf,
    /// Such as `3.11.2`.
    pub(in crate::runner) version: String,
    /// What tells files that are compiled for it from others, such as `cpython-3.11 linux-x86_64`.
    pub(in crate::runner) tag: String,
}

/// What an interpreter says of itself; it fails where it lacks what OpenStack's commands need of it.
const QUESTION: &str = "import ctypes, json, os, platform, sqlite3, ssl, sys, sysconfig
base = getattr(sys, '_base_executable', None) or sys.executable
version = platform.python_version()
short = '%d.%d' % sys.version_info[:2]
tag = '%s-%s %s' % (sys.implementation.name, short, sysconfig.get_platform())
print(json.dumps({'path': os.path.realpath(base), 'version': version, 'tag': tag}))";

impl Interpreter {
    /// `3.11` of `3.11.2`.
    pub(super) fn minor(&self) -> &str {
        self.version.match_indices('.').nth(1).map_or(self.version.as_str(), |(at, _)| &self.version[..at])
    }
}

impl Local {
    /// The interpreter for a recipe.
    pub(super) async fn interpreter(&self, recipe: &Recipe) -> Result<Interpreter, RunnerError> {
        let mut seen = BTreeSet::new();
        for version in &recipe.pythons {
            if let Some(known) = self.known_interpreter(recipe, version) {
                return Ok(known);
            }
            for path in self.candidates(recipe, version).await {
                let asked = path.clone();
                let Ok(Some(found)) = blocking(move || ask(&asked)).await else { continue };
                if found.minor() == version {
                    self.know_interpreter(recipe, version, &found);
                    return Ok(found);
                }
                seen.insert(found.version);
            }
        }
        Err(self.no_interpreter(recipe, seen))
    }

    fn known_interpreter(&self, recipe: &Recipe, version: &str) -> Option<Interpreter> {
        let key = self.interpreter_key(recipe, version);
        self.interpreters.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(&key).cloned()
    }

    fn know_interpreter(&self, recipe: &Recipe, version: &str, found: &Interpreter) {
        let key = self.interpreter_key(recipe, version);
        self.interpreters.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(key, found.clone());
    }

    /// What decides which interpreter is found.
    fn interpreter_key(&self, recipe: &Recipe, version: &str) -> String {
        self.named(recipe, version).join("\n") + version
    }

    /// Where the cloud file says that interpreters are.
    fn named(&self, recipe: &Recipe, version: &str) -> Vec<String> {
        let filled = self.settings.python.iter();
        filled.map(|text| text.replace("{series}", recipe.series.as_str()).replace("{version}", version)).collect()
    }

    /// Where an interpreter of that version may be, the likeliest first.
    async fn candidates(&self, recipe: &Recipe, version: &str) -> Vec<Utf8PathBuf> {
        let named = self.named(recipe, version);
        if !named.is_empty() {
            let places = named.into_iter().flat_map(|text| match text.contains('/') {
                true => vec![Utf8PathBuf::from(text)],
                false => in_path(&text),
            });
            return places.collect();
        }
        let mut places = in_path(&format!("python{version}"));
        places.extend(in_path("python3"));
        places.extend(pyenv(version));
        if let Ok(mut find) = self.uv_command().await {
            find.args(["python", "find", "--no-project", version]).stdin(Stdio::null());
            let found = blocking(move || find.output()).await;
            let path = found.ok().filter(|output| output.status.success());
            places
                .extend(path.and_then(|output| Some(Utf8PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))));
        }
        places
    }

    fn no_interpreter(&self, recipe: &Recipe, seen: BTreeSet<String>) -> RunnerError {
        let wanted = recipe.pythons.join(" or ");
        let seen = match seen.into_iter().collect::<Vec<_>>() {
            seen if seen.is_empty() => "none was found that works with ssl and sqlite3".to_owned(),
            seen => format!("found {}", seen.join(", ")),
        };
        let first = recipe.pythons.first().map_or("3", String::as_str);
        trouble(
            RunnerErrorKind::ImageMissing,
            format!("release {} runs on Python {wanted}, and this machine has none: {seen}", recipe.series),
            format!(
                "Install one (such as `apt install python{first} python{first}-venv`, `uv python install {first}` or \
                 `pyenv install {first}`), or say where one is with `python` under runner.local in the cloud file."
            ),
        )
    }
}

/// pyenv's interpreters of a version, the newest first.
fn pyenv(version: &str) -> Vec<Utf8PathBuf> {
    let root = std::env::var("PYENV_ROOT").ok();
    let root = root.or_else(|| std::env::var("HOME").ok().map(|home| format!("{home}/.pyenv")));
    let Some(root) = root.map(Utf8PathBuf::from) else { return Vec::new() };
    let Ok(entries) = root.join("versions").read_dir_utf8() else { return Vec::new() };
    let start = format!("{version}.");
    let names = entries.flatten().map(|entry| entry.path().to_owned());
    let mut found: Vec<Utf8PathBuf> =
        names.filter(|path| path.file_name().is_some_and(|name| name.starts_with(&start))).collect();
    let number = |path: &Utf8PathBuf| {
        path.file_name().and_then(|name| name.strip_prefix(&start)).and_then(|rest| rest.parse::<u32>().ok())
    };
    found.sort_by_key(|path| std::cmp::Reverse(number(path)));
    found.into_iter().map(|path| path.join(format!("bin/python{version}"))).collect()
}

/// What the interpreter at a path says of itself; nothing if it does not work.
///
/// # Errors
/// It could not be asked, which says nothing about it: the machine has no room for another process, or somebody ended it.
pub(super) fn ask(path: &camino::Utf8Path) -> io::Result<Option<Interpreter>> {
    let mut command = Command::new(path);
    command.args(["-I", "-c", QUESTION]).stdin(Stdio::null()).stderr(Stdio::null());
    let output = match command.output() {
        Ok(output) => output,
        // It is not there, or is no program for this machine.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => return Ok(None),
        Err(error) => return Err(error),
    };
    match (output.status.code(), output.status.signal()) {
        (Some(0), _) => Ok(serde_json::from_slice(&output.stdout).ok()),
        (None, Some(signal)) if signal == Signal::KILL.as_raw() || signal == Signal::TERM.as_raw() => {
            Err(io::Error::other(format!("{path} was ended by signal {signal}")))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_version_is_what_wheels_are_made_for() {
        let of = |version: &str| Interpreter { path: "/p".into(), version: version.into(), tag: String::new() };
        assert_eq!((of("3.11.2").minor(), of("3.9.18rc1").minor(), of("3.12").minor()), ("3.11", "3.9", "3.12"));
    }

    #[test]
    fn an_interpreter_that_could_not_be_asked_is_not_taken_for_a_broken_one() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = camino::Utf8Path::from_path(directory.path()).expect("UTF-8");
        let program = |name: &str, text: &str| {
            let path = root.join(name);
            std::fs::write(&path, text).expect("written");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, mode).expect("changed");
            path
        };
        assert_eq!(ask(&root.join("none")).expect("known"), None);
        assert_eq!(ask(&program("fails", "#!/bin/sh\nexit 1\n")).expect("known"), None);
        assert_eq!(ask(&program("crashes", "#!/bin/sh\nkill -SEGV $$\n")).expect("known"), None);
        assert_eq!(ask(&program("other", "\x7fELF")).expect("known"), None);
        let error = ask(&program("killed", "#!/bin/sh\nkill -KILL $$\n")).expect_err("ended by somebody");
        assert!(error.to_string().ends_with("was ended by signal 9"), "{error}");
    }
}
