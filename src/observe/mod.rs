//! Looking at the world before anything is decided.
//!
//! Every database of a cloud is looked at side by side, and everything that was found is told at once:
//! one server that does not answer hides nothing of the others, and looking never fails as a whole.
//!
//! Nothing here changes anything, and nothing here judges: what the heads mean is
//! [`plan::detect`](crate::plan::detect)'s, and what follows from it is the plan's. The texts hold no
//! passwords, those of stored URLs included.

mod heads;
mod question;
mod stored;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt;

use crate::catalog::{Playbook, PlaybookCheck, StoredUrls};
use crate::cloud::Cloud;
use crate::database::{self, ConnectError, Connection, Definition, ForeignKey, QueryError, TableSize, connect};
use crate::model::{
    ConnectionUrl, DatabaseId, Engine, Heads, MappedUrl, Observation, ObservedDatabase, RecordedService, StoredUrl,
    Trigger, Unreachable,
};

pub use heads::heads;
pub use question::{Found, question};

/// How many databases are looked at side by side.
const AT_ONCE: usize = 8;

/// How long another connection is tried for a question where there is none: a server may take none for a moment.
const AGAIN: Duration = Duration::from_secs(5);
/// The pause before that.
const PAUSE: Duration = Duration::from_millis(300);
/// How long parting from a server may take.
const PARTING: Duration = Duration::from_secs(1);

/// What was seen of one database.
struct Seen {
    id: DatabaseId,
    database: Result<ObservedDatabase, Unreachable>,
    stored: Option<Result<Vec<StoredUrl>, Unreachable>>,
}

/// Looks at every database of `cloud`. Connecting may take `timeout`, and every answer after that.
pub async fn observe(cloud: &Cloud, playbooks: &[&Playbook], timeout: Duration) -> Observation {
    let looks = cloud.databases.iter().map(|(id, url)| look(cloud, playbooks, id, url, timeout));
    let seen: Vec<Seen> = futures_util::stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
    let mut observation = Observation::default();
    for Seen { id, database, stored } in seen {
        if let Some(stored) = stored {
            observation.stored_urls.insert(id.clone(), stored);
        }
        observation.databases.insert(id, database);
    }
    observation
}

/// The heads of one database, as they are now.
///
/// # Errors
/// It cannot be read.
pub async fn heads_of(url: &ConnectionUrl, timeout: Duration) -> Result<Heads, Unreachable> {
    ask(url, timeout, timeout, AGAIN, async |connection| heads(connection).await).await
}

/// Tables of one database that look like version tables and are none: nova's `shadow_alembic_version`, the tables of
/// networking projects beside neutron's.
///
/// # Errors
/// It cannot be read.
pub async fn look_alikes(url: &ConnectionUrl, timeout: Duration) -> Result<Vec<String>, Unreachable> {
    ask(url, timeout, timeout, AGAIN, async |connection| heads::look_alikes(connection).await).await
}

/// How many tables one database holds now; views do not count.
///
/// # Errors
/// It cannot be read.
pub async fn tables_of(url: &ConnectionUrl, timeout: Duration) -> Result<u64, Unreachable> {
    ask(url, timeout, timeout, AGAIN, async |connection| connection.tables().await).await
}

/// The triggers of one database, as far as its user sees them.
///
/// # Errors
/// It cannot be read.
pub async fn triggers_of(url: &ConnectionUrl, timeout: Duration) -> Result<Vec<Trigger>, Unreachable> {
    ask(url, timeout, timeout, AGAIN, async |connection| connection.triggers().await).await
}

/// The views, triggers and foreign keys of one database.
///
/// # Errors
/// It cannot be read.
pub async fn hangers_of(
    url: &ConnectionUrl,
    timeout: Duration,
) -> Result<(Vec<Definition>, Vec<ForeignKey>), Unreachable> {
    ask(url, timeout, timeout, AGAIN, async |connection| {
        Ok((connection.definitions().await?, connection.foreign_keys().await?))
    })
    .await
}

/// The services of one database with the versions that they recorded, as `query` reads them.
///
/// # Errors
/// It cannot be read.
pub async fn recorded_services_of(
    url: &ConnectionUrl,
    query: &str,
    timeout: Duration,
) -> Result<Vec<RecordedService>, Unreachable> {
    ask(url, timeout, timeout, AGAIN, async |connection| connection.recorded_services(query).await).await
}

/// How large each table of one database is. An SQLite file's tables are counted, which may take `patience`.
///
/// # Errors
/// It cannot be read.
pub async fn sizes_of(
    url: &ConnectionUrl,
    timeout: Duration,
    patience: Duration,
) -> Result<BTreeMap<String, TableSize>, Unreachable> {
    ask(url, timeout, patience, AGAIN, async |connection| connection.table_sizes().await).await
}

/// The number that `query` finds in one database. Counting may take `patience`, since it may read a
/// large table from its beginning to its end.
///
/// # Errors
/// It cannot be read, or the query finds no number.
pub async fn count(
    url: &ConnectionUrl,
    query: &str,
    timeout: Duration,
    patience: Duration,
) -> Result<u64, Unreachable> {
    let rows = ask(url, timeout, patience, AGAIN, async |connection| connection.rows(query).await).await?;
    let number = rows.first().and_then(|row| row.first().cloned().flatten()).and_then(|text| text.parse().ok());
    number.ok_or_else(|| Unreachable {
        reason: format!("a query finds no number in {url}: {query}"),
        advice: "correct the query in the playbook: it must count".to_owned(),
    })
}

