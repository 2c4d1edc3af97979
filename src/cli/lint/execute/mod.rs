//! `leapfrog lint --execute`: the migrations of a range, run on copies of the databases without rows.
//!
//! The cloud's own databases are only read. For each schema of the services one of its databases is copied, as far as its
//! tables go, to a scratch database beside it; the releases' own commands are run there as a leap runs them, through a relay
//! that hears what they say; then each change of a schema is run once more on a fresh copy, the cheapest way first. `trial`
//! has the scratch databases, `replay` the second run; what comes of it [`crate::lint`] judges.
//!
//! Whatever happens on the way, failures and Ctrl-C among it, the scratch databases are dropped at the end; those of a process that was
//! killed are found by their names, and dropped by the next.

mod replay;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use anyhow::anyhow;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use self::trial::{Trial, sorry};
use crate::cli::arguments::{Common, Selection};
use crate::cli::exit::Exit;
use crate::cli::leap::GRACE;
use crate::cli::look::Show;
use crate::cli::reader::LiveReader;
use crate::cli::stop::{Cause, Stop};
use crate::cli::world::{Wanted, World};
use crate::cli::{executor, preflight, telling};
use crate::cloud::RunnerSettings;
use crate::conduct::{Asked, Connections, Questioner, StopLevel};
use crate::journal::Outcome;
use crate::lint::{Course, Passage, Target, passages};
use crate::model::{ConnectionUrl, DatabaseId, Engine, Observation, RunId, Series, Service, Shape, Slot};
use crate::plan::{self, Action, Plan, RefusalKind, Start, Step};
use crate::runner::PinnedImage;

/// What was said to a database between two notes of where its schema stands.
struct Said {
    database: DatabaseId,
    series: Series,
    step: String,
    passage: Passage,
    /// How the tables were made before and after, where nobody could hear the statements.
    shapes: Option<(Shape, Shape)>,
}

/// Runs the migrations of a leap on copies without rows; nothing where the operator stops it.
///
/// # Errors
/// Reasons not to begin, a command that fails, a server that does not do what it is asked.
pub(super) async fn execute(common: &Common, selection: &Selection, show: &Show) -> Result<Option<Vec<Course>>, Stop> {
    let mut world = World::read(common)?;
    let wanted = world.wanted(selection)?;
    let pid = std::process::id();
    let _lock = world.store().lock(&format!("lint --execute, process {pid} on {}", crate::cli::leap::host_name()))?;
    world.look_up_mapped(&wanted.services).await;
    let observation = world.observe(&wanted.services).await;
    // What keeps a leap from beginning keeps its migrations from being tried.
    let leap = world.plan(&wanted, &observation)?;
    world.cloud.databases = samples(&world, &wanted.services);
    relays_are_reached(&world)?;
    let (stop_sender, stop) = watch::channel(StopLevel::None);
    let (sender, mut signals) = mpsc::unbounded_channel();
    telling::listen(sender).map_err(Stop::internal)?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            stop_sender.send_replace(StopLevel::Stop);
        }
    });
    let directory = world.cloud.state_dir.join("execute");
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
    made.map_err(|error| Stop::usage(anyhow!("failed to make the directory {directory}: {error}")))?;
    let mut trials = Vec::new();
    let work = Work { world, wanted: &wanted, leap: &leap, stop, show };
    let done = work.perform(&observation, &directory, &mut trials).await;
    let mut left = Vec::new();
    for trial in trials {
        left.extend(trial.clear().await.err());
    }
    for refusal in &left {
        show.caution(&format!("leapfrog: {refusal}\n"));
    }
    // The output of the commands stays where it is.
    done
}

/// One database of each slot: the cells of nova are alike.
fn samples(world: &World, services: &BTreeSet<Service>) -> BTreeMap<DatabaseId, ConnectionUrl> {
    let mut seen: BTreeSet<(Service, Slot)> = BTreeSet::new();
    let all = world.databases(services).into_iter();
    all.filter(|(id, _)| seen.insert((id.service.clone(), id.slot.clone()))).collect()
}

