//! A playbook's `checks`: what is looked at before anything is touched.

use serde::{Deserialize, Serialize};

use crate::model::Slot;

/// Something that is looked at before anything is touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PlaybookCheck {
    /// Database URLs that a database stores must lead to the databases of the cloud file.
    StoredUrls(StoredUrls),
}

/// Database URLs that are stored in a database and that the service's own commands follow. If they
/// lead elsewhere, a rehearsal on a copy would change the original.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredUrls {
    /// The check's name.
    pub name: Slot,
    /// The slot of the database that stores the URLs.
    pub database: Slot,
    /// Reads two columns: a name and a URL.
    pub query: String,
    /// The slots whose databases the URLs may and must lead to.
    pub lead_to: Vec<Slot>,
    /// Why this is looked at.
    pub why: String,
    /// What to do where they lead elsewhere.
    pub mend: String,
}
