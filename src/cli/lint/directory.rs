//! The migration scripts of a source tree.
//!
//! A script of alembic is a Python file that assigns `revision` and `down_revision`. Scripts whose nearest `env.py` upwards
//! is the same belong to one schema, wherever below it they lie: so directories of branches and of releases are found, as
//! many as there are. A script of sqlalchemy-migrate has a number of three digits or more before its name, and lies in a
//! directory that is called `versions`, or that has a `migrate.cfg` beside it: each such directory is a repository. Constants
//! that scripts import from their own tree are read as well, as far as they are there.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, anyhow, bail};
use camino::{Utf8Path, Utf8PathBuf};

use crate::lint::{Repository, Scope, Script, Transactions, Versions};
use crate::migrations;
use crate::model::Branch;

/// What says which repository of sqlalchemy-migrate a directory is.
const SETTINGS: &str = "migrate.cfg";

/// The largest file that is read, in bytes: the largest script of 2023.1 to 2026.2 has a hundred thousand.
const MOST: u64 = 4 << 20;

/// The scripts below `directory`, schema by schema; with `base`, those that git says are new or changed since then.
pub(super) fn scripts(directory: &Utf8Path, base: Option<&str>) -> anyhow::Result<(Vec<Script>, Scope)> {
    if !directory.is_dir() {
        bail!("{directory} is no directory: name the source tree of a service, or a part of it");
    }
    let mut files = BTreeMap::new();
    find(directory, &mut files)?;
    let mut repositories: BTreeMap<&Utf8Path, BTreeMap<String, String>> = BTreeMap::new();
    for (path, text) in files.iter().filter(|(path, text)| is_numbered(path) && !is_migration(text)) {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { continue };
        repositories.entry(above).or_default().insert(name.to_owned(), text.clone());
    }
    let mut schemas: BTreeMap<Utf8PathBuf, Vec<&Utf8PathBuf>> = BTreeMap::new();
    for file in files.iter().filter(|(_, text)| is_migration(text)).map(|(path, _)| path) {
        schemas.entry(environment(file, directory)).or_default().push(file);
    }
    if schemas.is_empty() && repositories.is_empty() {
        bail!(
            "{directory}: no migration script is below it ({} Python files were looked at): name a directory that holds \
             files which assign `revision` and `down_revision`, or a directory `versions` of numbered scripts",
            files.keys().filter(|path| path.extension() == Some("py")).count()
        );
    }
    let mut scripts: Vec<Script> =
        schemas.iter().flat_map(|(schema, paths)| of_schema(schema, paths, &files)).collect();
    scripts.extend(repositories.iter().flat_map(|(directory, texts)| of_repository(directory, texts)));
    let Some(base) = base else { return Ok((scripts, Scope::Each)) };
    let changed = changed(directory, base)?;
    scripts.retain(|script| changed.contains(Utf8Path::new(&script.file)));
    Ok((scripts, Scope::Together))
}

