//! Who else is connected to a database: what a fence is made of.

use std::collections::BTreeSet;

use super::connection::{Connection, QueryError};
use crate::model::Engine;

/// Somebody's connection to a database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    /// The server's number for it; for SQLite the process that has the file open.
    pub id: u64,
    /// The database user; empty for SQLite.
    pub user: String,
    /// Where it comes from, without the port; `local` for a socket.
    pub host: String,
    /// What the client calls itself, where it does.
    pub program: Option<String>,
}

/// Everybody's connections to a database but our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sessions {
    /// The connections.
    pub others: Vec<Session>,
    /// Whether all users' connections are seen: on MySQL that takes the PROCESS privilege, and without it
    /// a user sees its own alone.
    pub whole: bool,
    /// The statement with which an administrator lets this user see all, where it does not.
    pub grant: Option<String>,
}

impl Connection {
    /// The sessions on this connection's database, this one, those of other leapfrog questions, and those
    /// in `own` left out. `file` is the path of an SQLite database.
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn sessions(&mut self, own: &BTreeSet<u64>, file: &str) -> Result<Sessions, QueryError> {
        let mut sessions = match self.engine() {
            Engine::Mysql => self.mysql_sessions().await?,
            Engine::Postgresql => self.postgresql_sessions().await?,
            Engine::Sqlite => file_sessions(file),
        };
        sessions.others.retain(|session| !own.contains(&session.id));
        sessions.others.sort();
        Ok(sessions)
    }

    async fn mysql_sessions(&mut self) -> Result<Sessions, QueryError> {
        let rows = self
            .rows(
                "SELECT ID, USER, HOST FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND \
                 ID <> CONNECTION_ID() AND COMMAND NOT IN ('Daemon', 'Binlog Dump', 'Binlog Dump GTID')",
            )
            .await?;
        let others = rows.into_iter().filter_map(|row| session(row, without_port));
        let others: Vec<Session> = others.collect();
        let user = "CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), \
                    '''')";
        let privilege = format!(
            "SELECT {user}, (SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'PROCESS' AND \
             GRANTEE = {user})"
        );
        let mut cells = self.rows(&privilege).await?.concat().into_iter();
        let (user, count) = (cells.next().flatten().unwrap_or_default(), cells.next().flatten());
        let whole = count.is_some_and(|count| count != "0");
        Ok(Sessions { others, whole, grant: (!whole).then(|| format!("GRANT PROCESS ON *.* TO {user}")) })
    }

    async fn postgresql_sessions(&mut self) -> Result<Sessions, QueryError> {
        let rows = self
            .rows(
                // Of roles that this one may not look into, the server tells neither the kind nor the address, but that they
                // are there. Workers of its own have no user.
                "SELECT pid, usename, CASE WHEN backend_type IS NULL THEN 'a host that this user may not see' \
                 ELSE coalesce(host(client_addr), 'local') END, nullif(application_name, '') \
                 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                 AND (backend_type = 'client backend' OR backend_type IS NULL AND usesysid IS NOT NULL) \
                 AND coalesce(application_name, '') <> 'leapfrog'",
            )
            .await?;
        let others = rows.into_iter().filter_map(|row| session(row, |host| host)).collect();
        Ok(Sessions { others, whole: true, grant: None })
    }
}

/// MySQL's and MariaDB's `host:port`, without the port. Addresses of version 6 have colons of their own.
fn without_port(host: &str) -> &str {
    let whole =
        host.rsplit_once(':').filter(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    whole.map_or(host, |(host, _)| host)
}

/// A row of number, user, host and perhaps program.
fn session(row: Vec<Option<String>>, host: impl Fn(&str) -> &str) -> Option<Session> {
    let mut cells = row.into_iter();
    let id = cells.next()??.parse().ok()?;
    let user = cells.next()?.unwrap_or_default();
    let from = cells.next()?.unwrap_or_default();
    Some(Session { id, user, host: host(&from).to_owned(), program: cells.next().flatten() })
}

/// The processes that have `file` open, as far as this user may see.
fn file_sessions(file: &str) -> Sessions {
    let mut sessions = Sessions { others: Vec::new(), whole: true, grant: None };
    let Ok(wanted) = std::fs::canonicalize(file) else { return sessions };
    let own = std::fs::read_link("/proc/self").ok();
    let Ok(processes) = std::fs::read_dir("/proc") else { return Sessions { whole: false, ..sessions } };
    for process in processes.flatten() {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse::<u64>().ok()) else { continue };
        if own.as_deref().is_some_and(|own| own.as_os_str() == process.file_name()) {
            continue;
        }
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else {
            // Another user's process, or one that has just ended.
            sessions.whole &= !process.path().exists();
            continue;
        };
        if files.flatten().any(|open| std::fs::read_link(open.path()).is_ok_and(|path| path == wanted)) {
            let program = std::fs::read_to_string(process.path().join("comm")).ok().map(|name| name.trim().to_owned());
            sessions.others.push(Session { id, user: String::new(), host: "local".to_owned(), program });
        }
    }
    sessions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_a_number_is_no_session() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(["db1:4711", "fd00::5:53212", "localhost"].map(without_port), ["db1", "fd00::5", "localhost"]);
        assert_eq!(session(vec![text("x"), text("nova"), text("db1")], |host| host), None);
        assert_eq!(session(vec![None], |host| host), None);
        let found = session(vec![text("7"), text("nova"), text("api1")], |host| host);
        assert_eq!(found, Some(Session { id: 7, user: "nova".into(), host: "api1".into(), program: None }));
    }

    #[test]
    fn a_process_that_has_the_file_open_is_seen() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let path = file.path().to_str().expect("text");
        assert_eq!(file_sessions(path).others, Vec::new(), "this process does not count");
    }
}
