//! The scripts of a schema, each with what it does.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::operation::{Operation, Place};
use super::read::{Models, Transactions, read};
use super::rules::{NOT_UNDERSTOOD, Rule, Severity};
use crate::migrations::{self, Misread};
use crate::model::{Branch, Series, Service};

/// A migration script.
#[derive(Debug, Clone)]
pub struct Script {
    /// The release that brings it, where a range of releases is looked at.
    pub series: Option<Series>,
    /// The service it belongs to, where that is known.
    pub service: Option<Service>,
    /// What tells its schema from others: scripts of one schema come after one another.
    pub schema: String,
    /// Its file, as it is to be shown.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Its revision; absent where that was not understood.
    pub revision: Option<String>,
    /// Its branch; absent where the schema has none.
    pub branch: Option<Branch>,
    /// What it does, in this order.
    pub operations: Vec<Operation>,
    /// What is said of the whole of it.
    pub remarks: Vec<Remark>,
    /// What the code of the release before maps, where that was read.
    pub models: Option<Rc<Before>>,
    /// In how many transactions alembic runs it and those beside it; absent where nothing says it.
    pub transactions: Option<Transactions>,
}

/// The release whose services may still run when a script is run.
#[derive(Debug, Clone)]
pub struct Before {
    /// Which.
    pub series: Series,
    /// What its code maps.
    pub models: Models,
}

/// Something that is said of a whole script.
#[derive(Debug, Clone)]
pub struct Remark {
    /// The rule.
    pub rule: &'static Rule,
    /// How grave it is, on every server.
    pub severity: Severity,
    /// What was found, as a finding has it.
    pub what: String,
}

/// Where the scripts of a schema lie.
#[derive(Clone, Copy)]
pub struct Versions<'a> {
    /// What tells the schema from others.
    pub schema: &'a str,
    /// The directory of the scripts, relative to where modules are looked for.
    pub directory: &'a str,
    /// The scripts, by their path below it.
    pub scripts: &'a BTreeMap<String, String>,
    /// Other modules whose constants the scripts may name, by their path.
    pub constants: &'a BTreeMap<String, String>,
    /// In how many transactions alembic runs them; absent where nothing says it.
    pub transactions: Option<Transactions>,
    /// How the path of a script below the directory is shown.
    pub shown: &'a dyn Fn(&str) -> String,
}

impl Script {
    /// The scripts of a schema, each after those that it needs. Where they make no tree they come by the names of their
    /// files, and those that are the reason say why.
    pub fn all(versions: Versions<'_>) -> Vec<Self> {
        let place = migrations::Place {
            directory: versions.directory,
            scripts: versions.scripts,
            constants: versions.constants,
        };
        let made = |file: &str, revision: Option<&str>, branch, remarks| {
            let text = versions.scripts.get(file)?.clone();
            Some(Self {
                series: None,
                service: None,
                schema: versions.schema.to_owned(),
                file: (versions.shown)(file),
                operations: read(&text),
                text,
                revision: revision.map(str::to_owned),
                branch,
                remarks,
                models: None,
                transactions: versions.transactions,
            })
        };
        match migrations::read(place) {
            Ok(tree) => tree
                .revisions()
                .filter_map(|revision| made(&revision.file, Some(&revision.id), tree.branch(&revision.id), Vec::new()))
                .collect(),
            Err(misread) => {
                let why = |file: &str| {
                    let about = |one: &&Misread| one.file == file || one.file.is_empty();
                    misread.iter().find(about).map(|one| Remark {
                        rule: NOT_UNDERSTOOD,
                        severity: Severity::Warning,
                        what: format!("its place among the scripts is not known: {}", one.why),
                    })
                };
                let files = versions.scripts.keys().filter(|file| migrations::is_script(file));
                files.filter_map(|file| made(file, None, by_directory(file), why(file).into_iter().collect())).collect()
            }
        }
    }

    /// Its whole text as a place, for what is said of all of it.
    pub fn whole(&self) -> Place {
        let first = self.text.lines().next().unwrap_or_default();
        Place { offset: 0, length: first.len(), line: 1 }
    }
}

fn by_directory(file: &str) -> Option<Branch> {
    file.rsplit('/').skip(1).find_map(|directory| match directory {
        "expand" => Some(Branch::Expand),
        "contract" => Some(Branch::Contract),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scripts(texts: &[(&str, &str)]) -> Vec<Script> {
        let scripts = texts.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
        let shown = |file: &str| format!("versions/{file}");
        let constants = BTreeMap::new();
        Script::all(Versions {
            schema: "s",
            directory: "versions",
            scripts: &scripts,
            constants: &constants,
            transactions: None,
            shown: &shown,
        })
    }

    #[test]
    fn scripts_come_after_those_they_need_and_keep_their_branch() {
        let found = scripts(&[
            ("a.py", "revision = 'a'\ndown_revision = 'b'\ndef upgrade():\n    pass\n"),
            (
                "expand/b.py",
                "revision = 'b'\ndown_revision = None\nbranch_labels = ('expand',)\ndef upgrade():\n    pass\n",
            ),
            ("README", "no script"),
        ]);
        let told: Vec<_> = found.iter().map(|one| (one.file.as_str(), one.revision.as_deref(), one.branch)).collect();
        let expand = Some(Branch::Expand);
        assert_eq!(told, [("versions/expand/b.py", Some("b"), expand), ("versions/a.py", Some("a"), expand)]);
    }

    #[test]
    fn scripts_that_make_no_tree_are_read_all_the_same_and_say_why() {
        let found = scripts(&[
            ("contract/a.py", "revision = x()\ndown_revision = None\ndef upgrade():\n    op.drop_table('t')\n"),
            ("b.py", "revision = 'b'\ndown_revision = None\ndef upgrade():\n    pass\n"),
        ]);
        let told: Vec<_> = found.iter().map(|one| (one.file.as_str(), !one.remarks.is_empty(), one.branch)).collect();
        assert_eq!(told, [("versions/b.py", false, None), ("versions/contract/a.py", true, Some(Branch::Contract))]);
        assert_eq!(found[1].operations.len(), 1);
    }
}
