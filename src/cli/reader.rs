//! Reading the databases for the conductor: a connection a question.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::conduct::DatabaseReader;
use crate::model::{ConnectionUrl, DatabaseId, Engine, Heads, RecordedService, Trigger, Unreachable};

/// How long a count over a large table may take.
const COUNTING: Duration = Duration::from_secs(30 * 60);

/// How long a count may take that is only for the progress.
const GLANCE: Duration = Duration::from_secs(2 * 60);

/// Reads the databases of a cloud file.
///
/// Each question opens a connection of its own: hours lie between them, and a server may have been
/// restarted meanwhile.
pub(super) struct LiveReader {
    pub(super) databases: BTreeMap<DatabaseId, ConnectionUrl>,
    pub(super) timeout: Duration,
}

#[async_trait::async_trait]
impl DatabaseReader for LiveReader {
    async fn heads(&self, database: &DatabaseId) -> Result<Heads, Unreachable> {
        crate::observe::heads_of(self.url(database)?, self.timeout).await
    }

    async fn tables(&self, database: &DatabaseId) -> Result<u64, Unreachable> {
        crate::observe::tables_of(self.url(database)?, self.timeout).await
    }

    async fn triggers(&self, database: &DatabaseId) -> Result<Vec<Trigger>, Unreachable> {
        crate::observe::triggers_of(self.url(database)?, self.timeout).await
    }

    async fn count(&self, database: &DatabaseId, query: &str) -> Result<u64, Unreachable> {
        crate::observe::count(self.url(database)?, query, self.timeout, COUNTING).await
    }

    async fn left(&self, database: &DatabaseId, query: &str) -> Result<u64, Unreachable> {
        let url = self.url(database)?;
        if url.engine() == Engine::Sqlite {
            // Its readers hold up its writers, and those give up after seconds.
            return Err(Unreachable {
                reason: "rows in an SQLite file are not counted while a command writes to it".to_owned(),
                advice: "wait for the end of the round".to_owned(),
            });
        }
        crate::observe::count(url, query, self.timeout, GLANCE).await
    }

    async fn services(&self, database: &DatabaseId, query: &str) -> Result<Vec<RecordedService>, Unreachable> {
        crate::observe::recorded_services_of(self.url(database)?, query, self.timeout).await
    }
}

impl LiveReader {
    fn url(&self, database: &DatabaseId) -> Result<&ConnectionUrl, Unreachable> {
        self.databases.get(database).ok_or_else(|| Unreachable {
            reason: format!("the cloud file names no database {database}"),
            advice: "add it to the cloud file: it was there when the run began".to_owned(),
        })
    }
}
