//! What can go wrong with restore points.

use camino::Utf8PathBuf;

use crate::database::{ConnectError, QueryError, ScratchError, chain};
use crate::model::Engine;

/// Why a restore point could not be taken, proved or gone back to. None of the texts holds a password.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// No client of the engine is on this machine.
    #[error("find {wanted} on this machine")]
    NoClient {
        /// The engine.
        engine: Engine,
        /// The programs that would do.
        wanted: String,
    },
    /// A client ended badly.
    #[error("{action} with {program}: {status}{}", said.as_ref().map(|said| format!(": {said}")).unwrap_or_default())]
    Client {
        /// What was tried.
        action: &'static str,
        /// The program.
        program: String,
        /// How it ended.
        status: String,
        /// The last thing that it said.
        said: Option<String>,
    },
    /// A file of a restore point cannot be written or read.
    #[error("{action} {path}")]
    Disk {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// There is not enough room.
    #[error("find room in {directory}: the dumps may take {} MB, and {} MB are free", need / 1_000_000, free / 1_000_000)]
    Room {
        /// Where the restore points are kept.
        directory: Utf8PathBuf,
        /// How many bytes are needed.
        need: u64,
        /// How many are free.
        free: u64,
    },
    /// A restore point is not what was written.
    #[error("read the restore point {path}: {why}")]
    Damaged {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The cloud file leads to another database than the one that was dumped.
    #[error("find the database that was dumped: it was {dumped}, and the cloud file names {named}")]
    OtherDatabase {
        /// Which one was dumped.
        dumped: String,
        /// Where the cloud file leads.
        named: String,
        /// The dump.
        file: Utf8PathBuf,
    },
    /// A dump does not hold what its database holds.
    #[error("prove the dump: brought back into a scratch database, {}", differences.join("; "))]
    Unproved {
        /// What differs.
        differences: Vec<String>,
    },
    /// The database changed while it was dumped.
    #[error("dump the database as it was at one moment: it was written to meanwhile ({})", differences.join("; "))]
    Moving {
        /// What changed.
        differences: Vec<String>,
    },
    /// A database that was brought back does not show what was recorded.
    #[error("prove the restore: {}", differences.join("; "))]
    NotRestored {
        /// What differs.
        differences: Vec<String>,
    },
    /// The database cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The database does not answer.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// There is no scratch database.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// Nobody waits for it any more.
    #[error("finish: it was told to stop")]
    Stopped,
}

impl RestoreError {
    /// What to do next.
    pub fn advice(&self) -> String {
        match self {
            Self::NoClient { engine, .. } => format!(
                "{}; or name your own snapshot and restore commands under `restore_points` in the cloud file",
                match engine {
                    Engine::Mysql => {
                        "install the client of the server's kind: mariadb-client for MariaDB, mysql-client for MySQL"
                    }
                    Engine::Postgresql => {
                        "install postgresql-client of the server's version or newer (pg_dump and psql)"
                    }
                    Engine::Sqlite => "nothing has to be installed for SQLite",
                }
            ),
            Self::Client { .. } => {
                "read what the client said, mend the cause, then run the same command again".to_owned()
            }
            Self::Disk { .. } => {
                "look at the disk's space and at the directory's owner, then run the same command again".to_owned()
            }
            Self::Room { .. } => {
                "make room, or name a larger place as restore_points.directory in the cloud file, then run the same \
                 command again"
                    .to_owned()
            }
            Self::Damaged { .. } => {
                "look for a copy of the file, or go back to another restore point: `leapfrog restore --list`".to_owned()
            }
            Self::OtherDatabase { file, .. } => format!(
                "nothing was touched: a copy's restore point must not replace the original, nor the other way round. \
                 Name the same server as then in the cloud file; if the database itself has moved, an administrator \
                 can load {file} with the engine's client"
            ),
            Self::Unproved { .. } => {
                "the dump was thrown away: report it with the table's definition; your own snapshot and restore \
                 commands can take its place (`restore_points` in the cloud file)"
                    .to_owned()
            }
            Self::Moving { .. } => {
                "stop whatever writes to the database, then run the same command again: the dump was thrown away"
                    .to_owned()
            }
            Self::NotRestored { .. } => {
                "the database must not be used: run the same restore again; if it ends so again, go back to a copy of \
                 your own"
                    .to_owned()
            }
            Self::Connect(error) => error.advice().to_owned(),
            Self::Query(error) => error.advice().to_owned(),
            Self::Scratch(error @ ScratchError::Privilege { .. }) => format!(
                "{}; or prove restore points less: `verify: off` under `restore_points` in the cloud file",
                error.advice().trim_end_matches(';')
            ),
            Self::Scratch(error) => error.advice(),
            Self::Stopped => "run the same command again".to_owned(),
        }
    }

    /// The error in one line that can follow "failed to".
    pub fn line(&self) -> String {
        chain(self)
    }

    /// Trouble with a file.
    pub(super) fn disk(action: &'static str, path: impl Into<Utf8PathBuf>, source: std::io::Error) -> Self {
        Self::Disk { action, path: path.into(), source }
    }
}
