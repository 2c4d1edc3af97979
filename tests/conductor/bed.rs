//! What a scenario needs: a plan, a journal, a runner, databases, and an operator at the keyboard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use leapfrog::catalog::{OutputFormat, Remainder, Residue};
use leapfrog::conduct::{
    Conclusion, Conductor, Connections, DatabaseReader, EventSink, Fence, RestorePoints, Settings, Signal, Toucher,
};
use leapfrog::journal::{self, Event, Failure, Journal, Outcome, Record, RecordBody, RunState};
use leapfrog::model::{
    ConnectionUrl, DatabaseId, Effect, ExitTable, Heads, ImageReference, Phase, RecordedService, RunId, Secret, Series,
    StepId, Unreachable, Verdict,
};
use leapfrog::plan::{
    Action, CommandRun, DataMigration, Hop, Lane, OptionValue, Plan, Shared, Standing, Step, StepConfiguration,
    Verification,
};
use leapfrog::runner::scripted::{Call, Script, Scripted};
use leapfrog::runner::{FoundState, PinnedImage, TaskId};
use tokio::sync::mpsc;

pub(crate) const PASSWORD: &str = "p@ss/w0rd";
pub(crate) const GRACE: Duration = Duration::from_secs(30);

pub(crate) fn valid<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

/// The heads of a service's release.
pub(crate) fn heads(series: &str) -> Heads {
    Heads::alembic([format!("head-of-{series}")])
}

pub(crate) fn image(series: &str, service: &str) -> ImageReference {
    valid(&format!("registry.example/{service}:{series}"))
}

/// A table as data migrations print it.
pub(crate) fn table(script: Script, found: u64, moved: u64) -> Script {
    script
        .out("+-----------+--------------+-----------+")
        .out("| Migration | Total Needed | Completed |")
        .out(&format!("| move_rows | {found} | {moved} |"))
}

/// What a data migration does that has 50 rows to move: a round that moves them, a round that finds none.
pub(crate) fn drains() -> [Script; 2] {
    [table(Script::ends(1), 50, 50), table(Script::ends(0), 0, 0)]
}

pub(crate) fn configuration(service: &str) -> StepConfiguration {
    let connection = OptionValue::UrlOf(valid(service));
    StepConfiguration {
        path: format!("/etc/{service}/{service}.conf").into(),
        passed_with: None,
        options: [("database".into(), [("connection".into(), connection)].into())].into(),
    }
}

fn lane(series: &str, before: Option<&str>, service: &str) -> Lane {
    let id = |name: &str| valid::<StepId>(&format!("{series}/{service}/{name}"));
    let command = |text: &str| {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        words.try_into().expect("a command")
    };
    let step = |name: &str, phase, effect, action| Step {
        id: id(name),
        phase,
        why: "because".into(),
        effect,
        beside: false,
        action,
    };
    let failure_texts: Shared<String> = vec!["Error attempting to run".to_owned()].into();
    let sync = Action::Run(Box::new(CommandRun {
        command: command(&format!("{service}-manage db sync")),
        exits: ExitTable::default(),
        failure_texts: failure_texts.clone(),
        configuration: configuration(service),
        schema: None,
    }));
    let drain = Action::Drain(Box::new(DataMigration {
        command: command(&format!("{service}-manage db online_data_migrations --max-count {{count}}")),
        count: 1000,
        exits: ExitTable([(0, Verdict::Done), (1, Verdict::More), (2, Verdict::Stuck)].into()),
        failure_texts,
        output: OutputFormat::Table,
        database: valid(service),
        residues: Default::default(),
        remainders: Default::default(),
        takes_turns: false,
        configuration: configuration(service),
    }));
    let verify = Action::Verify(Verification { heads: [(valid(service), heads(series))].into(), services: Vec::new() });
    let standing = match before {
        Some(before) => Standing::Moves { from: heads(before), to: heads(series) },
        None => Standing::AtHeads { heads: heads(series) },
    };
    Lane {
        service: valid(service),
        image: image(series, service),
        package: None,
        common_rows: Vec::new(),
        known: Default::default(),
        standing: [(valid(service), standing)].into(),
        steps: vec![
            step("db-sync", Phase::Expand, Effect::Idempotent, sync),
            step("online-data", Phase::Migrate, Effect::Idempotent, drain),
            step("verify-heads", Phase::Verify, Effect::ReadOnly, verify),
        ],
    }
}

