//! The module table of the design, as a test.
//!
//! Which module may name which other, which of them may do I/O, and who alone uses a crate. A rule that
//! is broken is told with file, line and what to do. What is compiled for tests alone is free.

mod paths;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use paths::{macros, named, test_modules};

/// What a module may use.
struct Row {
    module: &'static str,
    /// The modules that it may name besides itself.
    imports: &'static [&'static str],
    /// Paths outside the crate that it must not name.
    forbidden: &'static [&'static str],
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    Row { module: "model", imports: &[], forbidden: &["tokio", "std::fs", "std::net", "std::env", "std::process"] },
    Row { module: "document", imports: &[], forbidden: &["tokio", "std::net", "std::process"] },
    Row { module: "catalog", imports: &["model", "document"], forbidden: &["tokio", "std::net", "std::process"] },
    Row { module: "oslo", imports: &["model"], forbidden: &["tokio", "std::net", "std::env", "std::process"] },
    Row { module: "cloud", imports: &["model", "catalog", "document", "oslo"], forbidden: &["tokio", "std::net", "std::process"] },
    Row { module: "contact", imports: &["model", "catalog", "cloud", "oslo"], forbidden: &["tokio", "std::net", "std::env", "std::process"] },
    Row { module: "demo", imports: &["model", "document", "catalog"], forbidden: &["tokio", "std::fs", "std::net", "std::env", "std::process"] },
    Row { module: "migrations", imports: &["model"], forbidden: &["tokio", "std::fs", "std::net", "std::env", "std::process", "std::time", "jiff"] },
    Row { module: "lint", imports: &["model", "migrations"], forbidden: &["tokio", "std::fs", "std::net", "std::env", "std::process", "std::time", "jiff"] },
    Row { module: "plan", imports: &["model", "catalog", "journal", "migrations"], forbidden: &["tokio", "std::fs", "std::net", "std::env", "std::process", "std::time", "jiff"] },
    Row { module: "journal", imports: &["model"], forbidden: &["tokio", "std::net", "std::process"] },
    Row { module: "readers", imports: &["model", "catalog", "journal"], forbidden: &["tokio", "std::fs", "std::net", "std::env", "std::process", "std::time", "jiff"] },
    Row { module: "runner", imports: &["model"], forbidden: &[] },
    Row { module: "database", imports: &["model"], forbidden: &["std::process"] },
    Row { module: "observe", imports: &["model", "catalog", "cloud", "database"], forbidden: &["std::process"] },
    Row { module: "restore", imports: &["model", "database", "observe"], forbidden: &[] },
    Row { module: "stages", imports: &["model", "catalog", "journal", "plan", "database"], forbidden: &["std::net", "std::env", "std::process"] },
    Row { module: "trip", imports: &["model", "database"], forbidden: &["std::net", "std::env", "std::process"] },
    Row { module: "conduct", imports: &["model", "catalog", "journal", "plan", "runner", "readers"], forbidden: &["std::net", "std::process"] },
    Row { module: "report", imports: &["model", "journal", "plan"], forbidden: &["tokio", "std::net", "std::process"] },
    Row { module: "cli", imports: &["model", "document", "catalog", "cloud", "oslo", "contact", "demo", "migrations", "lint", "plan", "journal", "runner", "database", "observe", "restore", "conduct", "readers", "report", "stages", "trip"], forbidden: &[] },
    Row { module: "main", imports: &[], forbidden: &[] },
];

/// Crates and paths that only these modules may name.
#[rustfmt::skip]
const ALONE: &[(&str, &[&str])] = &[
    ("indicatif", &["report"]),
    ("bollard", &["runner"]),
    ("sqlx", &["database"]),
    // Migrations parse; what the lint walks are the trees that they made.
    ("tree_sitter", &["migrations", "lint"]),
    ("tree_sitter_python", &["migrations"]),
    ("anyhow", &["cli", "main"]),
    ("clap", &["cli"]),
    ("miette", &["document", "catalog", "cloud", "cli"]),
    ("crate::runner::containers", &["runner", "cli"]),
    ("crate::runner::local", &["runner", "cli"]),
    // Whether a stream is a terminal may be asked by cli, too.
    ("std::io::stdout", &["report", "cli"]),
    ("std::io::stderr", &["report", "cli"]),
];

