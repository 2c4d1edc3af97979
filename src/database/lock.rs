//! One writer: an advisory lock in a database, held on a connection of its own for the length of a run.
//!
//! The lock lives and dies with its connection, so a leapfrog that was killed holds nothing, and a
//! leapfrog whose connection broke knows that it holds nothing any more. It keeps out other leapfrogs,
//! on this machine or another; it keeps out nobody else, that is the fence's matter.
//!
//! | engine | lock | who holds it is read from |
//! | --- | --- | --- |
//! | MariaDB, MySQL | `GET_LOCK`, one name a database | a comment in the holder's running statement |
//! | PostgreSQL | `pg_try_advisory_lock`, in the database | the holder's `application_name` |
//! | SQLite | a locked file beside the database's | the file |
//!
//! `GET_LOCK` holds on one node of a Galera cluster alone: two leapfrogs that reach the cluster through
//! different nodes do not see each other. [`Connection::is_galera`] tells, so that it can be said.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::connect::{ConnectError, connect};
use super::connection::{Connection, QueryError};
use crate::model::{ConnectionUrl, Engine};

/// How often a held lock is looked at; also how long a server takes to notice that its holder died.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How long MySQL's and MariaDB's question takes that a held lock is looked at with. A lock is given back when it is
/// answered: `KILL` of a session that sleeps takes MariaDB up to two seconds where several are ended at a time.
const QUESTION: Duration = Duration::from_millis(500);
/// How often a lock is tried for that somebody had, and had given back when it was asked who.
const TRIES: usize = 10;

/// PostgreSQL's key of the lock: the bytes of `leapfrog`.
const KEY: i64 = i64::from_be_bytes(*b"leapfrog");

/// Who holds a lock, as it is told to whoever else asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The machine.
    pub host: String,
    /// The process there.
    pub pid: u32,
    /// Since when, in words.
    pub since: String,
}

impl Holder {
    /// The holder in one line that can stand in an SQL comment: `leapfrog 4711@alpha since …`.
    fn line(&self) -> String {
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '@' | ' ' | '_');
        format!("leapfrog {}@{} since {}", self.pid, self.host, self.since).chars().filter(plain).collect()
    }

    /// Reads a [`Holder::line`] that stands anywhere in `text`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let line = &text[text.find("leapfrog ")? + "leapfrog ".len()..];
        let (who, since) = line.split_once(" since ")?;
        let (pid, host) = who.split_once('@')?;
        let since = since.split("*/").next().unwrap_or_default().trim();
        Some(Self { host: host.to_owned(), pid: pid.parse().ok()?, since: since.to_owned() })
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "leapfrog, process {} on {}, since {}", self.pid, self.host, self.since)
    }
}

/// Why a database could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another leapfrog holds the lock.
    #[error("lock the database: {} works on it", holder.as_ref().map_or_else(|| session.clone(), Holder::to_string))]
    Held {
        /// Who, as far as the holder can be read.
        holder: Option<Holder>,
        /// The holder's session in the server's words.
        session: String,
    },
    /// The database cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The database does not answer.
    #[error("ask for the lock")]
    Query(#[from] QueryError),
    /// The lock file beside an SQLite file cannot be made.
    #[error("make the lock file {}", path.display())]
    File {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl LockError {
    /// What to do next.
    pub fn advice(&self) -> String {
        match self {
            Self::Held { holder: Some(holder), .. } => format!(
                "wait until it is done, or stop it: kill -TERM {} on {}; then run the same command again",
                holder.pid, holder.host
            ),
            Self::Held { holder: None, .. } => {
                "wait until that session is gone, or end it at the server; then run the same command again".to_owned()
            }
            Self::Connect(error) => error.advice().to_owned(),
            Self::Query(error) => error.advice().to_owned(),
            Self::File { .. } => {
                "let this user write to the directory of the database file: its service does as well".to_owned()
            }
        }
    }
}

/// How a lock was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// The connection broke, or the server does not answer; in words. Servers do not tell a session that somebody
    /// ends (`KILL`: the connection is closed without a word) from one that ends with them.
    Broken(String),
    /// The server gave it to somebody else; in words.
    Given(String),
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken(why) | Self::Given(why) => f.write_str(why),
        }
    }
}

/// A lock that is held until it is released, dropped, or lost.
#[derive(Debug)]
pub struct DatabaseLock {
    held: Held,
    /// The server's number of the session that holds the lock; absent for SQLite.
    session: Option<u64>,
    /// Which server holds it; absent for SQLite, and where it did not say.
    server: Option<String>,
    /// Whether a question may be without its answer.
    asking: bool,
}

#[derive(Debug)]
enum Held {
    Server { connection: Connection, watch: String },
    File(File, PathBuf),
}

/// Locks a database for `holder`, without waiting.
///
/// # Errors
/// Somebody holds the lock, or the database cannot be asked within `timeout`.
pub async fn lock(url: &ConnectionUrl, holder: &Holder, timeout: Duration) -> Result<DatabaseLock, LockError> {
    let connection = connect(url, timeout).await?;
    match connection {
        Connection::Mysql(_) => lock_mysql(connection, url.name(), holder).await,
        Connection::Postgresql(_) => lock_postgresql(connection, holder).await,
        Connection::Sqlite(_) => {
            connection.close().await;
            lock_file(url.name(), holder)
        }
    }
}

