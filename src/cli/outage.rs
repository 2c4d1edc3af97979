//! Waiting for database servers that went away in the middle of a run.
//!
//! A server that goes away takes the locks of a run with it, so the run stops at once: its commands are ended, and
//! the journal says why. Once every database answers again the run goes on as the same command would continue it:
//! the locks are taken anew, if nobody else has them, heads are compared with the journal, and the fence is looked
//! at. Nothing is done here that an operator who types the command again would not get.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::exit::Exit;
use super::look::Show;
use super::stop::Stop;
use super::world::World;
use crate::database::{chain, connect};
use crate::journal::Store;
use crate::model::{DatabaseId, Service};

/// How often databases are asked whether they are back.
const LOOK: Duration = Duration::from_secs(1);
/// How often an operator is told that they are not.
const REMIND: Duration = Duration::from_secs(60);
/// How many outages in a row may pass without a step that was completed: a migration may be what ends the server.
const IDLE: u32 = 2;

/// The outages of one process.
#[derive(Debug, Default)]
pub(super) struct Outages {
    /// Steps that were complete at the last one.
    complete: usize,
    /// Outages since one was completed.
    idle: u32,
}

impl Outages {
    /// Waits until every database of `services` answers. Nothing is returned if the run goes on, else
    /// how the process ends; `exit` is how the run ended.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub(super) async fn wait_out(
        &mut self,
        world: &World,
        services: &BTreeSet<Service>,
        store: &Store,
        exit: Exit,
        show: &Show,
    ) -> Result<Option<Exit>, Stop> {
        let complete = complete(store)?;
        self.idle = if complete > self.complete { 1 } else { self.idle + 1 };
        self.complete = complete;
        if self.idle > IDLE {
            show.complain(&format!(
                "leapfrog: the database went away {} times in a row before a step was completed: see the server's own \
                 log for why it ends, then run the same command again\n",
                self.idle
            ));
            return Ok(Some(exit));
        }
        let (sender, mut signals) = mpsc::unbounded_channel();
        super::telling::listen(sender).map_err(Stop::internal)?;
        let outage = world.cloud.limits.outage;
        let began = Instant::now();
        let mut told: Option<Instant> = None;
        loop {
            let Some((database, why)) = away(world, services).await else { break };
            let left = outage.saturating_sub(began.elapsed());
            if left.is_zero() {
                show.complain(&format!(
                    "leapfrog: database {database} has been away for {} s ({why}). Nothing runs any more; once the \
                     server is back, run the same command again: it goes on where it was. (limits.outage in the cloud \
                     file says how long leapfrog waits by itself)\n",
                    outage.as_secs()
                ));
                return Ok(Some(exit));
            }
            if told.is_none_or(|told| told.elapsed() >= REMIND) {
                told = Some(Instant::now());
                show.complain(&format!(
                    "leapfrog: database {database} is away: waiting for it, {} s at most; Ctrl-C ends that\n",
                    left.as_secs()
                ));
            }
            tokio::select! {
                () = sleep(LOOK.min(left)) => {}
                Some(_) = signals.recv() => {
                    show.complain("leapfrog: stopped while a database was away; the same command goes on\n");
                    return Ok(Some(Exit::Interrupted));
                }
            }
        }
        show.complain(&format!(
            "leapfrog: every database answers again after {} s: going on\n",
            began.elapsed().as_secs()
        ));
        Ok(None)
    }
}

/// A database that does not answer, and why.
async fn away(world: &World, services: &BTreeSet<Service>) -> Option<(DatabaseId, String)> {
    let databases = world.databases(services);
    let asked = databases.iter().map(|(id, url)| async move {
        match connect(url, world.cloud.limits.connect).await {
            Ok(connection) => {
                connection.close().await;
                None
            }
            Err(error) => Some((id.clone(), format!("failed to {}", chain(&error)))),
        }
    });
    join_all(asked).await.into_iter().flatten().next()
}

/// How many steps of the latest run are complete.
fn complete(store: &Store) -> Result<usize, Stop> {
    let Some(run) = store.runs()?.pop() else { return Ok(0) };
    let state = crate::journal::read(&store.directory_of(&run))?.state;
    Ok(state.steps.values().filter(|step| step.is_complete()).count())
}
