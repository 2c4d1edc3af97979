//! Databases that no cloud file lists, because another database stores where they are (nova's cells).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::{ConnectionUrl, Engine, Secret, Slot};

/// What the operator says about a service's databases that are taken from stored URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedDatabases {
    /// The slot they are in.
    pub slot: Slot,
    /// Servers that they may be on besides those of the service's other databases.
    pub servers: Vec<ServerName>,
    /// How single ones are reached, by the name of their mapping.
    pub overrides: BTreeMap<Slot, AccessOverride>,
}

/// How a database is reached in the place of what its stored URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessOverride {
    /// By this URL, which must lead to the same database.
    Url(ConnectionUrl),
    /// With other credentials.
    Login {
        /// The user; absent: the stored one.
        user: Option<String>,
        /// The password; absent: the stored one.
        password: Option<Secret>,
    },
}

/// A row of stored URLs, with the password in it where it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedUrl {
    /// The row's own name.
    pub name: String,
    /// Where it leads; absent where it is no URL that leapfrog can read.
    pub url: Option<ConnectionUrl>,
    /// The same without its password, to be shown.
    pub leads_to: String,
}

/// A database server: `10.0.0.6` or `db.example:3307`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerName {
    host: String,
    port: Option<u16>,
}

/// A text that names no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a server belongs here: a host, and a port where it is not the usual one, like 10.0.0.6 or db.example:3307")]
pub struct ServerNameError;

impl ServerName {
    /// Whether a URL leads to this server. Names are compared as they are written: what two of them
    /// resolve to is not asked.
    pub fn is_of(&self, url: &ConnectionUrl) -> bool {
        let usual = match url.engine() {
            Engine::Mysql => 3306,
            Engine::Postgresql => 5432,
            Engine::Sqlite => return false,
        };
        // A socket is another way in, to who knows which server.
        let socket = url.parameter("unix_socket").is_some();
        !socket && self.host.eq_ignore_ascii_case(url.host()) && self.port.unwrap_or(usual) == url.port()
    }
}

impl FromStr for ServerName {
    type Err = ServerNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A URL with nothing but a server is what the URLs it is compared with are read by.
        if text.is_empty() || text.contains(['/', '@', '?', '#']) || text.contains(char::is_whitespace) {
            return Err(ServerNameError);
        }
        let url: ConnectionUrl = format!("mysql://{text}/x").parse().map_err(|_| ServerNameError)?;
        Ok(Self { host: url.host().to_owned(), port: url.named_port() })
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_of(server: &str, url: &str) -> bool {
        let server: ServerName = server.parse().unwrap_or_else(|error| panic!("{server}: {error}"));
        server.is_of(&url.parse().unwrap_or_else(|error| panic!("{url}: {error}")))
    }

    #[test]
    fn a_server_is_known_by_host_and_port_and_not_by_a_socket() {
        assert!(is_of("10.0.0.6", "mysql://n@10.0.0.6/nova") && is_of("DB:3307", "mysql+pymysql://n@db:3307/nova"));
        assert!(is_of("db", "postgresql://n@db/nova") && is_of("[::1]:3306", "mysql://n@[::1]/nova"));
        assert!(!is_of("10.0.0.6", "mysql://n@10.0.0.6:3307/nova") && !is_of("db", "mysql://n@other/nova"));
        assert!(!is_of("localhost", "mysql://n@localhost/nova?unix_socket=/run/other.sock"));
        for text in ["", "mysql://db", "db/nova", "user@db", "db:port", "a b"] {
            assert_eq!(text.parse::<ServerName>(), Err(ServerNameError), "{text}");
        }
    }
}