/// Databases that stand at the newest release whose schema command was ever begun for them.
pub(crate) struct Databases {
    runner: Scripted,
    /// Schema commands of processes before the runner's.
    before: Mutex<Vec<StepId>>,
    /// Databases that show other heads, whatever ran.
    wrong: Mutex<BTreeMap<DatabaseId, Result<Heads, Unreachable>>>,
    /// What queries find, one after the other; the last one again and again.
    counts: Mutex<BTreeMap<String, Vec<Result<u64, Unreachable>>>>,
    /// What queries find that are asked for the progress.
    left: Mutex<BTreeMap<String, Vec<u64>>>,
    /// How many tables databases hold, one look after the other; the last one again and again.
    tables: Mutex<BTreeMap<DatabaseId, Vec<u64>>>,
    /// The triggers of a database, answer by answer; the last one stays.
    triggers: Mutex<BTreeMap<DatabaseId, Vec<Vec<leapfrog::model::Trigger>>>>,
    /// The services of a database, with the versions that they recorded.
    services: Mutex<BTreeMap<DatabaseId, Result<Vec<RecordedService>, Unreachable>>>,
    /// How long a count takes.
    counting: Mutex<Duration>,
}

#[async_trait::async_trait]
impl DatabaseReader for Databases {
    async fn heads(&self, database: &DatabaseId) -> Result<Heads, Unreachable> {
        if let Some(wrong) = self.wrong.lock().expect("no panic").get(database) {
            return wrong.clone();
        }
        let launched = self.runner.launches().into_iter().map(|task| task.id.step);
        let begun = launched.chain(self.before.lock().expect("no panic").clone());
        let syncs = begun.filter(|step| step.service == database.service && step.name.as_str() == "db-sync");
        let newest = syncs.map(|step| step.series).max();
        Ok(newest.map_or_else(|| heads("2023.1"), |series| heads(series.as_str())))
    }

    async fn tables(&self, database: &DatabaseId) -> Result<u64, Unreachable> {
        let mut tables = self.tables.lock().expect("no panic");
        let Some(answers) = tables.get_mut(database) else { return Ok(40) };
        Ok(if answers.len() > 1 { answers.remove(0) } else { answers[0] })
    }

    async fn triggers(&self, database: &DatabaseId) -> Result<Vec<leapfrog::model::Trigger>, Unreachable> {
        let mut triggers = self.triggers.lock().expect("no panic");
        let Some(answers) = triggers.get_mut(database) else { return Ok(Vec::new()) };
        Ok(if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() })
    }

    async fn count(&self, _: &DatabaseId, query: &str) -> Result<u64, Unreachable> {
        let counting = *self.counting.lock().expect("no panic");
        tokio::time::sleep(counting).await;
        let mut counts = self.counts.lock().expect("no panic");
        let answers = counts.get_mut(query).unwrap_or_else(|| panic!("the test counts {query}"));
        if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
    }

    async fn left(&self, _: &DatabaseId, query: &str) -> Result<u64, Unreachable> {
        let counting = *self.counting.lock().expect("no panic");
        tokio::time::sleep(counting).await;
        let mut left = self.left.lock().expect("no panic");
        let away = Unreachable { reason: "nobody counts".into(), advice: "count".into() };
        let answers = left.get_mut(query).ok_or(away)?;
        Ok(if answers.len() > 1 { answers.remove(0) } else { answers[0] })
    }

    async fn services(&self, database: &DatabaseId, _: &str) -> Result<Vec<RecordedService>, Unreachable> {
        self.services.lock().expect("no panic").get(database).cloned().unwrap_or(Ok(Vec::new()))
    }
}

