//! One writer, and nobody else: the locks in the databases for the length of a run, and the fence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::exit::Exit;
use super::fence::{DatabaseFence, still_running};
use super::heartbeats::{Heartbeats, Moving};
use super::leap::FenceMode;
use super::look::Show;
use super::preflight;
use super::stop::Stop;
use super::world::World;
use crate::conduct::Signal;
use crate::database::{self, DatabaseLock, Holder, LockError, Loss, connect};
use crate::journal::Failure;
use crate::model::{ConnectionUrl, DatabaseId, Engine, RunId, Service};
use crate::plan::{Refusal, RefusalKind};
use crate::runner::{FoundState, Runner};

/// How long the locks of a leapfrog that died are waited for: its server notices within two seconds.
const DEAD: Duration = Duration::from_secs(10);

/// The locks of a run.
pub(super) struct Guard {
    urls: BTreeMap<DatabaseId, ConnectionUrl>,
    timeout: Duration,
    locks: BTreeMap<DatabaseId, DatabaseLock>,
    /// What could not be locked, and why; a database that cannot be reached is the preflight's to tell.
    missing: BTreeMap<DatabaseId, LockError>,
    heartbeats: Arc<Heartbeats>,
}

/// Who this process is, for others that ask for a lock.
fn holder(host: &str) -> Holder {
    let since = Timestamp::now().strftime("%F %T UTC").to_string();
    Holder { host: host.to_owned(), pid: std::process::id(), since }
}

/// Whether commands of the run that goes on still work: their sessions are not told from others'.
///
/// # Errors
/// Nobody can tell.
pub(super) async fn works(resumed: Option<&RunId>, runner: &dyn Runner) -> Result<bool, Stop> {
    let Some(run) = resumed else { return Ok(false) };
    let found = runner.find(run).await.map_err(|error| Stop::refused(vec![preflight::refusal(error)]))?;
    Ok(found.iter().any(|task| task.state == FoundState::Running))
}

/// Whether `holder` is a process of this machine that is gone, or this one, whose connection broke.
fn is_dead(holder: &Holder, host: &str) -> bool {
    let process = i32::try_from(holder.pid).ok().and_then(rustix::process::Pid::from_raw);
    let gone = || process.is_some_and(|pid| rustix::process::test_kill_process(pid).is_err());
    // This process asks for a lock again only after it lost the one before.
    holder.host == host && (holder.pid == std::process::id() || gone())
}

