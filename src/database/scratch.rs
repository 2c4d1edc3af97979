//! A scratch database beside another one: made, filled by whoever proves a dump, dropped.
//!
//! Its name follows from the database that it is beside, so one that a dead process left is found again and
//! dropped. A database of that name that holds something and not leapfrog's marker is somebody else's, and is
//! left alone. For SQLite files there are none: a scratch file is enough.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::asked::Right;
use super::connect::{ConnectError, Purpose, connect, connect_for};
use super::connection::{Connection, QueryError};
use super::fingerprint::quoted;
use crate::model::{ConnectionUrl, Engine};

/// The table that marks a scratch database as leapfrog's.
pub const MARKER: &str = "leapfrog_scratch";

/// Why there is no scratch database.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// The user may not make databases.
    #[error("make a scratch database")]
    Privilege {
        /// The statement that an administrator of the server can run.
        mend: String,
        /// What the server said.
        #[source]
        source: QueryError,
    },
    /// A database has its name and is not leapfrog's.
    #[error("make the scratch database {name}: there is one already, with tables that leapfrog did not make")]
    Foreign {
        /// The name.
        name: String,
    },
    /// The server cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server does not do it.
    #[error("make a scratch database")]
    Query(#[from] QueryError),
}

impl ScratchError {
    /// What to do next.
    pub fn advice(&self) -> String {
        match self {
            Self::Privilege { mend, .. } => format!("let an administrator of the server run: {mend}"),
            Self::Foreign { name } => format!("look what {name} is, and rename or drop it"),
            Self::Connect(error) => error.advice().to_owned(),
            Self::Query(error) => error.advice().to_owned(),
        }
    }
}

/// A scratch database; [`Scratch::drop`] removes it. One that is forgotten is found by the next that is made.
#[derive(Debug, Clone)]
pub struct Scratch {
    beside: ConnectionUrl,
    url: ConnectionUrl,
    timeout: Duration,
}

/// What a scratch database is for: each use has one of its own, so that they do not drop each other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScratchUse {
    /// A dump is brought back into it.
    Proof,
    /// Migrations are tried in it.
    Trial,
}

/// The name of the scratch database beside `url` that proves dumps.
pub fn scratch_name(url: &ConnectionUrl) -> String {
    name_for(url, ScratchUse::Proof)
}

/// The name of the scratch database beside `url` in which migrations are tried.
pub fn trial_name(url: &ConnectionUrl) -> String {
    name_for(url, ScratchUse::Trial)
}

fn name_for(url: &ConnectionUrl, usage: ScratchUse) -> String {
    let digest = Sha256::digest(format!("{}/{}", url.server(), url.name()).as_bytes());
    let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    match usage {
        ScratchUse::Proof => format!("leapfrog_scratch_{digits}"),
        ScratchUse::Trial => format!("leapfrog_scratch_trial_{digits}"),
    }
}

impl Scratch {
    /// Makes an empty scratch database beside `url`, on its server, with its login, character set and
    /// collation. One that is left of a dead process is dropped first.
    ///
    /// # Errors
    /// The server does not let us, or a database of its name is somebody else's.
    pub async fn make(url: &ConnectionUrl, usage: ScratchUse, timeout: Duration) -> Result<Self, ScratchError> {
        let scratch = Self::beside(url, usage, timeout);
        let mut connection = connect_for(url, Purpose::Change, timeout).await?;
        let made = scratch.make_by(&mut connection).await;
        connection.close().await;
        made.map(|()| scratch)
    }

    /// Whether a scratch database could be made beside `url`, as far as grants tell. Nothing is made.
    ///
    /// # Errors
    /// As [`Scratch::make`] would have them.
    pub async fn could_be_made(url: &ConnectionUrl, usage: ScratchUse, timeout: Duration) -> Result<(), ScratchError> {
        let scratch = Self::beside(url, usage, timeout);
        let mut connection = connect(url, timeout).await?;
        let asked = scratch.ask(&mut connection).await;
        connection.close().await;
        asked
    }

    fn beside(url: &ConnectionUrl, usage: ScratchUse, timeout: Duration) -> Self {
        Self { beside: url.clone(), url: url.clone().with_name(name_for(url, usage)), timeout }
    }

    async fn ask(&self, connection: &mut Connection) -> Result<(), ScratchError> {
        if self.exists(connection).await? {
            self.is_ours().await?;
        }
        if connection.may_make(self.url.name()).await? != Right::Lacking {
            return Ok(());
        }
        let source = QueryError::Privilege { source: "the user's grants do not let it".into() };
        Err(ScratchError::Privilege { mend: mend(connection).await, source })
    }

