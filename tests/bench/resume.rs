//! How long it takes until a run with 2,000 finished steps works again, the databases' own time left out.
//!
//! `make bench-resume`. nova with so many cells that its steps in three releases are 2,000, all of them finished,
//! and a fourth release to go. What a process does before the first step of that begins: it reads plan
//! and journal, compares the journal with what the databases show, opens the journal for more, prepares its
//! report, and finds out what comes next. Engine and databases answer at once.

#[path = "../plans/cloud.rs"]
#[expect(dead_code, reason = "the tests of plans use all of it")]
mod cloud;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use jiff::Timestamp;
use leapfrog::conduct::{Conductor, Connections, DatabaseReader, EventSink, Settings};
use leapfrog::journal::{Event, Evidence, Journal, Outcome, RecordBody, RunState, Store, read};
use leapfrog::model::{DatabaseId, Heads, Observation, RunId, Unreachable};
use leapfrog::plan::{Action, Plan, Standing, reconcile};
use leapfrog::runner::PinnedImage;
use leapfrog::runner::scripted::{Script, Scripted};
use tokio::sync::mpsc;

/// Finished steps, at least.
const STEPS: usize = 2000;

/// How often it is measured.
const TIMES: usize = 15;

struct Standings(BTreeMap<DatabaseId, Heads>);

#[async_trait::async_trait]
impl DatabaseReader for Standings {
    async fn heads(&self, database: &DatabaseId) -> Result<Heads, Unreachable> {
        Ok(self.0[database].clone())
    }

    async fn tables(&self, _: &DatabaseId) -> Result<u64, Unreachable> {
        Ok(60)
    }

    async fn triggers(&self, _: &DatabaseId) -> Result<Vec<leapfrog::model::Trigger>, Unreachable> {
        Ok(Vec::new())
    }

    async fn count(&self, _: &DatabaseId, _: &str) -> Result<u64, Unreachable> {
        Ok(0)
    }

    async fn left(&self, _: &DatabaseId, _: &str) -> Result<u64, Unreachable> {
        Ok(0)
    }

    async fn services(&self, _: &DatabaseId, _: &str) -> Result<Vec<leapfrog::model::RecordedService>, Unreachable> {
        Ok(Vec::new())
    }
}

/// A plan for nova with so many cells.
fn plan(cells: usize) -> Plan {
    let mut cloud = cloud::Cloud::at("2023.1");
    cloud.only = vec!["nova"];
    let mut mapped = vec![("cell0".to_owned(), "nova.cell0".to_owned())];
    for cell in 1..=cells {
        let id = format!("nova.cells.cell{cell}");
        let url = cloud::valid(&format!("mysql+pymysql://leapfrog@10.0.0.5/nova_cell{cell}"));
        cloud.urls.insert(cloud::valid(&id), url);
        cloud.stands(&id, "2023.1");
        mapped.push((format!("cell{cell}"), id));
    }
    let mapped: Vec<(&str, &str, Option<&str>)> =
        mapped.iter().map(|(name, id)| (name.as_str(), "mysql+pymysql://nova@10.0.0.5/…", Some(id.as_str()))).collect();
    cloud.stores(&mapped);
    cloud.plan().unwrap_or_else(|refused| panic!("{refused}"))
}

fn pinned(plan: &Plan) -> BTreeMap<leapfrog::model::ImageReference, PinnedImage> {
    let images = plan.images().into_keys().cloned();
    images
        .map(|reference| (reference.clone(), PinnedImage { digest: Scripted::digest(&reference), reference }))
        .collect()
}