/// What the operator does when an event is seen.
type Reaction = (Box<dyn Fn(&Event) -> bool + Send>, Signal);

/// A cloud, a plan for it, and the directory of one run.
pub(crate) struct Bed {
    _guard: tempfile::TempDir,
    pub(crate) directory: Utf8PathBuf,
    pub(crate) plan: Plan,
    pub(crate) runner: Scripted,
    pub(crate) databases: Arc<Databases>,
    pub(crate) jobs: usize,
    /// Of every database.
    pub(crate) password: String,
    /// Looked at before every hop.
    pub(crate) fence: Option<Arc<dyn Fence>>,
    /// Takes restore points.
    pub(crate) points: Option<Arc<dyn RestorePoints>>,
    /// Touches rows.
    pub(crate) toucher: Option<Arc<dyn Toucher>>,
    reactions: Vec<Reaction>,
}

/// What came of a process.
pub(crate) struct Told {
    pub(crate) conclusion: Conclusion,
    pub(crate) events: Vec<Event>,
    /// Everything in the journal, by all processes.
    pub(crate) records: Vec<Record>,
    pub(crate) state: RunState,
}

impl Bed {
    /// A plan through `series` for `services`. Data migrations have 50 rows to move in each release.
    pub(crate) fn new(series: &[&str], services: &[&str]) -> Self {
        let hops = series.iter().enumerate().map(|(at, of)| Hop {
            series: valid(of),
            reason: "on the way".into(),
            notes: Vec::new(),
            changes: Vec::new(),
            lanes: services.iter().map(|service| lane(of, at.checked_sub(1).map(|at| series[at]), service)).collect(),
        });
        let plan = Plan {
            format: Plan::FORMAT,
            cloud: "ewr1".into(),
            from: valid(series[0]),
            to: valid(series[series.len() - 1]),
            stops: Default::default(),
            part: Default::default(),
            reasons: Vec::new(),
            hops: hops.collect(),
        };
        let guard = tempfile::tempdir().expect("a directory");
        let directory = Utf8Path::from_path(guard.path()).expect("UTF-8").to_owned();
        let runner = Scripted::default();
        for (_, _, step) in plan.steps() {
            if matches!(step.action, Action::Drain(_)) {
                runner.on(&step.id.to_string(), drains());
            }
        }
        let databases = Arc::new(Databases {
            runner: runner.clone(),
            before: Mutex::default(),
            wrong: Mutex::default(),
            counts: Mutex::default(),
            left: Mutex::default(),
            triggers: Mutex::default(),
            tables: Mutex::default(),
            services: Mutex::default(),
            counting: Mutex::default(),
        });
        Self {
            _guard: guard,
            directory,
            plan,
            runner,
            databases,
            jobs: 8,
            password: PASSWORD.into(),
            fence: None,
            points: None,
            toucher: None,
            reactions: Vec::new(),
        }
    }

    /// The usual one: two hops, three lanes.
    pub(crate) fn two_by_three() -> Self {
        Self::new(&["2023.1", "2023.2"], &["cinder", "nova", "placement"])
    }

    pub(crate) fn run() -> RunId {
        valid("20261122-031502-7f3a")
    }

    /// Sends `signal` when an event is first seen that `when` picks; reactions wait for each other.
    pub(crate) fn react(&mut self, when: impl Fn(&Event) -> bool + Send + 'static, signal: Signal) {
        self.reactions.push((Box::new(when), signal));
    }

    /// Lets a database show other heads from now on.
    pub(crate) fn shows(&self, database: &str, heads: Heads) {
        self.databases.wrong.lock().expect("no panic").insert(valid(database), Ok(heads));
    }

