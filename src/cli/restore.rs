//! `leapfrog restore`: databases go back to where they stood before a release, and the run goes on from there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::time::Instant;

use anyhow::{Context, anyhow};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc;

use super::arguments::{Common, Output, RestoreArguments};
use super::executor;
use super::exit::Exit;
use super::guard::Guard;
use super::leap::FenceMode;
use super::leap::{self, Latest};
use super::look::Show;
use super::points::{DatabasePoints, setting};
use super::preflight;
use super::stop::Stop;
use super::telling;
use super::world::World;
use crate::conduct::{RestorePoints, Signal};
use crate::journal::{Evidence, Failure, Journal, Outcome, RecordBody, RunState, SavedPoint};
use crate::model::{RunId, Series, Service};
use crate::plan::{Plan, Refusal, RefusalKind};
use crate::report;
use crate::restore::{Means, PointFiles};
use crate::runner::{FoundState, Runner};

/// How many databases are brought back side by side.
const AT_ONCE: usize = 2;

/// What is to be brought back.
struct Journey {
    run: RunId,
    to: Series,
    services: BTreeSet<Service>,
    points: Vec<SavedPoint>,
}

/// `leapfrog restore`.
pub(super) async fn restore(common: &Common, arguments: &RestoreArguments, show: &Show) -> Result<Exit, Stop> {
    let mut world = World::read_aloud(common, show)?;
    let Some(to) = &arguments.to else { return list(&world, show) };
    let to = world.catalog.find_series(to).context("--to names no release").map_err(Stop::usage)?;
    if !arguments.yes && !std::io::stdin().is_terminal() {
        return Err(Stop::usage(anyhow!("there is no terminal to ask on: add --yes to begin without being asked")));
    }
    let store = world.store();
    let host = leap::host_name();
    let pid = std::process::id();
    let holder = format!("restore, process {pid} on {host}, since {}", Timestamp::now().strftime("%F %T UTC"));
    let _lock = store.lock(&holder)?;
    let Some(latest) = leap::latest(&store)? else {
        return Err(Stop::usage(anyhow!("there is no run to go back in: {} holds none", world.cloud.state_dir)));
    };
    let planned = leap::services(&latest.plan);
    world.only(&planned.iter().cloned().collect::<Vec<_>>())?;
    let journey = journey(latest, &to, &arguments.service, &planned)?;
    world.look_up_mapped(&journey.services).await;
    let guard = Guard::take(&world, &journey.services, &host).await?;
    let runner = executor::runner(&world)?;
    let done = match alone(&guard, &journey.run, &*runner, show).await {
        Ok(()) if confirm(arguments, &journey, show)? => go_back(&world, &journey, &host, show).await,
        Ok(()) => Ok(Exit::Interrupted),
        Err(stop) => Err(stop),
    };
    guard.release().await;
    if matches!(done, Ok(Exit::Done)) && show.output == Output::Text {
        let plan = super::records::plan_of(&store, &journey.run)?;
        let options = world.options(&planned);
        show.complain(&format!("to go on from there, run\n  {}{options}\n", plan.command()));
    }
    done
}

/// What is brought back, and from which restore points.
fn journey(latest: Latest, to: &Series, only: &[Service], planned: &BTreeSet<Service>) -> Result<Journey, Stop> {
    let Latest { run, plan, state, .. } = latest;
    if let Some(stranger) = only.iter().find(|service| !planned.contains(service)) {
        let known: Vec<&str> = planned.iter().map(Service::as_str).collect();
        let text = format!("--service {stranger}: run {run} has no such service; it has {}", known.join(", "));
        return Err(Stop::usage(anyhow!(text)));
    }
    let mut services: BTreeSet<Service> =
        if only.is_empty() { planned.clone() } else { only.iter().cloned().collect() };
    // What was cut off is finished, whatever else is asked for.
    services.extend(state.restoring.iter().flat_map(|open| open.services.iter().cloned()));
    let points = points(&run, &plan, &state, to, &services)?;
    Ok(Journey { run, to: to.clone(), services, points })
}

