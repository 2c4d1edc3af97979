//! A schema without its rows, taken from one database and made again in scratch databases.

use std::sync::Arc;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::client::Client;
use super::error::RestoreError;
use super::pipe::{Control, Script, dump, in_thread, load};
use super::save::transaction;
use crate::database::{Purpose, QueryError, Row, connect, connect_for};
use crate::model::{ConnectionUrl, Engine};

/// The tables whose rows say where a schema stands.
const STANDING: [&str; 2] = ["alembic_version", "migrate_version"];

/// A database's tables without their rows, but for those that say where it stands.
#[derive(Debug, Clone)]
pub struct SchemaCopy {
    means: Means,
    /// The rows of the tables that say where it stands.
    standing: Vec<(&'static str, Vec<Row>)>,
    timeout: Duration,
}

/// How it is kept.
#[derive(Debug, Clone)]
enum Means {
    /// As a client's dump, with its sum.
    Dump { client: Client, file: Utf8PathBuf, sum: String },
    /// As the statements that an SQLite file keeps itself.
    Statements(Vec<String>),
}

impl SchemaCopy {
    /// Takes the schema at `url`; the dump of a server's goes into `file`. The database is only read.
    ///
    /// # Errors
    /// It cannot be read, there is no client for it, or the file cannot be written.
    pub async fn take(url: &ConnectionUrl, file: &Utf8Path, timeout: Duration) -> Result<Self, RestoreError> {
        let mut connection = connect(url, timeout).await?;
        let read = async {
            let mut standing = Vec::new();
            for table in STANDING {
                match connection.rows(&format!("SELECT * FROM {table}")).await {
                    Err(QueryError::NoTable { .. }) => {}
                    rows => standing.push((table, rows?)),
                }
            }
            let statements = if url.engine() == Engine::Sqlite {
                // Tables first: what follows names them.
                let query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                             ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'view' THEN 2 WHEN 'trigger' THEN 3 ELSE 1 END";
                connection.rows(query).await?.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
            } else {
                Vec::new()
            };
            Ok::<_, RestoreError>((standing, statements, connection.version().await?))
        };
        let read = read.await;
        connection.close().await;
        let (standing, statements, version) = read?;
        let means = if url.engine() == Engine::Sqlite {
            Means::Statements(statements)
        } else {
            let client = Client::find(url.engine(), &version)?;
            let prepared = client.dump_schema(url).map_err(|error| RestoreError::disk("prepare", file, error))?;
            let (control, to) = (Arc::new(Control::default()), file.to_owned());
            let written = in_thread(&control, move |control| dump(prepared, &to, control)).await?;
            Means::Dump { client, file: file.to_owned(), sum: written.sum }
        };
        Ok(Self { means, standing, timeout })
    }

    /// Makes it again in the empty database at `url`.
    ///
    /// # Errors
    /// The database does not take it.
    pub async fn bring_to(&self, url: &ConnectionUrl) -> Result<(), RestoreError> {
        if let Means::Dump { client, file, sum } = &self.means {
            let prepared = client.load(url).map_err(|error| RestoreError::disk("prepare", file, error))?;
            let (control, from, sum) = (Arc::new(Control::default()), file.clone(), sum.clone());
            let (first, last) = transaction(url.engine());
            let script =
                move |control: &Control| load(prepared, &Script { first, path: &from, sum: &sum, last }, control);
            in_thread(&control, script).await?;
        }
        let mut connection = connect_for(url, Purpose::Change, self.timeout).await?;
        let made = async {
            if let Means::Statements(statements) = &self.means {
                for statement in statements {
                    connection.rows(statement).await?;
                }
            }
            for (table, rows) in &self.standing {
                for row in rows {
                    connection.rows(&format!("INSERT INTO {table} VALUES ({})", values(row))).await?;
                }
            }
            Ok::<_, RestoreError>(())
        };
        let made = made.await;
        connection.close().await;
        made
    }
}

/// A row as SQL has it; every engine takes a number that is written as a text.
fn values(row: &Row) -> String {
    let value = |cell: &Option<String>| match cell {
        Some(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        None => "NULL".to_owned(),
    };
    row.iter().map(value).collect::<Vec<_>>().join(", ")
}
