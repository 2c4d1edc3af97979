//! What hangs on the tables of a database besides its columns: triggers, views, foreign keys.

use sha2::{Digest as _, Sha256};

use super::connection::{Connection, QueryError};
use crate::model::{Engine, Trigger};

/// How many bytes of a sum tell texts apart.
const TOLD: usize = 6;

/// Something of a database that names tables and columns in a text of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// What it is: `view` or `trigger`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The text.
    pub text: String,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its name; for SQLite, which has none, its number in the table.
    pub name: String,
    /// The table that has it.
    pub table: String,
    /// The table that it leads to.
    pub referenced: String,
    /// The column that it leads to, where it is said.
    pub column: Option<String>,
}

/// The triggers of this connection's database: name, table, event, what it does.
fn triggers(engine: Engine) -> &'static str {
    match engine {
        Engine::Mysql => {
            "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, CONCAT(ACTION_TIMING, ' ', EVENT_MANIPULATION), ACTION_STATEMENT \
             FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()"
        }
        // A function does what the trigger is for, so that it is part of what it does. The bits of tgtype: 2 before,
        // 64 instead of; 4 insert, 8 delete, 16 update, 32 truncate.
        Engine::Postgresql => {
            "SELECT t.tgname, c.relname, CASE WHEN t.tgtype & 2 > 0 THEN 'BEFORE' WHEN t.tgtype & 64 > 0 THEN 'INSTEAD OF' \
             ELSE 'AFTER' END || ' ' || concat_ws(' OR ', CASE WHEN t.tgtype & 4 > 0 THEN 'INSERT' END, CASE WHEN \
             t.tgtype & 8 > 0 THEN 'DELETE' END, CASE WHEN t.tgtype & 16 > 0 THEN 'UPDATE' END, CASE WHEN t.tgtype & 32 > 0 \
             THEN 'TRUNCATE' END), pg_get_triggerdef(t.oid) || ' ' || coalesce(p.prosrc, '') FROM pg_trigger t \
             JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal \
             AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'"
        }
        Engine::Sqlite => "SELECT name, tbl_name, sql, sql FROM sqlite_master WHERE type = 'trigger'",
    }
}

fn views(engine: Engine) -> &'static str {
    match engine {
        Engine::Mysql => {
            // Those of other databases on the server too, where they name this one.
            "SELECT IF(TABLE_SCHEMA = DATABASE(), TABLE_NAME, CONCAT(TABLE_SCHEMA, '.', TABLE_NAME)), VIEW_DEFINITION \
             FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE() \
             OR LOCATE(CONCAT('`', DATABASE(), '`.'), VIEW_DEFINITION) > 0"
        }
        Engine::Postgresql => {
            "SELECT viewname, definition FROM pg_views WHERE schemaname <> 'information_schema' AND schemaname NOT LIKE \
             'pg\\_%' UNION ALL SELECT matviewname, definition FROM pg_matviews"
        }
        Engine::Sqlite => "SELECT name, sql FROM sqlite_master WHERE type = 'view'",
    }
}

fn foreign_keys(engine: Engine) -> &'static str {
    match engine {
        Engine::Mysql => {
            "SELECT CONSTRAINT_NAME, IF(TABLE_SCHEMA = DATABASE(), TABLE_NAME, CONCAT(TABLE_SCHEMA, '.', TABLE_NAME)), \
             REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE \
             WHERE REFERENCED_TABLE_SCHEMA = DATABASE()"
        }
        Engine::Postgresql => {
            "SELECT k.conname, c.relname, r.relname, a.attname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
             JOIN pg_class r ON r.oid = k.confrelid LEFT JOIN pg_attribute a ON a.attrelid = k.confrelid \
             AND a.attnum = ANY (k.confkey) WHERE k.contype = 'f'"
        }
        Engine::Sqlite => {
            "SELECT k.id, m.name, k.\"table\", k.\"to\" FROM sqlite_master m, pragma_foreign_key_list(m.name) k WHERE \
             m.type = 'table'"
        }
    }
}

