//! A connection and the questions it takes.

use std::fmt;
use std::time::Duration;

use sqlx::mysql::{MySqlConnection, MySqlDatabaseError};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnection, SqliteError};
use sqlx::{AssertSqlSafe, Connection as _, Executor, Row as _, raw_sql};

use super::connect::Cause;
use crate::model::Engine;

/// A row as text; absent where the database holds NULL.
pub type Row = Vec<Option<String>>;

/// An open connection to a database.
pub enum Connection {
    /// MariaDB, MySQL, Percona, Galera.
    Mysql(MySqlConnection),
    /// PostgreSQL.
    Postgresql(PgConnection),
    /// An SQLite file.
    Sqlite(SqliteConnection),
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A table of the query does not exist.
    #[error("find a table")]
    NoTable {
        /// What the engine said.
        #[source]
        source: Cause,
    },
    /// A column of the query does not exist.
    #[error("find a column")]
    NoColumn {
        /// What the engine said.
        #[source]
        source: Cause,
    },
    /// The user may not read what the query reads.
    #[error("read a table")]
    Privilege {
        /// What the engine said.
        #[source]
        source: Cause,
    },
    /// Another session's locks are in the way: a deadlock that was ended, or a lock that was waited for in vain.
    #[error("get a lock")]
    Contended {
        /// What the engine said.
        #[source]
        source: Cause,
    },
    /// The connection broke.
    #[error("keep the connection")]
    Lost {
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// Anything else.
    #[error("run a query")]
    Failed {
        /// What the engine or the driver said.
        #[source]
        source: Cause,
    },
}

impl QueryError {
    /// What to do next.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoTable { .. } | Self::NoColumn { .. } => {
                "check that the cloud file names the right database for the service"
            }
            Self::Privilege { .. } => "grant the user all privileges on the database: its service needs them as well",
            Self::Contended { .. } => "find the session that holds rows or the table locked, then try again",
            Self::Lost { .. } => "check that the server still runs, and the network to it",
            Self::Failed { .. } => "look at the server's log for the reason",
        }
    }
}

