//! Trees of packages that are used elsewhere than where they are made: in an image.
//!
//! An environment cannot be moved, so this is none: packages from a release's lock, without an interpreter, compiled
//! as if they lay at another place, without what no command reads. Two trees of the same lock are the same to the
//! byte, wherever and whenever they were made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};

use super::environment::{AGAIN, advice, drop_unused};
use super::interpreter::Interpreter;
use super::lock::{Scratch, digest, name};
use super::needs::{Needs, normal};
use super::place::write_durably;
use super::tool::{blocking, is_unreachable, run, words};
use super::trouble::{RunnerErrorExt, trouble};
use super::{Local, look};
use crate::model::{Digest, ImageReference, Series};
use crate::runner::{RunnerError, RunnerErrorKind};

/// Files that only a compiler, a type checker or a translator reads.
const SOURCES: [&str; 9] = [".pyi", ".c", ".h", ".cpp", ".pxd", ".pyx", ".po", ".pot", ".mo"];
/// What an installer writes for itself; entry points and metadata are what commands read of a distribution.
const INSTALLERS: [&str; 3] = ["RECORD", "INSTALLER", "REQUESTED"];

/// The packages of a release, as its recipe was resolved.
#[derive(Debug, Clone)]
pub(in crate::runner) struct Packages {
    /// The lock's digest, as of an environment of the same packages.
    pub(in crate::runner) digest: Digest,
    pub(in crate::runner) interpreter: Interpreter,
    pub(in crate::runner) needs: Needs,
    series: Series,
    exclude_newer: Option<String>,
}

/// A tree of packages. It goes away with the value.
#[derive(Debug)]
pub(in crate::runner) struct Tree {
    scratch: Scratch,
    /// The package that each file belongs to, by its path from the tree's root.
    pub(in crate::runner) files: BTreeMap<Utf8PathBuf, String>,
}

impl Tree {
    /// Where it lies.
    pub(in crate::runner) fn root(&self) -> Utf8PathBuf {
        self.scratch.0.join("tree")
    }
}

impl Local {
    /// The packages of a release and which needs which.
    pub(in crate::runner) async fn packages(&self, reference: &ImageReference) -> Result<Packages, RunnerError> {
        let recipe = self.recipe(reference)?;
        let interpreter = self.interpreter(recipe).await?;
        let image = self.resolve_recipe(reference).await?;
        let lock = self.lock(&image.digest).ok_or_else(|| self.not_here(reference))?;
        let kept = self.settings.environments.join("locks").join(format!("{}.needs.txt", name(&lock.digest)));
        let text = match fs::read_to_string(&kept) {
            Ok(text) => text,
            Err(_) => {
                let text = self.annotated(recipe, &interpreter, &lock.text).await?;
                write_durably(&kept, text.as_bytes()).map_err(|error| self.unwritable(error))?;
                text
            }
        };
        Ok(Packages {
            digest: lock.digest,
            interpreter,
            needs: Needs::parse(&text),
            series: recipe.series.clone(),
            exclude_newer: recipe.exclude_newer.clone(),
        })
    }

    /// Installs `names` of a release's packages into a tree that will lie at `prefix`, with only these programs.
    pub(in crate::runner) async fn portable(
        &self,
        packages: &Packages,
        names: &BTreeSet<String>,
        programs: &BTreeSet<String>,
        prefix: &Utf8Path,
        news: &(dyn Fn(Step) + Send + Sync),
    ) -> Result<Tree, RunnerError> {
        let scratch = self.scratch().map_err(|error| self.unwritable(error))?;
        let mut tree = Tree { scratch, files: BTreeMap::new() };
        let root = tree.root();
        let lock = tree.scratch.0.join("lock.txt");
        fs::write(&lock, packages.needs.lock_of(names)).map_err(|error| self.unwritable(error))?;
        news(Step::Installing);
        let python = packages.interpreter.path.as_str();
        let mut make = self.uv_command().await?;
        make.args(["venv", "--quiet", "--no-project", "--python", python, root.as_str()]);
        let mut sync = self.uv_command().await?;
        sync.args(["pip", "sync", "--quiet", "--require-hashes", "--python", root.join("bin/python").as_str()]);
        // What was compiled for something else, with what there was on another day, is not taken: uv's cache of this
        // release is its own. Debugging information names the directory that a package was compiled in.
        sync.env("UV_CACHE_DIR", self.settings.environments.join("packages").join(packages.series.as_str()));
        sync.env("CFLAGS", "-g0 -O2");
        if let Some(date) = &packages.exclude_newer {
            sync.args(["--exclude-newer", date]);
        }
        sync.arg(&lock);
        for command in [make, sync] {
            let ran = blocking(move || run(command, "")).await.map_err(|error| self.unwritable(error))?;
            if !ran.status.success() {
                let words = words(&ran);
                let kind =
                    if is_unreachable(&words) { RunnerErrorKind::RegistryUnreachable } else { RunnerErrorKind::Other };
                let what = format!("install the packages of the image: {words}");
                return Err(trouble(kind, what, advice(&words, packages.interpreter.minor())));
            }
        }
        news(Step::Compiling);
        let (programs, prefix, python) = (programs.clone(), prefix.to_owned(), packages.interpreter.path.clone());
        let finished = blocking(move || finish(&root, &programs, &prefix, &python)).await;
        tree.files = finished.map_err(|error| self.unwritable(error))?;
        Ok(tree)
    }

