//! The migration scripts of an image, as texts: what `leapfrog lint` reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lint::{Models, Transactions};
use crate::migrations::Tree;
use crate::model::{Branch, Schema, Service};
use crate::runner::PackageFiles;

/// The migration scripts of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageScripts {
    /// By service.
    pub services: BTreeMap<Service, ServiceScripts>,
}

/// Those of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceScripts {
    /// The program by which its packages were looked for.
    pub program: String,
    /// Whether they were found.
    pub found: bool,
    /// By schema.
    pub schemas: BTreeMap<Schema, SchemaScripts>,
    /// Those from before alembic, by schema, in the order in which they are run.
    pub repositories: BTreeMap<Schema, Vec<RepositoryScripts>>,
    /// What the service's code maps; empty where the playbook does not say where that is.
    pub models: Models,
}

/// Those of a repository of sqlalchemy-migrate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryScripts {
    /// Its name.
    pub name: String,
    /// Its branch.
    pub branch: Option<Branch>,
    /// What was read.
    pub files: ScriptFiles,
}

/// Those of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaScripts {
    /// What was read.
    pub files: ScriptFiles,
    /// Modules with constants that they name, by their path.
    pub constants: BTreeMap<String, String>,
    /// What they make; absent where they make no tree.
    pub tree: Option<Tree>,
    /// In how many transactions alembic runs them, as the `env.py` beside their directory says.
    pub transactions: Transactions,
}

/// What was read of a directory of scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptFiles {
    /// The directory, relative to where Python packages are.
    pub directory: String,
    /// The scripts' texts, by the path below it.
    pub texts: BTreeMap<String, String>,
    /// Whether the directory is not there.
    pub missing: bool,
    /// Files that are there and could not be read, by the path below it, with the reason.
    pub unread: BTreeMap<String, String>,
}

impl ScriptFiles {
    /// What `files` have below `directory`.
    pub fn below(directory: &str, files: &PackageFiles) -> Self {
        let below = |all: &BTreeMap<String, String>| {
            let path = |path: &str| path.strip_prefix(directory)?.strip_prefix('/').map(str::to_owned);
            all.iter().filter_map(|(file, text)| Some((path(file)?, text.clone()))).collect()
        };
        Self {
            directory: directory.to_owned(),
            texts: below(&files.texts),
            missing: files.missing.contains(directory),
            unread: below(&files.unread),
        }
    }
}

impl ServiceScripts {
    /// Every directory that was read, and what its scripts are of.
    pub fn directories(&self) -> impl Iterator<Item = (&str, &ScriptFiles)> {
        let schemas = self.schemas.iter().map(|(schema, held)| (schema.as_str(), &held.files));
        self.repositories.values().flatten().map(|held| (held.name.as_str(), &held.files)).chain(schemas)
    }
}
