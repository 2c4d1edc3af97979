//! Databases of a server by their names: which there are, made, dropped. For SQLite files there are none.

use super::connection::{Connection, QueryError};
use super::fingerprint::quoted;
use crate::model::{ConnectionUrl, Engine};

/// A server's own database, which every user may connect to: where one connects that has none yet.
pub fn lobby(server: &ConnectionUrl) -> ConnectionUrl {
    let name = if server.engine() == Engine::Postgresql { "postgres" } else { "information_schema" };
    server.clone().with_name(name)
}

impl Connection {
    /// The names of the server's databases that begin with `prefix`, as far as this user sees them.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn databases(&mut self, prefix: &str) -> Result<Vec<String>, QueryError> {
        let query = match self.engine() {
            Engine::Mysql => "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA",
            Engine::Postgresql => "SELECT datname FROM pg_database",
            Engine::Sqlite => return Ok(Vec::new()),
        };
        let names = self.rows(query).await?.into_iter().filter_map(|row| row.into_iter().next().flatten());
        Ok(names.filter(|name| name.starts_with(prefix)).collect())
    }

    /// Makes an empty database, in the character set that OpenStack's services are tested with.
    ///
    /// # Errors
    /// There is one of that name, or the user may not.
    pub async fn make_database(&mut self, name: &str) -> Result<(), QueryError> {
        let statement = match self.engine() {
            Engine::Mysql | Engine::Sqlite => format!("CREATE DATABASE {} CHARACTER SET utf8", quoted(name)),
            Engine::Postgresql => format!("CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'"),
        };
        self.rows(&statement).await.map(drop)
    }

    /// Drops a database and all that is in it.
    ///
    /// # Errors
    /// The server does not do it.
    pub async fn drop_database(&mut self, name: &str) -> Result<(), QueryError> {
        let statement = match self.engine() {
            Engine::Mysql | Engine::Sqlite => format!("DROP DATABASE IF EXISTS {}", quoted(name)),
            Engine::Postgresql => format!("DROP DATABASE IF EXISTS \"{name}\""),
        };
        self.rows(&statement).await.map(drop)
    }

    /// Runs statements that are written for every engine, in one transaction: double quotes mean names, and `||` joins
    /// texts.
    ///
    /// # Errors
    /// One of them fails; then none of them counts.
    pub async fn write(&mut self, statements: &str) -> Result<(), QueryError> {
        if self.engine() == Engine::Mysql {
            self.rows("SET SESSION sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES,PIPES_AS_CONCAT')").await?;
        }
        self.rows(&format!("BEGIN;\n{statements}\nCOMMIT;")).await.map(drop)
    }
}
