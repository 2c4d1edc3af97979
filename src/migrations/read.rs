//! All migration scripts of one schema: from texts to a tree.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::python::{Module, Modules, module_name};
use super::script::revision;
use super::tree::{Tree, TreeError};

/// A migration script that was not understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misread {
    /// Its path below the directory of the scripts; empty where it is about all of them.
    pub file: String,
    /// What is not understood.
    pub why: String,
}

/// Where scripts lie.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The directory of the scripts, relative to where modules are looked for (`site-packages`).
    pub directory: &'a str,
    /// The scripts, by their path below the directory. Files that alembic passes over are passed over: what
    /// does not end in `.py`, `__init__.py`, and what an editor leaves (`.#…`).
    pub scripts: &'a BTreeMap<String, String>,
    /// Other modules whose constants the scripts may name, by their path relative to `site-packages`.
    pub constants: &'a BTreeMap<String, String>,
}

/// The tree that the scripts make.
///
/// # Errors
/// Every script that is not understood; or, where all are, why they make no tree.
pub fn read(place: Place<'_>) -> Result<Tree, Vec<Misread>> {
    let mut modules = Modules::new();
    for (path, text) in place.constants {
        let name = module_name(path);
        if let Some(module) = Module::parse(&name, text) {
            modules.insert(name, module);
        }
    }
    let mut misread = Vec::new();
    let mut scripts = Vec::new();
    for (file, text) in place.scripts.iter().filter(|(file, _)| is_script(file)) {
        let name = module_name(&format!("{}/{file}", place.directory));
        match Module::parse(&name, text) {
            Some(module) => {
                modules.insert(name.clone(), module);
                scripts.push((file, name));
            }
            None => misread.push(Misread { file: file.clone(), why: "it could not be parsed".to_owned() }),
        }
    }
    let mut revisions = Vec::new();
    for (file, name) in scripts {
        let Some(module) = modules.get(&name) else { continue };
        match revision(file, module, &modules) {
            Ok(revision) => revisions.push(revision),
            Err(why) => misread.push(Misread { file: file.clone(), why }),
        }
    }
    if !misread.is_empty() {
        return Err(misread);
    }
    Tree::try_from(revisions).map_err(|error| {
        let file = match &error {
            TreeError::Empty | TreeError::Circle(_) => String::new(),
            TreeError::Twice { file, .. } | TreeError::Missing { file, .. } => file.clone(),
        };
        vec![Misread { file, why: error.to_string() }]
    })
}

/// Whether alembic takes a file for a script (alembic 1.13, `script/base.py`, `_only_source_rx`).
pub(crate) fn is_script(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.ends_with(".py") && !name.starts_with("__init__") && !name.starts_with(".#")
}
