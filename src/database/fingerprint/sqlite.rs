//! The fingerprint of an SQLite file.

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Executor, Row as _, raw_sql};

use super::{Depth, Fingerprint, TablePrint, named, number};
use crate::database::connection::{Connection, QueryError};

/// What the database holds.
pub(super) async fn fingerprint(
    connection: &mut Connection,
    depth: Depth,
    passes_over: Option<&str>,
) -> Result<Fingerprint, QueryError> {
    let mut print = Fingerprint::default();
    let things = named(
        connection,
        "SELECT name, type, coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .await?;
    for (name, rest) in things.iter().filter(|(name, _)| passes_over != Some(name)) {
        let (kind, text) = rest.split_once('\u{1}').unwrap_or((rest, ""));
        print.define(kind, name, text);
        if kind != "table" {
            continue;
        }
        let table = quoted(name);
        let rows = number(connection, &format!("SELECT count(*) FROM {table}")).await?;
        let contents = if depth.reads(rows) { Some(contents(connection, name).await?) } else { None };
        print.tables.insert(name.clone(), TablePrint { rows, contents });
    }
    Ok(print)
}

/// A sum over the rows of a table, one row in memory at a time.
async fn contents(connection: &mut Connection, name: &str) -> Result<String, QueryError> {
    let columns = named(connection, &format!("SELECT name FROM pragma_table_xinfo({})", literal(name))).await?;
    let columns: Vec<String> = columns.iter().map(|(column, _)| format!("quote({})", quoted(column))).collect();
    // Bytes, for a text need not be one.
    let query = format!("SELECT CAST({} AS BLOB) FROM {}", columns.join(" || ',' || "), quoted(name));
    let Connection::Sqlite(connection) = connection else {
        return Err(QueryError::Failed { source: "not an SQLite file".into() });
    };
    let failed = |error: sqlx::Error| QueryError::Failed { source: error.into() };
    let mut rows = connection.fetch(raw_sql(AssertSqlSafe(query.as_str())));
    let mut sum = 0_u128;
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let bytes: Vec<u8> = row.try_get_unchecked(0).map_err(failed)?;
        let digest = Sha256::digest(&bytes);
        let (head, _) = digest.split_at(16);
        sum = sum.wrapping_add(head.iter().fold(0, |number, byte| number << 8 | u128::from(*byte)));
    }
    Ok(format!("{sum:032x}"))
}

/// An identifier in quotation marks.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as a literal.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