/// Reads every Python file below a directory, and every numbered file of SQL.
fn find(directory: &Utf8Path, files: &mut BTreeMap<Utf8PathBuf, String>) -> anyhow::Result<()> {
    let unread = || format!("failed to read {directory}");
    let mut entries =
        directory.read_dir_utf8().with_context(unread)?.collect::<Result<Vec<_>, _>>().with_context(unread)?;
    entries.sort_by(|one, two| one.file_name().cmp(two.file_name()));
    for entry in entries {
        let kind = entry.file_type().with_context(unread)?;
        let path = entry.path();
        // What tools keep there: .git, .tox, __pycache__. Links are not followed: they may lead around in a circle.
        if entry.file_name().starts_with(['.', '_']) && kind.is_dir() || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() {
            find(path, files)?;
        } else if (path.extension() == Some("py") || is_numbered(path)) && !entry.file_name().starts_with('.') {
            let size = entry.metadata().with_context(|| format!("failed to read {path}"))?.len();
            if size > MOST {
                bail!("{path} has {size} bytes, which no migration script has: leave it out of the directory");
            }
            let bytes = std::fs::read(path).with_context(|| format!("failed to read {path}"))?;
            files.insert(path.to_owned(), String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Ok(())
}

/// Whether a file is a migration script, or was meant to be one.
fn is_migration(text: &str) -> bool {
    let assigns = |name: &str| {
        text.lines().any(|line| {
            let rest = line.strip_prefix(name).map(str::trim_start);
            rest.is_some_and(|rest| rest.starts_with([':', '=']) && !rest.starts_with("=="))
        })
    };
    assigns("revision") && assigns("down_revision")
}

/// Whether a file is a script of sqlalchemy-migrate by its name and its place.
fn is_numbered(path: &Utf8Path) -> bool {
    let above = path.parent().filter(|_| path.file_name().and_then(migrations::number).is_some());
    above.is_some_and(|above| {
        above.file_name() == Some("versions") || above.parent().is_some_and(|beside| beside.join(SETTINGS).is_file())
    })
}

/// The scripts of a repository of sqlalchemy-migrate.
fn of_repository(directory: &Utf8Path, texts: &BTreeMap<String, String>) -> Vec<Script> {
    let shown = directory.strip_prefix(".").unwrap_or(directory).as_str();
    let above = directory.parent().unwrap_or(directory);
    let settings = std::fs::read_to_string(above.join(SETTINGS)).unwrap_or_default();
    let name = settings.lines().find_map(|line| line.trim().strip_prefix("repository_id")?.trim().strip_prefix('='));
    let branch = match above.file_name() {
        Some(name) if name.starts_with("expand") => Some(Branch::Expand),
        Some(name) if name.starts_with("contract") => Some(Branch::Contract),
        _ => None,
    };
    Repository { name: name.map(str::trim), directory: shown, branch, scripts: texts }.all(shown)
}

/// The directory of the environment that a script belongs to: the nearest with an `env.py`, not above `top`.
fn environment(script: &Utf8Path, top: &Utf8Path) -> Utf8PathBuf {
    let above = script.ancestors().skip(1).take_while(|above| above.starts_with(top));
    let found = above.into_iter().find(|above| above.join("env.py").is_file());
    // A part of a tree: its `versions`, or what was named.
    found.map_or_else(|| top.to_owned(), Utf8Path::to_owned)
}

fn of_schema(schema: &Utf8Path, paths: &[&Utf8PathBuf], files: &BTreeMap<Utf8PathBuf, String>) -> Vec<Script> {
    let root = import_root(schema);
    let below = |path: &Utf8Path| path.strip_prefix(schema).unwrap_or(path).to_string();
    let scripts = paths.iter().map(|path| (below(path), files[*path].clone())).collect();
    let imported = paths.iter().flat_map(|path| imported(&files[*path])).collect::<BTreeSet<_>>();
    let constants = imported.into_iter().filter_map(|module| {
        let relative = format!("{}.py", module.replace('.', "/"));
        let path = root.join(&relative);
        let text = files.get(&path).cloned().or_else(|| std::fs::read_to_string(&path).ok())?;
        Some((relative, text))
    });
    let constants = constants.collect();
    let shown = |file: &str| {
        let path = schema.join(file);
        path.strip_prefix(".").unwrap_or(&path).to_string()
    };
    let directory = schema.strip_prefix(&root).unwrap_or(schema).to_string();
    let transactions = files.get(&schema.join("env.py")).map(|text| Transactions::read(text));
    let schema = schema.strip_prefix(".").unwrap_or(schema).as_str();
    Script::all(Versions {
        schema,
        directory: &directory,
        scripts: &scripts,
        constants: &constants,
        transactions,
        shown: &shown,
    })
}

/// Where the modules of a tree are looked for: the directory that holds the outermost package around `schema`.
fn import_root(schema: &Utf8Path) -> Utf8PathBuf {
    let mut package = schema;
    // `versions` and what is around it are often no packages, and lie in one.
    let mut outermost = None;
    loop {
        if package.join("__init__.py").is_file() {
            outermost = Some(package);
        } else if outermost.is_some() {
            break;
        }
        match package.parent() {
            Some(parent) => package = parent,
            None => break,
        }
    }
    outermost.and_then(Utf8Path::parent).unwrap_or(schema).to_owned()
}

/// The modules that a text imports, or from which it imports something that may be a module.
fn imported(text: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("import ") {
            modules.extend(rest.split(',').filter_map(|name| name.split_whitespace().next()).map(str::to_owned));
        } else if let Some((module, names)) = line.strip_prefix("from ").and_then(|rest| rest.split_once(" import ")) {
            let module = module.trim();
            modules.push(module.to_owned());
            let names = names.trim_matches(['(', ')']).split(',').filter_map(|name| name.split_whitespace().next());
            modules.extend(names.map(|name| format!("{module}.{name}")));
        }
    }
    modules
}

/// The files below a directory that git says are new or changed since `base`, as paths like those of the directory.
fn changed(directory: &Utf8Path, base: &str) -> anyhow::Result<BTreeSet<Utf8PathBuf>> {
    if base.is_empty() || base.starts_with('-') {
        bail!("--diff {base:?} is no commit: name one, a branch or a tag");
    }
    let mut changed = BTreeSet::new();
    // What is there and differs, and what git does not know yet.
    for arguments in [
        &["diff", "--name-only", "-z", "--relative", "--diff-filter=d", base, "--", "."][..],
        &["ls-files", "--others", "--exclude-standard", "-z", "--", "."][..],
    ] {
        let git = Command::new("git").arg("-C").arg(directory).args(arguments).output();
        let output = git.context("failed to run git, which --diff asks").context("is git installed?")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it did not say why").to_owned();
            return Err(anyhow!("git: {line}").context(format!(
                "failed to find out what changed below {directory} since {base}: name a commit of the repository that \
                 it is in"
            )));
        }
        let paths = String::from_utf8_lossy(&output.stdout).into_owned();
        for path in paths.split('\0').filter(|path| !path.is_empty()) {
            let path = directory.join(path);
            changed.insert(path.strip_prefix(".").map(Utf8Path::to_owned).unwrap_or(path));
        }
    }
    Ok(changed)
}
