//! Databases that are what commands made of them: heads and rows follow from the deeds of the runner, however
//! often leapfrog died meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use leapfrog::conduct::DatabaseReader;
use leapfrog::model::{DatabaseId, Effect, Engine, Heads, Observation, ObservedDatabase, StepId, Unreachable};
use leapfrog::plan::{Action, DataMigration, Plan, SchemaMove, Standing, Step};
use leapfrog::runner::scripted::{Deed, DeedEnd, Script, Scripted};
use leapfrog::runner::{Task, TaskId};

use super::saved::Points;
use crate::random::Random;

/// The rows of a step, and what each of its rounds moves if it comes to its end.
#[derive(Default)]
struct Rows {
    all: u64,
    moves: BTreeMap<TaskId, u64>,
}

pub(super) struct Truth {
    pub(super) random: Random,
    rows: BTreeMap<StepId, Rows>,
    /// How many of a hundred commands go wrong.
    pub(super) trouble: usize,
    /// Commands that were launched while one of the same step worked.
    beside: Vec<TaskId>,
    pub(super) settled: Settled,
    pub(super) points: Points,
}

/// What commands made of the databases, as far as the first `known` of them have ended.
#[derive(Clone, Default)]
pub(super) struct Settled {
    known: usize,
    /// Steps a command of which came to its own end and changed what it should, with the databases that show it.
    pub(super) worked: HashSet<(StepId, DatabaseId)>,
    /// Rows that are moved.
    moved: HashMap<StepId, u64>,
}

impl Settled {
    fn take(&mut self, deed: &Deed, world: &World, rows: &BTreeMap<StepId, Rows>, points: &Points) {
        if deed.end != DeedEnd::Whole || deed.idle {
            return;
        }
        let stays = |database: &&DatabaseId| !points.undone.contains(&(deed.id.clone(), (*database).clone()));
        let databases = world.changes.get(&deed.id.step).into_iter().flatten();
        let mut stay = databases.filter(stays).peekable();
        if stay.peek().is_some() {
            let moved = rows.get(&deed.id.step).and_then(|rows| rows.moves.get(&deed.id));
            *self.moved.entry(deed.id.step.clone()).or_default() += moved.copied().unwrap_or(0);
        }
        self.worked.extend(stay.map(|database| (deed.id.step.clone(), database.clone())));
    }
}

/// The databases of a plan.
pub(super) struct World {
    pub(super) plan: Arc<Plan>,
    pub(super) runner: Scripted,
    /// The databases that each step's command changes.
    pub(super) changes: BTreeMap<StepId, BTreeSet<DatabaseId>>,
    truth: Mutex<Truth>,
}

impl World {
    /// Databases where the plan begins; each data migration has rows to move.
    pub(super) fn new(plan: Arc<Plan>, seed: u64) -> Arc<Self> {
        let mut random = Random::of(seed, 0);
        let drains = plan.steps().filter(|(_, _, step)| matches!(step.action, Action::Drain(_)));
        let rows = drains.map(|(_, _, step)| {
            let all = [0, 1, 700, 2300][random.place(4)];
            (step.id.clone(), Rows { all, moves: BTreeMap::new() })
        });
        let rows = rows.collect();
        let points = Points::default();
        let truth = Truth { random, rows, trouble: 0, beside: Vec::new(), settled: Settled::default(), points };
        let changes = plan.steps().map(|(_, lane, step)| {
            let databases = match &step.action {
                Action::Run(run) => match &run.schema {
                    Some(schema) => schema.databases.keys().cloned().collect(),
                    None => lane.standing.keys().cloned().collect(),
                },
                Action::Drain(migration) => [migration.database.clone()].into(),
                Action::Trip(touching) => [touching.database.clone()].into(),
                Action::Check(_) | Action::Verify(_) | Action::Save(_) => BTreeSet::new(),
            };
            (step.id.clone(), databases)
        });
        let changes = changes.collect();
        let world = Arc::new(Self { plan, runner: Scripted::default(), changes, truth: Mutex::new(truth) });
        let weak = Arc::downgrade(&world);
        world.runner.plays(move |task| weak.upgrade().map(|world| world.play(task)));
        world
    }

