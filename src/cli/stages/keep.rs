//! While a run works: its records are read along, and what follows from them is written into the tables.
//!
//! This watches and decides nothing: a record is durable before it comes here, and a table that cannot be written is
//! told of, tried again with the next proof and at the end, and stops nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{places, read, whole};
use crate::cli::look::Show;
use crate::cli::records;
use crate::cli::resolve::user;
use crate::cli::stop::Stop;
use crate::cli::world::World;
use crate::database;
use crate::journal::{Event, Progress, Record};
use crate::model::{DatabaseId, RunId, Service};
use crate::plan::{Plan, Refusal, RefusalKind};
use crate::stages::{self, Book, Changes, Mark, Place};

/// Writes the stages of a run's databases.
pub(in crate::cli) struct Keeper {
    cloud: String,
    timeout: Duration,
    places: Vec<Place>,
    /// The lines as far as they are known.
    lines: BTreeMap<DatabaseId, Mark>,
    /// What is still to be written.
    pending: Changes,
    /// Places that could not be written when last tried.
    away: BTreeSet<String>,
}

impl Keeper {
    /// Makes the tables where they are not there. Nothing where the cloud file does not want them.
    ///
    /// # Errors
    /// They cannot be made or written.
    pub(in crate::cli) async fn ready(
        world: &World,
        services: &BTreeSet<Service>,
    ) -> Result<Option<Self>, Vec<Refusal>> {
        let places = places(world, services);
        if places.is_empty() {
            return Ok(None);
        }
        let timeout = world.cloud.limits.connect;
        let failed = stages::make(&places, timeout).await;
        if !failed.is_empty() {
            let refusals = failed.iter().map(|error| Refusal {
                kind: RefusalKind::Stages,
                database: None,
                what: "stages cannot be kept, which the cloud file wants".to_owned(),
                found: Some(format!("failed to {}", database::chain(error))),
                expected: None,
                next: format!("{}; or take `stages` out of the cloud file", error.advice()),
            });
            return Err(refusals.collect());
        }
        let lines = read(world, services).await.marks;
        let (cloud, pending, away) = (world.cloud.name.clone(), Changes::new(), BTreeSet::new());
        Ok(Some(Self { cloud, timeout, places, lines, pending, away }))
    }

    /// Reads a run's events along. Returns them for whoever comes next, and what ends once all is written.
    pub(in crate::cli) fn keep(
        self,
        world: &World,
        plan: &Arc<Plan>,
        history: &[Record],
        mut source: mpsc::UnboundedReceiver<Event>,
    ) -> (mpsc::UnboundedReceiver<Event>, JoinHandle<()>) {
        let (events, passed) = mpsc::unbounded_channel();
        let (sender, records) = mpsc::unbounded_channel();
        let book = Book::of(Arc::clone(plan), history, whole(world, plan)).by(user());
        let keeping = tokio::spawn(self.work(book, records, events.clone()));
        tokio::spawn(async move {
            while let Some(event) = source.recv().await {
                if let Event::Record(record) = &event {
                    let _ = sender.send(record.clone());
                }
                let _ = events.send(event);
            }
        });
        (passed, keeping)
    }

    async fn work(
        mut self,
        mut book: Book,
        mut records: mpsc::UnboundedReceiver<Record>,
        events: mpsc::UnboundedSender<Event>,
    ) {
        let known: Changes = book.marks().map(|(id, mark)| (id.clone(), Some(mark.clone()))).collect();
        self.want(known);
        while let Some(record) = records.recv().await {
            let mut changes = book.see(&record);
            while let Ok(record) = records.try_recv() {
                changes.extend(book.see(&record));
            }
            if !changes.is_empty() {
                self.want(changes);
                self.write(&events).await;
            }
        }
        self.write(&events).await;
    }

    /// Takes in what is to be written, unless the line says so or more already.
    fn want(&mut self, changes: Changes) {
        for (id, mark) in changes {
            let said = match (&mark, self.lines.get(&id)) {
                (Some(mark), Some(line)) => line.covers(mark),
                (None, line) => line.is_none(),
                (Some(_), None) => false,
            };
            if said {
                self.pending.remove(&id);
            } else {
                self.pending.insert(id, mark);
            }
        }
    }

    /// Writes what is to be written, as far as that can be done now.
    async fn write(&mut self, events: &mpsc::UnboundedSender<Event>) {
        for place in &self.places {
            let due: Changes = self
                .pending
                .iter()
                .filter(|(id, _)| place.databases.contains(id))
                .map(|(id, mark)| (id.clone(), mark.clone()))
                .collect();
            if due.is_empty() {
                continue;
            }
            let shown = place.url.to_string();
            match stages::write(place, &self.cloud, &due, self.timeout).await {
                Ok(()) => {
                    self.away.remove(&shown);
                    for (id, mark) in due {
                        self.pending.remove(&id);
                        match mark {
                            Some(mark) => drop(self.lines.insert(id, mark)),
                            None => drop(self.lines.remove(&id)),
                        }
                    }
                }
                Err(error) if self.away.insert(shown) => {
                    let text = format!(
                        "stages are not written, and the run goes on: failed to {}. The journal has them; they are written with \
                         the next proof, or when leapfrog begins again with this state directory. Next: {}",
                        database::chain(&error),
                        error.advice()
                    );
                    let _ = events.send(Event::Progress(Progress::Notice { text }));
                }
                Err(_) => {}
            }
        }
    }
}

/// After `leapfrog restore`: writes the stages of the services whose databases were brought back.
pub(in crate::cli) async fn put_back(
    world: &World,
    run: &RunId,
    services: &BTreeSet<Service>,
    show: &Show,
) -> Result<(), Stop> {
    if world.cloud.stages.is_none() {
        return Ok(());
    }
    let plan = records::plan_of(&world.store(), run)?;
    let history = crate::journal::read(&world.store().directory_of(run))?.records;
    let whole = whole(world, &plan);
    let book = Book::of(Arc::new(plan), &history, whole);
    let ids = world.databases(services).into_keys();
    let changes: Changes = ids.map(|id| (id.clone(), book.mark(&id).cloned())).collect();
    let kept = read(world, services).await;
    for place in places(world, services).iter().filter(|place| !kept.absent.iter().any(|one| one.url == place.url)) {
        if let Err(error) = stages::write(place, &world.cloud.name, &changes, world.cloud.limits.connect).await {
            show.caution(&format!(
                "leapfrog: warning: stages are not put back: failed to {}\n  next      {}; the next run with this state \
                 directory writes them\n",
                database::chain(&error),
                error.advice()
            ));
        }
    }
    Ok(())
}
