//! Services that still run, by the heartbeats that they write to their databases.
//!
//! A service may hold no session at the moment and write a second later. What gives it away is its heartbeat:
//! a row that it writes again and again. Two reads some time apart show whether it moves, and need no clock that
//! is right. The database's clock only decides how long to wait for the second one: a row that was written just
//! now may be that of a service which has just been stopped.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::world::World;
use crate::database::{self, Heartbeat, QueryError, connect};
use crate::model::{ConnectionUrl, DatabaseId};

/// What a late heartbeat may be late by.
const LATE: Duration = Duration::from_secs(2);

/// A playbook's question to a database.
#[derive(Debug, Clone)]
struct Question {
    database: DatabaseId,
    url: ConnectionUrl,
    query: String,
    every: Duration,
}

/// Which row: the question's place, the program, its host, and which of several alike.
type Key = (usize, String, String, usize);

/// A service whose heartbeat moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moving {
    /// The program.
    pub(super) program: String,
    /// Its host.
    pub(super) host: String,
    /// Where.
    pub(super) database: DatabaseId,
    /// All of it in words: program, host, database, last seen.
    pub(super) told: String,
}

/// Every heartbeat at one moment.
#[derive(Debug, Clone)]
struct Look {
    at: Instant,
    rows: BTreeMap<Key, Heartbeat>,
    /// What could not be asked, and why.
    unread: BTreeMap<DatabaseId, String>,
}

/// The heartbeats of a cloud's services.
#[derive(Debug)]
pub(super) struct Heartbeats {
    questions: Vec<Question>,
    timeout: Duration,
    /// As they were before.
    before: Mutex<Option<Look>>,
}

impl Heartbeats {
    /// Those that the playbooks name for these databases.
    pub(super) fn of(world: &World, urls: &BTreeMap<DatabaseId, ConnectionUrl>) -> Self {
        let mut questions = Vec::new();
        for (database, url) in urls {
            let Some(playbook) = world.catalog.playbook(&database.service) else { continue };
            for asked in playbook.heartbeats.iter().filter(|asked| asked.databases.contains(&database.slot)) {
                questions.push(Question {
                    database: database.clone(),
                    url: url.clone(),
                    query: asked.query.clone(),
                    every: Duration::from_secs(asked.every),
                });
            }
        }
        Self { questions, timeout: world.cloud.limits.connect, before: Mutex::new(None) }
    }

    /// Takes the first look, which later ones are held against.
    pub(super) async fn begin(&self) {
        let look = self.look().await;
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = Some(look);
    }

    async fn look(&self) -> Look {
        let at = Instant::now();
        let asking = self.questions.iter().map(|question| async move {
            let asking = async {
                let connected = connect(&question.url, self.timeout).await;
                let mut connection = connected.map_err(|error| database::chain(&error))?;
                let rows = connection.heartbeats(&question.query).await;
                connection.close().await;
                match rows {
                    // A release that does not know it yet writes nothing there.
                    Err(QueryError::NoTable { .. } | QueryError::NoColumn { .. }) => Ok(Vec::new()),
                    rows => rows.map_err(|error| database::chain(&error)),
                }
            };
            let seconds = self.timeout.as_secs_f64();
            let late = |_| Err(format!("the database does not answer within {seconds} s"));
            tokio::time::timeout(self.timeout, asking).await.unwrap_or_else(late)
        });
        let (mut rows, mut unread) = (BTreeMap::new(), BTreeMap::new());
        for (place, found) in join_all(asking).await.into_iter().enumerate() {
            let found = found.unwrap_or_else(|why| {
                unread.insert(self.questions[place].database.clone(), why);
                Vec::new()
            });
            for heartbeat in found {
                let mut key = (place, heartbeat.program.clone(), heartbeat.host.clone(), 0);
                while rows.contains_key(&key) {
                    key.3 += 1;
                }
                rows.insert(key, heartbeat);
            }
        }
        Look { at, rows, unread }
    }

    /// Where the last look did not see who reports, and why not. A step that needs the database fails with its own words.
    pub(super) fn unread(&self) -> BTreeMap<DatabaseId, String> {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        before.as_ref().map(|look| look.unread.clone()).unwrap_or_default()
    }

    /// Services whose heartbeats moved since the look before.
    ///
    /// Where a row is so fresh that a running service need not have written it again since then, and `patient`,
    /// waits until it must have, after telling `wait` for how long and for whom.
    pub(super) async fn moving(&self, patient: bool, wait: &(dyn Fn(Duration, &str) + Sync)) -> Vec<Moving> {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut now = self.look().await;
        let Some(before) = before else {
            *self.before.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
            return Vec::new();
        };
        let mut moved = self.moved(&before, &now);
        if moved.is_empty()
            && patient
            && let Some((left, who)) = self.undecided(&before, &now)
        {
            wait(left, &who);
            tokio::time::sleep(left).await;
            now = self.look().await;
            moved = self.moved(&before, &now);
        }
        // What is compared with nothing is not seen either.
        for (database, why) in before.unread {
            now.unread.entry(database).or_insert(why);
        }
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        moved
    }

