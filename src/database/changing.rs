//! Statements that change something, and what came of each.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Column, Row as _, raw_sql};

use super::connection::{Connection, QueryError, classify};

impl Connection {
    /// Runs statements one after the other, and tells how many rows each of them changed. What comes after a statement
    /// that fails is not run, and a transaction that was begun stays open.
    ///
    /// On MySQL a row counts that a statement found, even if it was the same afterwards.
    ///
    /// # Errors
    /// One of them fails.
    pub async fn change(&mut self, statements: &str) -> Result<Vec<u64>, QueryError> {
        let query = raw_sql(AssertSqlSafe(statements));
        let changed = match self {
            Self::Mysql(connection) => {
                query.execute_many(connection).map_ok(|done| done.rows_affected()).try_collect().await
            }
            Self::Postgresql(connection) => {
                query.execute_many(connection).map_ok(|done| done.rows_affected()).try_collect().await
            }
            Self::Sqlite(connection) => {
                query.execute_many(connection).map_ok(|done| done.rows_affected()).try_collect().await
            }
        };
        changed.map_err(classify)
    }

    /// Every row that `query` finds, as text by the names of its columns.
    ///
    /// # Errors
    /// The query cannot be answered, or a value is no text.
    pub(super) async fn named_rows(
        &mut self,
        query: &str,
    ) -> Result<Vec<BTreeMap<String, Option<String>>>, QueryError> {
        let Self::Mysql(connection) = self else { return Ok(Vec::new()) };
        let rows = raw_sql(AssertSqlSafe(query)).fetch_all(connection).await.map_err(classify)?;
        let named = rows.iter().map(|row| {
            let cells = row.columns().iter().map(|column| {
                Ok((column.name().to_owned(), row.try_get_unchecked::<Option<String>, _>(column.ordinal())?))
            });
            cells.collect::<Result<BTreeMap<_, _>, sqlx::Error>>()
        });
        named.collect::<Result<_, _>>().map_err(classify)
    }
}
