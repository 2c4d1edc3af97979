//! `leapfrog resolve`: the word of somebody who looked, on a step that must not be run twice.

use std::collections::BTreeSet;

use anyhow::anyhow;
use jiff::Timestamp;

use super::arguments::{Common, Output, ResolveArguments, Word};
use super::exit::Exit;
use super::look::Show;
use super::stop::Stop;
use super::world::World;
use super::{executor, leap, preflight, records};
use crate::journal::{Evidence, Journal, Outcome, RecordBody, RunState, StepState, Store};
use crate::model::{Effect, RunId, StepId};
use crate::plan::{Action, Plan, Refusal, RefusalKind, Step};
use crate::runner::FoundState;

/// Records how a step ended, as the operator says.
pub(super) async fn resolve(common: &Common, arguments: &ResolveArguments, show: &Show) -> Result<Exit, Stop> {
    let mut world = World::read_aloud(common, show)?;
    let store = world.store();
    let host = leap::host_name();
    let pid = std::process::id();
    let _lock =
        store.lock(&format!("resolve, process {pid} on {host}, since {}", Timestamp::now().strftime("%F %T UTC")))?;
    let (run, plan, state) = unfinished(&store)?;
    let id = records::only_step(&state, &run, &arguments.step).map_err(Stop::usage)?;
    let planned = plan.steps().find(|(_, _, step)| step.id == id).map(|(_, _, step)| step);
    let Some((step, at)) = planned.zip(state.steps.get(&id)) else {
        return Err(Stop::damaged(anyhow!("the plan of run {run} has no step {id}: its plan.json is of another run")));
    };
    if let Some(refusal) = needs_no_word(step, at) {
        return Err(Stop::refused(vec![refusal]));
    }
    nothing_is_left(&world, &run, &id).await?;
    let evidence = match arguments.word {
        Word::Done => {
            world.look_up_mapped(&BTreeSet::from([id.service.clone()])).await;
            shown(&world, step).await?
        }
        Word::Failed => Vec::new(),
    };
    let (mut journal, contents) = Journal::open(&store.directory_of(&run))?;
    if contents.torn > 0 {
        show.complain(&format!(
            "the journal ended in an unfinished record ({} bytes); it was cut off\n",
            contents.torn
        ));
    }
    let outcome = match arguments.word {
        Word::Done => Outcome::Done,
        Word::Failed => Outcome::Failed,
    };
    let note = arguments.note.as_ref().map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    let body =
        RecordBody::StepResolved { step: id.clone(), attempt: at.attempt, outcome, by: user(), host, note, evidence };
    let record = journal.append(Timestamp::now(), body)?;
    match show.output {
        Output::Text => {
            let what = match arguments.word {
                Word::Done => "is recorded as done and will not be run again",
                Word::Failed => "is recorded as failed and will be run again",
            };
            let again = records::again(&plan, &world);
            show.print(&format!("{id} {what}\nnext      {again}\n"));
        }
        Output::Json | Output::Jsonl => show.print_json(&record)?,
    }
    Ok(Exit::Done)
}

/// The run that the next process takes up.
fn unfinished(store: &Store) -> Result<(RunId, Plan, RunState), Stop> {
    let none = |what: String| {
        Stop::usage(anyhow!("{what}: no step is in doubt (`leapfrog status` shows how far the latest run is)"))
    };
    let Some(run) = store.runs()?.pop() else { return Err(none("there is no run".to_owned())) };
    let plan = records::plan_of(store, &run)?;
    let state = crate::journal::read(&store.directory_of(&run))?.state;
    if state.is_complete() {
        return Err(none(format!("run {run} is complete")));
    }
    Ok((run, plan, state))
}

fn refusal(what: String, found: String, next: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::NotInDoubt,
        database: None,
        what,
        found: Some(found),
        expected: Some("a step that must not be run twice (effect: once) and whose end is not known".to_owned()),
        next: next.to_owned(),
    }
}

