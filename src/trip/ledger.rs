//! How far each part of a table is: a table in the same database, written in the transaction of each batch.

use super::key::Position;
use super::table::Table;
use crate::database::{Connection, QueryError, text};
use crate::model::Engine;

/// The ledger's name.
pub const LEDGER: &str = "leapfrog_trip";

/// A part of a table, from one place in its key to another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// Which part: 0, 1.
    pub(super) number: u64,
    /// The triggers and the key that the walk began with.
    pub(super) mark: String,
    /// Which walk it is.
    pub(super) walk: u64,
    /// Where the part ends; absent: at the table's end.
    pub(super) upper: Option<Position>,
    /// Up to where its rows are touched; absent: none of the first part is.
    pub(super) reached: Option<Position>,
    /// How many batches that took.
    pub(super) batches: u64,
    /// How many rows.
    pub(super) touched: u64,
    /// How many rows the table had when the walk began.
    pub(super) total: u64,
    /// Whether these were counted.
    pub(super) counted: bool,
    /// Whether every row is touched.
    pub(super) finished: bool,
}

/// Makes the ledger unless it is there.
pub(super) async fn create(connection: &mut Connection) -> Result<(), QueryError> {
    let (name, end) = match connection.engine() {
        Engine::Mysql => ("VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", " ENGINE=InnoDB"),
        Engine::Postgresql | Engine::Sqlite => ("VARCHAR(128)", ""),
    };
    if !find(connection).await? {
        let statement = format!(
            "CREATE TABLE IF NOT EXISTS {LEDGER} (table_name {name} NOT NULL, part INT NOT NULL, mark VARCHAR(64) NOT NULL, \
             walk INT NOT NULL, upper_key TEXT, reached TEXT, batches BIGINT NOT NULL, touched BIGINT NOT NULL, \
             total BIGINT NOT NULL, counted INT NOT NULL, finished INT NOT NULL, PRIMARY KEY (table_name, part)){end}"
        );
        connection.change(&statement).await?;
    }
    Ok(())
}

/// Whether the ledger is there.
async fn find(connection: &mut Connection) -> Result<bool, QueryError> {
    match connection.rows(&format!("SELECT count(*) FROM {LEDGER}")).await {
        Ok(_) => Ok(true),
        Err(QueryError::NoTable { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes the ledger. Returns whether there was one.
///
/// # Errors
/// The database does not do it.
pub async fn forget(connection: &mut Connection) -> Result<bool, QueryError> {
    let found = find(connection).await?;
    if found {
        connection.change(&format!("DROP TABLE {LEDGER}")).await?;
    }
    Ok(found)
}

/// The rows of one table, or of one part of it.
fn place(engine: Engine, table: &str, part: Option<u64>) -> String {
    let part = part.map(|number| format!(" AND part = {number}")).unwrap_or_default();
    format!("table_name = {}{part}", text(engine, table))
}

/// The parts of a table; nothing where a line of the ledger cannot be read.
pub(super) async fn read(connection: &mut Connection, table: &str) -> Result<Option<Vec<Part>>, QueryError> {
    let query = format!(
        "SELECT part, mark, walk, batches, touched, total, counted, finished, upper_key, reached FROM {LEDGER} \
         WHERE {} ORDER BY part",
        place(connection.engine(), table, None)
    );
    Ok(connection.rows(&query).await?.into_iter().map(part).collect())
}

fn part(row: Vec<Option<String>>) -> Option<Part> {
    let number = |place: usize| row.get(place)?.as_ref()?.parse::<u64>().ok();
    let position = |place: usize| match row.get(place)? {
        None => Some(None),
        Some(text) => Position::from_text(text).map(Some),
    };
    Some(Part {
        number: number(0)?,
        mark: row.get(1)?.clone()?,
        walk: number(2)?,
        batches: number(3)?,
        touched: number(4)?,
        total: number(5)?,
        counted: number(6)? == 1,
        finished: number(7)? == 1,
        upper: position(8)?,
        reached: position(9)?,
    })
}

/// Begins a walk: the parts end at `middle` and at the table's end, or there is one.
pub(super) async fn begin(
    connection: &mut Connection,
    table: &Table,
    walk: u64,
    middle: Option<&Position>,
    (total, counted): (u64, bool),
) -> Result<(), QueryError> {
    let engine = connection.engine();
    let name = text(engine, &table.name);
    let middle = middle.map_or("NULL".to_owned(), |position| text(engine, &position.to_text()));
    let line = |number: u8, upper: &str, reached: &str| {
        let counted = u8::from(counted);
        format!("({name}, {number}, '{}', {walk}, {upper}, {reached}, 0, 0, {total}, {counted}, 0)", table.mark)
    };
    let mut lines = vec![line(0, &middle, "NULL")];
    if middle != "NULL" {
        lines.push(line(1, "NULL", &middle));
    }
    let statements = format!(
        "BEGIN; DELETE FROM {LEDGER} WHERE {}; INSERT INTO {LEDGER} (table_name, part, mark, walk, upper_key, reached, \
         batches, touched, total, counted, finished) VALUES {}; COMMIT",
        place(engine, &table.name, None),
        lines.join(", ")
    );
    connection.change(&statements).await.map(drop)
}

/// Says in an open transaction that the part is at `reached` from now on. It changes no line if another session wrote it
/// since it was read, such as one of a leapfrog that was killed and whose last words were still on their way.
pub(super) fn step(engine: Engine, table: &str, part: &Part, reached: Option<&Position>, finished: bool) -> String {
    let reached =
        reached.map_or(String::new(), |position| format!(", reached = {}", text(engine, &position.to_text())));
    format!(
        "UPDATE {LEDGER} SET batches = batches + 1, finished = {}{reached} WHERE {} AND mark = '{}' AND walk = {} AND \
         batches = {}",
        u8::from(finished),
        place(engine, table, Some(part.number)),
        part.mark,
        part.walk,
        part.batches
    )
}

/// Counts the rows of the batch.
pub(super) fn count(engine: Engine, table: &str, part: &Part, rows: u64) -> String {
    format!("UPDATE {LEDGER} SET touched = touched + {rows} WHERE {}", place(engine, table, Some(part.number)))
}
