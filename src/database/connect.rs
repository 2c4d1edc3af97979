//! Getting in, and why not.

use std::path::Path;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection as _};

use super::classify::classify;
use super::connection::{Connection, QueryError};
use crate::model::{ConnectionUrl, Engine, Secret};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Looking: the session refuses changes.
    Read,
    /// Changing.
    Change,
}

/// What an engine or the system said; shown by the error that has it as its source.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a database cannot be reached. None of the texts holds a password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name service does not know the host.
    #[error("find the host `{host}`")]
    Resolve {
        /// The host.
        host: String,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// Nothing listens.
    #[error("reach {server}")]
    Refused {
        /// Host and port.
        server: String,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// There is no way there, or the connection broke at once.
    #[error("reach {server}")]
    Unreachable {
        /// Host and port.
        server: String,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// No answer in time.
    #[error("reach {server} within {} s", after.as_secs_f32())]
    Timeout {
        /// Host and port.
        server: String,
        /// How long was waited.
        after: Duration,
    },
    /// The server does not accept user and password.
    #[error("log in at {server} as `{user}`")]
    Credentials {
        /// Host and port.
        server: String,
        /// The user.
        user: String,
        /// What the server said.
        #[source]
        source: Cause,
    },
    /// The server does not accept connections from here.
    #[error("log in at {server} as `{user}` from this machine")]
    Origin {
        /// Host and port.
        server: String,
        /// The user.
        user: String,
        /// What the server said.
        #[source]
        source: Cause,
    },
    /// The server wants a way of logging in that leapfrog does not know.
    #[error("log in at {server} as `{user}` in the way the server wants")]
    Method {
        /// Host and port.
        server: String,
        /// The user.
        user: String,
        /// What the driver said.
        #[source]
        source: Cause,
    },
    /// There is no such database.
    #[error("open the database `{name}` at {server}")]
    NoDatabase {
        /// Host and port.
        server: String,
        /// The database.
        name: String,
        /// What the server said.
        #[source]
        source: Cause,
    },
    /// The user may not use the database.
    #[error("open the database `{name}` at {server} as `{user}`")]
    Privilege {
        /// Host and port.
        server: String,
        /// The user.
        user: String,
        /// The database.
        name: String,
        /// What the server said.
        #[source]
        source: Cause,
    },
    /// The server takes no connections now: too many, starting, stopping.
    #[error("get a connection at {server}")]
    Busy {
        /// Host and port.
        server: String,
        /// What the server said.
        #[source]
        source: Cause,
    },
    /// Encryption cannot be agreed on.
    #[error("agree on encryption with {server}")]
    Encryption {
        /// Host and port.
        server: String,
        /// What the driver said.
        #[source]
        source: Cause,
    },
    /// The SQLite file cannot be opened.
    #[error("open the SQLite file {path}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// Anything else.
    #[error("connect to {server}")]
    Other {
        /// Host and port.
        server: String,
        /// What the driver said.
        #[source]
        source: Cause,
    },
}

impl ConnectError {
    /// Whether another attempt a moment later may succeed.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Unreachable { .. } | Self::Busy { .. })
    }

    /// What to do next.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Resolve { .. } => {
                "check how the host is written in the cloud file, and whether this machine's name service knows it"
            }
            Self::Refused { .. } => {
                "nothing listens there: check host and port, and that the server runs and is bound to this address"
            }
            Self::Unreachable { .. } => "check the route and the firewall between this machine and the server",
            Self::Timeout { .. } => {
                "a firewall may drop the packets; if the server is only slow, raise limits.connect in the cloud file"
            }
            Self::Credentials { .. } => {
                "check user and password in the cloud file, and that the server lets this user in from this machine"
            }
            Self::Origin { .. } => "allow this machine's address on the server (its grants, or pg_hba.conf)",
            Self::Method { .. } => {
                "use a user that logs in with mysql_native_password or caching_sha2_password (PostgreSQL: scram-sha-256, md5 or password)"
            }
            Self::NoDatabase { .. } => "check the database's name in the cloud file",
            Self::Privilege { .. } => "grant the user all privileges on the database: its service needs them as well",
            Self::Busy { .. } => "try again when the server takes connections; stop what holds too many of them",
            Self::Encryption { .. } => {
                "check the ssl parameters of the URL and the server's certificate; without parameters encryption is optional"
            }
            Self::File { .. } => "check the path and who may read the file and its directory",
            Self::Other { .. } => "look at the server's log for the reason",
        }
    }
}

/// Connects to look at a database: the session refuses changes.
///
/// # Errors
///
/// The database cannot be reached within `timeout`, or does not let us in.
pub async fn connect(url: &ConnectionUrl, timeout: Duration) -> Result<Connection, ConnectError> {
    connect_for(url, Purpose::Read, timeout).await
}

/// Connects to a database for `purpose`. An SQLite file must exist in any case.
///
/// # Errors
///
/// As for [`connect`].
pub async fn connect_for(url: &ConnectionUrl, purpose: Purpose, timeout: Duration) -> Result<Connection, ConnectError> {
    let connecting = async {
        let mut connection = open(url, purpose).await.map_err(|error| classify(url, error))?;
        if purpose == Purpose::Read {
            connection.refuse_changes().await.map_err(|error| ConnectError::Other {
                server: server(url),
                source: match error {
                    QueryError::Failed { source } => source,
                    other => other.into(),
                },
            })?;
        }
        Ok(connection)
    };
    let outcome = tokio::time::timeout(timeout, connecting).await;
    outcome.unwrap_or_else(|_| Err(ConnectError::Timeout { server: server(url), after: timeout }))
}