/// Why nobody has to say how the step ended, where that is so.
fn needs_no_word(step: &Step, at: &StepState) -> Option<Refusal> {
    let id = &step.id;
    if at.is_complete() {
        return Some(refusal(
            format!("step {id} is not in doubt"),
            "it is complete, and the journal has what proves it".to_owned(),
            "nothing: the run goes on after it",
        ));
    }
    if step.effect != Effect::Once {
        let effect = match step.effect {
            Effect::ReadOnly => "it changes nothing",
            Effect::Idempotent | Effect::Once => "running it again ends in the same state",
        };
        return Some(refusal(
            format!("step {id} needs nobody's word"),
            effect.to_owned(),
            "run the same command again: it runs the step again, and proves it",
        ));
    }
    if at.never_began {
        return Some(refusal(
            format!("step {id} is not in doubt"),
            "its command never began".to_owned(),
            "run the same command again: it begins the step",
        ));
    }
    None
}

/// Makes sure that the step's container is gone: while it is there, its end is to be seen.
async fn nothing_is_left(world: &World, run: &RunId, id: &StepId) -> Result<(), Stop> {
    let runner = executor::runner(world)?;
    let tasks = runner.find(run).await.map_err(|error| Stop::refused(vec![preflight::refusal(error)]))?;
    let there = tasks.iter().find(|task| task.id.step == *id && task.state != FoundState::NeverStarted);
    let Some(task) = there else { return Ok(()) };
    let noun = runner.noun();
    let state = if task.state == FoundState::Running { "still runs" } else { "has ended" };
    Err(Stop::refused(vec![refusal(
        format!("step {id} is not in doubt"),
        format!("its {noun} {} is there and {state}", task.handle.short()),
        &format!(
            "run the same command again: it reads from the {noun} how the step ended; `leapfrog sweep` removes one that \
             nobody needs"
        ),
    )]))
}

/// What the databases show of a step that is said to be done.
async fn shown(world: &World, step: &Step) -> Result<Vec<Evidence>, Stop> {
    let Action::Run(command) = &step.action else { return Ok(Vec::new()) };
    let Some(schema) = &command.schema else { return Ok(Vec::new()) };
    let mut evidence = Vec::new();
    let mut refusals = Vec::new();
    for (database, target) in &schema.databases {
        let url = world.cloud.databases.get(database).ok_or_else(|| {
            Stop::usage(anyhow!("the cloud file names no database {database}: it was there when the run began"))
        })?;
        let refuse = |kind, what: String, found: String, expected: Option<String>, next: String| Refusal {
            kind,
            database: Some(database.clone()),
            what,
            found: Some(found),
            expected,
            next,
        };
        match crate::observe::heads_of(url, world.cloud.limits.connect).await {
            Ok(heads) if heads.stand_at(&target.heads) => {
                evidence.push(Evidence::Heads { database: database.clone(), heads });
            }
            Ok(heads)
                if schema.branch.is_some()
                    && !target.reaches.is_empty()
                    && heads.alembic.is_superset(&target.reaches) =>
            {
                evidence.push(Evidence::Heads { database: database.clone(), heads });
            }
            Ok(heads) => refusals.push(refuse(
                RefusalKind::HalfDone,
                format!("database {database} does not show that step {} is done", step.id),
                heads.to_string(),
                Some(target.heads.to_string()),
                "bring the database there, or undo what the step did and say --as failed".to_owned(),
            )),
            Err(unreachable) => refusals.push(refuse(
                RefusalKind::Unreachable,
                format!("database {database} cannot be read"),
                unreachable.reason,
                None,
                unreachable.advice,
            )),
        }
    }
    if refusals.is_empty() { Ok(evidence) } else { Err(Stop::refused(refusals)) }
}

/// Who says so: the name behind sudo, the login's, or the user's number.
pub(super) fn user() -> String {
    let named = |name: &&str| std::env::var(name).ok().filter(|user| !user.is_empty());
    let user = ["SUDO_USER", "LOGNAME", "USER"].iter().find_map(named);
    user.unwrap_or_else(|| format!("user {}", rustix::process::getuid().as_raw()))
}