/// The journal of a run that finished every release but the last, with a data migration's rounds.
fn work(plan: &Plan, run: &RunId, mut journal: Journal) -> Result<usize, Box<dyn Error>> {
    let mut steps = 0;
    let mut say = |body: RecordBody| journal.append(Timestamp::now(), body);
    say(RecordBody::RunStarted {
        run: run.clone(),
        cloud: plan.cloud.clone(),
        from: plan.from.clone(),
        to: plan.to.clone(),
        leapfrog: "0.1.0".into(),
        runner: "Scripted 1.0".into(),
        host: "alpha".into(),
        pid: 7,
        images: pinned(plan).into_iter().map(|(reference, image)| (reference, image.digest)).collect(),
        unfenced: false,
    })?;
    for hop in &plan.hops[..plan.hops.len() - 1] {
        say(RecordBody::HopStarted { series: hop.series.clone() })?;
        for step in hop.lanes.iter().flat_map(|lane| &lane.steps) {
            let (id, command) = (step.id.clone(), step.action.command(None));
            say(RecordBody::StepStarted { step: id.clone(), attempt: 1, command, adopted: false })?;
            if matches!(step.action, Action::Drain(_)) {
                for round in 1..=2 {
                    say(RecordBody::RoundEnded {
                        step: id.clone(),
                        attempt: 1,
                        round,
                        exit: i64::from(round == 1),
                        verdict: leapfrog::model::Verdict::More,
                        count: Some(1000),
                        counts: Vec::new(),
                        seconds: 3.0,
                    })?;
                }
            }
            let evidence = vec![Evidence::NothingElsewhere {}, Evidence::NothingLeft { round: 2 }];
            let (outcome, failure, rows) = (Outcome::Done, None, None);
            let (seconds, never_began, attempt) = (3.0, false, 1);
            say(RecordBody::StepEnded { step: id, attempt, outcome, seconds, rows, evidence, failure, never_began })?;
            steps += 1;
        }
        say(RecordBody::HopEnded { series: hop.series.clone() })?;
    }
    Ok(steps)
}

/// How long it took.
struct Took {
    /// Until plan and journal are read and compared with the databases.
    reading: Duration,
    /// Until the journal is open and says that the run goes on: flushed to the disk.
    opening: Duration,
    /// Until the first step begins; the journal is flushed twice more.
    step: Duration,
    /// Until the first command is launched.
    command: Duration,
    /// How many steps were skipped before, each on record: their databases stand where they would lead.
    skipped: usize,
}