    /// Lets a database show what ran in it again.
    pub(crate) fn shows_the_truth(&self, database: &str) {
        self.databases.wrong.lock().expect("no panic").remove(&valid(database));
    }

    /// Lets a query find these numbers, one after the other.
    pub(crate) fn finds(&self, query: &str, numbers: &[u64]) {
        let numbers = numbers.iter().map(|number| Ok(*number)).collect();
        self.databases.counts.lock().expect("no panic").insert(query.into(), numbers);
    }

    /// Lets a query find these numbers while a command works, one after the other.
    pub(crate) fn leaves(&self, query: &str, numbers: &[u64]) {
        self.databases.left.lock().expect("no panic").insert(query.into(), numbers.into());
    }

    /// Lets a database show triggers of these names, one look after the other.
    pub(crate) fn has_triggers(&self, database: &str, looks: &[&[&str]]) {
        let trigger = |name: &&str| leapfrog::model::Trigger {
            name: (*name).to_owned(),
            table: "credential".into(),
            event: "BEFORE INSERT".into(),
            digest: "0a1b2c3d4e5f".into(),
        };
        let looks = looks.iter().map(|names| names.iter().map(trigger).collect()).collect();
        self.databases.triggers.lock().expect("no panic").insert(valid(database), looks);
    }

    /// Lets a database show so many tables, one look after the other.
    pub(crate) fn holds(&self, database: &str, tables: &[u64]) {
        self.databases.tables.lock().expect("no panic").insert(valid(database), tables.to_vec());
    }

    /// Lets a database be away from now on.
    pub(crate) fn is_away(&self, database: &str) {
        let error = Unreachable { reason: "nobody answers".into(), advice: "start the server".into() };
        self.databases.wrong.lock().expect("no panic").insert(valid(database), Err(error));
    }

    /// Lets a query fail.
    pub(crate) fn cannot_count(&self, query: &str, reason: &str) {
        let error = Unreachable { reason: reason.into(), advice: "start the server".into() };
        self.databases.counts.lock().expect("no panic").insert(query.into(), vec![Err(error)]);
    }

    /// Has a lane's verification ask for versions of services, and what the database answers.
    pub(crate) fn services(
        &mut self,
        step: &str,
        question: leapfrog::plan::VersionQuestion,
        answer: Result<Vec<RecordedService>, Unreachable>,
    ) {
        self.databases.services.lock().expect("no panic").insert(question.database.clone(), answer);
        let steps = self.plan.hops.iter_mut().flat_map(|hop| &mut hop.lanes).flat_map(|lane| &mut lane.steps);
        for step in steps.filter(|planned| planned.id.to_string() == step) {
            let Action::Verify(verification) = &mut step.action else { panic!("{} verifies nothing", step.id) };
            verification.services.push(question.clone());
        }
    }

    /// Lets every count take so long.
    pub(crate) fn counts_in(&self, time: Duration) {
        *self.databases.counting.lock().expect("no panic") = time;
    }

    /// Changes the data migration of a step.
    pub(crate) fn migration(&mut self, step: &str, change: impl FnOnce(&mut DataMigration)) {
        let step = self.step(step);
        let Action::Drain(migration) = &mut step.action else { panic!("{} migrates no data", step.id) };
        change(migration);
    }

    pub(crate) fn step(&mut self, step: &str) -> &mut Step {
        let steps = self.plan.hops.iter_mut().flat_map(|hop| &mut hop.lanes).flat_map(|lane| &mut lane.steps);
        steps.into_iter().find(|known| known.id.to_string() == step).unwrap_or_else(|| panic!("no step {step}"))
    }

    fn pinned(&self) -> BTreeMap<ImageReference, PinnedImage> {
        let images = self.plan.images().into_keys().cloned();
        images
            .map(|reference| {
                let digest = Scripted::digest(&reference);
                (reference.clone(), PinnedImage { reference, digest })
            })
            .collect()
    }