    pub(super) fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets so many of a hundred commands go wrong from now on.
    pub(super) fn trouble(&self, percent: usize) {
        self.truth().trouble = percent;
    }

    /// Commands that were launched beside themselves, and do not only read.
    pub(super) fn beside(&self) -> Vec<TaskId> {
        self.truth().beside.clone()
    }

    pub(super) fn step(&self, id: &StepId) -> &Step {
        let found = self.plan.steps().find(|(_, _, step)| step.id == *id);
        found.map(|(_, _, step)| step).unwrap_or_else(|| panic!("no step {id}"))
    }

    /// What commands made of the databases by now.
    pub(super) fn now(&self) -> Settled {
        let mut truth = self.truth();
        let Truth { settled, rows, points, .. } = &mut *truth;
        let deeds = self.runner.deeds(settled.known);
        let ended = deeds.iter().take_while(|deed| matches!(deed.end, DeedEnd::Whole | DeedEnd::Cut)).count();
        for deed in &deeds[..ended] {
            settled.take(deed, self, rows, points);
        }
        settled.known += ended;
        let mut now = settled.clone();
        for deed in &deeds[ended..] {
            now.take(deed, self, rows, points);
        }
        now
    }

    /// Steps a command of which changed what it should, in all of its databases.
    pub(super) fn worked(&self) -> HashSet<StepId> {
        let worked = self.now().worked;
        let whole = |(step, databases): &(&StepId, &BTreeSet<DatabaseId>)| {
            databases.iter().all(|database| worked.contains(&((*step).clone(), database.clone())))
        };
        self.changes.iter().filter(whole).map(|(step, _)| step.clone()).collect()
    }

    /// Where every database stands.
    pub(super) fn standing(&self) -> BTreeMap<DatabaseId, Heads> {
        let databases = self.plan.hops[0].lanes.iter().flat_map(|lane| lane.standing.keys());
        let worked = self.now().worked;
        databases.map(|database| (database.clone(), self.stands(database, &worked))).collect()
    }

    /// Where a database stands once these steps worked.
    pub(super) fn stands(&self, database: &DatabaseId, worked: &HashSet<(StepId, DatabaseId)>) -> Heads {
        if self.truth().points.half.contains(database) {
            return Heads::default();
        }
        let worked = |step: &StepId| worked.contains(&(step.clone(), database.clone()));
        let mut heads: Option<Heads> = None;
        for lane in
            self.plan.hops.iter().filter_map(|hop| hop.lanes.iter().find(|lane| lane.service == database.service))
        {
            let Some(Standing::AtHeads { heads: now } | Standing::Moves { from: now, .. }) =
                lane.standing.get(database)
            else {
                continue;
            };
            let heads = heads.get_or_insert_with(|| now.clone());
            let about = lane.steps.iter().filter_map(|step| Some((step, schema(step)?.databases.get(database)?)));
            let about: Vec<_> = about.collect();
            let Some((_, target)) = about.last().filter(|(_, target)| !heads.stand_at(&target.heads)) else { continue };
            if about.iter().all(|(step, _)| worked(&step.id)) {
                *heads = target.heads.clone();
            } else {
                let reached = about.iter().filter(|(step, _)| worked(&step.id));
                heads.alembic.extend(reached.flat_map(|(_, target)| target.reaches.iter().cloned()));
            }
        }
        heads.unwrap_or_else(|| panic!("no database {database}"))
    }

    /// As the program observes it before it goes on.
    pub(super) fn observation(&self) -> Observation {
        let mut observation = Observation::default();
        for (id, heads) in self.standing() {
            let seen = ObservedDatabase { engine: Engine::Mysql, version: "10.11.14".into(), heads, tables: 60 };
            observation.databases.insert(id, Ok(seen));
        }
        observation
    }

