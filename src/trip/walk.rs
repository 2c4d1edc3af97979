//! One part of a table, batch by batch.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::event::Event;
use super::key::Position;
use super::ledger::{self, Part};
use super::pace::Pace;
use super::run::{Order, Trouble};
use super::statements::Sql;
use super::table::Table;
use super::watch::Gate;
use crate::database::{Connection, Purpose, QueryError, chain, connect_for};
use crate::model::Engine;

/// How long rows that somebody else holds locked are tried for.
const PATIENCE: Duration = Duration::from_secs(300);
/// The longest pause between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// Every row is touched.
    Finished,
    /// It was told to stop.
    Stopped,
}

/// What the walks through a table came to in this run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) touched: AtomicU64,
    slowest: AtomicU64,
    working: AtomicU64,
}

impl Tally {
    /// How long the slowest batch took, in milliseconds.
    pub(super) fn slowest(&self) -> u64 {
        self.slowest.load(Ordering::Relaxed) / 1_000
    }

    /// How long all batches took together.
    pub(super) fn working(&self) -> Duration {
        Duration::from_micros(self.working.load(Ordering::Relaxed))
    }

    fn add(&self, rows: u64, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.touched.fetch_add(rows, Ordering::Relaxed);
        self.working.fetch_add(micros, Ordering::Relaxed);
        self.slowest.fetch_max(micros, Ordering::Relaxed);
    }
}

/// Opens a session for batches: it waits for locks for seconds only, and locks no gaps between rows.
///
/// # Errors
/// The database does not let us in.
pub(super) async fn open(order: &Order) -> Result<Connection, Trouble> {
    let mut connection = connect_for(&order.url, Purpose::Change, order.timeout).await?;
    let settings = match connection.engine() {
        Engine::Mysql => {
            let format = connection.rows("SHOW GLOBAL VARIABLES LIKE 'binlog_format'").await;
            let format = format.map_err(Trouble::asking("ask for the form of the server's log"))?.concat();
            let mut settings = "SET SESSION innodb_lock_wait_timeout = 1, lock_wait_timeout = 5".to_owned();
            // A log of statements is not exact at this level, and InnoDB refuses.
            if format.last().cloned().flatten().as_deref() != Some("STATEMENT") {
                settings.push_str("; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
            }
            settings
        }
        Engine::Postgresql => {
            "SET lock_timeout = '1s'; SET standard_conforming_strings = on; SET bytea_output = 'hex'; \
                               SET extra_float_digits = 1"
                .to_owned()
        }
        Engine::Sqlite => "PRAGMA busy_timeout = 1000".to_owned(),
    };
    connection.change(&settings).await.map_err(Trouble::asking("set up a session"))?;
    Ok(connection)
}

/// Walks through a part until its end.
pub(super) async fn walk(
    order: &Order,
    table: &Table,
    mut part: Part,
    gate: &Gate,
    tally: &Tally,
    tell: &UnboundedSender<Event>,
) -> Result<Halt, Trouble> {
    let mut connection = open(order).await?;
    let mut pace = Pace::new(order.batch);
    let mut held: Option<(Instant, u32)> = None;
    while !part.finished {
        if !gate.open().await {
            connection.close().await;
            return Ok(Halt::Stopped);
        }
        let began = Instant::now();
        match batch(&mut connection, &table.sql, &part, pace.rows()).await {
            Ok(Some(done)) => {
                pace.took(done.rows, began.elapsed());
                tally.add(done.rows, began.elapsed());
                part.batches += 1;
                part.touched += done.rows;
                part.reached = done.reached.or(part.reached);
                part.finished = done.finished;
                held = None;
            }
            Ok(None) => {
                // Another session was here since the ledger was read: what it says now counts.
                connection.change("ROLLBACK").await.map_err(Trouble::asking("undo a batch"))?;
                part = again(&mut connection, table, &part).await?;
            }
            Err(Trouble::Query { source: source @ QueryError::Contended { .. }, doing }) => {
                let _ = connection.change("ROLLBACK").await;
                let (since, times) = held.unwrap_or((began, 0));
                if since.elapsed() > PATIENCE {
                    return Err(Trouble::Query { doing, source });
                }
                held = Some((since, times + 1));
                pace.shrink();
                let why = chain(&source);
                let _ = tell.send(Event::Retry { table: table.name.clone(), why });
                tokio::time::sleep((Duration::from_millis(20) * 2u32.pow(times.min(8))).min(PAUSE)).await;
            }
            Err(trouble) => return Err(trouble),
        }
    }
    connection.close().await;
    Ok(Halt::Finished)
}

/// What a batch did.
struct Done {
    rows: u64,
    reached: Option<Position>,
    finished: bool,
}

/// Touches the next rows of a part, and says so in the ledger; nothing if the ledger says something else meanwhile. Its
/// transaction stays open then, and where it fails.
async fn batch(connection: &mut Connection, sql: &Sql, part: &Part, size: u64) -> Result<Option<Done>, Trouble> {
    let literals = |position: &Option<Position>| match position {
        None => Ok(None),
        Some(position) => {
            position.literals(&sql.key).map(Some).ok_or_else(|| Trouble::Ledger { table: sql.table.clone() })
        }
    };
    let (after, upper) = (literals(&part.reached)?, literals(&part.upper)?);
    let boundary = sql.boundary(after.as_deref(), upper.as_deref(), size);
    let found = connection.rows(&boundary).await.map_err(Trouble::asking("find where the next batch ends"))?;
    let boundary = match found.into_iter().next() {
        None => None,
        Some(row) => Some(Position::read(row).ok_or_else(|| Trouble::NoKey { table: sql.table.clone() })?),
    };
    let (finished, end) = (boundary.is_none(), literals(&boundary)?);
    let statements = format!(
        "{}; {}; {}",
        if sql.engine == Engine::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" },
        ledger::step(sql.engine, &sql.table, part, boundary.as_ref(), finished),
        sql.touch(after.as_deref(), end.as_deref().or(upper.as_deref()))
    );
    let changed = connection.change(&statements).await.map_err(Trouble::asking("touch rows"))?;
    let [.., lines, rows] = changed[..] else {
        return Err(Trouble::Ledger { table: sql.table.clone() });
    };
    if lines != 1 {
        return Ok(None);
    }
    let end = format!("{}; COMMIT", ledger::count(sql.engine, &sql.table, part, rows));
    connection.change(&end).await.map_err(Trouble::asking("keep what was touched"))?;
    Ok(Some(Done { rows, reached: boundary, finished }))
}

/// The part as the ledger has it now.
async fn again(connection: &mut Connection, table: &Table, part: &Part) -> Result<Part, Trouble> {
    let parts = ledger::read(connection, &table.name).await.map_err(Trouble::asking("read the ledger"))?;
    let now = parts.into_iter().flatten().find(|now| now.number == part.number);
    now.filter(|now| now.mark == part.mark && now.walk == part.walk)
        .ok_or_else(|| Trouble::Ledger { table: table.name.clone() })
}
