//! A table from its first row to the proof that none is left.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::sync::mpsc::UnboundedSender;

use super::event::{Event, Proof, Verdict};
use super::key::Position;
use super::ledger::{self, Part};
use super::redo;
use super::table::{Choice, Table, survey};
use super::walk::{Halt, Tally, open, walk};
use super::watch::Gate;
use crate::database::{ConnectError, Connection, QueryError, connect};
use crate::model::{ConnectionUrl, Engine};

/// Tables with more rows are not counted for one worker, since nothing is touched meanwhile; what the server estimates must do.
const COUNTED: u64 = 1_000_000;
/// Tables with fewer rows are walked through in one part.
const PARTED: u64 = 20_000;
/// How often progress is told.
const TELLING: Duration = Duration::from_millis(500);

/// How it is done.
#[derive(Debug, Clone)]
pub struct Order {
    /// The database.
    pub url: ConnectionUrl,
    /// How long a connection may take.
    pub timeout: Duration,
    /// How many parts of a table are worked on at once: 1 or 2. An SQLite file has one writer.
    pub workers: usize,
    /// How long a batch should take.
    pub batch: Duration,
}

impl Order {
    /// How long a batch takes where nothing else is said.
    pub const BATCH: Duration = Duration::from_millis(100);
}

/// Why it cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The database cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The database does not do what it is told.
    #[error("{doing}")]
    Query {
        /// What was tried.
        doing: &'static str,
        /// What the database said.
        #[source]
        source: QueryError,
    },
    /// What the ledger says of a table is not leapfrog's.
    #[error("go on with the table `{table}`: its lines in {} are not those that leapfrog wrote", ledger::LEDGER)]
    Ledger {
        /// The table.
        table: String,
    },
    /// A row without a value in its key.
    #[error("find every row of the table `{table}`: some have NULL in their primary key")]
    NoKey {
        /// The table.
        table: String,
    },
    /// The triggers went away.
    #[error("go on with the table `{table}`: its triggers are gone, or it can no longer be walked through")]
    Gone {
        /// The table.
        table: String,
    },
}

impl Trouble {
    /// An error of a query that was to do this.
    pub(super) fn asking(doing: &'static str) -> impl Fn(QueryError) -> Self {
        move |source| Self::Query { doing, source }
    }

    /// What to do next.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Connect(error) => error.advice(),
            Self::Query { source, .. } => source.advice(),
            Self::Ledger { .. } => "`leapfrog trip --forget` removes the ledger, and the next trip begins anew",
            Self::NoKey { .. } => "give these rows a key, or remove them",
            Self::Gone { .. } => "see whether the migration that made the triggers was finished or undone meanwhile",
        }
    }
}

/// Touches every row of a table, from where the ledger says; and again as long as that makes the remainder smaller.
///
/// # Errors
/// It cannot go on. The same order goes on from there.
pub async fn trip(
    order: &Order,
    table: &Table,
    gate: &Gate,
    tell: &UnboundedSender<Event>,
) -> Result<Verdict, Trouble> {
    Trip { order, gate, tell, began: Instant::now() }.whole(table.clone()).await
}

struct Trip<'t> {
    order: &'t Order,
    gate: &'t Gate,
    tell: &'t UnboundedSender<Event>,
    began: Instant,
}

