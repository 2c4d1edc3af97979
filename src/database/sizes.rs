//! How large each table is, as the server knows it.

use std::collections::BTreeMap;

use super::connection::{Connection, QueryError};
use crate::model::Engine;

/// How large a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSize {
    /// Its rows: counted in an SQLite file, estimated by the server elsewhere.
    pub rows: u64,
    /// Its bytes with those of its indexes; absent where nobody knows (SQLite).
    pub bytes: Option<u64>,
}

impl Connection {
    /// The size of each table, by name.
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn table_sizes(&mut self) -> Result<BTreeMap<String, TableSize>, QueryError> {
        let query = match self.engine() {
            Engine::Mysql => {
                "SELECT TABLE_NAME, CAST(COALESCE(TABLE_ROWS, 0) AS CHAR), \
                 CAST(COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0) AS CHAR) FROM information_schema.TABLES \
                 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'"
            }
            // A table that was never analysed has -1 rows.
            Engine::Postgresql => {
                "SELECT c.relname, greatest(c.reltuples, 0)::bigint, pg_total_relation_size(c.oid) FROM pg_class c \
                 JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') \
                 AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'"
            }
            Engine::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
            }
        };
        let mut sizes = BTreeMap::new();
        for row in self.rows(query).await? {
            let mut columns = row.into_iter();
            let Some(name) = columns.next().flatten() else { continue };
            let mut number = || columns.next().flatten().and_then(|text| text.parse().ok());
            let size = match (number(), number()) {
                (Some(rows), bytes) => TableSize { rows, bytes },
                (None, _) => {
                    let counted = self.rows(&format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""))).await?;
                    let rows = counted.into_iter().next().and_then(|row| row.into_iter().next()).flatten();
                    TableSize { rows: rows.and_then(|text| text.parse().ok()).unwrap_or(0), bytes: None }
                }
            };
            sizes.insert(name, size);
        }
        Ok(sizes)
    }
}
