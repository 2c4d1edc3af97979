//! What was seen of the world: the input of planning besides the documents.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DatabaseId, Engine, Heads};

/// A database as it was seen at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ObservedDatabase {
    /// The engine's family.
    pub engine: Engine,
    /// The server's own version text, such as `10.11.14-MariaDB`.
    pub version: String,
    /// The stored schema version.
    pub heads: Heads,
    /// How many tables the database holds.
    pub tables: u64,
}

/// Why a database could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Unreachable {
    /// What was tried and what came back, without secrets.
    pub reason: String,
    /// What to do next.
    pub advice: String,
}

/// A database URL that one database stores about another, such as nova's cell mappings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StoredUrl {
    /// The row's own name.
    pub name: String,
    /// Where it leads, without its password; the text as stored if it cannot be read as a URL.
    pub leads_to: String,
    /// The database of the cloud file that it leads to, if it is one of them.
    pub database: Option<DatabaseId>,
}

/// What was seen of a cloud's databases, side by side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Every database of the cloud file.
    pub databases: BTreeMap<DatabaseId, Result<ObservedDatabase, Unreachable>>,
    /// By the database that stores them: URLs that lead to other databases.
    pub stored_urls: BTreeMap<DatabaseId, Result<Vec<StoredUrl>, Unreachable>>,
}
