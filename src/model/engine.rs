//! What kind of server a database is on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A family of database engines that leapfrog can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// MariaDB, MySQL, Percona, Galera. DDL is not transactional.
    Mysql,
    /// PostgreSQL. DDL is transactional.
    Postgresql,
    /// An SQLite file. DDL is transactional.
    Sqlite,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Mysql => "mysql",
            Self::Postgresql => "postgresql",
            Self::Sqlite => "sqlite",
        })
    }
}
