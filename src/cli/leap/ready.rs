//! Making a run ready: a new one, or the one that goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::again;
use super::{FenceMode, LeapArguments};
use crate::cli::look::Show;
use crate::cli::parts::{self, Subject};
use crate::cli::stages::{self, Keeper};
use crate::cli::stop::Stop;
use crate::cli::world::{Target, Wanted, World};
use crate::cli::{check, images, preflight, records, restore, trip};
use crate::journal::{Record, RecordBody, RunState, Store};
use crate::model::{ImageReference, Observation, RunId, Service};
use crate::plan::part::Owed;
use crate::plan::{self, Plan, Refusal, RefusalKind, Start};
use crate::runner::{FoundState, PinnedImage, Runner};

/// The latest run of a cloud.
pub(in crate::cli) struct Latest {
    pub(in crate::cli) run: RunId,
    pub(in crate::cli) plan: Plan,
    pub(in crate::cli) records: Vec<Record>,
    pub(in crate::cli) state: RunState,
}

/// A run that is ready to be carried out.
pub(in crate::cli) struct Ready {
    pub run: RunId,
    pub plan: Arc<Plan>,
    /// What was recorded before this process.
    pub history: Vec<Record>,
    /// What that means.
    pub state: RunState,
    pub images: BTreeMap<ImageReference, PinnedImage>,
    /// How the run continues or begins, once the first images are here.
    pub opening: Opening,
    /// Rows that must be gone before a part of a release begins.
    pub owed: Vec<Owed>,
    /// What is recorded right after the opening.
    pub then: Option<RecordBody>,
    /// Who keeps the stages, where they are kept.
    pub stages: Option<Keeper>,
}

impl Ready {
    /// The run, if it is one that goes on.
    pub(super) fn resumed(&self) -> Option<&RunId> {
        matches!(self.opening, Opening::Resume).then_some(&self.run)
    }

    /// A run that begins now.
    pub(in crate::cli) fn begun(
        world: &World,
        plan: Arc<Plan>,
        images: BTreeMap<ImageReference, PinnedImage>,
        runner: String,
        host: &str,
        fence: FenceMode,
    ) -> Result<Self, Stop> {
        let now = Timestamp::now();
        let salt = now.subsec_nanosecond().unsigned_abs() as u16 ^ std::process::id() as u16;
        let run = world.store().name_run(now, salt)?;
        let opening = Opening::Start(Box::new(RecordBody::RunStarted {
            run: run.clone(),
            cloud: plan.cloud.clone(),
            from: plan.from.clone(),
            to: plan.to.clone(),
            leapfrog: env!("CARGO_PKG_VERSION").to_owned(),
            runner,
            host: host.to_owned(),
            pid: std::process::id(),
            images: images.iter().map(|(reference, image)| (reference.clone(), image.digest.clone())).collect(),
            unfenced: fence == FenceMode::Off,
        }));
        let (history, owed, then) = (Vec::new(), Vec::new(), None);
        Ok(Self { run, plan, history, state: RunState::default(), images, opening, owed, then, stages: None })
    }

    /// What a gate looks at.
    pub(super) fn subject<'r>(&'r self, world: &'r World) -> Subject<'r> {
        let recorded = self.state.waiver.as_ref();
        Subject { world, plan: &self.plan, owed: &self.owed, images: &self.images, recorded }
    }
}

/// The first record of this process.
pub(in crate::cli) enum Opening {
    Start(Box<RecordBody>),
    Resume,
}

/// Makes the run that was asked for ready, or says that there is nothing to do.
pub(super) async fn prepare(
    world: &World,
    arguments: &LeapArguments,
    wanted: &Wanted,
    store: &Store,
    runner: &Arc<dyn Runner>,
    host: &str,
    show: &Show,
) -> Result<Option<Ready>, Stop> {
    let latest = latest(store)?;
    if let Some(latest) = &latest {
        restore::nothing_half_restored(latest, arguments.fresh, &world.options(&wanted.services))?;
    }
    let observation = world.observe(&wanted.services).await;
    stages::confront(world, &wanted.services, &observation, latest.as_ref(), arguments.look, show).await?;
    let latest = if arguments.fresh { nothing_runs(latest, &**runner).await? } else { latest };
    let ready = match latest {
        Some(latest) if !latest.state.is_complete() => resume(latest, world, wanted, &observation, &**runner).await?,
        Some(latest)
            // From wherever they stand, so many releases further: that is another leap each time.
            if !matches!((&wanted.from, &wanted.to), (Start::Auto, Target::Further(_)))
                && fits(world, &latest.state, &latest.plan, wanted)
                && plan::stands_at_the_end(&latest.plan, &observation) =>
        {
            let to = &latest.plan.to;
            show.caution(&format!(
                "already {} {to}: run {} is complete and every database shows it; `leapfrog status` tells how\n",
                latest.plan.part.done(),
                latest.run
            ));
            return Ok(None);
        }
        _ if wanted.part.phase().is_some() => {
            return parts::prepare(world, wanted, &observation, runner, host, show).await;
        }
        _ => begin(world, wanted, &observation, &**runner, arguments, host).await?,
    };
    let skips = ready.plan.steps().any(|(_, _, step)| step.may_be_skipped());
    if wanted.no_skip && skips && matches!(ready.opening, Opening::Resume) {
        show.complain("--no-skip counts for a new run; this one goes on as it was planned, with steps skipped\n");
    }
    Ok(Some(ready))
}