    fn moved(&self, before: &Look, now: &Look) -> Vec<Moving> {
        let moved = now.rows.iter().filter(|(key, row)| match before.rows.get(*key) {
            Some(old) => old.pulse != row.pulse,
            // It has registered since then. A database that could not be read before shows nothing.
            None => before.rows.keys().any(|other| other.0 == key.0),
        });
        moved.map(|(key, row)| self.named(key, row)).collect()
    }

    fn named(&self, key: &Key, row: &Heartbeat) -> Moving {
        let seen = row.seen.as_ref().map(|seen| format!(", last seen {seen} UTC")).unwrap_or_default();
        let database = self.questions[key.0].database.clone();
        let told = format!("{} on {} ({database}{seen})", row.program, row.host);
        Moving { program: row.program.clone(), host: row.host.clone(), database, told }
    }

    /// How long it takes until every fresh row must have moved if its service runs, and whose it is.
    fn undecided(&self, before: &Look, now: &Look) -> Option<(Duration, String)> {
        let left = now.rows.iter().filter_map(|(key, row)| {
            let every = self.questions[key.0].every;
            let fresh = row.age.is_some_and(|age| age.as_secs() < 2 * every.as_secs().cast_signed());
            let left = (every + LATE).checked_sub(before.at.elapsed()).filter(|_| fresh)?;
            Some((left, format!("{} on {}", row.program, row.host)))
        });
        left.max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn heartbeats() -> Heartbeats {
        let question = Question {
            database: "nova.cells.cell1".parse().expect("valid"),
            url: "mysql://nova@db/nova".parse().expect("valid"),
            query: String::new(),
            every: Duration::from_secs(10),
        };
        Heartbeats { questions: vec![question], timeout: LATE, before: Mutex::new(None) }
    }

    fn look(rows: &[(&str, &str, i64)]) -> Look {
        let rows = rows.iter().map(|(host, pulse, age)| {
            let row = Heartbeat {
                program: "nova-compute".into(),
                host: (*host).into(),
                seen: Some("2026-11-22 03:15:02".into()),
                pulse: Some((*pulse).into()),
                age: Some(SignedDuration::from_secs(*age)),
            };
            ((0, row.program.clone(), row.host.clone(), 0), row)
        });
        Look { at: Instant::now(), rows: rows.collect(), unread: BTreeMap::new() }
    }

    #[test]
    fn a_row_that_moves_is_a_service_that_runs_whatever_its_clock_says() {
        let beats = heartbeats();
        for age in [0, 5, 86_400, -86_400] {
            let moved = beats.moved(
                &look(&[("cmp1", "7", age), ("cmp2", "9", age)]),
                &look(&[("cmp1", "8", age), ("cmp2", "9", age)]),
            );
            let told: Vec<&str> = moved.iter().map(|one| one.told.as_str()).collect();
            assert_eq!(told, ["nova-compute on cmp1 (nova.cells.cell1, last seen 2026-11-22 03:15:02 UTC)"]);
        }
        let appeared = beats.moved(&look(&[("cmp1", "7", 0)]), &look(&[("cmp1", "7", 0), ("cmp2", "0", 0)]));
        assert_eq!(appeared.len(), 1, "a service that has just registered");
        assert!(beats.moved(&look(&[]), &look(&[("cmp1", "7", 0)])).is_empty(), "a database that could not be read");
        assert!(beats.moved(&look(&[("cmp1", "7", 0)]), &look(&[])).is_empty(), "a service that was deleted");
    }

    #[tokio::test]
    async fn a_database_that_does_not_tell_is_not_one_in_which_nobody_reports() {
        let mut beats = heartbeats();
        beats.questions[0].url = "mysql://nova@127.0.0.1:1/nova".parse().expect("valid");
        assert!(beats.unread().is_empty(), "nothing was asked yet");
        beats.begin().await;
        let unread = beats.unread();
        assert_eq!(unread.keys().map(ToString::to_string).collect::<Vec<_>>(), ["nova.cells.cell1"]);
        // It tells now, and there is nothing to hold that against.
        let file = tempfile::NamedTempFile::new().expect("a file");
        beats.questions[0].url = format!("sqlite:///{}", file.path().display()).parse().expect("valid");
        beats.questions[0].query = "SELECT 'nova-compute', 'cmp1', '2026-11-22 03:15:02', '7'".to_owned();
        assert!(beats.moving(false, &|_, _| {}).await.is_empty() && !beats.unread().is_empty());
    }

    #[test]
    fn only_a_fresh_row_is_worth_waiting_for_and_never_longer_than_its_interval() {
        let beats = heartbeats();
        let wait = |age: i64| beats.undecided(&look(&[("cmp1", "7", age)]), &look(&[("cmp1", "7", age)]));
        assert_eq!((wait(20), wait(3600)), (None, None), "long silent");
        // A clock that is ahead: nobody knows how old the row is.
        for age in [0, 19, -5, -86_400] {
            let (left, who) = wait(age).expect("undecided");
            assert!(left <= Duration::from_secs(12) && left > Duration::from_secs(11), "{left:?}");
            assert_eq!(who, "nova-compute on cmp1");
        }
    }
}
