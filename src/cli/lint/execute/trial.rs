//! A scratch database in which migrations of one database are tried, and the relay that hears them.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::cli::stop::Stop;
use crate::database::{Relay, Scratch, ScratchError, ScratchUse, chain, connect};
use crate::lint::Target;
use crate::model::{ConnectionUrl, DatabaseId, Engine, Shape};
use crate::plan::{Refusal, RefusalKind};
use crate::restore::{RestoreError, SchemaCopy};

/// How often a scratch database is tried to be dropped: a command's sessions may end a moment after it.
const TRIES: u32 = 10;

/// What is between two tries.
const PAUSE: Duration = Duration::from_millis(300);

/// A database whose migrations are tried.
pub(super) struct Trial {
    pub(super) id: DatabaseId,
    pub(super) target: Target,
    pub(super) timeout: Duration,
    original: ConnectionUrl,
    copy: SchemaCopy,
    dump: Utf8PathBuf,
    /// Where it is tried; the scratch database of a server exists from the first [`Trial::renew`] on.
    url: ConnectionUrl,
    made: Option<Scratch>,
    relay: Option<Relay>,
}

/// A reason not to begin, or not to go on.
pub(super) fn sorry(kind: RefusalKind, database: Option<&DatabaseId>, what: String, next: String) -> Stop {
    Stop::refused(vec![refusal(kind, database, what, next)])
}

fn refusal(kind: RefusalKind, database: Option<&DatabaseId>, what: String, next: String) -> Refusal {
    Refusal { kind, database: database.cloned(), what, found: None, expected: None, next }
}

impl Trial {
    /// Looks whether a scratch database could be made, and takes the schema. Nothing is made on the server.
    pub(super) async fn prepare(
        id: &DatabaseId,
        original: &ConnectionUrl,
        target: Target,
        directory: &Utf8Path,
        timeout: Duration,
    ) -> Result<Self, Stop> {
        let dump = directory.join(format!("{id}.sql.zst"));
        if original.engine() != Engine::Sqlite {
            let could = Scratch::could_be_made(original, ScratchUse::Trial, timeout).await;
            could.map_err(|error| unmade(id, &error))?;
        }
        let copy = SchemaCopy::take(original, &dump, timeout).await;
        let copy = copy.map_err(|error| uncopied(id, &error))?;
        let url = original.clone().with_name(directory.join(format!("{id}.sqlite")).into_string());
        let original = original.clone();
        Ok(Self { id: id.clone(), target, timeout, original, copy, dump, url, made: None, relay: None })
    }

    /// Makes the scratch database with the schema of the original, in the place of what there was.
    pub(super) async fn renew(&mut self) -> Result<(), Stop> {
        self.relay = None;
        if self.original.engine() == Engine::Sqlite {
            self.url = absolute(&self.url);
            let _ = std::fs::remove_file(self.url.name());
            let made = std::fs::File::create(self.url.name());
            let next = "look at the directory's owner and at the disk's space".to_owned();
            let what = |error| format!("failed to make {}: {error}", self.url.name());
            made.map_err(|error| sorry(RefusalKind::Unreachable, Some(&self.id), what(error), next))?;
        } else {
            self.drop_scratch().await.map_err(|refusal| Stop::refused(vec![refusal]))?;
            let scratch = Scratch::make(&self.original, ScratchUse::Trial, self.timeout).await;
            let scratch = scratch.map_err(|error| unmade(&self.id, &error))?;
            self.url = scratch.url().clone();
            self.made = Some(scratch);
        }
        self.copy.bring_to(&self.url).await.map_err(|error| uncopied(&self.id, &error))
    }

