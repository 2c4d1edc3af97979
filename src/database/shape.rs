//! How the tables of a database are made, asked of the server's own catalogue.

use super::connection::{Connection, QueryError, Row};
use super::scratch::MARKER;
use crate::model::{ColumnShape, Engine, KeyShape, Shape};

/// Table, column, type, `YES` where it may be NULL, default, collation, comment, what else. One order for every engine.
const COLUMNS_MYSQL: &str = "SELECT c.TABLE_NAME, c.COLUMN_NAME, c.COLUMN_TYPE, c.IS_NULLABLE, c.COLUMN_DEFAULT, \
     c.COLLATION_NAME, c.COLUMN_COMMENT, c.EXTRA FROM information_schema.COLUMNS c JOIN information_schema.TABLES t \
     ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME AND t.TABLE_TYPE = 'BASE TABLE' \
     WHERE c.TABLE_SCHEMA = DATABASE()";

const COLUMNS_POSTGRESQL: &str = "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), \
     CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END, pg_get_expr(d.adbin, d.adrelid), l.collname, \
     col_description(c.oid, a.attnum), a.attidentity::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum LEFT JOIN pg_collation l ON l.oid = a.attcollation \
     WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace AND a.attnum > 0 AND NOT a.attisdropped";

const COLUMNS_SQLITE: &str = "SELECT m.name, p.name, p.type, CASE p.\"notnull\" WHEN 0 THEN 'YES' ELSE 'NO' END, \
     p.dflt_value, NULL, NULL, NULL FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' \
     AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/// Table, what it is with its name, column, all of it in words; a line for each column, in order.
const KEYS_MYSQL: [&str; 2] = [
    "SELECT TABLE_NAME, CONCAT('index ', INDEX_NAME), COLUMN_NAME, IF(NON_UNIQUE, 'index', 'unique') \
     FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX",
    "SELECT TABLE_NAME, CONCAT('foreign key ', CONSTRAINT_NAME), COLUMN_NAME, \
     CONCAT('to ', REFERENCED_TABLE_NAME) FROM information_schema.KEY_COLUMN_USAGE \
     WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME IS NOT NULL \
     ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION",
];

const KEYS_POSTGRESQL: [&str; 2] = [
    "SELECT c.relname, 'index ' || i.relname, a.attname, pg_get_indexdef(i.oid) FROM pg_index x \
     JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid \
     LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(x.indkey) \
     WHERE c.relnamespace = current_schema()::regnamespace ORDER BY 1, 2, a.attnum",
    "SELECT c.relname, 'constraint ' || o.conname, a.attname, pg_get_constraintdef(o.oid) FROM pg_constraint o \
     JOIN pg_class c ON c.oid = o.conrelid LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(o.conkey) \
     WHERE c.relnamespace = current_schema()::regnamespace AND o.contype IN ('c', 'f') ORDER BY 1, 2, a.attnum",
];

const KEYS_SQLITE: [&str; 1] =
    ["SELECT m.name, 'index ' || l.name, i.name, CASE l.\"unique\" WHEN 1 THEN 'unique' ELSE 'index' END \
     FROM sqlite_master m JOIN pragma_index_list(m.name) l JOIN pragma_index_info(l.name) i WHERE m.type = 'table' \
     AND l.origin = 'c' ORDER BY 1, 2, i.seqno"];

impl Connection {
    /// How the tables of the database are made, leapfrog's own left out.
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn shape(&mut self) -> Result<Shape, QueryError> {
        let (columns, keys): (&str, &[&str]) = match self.engine() {
            Engine::Mysql => (COLUMNS_MYSQL, &KEYS_MYSQL),
            Engine::Postgresql => (COLUMNS_POSTGRESQL, &KEYS_POSTGRESQL),
            Engine::Sqlite => (COLUMNS_SQLITE, &KEYS_SQLITE),
        };
        let mut shape = Shape::default();
        for row in self.rows(columns).await? {
            let [table, name, kind, nullable, default, collation, comment, extra] = cells(row);
            let column = ColumnShape {
                kind: kind.unwrap_or_default(),
                nullable: nullable.as_deref() == Some("YES"),
                // MariaDB writes so that there is none.
                default: default.filter(|text| text != "NULL"),
                collation,
                comment: comment.unwrap_or_default(),
                extra: extra.unwrap_or_default(),
            };
            let (table, name) = (table.unwrap_or_default(), name.unwrap_or_default());
            shape.tables.entry(table).or_default().columns.insert(name, column);
        }
        for query in keys {
            for row in self.rows(query).await? {
                let [table, name, column, definition] = cells(row);
                let table = shape.tables.entry(table.unwrap_or_default()).or_default();
                let key = table.keys.entry(name.unwrap_or_default()).or_insert_with(KeyShape::default);
                key.columns.extend(column);
                key.definition = definition.unwrap_or_default();
            }
        }
        shape.tables.remove(MARKER);
        Ok(shape)
    }
}

/// The first columns of a row.
fn cells<const N: usize>(row: Row) -> [Option<String>; N] {
    let mut cells = row.into_iter();
    std::array::from_fn(|_| cells.next().flatten())
}
