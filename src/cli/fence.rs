//! The fence: who else is connected to the databases, and which services still report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::heartbeats::{Heartbeats, Moving};
use crate::conduct::{Fence, failure};
use crate::database::{Connection, Session, Sessions, connect};
use crate::journal::Failure;
use crate::model::{ConnectionUrl, DatabaseId};

/// Looks at who is connected to the databases.
pub(super) struct DatabaseFence {
    pub(super) urls: BTreeMap<DatabaseId, ConnectionUrl>,
    pub(super) own: BTreeSet<u64>,
    pub(super) timeout: Duration,
    pub(super) heartbeats: Arc<Heartbeats>,
}

impl DatabaseFence {
    /// The sessions of others, by database; none where the database could not be asked.
    pub(super) async fn sessions(&self) -> Vec<(DatabaseId, Option<Sessions>)> {
        let looking = self.urls.iter().map(|(id, url)| async move {
            let asking = async {
                let mut connection = connect(url, self.timeout).await.ok()?;
                let sessions = connection.sessions(&self.own, url.name()).await.ok();
                connection.close().await;
                sessions
            };
            (id.clone(), tokio::time::timeout(self.timeout, asking).await.ok().flatten())
        });
        join_all(looking).await
    }

    /// Who else is connected, by user, host and program with the databases; and the databases where only
    /// this user's own sessions could be seen.
    async fn others(&self) -> (BTreeMap<String, BTreeSet<DatabaseId>>, BTreeSet<DatabaseId>) {
        let mut others: BTreeMap<String, BTreeSet<DatabaseId>> = BTreeMap::new();
        let mut partly = BTreeSet::new();
        for (id, sessions) in self.sessions().await {
            // A database that cannot be asked now fails the step that needs it, with its own words.
            let Some(sessions) = sessions else { continue };
            for session in &sessions.others {
                others.entry(name(session)).or_default().insert(id.clone());
            }
            if !sessions.whole {
                partly.insert(id);
            }
        }
        (others, partly)
    }

    /// Looks twice where somebody is seen: a session that is just ending is nobody.
    async fn settled(&self) -> (BTreeMap<String, BTreeSet<DatabaseId>>, BTreeSet<DatabaseId>) {
        let first = self.others().await;
        if first.0.is_empty() {
            return first;
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        self.others().await
    }

    /// The databases where only this user's own sessions can be seen.
    pub(super) async fn blind(&self) -> BTreeSet<DatabaseId> {
        self.others().await.1
    }
}

/// Connections that look again and again, so that none of leapfrog's own comes and goes meanwhile.
pub(super) struct Watch<'f> {
    fence: &'f DatabaseFence,
    connections: Vec<(DatabaseId, Option<Connection>)>,
}

impl DatabaseFence {
    /// Connects to these databases, to look at their sessions for a while.
    pub(super) async fn watch(&self, databases: &BTreeSet<&DatabaseId>) -> Watch<'_> {
        let mut connections = Vec::new();
        for (id, url) in self.urls.iter().filter(|(id, _)| databases.contains(id)) {
            connections.push((id.clone(), connect(url, self.timeout).await.ok()));
        }
        Watch { fence: self, connections }
    }
}

impl Watch<'_> {
    /// The sessions of others, by database; none where the database could not be asked.
    pub(super) async fn sessions(&mut self) -> Vec<(DatabaseId, Option<Sessions>)> {
        let mut found = Vec::new();
        for (id, connection) in &mut self.connections {
            let file = self.fence.urls.get(id).map_or("", |url| url.name());
            let sessions = match connection {
                Some(connection) => {
                    let asking = connection.sessions(&self.fence.own, file);
                    tokio::time::timeout(self.fence.timeout, asking).await.ok().and_then(Result::ok)
                }
                None => None,
            };
            found.push((id.clone(), sessions));
        }
        found
    }

    /// Lets go of the connections.
    pub(super) async fn close(self) {
        for connection in self.connections.into_iter().filter_map(|(_, connection)| connection) {
            connection.close().await;
        }
    }
}

/// A session as the operator looks for it.
pub(super) fn name(session: &Session) -> String {
    let user = if session.user.is_empty() { format!("process {}", session.id) } else { session.user.clone() };
    match &session.program {
        Some(program) => format!("{user} from {} ({program})", session.host),
        None => format!("{user} from {}", session.host),
    }
}

/// That services were not stopped, where some were not.
pub(super) fn still_running(moving: &[Moving]) -> Option<Failure> {
    if moving.is_empty() {
        return None;
    }
    let moving: Vec<&str> = moving.iter().map(|one| one.told.as_str()).collect();
    Some(failure(
        format!("services still run; their heartbeats move: {}", moving.join("; ")),
        "stop those services, then run the same command again; `--fence off` goes on beside them, and they may write \
         what a migration does not expect"
            .to_owned(),
    ))
}

#[async_trait::async_trait]
impl Fence for DatabaseFence {
    async fn broken(&self) -> Option<Failure> {
        self.connected().await.or(still_running(&self.heartbeats.moving(false, &|_, _| {}).await))
    }
}

impl DatabaseFence {
    /// That somebody else is connected, where that is so.
    pub(super) async fn connected(&self) -> Option<Failure> {
        let (others, _) = self.settled().await;
        if others.is_empty() {
            return None;
        }
        let told = others.iter().map(|(who, where_)| {
            let databases: Vec<String> = where_.iter().map(DatabaseId::to_string).collect();
            format!("{who} in {}", databases.join(", "))
        });
        Some(failure(
            format!("somebody else is connected to the databases: {}", told.collect::<Vec<_>>().join("; ")),
            "stop those services and clients, then run the same command again; `--fence off` goes on beside them, and \
             they may write what a migration does not expect"
                .to_owned(),
        ))
    }
}