    fn started(&self) -> RecordBody {
        RecordBody::RunStarted {
            run: Self::run(),
            cloud: self.plan.cloud.clone(),
            from: self.plan.from.clone(),
            to: self.plan.to.clone(),
            leapfrog: "0.1.0".into(),
            runner: "Scripted 1.0".into(),
            host: "alpha".into(),
            pid: 7,
            images: self.pinned().into_iter().map(|(reference, image)| (reference, image.digest)).collect(),
            unfenced: false,
        }
    }

    /// Runs a process of leapfrog to its end: the first one of the run, or one that continues it.
    pub(crate) async fn leap(&mut self) -> Told {
        let mut journal = if self.directory.join(journal::FILE_NAME).exists() {
            let (mut journal, _) = Journal::open(&self.directory).expect("a journal");
            let body =
                RecordBody::RunResumed { leapfrog: "0.1.0".into(), host: "alpha".into(), pid: 8, unfenced: false };
            journal.append(Timestamp::now(), body).expect("resumed");
            journal
        } else {
            Journal::create(&self.directory).expect("a journal")
        };
        if journal.state().start.is_none() {
            journal.append(Timestamp::now(), self.started()).expect("begun");
        }
        let (events, mut source) = EventSink::channel();
        let (keyboard, signals) = mpsc::unbounded_channel();
        let mut reactions: std::collections::VecDeque<Reaction> = std::mem::take(&mut self.reactions).into();
        let looking = tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(event) = source.recv().await {
                if reactions.front().is_some_and(|(when, _)| when(&event))
                    && let Some((_, signal)) = reactions.pop_front()
                {
                    // A finished run hears nothing more.
                    let _ = keyboard.send(signal);
                }
                seen.push(event);
            }
            seen
        });
        let url = |id: &str| {
            let url: ConnectionUrl = valid(&format!("mysql+pymysql://{id}@db/{id}"));
            (valid::<DatabaseId>(id), url.with_password(Secret::new(self.password.as_str())))
        };
        let services: BTreeSet<&str> = self.plan.steps().map(|(_, lane, _)| lane.service.as_str()).collect();
        let settings = Settings {
            jobs: self.jobs,
            batch: None,
            round: Duration::from_secs(30),
            grace: GRACE,
            outage: 20 * GRACE,
            stall: Duration::from_secs(600),
            directory: self.directory.clone(),
        };
        let conductor = Conductor::new(
            Arc::new(self.plan.clone()),
            Self::run(),
            journal,
            Arc::new(self.runner.clone()),
            Arc::clone(&self.databases) as Arc<dyn DatabaseReader>,
            Connections::new(services.into_iter().map(url).collect()),
            self.pinned(),
            BTreeSet::new(),
            settings,
            events,
        );
        let conductor = match &self.fence {
            Some(fence) => conductor.behind(Arc::clone(fence)),
            None => conductor,
        };
        let conductor = match &self.points {
            Some(points) => conductor.saving(Arc::clone(points)),
            None => conductor,
        };
        let conductor = match &self.toucher {
            Some(toucher) => conductor.touching(Arc::clone(toucher)),
            None => conductor,
        };
        let conclusion = tokio::time::timeout(Duration::from_secs(30 * 24 * 3600), conductor.conduct(signals));
        let conclusion = conclusion.await.expect("the run ends").expect("an orderly end");
        let contents = journal::read(&self.directory).expect("a readable journal");
        // Abandoned steps hold no events; everybody else is gone.
        let events = looking.await.expect("no panic");
        Told { conclusion, events, records: contents.records, state: contents.state }
    }

    /// Makes the directory that of a run whose process died after `records`, in another world: nothing that
    /// was launched is at the runner, but the schemas have moved.
    pub(crate) fn after_death(&self, records: &[Record]) -> Self {
        let bed = Self { plan: self.plan.clone(), jobs: self.jobs, ..Self::two_by_three() };
        let mut journal = Journal::create(&bed.directory).expect("a journal");
        for record in records {
            journal.append(record.time, record.body.clone()).expect("legal");
        }
        let begun = journal.state().steps.keys().cloned();
        bed.databases.before.lock().expect("no panic").extend(begun);
        bed
    }

    /// Puts a task of an earlier process at the runner.
    pub(crate) fn leave(&self, step: &StepId, attempt: u32, round: u32, state: FoundState, script: Script) {
        let id = TaskId { run: Self::run(), step: step.clone(), attempt, round };
        self.runner.leave(id, state, script);
    }

    /// The text of every file in the run's directory.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        let mut directories = vec![self.directory.clone()];
        while let Some(directory) = directories.pop() {
            for entry in directory.read_dir_utf8().expect("readable") {
                let path = entry.expect("an entry").into_path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    let name = path.strip_prefix(&self.directory).expect("inside").to_string();
                    files.insert(name, std::fs::read_to_string(&path).expect("text"));
                }
            }
        }
        files
    }
}

