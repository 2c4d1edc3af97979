//! The demo's databases on a server: made for one demo, known again, dropped.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::cli::exit::Exit;
use crate::cli::leap::host_name;
use crate::cli::stop::Stop;
use crate::database::{
    self, Connection, DatabaseLock, Holder, LockError, Purpose, QueryError, connect, connect_for, lobby,
};
use crate::demo::PREFIX;
use crate::model::{ConnectionUrl, Engine};
use crate::plan::{Refusal, RefusalKind};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The databases of one demo, which hold a lock against another demo.
pub(super) struct Server {
    server: ConnectionUrl,
    names: BTreeSet<String>,
    lock: DatabaseLock,
}

impl Server {
    /// Makes empty databases of these names. What an earlier demo left is dropped first if that was asked for.
    pub(super) async fn make(server: &ConnectionUrl, names: BTreeSet<String>, replace: bool) -> Result<Self, Stop> {
        let marker = server.clone().with_name(PREFIX);
        let mut connection = enter(server).await?;
        let made = Self::make_by(&mut connection, server, &marker, names, replace).await;
        connection.close().await;
        made
    }

    async fn make_by(
        connection: &mut Connection,
        server: &ConnectionUrl,
        marker: &ConnectionUrl,
        names: BTreeSet<String>,
        replace: bool,
    ) -> Result<Self, Stop> {
        let refused = |error| unwilling(server, error);
        let there = connection.databases(PREFIX).await.map_err(refused)?;
        let there: BTreeSet<String> = there.into_iter().filter(|name| name == PREFIX || names.contains(name)).collect();
        if there.is_empty() {
            connection.make_database(PREFIX).await.map_err(refused)?;
            let mut own = connect_for(marker, Purpose::Change, PATIENCE).await.map_err(|error| away(server, &error))?;
            let marked = own.rows(&format!("CREATE TABLE {PREFIX} (made INTEGER)")).await;
            own.close().await;
            marked.map_err(refused)?;
        } else if !is_a_demo_s(marker).await {
            let next = "look what they are, and rename or drop them; or name another server".to_owned();
            return Err(taken(server, &there, "that are no demo's", next));
        }
        let lock = database::lock(marker, &holder(), PATIENCE).await.map_err(|error| held(server, &there, &error))?;
        if !there.is_empty() && !replace {
            let next = "`leapfrog demo --replace` with the same options drops them first".to_owned();
            return Err(taken(server, &there, "that an earlier demo left", next));
        }
        for name in there.iter().filter(|name| *name != PREFIX) {
            connection.drop_database(name).await.map_err(refused)?;
        }
        for name in &names {
            connection.make_database(name).await.map_err(refused)?;
        }
        Ok(Self { server: server.clone(), names, lock })
    }

    /// Drops them, the one that marks them last.
    pub(super) async fn drop(self) -> Result<(), Stop> {
        let mut connection = enter(&self.server).await?;
        let mut dropped = Ok(());
        for name in &self.names {
            dropped = dropped.and(connection.drop_database(name).await);
        }
        self.lock.release(PATIENCE).await;
        if dropped.is_ok() {
            dropped = connection.drop_database(PREFIX).await;
        }
        connection.close().await;
        dropped.map_err(|error| unwilling(&self.server, error))
    }
}

async fn enter(server: &ConnectionUrl) -> Result<Connection, Stop> {
    let connection = connect_for(&lobby(server), Purpose::Change, PATIENCE).await;
    connection.map_err(|error| away(server, &error))
}

/// Whether the database that marks the others has the marker in it.
async fn is_a_demo_s(marker: &ConnectionUrl) -> bool {
    let Ok(mut connection) = connect(marker, PATIENCE).await else { return false };
    let marked = connection.rows(&format!("SELECT made FROM {PREFIX}")).await.is_ok();
    connection.close().await;
    marked
}

fn holder() -> Holder {
    let since = Timestamp::now().strftime("%F %T UTC").to_string();
    Holder { host: host_name(), pid: std::process::id(), since }
}

fn refusal(kind: RefusalKind, what: String, found: Option<String>, next: String) -> Stop {
    Stop::refused(vec![Refusal { kind, database: None, what, found, expected: None, next }])
}

fn taken(server: &ConnectionUrl, names: &BTreeSet<String>, whose: &str, next: String) -> Stop {
    let found: Vec<&str> = names.iter().map(String::as_str).collect();
    let what = format!("{} has databases of the demo's names {whose}", server.server());
    refusal(RefusalKind::Locked, what, Some(found.join(", ")), next)
}

fn held(server: &ConnectionUrl, names: &BTreeSet<String>, error: &LockError) -> Stop {
    let stop = taken(server, names, &format!("in use: failed to {}", database::chain(error)), error.advice());
    Stop { exit: Exit::Locked, ..stop }
}

fn away(server: &ConnectionUrl, error: &database::ConnectError) -> Stop {
    let what = format!("failed to use {} for the demo: {}", server.server(), database::chain(error));
    refusal(RefusalKind::Unreachable, what, None, error.advice().to_owned())
}

fn unwilling(server: &ConnectionUrl, error: QueryError) -> Stop {
    let next = match (&error, server.engine()) {
        (QueryError::Privilege { .. }, Engine::Postgresql) => {
            "let an administrator run: ALTER ROLE … CREATEDB".to_owned()
        }
        (QueryError::Privilege { .. }, _) => {
            format!("let an administrator of the server run: GRANT ALL ON `{}%`.* TO …", PREFIX.replace('_', "\\_"))
        }
        _ => error.advice().to_owned(),
    };
    let what =
        format!("{} does not let the demo make or drop its databases: {}", server.server(), database::chain(&error));
    refusal(RefusalKind::Unreachable, what, None, next)
}