/// Sets an unfinished run aside, unless one of its commands still works on the databases.
async fn nothing_runs(latest: Option<Latest>, runner: &dyn Runner) -> Result<Option<Latest>, Stop> {
    let Some(latest) = latest.filter(|latest| !latest.state.is_complete()) else { return Ok(None) };
    let refused = |error| Stop::refused(vec![preflight::refusal(error)]);
    let tasks = runner.find(&latest.run).await.map_err(refused)?;
    let running: Vec<String> = tasks
        .iter()
        .filter(|task| task.state == FoundState::Running)
        .map(|task| format!("{} ({})", task.id.step, task.handle.0.chars().take(12).collect::<String>()))
        .collect();
    if running.is_empty() {
        return Ok(None);
    }
    Err(Stop::refused(vec![Refusal {
        kind: RefusalKind::Unfinished,
        database: None,
        what: format!("commands of the unfinished run {} still work on the databases", latest.run),
        found: Some(running.join(", ")),
        expected: Some("none".to_owned()),
        next: "continue that run without --fresh: it watches them; or wait until they end".to_owned(),
    }]))
}

/// Makes a new run's plan and looks at its images.
async fn begin(
    world: &World,
    wanted: &Wanted,
    observation: &Observation,
    runner: &dyn Runner,
    arguments: &LeapArguments,
    host: &str,
) -> Result<Ready, Stop> {
    let plan = match world.plan(wanted, observation) {
        Ok(plan) => Arc::new(plan),
        Err(stop) => return Err(images::explain(stop, world, wanted, observation, runner).await),
    };
    let mut refusals = check::refuse(world, wanted, observation, &plan.from, &plan.to).await?;
    refusals.extend(trip::refusals(world, &plan).await);
    if !refusals.is_empty() {
        return Err(Stop::refused(refusals));
    }
    let (identity, images) = preflight::look_up(runner, &plan).await?;
    Ready::begun(world, plan, images, identity.name, host, arguments.fence)
}

/// Takes up an interrupted run, if it is the one that was asked for and the databases agree.
async fn resume(
    latest: Latest,
    world: &World,
    wanted: &Wanted,
    observation: &Observation,
    runner: &dyn Runner,
) -> Result<Ready, Stop> {
    let Latest { run, plan, records, state } = latest;
    if !fits(world, &state, &plan, wanted) {
        let unfinished = services(&plan);
        let services: Vec<&str> = unfinished.iter().map(Service::as_str).collect();
        return Err(Stop::refused(vec![Refusal {
            kind: RefusalKind::Unfinished,
            database: None,
            what: format!("run {run} of this cloud is unfinished and does something else"),
            found: Some(format!("`{}`, {}", plan.command(), services.join(", "))),
            expected: Some(again(world, wanted)),
            next: format!(
                "finish it first: `{}{}`; or begin anew with --fresh, which checks where every database stands",
                plan.command(),
                world.options(&unfinished)
            ),
        }]));
    }
    world.names_what_was_planned(&run, &plan, &wanted.services)?;
    let refusals = plan::reconcile(&plan, &state, observation, &world.options(&wanted.services));
    if !refusals.is_empty() {
        return Err(Stop::refused(refusals));
    }
    let identity = runner.identify().await;
    identity.map_err(|error| Stop::refused(vec![preflight::refusal(error)]))?;
    let pinned = state.start.as_ref().map(|start| start.images.clone()).unwrap_or_default();
    let images = pinned.into_iter();
    let images = images.map(|(reference, digest)| (reference.clone(), PinnedImage { reference, digest })).collect();
    Ok(Ready {
        run,
        plan: Arc::new(plan),
        history: records,
        state,
        images,
        opening: Opening::Resume,
        owed: Vec::new(),
        then: None,
        stages: None,
    })
}

/// The latest run of the cloud, whatever became of it.
pub(in crate::cli) fn latest(store: &Store) -> Result<Option<Latest>, Stop> {
    let Some(run) = store.runs()?.pop() else { return Ok(None) };
    let contents = crate::journal::read(&store.directory_of(&run))?;
    if contents.records.is_empty() {
        // Cut off before its first record: nothing was done in it.
        return Ok(None);
    }
    let plan = records::plan_of(store, &run)?;
    Ok(Some(Latest { run, plan, records: contents.records, state: contents.state }))
}

pub(in crate::cli) fn services(plan: &Plan) -> BTreeSet<Service> {
    plan.hops.iter().flat_map(|hop| hop.lanes.iter().map(|lane| lane.service.clone())).collect()
}

/// Whether a run is the one that was asked for.
fn fits(world: &World, state: &RunState, plan: &Plan, wanted: &Wanted) -> bool {
    let from = match &wanted.from {
        Start::Auto => true,
        Start::At(series) => *series == plan.from,
    };
    let to = match &wanted.to {
        Target::At(series) => *series == plan.to,
        Target::Further(number) => {
            world.catalog.later(&plan.from, *number).is_some_and(|release| release.series == plan.to)
        }
    };
    let own = services(plan);
    // Services without a step of a part are not in its plan.
    let same = if wanted.part.phase().is_some() { own.is_subset(&wanted.services) } else { own == wanted.services };
    state.start.is_some() && from && to && plan.stops == wanted.stops && plan.part == wanted.part && same
}