impl Trip<'_> {
    async fn whole(&self, mut table: Table) -> Result<Verdict, Trouble> {
        let mut connection = open(self.order).await?;
        ledger::create(&mut connection).await.map_err(Trouble::asking("make the ledger"))?;
        if let Some(query) = table.sql.keyless()
            && number(&mut connection, &query).await? > 0
        {
            return Err(Trouble::NoKey { table: table.name });
        }
        // Making the ledger is a change of the schema, after which SQLite's triggers look new.
        table = self.look(&mut connection, &table).await?;
        let mut left_before = None;
        let tally = Tally::default();
        loop {
            let parts = self.parts(&mut connection, &table).await?;
            let fresh = parts.iter().any(|part| !part.finished);
            if fresh {
                self.warn(&mut connection, &table, &parts).await;
            }
            // A walk may take longer than servers and what is between let a session be silent.
            connection.close().await;
            if self.walk(&table, &parts, &tally).await? == Halt::Stopped {
                return Ok(Verdict::Stopped);
            }
            connection = open(self.order).await?;
            let now = self.look(&mut connection, &table).await?;
            if now.mark != table.mark {
                table = now;
                continue;
            }
            let left = self.left(&table).await?;
            let Some(left) = left.filter(|left| *left > 0) else {
                let parts = self.parts(&mut connection, &table).await?;
                connection.close().await;
                return Ok(Verdict::Green(Proof {
                    table: table.name,
                    triggers: table.triggers,
                    touched: parts.iter().map(|part| part.touched).sum(),
                    batches: parts.iter().map(|part| part.batches).sum(),
                    slowest: tally.slowest(),
                    seconds: self.began.elapsed().as_secs_f64(),
                    remainder: left,
                }));
            };
            // A walk that was finished earlier says nothing of rows that came since.
            if fresh && left_before.is_some_and(|before| left >= before) {
                return Ok(Verdict::Left(left));
            }
            left_before = Some(left);
            let why = format!("the remainder query counts {left} rows");
            let _ = self.tell.send(Event::Again { table: table.name.clone(), why });
            let walk = parts.iter().map(|part| part.walk).max().unwrap_or_default() + 1;
            self.begin(&mut connection, &table, walk).await?;
        }
    }

    /// Tells who administrates the server that its log is too small for what is left, where it says how large that is.
    async fn warn(&self, connection: &mut Connection, table: &Table, parts: &[Part]) {
        let touched: u64 = parts.iter().map(|part| part.touched).sum();
        let left = parts.first().map_or(0, |part| part.total).saturating_sub(touched);
        let Ok(Some(bytes)) = connection.redo_log().await else { return };
        if let Some(wanted) = redo::wanted(bytes, left) {
            let _ = self.tell.send(Event::SmallLog { table: table.name.clone(), bytes, wanted });
        }
    }

    /// The table with its triggers as they are now.
    async fn look(&self, connection: &mut Connection, table: &Table) -> Result<Table, Trouble> {
        let choice = Choice { tables: BTreeSet::from([table.name.clone()]), no_inserts: true, ..Choice::default() };
        let survey = survey(connection, &choice).await.map_err(Trouble::asking("look at the triggers"))?;
        let found = survey.tables.into_iter().next().ok_or_else(|| Trouble::Gone { table: table.name.clone() })?;
        Ok(Table { remainder: table.remainder.clone(), ..found })
    }

    /// The parts of the table as they are in the ledger, begun anew where they are of other triggers or another key.
    async fn parts(&self, connection: &mut Connection, table: &Table) -> Result<Vec<Part>, Trouble> {
        let parts = self.read(connection, table).await?;
        let other = parts.iter().any(|part| part.mark != table.mark);
        if other {
            let why = "its triggers or its primary key are not those that the walk began with".to_owned();
            let _ = self.tell.send(Event::Again { table: table.name.clone(), why });
        }
        if !parts.is_empty() && !other {
            return Ok(parts);
        }
        self.begin(connection, table, 1).await?;
        self.read(connection, table).await
    }

    async fn read(&self, connection: &mut Connection, table: &Table) -> Result<Vec<Part>, Trouble> {
        let parts = ledger::read(connection, &table.name).await.map_err(Trouble::asking("read the ledger"))?;
        parts.ok_or_else(|| Trouble::Ledger { table: table.name.clone() })
    }

    /// Begins a walk: counts, finds the middle, writes the ledger.
    async fn begin(&self, connection: &mut Connection, table: &Table, walk: u64) -> Result<(), Trouble> {
        // Halves need the number itself where a half is found by counting: MySQL's estimate may be twice as large.
        let halved = self.workers() > 1 && self.order.url.engine() == Engine::Mysql;
        let counted = table.rows <= COUNTED || halved;
        let total = if counted { number(connection, &table.sql.count()).await? } else { table.rows };
        let mut middle = None;
        if total > PARTED && self.workers() > 1 {
            let found = connection.rows(&table.sql.middle(total)).await;
            let found = found.map_err(Trouble::asking("find the middle of the table"))?.into_iter().next();
            middle = found.and_then(Position::read);
        }
        let written = ledger::begin(connection, table, walk, middle.as_ref(), (total, counted)).await;
        written.map_err(Trouble::asking("begin in the ledger"))
    }

    /// How many parts are worked on at once.
    fn workers(&self) -> usize {
        if self.order.url.engine() == Engine::Sqlite { 1 } else { self.order.workers }
    }

    /// Walks through the parts that are not finished.
    async fn walk(&self, table: &Table, parts: &[Part], tally: &Tally) -> Result<Halt, Trouble> {
        let touched: u64 = parts.iter().map(|part| part.touched).sum();
        let (rows, counted) = parts.first().map_or((0, true), |part| (part.total, part.counted));
        let walk_number = parts.iter().map(|part| part.walk).max().unwrap_or_default();
        let name = || table.name.clone();
        let _ = self.tell.send(Event::Begin { table: name(), touched, rows, counted, walk: walk_number });
        let before = tally.touched.load(Ordering::Relaxed);
        let waiting: Mutex<Vec<Part>> = Mutex::new(parts.iter().rev().filter(|part| !part.finished).cloned().collect());
        let next = || waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
        let left = parts.iter().filter(|part| !part.finished).count();
        let workers = self.workers().min(left).max(1);
        let working = (0..workers).map(|_| async {
            while let Some(part) = next() {
                match walk(self.order, workers, table, part, self.gate, tally, self.tell).await? {
                    Halt::Finished => {}
                    Halt::Stopped => return Ok(Halt::Stopped),
                }
            }
            Ok::<Halt, Trouble>(Halt::Finished)
        });
        // The first that cannot go on ends the others: their batches are undone.
        let working = try_join_all(working);
        tokio::pin!(working);
        let mut clock = tokio::time::interval(TELLING);
        let began = Instant::now();
        let tell = || {
            let done = tally.touched.load(Ordering::Relaxed) - before;
            // Workers side by side: their times add up to more than has passed, waiting left out.
            let busy = tally.working().as_secs_f64() / workers as f64;
            let rate = done as f64 / busy.min(began.elapsed().as_secs_f64()).max(0.001);
            let (table, touched, slowest) = (name(), touched + done, tally.slowest());
            let _ = self.tell.send(Event::Progress { table, touched, rows, counted, rate, slowest });
        };
        let ended: Vec<Halt> = loop {
            tokio::select! {
                ended = &mut working => break ended?,
                _ = clock.tick() => tell(),
            }
        };
        tell();
        Ok(if ended.contains(&Halt::Stopped) { Halt::Stopped } else { Halt::Finished })
    }

    /// What the remainder query counts, in a session that refuses changes.
    async fn left(&self, table: &Table) -> Result<Option<u64>, Trouble> {
        let Some(query) = &table.remainder else { return Ok(None) };
        let mut reader = connect(&self.order.url, self.order.timeout).await?;
        let left = number(&mut reader, query).await?;
        reader.close().await;
        Ok(Some(left))
    }
}

/// The number that a query finds.
async fn number(connection: &mut Connection, query: &str) -> Result<u64, Trouble> {
    let rows = connection.rows(query).await.map_err(Trouble::asking("count rows"))?;
    let text = rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten().unwrap_or_default();
    text.trim().parse().map_err(|_| Trouble::Query {
        doing: "count rows",
        source: QueryError::Failed { source: format!("`{text}` is no number of rows").into() },
    })
}
