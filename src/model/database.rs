//! Which database of which service.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{IdentifierError, Service, Slot};

/// One database of the cloud: `keystone` (a service with one), `nova.api`, or `nova.cells.cell1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct DatabaseId {
    /// The service that owns the database.
    pub service: Service,
    /// The database's place in the service's playbook.
    pub slot: Slot,
    /// The operator's name for one of several databases in the slot (a nova cell).
    pub member: Option<Slot>,
}

/// A text that names no database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseIdError {
    /// A part of the text is no name.
    #[error(transparent)]
    Name(#[from] IdentifierError),
    /// The text has more than three parts.
    #[error("`{0}` names no database: write service, service.slot or service.slot.member")]
    Parts(String),
}

impl DatabaseId {
    /// The slot of a service that has one database.
    pub const MAIN: &'static str = "main";

    /// The shortest name that tells the database from others of its service: `cell1`, `api`, `main`.
    pub fn short(&self) -> &str {
        self.member.as_ref().unwrap_or(&self.slot).as_str()
    }
}

impl fmt::Display for DatabaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match &self.member {
            Some(member) => format!("{}.{}.{member}", self.service, self.slot),
            None if self.slot.as_str() == Self::MAIN => self.service.to_string(),
            None => format!("{}.{}", self.service, self.slot),
        };
        f.pad(&text)
    }
}

impl FromStr for DatabaseId {
    type Err = DatabaseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.');
        let service = parts.next().unwrap_or_default().parse()?;
        let slot = parts.next().unwrap_or(Self::MAIN).parse()?;
        let member = parts.next().map(str::parse).transpose()?;
        if parts.next().is_some() {
            return Err(DatabaseIdError::Parts(text.to_owned()));
        }
        Ok(Self { service, slot, member })
    }
}

impl TryFrom<String> for DatabaseId {
    type Error = DatabaseIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DatabaseId> for String {
    fn from(id: DatabaseId) -> Self {
        id.to_string()
    }
}
