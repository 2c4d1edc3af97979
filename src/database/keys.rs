//! The primary key of a table, column by column, and what else an update of it has to respect.

use super::connection::{Connection, QueryError, Row};
use crate::model::Engine;

/// A column of a primary key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyColumn {
    /// Its name.
    pub name: String,
    /// Its type in the engine's words; empty for SQLite, whose values have types.
    pub kind: String,
    /// The character set of its texts (MySQL, MariaDB), or nothing.
    pub charset: String,
    /// The collation that the key is sorted by (MySQL, MariaDB, SQLite), or nothing.
    pub collation: String,
    /// Whether only the beginning of each value is in the key.
    pub cut: bool,
}

/// A table as an update in the order of its key has to know it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keyed {
    /// The columns of the primary key in their order; none if there is no primary key.
    pub key: Vec<KeyColumn>,
    /// The storage engine (MySQL, MariaDB), or nothing.
    pub storage: String,
    /// A column that may be set to itself. Where an update that sets the key would first look for all of its rows and then
    /// for each again (MySQL, MariaDB), or write the key's index (SQLite), it is none of the key's if there is another.
    pub settable: String,
    /// Columns that an update changes by itself unless they are set (`ON UPDATE CURRENT_TIMESTAMP`).
    pub clocks: Vec<String>,
    /// Whether tables may inherit from it that are no part of it (PostgreSQL).
    pub alone: bool,
}

impl Connection {
    /// What an update of `table` in the order of its key has to know.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn keyed(&mut self, table: &str) -> Result<Keyed, QueryError> {
        match self.engine() {
            Engine::Mysql => self.mysql_keyed(table).await,
            Engine::Postgresql => self.postgresql_keyed(table).await,
            Engine::Sqlite => self.sqlite_keyed(table).await,
        }
    }

    async fn mysql_keyed(&mut self, table: &str) -> Result<Keyed, QueryError> {
        let here = format!("TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {}", super::text(Engine::Mysql, table));
        let columns = format!(
            "SELECT s.COLUMN_NAME, c.DATA_TYPE, c.CHARACTER_SET_NAME, c.COLLATION_NAME, s.SUB_PART IS NOT NULL \
             FROM (SELECT * FROM information_schema.STATISTICS WHERE {here} AND INDEX_NAME = 'PRIMARY') s \
             JOIN (SELECT * FROM information_schema.COLUMNS WHERE {here}) c ON c.COLUMN_NAME = s.COLUMN_NAME \
             ORDER BY s.SEQ_IN_INDEX"
        );
        let key: Vec<KeyColumn> = self.rows(&columns).await?.into_iter().map(column).collect();
        let clocks = format!(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE {here} AND EXTRA LIKE '%on update%' \
             ORDER BY ORDINAL_POSITION"
        );
        let clocks = self.rows(&clocks).await?.concat().into_iter().flatten().collect();
        let storage = format!("SELECT ENGINE FROM information_schema.TABLES WHERE {here}");
        let storage = self.rows(&storage).await?.concat().into_iter().flatten().collect();
        // Dates and enumerations may hold what strict servers no longer take, not even from the column itself.
        let settable = format!(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE {here} AND COLUMN_KEY <> 'PRI' \
             AND COALESCE(GENERATION_EXPRESSION, '') = '' AND DATA_TYPE IN ('tinyint', 'smallint', 'mediumint', 'int', \
             'bigint', 'char', 'varchar') ORDER BY COLUMN_KEY <> '', DATA_TYPE LIKE '%char', ORDINAL_POSITION LIMIT 1"
        );
        let settable = self.rows(&settable).await?.concat().into_iter().flatten().next().or_else(|| first(&key));
        Ok(Keyed { key, storage, settable: settable.unwrap_or_default(), clocks, alone: false })
    }

    async fn postgresql_keyed(&mut self, table: &str) -> Result<Keyed, QueryError> {
        let here = format!(
            "(SELECT c.oid FROM pg_class c WHERE c.relname = {} AND c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid))",
            super::text(Engine::Postgresql, table)
        );
        let columns = format!(
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod), '', '', '0' FROM pg_index i \
             CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k (number, place) \
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number \
             WHERE i.indisprimary AND i.indrelid = {here} ORDER BY k.place"
        );
        let key: Vec<KeyColumn> = self.rows(&columns).await?.into_iter().map(column).collect();
        // Values that only the server makes may not be set, not even to themselves.
        let settable = format!(
            "SELECT a.attname FROM pg_attribute a \
             LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = i.indkey[0] \
             WHERE a.attrelid = {here} AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity <> 'a' \
             AND coalesce(to_jsonb(a) ->> 'attgenerated', '') = '' ORDER BY i.indrelid IS NULL, a.attnum LIMIT 1"
        );
        let settable = self.rows(&settable).await?.concat().into_iter().flatten().collect();
        let kind = format!("SELECT (relkind = 'r')::int FROM pg_class WHERE oid = {here}");
        let alone = self.rows(&kind).await?.concat() == [Some("1".to_owned())];
        Ok(Keyed { key, storage: String::new(), settable, clocks: Vec::new(), alone })
    }

    async fn sqlite_keyed(&mut self, table: &str) -> Result<Keyed, QueryError> {
        let table = super::text(Engine::Sqlite, table);
        // An INTEGER PRIMARY KEY is the table's own order and has no index.
        let columns = format!(
            "SELECT t.name, '', '', coalesce((SELECT x.coll FROM pragma_index_list({table}) l, pragma_index_xinfo(l.name) x \
             WHERE l.origin = 'pk' AND x.key AND x.name = t.name), 'BINARY'), '0' \
             FROM pragma_table_info({table}) t WHERE t.pk > 0 ORDER BY t.pk"
        );
        let key: Vec<KeyColumn> = self.rows(&columns).await?.into_iter().map(column).collect();
        let settable = format!(
            "SELECT t.name FROM pragma_table_info({table}) t WHERE t.pk = 0 ORDER BY EXISTS (SELECT 1 FROM \
             pragma_index_list({table}) l, pragma_index_info(l.name) i WHERE i.name = t.name), t.cid LIMIT 1"
        );
        let settable = self.rows(&settable).await?.concat().into_iter().flatten().next().or_else(|| first(&key));
        Ok(Keyed { key, settable: settable.unwrap_or_default(), ..Keyed::default() })
    }
}

fn first(key: &[KeyColumn]) -> Option<String> {
    key.first().map(|column| column.name.clone())
}

fn column(row: Row) -> KeyColumn {
    let mut cells = row.into_iter().map(Option::unwrap_or_default);
    let mut cell = || cells.next().unwrap_or_default();
    KeyColumn { name: cell(), kind: cell(), charset: cell(), collation: cell(), cut: cell() == "1" }
}
