//! Row triggers of a database: which table, which events, and what tells one from another that is made in its place.

use super::asked::Right;
use super::connection::{Connection, QueryError};
use crate::model::Engine;

/// A trigger that runs for each row that is inserted or updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowTrigger {
    /// The table.
    pub table: String,
    /// The trigger's name.
    pub name: String,
    /// Whether it runs for rows that are inserted.
    pub insert: bool,
    /// Whether it runs for rows that are updated.
    pub update: bool,
    /// The columns that an update has to name for it to run; none: any will do.
    pub columns: Vec<String>,
    /// What it is, and when it was made as far as the engine keeps that: any change makes another text.
    pub identity: String,
}

impl Connection {
    /// The row triggers of the database for inserts and updates that are switched on, by table and name. PostgreSQL: of
    /// tables that are found without naming their schema.
    ///
    /// # Errors
    /// The connection broke; or none is seen, and this user would see none (MySQL without the privilege TRIGGER; MariaDB 10.11
    /// shows them all the same, without what they do).
    pub async fn row_triggers(&mut self) -> Result<Vec<RowTrigger>, QueryError> {
        let mut triggers = match self.engine() {
            Engine::Mysql => self.mysql_triggers().await?,
            Engine::Postgresql => self.postgresql_triggers().await?,
            Engine::Sqlite => self.sqlite_triggers().await?,
        };
        if triggers.is_empty() && self.may_trigger().await? == Right::Lacking && !self.is_mariadb().await? {
            let why = "this user has no privilege TRIGGER there, without which the server shows no triggers";
            return Err(QueryError::Privilege { source: why.into() });
        }
        triggers.sort_by(|one, two| (&one.table, &one.name).cmp(&(&two.table, &two.name)));
        Ok(triggers)
    }

    /// All triggers of MySQL and MariaDB are for each row, and for one event.
    async fn mysql_triggers(&mut self) -> Result<Vec<RowTrigger>, QueryError> {
        let query = "SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME, EVENT_MANIPULATION, \
                     CONCAT_WS('|', ACTION_TIMING, UNIX_TIMESTAMP(CREATED), SQL_MODE, DEFINER, ACTION_STATEMENT) \
                     FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() \
                     AND EVENT_MANIPULATION IN ('INSERT', 'UPDATE')";
        let rows = self.rows(query).await?.into_iter().map(|row| {
            let [table, name, event, identity] = cells(row);
            let update = event == "UPDATE";
            let identity = format!("{event}|{identity}");
            RowTrigger { table, name, insert: !update, update, columns: Vec::new(), identity }
        });
        Ok(rows.collect())
    }

    /// `xmin` is another one after every change of the trigger, of its function, and of whether it is on.
    async fn postgresql_triggers(&mut self) -> Result<Vec<RowTrigger>, QueryError> {
        let query = "SELECT c.relname, t.tgname, (t.tgtype & 4 <> 0)::int, (t.tgtype & 16 <> 0)::int, \
                     concat_ws('|', t.oid, t.xmin, p.oid, p.xmin, pg_get_triggerdef(t.oid), p.prosrc), \
                     array_to_string(ARRAY(SELECT a.attname FROM pg_attribute a \
                     WHERE a.attrelid = c.oid AND a.attnum = ANY (t.tgattr) ORDER BY a.attnum), E'\\x01') \
                     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid \
                     WHERE NOT t.tgisinternal AND t.tgtype & 1 = 1 AND t.tgtype & 20 <> 0 AND t.tgtype & 64 = 0 \
                     AND t.tgenabled IN ('O', 'A') AND coalesce((to_jsonb(t) ->> 'tgparentid')::bigint, 0) = 0 \
                     AND pg_table_is_visible(c.oid)";
        let rows = self.rows(query).await?.into_iter().map(|row| {
            let [table, name, insert, update, identity, columns] = cells(row);
            let columns = columns.split('\u{1}').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            RowTrigger { table, name, insert: insert == "1", update: update == "1", columns, identity }
        });
        Ok(rows.collect())
    }