impl DatabaseLock {
    /// The server's number of the session that holds the lock; absent for SQLite.
    pub fn session(&self) -> Option<u64> {
        self.session
    }

    /// Which server holds the lock, as [`Connection::server_mark`] tells it; absent for SQLite.
    pub fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// Returns when the lock is lost, and why; never for a file.
    pub async fn lost(&mut self) -> Loss {
        match &mut self.held {
            Held::File(..) => std::future::pending().await,
            Held::Server { connection, watch } => loop {
                // A server that does not answer for a minute holds no lock that can be relied on.
                self.asking = true;
                let asked = tokio::time::timeout(30 * HEARTBEAT, connection.rows(watch)).await;
                let row = match asked {
                    Err(_) => return Loss::Broken("the server did not answer for a minute".to_owned()),
                    Ok(Err(error)) => return Loss::Broken(super::chain(&error)),
                    Ok(Ok(rows)) => rows.into_iter().next().unwrap_or_default(),
                };
                self.asking = false;
                if row.last().cloned().flatten().as_deref() != Some("1") {
                    return Loss::Given("the server gave it to somebody else".to_owned());
                }
                if connection.engine() == Engine::Postgresql {
                    tokio::time::sleep(HEARTBEAT).await;
                }
            },
        }
    }

    /// Gives the lock back: once the server answered what it is being asked, at most `timeout` from now.
    pub async fn release(self, timeout: Duration) {
        match self.held {
            // The lock goes with the session, and a session in the middle of a question with its answer.
            Held::Server { mut connection, .. } => {
                let parting = async {
                    if self.asking {
                        let _ = connection.rows("SELECT 1").await;
                    }
                    connection.close().await;
                };
                let _ = tokio::time::timeout(timeout, parting).await;
            }
            Held::File(file, path) => {
                // While it is locked nobody else holds this file; whoever waits finds it gone and makes another.
                let _ = std::fs::remove_file(path);
                drop(file);
            }
        }
    }
}

