//! One process of leapfrog after the other, on the same journal, runner and databases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use leapfrog::conduct::{
    Conclusion, Conductor, Connections, DatabaseReader, EventSink, RestorePoints, Settings, Signal,
};
use leapfrog::journal::{CrashPoint, CrashingJournal, Event, JournalDisk, RecordBody, RecordLog};
use leapfrog::model::{ConnectionUrl, ImageReference, Secret};
use leapfrog::plan::Plan;
use leapfrog::runner::PinnedImage;
use leapfrog::runner::scripted::{DeathPoint, Scripted};
use tokio::sync::mpsc;

use super::world::World;
use crate::bed::{Bed, GRACE, valid};

/// After so long an operator ends a run in which something hangs.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);

/// What comes between a process and its end.
#[derive(Debug, Default)]
pub(super) struct Disturbance {
    /// It dies at a record.
    pub(super) crash: Option<CrashPoint>,
    /// It dies at an act.
    pub(super) act: Option<(usize, DeathPoint)>,
    /// So many Ctrl-C.
    pub(super) interrupts: usize,
    /// After so many records of this process.
    pub(super) after: u64,
}

/// A run with all of its processes.
pub(super) struct Leap {
    pub(super) disk: JournalDisk,
    pub(super) world: Arc<World>,
    pinned: BTreeMap<ImageReference, PinnedImage>,
}

impl Leap {
    pub(super) fn new(plan: Arc<Plan>, seed: u64) -> Self {
        let pinned = plan.images().into_keys().map(|reference| {
            let digest = Scripted::digest(reference);
            (reference.clone(), PinnedImage { reference: reference.clone(), digest })
        });
        let pinned = pinned.collect();
        Self { disk: JournalDisk::default(), world: World::new(plan, seed), pinned }
    }

    fn opening(&self, first: bool) -> RecordBody {
        let (leapfrog, host, pid, unfenced) = ("0.1.0".into(), "alpha".into(), 7, false);
        if !first {
            return RecordBody::RunResumed { leapfrog, host, pid, unfenced };
        }
        let images = self.pinned.iter().map(|(reference, image)| (reference.clone(), image.digest.clone())).collect();
        RecordBody::RunStarted {
            run: Bed::run(),
            cloud: self.world.plan.cloud.clone(),
            from: self.world.plan.from.clone(),
            to: self.world.plan.to.clone(),
            leapfrog,
            runner: "Scripted 1.0".into(),
            host,
            pid,
            images,
            unfenced,
        }
    }

    /// Databases on a server whose schema migrations cannot be undone, where the plan has restore points.
    fn connections(&self) -> Connections {
        let plan = &self.world.plan;
        if plan.steps().all(|(.., step)| step.saves().is_none()) {
            return Connections::new(BTreeMap::new());
        }
        let databases = plan.hops[0].lanes.iter().flat_map(|lane| lane.standing.keys());
        let urls = databases.map(|database| {
            let url: ConnectionUrl = valid("mysql+pymysql://leapfrog@10.0.0.5/database");
            (database.clone(), url.with_password(Secret::new("Secret99")))
        });
        Connections::new(urls.collect())
    }

    /// Runs a process to its end; nothing if it died.
    pub(super) async fn process(&self, disturbance: Disturbance) -> Option<Conclusion> {
        let (mut journal, contents) = CrashingJournal::open(&self.disk, disturbance.crash).expect("readable");
        if contents.state.is_complete() {
            return None;
        }
        journal.append(Timestamp::now(), self.opening(contents.records.is_empty())).ok()?;
        let runner = &self.world.runner;
        match disturbance.act {
            Some((act, point)) => runner.dies_at(act, point),
            None => runner.lives(),
        }
        let (events, mut source) = EventSink::channel();
        let (keyboard, signals) = mpsc::unbounded_channel();
        let Disturbance { interrupts, after, .. } = disturbance;
        let watching = tokio::spawn(async move {
            let mut seen = 0;
            let patience = tokio::time::sleep(PATIENCE);
            tokio::pin!(patience);
            loop {
                tokio::select! {
                    event = source.recv() => match event {
                        Some(Event::Record(_)) => {
                            seen += 1;
                            if seen == after {
                                for _ in 0..interrupts {
                                    // A finished run hears nothing more.
                                    let _ = keyboard.send(Signal::Interrupt);
                                }
                            }
                        }
                        Some(_) => {}
                        None => return,
                    },
                    () = &mut patience => {
                        let _ = keyboard.send(Signal::Terminate);
                        patience.as_mut().reset(tokio::time::Instant::now() + PATIENCE);
                    }
                }
            }
        });
        let settings = Settings {
            jobs: 4,
            batch: None,
            round: Duration::from_secs(30),
            grace: GRACE,
            stall: Duration::from_secs(1800),
            outage: GRACE,
            // Without logs, which nobody reads here: they would take most of the time.
            directory: "/dev/null/no-logs".into(),
        };
        let conductor = Conductor::new(
            Arc::clone(&self.world.plan),
            Bed::run(),
            journal,
            Arc::new(runner.clone()),
            Arc::clone(&self.world) as Arc<dyn DatabaseReader>,
            self.connections(),
            self.pinned.clone(),
            BTreeSet::new(),
            settings,
            events,
        );
        let conductor = conductor.saving(Arc::clone(&self.world) as Arc<dyn RestorePoints>);
        let conclusion = tokio::select! {
            biased;
            () = runner.death() => None,
            conclusion = conductor.conduct(signals) => conclusion.ok(),
        };
        watching.abort();
        conclusion
    }
}
