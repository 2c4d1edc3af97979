//! The migration scripts of an image, as texts: what `leapfrog lint` reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lint::Models;
use crate::migrations::Tree;
use crate::model::{Branch, Schema, Service};

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
    /// Their directory, relative to where Python packages are.
    pub directory: String,
    /// Its branch.
    pub branch: Option<Branch>,
    /// Their texts, by their names.
    pub scripts: BTreeMap<String, String>,
    /// Whether the directory is not there.
    pub missing: bool,
    /// Files that are there and could not be read, with the reason.
    pub unread: BTreeMap<String, String>,
}

/// Those of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaScripts {
    /// Their directory, relative to where Python packages are.
    pub directory: String,
    /// Their texts, by the path below it.
    pub scripts: BTreeMap<String, String>,
    /// What they make; absent where they make no tree.
    pub tree: Option<Tree>,
    /// Modules with constants that they name, by their path.
    pub constants: BTreeMap<String, String>,
    /// Whether the directory is not there.
    pub missing: bool,
    /// Files that are there and could not be read, with the reason.
    pub unread: BTreeMap<String, String>,
}