/// What the plan may take from the journal: the fold, not the file.
const FOLD: &[&str] = &["RunState", "HopState", "StepState", "Start", "Outcome"];

/// The most lines of a file.
const LONGEST: usize = 500;

/// Files that are longer, and why they may be.
const LONG: &[(&str, &str)] = &[];

/// A file of the program.
struct SourceFile {
    /// From the project's root: `src/plan/build.rs`.
    path: String,
    text: String,
    /// Whether it is compiled for tests alone.
    test: bool,
}

impl SourceFile {
    fn module(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inside.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// How many levels below the crate's root its module lies.
    fn depth(&self) -> usize {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inside.trim_end_matches(".rs").trim_end_matches("/mod").split('/').count()
    }
}

/// Every broken rule of a file, as a person is told of it.
fn mistakes(file: &SourceFile) -> Vec<String> {
    let mut mistakes = Vec::new();
    if file.path.ends_with("/mod.rs") && !file.text.starts_with("//! ") {
        mistakes
            .push(format!("{}: a module opens with an essay (`//!`): what it is for, what it must not do", file.path));
    }
    let lines = file.text.lines().count();
    if lines > LONGEST && !LONG.iter().any(|(path, _)| *path == file.path) {
        mistakes.push(format!(
            "{}: {lines} lines, and {LONGEST} are the most: it is usually two ideas; move one to a file of its own",
            file.path
        ));
    }
    let module = file.module();
    if file.test || module == "lib" {
        return mistakes;
    }
    let Some(row) = TABLE.iter().find(|row| row.module == module) else {
        mistakes.push(format!("{}: {module} has no row in the table of tests/architecture/main.rs", file.path));
        return mistakes;
    };
    for named in named(&file.text, file.depth()) {
        let path = named.path.join("::");
        let mut tell = |why: String| mistakes.push(format!("{}:{}: `{path}`: {why}", file.path, named.line));
        if named.path[0] == "crate" {
            let to = &named.path[1];
            let known = TABLE.iter().any(|row| row.module == to);
            if known && to != module && !row.imports.contains(&to.as_str()) {
                tell(format!("{module} must not know {to}; it may name {}", list(row.imports)));
            }
            if module == "plan"
                && to == "journal"
                && !named.path.get(2).is_some_and(|item| FOLD.contains(&item.as_str()))
            {
                tell("plan may take only the fold from the journal".to_owned());
            }
        }
        let under = |rule: &str| path == rule || path.starts_with(&format!("{rule}::"));
        if let Some(rule) = row.forbidden.iter().find(|rule| under(rule)) {
            tell(format!("{module} must do without {rule}"));
        }
        if let Some((rule, owners)) = ALONE.iter().find(|(rule, owners)| under(rule) && !owners.contains(&module)) {
            tell(format!("only {} may use {rule}", list(owners)));
        }
    }
    for (name, line) in macros(&file.text) {
        if matches!(name.as_str(), "print" | "println" | "eprint" | "eprintln") && module != "report" {
            mistakes.push(format!("{}:{line}: `{name}!`: only report prints", file.path));
        }
    }
    mistakes
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "nothing else".to_owned() } else { names.join(", ") }
}

/// Every file under `src`.
fn program() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut directories = vec![root.join("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("readable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("text");
                files.push((path, text));
            }
        }
    }
    let hidden: BTreeSet<PathBuf> = files.iter().flat_map(|(path, text)| hidden_by(path, text)).collect();
    let mut files: Vec<SourceFile> = files
        .into_iter()
        .map(|(path, text)| {
            let test = path.ancestors().any(|part| hidden.contains(&part.with_extension("")));
            let path = path.strip_prefix(root).expect("below the root").to_str().expect("UTF-8").to_owned();
            SourceFile { path, text, test }
        })
        .collect();
    files.sort_by(|one, two| one.path.cmp(&two.path));
    files
}