impl Told {
    pub(crate) fn outcome(&self) -> Outcome {
        self.conclusion.outcome
    }

    /// How the last attempt of a step ended.
    pub(crate) fn ended(&self, step: &str) -> Option<Outcome> {
        self.state.steps.get(&valid::<StepId>(step)).and_then(|step| step.outcome)
    }

    /// What went wrong in a step, the last time it was tried.
    pub(crate) fn failure(&self, step: &str) -> &Failure {
        let failures = self.records.iter().rev().filter_map(|record| match &record.body {
            RecordBody::StepEnded { step: of, failure, .. } if of.to_string() == step => failure.as_ref(),
            _ => None,
        });
        failures.into_iter().next().unwrap_or_else(|| panic!("{step} did not fail"))
    }

    /// The number of the first record that `pick` picks.
    pub(crate) fn place(&self, pick: impl Fn(&RecordBody) -> bool) -> Option<u64> {
        self.records.iter().find(|record| pick(&record.body)).map(|record| record.sequence)
    }

    /// The numbers of all records that `pick` picks.
    pub(crate) fn places(&self, pick: impl Fn(&RecordBody) -> bool) -> Vec<u64> {
        self.records.iter().filter(|record| pick(&record.body)).map(|record| record.sequence).collect()
    }
}

pub(crate) fn begins(body: &RecordBody, of: &str) -> bool {
    matches!(body, RecordBody::StepStarted { step, .. } if step.to_string().starts_with(of))
}

pub(crate) fn ends(body: &RecordBody, of: &str) -> bool {
    matches!(body, RecordBody::StepEnded { step, .. } if step.to_string().starts_with(of))
}

pub(crate) fn hop_ends(body: &RecordBody, of: &str) -> bool {
    matches!(body, RecordBody::HopEnded { series } if *series == valid::<Series>(of))
}

/// Whether a step begins with this event.
pub(crate) fn seen_beginning(event: &Event, of: &str) -> bool {
    matches!(event, Event::Record(record) if begins(&record.body, of))
}

/// The place of a fetch among the runner's calls.
pub(crate) fn fetched_at(calls: &[Call], image: &ImageReference) -> Option<usize> {
    calls.iter().position(|call| matches!(call, Call::Fetch(fetched) if fetched == image))
}

/// Harmless rows of a migration.
pub(crate) fn residue(migration: &str, query: &str) -> Residue {
    Residue { migration: migration.into(), series: Default::default(), query: query.into(), why: "a marker".into() }
}

/// Rows that must be gone.
pub(crate) fn remainder(what: &str, query: &str, mend: Option<&str>) -> Remainder {
    Remainder {
        what: what.into(),
        series: Default::default(),
        query: query.into(),
        show: None,
        migration: None,
        moved: true,
        mend: mend.map(str::to_owned),
    }
}