impl Connection {
    /// The engine's family.
    pub fn engine(&self) -> Engine {
        match self {
            Self::Mysql(_) => Engine::Mysql,
            Self::Postgresql(_) => Engine::Postgresql,
            Self::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// The server's own version text, such as `10.11.14-MariaDB`.
    ///
    /// # Errors
    ///
    /// The connection broke.
    pub async fn version(&mut self) -> Result<String, QueryError> {
        let query = match self.engine() {
            Engine::Mysql => "SELECT VERSION()",
            Engine::Postgresql => "SHOW server_version",
            Engine::Sqlite => "SELECT sqlite_version()",
        };
        self.value(query).await
    }

    /// Since how long the server runs, to the second; always nothing for a file.
    ///
    /// # Errors
    ///
    /// The connection broke.
    pub async fn uptime(&mut self) -> Result<Duration, QueryError> {
        let text = match self.engine() {
            Engine::Mysql => {
                let rows = self.rows("SHOW GLOBAL STATUS LIKE 'Uptime'").await?;
                rows.into_iter().next().and_then(|row| row.into_iter().nth(1)).flatten().unwrap_or_default()
            }
            Engine::Postgresql => {
                self.value("SELECT extract(epoch FROM now() - pg_postmaster_start_time())::bigint").await?
            }
            Engine::Sqlite => "0".to_owned(),
        };
        let seconds =
            text.parse().map_err(|error: std::num::ParseIntError| QueryError::Failed { source: error.into() });
        seconds.map(Duration::from_secs)
    }

    /// Which server this is, so that another one at the same address is told from it; for PostgreSQL also since when it
    /// runs. The same for a file, always.
    ///
    /// # Errors
    ///
    /// The connection broke.
    pub async fn server_mark(&mut self) -> Result<String, QueryError> {
        let query = match self.engine() {
            Engine::Mysql => "SELECT CONCAT_WS('/', @@hostname, @@port, @@server_id)",
            Engine::Postgresql => "SELECT concat_ws('/', inet_server_port(), pg_postmaster_start_time())",
            Engine::Sqlite => "SELECT 'file'",
        };
        self.value(query).await
    }

    /// How many tables the database holds, those of the engine itself left out.
    ///
    /// On MySQL the server shows a user only the tables the user has some right to; PostgreSQL counts
    /// all schemas, also those that cannot be read.
    ///
    /// # Errors
    ///
    /// The connection broke.
    pub async fn tables(&mut self) -> Result<u64, QueryError> {
        let query = match self.engine() {
            Engine::Mysql => {
                "SELECT COUNT(*) FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
            }
            Engine::Postgresql => {
                "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'"
            }
            Engine::Sqlite => {
                "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
            }
        };
        let text = self.value(query).await?;
        text.parse().map_err(|error: std::num::ParseIntError| QueryError::Failed { source: error.into() })
    }

    /// Every row that `query` finds, as text.
    ///
    /// # Errors
    ///
    /// The query cannot be answered, or a value is no text.
    pub async fn rows(&mut self, query: &str) -> Result<Vec<Row>, QueryError> {
        // The simple protocols: every engine then sends numbers as text as well.
        let found = match self {
            Self::Mysql(connection) => mysql_rows(connection, query).await,
            Self::Postgresql(connection) => postgresql_rows(connection, query).await,
            Self::Sqlite(connection) => sqlite_rows(connection, query).await,
        };
        found.map_err(classify)
    }

    /// Says goodbye to the server. A connection that is dropped instead is cut.
    pub async fn close(self) {
        // The answers are all in: an error in parting changes nothing.
        let _ = match self {
            Self::Mysql(connection) => connection.close().await,
            Self::Postgresql(connection) => connection.close().await,
            Self::Sqlite(connection) => connection.close().await,
        };
    }

    /// Has the session refuse changes from now on.
    pub(super) async fn refuse_changes(&mut self) -> Result<(), QueryError> {
        match self {
            Self::Mysql(_) => self.rows("SET SESSION TRANSACTION READ ONLY").await.map(drop),
            Self::Postgresql(_) => self.rows("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY").await.map(drop),
            // The file was opened for reading.
            Self::Sqlite(_) => Ok(()),
        }
    }

    pub(super) async fn value(&mut self, query: &str) -> Result<String, QueryError> {
        let rows = self.rows(query).await?;
        let value = rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten();
        value.ok_or_else(|| QueryError::Failed { source: sqlx::Error::RowNotFound.into() })
    }
}

/// One function per engine: sqlx's types do not let one be written for all.
macro_rules! rows {
    ($name:ident, $connection:ty) => {
        async fn $name(connection: &mut $connection, query: &str) -> Result<Vec<Row>, sqlx::Error> {
            let rows = connection.fetch_all(raw_sql(AssertSqlSafe(query))).await?;
            rows.iter().map(|row| (0..row.len()).map(|column| row.try_get_unchecked(column)).collect()).collect()
        }
    };
}

rows!(mysql_rows, MySqlConnection);
rows!(postgresql_rows, PgConnection);
rows!(sqlite_rows, SqliteConnection);

/// Error codes: MySQL 1146 and PostgreSQL 42P01 say that a table is missing, 1054 and 42703 that a column is, 1142, 1143
/// and 42501 that it may not be read; 1205, 1213, 40P01, 40001 and 55P03, and SQLite's 5 and 6 with what is above their lowest byte, that
/// a lock was in the way. SQLite has one code for all mistakes of a query, so its text decides.
pub(super) fn classify(error: sqlx::Error) -> QueryError {
    match error {
        sqlx::Error::Database(error) => {
            let number = error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number);
            let code = error.code().unwrap_or_default().into_owned();
            let absent = number == Some(1146) || code == "42P01" || error.message().starts_with("no such table");
            let columnless = number == Some(1054) || code == "42703" || error.message().starts_with("no such column");
            let forbidden = matches!(number, Some(1142 | 1143 | 1044)) || code == "42501";
            let busy = error.try_downcast_ref::<SqliteError>().is_some()
                && code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6));
            let contended =
                busy || matches!(number, Some(1205 | 1213)) || matches!(code.as_str(), "40P01" | "40001" | "55P03");
            let source = error.into_error();
            match (absent, forbidden) {
                (true, _) => QueryError::NoTable { source },
                _ if contended => QueryError::Contended { source },
                _ if columnless => QueryError::NoColumn { source },
                (_, true) => QueryError::Privilege { source },
                _ => QueryError::Failed { source },
            }
        }
        sqlx::Error::Io(error) => QueryError::Lost { source: error.into() },
        other => QueryError::Failed { source: other.into() },
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.engine())
    }
}
