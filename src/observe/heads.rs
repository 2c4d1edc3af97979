//! The schema version that a database stores.

use crate::database::{Connection, QueryError, Row};
use crate::model::{Engine, Heads};

/// Where alembic keeps its revisions.
const ALEMBIC: &str = "alembic_version";
/// Where sqlalchemy-migrate keeps its numbers.
const MIGRATE: &str = "migrate_version";

/// Reads the heads of both version tables, by their exact names: nova also has a
/// `shadow_alembic_version`, and neutron's projects have tables of their own.
///
/// The tables are asked for directly, not looked up first: a list of tables shows only those that the
/// user may read, and a version that may not be read must not look like one that is not there.
///
/// # Errors
///
/// A table is there and cannot be read.
pub async fn heads(connection: &mut Connection) -> Result<Heads, QueryError> {
    let alembic = rows(connection, "SELECT version_num FROM alembic_version").await?;
    let migrate = rows(connection, "SELECT repository_id, version FROM migrate_version").await?;
    Ok(Heads {
        alembic: alembic.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect(),
        migrate: migrate.into_iter().filter_map(numbered).collect(),
    })
}

/// Tables whose names look like those of the version tables and are none, as far as this user sees them: they are not
/// read.
///
/// # Errors
/// The server does not tell.
pub(super) async fn look_alikes(connection: &mut Connection) -> Result<Vec<String>, QueryError> {
    let query = match connection.engine() {
        Engine::Mysql => "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
        Engine::Postgresql => "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()",
        Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
    };
    let names = connection.rows(query).await?.into_iter().filter_map(|row| row.into_iter().next().flatten());
    let alike = |name: &String| name.contains(ALEMBIC) || name.contains(MIGRATE);
    let mut names: Vec<String> = names.filter(|name| alike(name) && name != ALEMBIC && name != MIGRATE).collect();
    names.sort();
    Ok(names)
}

/// The rows of a table, or none if it does not exist.
async fn rows(connection: &mut Connection, query: &str) -> Result<Vec<Row>, QueryError> {
    match connection.rows(query).await {
        Err(QueryError::NoTable { .. }) => Ok(Vec::new()),
        rows => rows,
    }
}

/// A repository and its number; a row without one tells nothing.
fn numbered(row: Row) -> Option<(String, u32)> {
    let [repository, version] = <[Option<String>; 2]>::try_from(row).ok()?;
    Some((repository?, version?.parse().ok()?))
}