    fn unwritable(&self, error: io::Error) -> RunnerError {
        let what = format!("make a tree of packages in {}: {error}", self.settings.environments);
        trouble(RunnerErrorKind::Other, what, AGAIN).because(error)
    }
}

/// What is done to a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runner) enum Step {
    Installing,
    Compiling,
}

/// Takes away what no command reads, compiles the rest for its place, and tells whose each file is.
fn finish(
    root: &Utf8Path,
    programs: &BTreeSet<String>,
    prefix: &Utf8Path,
    python: &Utf8Path,
) -> io::Result<BTreeMap<Utf8PathBuf, String>> {
    let site = look::packages(root).ok_or_else(|| io::Error::other("uv made an environment without site-packages"))?;
    let inside = site.strip_prefix(root).map_err(io::Error::other)?.to_owned();
    let owners = owners(&site, &inside)?;
    drop_unused(root)?;
    for entry in root.read_dir_utf8()? {
        let entry = entry?;
        // Examples of configuration, manuals, and lib64, which leads to lib.
        if !matches!(entry.file_name(), "lib" | "bin") {
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false => fs::remove_file(entry.path())?,
            }
        }
    }
    keep_programs(&root.join("bin"), programs, prefix)?;
    drop_sources(&site)?;
    let mut compile = Command::new(python);
    compile.args(["-s", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]);
    compile.args(["-s", site.as_str(), "-p", prefix.join(&inside).as_str(), site.as_str()]);
    compile.env_clear().env("PYTHONHASHSEED", "0").env("LANG", "C.UTF-8").current_dir("/");
    // That some package holds a file for another Python is no trouble.
    compile.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let mut files = BTreeMap::new();
    walk(root, Utf8Path::new(""), &mut |path| {
        let source = source_of(path);
        let owner = owners.get(source.as_deref().unwrap_or(path)).cloned().unwrap_or_default();
        files.insert(path.to_owned(), owner);
    })?;
    Ok(files)
}

/// Which package each file belongs to, by the packages' own lists; paths from the tree's root.
fn owners(site: &Utf8Path, inside: &Utf8Path) -> io::Result<BTreeMap<Utf8PathBuf, String>> {
    let mut owners = BTreeMap::new();
    for entry in site.read_dir_utf8()? {
        let entry = entry?;
        let Some((name, _)) = entry.file_name().strip_suffix(".dist-info").and_then(|name| name.rsplit_once('-'))
        else {
            continue;
        };
        for line in fs::read_to_string(entry.path().join("RECORD"))?.lines() {
            let path = line.rsplitn(3, ',').last().unwrap_or_default().trim_matches('"');
            let path = match path.strip_prefix("../../../") {
                Some(outside) => Utf8PathBuf::from(outside),
                None => inside.join(path),
            };
            owners.insert(path, normal(name));
        }
    }
    Ok(owners)
}

/// `x/y.py` of `x/__pycache__/y.cpython-311.pyc`.
fn source_of(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let cache = path.parent().filter(|parent| parent.file_name() == Some("__pycache__"))?;
    let name = path.file_name()?.split('.').next()?;
    Some(cache.parent()?.join(format!("{name}.py")))
}

/// Removes all programs but those that are named, and lets these begin with the interpreter at their place.
fn keep_programs(bin: &Utf8Path, programs: &BTreeSet<String>, prefix: &Utf8Path) -> io::Result<()> {
    for entry in bin.read_dir_utf8()? {
        let entry = entry?;
        if !programs.contains(entry.file_name()) {
            fs::remove_file(entry.path())?;
            continue;
        }
        let text = fs::read_to_string(entry.path())?;
        let (_, rest) = text.split_once('\n').unwrap_or_default();
        // Removed first: it may be a file of uv's cache under another name.
        fs::remove_file(entry.path())?;
        fs::write(entry.path(), format!("#!{prefix}/bin/python\n{rest}"))?;
        fs::set_permissions(entry.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    }
    Ok(())
}

fn drop_sources(directory: &Utf8Path) -> io::Result<()> {
    let distribution = directory.extension() == Some("dist-info");
    for entry in directory.read_dir_utf8()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            drop_sources(entry.path())?;
            // An empty directory would be a package.
            if entry.path().read_dir_utf8()?.next().is_none() {
                fs::remove_dir(entry.path())?;
            }
        } else if SOURCES.iter().any(|end| entry.file_name().ends_with(end))
            || (distribution && INSTALLERS.contains(&entry.file_name()))
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Tells every file below a directory, by its path from `root`.
fn walk(root: &Utf8Path, below: &Utf8Path, tell: &mut dyn FnMut(&Utf8Path)) -> io::Result<()> {
    for entry in root.join(below).read_dir_utf8()? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() { walk(root, &path, tell)? } else { tell(&path) }
    }
    Ok(())
}

/// The sum by which a list of packages is known.
pub(in crate::runner) fn sum(text: &str) -> String {
    name(&digest(text.as_bytes()))
}
