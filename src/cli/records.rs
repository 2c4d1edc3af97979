//! The commands about runs: `status`, `runs`, `logs`.

use std::collections::BTreeSet;

use anyhow::{Context, anyhow, bail};
use camino::Utf8Path;
use jiff::Timestamp;

use super::arguments::{Common, Output, matches_step};
use super::exit::Exit;
use super::look::Show;
use super::stop::Stop;
use super::world::World;
use crate::journal::{self, Record, RunState, Store, StoreError};
use crate::model::{RunId, Service, StepId};
use crate::plan::Plan;
use crate::report::{self, About, Process, RunEntry};

/// `leapfrog status`.
pub(super) fn status(common: &Common, run: Option<RunId>, show: &Show) -> Result<Exit, Stop> {
    let world = World::read(common)?;
    let store = world.store();
    let Some(run) = chosen(&store, run)? else {
        return none_yet(&world, show);
    };
    let (plan, records) = read(&store, &run)?;
    let directory = store.directory_of(&run);
    let again = again(&plan, &world);
    let about = About { plan: &plan, records: &records, directory: &directory, again: Some(&again) };
    match show.output {
        Output::Text => show.print(&report::status(&about, process(&store, &run)?, Timestamp::now(), show.out_paper())),
        Output::Json | Output::Jsonl => show.print_json(&records)?,
    }
    Ok(Exit::Done)
}

/// `leapfrog runs`.
pub(super) fn runs(common: &Common, show: &Show) -> Result<Exit, Stop> {
    let world = World::read(common)?;
    let store = world.store();
    let mut runs = Vec::new();
    let mut damaged = None;
    let found = store.runs()?;
    if found.is_empty() {
        return none_yet(&world, show);
    }
    for run in found {
        match read(&store, &run) {
            Ok((plan, records)) => runs.push(RunEntry { plan, records, process: process(&store, &run)? }),
            // One run that cannot be read does not hide the others.
            Err(stop) => {
                show.error(&stop);
                damaged = Some(stop.exit);
            }
        }
    }
    match show.output {
        Output::Text if runs.is_empty() => {}
        Output::Text => show.print(&report::runs(&runs, Timestamp::now(), show.out_paper())),
        Output::Json | Output::Jsonl => {
            let ends: Vec<[Option<&Record>; 2]> =
                runs.iter().map(|entry| [entry.records.first(), entry.records.last()]).collect();
            show.print_json(&ends)?;
        }
    }
    Ok(damaged.unwrap_or(Exit::Done))
}

/// Says that there is no run, which is no mistake.
fn none_yet(world: &World, show: &Show) -> Result<Exit, Stop> {
    match show.output {
        Output::Text => show.complain(&no_run(world)),
        Output::Json | Output::Jsonl => show.print_json(&[(); 0])?,
    }
    Ok(Exit::Done)
}

fn no_run(world: &World) -> String {
    format!("no run yet in {}: `leapfrog --from SERIES --to SERIES` begins one\n", world.cloud.state_dir)
}

/// Whether a leapfrog works on the run: one works on the cloud, and the run is the latest.
fn process(store: &Store, run: &RunId) -> Result<Process, Stop> {
    let works = store.holder()?.is_some() && store.runs()?.last() == Some(run);
    Ok(if works { Process::Works } else { Process::Gone })
}

/// `leapfrog logs STEP`.
pub(super) fn logs(common: &Common, step: &str, run: Option<RunId>, show: &Show) -> Result<Exit, Stop> {
    let world = World::read(common)?;
    let store = world.store();
    let Some(run) = chosen(&store, run)? else {
        return Err(Stop::usage(anyhow!("{}", no_run(&world).trim_end())));
    };
    let state = RunState::of(&read(&store, &run)?.1).context("failed to follow the journal").map_err(Stop::internal)?;
    let step = only_step(&state, &run, step).map_err(Stop::usage)?;
    let directory = store.directory_of(&run).join("logs").join(step.series.as_str()).join(step.service.as_str());
    let text = logs_of(&directory, &step).map_err(Stop::usage)?;
    show.print(&text);
    Ok(Exit::Done)
}

