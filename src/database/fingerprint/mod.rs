//! What a database holds, short enough to be kept and compared: its tables with their rows and a sum over
//! their contents, and a sum over every definition.
//!
//! Two databases on servers of one version with equal fingerprints hold the same. Sums over contents do not
//! depend on the order of rows. The questions are asked one after the other: the fingerprint is of one moment
//! only while nobody writes.

mod mysql;
mod postgresql;
mod sqlite;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::connection::{Connection, QueryError};

pub(super) use mysql::quoted;

/// How much of the contents goes into a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Only how many rows each table holds.
    Counts,
    /// Also the contents of tables of at most so many rows.
    UpTo(u64),
    /// Also the contents of every table.
    Contents,
}

impl Depth {
    /// Whether the contents of a table of so many rows are read.
    fn reads(self, rows: u64) -> bool {
        match self {
            Self::Counts => false,
            Self::UpTo(most) => rows <= most,
            Self::Contents => true,
        }
    }
}

/// What one table holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePrint {
    /// How many rows.
    pub rows: u64,
    /// A sum over their contents; absent where they were not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<String>,
}

/// What a database holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Its tables, by name; on PostgreSQL by schema and name.
    pub tables: BTreeMap<String, TablePrint>,
    /// A sum over the definition of each table, view, trigger, routine and sequence, by kind and name.
    pub definitions: BTreeMap<String, String>,
}

impl Fingerprint {
    /// How many rows all tables hold together.
    pub fn rows(&self) -> u64 {
        self.tables.values().fold(0, |sum, table| sum.saturating_add(table.rows))
    }

    /// What of `found` is not as here, a sentence for each; empty if they agree. Contents that only one of
    /// them knows are not compared.
    pub fn differences(&self, found: &Self) -> Vec<String> {
        let mut sentences = Vec::new();
        for (name, table) in &self.tables {
            match found.tables.get(name) {
                None => sentences.push(format!("table {name} is missing")),
                Some(other) if other.rows != table.rows => {
                    sentences.push(format!("table {name} holds {} rows instead of {}", other.rows, table.rows));
                }
                Some(other) => {
                    if let (Some(one), Some(two)) = (&table.contents, &other.contents)
                        && one != two
                    {
                        sentences.push(format!("the contents of table {name} differ"));
                    }
                }
            }
        }
        let more = found.tables.keys().filter(|name| !self.tables.contains_key(*name));
        sentences.extend(more.map(|name| format!("table {name} should not be there")));
        for (name, definition) in &self.definitions {
            match found.definitions.get(name) {
                None => sentences.push(format!("{name} is missing")),
                Some(other) if other != definition => sentences.push(format!("{name} is defined otherwise")),
                Some(_) => {}
            }
        }
        let more = found.definitions.keys().filter(|name| !self.definitions.contains_key(*name));
        sentences.extend(more.map(|name| format!("{name} should not be there")));
        sentences
    }

    /// Puts in a definition.
    fn define(&mut self, kind: &str, name: &str, text: &str) {
        self.definitions.insert(format!("{kind} {name}"), digest(text.as_bytes()));
    }
}

impl Connection {
    /// What the database that the connection is to holds. `passes_over` is a table that does not count.
    ///
    /// # Errors
    /// A table cannot be read, or the connection broke.
    pub async fn fingerprint(&mut self, depth: Depth, passes_over: Option<&str>) -> Result<Fingerprint, QueryError> {
        match self {
            Self::Mysql(_) => mysql::fingerprint(self, depth, passes_over).await,
            Self::Postgresql(_) => postgresql::fingerprint(self, depth, passes_over).await,
            Self::Sqlite(_) => sqlite::fingerprint(self, depth, passes_over).await,
        }
    }
}

/// The first sixteen hexadecimal digits of the SHA-256 of `bytes`.
fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The number in the first column of the first row.
async fn number(connection: &mut Connection, query: &str) -> Result<u64, QueryError> {
    let text = text(connection, query).await?;
    text.parse().map_err(|error: std::num::ParseIntError| QueryError::Failed { source: error.into() })
}

/// The text in the first column of the first row.
async fn text(connection: &mut Connection, query: &str) -> Result<String, QueryError> {
    let rows = connection.rows(query).await?;
    let value = rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten();
    value.ok_or_else(|| QueryError::Failed { source: format!("no answer to: {query}").into() })
}

/// Every row as `name` and the rest joined; rows without a name are left out.
async fn named(connection: &mut Connection, query: &str) -> Result<Vec<(String, String)>, QueryError> {
    let rows = connection.rows(query).await?;
    let named = rows.into_iter().filter_map(|row| {
        let mut cells = row.into_iter();
        let name = cells.next()??;
        let rest: Vec<String> = cells.map(|cell| cell.unwrap_or_else(|| "\u{0}".to_owned())).collect();
        Some((name, rest.join("\u{1}")))
    });
    Ok(named.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(rows: u64, contents: Option<&str>) -> Fingerprint {
        let table = TablePrint { rows, contents: contents.map(str::to_owned) };
        let definitions = [("table instances".to_owned(), "d".to_owned())].into();
        Fingerprint { tables: [("instances".to_owned(), table)].into(), definitions }
    }

    #[test]
    fn every_difference_is_told_and_contents_count_where_both_sides_read_them() {
        assert_eq!(print(7, Some("a")).differences(&print(7, None)), Vec::<String>::new());
        assert_eq!(print(7, Some("a")).differences(&print(7, Some("b"))), ["the contents of table instances differ"]);
        assert_eq!(print(7, None).differences(&print(6, None)), ["table instances holds 6 rows instead of 7"]);
        let empty = Fingerprint::default();
        assert_eq!(
            print(7, None).differences(&empty),
            ["table instances is missing", "table instances is missing"],
            "as a table and as a definition"
        );
        assert_eq!(
            empty.differences(&print(7, None)),
            ["table instances should not be there", "table instances should not be there"]
        );
    }
}
