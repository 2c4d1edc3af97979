//! What was read of an image.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::read::Misread;
use super::tree::Tree;
use crate::model::{Schema, Service};

/// What an image holds of the services it is used for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageFacts {
    /// By service.
    pub services: BTreeMap<Service, ServiceFacts>,
}

/// What an image holds of one service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceFacts {
    /// Where its Python packages are; absent where that was not found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The version of its package, where one of the catalogue's releases was recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Its migration scripts, by schema; only those that the playbook says where they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schemas: BTreeMap<Schema, SchemaFacts>,
    /// Options that the playbook uses and the image's code does not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<LackingOption>,
}

/// The migration scripts of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SchemaFacts {
    /// All of them were understood.
    Read(Tree),
    /// Their directory is not in the image.
    NotFound {
        /// The directory, relative to where the Python packages are.
        directory: String,
    },
    /// Some were not understood.
    Misread {
        /// The directory, relative to where the Python packages are.
        directory: String,
        /// Those.
        scripts: Vec<Misread>,
    },
}

/// An option of a command that the code does not have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LackingOption {
    /// The option, as the playbook spells it.
    pub option: String,
    /// The command.
    pub command: String,
    /// The file that should have it, relative to where the Python packages are.
    pub file: String,
}
