//! The leap itself: look, ask, carry out, tell.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::arguments::{Common, FenceMode, LeapArguments, Output, Prefetch, Selection};
use super::exit::Exit;
use super::guard::Guard;
use super::images::ImageReader;
use super::look::Show;
use super::points::{self, DatabasePoints};
use super::preflight;
use super::reader::LiveReader;
use super::stop::Stop;
use super::world::{Target, Wanted, World};
use crate::conduct::{ConductError, Conductor, Connections, EventSink, ImageInspector, Settings, Signal};
use crate::journal::{Event, Journal, Outcome, Progress, Record, RecordBody, RunState, Store};
use crate::model::{ImageReference, Observation, RunId, Service};
use crate::plan::{self, Plan, Refusal, RefusalKind, Start};
use crate::report::{JsonLinesReporter, PlainReporter, Reporter, Reporters, TerminalReporter};
use crate::runner::{FoundState, PinnedImage, Runner};

/// How long a command that is stopped may take to end by itself.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// The latest run of a cloud.
pub(super) struct Latest {
    pub(super) run: RunId,
    pub(super) plan: Plan,
    pub(super) records: Vec<Record>,
    pub(super) state: RunState,
}

/// A run that is ready to be carried out.
struct Ready {
    run: RunId,
    plan: Arc<Plan>,
    /// What was recorded before this process.
    history: Vec<Record>,
    /// What that means.
    state: RunState,
    images: BTreeMap<ImageReference, PinnedImage>,
    /// How the run continues or begins, once the first images are here.
    opening: Opening,
}

impl Ready {
    /// The run, if it is one that goes on.
    fn resumed(&self) -> Option<&RunId> {
        matches!(self.opening, Opening::Resume).then_some(&self.run)
    }
}

/// The first record of this process.
enum Opening {
    Start(Box<RecordBody>),
    Resume,
}

/// `leapfrog --from … --to …`.
pub(super) async fn leap(
    common: &Common,
    arguments: &LeapArguments,
    selection: &Selection,
    show: &Show,
) -> Result<Exit, Stop> {
    if show.output == Output::Json {
        return Err(Stop::usage(anyhow!("a leap has no single JSON document: use --output jsonl, or `leapfrog plan`")));
    }
    let mut world = World::read_aloud(common, show)?;
    let wanted = world.wanted(selection)?;
    if !arguments.yes && !std::io::stdin().is_terminal() {
        return Err(Stop::usage(anyhow!(
            "there is no terminal to ask on: add --yes to begin without being asked (`leapfrog plan` shows every step)"
        )));
    }
    let store = world.store();
    let host = host_name();
    let pid = std::process::id();
    let _lock = store.lock(&format!("process {pid} on {host}, since {}", Timestamp::now().strftime("%F %T UTC")))?;
    // Cells that only their mappings name are locked and fenced like all others.
    world.look_up_mapped(&wanted.services).await;
    let guard = Guard::take(world.databases(&wanted.services), &host, world.cloud.limits.connect).await?;
    let runner = preflight::runner(&world)?;
    let mut ready = prepare(&world, arguments, &wanted, &store, &*runner, &host, show).await;
    if let Ok(Some(made)) = &ready
        && let Err(stop) = guard.close_in(made.resumed(), arguments.fence, &*runner, show).await
    {
        ready = Err(stop);
    }
    if let Ok(Some(made)) = &ready
        && let Err(stop) = points::can_be_taken(&world, &made.plan, &made.state).await
    {
        ready = Err(stop);
    }
    let again = again(&world, &wanted);
    match ready {
        Ok(Some(ready)) if confirm(arguments, &ready, show)? => {
            carry_out(&world, arguments, ready, guard, store, runner, show, &again).await
        }
        other => {
            guard.release().await;
            other.map(|ready| if ready.is_some() { Exit::Interrupted } else { Exit::Done })
        }
    }
}

