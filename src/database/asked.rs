//! What a server says of itself and of this user's rights: questions that change nothing, asked before anything is
//! tried.

use std::fs::File;
use std::io::Read;

use super::connection::{Connection, QueryError};
use super::lock::{Holder, LockError, holder_mysql, holder_postgresql, lock_path, name_of};
use crate::model::{ConnectionUrl, Engine};

/// Whether a user may do something, as far as it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// It may.
    Held,
    /// It may not.
    Lacking,
    /// A role may give it; which ones count is the server's to say.
    Unclear,
}

impl Connection {
    /// The server's clock, in seconds since 1970; this machine's for a file.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn clock(&mut self) -> Result<f64, QueryError> {
        let query = match self.engine() {
            Engine::Mysql => "SELECT UNIX_TIMESTAMP(NOW(6))",
            Engine::Postgresql => "SELECT extract(epoch FROM clock_timestamp())",
            Engine::Sqlite => "SELECT (julianday('now') - 2440587.5) * 86400.0",
        };
        self.number(query).await
    }

    /// Whether this user may make the database `name`, as far as its grants tell.
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn may_make(&mut self, name: &str) -> Result<Right, QueryError> {
        match self.engine() {
            Engine::Sqlite => Ok(Right::Held),
            Engine::Postgresql => {
                let query = "SELECT (rolcreatedb OR rolsuper)::int FROM pg_roles WHERE rolname = current_user";
                Ok(if self.number(query).await? > 0.0 { Right::Held } else { Right::Lacking })
            }
            Engine::Mysql => {
                let grants = self.grants().await?;
                Ok(may_make(&grants, name))
            }
        }
    }

    /// How many triggers, procedures and functions of the database only an administrator could bring back: those
    /// there are where the server logs changes and does not trust whoever makes them (MySQL error 1419).
    ///
    /// # Errors
    /// The connection broke.
    pub async fn distrusted(&mut self) -> Result<u64, QueryError> {
        if self.engine() != Engine::Mysql {
            return Ok(0);
        }
        if self.number("SELECT @@global.log_bin = 0 OR @@global.log_bin_trust_function_creators").await? > 0.0 {
            return Ok(0);
        }
        let count = "SELECT (SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()) + \
                     (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE())";
        Ok(self.number(count).await? as u64)
    }

    /// Who holds leapfrog's lock of this database, `url`'s; nothing if nobody does.
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn held(&mut self, url: &ConnectionUrl) -> Result<Option<LockError>, QueryError> {
        let found = match self.engine() {
            Engine::Mysql => holder_mysql(self, &name_of(url.name())).await?,
            Engine::Postgresql => holder_postgresql(self).await?,
            Engine::Sqlite => held_file(url.name()),
        };
        Ok(found.map(|(holder, session)| LockError::Held { holder, session }))
    }

    /// Whether the server logs changes and trusts only administrators to create what runs by itself, so that this user may
    /// create no trigger (MySQL error 1419). SUPER helps; MariaDB's BINLOG ADMIN does not (10.11).
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn refuses_triggers(&mut self) -> Result<bool, QueryError> {
        if self.engine() != Engine::Mysql
            || self.number("SELECT @@global.log_bin = 0 OR @@global.log_bin_trust_function_creators").await? > 0.0
        {
            return Ok(false);
        }
        let grants = self.grants().await?;
        Ok(!grants.iter().any(|grant| trusted(grant)))
    }

    /// Whether the server is MariaDB, and not MySQL, which it looks like.
    ///
    /// # Errors
    /// The connection broke.
    pub(super) async fn is_mariadb(&mut self) -> Result<bool, QueryError> {
        Ok(self.version().await?.to_ascii_lowercase().contains("mariadb"))
    }

    /// What `SHOW GRANTS` says, line by line.
    pub(super) async fn grants(&mut self) -> Result<Vec<String>, QueryError> {
        let rows = self.rows("SHOW GRANTS").await?;
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next()?).collect())
    }

    pub(super) async fn number(&mut self, query: &str) -> Result<f64, QueryError> {
        let rows = self.rows(query).await?;
        let text = rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten().unwrap_or_default();
        text.parse().map_err(|error: std::num::ParseFloatError| QueryError::Failed { source: error.into() })
    }
}

/// Who has locked the file beside an SQLite file.
fn held_file(database: &str) -> Option<(Option<Holder>, String)> {
    let path = lock_path(database);
    let mut file = File::open(&path).ok()?;
    // A shared lock that is given back at once: nothing is written, and whoever wants the lock waits for it.
    if !matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)) {
        return None;
    }
    let mut text = String::new();
    let _ = (&mut file).take(1000).read_to_string(&mut text);
    Some((Holder::read(text.trim()), format!("whoever holds {}", path.display())))
}

