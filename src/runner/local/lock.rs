//! Which packages an environment is made of, to the byte: the lock.
//!
//! uv resolves a recipe to versions and the digests of their files. That text, with the interpreter and the platform it
//! holds for, is the lock; its SHA-256 is the environment's digest. A recipe is resolved once on a machine: which lock
//! came of it is kept beside the environments, so the same recipe means the same environment until it is changed.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest as _, Sha256};

use super::interpreter::Interpreter;
use super::place::write_durably;
use super::tool::{blocking, is_unreachable, run, words};
use super::trouble::{RunnerErrorExt, trouble};
use super::{Local, Recipe, Source};
use crate::model::{Digest, ImageReference};
use crate::runner::{PinnedImage, RunnerError, RunnerErrorKind};

/// A lock: its text and what that is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) text: String,
    pub(super) digest: Digest,
}

impl Lock {
    /// The lock of packages for an interpreter.
    fn new(packages: &str, interpreter: &Interpreter) -> Self {
        let packages = packages.trim_end();
        Self::of(format!("# leapfrog environment, format 1\n# for {}\n{packages}\n", interpreter.tag))
    }

    /// A lock that was kept.
    fn of(text: String) -> Self {
        let digest = digest(text.as_bytes());
        Self { text, digest }
    }

    /// The tag of the interpreter that it holds for.
    pub(super) fn tag(&self) -> Option<&str> {
        self.text.lines().nth(1)?.strip_prefix("# for ")
    }
}

impl Local {
    /// The recipe of a reference.
    pub(super) fn recipe(&self, reference: &ImageReference) -> Result<&Recipe, RunnerError> {
        let plain = reference.to_string();
        let plain = plain.split('@').next().unwrap_or_default();
        let mut recipes = self.settings.recipes.iter();
        recipes.find(|(known, _)| known.to_string() == plain).map(|(_, recipe)| recipe).ok_or_else(|| {
            trouble(
                RunnerErrorKind::ImageMissing,
                format!("nothing says what {reference} is made of"),
                "Its release file needs a section `environment` (docs/releases.md), or is run in containers.",
            )
        })
    }

    /// Finds out which packages a recipe means now, or meant when it was first asked for.
    pub(in crate::runner) async fn resolve_recipe(
        &self,
        reference: &ImageReference,
    ) -> Result<PinnedImage, RunnerError> {
        let recipe = self.recipe(reference)?;
        let interpreter = self.interpreter(recipe).await?;
        let key = self.key(recipe, &interpreter)?;
        let kept = self.settings.environments.join("recipes").join(&key);
        let known = fs::read_to_string(&kept).ok().and_then(|text| text.trim().parse::<Digest>().ok());
        if let Some(digest) = known.filter(|digest| self.lock(digest).is_some()) {
            return Ok(PinnedImage { reference: reference.clone(), digest });
        }
        let lock = Lock::new(&self.compile(recipe, &interpreter, None).await?, &interpreter);
        self.keep_lock(&lock).and_then(|()| self.keep(&kept, lock.digest.to_string().as_bytes())).map_err(|error| {
            let what = format!("write {}: {error}", self.settings.environments);
            let advice = "Name another directory under `directory` of runner.local in the cloud file.";
            trouble(RunnerErrorKind::Other, what, advice).because(error)
        })?;
        Ok(PinnedImage { reference: reference.clone(), digest: lock.digest })
    }

    /// A lock that was kept, by its digest; one that was changed since counts for nothing.
    pub(super) fn lock(&self, digest: &Digest) -> Option<Lock> {
        let lock = Lock::of(fs::read_to_string(self.lock_path(digest)).ok()?);
        (lock.digest == *digest).then_some(lock)
    }

    pub(super) fn lock_path(&self, digest: &Digest) -> Utf8PathBuf {
        self.settings.environments.join("locks").join(format!("{}.txt", name(digest)))
    }

    fn keep_lock(&self, lock: &Lock) -> std::io::Result<()> {
        self.keep(&self.lock_path(&lock.digest), lock.text.as_bytes())
    }

