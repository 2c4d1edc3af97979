//! The leap itself: look, ask, carry out, tell.

mod arguments;
mod carry_out;
mod ready;

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use jiff::Timestamp;

pub(super) use self::arguments::{FenceMode, LeapArguments, Prefetch};
use self::carry_out::carry_out;
pub(super) use self::ready::{Latest, Ready, latest, services};
use self::ready::{Opening, prepare};
use super::arguments::{Common, Output, Selection};
use super::executor;
use super::exit::Exit;
use super::guard::{Guard, works};
use super::look::Show;
use super::outage::Outages;
use super::parts::{self, Gate, Passed};
use super::points;
use super::stages::Keeper;
use super::stop::Stop;
use super::world::{Target, Wanted, World};
use crate::journal::Store;
use crate::plan::{self, Part, Start};
use crate::runner::Runner;

/// How long somebody may think over whether to begin before what was seen is looked at again.
const THOUGHT: Duration = Duration::from_secs(30);

/// How long a command that is stopped may take to end by itself.
pub(super) const GRACE: Duration = Duration::from_secs(30);

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
    let world = World::read_aloud(common, show)?;
    let wanted = world.wanted(selection)?;
    if wanted.part == Part::UntilMigrated {
        parts::reads_images(&world)?;
    }
    carry_on(world, arguments, wanted, None, show).await
}

/// Begins what is wanted or goes on with it; a part of a release goes through its gate.
pub(super) async fn carry_on(
    mut world: World,
    arguments: &LeapArguments,
    wanted: Wanted,
    gate: Option<&Gate>,
    show: &Show,
) -> Result<Exit, Stop> {
    if show.output == Output::Json && gate.is_none_or(|gate| !gate.is_look()) {
        return Err(Stop::usage(anyhow!("a run has no single JSON document: use --output jsonl")));
    }
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
    let runner = executor::runner(&world)?;
    let mut arguments = arguments.clone();
    let mut outages = Outages::default();
    loop {
        match work(&world, &arguments, &wanted, gate, &store, &runner, &host, show).await? {
            Ending::Over(exit) => return Ok(exit),
            Ending::DatabaseAway(exit) => {
                if let Some(ended) = outages.wait_out(&world, &wanted.services, &store, exit, show).await? {
                    return Ok(ended);
                }
                // The run that was begun, and was agreed to, goes on.
                (arguments.yes, arguments.fresh) = (true, false);
            }
        }
    }
}

/// How a process's work on a run ended.
enum Ending {
    /// There is nothing more to do now.
    Over(Exit),
    /// A database server went away: once it is back the same command goes on.
    DatabaseAway(Exit),
}

/// Takes the locks and begins the run that was asked for, or goes on with it: what the command does, once.
#[expect(clippy::too_many_arguments, reason = "each is another party of a run")]
async fn work(
    world: &World,
    arguments: &LeapArguments,
    wanted: &Wanted,
    gate: Option<&Gate>,
    store: &Store,
    runner: &Arc<dyn Runner>,
    host: &str,
    show: &Show,
) -> Result<Ending, Stop> {
    let guard = Guard::take(world, &wanted.services, host).await?;
    let mut ready = prepare(world, arguments, wanted, store, runner, host, show).await;
    if let Ok(Some(made)) = &mut ready {
        let passed = match gate {
            Some(gate) => match works(made.resumed(), &**runner).await {
                // What it was asked for has begun.
                Ok(true) if !gate.is_look() => Ok(Passed::On(None)),
                Ok(_) => gate.pass(&made.subject(world), &guard, &**runner, show).await,
                Err(stop) => Err(stop),
            },
            None => guard.close_in(made.resumed(), arguments.fence, &**runner, show).await.map(|()| Passed::On(None)),
        };
        match passed {
            Ok(Passed::On(record)) => made.then = record.map(|record| *record),
            Ok(Passed::Shown(ready)) => {
                guard.release().await;
                return Ok(Ending::Over(if ready { Exit::Done } else { Exit::Refused }));
            }
            Err(stop) => ready = Err(stop),
        }
    }
    if let Ok(Some(made)) = &ready
        && let Err(stop) = points::can_be_taken(world, &made.plan, &made.state).await
    {
        ready = Err(stop);
    }
    let looked = Instant::now();
    match ready {
        Ok(Some(mut ready)) if confirm(arguments, &ready, show)? => {
            // What was seen before somebody thought it over need not be so any more.
            if let Some(gate) = gate.filter(|_| ready.then.is_some() && looked.elapsed() > THOUGHT) {
                match gate.pass(&ready.subject(world), &guard, &**runner, show).await {
                    Ok(Passed::On(record)) => ready.then = record.map(|record| *record),
                    Ok(Passed::Shown(_)) => {}
                    Err(stop) => {
                        guard.release().await;
                        return Err(stop);
                    }
                }
            }
            match Keeper::ready(world, &wanted.services).await {
                Ok(keeper) => ready.stages = keeper,
                // What has begun goes on without them: the journal has them.
                Err(refusals) if ready.resumed().is_some() => {
                    refusals.iter().for_each(|refusal| show.caution(&format!("leapfrog: warning: {refusal}\n")));
                }
                Err(refusals) => {
                    guard.release().await;
                    return Err(Stop::refused(refusals));
                }
            }
            let again = again(world, wanted);
            carry_out(world, arguments, ready, guard, store, Arc::clone(runner), show, &again).await
        }
        other => {
            guard.release().await;
            other.map(|ready| Ending::Over(if ready.is_some() { Exit::Interrupted } else { Exit::Done }))
        }
    }
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
    format!("{}{}", wanted.part.command(&from, &to, wanted.stops), world.options(&wanted.services))
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
    show.asks(match plan.part {
        Part::Whole | Part::UntilMigrated => {
            "No service may write to these databases until the leap is complete.\nBegin?"
        }
        Part::Expand | Part::Migrate => "Services may run meanwhile. No restore point is taken.\nBegin?",
        Part::Contract => "What is listed above goes, and no restore point is taken.\nBegin?",
    })
}

/// The machine's name.
pub(super) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
