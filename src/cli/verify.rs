//! `leapfrog verify`: the proofs of a release, without changing anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::sync::watch;

use super::arguments::{Common, Output, VerifyArguments};
use super::executor;
use super::exit::Exit;
use super::look::Show;
use super::preflight;
use super::reader::LiveReader;
use super::stop::Stop;
use super::world::World;
use crate::catalog::{Playbook, Release};
use crate::conduct::{Asked, Connections, DatabaseReader, Questioner, StopLevel};
use crate::journal::{Evidence, Outcome};
use crate::model::{DatabaseId, Observation, OldServices, RunId, Service, StepId};
use crate::plan::Start;
use crate::plan::proof::{self, Answer, CheckAnswer, Counts, Inquiry, Triggers};

/// How many rows are counted side by side: each question is a connection.
const AT_ONCE: usize = 8;

/// `leapfrog verify`.
pub(super) async fn verify(common: &Common, arguments: &VerifyArguments, show: &Show) -> Result<Exit, Stop> {
    let mut world = World::read_aloud(common, show)?;
    let services = world.only(&arguments.only)?;
    let named = arguments.at.as_ref().map(|text| world.catalog.find_series(text).context("--at names no release"));
    let named = named.transpose().map_err(Stop::usage)?;
    world.look_up_mapped(&services).await;
    world.tell_unmapped(show);
    let observation = world.observe(&services).await;
    let release = match named.or_else(|| shown(&world, &services, &observation)) {
        Some(series) => world.catalog.release(&series).ok_or_else(|| Stop::internal(anyhow!("no release {series}")))?,
        None => {
            show.caution(&format!(
                "leapfrog: the databases show no release to verify: name one with --at, or see `leapfrog detect{}`\n",
                world.options(&services)
            ));
            return Ok(Exit::Refused);
        }
    };
    let at = release.series.clone();
    let inquiry =
        world.brief(&services, &observation, Start::At(at.clone()), at, |brief| Inquiry::new(brief, release))?;
    let reader: Arc<dyn DatabaseReader> =
        Arc::new(LiveReader { databases: world.cloud.databases.clone(), timeout: world.cloud.limits.connect });
    let counts = count(&*reader, inquiry.queries()).await;
    let services = not_accepted(&*reader, &inquiry, show).await;
    let triggers = triggers(&*reader, inquiry.with_triggers()).await;
    let checks = if arguments.checks {
        match ask(&world, &inquiry, reader, show).await? {
            Some(checks) => checks,
            None => {
                show.complain("interrupted; nothing was changed\n");
                return Ok(Exit::Interrupted);
            }
        }
    } else {
        Vec::new()
    };
    let proof = inquiry.conclude(&counts, &triggers, &checks, services);
    match show.output {
        Output::Text => show.print(&proof::render(&proof)),
        Output::Json | Output::Jsonl => show.print_json(&proof)?,
    }
    Ok(match proof.answer {
        Answer::Yes => Exit::Done,
        Answer::No => {
            show.caution(&format!("leapfrog: not complete at {}\n", proof.at));
            Exit::Failed
        }
        Answer::Unknown => {
            show.caution(&format!("leapfrog: could not look at everything of {}\n", proof.at));
            Exit::Refused
        }
    })
}

/// The release that the databases show.
pub(super) fn shown(
    world: &World,
    services: &BTreeSet<Service>,
    observation: &Observation,
) -> Option<crate::model::Series> {
    let playbooks: Vec<&Playbook> = world.playbooks();
    let releases: Vec<&Release> = world.catalog.releases().collect();
    let ids = world.cloud.databases.keys().filter(|id| services.contains(&id.service)).cloned();
    proof::newest_shown(observation, &playbooks, &releases, &ids.collect())
}