    /// How many rows the steps have left to move, those that have any.
    pub(super) fn left(&self) -> BTreeMap<StepId, u64> {
        let now = self.now();
        let truth = self.truth();
        let left = truth
            .rows
            .iter()
            .map(|(step, rows)| (step.clone(), rows.all.saturating_sub(now.moved.get(step).copied().unwrap_or(0))));
        left.filter(|(_, left)| *left > 0).collect()
    }

    fn left_of(&self, step: &StepId) -> u64 {
        self.left().get(step).copied().unwrap_or(0)
    }

    fn play(&self, task: &Task) -> Script {
        let step = self.step(&task.id.step);
        let known = self.now().known;
        let works = |deed: &Deed| deed.id.step == step.id && deed.end == DeedEnd::Works;
        // One that only reads is told to stop and run again at once.
        if step.effect != Effect::ReadOnly && self.runner.deeds(known).iter().any(works) {
            self.truth().beside.push(task.id.clone());
        }
        let half = |database: &&DatabaseId| database.service == step.id.service;
        let half = self.truth().points.half.iter().find(half).cloned();
        if let Some(database) = half {
            self.truth().points.ruins.push(format!("{} began while {database} stood nowhere", step.id));
        }
        if self.has_debris(&step.id) {
            return Script::ends(1).err("ERROR Duplicate column name").after(Duration::from_secs(2)).idle();
        }
        let (script, shows) = match &step.action {
            Action::Run(_) => (Script::ends(0), schema(step).is_some_and(|schema| self.would_move(schema))),
            Action::Drain(migration) => self.round(task, step, migration),
            Action::Check(_) => (succeeds(), true),
            Action::Verify(_) | Action::Save(_) | Action::Trip(_) => panic!("{} runs no command", step.id),
        };
        let mut truth = self.truth();
        let pause = Duration::from_secs(1 + truth.random.place(20) as u64);
        let script = script.after(pause);
        if truth.random.place(100) >= truth.trouble {
            return script;
        }
        // Engines that die are part of the stories that have a way back.
        let kinds = if truth.points.saved.is_empty() { 8 } else { 11 };
        match truth.random.place(kinds) {
            0 => Script::ends(1).err("ERROR it went wrong").after(pause).idle(),
            // It worked, and says that it did not.
            1 => Script::ends(1).err("ERROR it went wrong").after(pause),
            2 => Script::refused("no room left"),
            3 => Script::lost("somebody pruned it").after(pause),
            4 => Script::hangs().out("at work"),
            5 => Script::hangs().deaf(),
            6 => script.repeats(),
            8 => Script::ends(137).after(pause).idle(),
            9 => Script::ends(137).engine_left().after(pause),
            10 => Script::ends(255).engine_left().after(pause),
            // A lie, where the databases can tell; what nobody can see nobody can ask for.
            _ if shows => script.idle(),
            _ => script,
        }
    }

    /// Whether a database of the step does not stand where the step takes it.
    fn would_move(&self, schema: &SchemaMove) -> bool {
        let worked = self.now().worked;
        schema.databases.iter().any(|(id, target)| {
            let heads = self.stands(id, &worked);
            !heads.stand_at(&target.heads) && !target.reaches.is_subset(&heads.alembic)
        })
    }

    /// What one round of a data migration does, and whether a count shows whether it did.
    fn round(&self, task: &Task, step: &Step, migration: &DataMigration) -> (Script, bool) {
        let left = self.left_of(&step.id);
        let count = task.command.iter().filter_map(|word| word.parse::<u64>().ok()).max().unwrap_or(migration.count);
        let moves = left.min(count);
        if let Some(rows) = self.truth().rows.get_mut(&step.id) {
            rows.moves.insert(task.id.clone(), moves);
        }
        let name = counted(migration).and_then(|rows| rows.migration.as_deref()).unwrap_or("move_rows");
        let script = Script::ends(i64::from(moves > 0))
            .out("+-----------+--------------+-----------+")
            .out("| Migration | Total Needed | Completed |")
            .out("+-----------+--------------+-----------+")
            .out(&format!("| {name} | {moves} | {moves} |"))
            .out("+-----------+--------------+-----------+");
        (script, moves > 0 && counted(migration).is_some())
    }
}