/// The restore points of services before a hop.
fn points(
    run: &RunId,
    plan: &Plan,
    state: &RunState,
    to: &Series,
    services: &BTreeSet<Service>,
) -> Result<Vec<SavedPoint>, Stop> {
    let refusal = |what: String, found: Option<String>, next: String| Refusal {
        kind: RefusalKind::RestorePoint,
        database: None,
        what,
        found,
        expected: None,
        next,
    };
    let mut by_hop: BTreeMap<&Series, BTreeSet<&Service>> = BTreeMap::new();
    for step in state.points.keys().filter(|step| state.is_done(step)) {
        by_hop.entry(&step.series).or_default().insert(&step.service);
    }
    let there: Vec<String> = by_hop.keys().map(ToString::to_string).collect();
    let there = if there.is_empty() { "none".to_owned() } else { format!("before {}", there.join(", ")) };
    let Some(hop) = plan.hops.iter().find(|hop| hop.series == *to) else {
        let what = format!("run {run} does not lead through {to}");
        let next = "name one of the releases that the restore points were taken before".to_owned();
        return Err(Stop::refused(vec![refusal(what, Some(there), next)]));
    };
    let (mut points, mut refusals) = (Vec::new(), Vec::new());
    for lane in hop.lanes.iter().filter(|lane| services.contains(&lane.service)) {
        let saves: Vec<_> = lane.steps.iter().filter(|step| step.saves().is_some()).collect();
        let taken: Vec<&SavedPoint> =
            saves.iter().filter(|step| state.is_done(&step.id)).filter_map(|step| state.points.get(&step.id)).collect();
        if saves.is_empty() || taken.len() < saves.len() {
            let what = format!("there is no restore point of {} before {to}", lane.service);
            let next = format!(
                "go back to a hop that has one (`leapfrog restore --list`), or leave {} out with --service",
                lane.service
            );
            refusals.push(refusal(what, Some(there.clone()), next));
        }
        points.extend(taken.into_iter().cloned());
    }
    if refusals.is_empty() { Ok(points) } else { Err(Stop::refused(refusals)) }
}

/// That nobody works on the databases: no command of the run, and nobody else.
async fn alone(guard: &Guard, run: &RunId, runner: &dyn Runner, show: &Show) -> Result<(), Stop> {
    let tasks = runner.find(run).await.map_err(|error| Stop::refused(vec![preflight::refusal(error)]))?;
    let running: Vec<String> = tasks
        .iter()
        .filter(|task| task.state == FoundState::Running)
        .map(|task| format!("{} ({})", task.id.step, task.handle.0.chars().take(12).collect::<String>()))
        .collect();
    if !running.is_empty() {
        return Err(Stop::refused(vec![Refusal {
            kind: RefusalKind::Unfinished,
            database: None,
            what: format!("commands of run {run} still work on the databases"),
            found: Some(running.join(", ")),
            expected: Some("none".to_owned()),
            next: "go on with the run, which watches them, and stop it with Ctrl-C twice; then restore".to_owned(),
        }]));
    }
    guard.close_in(None, FenceMode::On, runner, show).await
}

/// Shows what will be brought back and asks, where that was not answered beforehand.
fn confirm(arguments: &RestoreArguments, journey: &Journey, show: &Show) -> Result<bool, Stop> {
    let mut text = format!("run {}: back to where {} began\n", journey.run, journey.to);
    for point in &journey.points {
        text.push_str(&format!("  {:<24} to {}, {}\n", point.database, point.heads, report::saved_point(point)));
    }
    if show.output == Output::Text {
        show.complain(&text);
    }
    if arguments.yes {
        return Ok(true);
    }
    show.asks("Everything that came into these databases later is removed.\nBring them back?")
}