/// The modules that a file hides from the program, as paths without `.rs`.
fn hidden_by(path: &Path, text: &str) -> Vec<PathBuf> {
    let root = path.file_name().is_some_and(|name| name == "mod.rs" || name == "lib.rs");
    let below = if root { path.parent().expect("a directory").to_owned() } else { path.with_extension("") };
    test_modules(text).into_iter().map(|name| below.join(name)).collect()
}

#[test]
fn every_module_keeps_to_its_row_of_the_design() {
    let files = program();
    assert!(files.len() > 80, "the program was found: {} files", files.len());
    assert!(files.iter().any(|file| file.test), "files for tests alone are told apart");
    let mistakes: Vec<String> = files.iter().flat_map(mistakes).collect();
    assert!(mistakes.is_empty(), "\n{}\n", mistakes.join("\n"));
    for (path, _) in LONG {
        let long = files.iter().any(|file| file.path == *path && file.text.lines().count() > LONGEST);
        assert!(long, "{path} is no longer too long: take it off the list");
    }
}

/// What is said of a file at `path` that holds `text`.
fn told(path: &str, text: &str) -> String {
    let test = false;
    mistakes(&SourceFile { path: path.to_owned(), text: text.to_owned(), test }).join("\n")
}

#[test]
fn a_broken_rule_is_told_with_its_place() {
    for (path, text, expected) in [
        (
            "src/model/a.rs",
            "\nuse crate::plan::Plan;",
            "src/model/a.rs:2: `crate::plan::Plan`: model must not know plan",
        ),
        ("src/model/a.rs", "fn f() { super::super::plan::g() }", "model must not know plan"),
        ("src/model/mod.rs", "//! Words.\nuse super::plan;", "model must not know plan"),
        ("src/model/a.rs", "use tokio::sync::mpsc;", "model must do without tokio"),
        ("src/plan/a.rs", "use std::{collections::BTreeMap, fs};", "`std::fs`: plan must do without std::fs"),
        ("src/plan/a.rs", "fn f() { jiff::Timestamp::now() }", "plan must do without jiff"),
        ("src/plan/a.rs", "use crate::journal::Journal;", "plan may take only the fold"),
        ("src/journal/a.rs", "use crate::runner::Runner;", "journal must not know runner; it may name model"),
        ("src/conduct/a.rs", "use crate::{model::Series, report};", "conduct must not know report"),
        ("src/conduct/a.rs", "use crate::runner::containers::Containers;", "only runner, cli may use"),
        ("src/conduct/a.rs", "use bollard::Docker;", "only runner may use bollard"),
        ("src/observe/a.rs", "use sqlx::Row;", "only database may use sqlx"),
        ("src/database/a.rs", "fn f() -> anyhow::Result<()> {}", "only cli, main may use anyhow"),
        ("src/cli/a.rs", "use indicatif::ProgressBar;", "only report may use indicatif"),
        ("src/cli/a.rs", "fn f() { println!(\"x\") }", "`println!`: only report prints"),
        ("src/database/a.rs", "use std::io::{Write, stderr};", "only report, cli may use std::io::stderr"),
        ("src/plan/mod.rs", "mod build;", "a module opens with an essay"),
        ("src/plan/a.rs", &"\n".repeat(501), "501 lines, and 500 are the most"),
        ("src/extra/mod.rs", "//! New.", "extra has no row"),
    ] {
        let told = told(path, text);
        assert!(told.contains(expected), "{path} with {text:?}: {told:?}");
    }
}

#[test]
fn what_the_design_allows_is_not_told() {
    for (path, text) in [
        ("src/plan/a.rs", "use crate::journal::RunState;\nuse crate::model::Series;\nuse super::Plan;"),
        ("src/conduct/a.rs", "use crate::runner::{Runner, Task};\nuse super::super::plan::Plan;"),
        ("src/report/a.rs", "use indicatif::ProgressBar;\nuse std::io::stdout;"),
        ("src/model/a.rs", "//! See [`crate::plan`].\n#[cfg(test)]\nmod tests { use crate::plan::Plan; }"),
        ("src/main.rs", "fn main() { leapfrog::cli::main() }"),
        ("src/journal/a.rs", "fn f() { assert!(a != b) }"),
    ] {
        assert_eq!(told(path, text), "", "{path} with {text:?}");
    }
}
