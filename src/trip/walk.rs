//! One part of a table, batch by batch.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::event::Event;
use super::key::Position;
use super::ledger::{self, Part};
use super::others::Others;
use super::pace::Pace;
use super::run::{Order, Trouble};
use super::statements::Sql;
use super::table::Table;
use super::watch::Gate;
use crate::database::{Connection, Purpose, QueryError, chain, connect_for};
use crate::model::Engine;

/// How long rows that somebody else holds locked are tried for.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a session may be silent before another takes its place: servers, and what is between, end silent ones.
const SILENCE: Duration = Duration::from_secs(30);
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

/// Walks through a part until its end, as one of so many workers.
pub(super) async fn walk(
    order: &Order,
    workers: usize,
    table: &Table,
    mut part: Part,
    gate: &Gate,
    tally: &Tally,
    tell: &UnboundedSender<Event>,
) -> Result<Halt, Trouble> {
    let mut worker = Worker::new(order, &table.sql).await?;
    let mut pace = Pace::new(order.batch, workers);
    let mut held: Option<(Instant, u32)> = None;
    while !part.finished {
        let waiting = Instant::now();
        if !gate.open().await {
            worker.close().await;
            return Ok(Halt::Stopped);
        }
        if waiting.elapsed() > SILENCE {
            worker.close().await;
            worker = Worker::new(order, &table.sql).await?;
        }
        let began = Instant::now();
        match worker.batch(&part, pace.rows()).await {
            Ok(Some(done)) => {
                let took = began.elapsed();
                pace.took(done.rows, took);
                tally.add(done.rows, took);
                part.batches += 1;
                part.touched += done.rows;
                part.reached = done.reached.or(part.reached);
                part.finished = done.finished;
                held = None;
                if table.sql.engine == Engine::Sqlite {
                    worker.others.give_way(&mut worker.connection, took).await;
                }
            }
            Ok(None) => {
                // Another session was here since the ledger was read: what it says now counts.
                worker.connection.change("ROLLBACK").await.map_err(Trouble::asking("undo a batch"))?;
                part = again(&mut worker.connection, table, &part).await?;
            }
            Err(Trouble::Query { source: source @ QueryError::Contended { .. }, doing }) => {
                let _ = worker.connection.change("ROLLBACK").await;
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
    worker.close().await;
    Ok(Halt::Finished)
}

/// Who touches the rows of a part.
struct Worker<'s> {
    sql: &'s Sql,
    connection: Connection,
    /// Finds where the batch after the next ends while that one is being touched; nobody in an SQLite file, where a reader
    /// would keep the writer from its end.
    scout: Option<Connection>,
    ahead: Option<Ahead>,
    others: Others,
}

/// Where a batch ends that was not begun yet.
struct Ahead {
    after: Position,
    end: Option<Position>,
}

/// What a batch did.
struct Done {
    rows: u64,
    reached: Option<Position>,
    finished: bool,
}

impl<'s> Worker<'s> {
    async fn new(order: &Order, sql: &'s Sql) -> Result<Self, Trouble> {
        let connection = open(order).await?;
        let scout = if sql.engine == Engine::Sqlite { None } else { Some(open(order).await?) };
        Ok(Self { sql, connection, scout, ahead: None, others: Others::default() })
    }

    async fn close(self) {
        self.connection.close().await;
        if let Some(scout) = self.scout {
            scout.close().await;
        }
    }

    /// Touches the next rows of a part, and says so in the ledger; nothing if the ledger says something else meanwhile. Its
    /// transaction stays open then, and where it fails.
    async fn batch(&mut self, part: &Part, size: u64) -> Result<Option<Done>, Trouble> {
        let known = self.ahead.take().filter(|ahead| Some(&ahead.after) == part.reached.as_ref());
        let end = match known {
            Some(ahead) => ahead.end,
            None => boundary(&mut self.connection, self.sql, part.reached.as_ref(), part, size).await?,
        };
        let touching = touch(&mut self.connection, self.sql, part, end.as_ref());
        let (Some(scout), Some(after)) = (&mut self.scout, &end) else {
            return Ok(touching.await?.map(|rows| Done { rows, finished: end.is_none(), reached: end }));
        };
        let (rows, next) = tokio::join!(touching, boundary(scout, self.sql, Some(after), part, size));
        // What the scout does not find, the worker asks for itself.
        self.ahead = next.ok().map(|end| Ahead { after: after.clone(), end });
        Ok(rows?.map(|rows| Done { rows, finished: false, reached: end }))
    }
}

fn literals(sql: &Sql, position: Option<&Position>) -> Result<Option<Vec<String>>, Trouble> {
    let Some(position) = position else { return Ok(None) };
    position.literals(&sql.key).map(Some).ok_or_else(|| Trouble::Ledger { table: sql.table.clone() })
}

/// Where a batch of `size` rows behind `after` ends; nothing: with the part.
async fn boundary(
    connection: &mut Connection,
    sql: &Sql,
    after: Option<&Position>,
    part: &Part,
    size: u64,
) -> Result<Option<Position>, Trouble> {
    let (after, upper) = (literals(sql, after)?, literals(sql, part.upper.as_ref())?);
    let query = sql.boundary(after.as_deref(), upper.as_deref(), size);
    let found = connection.rows(&query).await.map_err(Trouble::asking("find where the next batch ends"))?;
    let Some(row) = found.into_iter().next() else { return Ok(None) };
    Position::read(row).map(Some).ok_or_else(|| Trouble::NoKey { table: sql.table.clone() })
}

/// Touches a part's rows up to `end`, or to its own, in a transaction with its line in the ledger. Returns how many; nothing
/// if that line is not what it was.
async fn touch(
    connection: &mut Connection,
    sql: &Sql,
    part: &Part,
    end: Option<&Position>,
) -> Result<Option<u64>, Trouble> {
    let (after, upper) = (literals(sql, part.reached.as_ref())?, literals(sql, end.or(part.upper.as_ref()))?);
    let statements = format!(
        "{}; {}; {}",
        if sql.engine == Engine::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" },
        ledger::step(sql.engine, &sql.table, part, end, end.is_none()),
        sql.touch(after.as_deref(), upper.as_deref())
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
    Ok(Some(rows))
}

/// The part as the ledger has it now.
async fn again(connection: &mut Connection, table: &Table, part: &Part) -> Result<Part, Trouble> {
    let parts = ledger::read(connection, &table.name).await.map_err(Trouble::asking("read the ledger"))?;
    let now = parts.into_iter().flatten().find(|now| now.number == part.number);
    now.filter(|now| now.mark == part.mark && now.walk == part.walk)
        .ok_or_else(|| Trouble::Ledger { table: table.name.clone() })
}
