//! What `leapfrog trip` takes.

use std::collections::BTreeMap;

use anyhow::{anyhow, bail};
use camino::Utf8PathBuf;
use clap::Args;

use crate::cli::arguments::path;
use crate::model::{ConnectionUrl, DatabaseId, Service};
use crate::trip::{Limits, Order};

/// Which rows to touch, and how.
#[derive(Debug, Clone, Args)]
pub struct TripArguments {
    /// Only these services, separated by commas
    #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
    pub only: Vec<Service>,

    /// Only this database, such as keystone or nova.cells.cell1; may be repeated
    #[arg(long, value_name = "DATABASE")]
    pub database: Vec<DatabaseId>,

    /// Only this table; may be repeated. Default: all that have row triggers for updates
    #[arg(long, value_name = "TABLE")]
    pub table: Vec<String>,

    /// How many parts of a table to work on at once: 1 or 2
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub workers: u8,

    /// How long a batch should take, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = Order::BATCH.as_millis() as u64,
          value_parser = clap::value_parser!(u64).range(10..=5000))]
    pub batch_time: u64,

    /// A replica to wait for, reached with the login of the cloud file: HOST or HOST:PORT; may be repeated
    #[arg(long, value_name = "SERVER")]
    pub replica: Vec<String>,

    /// How many seconds a replica may be behind
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::USUAL.lag as u32)]
    pub max_lag: u32,

    /// How many sessions may work at once on the server
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::USUAL.running)]
    pub max_running: u64,

    /// How many sessions may wait for locks
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::USUAL.lock_waits)]
    pub max_lock_waits: u64,

    /// A file that pauses as long as it is there, besides the one of `leapfrog pause`
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub pause_file: Option<Utf8PathBuf>,

    /// What counts the rows of a table that are left, TABLE=QUERY; may be repeated. It has to be zero at the end
    #[arg(long, value_name = "TABLE=QUERY")]
    pub remainder: Vec<String>,

    /// Nobody inserts rows meanwhile: for tables whose triggers run for updates alone
    #[arg(long)]
    pub no_inserts: bool,

    /// Remove what earlier trips wrote down of how far they were, and touch nothing
    #[arg(long, conflicts_with_all = ["table", "remainder", "replica", "pause_file", "no_inserts"])]
    pub forget: bool,

    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short)]
    pub yes: bool,
}

impl TripArguments {
    /// The remainder queries by table.
    pub(super) fn remainders(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let mut queries = BTreeMap::new();
        for text in &self.remainder {
            let (table, query) = text
                .split_once('=')
                .filter(|(table, query)| !table.trim().is_empty() && !query.trim().is_empty())
                .ok_or_else(|| {
                    anyhow!("--remainder {text}: write TABLE=QUERY, such as user='SELECT count(*) FROM …'")
                })?;
            queries.insert(table.trim().to_owned(), query.trim().to_owned());
        }
        Ok(queries)
    }

    /// The replicas of `url`'s database.
    pub(super) fn replicas(&self, url: &ConnectionUrl) -> anyhow::Result<Vec<ConnectionUrl>> {
        self.replica.iter().map(|server| replica(url, server)).collect()
    }
}

fn replica(url: &ConnectionUrl, server: &str) -> anyhow::Result<ConnectionUrl> {
    let (host, port) = match server.rsplit_once(':') {
        // An address of version 6 is written in brackets.
        Some((host, port)) if !port.contains(']') => match port.parse() {
            Ok(port) => (host, port),
            Err(_) => bail!("--replica {server}: `{port}` is no port"),
        },
        _ => (server, url.port()),
    };
    if host.is_empty() || host.contains(['/', '@']) {
        bail!("--replica {server}: write HOST or HOST:PORT; the login is that of the cloud file");
    }
    Ok(url.clone().with_server(host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_another_server_with_the_same_login_and_database() {
        let url: ConnectionUrl =
            "mysql+pymysql://nova:Secret@db1/nova?unix_socket=/run/m.sock&ssl_ca=/ca.pem".parse().expect("a URL");
        let there = |server| replica(&url, server).map(|url| url.for_service().expose().to_owned());
        assert_eq!(there("db2").expect("one"), "mysql+pymysql://nova:Secret@db2:3306/nova?ssl_ca=%2Fca.pem");
        assert_eq!(there("[::1]:3307").expect("one"), "mysql+pymysql://nova:Secret@[::1]:3307/nova?ssl_ca=%2Fca.pem");
        for wrong in ["db2:x", "", "root@db2", "mysql://db2/nova"] {
            assert!(there(wrong).is_err(), "{wrong}");
        }
    }
}