/// The name of a database's lock: names are at most 64 characters, and one list serves all databases of
/// a server.
pub(super) fn name_of(database: &str) -> String {
    let digest = Sha256::digest(database.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("leapfrog:{hex}")
}

/// What is said where the holder was gone each time that it was looked for.
fn fleeting() -> LockError {
    LockError::Held { holder: None, session: "a session that is gone whenever it is looked for".to_owned() }
}

async fn lock_mysql(mut connection: Connection, database: &str, holder: &Holder) -> Result<DatabaseLock, LockError> {
    let name = name_of(database);
    for _ in 0..TRIES {
        let got = connection.rows(&format!("SELECT GET_LOCK('{name}', 0), CONNECTION_ID()")).await?;
        let cell = |index: usize| got.first().and_then(|row| row.get(index).cloned().flatten());
        if cell(0).as_deref() == Some("1") {
            // The holder stands in a statement that always runs; asking is what keeps the session alive.
            let watch = format!(
                "SELECT SLEEP({}), IS_USED_LOCK('{name}') = CONNECTION_ID() /* {} */",
                QUESTION.as_secs_f64(),
                holder.line()
            );
            let session = cell(1).and_then(|id| id.parse().ok());
            let server = connection.server_mark().await.ok();
            return Ok(DatabaseLock { held: Held::Server { connection, watch }, session, server, asking: false });
        }
        if let Some((holder, session)) = holder_mysql(&mut connection, &name).await? {
            return Err(LockError::Held { holder, session });
        }
    }
    Err(fleeting())
}

/// Who holds the lock `name`, as far as it can be seen; nothing if nobody does.
pub(super) async fn holder_mysql(
    connection: &mut Connection,
    name: &str,
) -> Result<Option<(Option<Holder>, String)>, QueryError> {
    let query =
        format!("SELECT ID, USER, HOST, INFO FROM information_schema.PROCESSLIST WHERE ID = IS_USED_LOCK('{name}')");
    let mut session = "a session that this user may not see".to_owned();
    // Between two of its statements the holder shows none, and so does a session that is on its way out.
    for _ in 0..5 {
        if connection.rows(&format!("SELECT IS_USED_LOCK('{name}')")).await?.concat().iter().all(Option::is_none) {
            return Ok(None);
        }
        if let Some(row) = connection.rows(&query).await?.into_iter().next() {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            let (id, user, host) = (cells.next(), cells.next(), cells.next());
            session = format!(
                "session {} of {} from {}",
                id.unwrap_or_default(),
                user.unwrap_or_default(),
                host.unwrap_or_default()
            );
            if let Some(holder) = cells.next().as_deref().and_then(Holder::read) {
                return Ok(Some((Some(holder), session)));
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Some((None, session)))
}

async fn lock_postgresql(mut connection: Connection, holder: &Holder) -> Result<DatabaseLock, LockError> {
    // Names longer than 63 bytes are cut.
    let mut name = holder.line();
    name.truncate(63);
    connection.rows(&format!("SET application_name = '{name}'")).await?;
    for _ in 0..TRIES {
        let got = connection.rows(&format!("SELECT pg_try_advisory_lock({KEY})::int, pg_backend_pid()")).await?;
        let cell = |index: usize| got.first().and_then(|row| row.get(index).cloned().flatten());
        if cell(0).as_deref() == Some("1") {
            let watch = format!("SELECT count(*) {} AND l.pid = pg_backend_pid()", held_postgresql());
            let session = cell(1).and_then(|id| id.parse().ok());
            let server = connection.server_mark().await.ok();
            return Ok(DatabaseLock { held: Held::Server { connection, watch }, session, server, asking: false });
        }
        if let Some((holder, session)) = holder_postgresql(&mut connection).await? {
            return Err(LockError::Held { holder, session });
        }
    }
    Err(fleeting())
}

/// Where the holder of the lock stands.
fn held_postgresql() -> String {
    format!(
        "FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted \
         AND l.classid = {} AND l.objid = {} AND l.objsubid = 1 \
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        KEY >> 32,
        KEY & 0xffff_ffff
    )
}

/// Who holds the lock, if somebody does.
pub(super) async fn holder_postgresql(
    connection: &mut Connection,
) -> Result<Option<(Option<Holder>, String)>, QueryError> {
    let held = held_postgresql();
    let rows =
        connection.rows(&format!("SELECT a.pid, a.usename, a.client_addr::text, a.application_name {held}")).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let mut cells = row.into_iter().map(Option::unwrap_or_default);
    let (id, user, host) = (cells.next(), cells.next(), cells.next());
    let session =
        format!("session {} of {} from {}", id.unwrap_or_default(), user.unwrap_or_default(), host.unwrap_or_default());
    Ok(Some((cells.next().as_deref().and_then(Holder::read), session)))
}

/// Where the lock of an SQLite file is.
pub(super) fn lock_path(database: &str) -> PathBuf {
    let mut path = Path::new(database).as_os_str().to_owned();
    path.push(".leapfrog-lock");
    path.into()
}

fn lock_file(database: &str, holder: &Holder) -> Result<DatabaseLock, LockError> {
    let path = lock_path(database);
    let failed = |source| LockError::File { path: path.clone(), source };
    loop {
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.take(1000).read_to_string(&mut text);
                let session = format!("whoever holds {}", path.display());
                return Err(LockError::Held { holder: Holder::read(text.trim()), session });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // Its holder may have removed it between opening and locking.
        let same = std::fs::metadata(&path).is_ok_and(|now| file.metadata().is_ok_and(|ours| ours.ino() == now.ino()));
        if !same {
            continue;
        }
        let write = file.set_len(0).and_then(|()| writeln!(file, "{}", holder.line()));
        write.map_err(failed)?;
        return Ok(DatabaseLock { held: Held::File(file, path.clone()), session: None, server: None, asking: false });
    }
}

impl Connection {
    /// Whether the server is a node of a Galera cluster, on which user locks hold for one node alone.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn is_galera(&mut self) -> Result<bool, QueryError> {
        if self.engine() != Engine::Mysql {
            return Ok(false);
        }
        let rows = self.rows("SHOW GLOBAL VARIABLES LIKE 'wsrep_on'").await?;
        Ok(rows.iter().any(|row| row.get(1).cloned().flatten().is_some_and(|value| value.eq_ignore_ascii_case("on"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holder() -> Holder {
        Holder { host: "alpha".into(), pid: 4711, since: "2026-03-01 02:00:00 UTC".into() }
    }

    #[test]
    fn a_holder_is_read_from_the_statement_that_it_stands_in() {
        let statement = format!("SELECT SLEEP(2), 1 /* {} */", holder().line());
        assert_eq!(Holder::read(&statement), Some(holder()));
    }

    #[test]
    fn a_file_is_locked_once_and_says_by_whom() {
        let directory = tempfile::tempdir().expect("a directory");
        let database = directory.path().join("nova.sqlite").to_str().expect("text").to_owned();
        let lock = lock_file(&database, &holder()).expect("free");
        let Err(LockError::Held { holder: Some(found), .. }) = lock_file(&database, &holder()) else {
            panic!("locked twice");
        };
        assert_eq!(found, holder());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(lock.release(HEARTBEAT));
        assert!(!lock_path(&database).exists(), "the lock file stayed");
        lock_file(&database, &holder()).expect("free again");
    }

    proptest! {
        #[test]
        fn no_name_of_a_machine_breaks_out_of_the_comment(host in "\\PC{0,30}", since in "\\PC{0,30}") {
            let line = Holder { host, pid: 1, since }.line();
            prop_assert!(!line.contains('*') && !line.contains('\'') && !line.contains('/'), "{line}");
        }

        #[test]
        fn no_statement_makes_the_reader_panic(text in "\\PC{0,80}") {
            let _ = Holder::read(&text);
            let _ = Holder::read(&format!("leapfrog {text} since {text}"));
        }
    }
}