async fn count(reader: &dyn DatabaseReader, queries: BTreeSet<(DatabaseId, String)>) -> Counts {
    stream::iter(queries)
        .map(|(database, query)| async move {
            let rows = reader.count(&database, &query).await;
            ((database, query), rows)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

/// The services that recorded a version which the release does not accept. What cannot be read is said, and proves nothing
/// against the databases.
async fn not_accepted(reader: &dyn DatabaseReader, inquiry: &Inquiry, show: &Show) -> Vec<OldServices> {
    let asked: Vec<_> = stream::iter(inquiry.services())
        .map(|question| async move { (question, reader.services(&question.database, &question.query).await) })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let (mut old, mut unread) = (Vec::new(), BTreeMap::<_, Vec<&str>>::new());
    for (question, answer) in asked {
        match answer {
            Ok(services) => old.extend(question.judge(services)),
            // One reason keeps all of a database's from being read, as a rule.
            Err(unreachable) => unread
                .entry((&question.database, unreachable.reason, unreachable.advice))
                .or_default()
                .push(&question.what),
        }
    }
    for ((database, reason, advice), what) in unread {
        let what = what.join(", ");
        show.caution(&format!("leapfrog: {database}: the versions of {what} could not be read: {reason}; {advice}\n"));
    }
    old
}

/// The triggers of databases.
async fn triggers(reader: &dyn DatabaseReader, databases: BTreeSet<&DatabaseId>) -> Triggers {
    let looks = stream::iter(databases).map(|id| async move { (id.clone(), reader.triggers(id).await) });
    looks.buffer_unordered(AT_ONCE).collect().await
}

/// Asks the release's own checks; nothing if the operator stops it.
async fn ask(
    world: &World,
    inquiry: &Inquiry,
    reader: Arc<dyn DatabaseReader>,
    show: &Show,
) -> Result<Option<Vec<CheckAnswer>>, Stop> {
    let plan = Arc::new(inquiry.checks());
    if plan.steps().next().is_none() {
        return Ok(Some(Vec::new()));
    }
    let runner = executor::runner(world)?;
    let images = preflight::bring(world, &runner, &plan, None, show).await?;
    let (stop_sender, stop) = watch::channel(StopLevel::None);
    let (sender, mut signals) = tokio::sync::mpsc::unbounded_channel();
    super::telling::listen(sender).map_err(Stop::internal)?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            stop_sender.send_replace(StopLevel::Stop);
        }
    });
    let now = Timestamp::now();
    let salt = now.subsec_nanosecond().unsigned_abs() as u16 ^ std::process::id() as u16;
    let questioner = Questioner {
        run: RunId::new(&now.strftime("%Y%m%d-%H%M%S").to_string(), salt),
        runner,
        reader,
        connections: Arc::new(Connections::new(world.cloud.databases.clone())),
        directory: world.cloud.state_dir.join("verify"),
        grace: super::leap::GRACE,
        stop,
    };
    let steps: Vec<_> =
        plan.steps().map(|(_, lane, step)| (step.clone(), images[lane.image_of(step)].clone())).collect();
    let asked: Vec<(StepId, Asked)> = stream::iter(steps)
        .map(|(step, image)| {
            let questioner = &questioner;
            async move { (step.id.clone(), questioner.ask(step, image).await) }
        })
        .buffer_unordered(world.cloud.limits.jobs)
        .collect()
        .await;
    if asked.iter().any(|(_, asked)| asked.outcome == Outcome::Interrupted) {
        return Ok(None);
    }
    let directory = &questioner.directory;
    Ok(Some(asked.into_iter().map(|(step, asked)| answer(step, asked, directory)).collect()))
}

/// What a step's end says of the release's own checks.
fn answer(step: StepId, asked: Asked, directory: &camino::Utf8Path) -> CheckAnswer {
    let checks: Vec<_> = asked
        .evidence
        .into_iter()
        .filter_map(|piece| match piece {
            Evidence::Check { name, result, details, why } => Some((name, result, details, why)),
            _ => None,
        })
        .collect();
    let unseen = checks.is_empty();
    let failure = asked.failure.map(|failure| {
        let log = failure.log.map(|log| format!(" (its output: {})", directory.join(log))).unwrap_or_default();
        (failure.what + &log, failure.advice)
    });
    CheckAnswer { service: step.service, checks, failure, unseen }
}
