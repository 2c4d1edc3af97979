//! Carrying a run out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Context;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::ready::{Opening, Ready, services};
use super::{Ending, GRACE, host_name};
use super::{FenceMode, LeapArguments, Prefetch};
use crate::cli::arguments::Output;
use crate::cli::exit::Exit;
use crate::cli::guard::Guard;
use crate::cli::images::ImageReader;
use crate::cli::look::Show;
use crate::cli::points::DatabasePoints;
use crate::cli::reader::LiveReader;
use crate::cli::stop::Stop;
use crate::cli::telling::{listen, tell};
use crate::cli::trip::Trips;
use crate::cli::world::World;
use crate::cli::{preflight, records};
use crate::conduct::{self, ConductError, Conductor, Connections, EventSink, ImageInspector, Settings};
use crate::journal::{Event, Journal, Outcome, Progress, Record, RecordBody, RunState, Store};
use crate::model::{ImageReference, RunId};
use crate::plan::Plan;
use crate::report::{JsonLinesReporter, PlainReporter, Reporter, Reporters, TerminalReporter};
use crate::runner::Runner;

/// Carries the run out and tells how it ended.
#[expect(clippy::too_many_arguments, reason = "each is another party of a run")]
pub(super) async fn carry_out(
    world: &World,
    arguments: &LeapArguments,
    ready: Ready,
    guard: Guard,
    store: &Store,
    runner: Arc<dyn Runner>,
    show: &Show,
    again: &str,
) -> Result<Ending, Stop> {
    let Ready { run, mut plan, history, state, images, opening, then, stages, owed: _ } = ready;
    let directory = store.directory_of(&run);
    let (events, source) = EventSink::channel();
    let (source, keeping) = match stages {
        Some(keeper) => {
            let (source, keeping) = keeper.keep(world, &plan, &history, source);
            (source, Some(keeping))
        }
        None => (source, None),
    };
    let telling = tokio::spawn(tell(reporter(&plan, &history, &directory, show), source));
    let (sender, mut signals) = mpsc::unbounded_channel();
    let asked = listen(sender.clone()).map_err(Stop::internal)?;
    let fence = guard.fence();
    let locks = guard.watch(sender);
    let first = needed_first(world, arguments, &plan, &state);
    let services = services(&plan);
    let waiting = conduct::patient(Arc::clone(&runner), world.cloud.limits.outage, &events);
    let images_reader = ImageReader::new(world, &services, Arc::clone(&waiting), Arc::clone(&plan)).map(Arc::new);
    preflight::tell_unread(world, &events);
    let obtained = tokio::select! {
        obtained = preflight::obtain(&*waiting, &plan, &images, &first, images_reader.as_deref(), &events) => obtained.map(|()| true),
        Some(_) = signals.recv() => Ok(false),
    };
    match obtained {
        Ok(true) => {}
        stopped => {
            drop(events);
            let _ = telling.await;
            locks.end().await;
            show.complain("no database was touched\n");
            return stopped.map(|_| Ending::Over(Exit::Interrupted));
        }
    }
    if let (Opening::Start(_), Some(reader)) = (&opening, &images_reader) {
        plan = Arc::new(reader.enriched());
    }
    let (mut journal, body) = open(opening, &plan, &run, store, arguments, &events)?;
    for body in [Some(body), then].into_iter().flatten() {
        let record = journal.append(Timestamp::now(), body)?;
        events.send(Event::Record(record));
    }
    let databases = world.cloud.databases.clone();
    let reader = LiveReader { databases: databases.clone(), timeout: world.cloud.limits.connect };
    let settings = Settings {
        jobs: arguments.jobs.map_or(world.cloud.limits.jobs, usize::from),
        batch: world.cloud.limits.batch,
        round: world.cloud.limits.round,
        grace: GRACE,
        stall: world.cloud.limits.stall,
        outage: world.cloud.limits.outage,
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
    .saving(Arc::new(DatabasePoints::new(world, &run)))
    .touching(Arc::new(Trips::new(world).map_err(Stop::internal)?));
    let conductor = match arguments.fence {
        FenceMode::On => conductor.behind(Arc::new(fence)),
        FenceMode::Off => conductor,
    };
    let conclusion = conductor.conduct(signals).await;
    if let Some(keeping) = keeping {
        // While nobody else may note anything.
        let _ = keeping.await;
    }
    let away = locks.end().await;
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
        let gone = arguments.fleeting && conclusion.outcome == Outcome::Interrupted;
        let again = (!gone).then_some(again);
        show.complain(&records::summary(&plan, &records, &directory, again, show));
    }
    let exit = match conclusion.outcome {
        Outcome::Done | Outcome::Skipped => Exit::Done,
        Outcome::Failed => Exit::Failed,
        Outcome::Stuck => Exit::Stuck,
        Outcome::Interrupted => Exit::Interrupted,
    };
    let goes_on = away && exit == Exit::Failed && !conclusion.abandoned && !asked.load(Ordering::Relaxed);
    Ok(if goes_on { Ending::DatabaseAway(exit) } else { Ending::Over(exit) })
}

/// The images that are here before the first database is touched: all that open hops need, or those of the
/// first one.
fn needed_first(world: &World, arguments: &LeapArguments, plan: &Plan, state: &RunState) -> BTreeSet<ImageReference> {
    let all = match arguments.prefetch {
        Some(prefetch) => prefetch == Prefetch::All,
        None => world.cloud.runner.prefetch() == crate::cloud::Prefetch::All,
    };
    let open = plan.hops.iter().filter(|hop| !state.hop_is_complete(&hop.series));
    let hops = open.take(if all { usize::MAX } else { 1 });
    hops.flat_map(|hop| hop.lanes.iter().map(|lane| lane.image.clone())).collect()
}

/// The journal of the run, and the first record of this process.
fn open(
    opening: Opening,
    plan: &Plan,
    run: &RunId,
    store: &Store,
    arguments: &LeapArguments,
    events: &EventSink,
) -> Result<(Journal, RecordBody), Stop> {
    match opening {
        Opening::Start(body) => {
            let text = serde_json::to_vec_pretty(plan).context("failed to write the plan").map_err(Stop::internal)?;
            Ok((store.create(run, &text)?, *body))
        }
        Opening::Resume => {
            let (journal, contents) = Journal::open(&store.directory_of(run))?;
            if contents.torn > 0 {
                let text =
                    format!("the journal ended in an unfinished record ({} bytes); it was cut off", contents.torn);
                events.send(Event::Progress(Progress::Notice { text }));
            }
            let body = RecordBody::RunResumed {
                leapfrog: env!("CARGO_PKG_VERSION").to_owned(),
                host: host_name(),
                pid: std::process::id(),
                unfenced: arguments.fence == FenceMode::Off,
            };
            Ok((journal, body))
        }
    }
}

/// What tells the operator, by the kind of output that was asked for.
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