/// When a trigger of SQLite runs, out of the statement that made it.
fn sqlite_event(statement: &str) -> String {
    let words = statement.split_whitespace().map(str::to_uppercase);
    let known = ["BEFORE", "AFTER", "INSTEAD", "INSERT", "UPDATE", "DELETE"];
    let until = words.take_while(|word| word != "BEGIN" && word != "ON");
    let event: Vec<String> = until.filter(|word| known.contains(&word.as_str())).collect();
    // Without a word for it, SQLite takes BEFORE.
    let timed = event.first().is_some_and(|first| ["BEFORE", "AFTER", "INSTEAD"].contains(&first.as_str()));
    if timed { event.join(" ") } else { format!("BEFORE {}", event.join(" ")) }
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(TOLD).map(|byte| format!("{byte:02x}")).collect()
}

impl Connection {
    /// The triggers of this connection's database, as far as this user sees them: on MySQL those of tables on which it has
    /// the privilege TRIGGER.
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn triggers(&mut self) -> Result<Vec<Trigger>, QueryError> {
        let engine = self.engine();
        let rows = self.rows(triggers(engine)).await?.into_iter();
        let mut found: Vec<Trigger> = rows
            .map(|row| {
                let mut cells = row.into_iter().map(Option::unwrap_or_default);
                let mut next = || cells.next().unwrap_or_default();
                let (name, table, event, body) = (next(), next(), next(), next());
                let event = if engine == Engine::Sqlite { sqlite_event(&event) } else { event };
                Trigger { name, table, event, digest: digest(&body) }
            })
            .collect();
        found.sort();
        Ok(found)
    }

    /// The views and triggers of this connection's database, with their texts; on MySQL and MariaDB also the views of others
    /// that name it.
    ///
    /// # Errors
    /// The server does not tell; or not all of it: MySQL and MariaDB keep to themselves what views and triggers do from a user
    /// without the privileges SHOW VIEW and TRIGGER.
    pub async fn definitions(&mut self) -> Result<Vec<Definition>, QueryError> {
        let engine = self.engine();
        let mut found = Vec::new();
        for (kind, query, text) in [("view", views(engine), 1), ("trigger", triggers(engine), 3)] {
            for row in self.rows(query).await? {
                let cell = |place: usize| row.get(place).cloned().flatten().unwrap_or_default();
                if engine == Engine::Mysql && cell(text).is_empty() {
                    let right = if kind == "view" { "SHOW VIEW" } else { "TRIGGER" };
                    let why = format!(
                        "what the {kind} {} does is not shown to a user without the privilege {right}",
                        cell(0)
                    );
                    return Err(QueryError::Privilege { source: why.into() });
                }
                found.push(Definition { kind, name: cell(0), text: format!("{} {}", cell(1), cell(text)) });
            }
        }
        Ok(found)
    }

    /// The foreign keys to tables of this connection's database, a column each.
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn foreign_keys(&mut self) -> Result<Vec<ForeignKey>, QueryError> {
        let rows = self.rows(foreign_keys(self.engine())).await?.into_iter();
        let keys = rows.map(|row| {
            let mut cells = row.into_iter();
            let mut next = || cells.next().flatten();
            let (name, table, referenced) = (next(), next(), next());
            ForeignKey {
                name: name.unwrap_or_default(),
                table: table.unwrap_or_default(),
                referenced: referenced.unwrap_or_default(),
                column: next(),
            }
        });
        Ok(keys.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_trigger_of_sqlite_runs_is_read_of_what_made_it() {
        let made = "CREATE TRIGGER credential_insert_read_only BEFORE INSERT ON credential BEGIN SELECT 1; END";
        assert_eq!(sqlite_event(made), "BEFORE INSERT");
        assert_eq!(sqlite_event("create trigger t after update on x begin delete from y; end"), "AFTER UPDATE");
        assert_eq!(sqlite_event("CREATE TRIGGER t DELETE ON x BEGIN SELECT 1; END"), "BEFORE DELETE");
        assert_ne!(digest("a"), digest("b"));
    }
}