/// That commands get to this machine's own address, where the relays are.
fn relays_are_reached(world: &World) -> Result<(), Stop> {
    let RunnerSettings::Containers(settings) = &world.cloud.runner else { return Ok(()) };
    let network = settings.network.as_deref().unwrap_or("host");
    if network == "host" || world.cloud.databases.values().all(|url| url.engine() == Engine::Sqlite) {
        return Ok(());
    }
    let next = "take `network` out of the cloud file's runner for this, or leave --execute away".to_owned();
    let what = format!(
        "containers in the network `{network}` do not get to 127.0.0.1 of this machine, where their statements are heard"
    );
    Err(sorry(RefusalKind::Runner, None, what, next))
}

/// What a trial of migrations needs.
struct Work<'a> {
    world: World,
    wanted: &'a Wanted,
    leap: &'a Plan,
    stop: watch::Receiver<StopLevel>,
    show: &'a Show,
}

impl Work<'_> {
    fn is_stopped(&self) -> bool {
        *self.stop.borrow() > StopLevel::None
    }

    /// Makes the scratch databases, each of them in `trials` at once, so that it is dropped whatever happens.
    async fn perform(
        mut self,
        observation: &Observation,
        directory: &camino::Utf8Path,
        trials: &mut Vec<Trial>,
    ) -> Result<Option<Vec<Course>>, Stop> {
        let timeout = self.world.cloud.limits.connect;
        let originals = self.world.cloud.databases.clone();
        self.show.complain(&format!("copying {} schemas, without their rows, to scratch databases\n", originals.len()));
        if originals.values().any(|url| url.engine() == Engine::Sqlite) {
            let what = "leapfrog: what is said to SQLite files nobody hears: what becomes of their tables is compared, and no cost told\n";
            self.show.caution(what);
        }
        for (id, url) in &originals {
            if self.is_stopped() {
                return Ok(None);
            }
            let seen = observation.databases.get(id).and_then(|seen| seen.as_ref().ok());
            let target = Target::told(url.engine(), seen.map(|seen| seen.version.as_str()).unwrap_or_default());
            let trial = Trial::prepare(id, url, target, directory, timeout).await?;
            trials.push(trial);
        }
        for trial in trials.iter_mut() {
            if self.is_stopped() {
                return Ok(None);
            }
            trial.renew().await?;
            trial.listen().await?;
        }
        let Some(said) = self.run(trials, directory).await? else { return Ok(None) };
        self.show.complain("running each change of a schema once more, the cheapest way first\n");
        let mut courses = Vec::new();
        for trial in trials.iter_mut().filter(|trial| self.is_told(&trial.id, &originals)) {
            let own: Vec<&Said> = said.iter().filter(|said| said.database == trial.id).collect();
            let schema = self.slot(&trial.id).map(|slot| slot.schema.to_string()).unwrap_or_default();
            match replay::replay(trial, &own, schema, &self.stop).await? {
                Some(course) => courses.push(course),
                None => return Ok(None),
            }
        }
        Ok(Some(courses))
    }

    fn slot(&self, id: &DatabaseId) -> Option<&crate::catalog::DatabaseSlot> {
        let book = self.world.catalog.playbook(&id.service)?;
        book.databases.iter().find(|slot| slot.slot == id.slot)
    }

    /// Whether a database stands for its schema: of nova's cell0 and a cell, which have one schema, the cell.
    fn is_told(&self, id: &DatabaseId, all: &BTreeMap<DatabaseId, ConnectionUrl>) -> bool {
        let Some(own) = self.slot(id) else { return false };
        let alike = |other: &&DatabaseId| {
            other.service == id.service && self.slot(other).is_some_and(|slot| slot.schema == own.schema)
        };
        let many = |other: &&DatabaseId| self.slot(other).is_some_and(|slot| slot.many);
        let alike: Vec<&DatabaseId> = all.keys().filter(alike).collect();
        alike.iter().copied().find(many).or(alike.first().copied()) == Some(id)
    }

    /// Runs the schema commands of every release on the way.
    async fn run(&mut self, trials: &[Trial], directory: &camino::Utf8Path) -> Result<Option<Vec<Said>>, Stop> {
        let commands: BTreeMap<DatabaseId, ConnectionUrl> =
            trials.iter().map(|trial| (trial.id.clone(), trial.for_commands().clone())).collect();
        self.world.cloud.databases = commands.clone();
        let stops: BTreeSet<&Series> = self.leap.hops.iter().map(|hop| &hop.series).collect();
        let (from, to) = (self.leap.from.clone(), self.leap.to.clone());
        let start = Start::At(from.clone());
        let nothing = Observation::default();
        let mut plan =
            self.world.brief(&self.wanted.services, &nothing, start, to, |brief| plan::founding(brief, &from))?;
        plan.hops.retain(|hop| stops.contains(&hop.series));
        for lane in plan.hops.iter_mut().flat_map(|hop| &mut hop.lanes) {
            lane.steps.retain(|step| matches!(&step.action, Action::Run(run) if run.schema.is_some()));
        }
        let plan = Arc::new(plan);
        let runner = executor::runner(&self.world)?;
        let images = preflight::bring(&self.world, &runner, &plan, None, self.show).await?;
        let now = Timestamp::now();
        let salt = now.subsec_nanosecond().unsigned_abs() as u16 ^ std::process::id() as u16;
        let databases = trials.iter().map(|trial| (trial.id.clone(), trial.scratch().clone())).collect();
        let questioner = Questioner {
            run: RunId::new(&now.strftime("%Y%m%d-%H%M%S").to_string(), salt),
            runner,
            reader: Arc::new(LiveReader { databases, timeout: self.world.cloud.limits.connect }),
            connections: Arc::new(Connections::new(commands)),
            directory: directory.to_owned(),
            grace: GRACE,
            stop: self.stop.clone(),
        };
        let mut said = Vec::new();
        for (hop, lane, step) in plan.steps() {
            let own: Vec<&Trial> = trials.iter().filter(|trial| trial.id.service == lane.service).collect();
            let image = images[lane.image_of(step)].clone();
            let Some(outcome) = self.step(&questioner, step, image, &own, &mut said).await? else { return Ok(None) };
            if outcome != Outcome::Skipped {
                self.show.complain(&format!("{} {} {}\n", hop.series, lane.service, step.id.short()));
            }
        }
        Ok(Some(said))
    }

    /// Runs one command, and keeps what it said; how it ended, or nothing where the operator stopped it.
    async fn step(
        &self,
        questioner: &Questioner,
        step: &Step,
        image: PinnedImage,
        own: &[&Trial],
        said: &mut Vec<Said>,
    ) -> Result<Option<Outcome>, Stop> {
        let mut before = Vec::new();
        for trial in own {
            // What was said before, nobody's command said.
            before.push(if trial.hears() { None } else { Some(trial.shape().await?) });
            trial.heard();
        }
        let Asked { outcome, failure, .. } = questioner.ask(step.clone(), image).await;
        if let Some(failure) = failure.filter(|_| outcome != Outcome::Interrupted) {
            let log = failure.log.map(|log| format!(" (its output: {})", questioner.directory.join(log)));
            let what = format!("{} on a copy without rows: {}{}", step.id, failure.what, log.unwrap_or_default());
            let error = anyhow!("{what}. No database of the cloud was touched. Next: {}", failure.advice);
            return Err(Stop { exit: Exit::Failed, cause: Cause::Error(error) });
        }
        if outcome == Outcome::Interrupted || self.is_stopped() {
            return Ok(None);
        }
        for (trial, before) in own.iter().zip(before) {
            let made = |passage, shapes| Said {
                database: trial.id.clone(),
                series: step.id.series.clone(),
                step: step.id.short().to_owned(),
                passage,
                shapes,
            };
            match before {
                Some(before) => {
                    let after = trial.shape().await?;
                    if before != after {
                        said.push(made(Passage::default(), Some((before, after))));
                    }
                }
                None => said.extend(passages(trial.heard()).into_iter().map(|passage| made(passage, None))),
            }
        }
        Ok(Some(outcome))
    }
}