impl Guard {
    /// Locks every database.
    ///
    /// # Errors
    /// Another leapfrog holds one of them.
    pub(super) async fn take(world: &World, services: &BTreeSet<Service>, host: &str) -> Result<Self, Stop> {
        let (urls, timeout) = (world.databases(services), world.cloud.limits.connect);
        let heartbeats = Arc::new(Heartbeats::of(world, &urls));
        let holder = holder(host);
        let taking = urls.iter().map(|(id, url)| {
            let holder = &holder;
            async move {
                let (began, mut dead) = (Instant::now(), false);
                loop {
                    let taken = database::lock(url, holder, timeout).await;
                    match &taken {
                        // A session of one that is dead shows nothing more in the end.
                        Err(LockError::Held { holder: other, .. })
                            if other.as_ref().map_or(dead, |other| is_dead(other, host)) && began.elapsed() < DEAD =>
                        {
                            dead = true;
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                        _ => break (id.clone(), taken),
                    }
                }
            }
        });
        let (locks, missing, nothing) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut guard = Self { timeout, locks, missing, urls: nothing, heartbeats };
        let mut held: Option<(DatabaseId, LockError)> = None;
        for (id, taken) in join_all(taking).await {
            match taken {
                Ok(lock) => drop(guard.locks.insert(id, lock)),
                Err(error @ LockError::Held { .. }) => held = held.or(Some((id, error))),
                Err(error) => drop(guard.missing.insert(id, error)),
            }
        }
        guard.urls = urls;
        let Some((id, error)) = held else {
            guard.heartbeats.begin().await;
            return Ok(guard);
        };
        guard.release().await;
        let text = format!("failed to {} ({id}). Next: {}", database::chain(&error), error.advice());
        Err(Stop { exit: Exit::Locked, ..Stop::internal(anyhow::anyhow!(text)) })
    }

    /// Makes sure that nobody else works on the databases. `resumed` is the run that goes on, if one does.
    ///
    /// # Errors
    /// A database could not be locked, or somebody else is connected to one.
    pub(super) async fn close_in(
        &self,
        resumed: Option<&RunId>,
        mode: FenceMode,
        runner: &dyn Runner,
        show: &Show,
    ) -> Result<(), Stop> {
        self.whole()?;
        if let Some(database) = self.galera().await {
            show.caution(&format!(
                "leapfrog: warning: {database} is on a Galera cluster, where the lock keeps out only leapfrogs that \
                 come through the same node\n  next      let the cloud file name one node\n"
            ));
        }
        if mode == FenceMode::Off {
            return Ok(());
        }
        // The sessions of commands that an earlier process left running are not told from others'; the
        // fence is looked at again before the next hop.
        let adopted = works(resumed, runner).await?;
        let fence = self.fence();
        if !adopted && let Some(failure) = fence.connected().await {
            return Err(Stop::refused(vec![Refusal {
                kind: RefusalKind::Fence,
                database: None,
                what: failure.what,
                found: None,
                expected: None,
                next: failure.advice,
            }]));
        }
        let moving = self.moving(show).await;
        if let Some(Failure { what, advice: next, .. }) = still_running(&moving) {
            let (kind, found, expected) = (RefusalKind::Fence, None, None);
            return Err(Stop::refused(vec![Refusal { kind, database: None, what, found, expected, next }]));
        }
        let blind = fence.blind().await;
        if let Some(first) = blind.first() {
            let more = match blind.len() {
                1 => String::new(),
                number => format!(" and {} more databases", number - 1),
            };
            show.caution(&format!(
                "leapfrog: warning: other users' sessions cannot be seen in {first}{more}\n  next      make sure that \
                 every service is stopped, or grant the users in the cloud file PROCESS\n"
            ));
        }
        Ok(())
    }

    /// Services whose heartbeats move.
    pub(super) async fn moving(&self, show: &Show) -> Vec<Moving> {
        let told = |left: Duration, who: &str| {
            show.complain(&format!(
                "waiting {} s to see whether services still report, such as {who}\n",
                left.as_secs_f64().ceil()
            ));
        };
        self.heartbeats.moving(true, &told).await
    }

    /// Where it was not seen whose heartbeats move, and why not.
    pub(super) fn unread(&self) -> BTreeMap<DatabaseId, String> {
        self.heartbeats.unread()
    }

    /// That every database is locked, once every one of them was seen to be readable.
    ///
    /// # Errors
    /// Some could not be locked.
    pub(super) fn whole(&self) -> Result<(), Stop> {
        let refusals = self.missing.iter().map(|(id, error)| Refusal {
            kind: RefusalKind::Locked,
            database: Some(id.clone()),
            what: format!("database {id} could not be locked against other leapfrogs"),
            found: Some(database::chain(error)),
            expected: None,
            next: error.advice(),
        });
        let refusals: Vec<Refusal> = refusals.collect();
        if refusals.is_empty() { Ok(()) } else { Err(Stop::refused(refusals)) }
    }

    /// Whether one of the databases is on a Galera cluster, where the locks keep out only leapfrogs that
    /// come through the same node.
    async fn galera(&self) -> Option<DatabaseId> {
        for (id, url) in self.urls.iter().filter(|(_, url)| url.engine() == Engine::Mysql) {
            let Ok(mut connection) = connect(url, self.timeout).await else { continue };
            let galera = connection.is_galera().await.unwrap_or(false);
            connection.close().await;
            if galera {
                return Some(id.clone());
            }
        }
        None
    }

    /// What keeps others out while this guard holds.
    pub(super) fn fence(&self) -> DatabaseFence {
        let own = self.locks.values().filter_map(DatabaseLock::session).collect();
        let heartbeats = Arc::clone(&self.heartbeats);
        DatabaseFence { urls: self.urls.clone(), own, timeout: self.timeout, heartbeats }
    }

    /// Gives every lock back.
    pub(super) async fn release(self) {
        let Self { timeout, locks, .. } = self;
        join_all(locks.into_values().map(|lock| lock.release(timeout))).await;
    }

    /// Watches the locks until [`Watching::end`]; a lost one is told to the run.
    pub(super) fn watch(self, signals: mpsc::UnboundedSender<Signal>) -> Watching {
        let (end, ended) = watch::channel(false);
        let taken = Instant::now();
        let mut tasks = JoinSet::new();
        let away = Arc::new(AtomicBool::new(false));
        let gone = Arc::new(AtomicBool::new(false));
        for (id, mut lock) in self.locks {
            let Some(url) = self.urls.get(&id).cloned() else { continue };
            let (signals, mut ended, timeout) = (signals.clone(), ended.clone(), self.timeout);
            let (away, gone) = (Arc::clone(&away), Arc::clone(&gone));
            tasks.spawn(async move {
                let lost = tokio::select! {
                    why = lock.lost() => Some(why),
                    _ = ended.wait_for(|ended| *ended) => None,
                };
                if let Some(why) = lost {
                    let text = format!("the lock in database {id} is lost: {why}");
                    let _ = signals.send(Signal::LockLost { text });
                    let of_server = match why {
                        Loss::Broken(_) => !has_run_on(&url, timeout, taken.elapsed(), lock.server()).await,
                        Loss::Given(_) => false,
                    };
                    if of_server { &away } else { &gone }.store(true, Ordering::Relaxed);
                }
                lock.release(timeout).await;
            });
        }
        Watching { tasks, end, away, ended: gone }
    }
}

/// Whether the server that held the lock answers and has been running for `since`: then it did not go away, and somebody
/// ended the session that held the lock. Another server that answers in its place has taken over from it.
async fn has_run_on(url: &ConnectionUrl, timeout: Duration, since: Duration, server: Option<&str>) -> bool {
    let asking = async {
        let mut connection = connect(url, timeout).await.ok()?;
        let same = server.is_none() || connection.server_mark().await.ok().as_deref() == server;
        let uptime = connection.uptime().await.ok();
        connection.close().await;
        uptime.filter(|_| same)
    };
    tokio::time::timeout(timeout, asking).await.ok().flatten().is_some_and(|uptime| uptime >= since)
}

/// Locks that are watched.
pub(super) struct Watching {
    tasks: JoinSet<()>,
    end: watch::Sender<bool>,
    /// Whether a lock was lost because its server, or the way to it, went away.
    away: Arc<AtomicBool>,
    /// Whether one was lost because somebody ended its session.
    ended: Arc<AtomicBool>,
}

impl Watching {
    /// Gives every lock back. Returns whether locks were lost, and only because a server, or the way to it, went
    /// away: then they can be taken again.
    pub(super) async fn end(mut self) -> bool {
        self.end.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        self.away.load(Ordering::Relaxed) && !self.ended.load(Ordering::Relaxed)
    }
}