/// The URLs that `check` finds in the database at `url`, to be followed. Templates are filled from `base`.
///
/// # Errors
/// It cannot be read.
pub async fn mapped(
    url: &ConnectionUrl,
    check: &StoredUrls,
    base: &ConnectionUrl,
    timeout: Duration,
) -> Result<Vec<MappedUrl>, Unreachable> {
    let once = Duration::ZERO;
    let rows = ask(url, timeout, timeout, once, async |connection| connection.rows(&check.query).await).await?;
    let rows = rows.into_iter().map(|row| {
        let mut columns = row.into_iter().map(Option::unwrap_or_default);
        let name = columns.next().unwrap_or_default();
        stored::follow(name, &columns.next().unwrap_or_default(), base)
    });
    Ok(rows.collect())
}

/// Asks one question on a connection of its own. Where there is none, another is tried for as long as `again` says.
async fn ask<T>(
    url: &ConnectionUrl,
    timeout: Duration,
    patience: Duration,
    again: Duration,
    question: impl AsyncFnOnce(&mut Connection) -> Result<T, QueryError>,
) -> Result<T, Unreachable> {
    let began = Instant::now();
    let mut connection = loop {
        match connect(url, timeout).await {
            Ok(connection) => break connection,
            Err(error) if error.is_passing() && began.elapsed() < again => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(away(&error)),
        }
    };
    let found = answer(url, patience, question(&mut connection)).await;
    let _ = tokio::time::timeout(PARTING, connection.close()).await;
    found
}

async fn look(cloud: &Cloud, playbooks: &[&Playbook], id: &DatabaseId, url: &ConnectionUrl, timeout: Duration) -> Seen {
    let checks = checks(cloud, playbooks, id);
    let mut connection = match connect(url, timeout).await {
        Ok(connection) => connection,
        Err(error) => {
            let unreachable = away(&error);
            let stored = (!checks.is_empty()).then(|| Err(unreachable.clone()));
            return Seen { id: id.clone(), database: Err(unreachable), stored };
        }
    };
    let database = answer(url, timeout, describe(&mut connection)).await;
    let stored = if checks.is_empty() {
        None
    } else {
        let read = async { stored_urls(&mut connection, cloud, &checks, id).await };
        Some(match &database {
            Ok(_) => answer(url, timeout, read).await,
            Err(unreachable) => Err(unreachable.clone()),
        })
    };
    // A question without an answer leaves the connection in its middle, and parting would wait for it.
    let _ = tokio::time::timeout(PARTING, connection.close()).await;
    Seen { id: id.clone(), database, stored }
}

/// Why there is no connection.
fn away(error: &ConnectError) -> Unreachable {
    Unreachable { reason: format!("failed to {}", database::chain(error)), advice: error.advice().to_owned() }
}

/// What `question` finds, or why there is no answer within `timeout`.
async fn answer<T>(
    url: &ConnectionUrl,
    timeout: Duration,
    question: impl Future<Output = Result<T, QueryError>>,
) -> Result<T, Unreachable> {
    match tokio::time::timeout(timeout, question).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(Unreachable {
            reason: format!("failed to read {url}: {}", database::chain(&error)),
            advice: match (&error, url.engine()) {
                (QueryError::Failed { .. }, Engine::Sqlite) => "check that the path leads to a sound SQLite file",
                _ => error.advice(),
            }
            .to_owned(),
        }),
        Err(_) => Err(Unreachable {
            reason: format!("failed to read {url}: no answer within {} s", timeout.as_secs_f32()),
            advice: "a schema change or a lock may hold the tables: look at the server's list of running queries"
                .to_owned(),
        }),
    }
}

async fn describe(connection: &mut Connection) -> Result<ObservedDatabase, QueryError> {
    let engine: Engine = connection.engine();
    let version = connection.version().await?;
    let heads = heads(connection).await?;
    let tables = connection.tables().await?;
    Ok(ObservedDatabase { engine, version, heads, tables })
}

/// The checks of stored URLs that `id` is to be asked for.
fn checks<'a>(cloud: &Cloud, playbooks: &[&'a Playbook], id: &DatabaseId) -> Vec<&'a StoredUrls> {
    let playbooks = playbooks.iter().filter(|playbook| playbook.service == id.service);
    playbooks
        .flat_map(|playbook| &playbook.checks)
        .map(|PlaybookCheck::StoredUrls(check)| check)
        .filter(|check| check.database == id.slot && !cloud.trusts_stored_urls(&id.service))
        .collect()
}

async fn stored_urls(
    connection: &mut Connection,
    cloud: &Cloud,
    checks: &[&StoredUrls],
    id: &DatabaseId,
) -> Result<Vec<StoredUrl>, QueryError> {
    let mut found = Vec::new();
    for check in checks {
        let targets: BTreeMap<&DatabaseId, &ConnectionUrl> = cloud
            .databases
            .iter()
            .filter(|(target, _)| target.service == id.service && check.lead_to.contains(&target.slot))
            .collect();
        for row in connection.rows(&check.query).await? {
            let mut columns = row.into_iter().map(Option::unwrap_or_default);
            let name = columns.next().unwrap_or_default();
            found.push(stored::lead(name, &columns.next().unwrap_or_default(), &targets));
        }
    }
    Ok(found)
}
