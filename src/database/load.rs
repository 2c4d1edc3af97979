//! How busy a server is, and how far behind a replica: what whoever writes much has to give way to.

use std::collections::BTreeMap;

use super::connection::{Connection, QueryError};
use crate::model::Engine;

/// How busy a server is at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Load {
    /// Sessions that work now, this one left out.
    pub running: u64,
    /// Sessions that wait for a lock on a row or a table.
    pub lock_waits: u64,
    /// How long a Galera cluster has held writers back since the server began, in nanoseconds; absent elsewhere.
    pub held_back: Option<u64>,
    /// How far the slowest standby is behind, in seconds, where the server knows (PostgreSQL).
    pub standby_lag: Option<f64>,
}

/// How far a replica is behind.
#[derive(Debug, Clone, PartialEq)]
pub enum Lag {
    /// So many seconds.
    Seconds(f64),
    /// It does not replicate; why, as far as the server says.
    Stopped(String),
    /// It is no replica.
    None,
}

impl Connection {
    /// How busy the server is; nothing is busy about a file.
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn load(&mut self) -> Result<Load, QueryError> {
        match self.engine() {
            Engine::Sqlite => Ok(Load::default()),
            Engine::Mysql => {
                let query = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_running', \
                             'Innodb_row_lock_current_waits', 'wsrep_flow_control_paused_ns')";
                let mut found = BTreeMap::new();
                for row in self.rows(query).await? {
                    let mut cells = row.into_iter().flatten();
                    if let (Some(name), Some(value)) = (cells.next(), cells.next()) {
                        found.insert(name.to_ascii_lowercase(), value.parse::<u64>().ok());
                    }
                }
                let number = |name: &str| found.get(name).copied().flatten();
                let mut lock_waits = number("innodb_row_lock_current_waits").unwrap_or_default();
                if lock_waits > 0 {
                    // That counter may stay where it is on a server that does nothing (MySQL's bug 94775). Whoever waits is a
                    // transaction, which a user without PROCESS does not see.
                    let waiting = "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'";
                    lock_waits = self.number(waiting).await.map_or(lock_waits, |waiting| waiting as u64);
                }
                Ok(Load {
                    running: number("threads_running").unwrap_or_default().saturating_sub(1),
                    lock_waits,
                    held_back: number("wsrep_flow_control_paused_ns"),
                    standby_lag: None,
                })
            }
            Engine::Postgresql => {
                let query = "SELECT count(*) FILTER (WHERE state = 'active' AND pid <> pg_backend_pid()), \
                             count(*) FILTER (WHERE wait_event_type = 'Lock'), \
                             (SELECT extract(epoch FROM max(replay_lag)) FROM pg_stat_replication) \
                             FROM pg_stat_activity WHERE backend_type = 'client backend'";
                let row = self.rows(query).await?.concat();
                let cell = |place: usize| row.get(place).cloned().flatten();
                let number = |place| cell(place).and_then(|text| text.parse().ok()).unwrap_or_default();
                let standby_lag = cell(2).and_then(|text| text.parse().ok());
                Ok(Load { running: number(0), lock_waits: number(1), held_back: None, standby_lag })
            }
        }
    }

    /// How many bytes MariaDB's redo log has; nothing elsewhere, where nobody was seen to wait for it.
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn redo_log(&mut self) -> Result<Option<u64>, QueryError> {
        if self.engine() != Engine::Mysql || !self.is_mariadb().await? {
            return Ok(None);
        }
        // Until 10.5 it may be several files.
        let query =
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('innodb_log_file_size', 'innodb_log_files_in_group')";
        let numbers =
            self.rows(query).await?.into_iter().filter_map(|row| row.into_iter().nth(1)??.parse::<u64>().ok());
        Ok(numbers.reduce(u64::saturating_mul))
    }

    /// How far this server is behind the one that it replicates.
    ///
    /// # Errors
    /// The server does not tell: MariaDB wants REPLICA MONITOR for it, MySQL REPLICATION CLIENT.
    pub async fn lag(&mut self) -> Result<Lag, QueryError> {
        match self.engine() {
            Engine::Sqlite => Ok(Lag::None),
            Engine::Mysql => {
                let query = if self.is_mariadb().await? { "SHOW ALL SLAVES STATUS" } else { "SHOW REPLICA STATUS" };
                let sources = self.named_rows(query).await?;
                Ok(sources.iter().map(behind).fold(Lag::None, slower))
            }
            Engine::Postgresql => {
                // Without its receiver a standby has replayed all that it got, and gets nothing more. One that was never sent
                // anything takes its log from an archive.
                let query = "SELECT CASE WHEN NOT pg_is_in_recovery() THEN NULL \
                             WHEN pg_last_wal_receive_lsn() IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_stat_wal_receiver) \
                             THEN -1 WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 \
                             ELSE coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) END";
                let seconds = self.rows(query).await?.concat().into_iter().flatten().next();
                Ok(match seconds.and_then(|text| text.parse::<f64>().ok()) {
                    None => Lag::None,
                    Some(seconds) if seconds < 0.0 => Lag::Stopped("it is not connected to its primary".to_owned()),
                    Some(seconds) => Lag::Seconds(seconds),
                })
            }
        }
    }
}

/// What one source's line of a replica's status says.
fn behind(status: &BTreeMap<String, Option<String>>) -> Lag {
    let cell = |names: [&str; 2]| names.iter().find_map(|name| status.get(*name).cloned().flatten());
    let seconds = cell(["Seconds_Behind_Master", "Seconds_Behind_Source"]).and_then(|text| text.parse().ok());
    if let Some(seconds) = seconds {
        return Lag::Seconds(seconds);
    }
    let errors = [["Last_SQL_Error", "Last_SQL_Error"], ["Last_IO_Error", "Last_IO_Error"]];
    let error = errors.into_iter().filter_map(cell).find(|text| !text.is_empty());
    Lag::Stopped(error.unwrap_or_else(|| "its threads are stopped".to_owned()))
}

/// The worse of two.
fn slower(one: Lag, two: Lag) -> Lag {
    match (one, two) {
        (Lag::Seconds(one), Lag::Seconds(two)) => Lag::Seconds(one.max(two)),
        (Lag::None, other) | (other, Lag::None) => other,
        (stopped @ Lag::Stopped(_), _) | (_, stopped @ Lag::Stopped(_)) => stopped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(cells: &[(&str, &str)]) -> BTreeMap<String, Option<String>> {
        cells.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect()
    }

    #[test]
    fn the_slowest_source_counts_and_one_that_stopped_before_all() {
        let of = |lines: &[&[(&str, &str)]]| lines.iter().map(|line| behind(&status(line))).fold(Lag::None, slower);
        assert_eq!(of(&[]), Lag::None);
        assert_eq!(of(&[&[("Seconds_Behind_Master", "3")], &[("Seconds_Behind_Master", "7")]]), Lag::Seconds(7.0));
        assert_eq!(of(&[&[("Seconds_Behind_Source", "0")]]), Lag::Seconds(0.0));
        let stopped = Lag::Stopped("Duplicate entry".to_owned());
        assert_eq!(of(&[&[("Seconds_Behind_Master", "3")], &[("Last_SQL_Error", "Duplicate entry")]]), stopped);
        assert_eq!(of(&[&[]]), Lag::Stopped("its threads are stopped".to_owned()));
    }
}
