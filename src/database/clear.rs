//! How large a database is, and what empties it: needed before a dump and before a restore.

use super::connection::{Connection, QueryError};
use super::fingerprint::quoted;
use crate::model::Engine;

impl Connection {
    /// How many bytes of data the database holds, indexes left out, as the server estimates it.
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn data_size(&mut self) -> Result<u64, QueryError> {
        let query = match self.engine() {
            Engine::Mysql => {
                "SELECT CAST(COALESCE(SUM(DATA_LENGTH), 0) AS CHAR) FROM information_schema.TABLES \
                 WHERE TABLE_SCHEMA = DATABASE()"
            }
            Engine::Postgresql => {
                "SELECT coalesce(sum(pg_table_size(c.oid)), 0)::bigint FROM pg_class c \
                 JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'"
            }
            Engine::Sqlite => "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        };
        let rows = self.rows(query).await?;
        let value = rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten();
        Ok(value.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// Statements that remove everything from the database as it is now: tables, views, triggers, routines,
    /// events, sequences, types. Taken one after the other they leave it empty. None for an SQLite file,
    /// which is replaced.
    ///
    /// # Errors
    /// The server does not tell what there is.
    pub async fn clearing(&mut self) -> Result<Vec<String>, QueryError> {
        match self.engine() {
            Engine::Mysql => self.mysql_clearing().await,
            Engine::Postgresql => {
                self.first_column(
                    "SELECT statement FROM (\
                     SELECT 1 AS place, format('DROP %s IF EXISTS %I.%I CASCADE', CASE c.relkind WHEN 'v' THEN 'VIEW' \
                     WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' \
                     ELSE 'TABLE' END, n.nspname, c.relname) AS statement FROM pg_class c \
                     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') \
                     AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' \
                     UNION ALL SELECT 2, format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure) FROM pg_proc p \
                     JOIN pg_namespace n ON n.oid = p.pronamespace \
                     WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' \
                     AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') \
                     UNION ALL SELECT 3, format('DROP TYPE IF EXISTS %I.%I CASCADE', n.nspname, t.typname) FROM pg_type t \
                     JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype IN ('e', 'd') \
                     AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' \
                     UNION ALL SELECT 4, format('DROP SCHEMA IF EXISTS %I CASCADE', n.nspname) FROM pg_namespace n \
                     WHERE n.nspname NOT IN ('public', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'\
                     ) AS s ORDER BY place",
                )
                .await
            }
            Engine::Sqlite => Ok(Vec::new()),
        }
    }

    /// Removes everything from a database of the MySQL family but one table.
    ///
    /// # Errors
    /// The server does not do it, or does not tell what there is.
    pub(super) async fn empty_but(&mut self, table: &str) -> Result<(), QueryError> {
        let kept = drop_of("TABLE", table);
        for statement in self.mysql_clearing().await?.iter().filter(|statement| **statement != kept) {
            self.rows(statement).await?;
        }
        Ok(())
    }

    async fn mysql_clearing(&mut self) -> Result<Vec<String>, QueryError> {
        let mut statements = vec!["SET FOREIGN_KEY_CHECKS = 0".to_owned()];
        let kinds = [
            ("EVENT", "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()"),
            (
                "VIEW",
                "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'VIEW'",
            ),
            (
                "TABLE",
                "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
                 AND TABLE_TYPE NOT IN ('VIEW', 'SEQUENCE')",
            ),
            (
                "SEQUENCE",
                "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
                 AND TABLE_TYPE = 'SEQUENCE'",
            ),
            (
                "FUNCTION",
                "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() \
                 AND ROUTINE_TYPE = 'FUNCTION'",
            ),
            (
                "PROCEDURE",
                "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() \
                 AND ROUTINE_TYPE = 'PROCEDURE'",
            ),
        ];
        for (kind, query) in kinds {
            let names = self.first_column(query).await?;
            statements.extend(names.iter().map(|name| drop_of(kind, name)));
        }
        Ok(statements)
    }

    async fn first_column(&mut self, query: &str) -> Result<Vec<String>, QueryError> {
        let rows = self.rows(query).await?;
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }
}

fn drop_of(kind: &str, name: &str) -> String {
    format!("DROP {kind} IF EXISTS {}", quoted(name))
}