    fn keep(&self, path: &Utf8Path, content: &[u8]) -> std::io::Result<()> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        write_durably(path, content)
    }

    /// What tells one question to uv from another.
    fn key(&self, recipe: &Recipe, interpreter: &Interpreter) -> Result<String, RunnerError> {
        let mut asked = vec!["leapfrog recipe, format 1".to_owned(), interpreter.tag.clone()];
        asked.extend(recipe.requirements.iter().map(|text| format!("requires {text}")));
        asked.extend(recipe.constraints.iter().map(|text| format!("constrains {text}")));
        asked.extend(recipe.without.iter().map(|text| format!("without {text}")));
        asked.extend(recipe.exclude_newer.iter().map(|date| format!("until {date}")));
        if let Some(list) = &recipe.constraints_list {
            // A file's content counts; an address is taken by its name, and what it said first is kept.
            let content =
                if is_address(list) { list.clone() } else { digest(&self.read_list(recipe, list)?).to_string() };
            asked.push(format!("list {content}"));
        }
        if let Source::Wheels(directory) = &self.settings.source {
            let mut names: Vec<String> = fs::read_dir(directory)
                .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
                .unwrap_or_default();
            names.sort();
            asked.push(format!("wheels {}", names.join(" ")));
        }
        Ok(digest(asked.join("\n").as_bytes()).to_string().trim_start_matches("sha256:").to_owned())
    }

    fn read_list(&self, recipe: &Recipe, list: &str) -> Result<Vec<u8>, RunnerError> {
        fs::read(list).map_err(|error| {
            let what = format!("the constraints of {} cannot be read: {list}: {error}", recipe.series);
            let advice = "Put the release's upper-constraints there, or mend `constraints` under runner.local in the cloud file.";
            trouble(RunnerErrorKind::Other, what, advice).because(error)
        })
    }

    /// The packages of a lock that a recipe was resolved to, each with what needs it.
    pub(super) async fn annotated(
        &self,
        recipe: &Recipe,
        interpreter: &Interpreter,
        lock: &str,
    ) -> Result<String, RunnerError> {
        let pins = lock.lines().filter(|line| line.contains("==") && !line.starts_with([' ', '#']));
        let pins: Vec<&str> = pins.map(|line| line.trim_end_matches([' ', '\\'])).collect();
        self.compile(recipe, interpreter, Some(&pins.join("\n"))).await
    }

    /// Lets uv resolve a recipe; with `pins`, to these versions, and each package with what needs it.
    async fn compile(
        &self,
        recipe: &Recipe,
        interpreter: &Interpreter,
        pins: Option<&str>,
    ) -> Result<String, RunnerError> {
        let scratch = self.scratch().map_err(|error| {
            let what = format!("{} cannot be written: {error}", self.settings.environments);
            let advice = "Name another directory under `directory` of runner.local in the cloud file.";
            trouble(RunnerErrorKind::Other, what, advice).because(error)
        })?;
        let output = scratch.0.join("lock.txt");
        let mut command = self.uv_command().await?;
        command.args(["pip", "compile", "-", "--quiet", "--generate-hashes", "--no-header"]);
        command.arg(if pins.is_some() { "--annotation-style=split" } else { "--no-annotate" });
        command.args(["--python", interpreter.path.as_str(), "--output-file", output.as_str()]);
        // uv leaves out what is wished for under a condition that never holds.
        let without: Vec<String> =
            recipe.without.iter().map(|name| format!("{name}; sys_platform == 'never'")).collect();
        let constraints = recipe.constraints.iter().map(String::as_str).chain(pins).map(str::to_owned).collect();
        for (option, lines) in [("--constraints", constraints), ("--overrides", without)] {
            if lines.is_empty() {
                continue;
            }
            let list = scratch.0.join(format!("{}.txt", option.trim_start_matches('-')));
            fs::write(&list, lines.join("\n") + "\n").map_err(|error| {
                trouble(RunnerErrorKind::Other, format!("write {list}"), "Make room on that disk.").because(error)
            })?;
            command.args([option, list.as_str()]);
        }
        if let Some(list) = &recipe.constraints_list {
            command.args(["--constraints", list]);
        }
        if let Some(date) = &recipe.exclude_newer {
            command.args(["--exclude-newer", date]);
        }
        let wanted = recipe.requirements.join("\n") + "\n";
        let ran = blocking(move || run(command, &wanted)).await.map_err(|error| {
            trouble(RunnerErrorKind::Other, format!("uv cannot be run: {error}"), super::environment::AGAIN)
                .because(error)
        })?;
        if !ran.status.success() {
            return Err(unresolved(recipe, &words(&ran)));
        }
        Ok(fs::read_to_string(&output).unwrap_or_default())
    }

    /// A directory for the time of one question.
    pub(super) fn scratch(&self) -> std::io::Result<Scratch> {
        let base = self.settings.environments.join("scratch");
        fs::create_dir_all(&base)?;
        forget_dead(&base);
        let number = self.scratches.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = base.join(format!("{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path)?;
        Ok(Scratch(path))
    }
}

/// Removes the directories of processes that are gone.
fn forget_dead(base: &Utf8Path) {
    for entry in base.read_dir_utf8().into_iter().flatten().flatten() {
        let number = entry.file_name().split('-').next().and_then(|number| number.parse().ok());
        let process = number.and_then(rustix::process::Pid::from_raw);
        if process.is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A directory that goes away with the value.
#[derive(Debug)]
pub(super) struct Scratch(pub(super) Utf8PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn unresolved(recipe: &Recipe, said: &str) -> RunnerError {
    let what = format!("the packages of release {} cannot be resolved: {said}", recipe.series);
    if is_unreachable(said) {
        let advice = "Let this machine reach the package index (a proxy goes into HTTPS_PROXY), name another with `index`, or \
                      carry the packages here and name their directory with `wheels`, under runner.local in the cloud file.";
        return trouble(RunnerErrorKind::RegistryUnreachable, what, advice);
    }
    let advice = "See which of `index`, `wheels` and `constraints` under runner.local in the cloud file does not offer what is \
                  missing; what a release needs is under `environment` in its release file.";
    trouble(RunnerErrorKind::ImageMissing, what, advice)
}

/// Whether constraints are fetched and no file of this machine.
pub(super) fn is_address(list: &str) -> bool {
    list.contains("://")
}

/// The digits of a digest: the name of what is kept by it.
pub(super) fn name(digest: &Digest) -> String {
    digest.to_string().trim_start_matches("sha256:").to_owned()
}

pub(super) fn digest(bytes: &[u8]) -> Digest {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}").parse().unwrap_or_else(|_| unreachable!("64 hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_known_by_its_packages_and_its_interpreter() {
        let of = |tag: &str| Interpreter { path: "/p".into(), version: "3.11.2".into(), tag: tag.into() };
        let one = Lock::new("nova==27.0.0 --hash=sha256:1\n\n", &of("cpython-3.11 linux-x86_64"));
        assert_eq!(one, Lock::of(one.text.clone()));
        assert_eq!(one.tag(), Some("cpython-3.11 linux-x86_64"));
        assert_ne!(one.digest, Lock::new("nova==27.0.0 --hash=sha256:1", &of("cpython-3.10 linux-x86_64")).digest);
        assert_ne!(one.digest, Lock::new("nova==27.0.1 --hash=sha256:1", &of("cpython-3.11 linux-x86_64")).digest);
    }
}