    /// That a database of the scratch one's name is leapfrog's.
    async fn is_ours(&self) -> Result<(), ScratchError> {
        let mut old = connect(&self.url, self.timeout).await?;
        let tables = old.tables().await;
        let marked = old.rows(&format!("SELECT 1 FROM {MARKER}")).await;
        old.close().await;
        if tables? > 0 && marked.is_err() {
            return Err(ScratchError::Foreign { name: self.url.name().to_owned() });
        }
        Ok(())
    }

    /// Where it is.
    pub fn url(&self) -> &ConnectionUrl {
        &self.url
    }

    /// Drops it.
    ///
    /// # Errors
    /// The server does not do it.
    pub async fn drop(self) -> Result<(), ScratchError> {
        let mut connection = connect_for(&self.beside, Purpose::Change, self.timeout).await?;
        let dropped = self.drop_by(&mut connection).await;
        connection.close().await;
        dropped
    }

    /// Drops it if it is there, the marker last: a server that dies in the middle of `DROP DATABASE` has dropped some
    /// tables and not others, and what is left has to be known as leapfrog's.
    async fn drop_by(&self, connection: &mut Connection) -> Result<(), ScratchError> {
        if connection.engine() == Engine::Mysql && self.exists(connection).await? {
            let mut own = connect_for(&self.url, Purpose::Change, self.timeout).await?;
            let emptied = own.empty_but(MARKER).await;
            own.close().await;
            emptied?;
        }
        connection.rows(&self.drop_statement(connection)).await?;
        Ok(())
    }

    fn drop_statement(&self, connection: &Connection) -> String {
        match connection.engine() {
            Engine::Postgresql => format!("DROP DATABASE IF EXISTS \"{}\"", self.url.name()),
            Engine::Mysql | Engine::Sqlite => format!("DROP DATABASE IF EXISTS {}", quoted(self.url.name())),
        }
    }

    async fn make_by(&self, connection: &mut Connection) -> Result<(), ScratchError> {
        let name = self.url.name();
        if self.exists(connection).await? {
            self.is_ours().await?;
            self.drop_by(connection).await?;
        }
        let create = match connection.engine() {
            Engine::Postgresql => {
                let rows = connection
                    .rows(
                        "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database \
                         WHERE datname = current_database()",
                    )
                    .await?;
                let text = |column: usize| {
                    let cell = rows.first().and_then(|row| row.get(column).cloned().flatten()).unwrap_or_default();
                    cell.replace('\'', "''")
                };
                format!(
                    "CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING '{}' LC_COLLATE '{}' LC_CTYPE '{}'",
                    text(0),
                    text(1),
                    text(2)
                )
            }
            Engine::Mysql | Engine::Sqlite => {
                let rows = connection.rows("SELECT @@character_set_database, @@collation_database").await?;
                let text = |column: usize| rows.first().and_then(|row| row.get(column).cloned().flatten());
                let set = text(0).unwrap_or_else(|| "utf8mb4".to_owned());
                let collation = text(1).map(|name| format!(" COLLATE {name}")).unwrap_or_default();
                format!("CREATE DATABASE {} CHARACTER SET {set}{collation}", quoted(name))
            }
        };
        match connection.rows(&create).await {
            Ok(_) => {}
            Err(source @ QueryError::Privilege { .. }) => {
                return Err(ScratchError::Privilege { mend: mend(connection).await, source });
            }
            Err(error) => return Err(error.into()),
        }
        let mut own = connect_for(&self.url, Purpose::Change, self.timeout).await?;
        let marked = own.rows(&format!("CREATE TABLE {MARKER} (made INTEGER)")).await;
        own.close().await;
        marked?;
        Ok(())
    }

    async fn exists(&self, connection: &mut Connection) -> Result<bool, QueryError> {
        let name = self.url.name();
        let query = match connection.engine() {
            Engine::Postgresql => format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'"),
            Engine::Mysql | Engine::Sqlite => {
                format!("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{name}'")
            }
        };
        let rows = connection.rows(&query).await?;
        Ok(rows.first().and_then(|row| row.first().cloned().flatten()).is_some_and(|count| count != "0"))
    }
}

/// The statement that lets this user make scratch databases.
async fn mend(connection: &mut Connection) -> String {
    let query = match connection.engine() {
        Engine::Postgresql => "SELECT quote_ident(current_user)",
        Engine::Mysql | Engine::Sqlite => {
            "SELECT CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', \
             SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')"
        }
    };
    let rows = connection.rows(query).await.unwrap_or_default();
    let user = rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten().unwrap_or_default();
    match connection.engine() {
        Engine::Postgresql => format!("ALTER ROLE {user} CREATEDB;"),
        Engine::Mysql | Engine::Sqlite => format!("GRANT ALL ON `leapfrog\\_scratch\\_%`.* TO {user};"),
    }
}
