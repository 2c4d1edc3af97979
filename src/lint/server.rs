//! The servers whose behaviour differs, and their versions.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::model::Engine;

/// A kind of database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Server {
    /// MySQL, Percona.
    Mysql,
    /// MariaDB, Galera.
    Mariadb,
    /// PostgreSQL.
    Postgresql,
    /// An SQLite file.
    Sqlite,
}

impl Server {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mysql, Self::Mariadb, Self::Postgresql, Self::Sqlite];

    /// What SQLAlchemy takes it for.
    pub fn engine(self) -> Engine {
        match self {
            Self::Mysql | Self::Mariadb => Engine::Mysql,
            Self::Postgresql => Engine::Postgresql,
            Self::Sqlite => Engine::Sqlite,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
            Self::Postgresql => "postgresql",
            Self::Sqlite => "sqlite",
        }
    }

    /// The version that is taken where none is said: the one that was measured.
    pub fn usual(self) -> Version {
        match self {
            Self::Mysql => Version([9, 7, 4]),
            Self::Mariadb => Version([10, 11, 19]),
            Self::Postgresql => Version([15, 18, 0]),
            Self::Sqlite => Version([3, 40, 0]),
        }
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|server| server.name() == text).ok_or_else(|| {
            format!("{text} is no engine that is known; known are {}", Self::ALL.map(Self::name).join(", "))
        })
    }
}

/// A server's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub [u64; 3]);

impl FromStr for Version {
    type Err = String;

    /// Reads `10.11`, `8.0.35` and what servers say of themselves: `10.11.14-MariaDB-1:10.11`, `15.18 (Debian …)`.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
        let mut parts = number.split('.').map(str::parse);
        let mut version = [0; 3];
        for (place, part) in version.iter_mut().enumerate() {
            *part = match parts.next() {
                Some(Ok(number)) => number,
                None if place > 0 => break,
                _ => return Err(format!("{text} is no version: write it like 10.11 or 8.0.35")),
            };
        }
        Ok(Self(version))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// What operations are judged for: a server of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The kind of server.
    pub server: Server,
    /// Its version.
    pub version: Version,
}

impl Target {
    /// A server of the version that was measured.
    pub fn usual(server: Server) -> Self {
        Self { server, version: server.usual() }
    }

    /// The server that says its version in these words; of one that says nothing that is understood, the version that was
    /// measured.
    pub fn told(engine: Engine, version: &str) -> Self {
        let server = match engine {
            Engine::Mysql if version.contains("MariaDB") => Server::Mariadb,
            Engine::Mysql => Server::Mysql,
            Engine::Postgresql => Server::Postgresql,
            Engine::Sqlite => Server::Sqlite,
        };
        Self { server, version: version.parse().unwrap_or(server.usual()) }
    }

    /// Whether it is this server, of this version or a later one.
    pub fn is_since(self, server: Server, version: [u64; 3]) -> bool {
        self.server == server && self.version >= Version(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_write_them() {
        for (text, expected) in [
            ("10.11", [10, 11, 0]),
            ("8.0.35", [8, 0, 35]),
            ("10.11.14-MariaDB-1:10.11.14+maria~deb12", [10, 11, 14]),
            ("15.18 (Debian 15.18-0+deb12u1)", [15, 18, 0]),
            ("17", [17, 0, 0]),
        ] {
            assert_eq!(text.parse(), Ok(Version(expected)), "{text}");
        }
        for text in ["", "new", "10.", ".5", "99999999999999999999"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
        assert!(Target::usual(Server::Mysql).is_since(Server::Mysql, [8, 0, 29]));
        assert!(!Target::usual(Server::Mariadb).is_since(Server::Mysql, [8, 0, 29]));
    }

    #[test]
    fn servers_are_known_by_name() {
        for server in Server::ALL {
            assert_eq!(server.name().parse(), Ok(server));
        }
        assert!("oracle".parse::<Server>().expect_err("unknown").contains("known are mysql, mariadb"));
    }
}