/// The one step that `part` names.
pub(super) fn only_step(state: &RunState, run: &RunId, part: &str) -> anyhow::Result<StepId> {
    let steps: Vec<&StepId> = state.steps.keys().collect();
    let exact = steps.iter().find(|step| step.to_string() == part);
    let fitting: Vec<&StepId> = steps.iter().copied().filter(|step| matches_step(step, part)).collect();
    match (exact, &fitting[..]) {
        (Some(step), _) => Ok((**step).clone()),
        (None, [step]) => Ok((*step).clone()),
        (None, []) => bail!("no step of run {run} that began is called `{part}`; `leapfrog status` names them"),
        (None, several) => {
            let names: Vec<String> = several.iter().take(8).map(ToString::to_string).collect();
            let more = several.len().saturating_sub(names.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            bail!("`{part}` fits several steps of run {run}: {}{more}", names.join(", "))
        }
    }
}

/// Everything a step's commands printed, the oldest first.
fn logs_of(directory: &Utf8Path, step: &StepId) -> anyhow::Result<String> {
    let prefix = format!("{}.", step.short());
    let mut files: Vec<(Vec<u32>, camino::Utf8PathBuf)> = Vec::new();
    if directory.is_dir() {
        for entry in directory.read_dir_utf8().with_context(|| format!("failed to read {directory}"))? {
            let entry = entry.with_context(|| format!("failed to read {directory}"))?;
            let numbers = entry.file_name().strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".log"));
            if let Some(numbers) = numbers {
                files.push((numbers.split('.').filter_map(|number| number.parse().ok()).collect(), entry.into_path()));
            }
        }
    }
    files.sort();
    if files.is_empty() {
        bail!("step {step} has no log in {directory}: it runs no command, or had not printed anything");
    }
    let mut text = String::new();
    for (_, path) in files {
        let bytes = std::fs::read(&path).with_context(|| format!("failed to read {path}"))?;
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    Ok(text)
}

/// The run that was asked for, else the latest.
fn chosen(store: &Store, run: Option<RunId>) -> Result<Option<RunId>, Stop> {
    match run {
        Some(run) => Ok(Some(run)),
        None => Ok(store.runs()?.pop()),
    }
}

fn read(store: &Store, run: &RunId) -> Result<(Plan, Vec<Record>), Stop> {
    let plan = plan_of(store, run)?;
    Ok((plan, journal::read(&store.directory_of(run))?.records))
}

/// The plan of a run.
pub(super) fn plan_of(store: &Store, run: &RunId) -> Result<Plan, Stop> {
    let directory = store.directory_of(run);
    let path = directory.join("plan.json");
    let lost = |what: &str| {
        format!(
            "{path} {what}. Nothing was changed; restore the file from a copy, or move the run's directory away and \
             start anew with `--from auto`"
        )
    };
    let bytes = match store.plan(run) {
        Err(StoreError::NoRun { .. }) if directory.join(journal::FILE_NAME).exists() => {
            return Err(Stop::damaged(anyhow!(lost("is missing"))));
        }
        found => found?,
    };
    let plan = serde_json::from_slice::<Plan>(&bytes);
    plan.with_context(|| lost("is damaged, or of another version of leapfrog")).map_err(Stop::damaged)
}

/// The command that continues a run.
pub(super) fn again(plan: &Plan, world: &World) -> String {
    let services: BTreeSet<Service> = plan.steps().map(|(_, lane, _)| lane.service.clone()).collect();
    format!("{}{}", plan.command(), world.options(&services))
}

/// What a run did, in the end.
pub(super) fn summary(
    plan: &Plan,
    records: &[Record],
    directory: &Utf8Path,
    again: Option<&str>,
    show: &Show,
) -> String {
    report::summary(&About { plan, records, directory, again }, show.err_paper())
}