/// Brings the databases back, proves it and records it.
async fn go_back(world: &World, journey: &Journey, host: &str, show: &Show) -> Result<Exit, Stop> {
    let store = world.store();
    let (mut journal, _) = Journal::open(&store.directory_of(&journey.run))?;
    journal.append(
        Timestamp::now(),
        RecordBody::RestoreStarted {
            to: journey.to.clone(),
            services: journey.services.clone(),
            because: None,
            host: host.to_owned(),
            pid: std::process::id(),
        },
    )?;
    let began = Instant::now();
    let keeper = DatabasePoints::new(world, &journey.run);
    let (sender, mut signals) = mpsc::unbounded_channel::<Signal>();
    telling::listen(sender).map_err(Stop::internal)?;
    let (tell, mut told) = mpsc::channel::<String>(16);
    let all = async {
        let tell = tell;
        let works = journey.points.iter().map(|point| {
            let (keeper, tell) = (&keeper, &tell);
            async move { (point, keeper.bring_back(point, tell).await) }
        });
        let mut works = stream::iter(works).buffer_unordered(AT_ONCE);
        let (mut evidence, mut failures) = (Vec::new(), Vec::new());
        while let Some((point, back)) = works.next().await {
            match back {
                Ok(piece) => {
                    let _ = tell.send(format!("{} is back at {}", point.database, point.heads)).await;
                    evidence.push(piece);
                }
                Err(failure) => failures.push(failure),
            }
        }
        (evidence, failures)
    };
    let mut all = std::pin::pin!(all);
    let ended: Option<(Vec<Evidence>, Vec<Failure>)> = loop {
        tokio::select! {
            ended = &mut all => break Some(ended),
            Some(text) = told.recv() => if show.output == Output::Text { show.complain(&format!("{text}\n")) },
            Some(_) = signals.recv() => break None,
        }
    };
    while let Ok(text) = told.try_recv() {
        if show.output == Output::Text {
            show.complain(&format!("{text}\n"));
        }
    }
    let (outcome, mut evidence, failure) = match ended {
        None => (Outcome::Interrupted, Vec::new(), None),
        Some((evidence, failures)) => match failures.into_iter().next() {
            None => (Outcome::Done, evidence, None),
            Some(failure) => (Outcome::Failed, evidence, Some(failure)),
        },
    };
    evidence.sort_by_key(|piece| match piece {
        Evidence::Restored { database, .. } => Some(database.clone()),
        _ => None,
    });
    let seconds = (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
    journal.append(
        Timestamp::now(),
        RecordBody::RestoreEnded {
            to: journey.to.clone(),
            services: journey.services.clone(),
            outcome,
            seconds,
            evidence: evidence.clone(),
            failure: failure.clone(),
        },
    )?;
    if outcome == Outcome::Done {
        super::stages::put_back(world, &journey.run, &journey.services, show).await?;
    }
    if show.output != Output::Text {
        show.print_json(&evidence)?;
    }
    Ok(match failure {
        Some(failure) => {
            show.complain(&format!("leapfrog: {}\n  next      {}\n", failure.what, failure.advice));
            Exit::Failed
        }
        None if outcome == Outcome::Done => Exit::Done,
        None => {
            show.complain("stopped: the databases stand nowhere until the same command is run again to its end\n");
            Exit::Interrupted
        }
    })
}

/// That no restore was cut off: its databases stand nowhere, whatever their heads say. An automatic way back is begun
/// again by the run that it belongs to, and by no other.
pub(super) fn nothing_half_restored(latest: &Latest, fresh: bool, options: &str) -> Result<(), Stop> {
    let Latest { run, state, .. } = latest;
    let Some(open) = state.restoring.as_ref().filter(|open| open.because.is_none() || fresh) else { return Ok(()) };
    let services: Vec<&str> = open.services.iter().map(Service::as_str).collect();
    // The options of a leap name services in their own way.
    let files = options.split(" --").filter(|part| part.starts_with("config ") || part.starts_with("catalog "));
    let files: String = files.map(|part| format!(" --{part}")).collect();
    Err(Stop::refused(vec![Refusal {
        kind: RefusalKind::Unfinished,
        database: None,
        what: format!(
            "bringing {} back to where {} began did not end well in run {run}: they stand nowhere",
            services.join(", "),
            open.to
        ),
        found: None,
        expected: None,
        next: format!("finish it: `leapfrog restore --to {} --service {}{files}`", open.to, services.join(",")),
    }]))
}

/// One restore point in the list.
#[derive(Debug, Serialize)]
struct Line {
    point: String,
    database: String,
    before: String,
    time: String,
    means: Means,
    bytes: u64,
    proof: String,
    heads: String,
}

/// `leapfrog restore --list`.
fn list(world: &World, show: &Show) -> Result<Exit, Stop> {
    let setting = setting(world);
    let failed = |error: crate::restore::RestoreError| {
        Stop::usage(anyhow!("failed to {}. Next: {}", error.line(), error.advice()))
    };
    let all = PointFiles::at(&setting.directory).all().map_err(failed)?;
    let mut lines = Vec::new();
    let mut damaged = false;
    for (name, point) in all {
        match point {
            Ok(point) => lines.push(Line {
                point: name.to_string(),
                database: name.database.to_string(),
                before: name.series.to_string(),
                time: point.time.strftime("%F %T UTC").to_string(),
                means: point.means,
                bytes: point.bytes,
                proof: point.proof.to_string(),
                heads: point.heads.to_string(),
            }),
            Err(error) => {
                damaged = true;
                show.complain(&format!("leapfrog: failed to {}\n", error.line()));
            }
        }
    }
    match show.output {
        Output::Text if lines.is_empty() => {
            show.complain(&format!("no restore points in {}\n", setting.directory));
        }
        Output::Text => {
            let total: u64 = lines.iter().map(|line| line.bytes).sum();
            for Line { point, database, before, time, bytes, proof, .. } in &lines {
                let run = point.split('/').next().unwrap_or_default();
                show.print(&format!(
                    "{database:<20} before {before:<8} {time}  {:>9}  proof {proof:<6}  run {run}\n",
                    report::bytes(*bytes)
                ));
            }
            show.print(&format!(
                "{} in {}; {} of each database are kept, and the first of a run\n",
                report::bytes(total),
                setting.directory,
                setting.keep
            ));
        }
        Output::Json | Output::Jsonl => show.print_json(&lines)?,
    }
    Ok(if damaged { Exit::Refused } else { Exit::Done })
}
