//! Each change of a schema, run once more on a fresh copy: the cheapest way that the server accepts, the locks that it
//! takes, and what becomes of the tables.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;

use super::Said;
use super::trial::Trial;
use crate::cli::stop::Stop;
use crate::conduct::StopLevel;
use crate::database::{Connection, Purpose, QueryError, chain, connect_for};
use crate::lint::{Again, Course, Measure, Statement, Stretch, again};
use crate::model::Engine;

/// PostgreSQL's locks that hold up writes, the weakest first.
const STRENGTH: [&str; 4] = ["ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"];

/// Runs again what was said to a database; nothing where the operator stops it.
pub(super) async fn replay(
    trial: &mut Trial,
    said: &[&Said],
    schema: String,
    stop: &watch::Receiver<StopLevel>,
) -> Result<Option<Course>, Stop> {
    let mut course = Course {
        database: trial.id.to_string(),
        service: trial.id.service.clone(),
        schema,
        target: trial.target,
        stretches: Vec::new(),
    };
    if !trial.hears() {
        let heard_nothing = said.iter().filter_map(|said| {
            let (before, after) = said.shapes.clone()?;
            Some(Stretch {
                series: said.series.clone(),
                step: said.step.clone(),
                revision: None,
                statements: Vec::new(),
                before,
                after,
            })
        });
        course.stretches.extend(heard_nothing);
        return Ok(Some(course));
    }
    trial.renew().await?;
    let opened = connect_for(trial.scratch(), Purpose::Change, trial.timeout).await;
    let mut connection = opened.map_err(|error| trial.gone(chain(&error), error.advice()))?;
    let mut before = trial.shape().await?;
    for said in said {
        if *stop.borrow() > StopLevel::None {
            connection.close().await;
            return Ok(None);
        }
        let mut statements = Vec::new();
        for text in &said.passage.statements {
            let measure = once_more(&mut connection, text, trial).await;
            let measure = measure.map_err(|error| trial.gone(chain(&error), error.advice()))?;
            statements.push(Statement { text: text.clone(), measure });
        }
        let after = trial.shape().await?;
        course.stretches.push(Stretch {
            series: said.series.clone(),
            step: said.step.clone(),
            revision: said.passage.revision.clone(),
            statements,
            before: std::mem::replace(&mut before, after.clone()),
            after,
        });
    }
    connection.close().await;
    Ok(Some(course))
}

/// Runs a statement once more, and tells what it showed.
async fn once_more(connection: &mut Connection, text: &str, trial: &Trial) -> Result<Measure, QueryError> {
    match again(text, trial.target) {
        Again::Not => Ok(Measure::default()),
        Again::AsItIs if connection.engine() == Engine::Postgresql => with_locks(connection, text).await,
        Again::AsItIs => plainly(connection, text).await,
        Again::Cheapest(attempts) => {
            for attempt in attempts {
                match connection.rows(&attempt.statement).await {
                    Ok(_) => {
                        let (algorithm, lock) = (Some(attempt.algorithm), attempt.lock);
                        return Ok(Measure { algorithm, lock, ..Measure::default() });
                    }
                    Err(lost @ QueryError::Lost { .. }) => return Err(lost),
                    Err(_) => {}
                }
            }
            plainly(connection, text).await
        }
    }
}

/// Runs a statement as it is. That a server refuses it is something that is told.
async fn plainly(connection: &mut Connection, text: &str) -> Result<Measure, QueryError> {
    match connection.rows(text).await {
        Ok(_) => Ok(Measure::default()),
        Err(lost @ QueryError::Lost { .. }) => Err(lost),
        Err(error) => Ok(Measure { failed: Some(chain(&error)), ..Measure::default() }),
    }
}

/// Runs a statement in a transaction of PostgreSQL's and looks at the locks and the files before it ends.
async fn with_locks(connection: &mut Connection, text: &str) -> Result<Measure, QueryError> {
    let before = files(connection).await?;
    connection.rows("BEGIN").await?;
    if let Err(error) = connection.rows(text).await {
        if matches!(error, QueryError::Lost { .. }) {
            return Err(error);
        }
        connection.rows("ROLLBACK").await?;
        // Some statements cannot be in a transaction.
        return plainly(connection, text).await;
    }
    let locks = "SELECT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid = pg_backend_pid() \
                 AND l.locktype = 'relation' AND c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace";
    let strength = |mode: &str| STRENGTH.iter().position(|one| *one == mode);
    let there: BTreeSet<&String> = before.values().map(|(name, _)| name).collect();
    let mut held: BTreeMap<String, String> = BTreeMap::new();
    for row in connection.rows(locks).await? {
        let [Some(table), Some(mode)] = &row[..] else { continue };
        if strength(mode) > held.get(table).and_then(|other| strength(other)) && there.contains(table) {
            held.insert(table.clone(), mode.clone());
        }
    }
    let after = files(connection).await?;
    connection.rows("COMMIT").await?;
    let rewritten = after.iter().filter(|(table, (_, file))| before.get(*table).is_some_and(|(_, old)| old != file));
    let rewritten = rewritten.map(|(_, (name, _))| name.clone()).collect();
    Ok(Measure { held, rewritten, ..Measure::default() })
}

/// The tables of a database by their numbers, each with its name and its file.
async fn files(connection: &mut Connection) -> Result<BTreeMap<String, (String, String)>, QueryError> {
    let query = "SELECT oid::text, relname, coalesce(pg_relation_filenode(oid), 0)::text FROM pg_class WHERE relkind IN ('r', 'p') \
                 AND relnamespace = current_schema()::regnamespace";
    let rows = connection.rows(query).await?.into_iter();
    let named = rows.filter_map(|row| match <[Option<String>; 3]>::try_from(row) {
        Ok([Some(oid), Some(name), Some(file)]) => Some((oid, (name, file))),
        _ => None,
    });
    Ok(named.collect())
}