/// The rows that are counted after the migration.
fn counted(migration: &DataMigration) -> Option<&leapfrog::catalog::Remainder> {
    migration.remainders.iter().find(|rows| rows.moved)
}

pub(super) fn schema(step: &Step) -> Option<&SchemaMove> {
    match &step.action {
        Action::Run(run) => run.schema.as_ref(),
        _ => None,
    }
}

/// A report of a release's own checks that all succeed, with the names that playbooks speak of.
fn succeeds() -> Script {
    Script::ends(0).out(
        "{\"name\": \"Upgrade Check Results\", \"checks\": [{\"check\": \"All\", \"result\": 0, \"details\": null}]}",
    )
}

#[async_trait::async_trait]
impl DatabaseReader for World {
    async fn heads(&self, database: &DatabaseId) -> Result<Heads, Unreachable> {
        Ok(self.stands(database, &self.now().worked))
    }

    async fn tables(&self, _: &DatabaseId) -> Result<u64, Unreachable> {
        Ok(60)
    }

    async fn triggers(&self, _: &DatabaseId) -> Result<Vec<leapfrog::model::Trigger>, Unreachable> {
        Ok(Vec::new())
    }

    async fn count(&self, database: &DatabaseId, query: &str) -> Result<u64, Unreachable> {
        let launched: BTreeSet<StepId> = {
            let truth = self.truth();
            truth.rows.iter().filter(|(_, rows)| !rows.moves.is_empty()).map(|(step, _)| step.clone()).collect()
        };
        let asks = |step: &&Step| match &step.action {
            Action::Drain(migration) => {
                launched.contains(&step.id)
                    && migration.database == *database
                    && counted(migration).is_some_and(|rows| rows.query == query)
            }
            _ => false,
        };
        // Rows of a release come with its schema: what is counted is what the newest one still has.
        let last = self.plan.steps().map(|(_, _, step)| step).filter(asks).last();
        Ok(last.map_or(0, |step| self.left_of(&step.id)))
    }

    async fn left(&self, _: &DatabaseId, _: &str) -> Result<u64, Unreachable> {
        Err(Unreachable { reason: "nobody counts for the progress here".into(), advice: "wait".into() })
    }

    async fn services(&self, _: &DatabaseId, _: &str) -> Result<Vec<leapfrog::model::RecordedService>, Unreachable> {
        Ok(Vec::new())
    }
}

/// The plan as it is once images were read, with `once` steps that must not be run twice.
pub(super) fn enriched(plan: &Plan, once: &[usize]) -> Plan {
    let mut plan = plan.clone();
    for hop in &mut plan.hops {
        for lane in &mut hop.lanes {
            let schemas = lane.steps.iter().filter(|step| schema(step).is_some()).count();
            let mut seen = 0;
            for step in &mut lane.steps {
                let Action::Run(run) = &mut step.action else { continue };
                let Some(schema) = &mut run.schema else { continue };
                seen += 1;
                if schema.branch.is_some() && seen < schemas {
                    for target in schema.databases.values_mut() {
                        target.reaches = BTreeSet::from([format!("{}-{seen}", hop.series)]);
                    }
                }
            }
        }
    }
    let steps = plan.hops.iter_mut().flat_map(|hop| &mut hop.lanes).flat_map(|lane| &mut lane.steps);
    let mut runs: Vec<&mut Step> = steps.filter(|step| matches!(step.action, Action::Run(_))).collect();
    for place in once {
        let count = runs.len();
        runs[place % count].effect = Effect::Once;
    }
    plan
}