/// What `SHOW GRANTS` says of making the database `name`.
fn may_make(grants: &[String], name: &str) -> Right {
    let wanted = ["CREATE", "DROP", "INSERT", "SELECT"];
    let mut roles = false;
    for grant in grants {
        match granted(grant, name) {
            // All in one: a scratch database's name is new, so no other line fits it.
            Granted::These(privileges) if wanted.iter().all(|one| privileges.contains(one)) => return Right::Held,
            Granted::All => return Right::Held,
            Granted::Role => roles = true,
            Granted::These(_) | Granted::Elsewhere => {}
        }
    }
    if roles { Right::Unclear } else { Right::Lacking }
}

/// What a line of `SHOW GRANTS` gives in a whole database.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Granted<'g> {
    /// Everything.
    All,
    /// These privileges.
    These(Vec<&'g str>),
    /// A role, which may give anything.
    Role,
    /// Nothing there.
    Elsewhere,
}

/// What a line of `SHOW GRANTS` gives in the whole database `name`.
pub(super) fn granted<'g>(grant: &'g str, name: &str) -> Granted<'g> {
    let Some(rest) = grant.strip_prefix("GRANT ") else { return Granted::Elsewhere };
    let Some((privileges, rest)) = rest.split_once(" ON ") else { return Granted::Role };
    let Some((pattern, _)) = rest.split_once(".*") else { return Granted::Elsewhere };
    let pattern = pattern.trim_matches('`').replace("``", "`");
    if pattern != "*" && !like(&pattern, name) {
        return Granted::Elsewhere;
    }
    if privileges.starts_with("ALL PRIVILEGES") {
        return Granted::All;
    }
    Granted::These(privileges.split(", ").collect())
}

/// Whether a line of `SHOW GRANTS` makes its user one who may create triggers whatever is logged.
fn trusted(grant: &str) -> bool {
    let Some((privileges, rest)) = grant.strip_prefix("GRANT ").and_then(|grant| grant.split_once(" ON ")) else {
        return false;
    };
    let has = |wanted: &str| privileges.split(", ").any(|privilege| privilege == wanted);
    rest.starts_with("*.*") && (privileges.starts_with("ALL PRIVILEGES") || has("SUPER"))
}

/// Whether `name` is like a pattern with `%`, `_` and `\\` before characters that mean themselves.
fn like(pattern: &str, name: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('%') => {
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.into_iter().any(|at| like(rest.as_str(), &name[at..]))
        }
        Some(c) => {
            let any = c == '_';
            let wanted = if c == '\\' { rest.next() } else { Some(c) };
            let mut name = name.chars();
            name.next().is_some_and(|c| any || Some(c) == wanted) && like(rest.as_str(), name.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_tell_whether_a_scratch_database_can_be_made() {
        let name = "leapfrog_scratch_0123456789abcdef";
        let right = |grants: &[&str]| {
            let grants: Vec<String> = grants.iter().map(|grant| (*grant).to_owned()).collect();
            may_make(&grants, name)
        };
        let usage = "GRANT USAGE ON *.* TO `nova`@`%` IDENTIFIED BY PASSWORD '*X'";
        assert_eq!(right(&[usage]), Right::Lacking);
        assert_eq!(right(&[usage, "GRANT ALL PRIVILEGES ON `nova`.* TO `nova`@`%`"]), Right::Lacking);
        assert_eq!(right(&["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"]), Right::Held);
        assert_eq!(right(&[usage, r"GRANT ALL PRIVILEGES ON `leapfrog\_scratch\_%`.* TO `nova`@`%`"]), Right::Held);
        assert_eq!(right(&["GRANT SELECT, INSERT, UPDATE, CREATE, DROP ON *.* TO `a`@`b`"]), Right::Held);
        assert_eq!(right(&["GRANT CREATE VIEW, CREATE ROUTINE ON *.* TO `a`@`b`"]), Right::Lacking);
        assert_eq!(right(&["GRANT ALL PRIVILEGES ON `leapfrogXscratch\\_%`.* TO `a`@`b`"]), Right::Lacking);
        assert_eq!(right(&["GRANT SELECT ON `nova`.`alembic_version` TO `a`@`b`"]), Right::Lacking);
        assert!(trusted("GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"));
        assert!(
            trusted("GRANT RELOAD, SUPER ON *.* TO `a`@`b`") && !trusted("GRANT ALL PRIVILEGES ON `n`.* TO `a`@`b`")
        );
        assert_eq!(right(&[usage, "GRANT `operators` TO `nova`@`%`"]), Right::Unclear);
    }
}
