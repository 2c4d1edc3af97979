//! The schema version that a database stores.

use crate::database::{Connection, QueryError, Row};
use crate::model::Heads;

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