/// Goes on with the latest run until the first command is launched.
async fn resume(state: &Utf8Path, observation: &Observation) -> Result<Took, Box<dyn Error>> {
    let (began, clock) = (Instant::now(), Timestamp::now());
    let store = Store::at(state);
    let run = store.runs()?.pop().ok_or("no run")?;
    let directory = store.directory_of(&run);
    let place = directory.clone();
    let contents = read(&directory)?;
    let plan: Arc<Plan> = Arc::new(serde_json::from_slice(&store.plan(&run)?)?);
    let refusals = reconcile(&plan, &contents.state, observation, "");
    assert!(refusals.is_empty(), "{refusals:?}");
    RunState::of(&contents.records)?;
    let reading = began.elapsed();
    let (mut journal, _) = Journal::open(&directory)?;
    let (leapfrog, host) = ("0.1.0".into(), "alpha".into());
    journal.append(Timestamp::now(), RecordBody::RunResumed { leapfrog, host, pid: 8, unfenced: false })?;
    let opening = began.elapsed();
    let standings =
        observation.databases.iter().filter_map(|(id, seen)| Some((id.clone(), seen.as_ref().ok()?.heads.clone())));
    let (events, mut source) = EventSink::channel();
    let (_keyboard, signals) = mpsc::unbounded_channel();
    let (launched, mut launch) = mpsc::unbounded_channel();
    let runner = Scripted::default();
    runner.plays(move |_| {
        let _ = launched.send(Instant::now());
        Some(Script::hangs())
    });
    let pinned = pinned(&plan);
    let settings = Settings {
        jobs: 8,
        batch: None,
        round: Duration::from_secs(30),
        grace: Duration::from_secs(1),
        stall: Duration::from_secs(600),
        outage: Duration::from_secs(600),
        directory: directory.clone(),
    };
    let ready: BTreeSet<_> = pinned.keys().cloned().collect();
    let conductor = Conductor::new(
        Arc::clone(&plan),
        run,
        journal,
        Arc::new(runner),
        Arc::new(Standings(standings.collect())),
        Connections::new(BTreeMap::new()),
        pinned,
        ready,
        settings,
        events,
    );
    let mut reporter = leapfrog::report::PlainReporter::new(
        Arc::clone(&plan),
        &contents.records,
        directory,
        leapfrog::report::Outlet::stderr(),
    );
    tokio::select! {
        conclusion = conductor.conduct(signals) => Err(format!("it ended: {conclusion:?}").into()),
        at = launch.recv() => {
            // What the report makes of the history belongs to it.
            while let Ok(Event::Record(_)) = source.try_recv() {}
            leapfrog::report::Reporter::tick(&mut reporter, Timestamp::UNIX_EPOCH);
            let command = at.ok_or("no launch")?.duration_since(began);
            let new = read(&place)?.records.split_off(contents.records.len());
            let begins = |body: &RecordBody| matches!(body, RecordBody::StepStarted { .. });
            let skips = |body: &RecordBody| matches!(body, RecordBody::StepEnded { outcome: Outcome::Skipped, .. });
            let first = new.iter().find(|record| begins(&record.body)).ok_or("no step")?;
            let step = first.time.duration_since(clock).unsigned_abs();
            Ok(Took { reading, opening, step, command, skipped: new.iter().filter(|record| skips(&record.body)).count() })
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let guard = tempfile::tempdir()?;
    let state = Utf8Path::from_path(guard.path()).ok_or("a path that is no text")?;
    let hops = 3;
    let cells = STEPS.div_ceil(2 * hops);
    let plan = plan(cells);
    let run: RunId = "20261122-031502-7f3a".parse()?;
    let text = serde_json::to_vec_pretty(&plan)?;
    let steps = work(&plan, &run, Store::at(state).create(&run, &text)?)?;
    assert!(steps >= STEPS, "{steps} steps are too few");
    let mut observation = Observation::default();
    let last = plan.hops.last().ok_or("no hop")?;
    for (id, standing) in last.lanes.iter().flat_map(|lane| &lane.standing) {
        let (Standing::Moves { from: heads, .. } | Standing::AtHeads { heads }) = standing.clone();
        let (engine, version) = (leapfrog::model::Engine::Mysql, "10.11".into());
        let seen = leapfrog::model::ObservedDatabase { engine, version, heads, tables: 60 };
        observation.databases.insert(id.clone(), Ok(seen));
    }
    let journal = Store::at(state).directory_of(&run).join("journal.jsonl");
    let before = std::fs::read(&journal)?;
    let mut times = Vec::new();
    for _ in 0..TIMES {
        std::fs::write(&journal, &before)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        times.push(runtime.block_on(resume(state, &observation))?);
        runtime.shutdown_background();
    }
    times.sort_by_key(|took| took.step);
    let median = |pick: fn(&Took) -> Duration| {
        let mut picked: Vec<Duration> = times.iter().map(pick).collect();
        picked.sort();
        picked[TIMES / 2].as_secs_f64() * 1000.0
    };
    writeln!(
        std::io::stdout(),
        "{steps} finished steps, {} records, {} KiB of journal, {} KiB of plan: first step after {:.0} ms (median of {TIMES}; \
         {:.0} to {:.0} ms); plan and journal read after {:.0} ms, journal open after {:.0} ms; first command after {:.0} ms, \
         {} steps with nothing to do having been skipped",
        before.iter().filter(|byte| **byte == b'\n').count(),
        before.len() / 1024,
        text.len() / 1024,
        median(|took| took.step),
        times[0].step.as_secs_f64() * 1000.0,
        times[TIMES - 1].step.as_secs_f64() * 1000.0,
        median(|took| took.reading),
        median(|took| took.opening),
        median(|took| took.command),
        times[TIMES / 2].skipped,
    )?;
    Ok(())
}