/// Makes the run that was asked for ready, or says that there is nothing to do.
async fn prepare(
    world: &World,
    arguments: &LeapArguments,
    wanted: &Wanted,
    store: &Store,
    runner: &dyn Runner,
    host: &str,
    show: &Show,
) -> Result<Option<Ready>, Stop> {
    let latest = latest(store)?;
    if let Some(latest) = &latest {
        super::restore::nothing_half_restored(&latest.run, &latest.state, &world.options(&wanted.services))?;
    }
    let observation = world.observe(&wanted.services).await;
    let latest = if arguments.fresh { nothing_runs(latest, runner).await? } else { latest };
    let ready = match latest {
        Some(latest) if !latest.state.is_complete() => resume(latest, world, wanted, &observation, runner).await?,
        Some(latest)
            // From wherever they stand, so many releases further: that is another leap each time.
            if !matches!((&wanted.from, &wanted.to), (Start::Auto, Target::Further(_)))
                && fits(&latest.state, &latest.plan, wanted)
                && plan::stands_at_the_end(&latest.plan, &observation) =>
        {
            let to = &latest.plan.to;
            show.complain(&format!(
                "already at {to}: run {} is complete and every database shows it; `leapfrog status` tells how\n",
                latest.run
            ));
            return Ok(None);
        }
        _ => begin(world, wanted, &observation, runner, arguments, host).await?,
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
        Err(stop) => return Err(super::images::explain(stop, world, wanted, observation, runner).await),
    };
    let (identity, images) = preflight::look_up(runner, &plan).await?;
    let now = Timestamp::now();
    let salt = now.subsec_nanosecond().unsigned_abs() as u16 ^ std::process::id() as u16;
    let run = world.store().name_run(now, salt)?;
    let opening = Opening::Start(Box::new(RecordBody::RunStarted {
        run: run.clone(),
        cloud: plan.cloud.clone(),
        from: plan.from.clone(),
        to: plan.to.clone(),
        leapfrog: env!("CARGO_PKG_VERSION").to_owned(),
        runner: identity.name,
        host: host.to_owned(),
        pid: std::process::id(),
        images: images.iter().map(|(reference, image)| (reference.clone(), image.digest.clone())).collect(),
        unfenced: arguments.fence == FenceMode::Off,
    }));
    Ok(Ready { run, plan, history: Vec::new(), state: RunState::default(), images, opening })
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
    if !fits(&state, &plan, wanted) {
        let unfinished = services(&plan);
        let services: Vec<&str> = unfinished.iter().map(Service::as_str).collect();
        return Err(Stop::refused(vec![Refusal {
            kind: RefusalKind::Unfinished,
            database: None,
            what: format!("run {run} of this cloud is unfinished and does something else"),
            found: Some(format!("{} to {}, {}", plan.from, plan.to, services.join(", "))),
            expected: Some(again(world, wanted)),
            next: format!(
                "finish it first: `leapfrog --from {} --to {}{}`; or begin anew with --fresh, which checks where every \
                 database stands",
                plan.from,
                plan.to,
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
    Ok(Ready { run, plan: Arc::new(plan), history: records, state, images, opening: Opening::Resume })
}

/// The latest run of the cloud, whatever became of it.
pub(super) fn latest(store: &Store) -> Result<Option<Latest>, Stop> {
    let Some(run) = store.runs()?.pop() else { return Ok(None) };
    let contents = crate::journal::read(&store.directory_of(&run))?;
    if contents.records.is_empty() {
        // Cut off before its first record: nothing was done in it.
        return Ok(None);
    }
    let plan = super::records::plan_of(store, &run)?;
    Ok(Some(Latest { run, plan, records: contents.records, state: contents.state }))
}

pub(super) fn services(plan: &Plan) -> BTreeSet<Service> {
    plan.hops.iter().flat_map(|hop| hop.lanes.iter().map(|lane| lane.service.clone())).collect()
}

/// Whether a run is the one that was asked for.
fn fits(state: &RunState, plan: &Plan, wanted: &Wanted) -> bool {
    let from = match &wanted.from {
        Start::Auto => true,
        Start::At(series) => *series == plan.from,
    };
    let to = match &wanted.to {
        Target::At(series) => *series == plan.to,
        Target::Further(number) => plan.hops.len() == number + 1,
    };
    state.start.is_some() && from && to && services(plan) == wanted.services
}

/// The command that asks for the same again.
fn again(world: &World, wanted: &Wanted) -> String {
    let from = match &wanted.from {
        Start::Auto => "auto".to_owned(),
        Start::At(series) => series.to_string(),
    };
    let to = match &wanted.to {
        Target::At(series) => series.to_string(),
        Target::Further(number) => format!("+{number}"),
    };
    format!("leapfrog --from {from} --to {to}{}", world.options(&wanted.services))
}

/// Shows what will be done and asks, where that was not answered beforehand.
fn confirm(arguments: &LeapArguments, ready: &Ready, show: &Show) -> Result<bool, Stop> {
    let plan = &ready.plan;
    let (from, to) = (&plan.from, &plan.to);
    let headline = match ready.opening {
        Opening::Start(_) => format!("{}: {from} → {to}\n", plan.cloud),
        Opening::Resume => format!("{}: {from} → {to}, continuing run {}\n", plan.cloud, ready.run),
    };
    if show.output == Output::Text {
        show.complain(&format!("{headline}{}", plan::render_brief(plan)));
    }
    if arguments.yes {
        return Ok(true);
    }
    show.complain("\nNo service may write to these databases until the leap is complete. Begin? [yes/no] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("failed to read the answer").map_err(Stop::internal)?;
    let yes = matches!(answer.trim().to_lowercase().as_str(), "yes" | "y");
    if !yes {
        show.complain("nothing was touched\n");
    }
    Ok(yes)
}

/// Carries the run out and tells how it ended.
#[expect(clippy::too_many_arguments, reason = "each is another party of a run")]
async fn carry_out(
    world: &World,
    arguments: &LeapArguments,
    ready: Ready,
    guard: Guard,
    store: Store,
    runner: Arc<dyn Runner>,
    show: &Show,
    again: &str,
) -> Result<Exit, Stop> {
    let Ready { run, mut plan, history, state, images, opening } = ready;
    let directory = store.directory_of(&run);
    let (events, source) = EventSink::channel();
    let telling = tokio::spawn(tell(reporter(&plan, &history, &directory, show), source));
    let (sender, signals) = mpsc::unbounded_channel();
    listen(sender.clone()).map_err(Stop::internal)?;
    let fence = guard.fence();
    let locks = guard.watch(sender);
    let prefetch = match arguments.prefetch {
        Some(Prefetch::All) => true,
        Some(Prefetch::Next) => false,
        None => world.cloud.runner.prefetch == crate::cloud::Prefetch::All,
    };
    // The images of the hop that comes first, before the first database is touched.
    let open = plan.hops.iter().filter(|hop| !state.hop_is_complete(&hop.series));
    let hops = open.take(if prefetch { usize::MAX } else { 1 });
    let first: BTreeSet<ImageReference> =
        hops.flat_map(|hop| hop.lanes.iter().map(|lane| lane.image.clone())).collect();
    let mut signals = signals;
    let services = services(&plan);
    let images_reader = ImageReader::new(world, &services, Arc::clone(&runner), Arc::clone(&plan)).map(Arc::new);
    let obtained = tokio::select! {
        obtained = preflight::obtain(&*runner, &plan, &images, &first, images_reader.as_deref(), &events) => obtained.map(|()| true),
        Some(_) = signals.recv() => Ok(false),
    };
    match obtained {
        Ok(true) => {}
        stopped => {
            drop(events);
            let _ = telling.await;
            locks.end().await;
            show.complain("no database was touched\n");
            return stopped.map(|_| Exit::Interrupted);
        }
    }
    if let (Opening::Start(_), Some(reader)) = (&opening, &images_reader) {
        plan = Arc::new(reader.enriched());
    }
    let mut journal = match &opening {
        Opening::Start(_) => {
            let text = serde_json::to_vec_pretty(&*plan).context("failed to write the plan").map_err(Stop::internal)?;
            store.create(&run, &text)?
        }
        Opening::Resume => {
            let (journal, contents) = Journal::open(&directory)?;
            if contents.torn > 0 {
                let text =
                    format!("the journal ended in an unfinished record ({} bytes); it was cut off", contents.torn);
                events.send(Event::Progress(Progress::Notice { text }));
            }
            journal
        }
    };
    let body = match opening {
        Opening::Start(body) => *body,
        Opening::Resume => RecordBody::RunResumed {
            leapfrog: env!("CARGO_PKG_VERSION").to_owned(),
            host: host_name(),
            pid: std::process::id(),
            unfenced: arguments.fence == FenceMode::Off,
        },
    };
    let record = journal.append(Timestamp::now(), body)?;
    events.send(Event::Record(record));
    let databases = world.cloud.databases.clone();
    let reader = LiveReader { databases: databases.clone(), timeout: world.cloud.limits.connect };
    let settings = Settings {
        jobs: arguments.jobs.map_or(world.cloud.limits.jobs, usize::from),
        batch: world.cloud.limits.batch,
        round: world.cloud.limits.round,
        grace: GRACE,
        stall: world.cloud.limits.stall,
        directory: directory.clone(),
    };
    let conductor = Conductor::new(
        Arc::clone(&plan),
        run.clone(),
        journal,
        runner,
        Arc::new(reader),
        Connections::new(databases),
        images,
        first,
        settings,
        events,
    )
    .inspecting(images_reader.map(|reader| reader as Arc<dyn ImageInspector>))
    .saving(Arc::new(DatabasePoints::new(world, &run)));
    let conductor = match arguments.fence {
        FenceMode::On => conductor.behind(Arc::new(fence)),
        FenceMode::Off => conductor,
    };
    let conclusion = conductor.conduct(signals).await;
    locks.end().await;
    telling.await.map_err(|error| Stop::internal(error.into()))?;
    let conclusion = conclusion.map_err(|error| {
        let exit = match &error {
            ConductError::Find(_) => Exit::Refused,
            // A full disk can be mended, and then the run goes on.
            ConductError::Journal(_) => Exit::Failed,
        };
        Stop { exit, ..Stop::internal(error.into()) }
    })?;
    if show.output == Output::Text {
        let records = crate::journal::read(&directory)?.records;
        show.complain(&super::records::summary(&plan, &records, &directory, again, show));
    }
    Ok(match conclusion.outcome {
        Outcome::Done | Outcome::Skipped => Exit::Done,
        Outcome::Failed => Exit::Failed,
        Outcome::Stuck => Exit::Stuck,
        Outcome::Interrupted => Exit::Interrupted,
    })
}

fn reporter(plan: &Arc<Plan>, history: &[Record], directory: &camino::Utf8Path, show: &Show) -> Box<dyn Reporter> {
    let directory = directory.to_owned();
    let mut reporters: Vec<Box<dyn Reporter>> = Vec::new();
    if show.output == Output::Jsonl {
        reporters.push(Box::new(JsonLinesReporter::new(show.stdout())));
    } else if show.is_terminal() {
        reporters.push(Box::new(TerminalReporter::stderr(Arc::clone(plan), history, directory, show.err)));
    } else {
        reporters.push(Box::new(PlainReporter::new(Arc::clone(plan), history, directory, show.stderr())));
    }
    Box::new(Reporters::new(reporters))
}

/// Passes events on to a reporter, and time.
pub(super) async fn tell(mut reporter: Box<dyn Reporter>, mut source: mpsc::UnboundedReceiver<Event>) {
    let mut clock = tokio::time::interval(Duration::from_millis(100));
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            event = source.recv() => match event {
                Some(event) => reporter.see(&event, Timestamp::now()),
                None => break,
            },
            _ = clock.tick() => reporter.tick(Timestamp::now()),
        }
    }
    reporter.finish(Timestamp::now());
}

/// The operator's signals. A lost terminal (SIGHUP) does not stop a run.
pub(super) fn listen(sender: mpsc::UnboundedSender<Signal>) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let mut hang_up = signal(SignalKind::hangup()).context("failed to listen for SIGHUP")?;
    tokio::spawn(async move {
        loop {
            let signal = tokio::select! {
                Some(()) = interrupt.recv() => Signal::Interrupt,
                Some(()) = terminate.recv() => Signal::Terminate,
                Some(()) = hang_up.recv() => continue,
                else => return,
            };
            if sender.send(signal).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// The machine's name.
pub(super) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