    /// Begins to hear what is said to it.
    pub(super) async fn listen(&mut self) -> Result<(), Stop> {
        if self.original.engine() == Engine::Sqlite {
            return Ok(());
        }
        let relay = Relay::open(&self.url).await;
        let relay = relay.map_err(|error| Stop::internal(anyhow::anyhow!("failed to listen on 127.0.0.1: {error}")))?;
        if let Err(error) = relay.is_let_in(self.timeout).await {
            let server = self.original.server();
            let what = format!("{server} does not let this user in without encryption: failed to {}", chain(&error));
            let next = "statements can only be heard where they are not encrypted: let an administrator make a user that \
                        may come in without (no REQUIRE SSL; `host` in the place of `hostssl`) for a server without the \
                        cloud's data, or leave --execute away";
            return Err(sorry(RefusalKind::Unreachable, Some(&self.id), what, next.to_owned()));
        }
        self.relay = Some(relay);
        Ok(())
    }

    /// The scratch database itself.
    pub(super) fn scratch(&self) -> &ConnectionUrl {
        &self.url
    }

    /// The scratch database as commands get to it.
    pub(super) fn for_commands(&self) -> &ConnectionUrl {
        self.relay.as_ref().map_or(&self.url, Relay::url)
    }

    /// Whether what is said to it is heard.
    pub(super) fn hears(&self) -> bool {
        self.relay.is_some()
    }

    /// What was said since this was last asked, by whom.
    pub(super) fn heard(&self) -> Vec<(u64, String)> {
        let heard = self.relay.as_ref().map(Relay::take).unwrap_or_default();
        heard.into_iter().map(|one| (one.session, one.text)).collect()
    }

    /// How its tables are made now.
    pub(super) async fn shape(&self) -> Result<Shape, Stop> {
        let mut connection =
            connect(&self.url, self.timeout).await.map_err(|error| self.gone(chain(&error), error.advice()))?;
        let shape = connection.shape().await;
        connection.close().await;
        shape.map_err(|error| self.gone(chain(&error), error.advice()))
    }

    /// The scratch database does not answer any more.
    pub(super) fn gone(&self, why: String, advice: &str) -> Stop {
        let what = format!("the scratch database of {} does not answer: failed to {why}", self.id);
        sorry(RefusalKind::Unreachable, Some(&self.id), what, advice.to_owned())
    }

    /// Removes everything of it.
    pub(super) async fn clear(mut self) -> Result<(), Refusal> {
        self.relay = None;
        let _ = std::fs::remove_file(&self.dump);
        if self.original.engine() == Engine::Sqlite {
            for ending in ["", "-journal", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{ending}", self.url.name()));
            }
        }
        self.drop_scratch().await
    }

    async fn drop_scratch(&mut self) -> Result<(), Refusal> {
        let Some(scratch) = self.made.take() else { return Ok(()) };
        let mut tries = 1;
        while let Err(error) = scratch.clone().drop().await {
            if tries == TRIES {
                let what = format!("the scratch database {} is left: failed to {}", self.url, chain(&error));
                let next = "drop it; or run the same command again, which drops it".to_owned();
                return Err(refusal(RefusalKind::Unreachable, Some(&self.id), what, next));
            }
            tries += 1;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}

/// A file's URL with an absolute path, as a command in another directory needs it.
fn absolute(url: &ConnectionUrl) -> ConnectionUrl {
    match camino::absolute_utf8(url.name()) {
        Ok(path) => url.clone().with_name(path.into_string()),
        Err(_) => url.clone(),
    }
}

fn unmade(id: &DatabaseId, error: &ScratchError) -> Stop {
    let what = format!("migrations of {id} cannot be tried: failed to {}", chain(error));
    sorry(
        RefusalKind::Unreachable,
        Some(id),
        what,
        format!("{}; or leave --execute away", error.advice().trim_end_matches(';')),
    )
}

fn uncopied(id: &DatabaseId, error: &RestoreError) -> Stop {
    let what = format!("the schema of {id} cannot be copied: failed to {}", error.line());
    sorry(RefusalKind::Unreachable, Some(id), what, error.advice())
}