    /// SQLite does not keep when a trigger was made. It counts the changes of the schema, so that any change makes all
    /// triggers look new; better once too often.
    async fn sqlite_triggers(&mut self) -> Result<Vec<RowTrigger>, QueryError> {
        let version: String = self.rows("PRAGMA schema_version").await?.concat().into_iter().flatten().collect();
        let query = "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'";
        let triggers = self.rows(query).await?.into_iter().filter_map(|row| {
            let [table, name, sql] = cells(row);
            let (event, columns) = event(&sql)?;
            let (insert, update) = (event == Event::Insert, event == Event::Update);
            let identity = format!("{version}|{sql}");
            Some(RowTrigger { table, name, insert, update, columns, identity })
        });
        Ok(triggers.collect())
    }
}

/// The cells of a row, as many as there should be.
fn cells<const N: usize>(row: super::Row) -> [String; N] {
    let mut cells = row.into_iter().map(Option::unwrap_or_default);
    std::array::from_fn(|_| cells.next().unwrap_or_default())
}

#[derive(Debug, PartialEq, Eq)]
enum Event {
    Insert,
    Update,
}

/// The event of an SQLite trigger on a table, and the columns that it is for: nothing for one of deletes or of a view.
fn event(sql: &str) -> Option<(Event, Vec<String>)> {
    let words = words(sql);
    let is = |place: usize, word: &str| words.get(place).is_some_and(|(text, plain)| *plain && text == word);
    let mut place = (0..words.len()).find(|place| is(*place, "TRIGGER"))? + 1;
    if is(place, "IF") {
        place += 3;
    }
    // The name, which may be any word, perhaps after its schema's.
    place += if is(place + 1, ".") { 3 } else { 1 };
    if is(place, "BEFORE") || is(place, "AFTER") {
        place += 1;
    }
    if is(place, "INSERT") {
        return Some((Event::Insert, Vec::new()));
    }
    if !is(place, "UPDATE") {
        return None;
    }
    let mut columns = Vec::new();
    if is(place + 1, "OF") {
        let named = words[place + 2..].iter().take_while(|(text, plain)| !(*plain && text == "ON"));
        columns.extend(named.filter(|(text, plain)| !(*plain && text == ",")).map(|(text, _)| text.clone()));
    }
    Some((Event::Update, columns))
}

/// The words of an SQL text up to its body: quoted names without their quotes, others in capitals and said to be plain.
/// SQLite's names are the same in small letters and capitals.
fn words(sql: &str) -> Vec<(String, bool)> {
    let mut words = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '-' if rest.starts_with("--") => rest.find('\n').map_or(rest.len(), |end| end + 1),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' | '`' | '\'' | '[' => {
                let close = if first == '[' { ']' } else { first };
                let mut name = String::new();
                let mut length = 1;
                let mut inner = rest[1..].chars().peekable();
                while let Some(c) = inner.next() {
                    length += c.len_utf8();
                    if c == close {
                        if close == ']' || inner.peek() != Some(&close) {
                            break;
                        }
                        inner.next();
                        length += close.len_utf8();
                    }
                    name.push(c);
                }
                words.push((name, false));
                length
            }
            c if c.is_alphanumeric() || c == '_' || c == '$' => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
                words.push((rest[..end].to_uppercase(), true));
                end
            }
            c => {
                words.push((c.to_string(), true));
                c.len_utf8()
            }
        };
        rest = rest[length..].trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_event_of_an_sqlite_trigger_is_read_whatever_its_name() {
        let update =
            |columns: &[&str]| Some((Event::Update, columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()));
        for (sql, expected) in [
            ("CREATE TRIGGER t AFTER UPDATE ON a BEGIN SELECT 1; END", update(&[])),
            ("CREATE TRIGGER t UPDATE OF x, \"on\" ON a BEGIN SELECT 1; END", update(&["X", "on"])),
            ("create trigger main.[before] /* update */ after insert on a begin update a set x = 1; end", {
                Some((Event::Insert, Vec::new()))
            }),
            ("CREATE TRIGGER \"say \"\"update\"\"\" BEFORE DELETE ON a BEGIN UPDATE a SET x = 1; END", None),
            ("CREATE TRIGGER v INSTEAD OF UPDATE ON w BEGIN SELECT 1; END", None),
            ("CREATE TRIGGER IF NOT EXISTS update -- insert\n BEFORE UPDATE ON a BEGIN SELECT 1; END", update(&[])),
        ] {
            assert_eq!(event(sql), expected, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(sql in "\\PC{0,80}") {
            let _ = event(&format!("CREATE TRIGGER {sql}"));
            let _ = event(&sql);
        }
    }
}