async fn open(url: &ConnectionUrl, purpose: Purpose) -> Result<Connection, sqlx::Error> {
    match url.engine() {
        Engine::Mysql => Ok(Connection::Mysql(mysql(url).connect().await?)),
        Engine::Postgresql => Ok(Connection::Postgresql(postgresql(url).connect().await?)),
        Engine::Sqlite => {
            // SQLite's own message does not tell a missing file from a forbidden one.
            tokio::fs::File::open(url.name()).await?;
            let options = SqliteConnectOptions::new()
                .filename(Path::new(url.name()))
                .create_if_missing(false)
                .read_only(purpose == Purpose::Read);
            let mut connection = options.connect().await?;
            connection.ping().await?;
            Ok(Connection::Sqlite(connection))
        }
    }
}

/// The parameters are those of PyMySQL as SQLAlchemy reads them from a URL.
fn mysql(url: &ConnectionUrl) -> MySqlConnectOptions {
    // A session that is not changed more than needed: proxies and old servers refuse some settings.
    let mut options = MySqlConnectOptions::new()
        .host(host(url))
        .port(url.port())
        .database(url.name())
        .ssl_mode(MySqlSslMode::Preferred)
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None);
    if let Some(user) = url.user() {
        options = options.username(user);
    }
    if let Some(password) = url.password() {
        options = options.password(password.expose());
    }
    if let Some(socket) = url.parameter("unix_socket") {
        options = options.socket(socket.expose());
    }
    if let Some(authority) = url.parameter("ssl_ca") {
        let loose = url.parameter("ssl_check_hostname").is_some_and(|check| is_no(&check));
        let mode = if loose { MySqlSslMode::VerifyCa } else { MySqlSslMode::VerifyIdentity };
        options = options.ssl_mode(mode).ssl_ca(authority.expose());
    }
    if let (Some(certificate), Some(key)) = (url.parameter("ssl_cert"), url.parameter("ssl_key")) {
        options = options.ssl_client_cert(certificate.expose()).ssl_client_key(key.expose());
    }
    options
}

/// The parameters are those of libpq.
fn postgresql(url: &ConnectionUrl) -> PgConnectOptions {
    let mode = url.parameter("sslmode").and_then(|mode| mode.expose().parse::<PgSslMode>().ok());
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(host(url))
        .port(url.port())
        .database(url.name())
        .application_name("leapfrog")
        .ssl_mode(mode.unwrap_or(PgSslMode::Prefer));
    if let Some(user) = url.user() {
        options = options.username(user);
    }
    if let Some(password) = url.password() {
        options = options.password(password.expose());
    }
    if let Some(authority) = url.parameter("sslrootcert") {
        options = options.ssl_root_cert(authority.expose());
    }
    if let (Some(certificate), Some(key)) = (url.parameter("sslcert"), url.parameter("sslkey")) {
        options = options.ssl_client_cert(certificate.expose()).ssl_client_key(key.expose());
    }
    options
}

fn is_no(value: &Secret) -> bool {
    matches!(value.expose().to_ascii_lowercase().as_str(), "false" | "no" | "off" | "0")
}

/// The host as sockets take it: an IPv6 address without its brackets.
pub(super) fn host(url: &ConnectionUrl) -> &str {
    url.host().trim_start_matches('[').trim_end_matches(']')
}

/// The server in words: host and port, or the file.
pub(super) fn server(url: &ConnectionUrl) -> String {
    match (url.engine(), url.parameter("unix_socket")) {
        (Engine::Sqlite, _) => url.name().to_owned(),
        (Engine::Mysql, Some(socket)) => socket.expose().to_owned(),
        _ => format!("{}:{}", url.host(), url.port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> ConnectionUrl {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn encryption_is_preferred_and_verified_where_the_url_names_an_authority() {
        let mode = |text: &str| format!("{:?}", mysql(&url(text)).get_ssl_mode());
        assert_eq!(mode("mysql://u@h/d"), "Preferred");
        assert_eq!(mode("mysql://u@h/d?ssl_ca=/ca.pem"), "VerifyIdentity");
        assert_eq!(mode("mysql://u@h/d?ssl_ca=/ca.pem&ssl_check_hostname=false"), "VerifyCa");
        let mode = |text: &str| format!("{:?}", postgresql(&url(text)).get_ssl_mode());
        assert_eq!(mode("postgresql://u@h/d"), "Prefer");
        assert_eq!(mode("postgresql://u@h/d?sslmode=verify-full"), "VerifyFull");
    }

    #[test]
    fn an_address_in_brackets_is_connected_to_without_them() {
        assert_eq!(mysql(&url("mysql://u@[::1]:3307/d")).get_host(), "::1");
        assert_eq!(server(&url("mysql://u@[::1]:3307/d")), "[::1]:3307");
        assert_eq!(server(&url("mysql://u@h/d?unix_socket=/run/m.sock")), "/run/m.sock");
    }
}
