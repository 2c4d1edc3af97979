//! The marks that follow from a plan and the records of its run.
//!
//! | noted | where the plan's lane of a service |
//! | --- | --- |
//! | expanded | has every expand step behind it |
//! | migrated | has every data migration behind it as well |
//! | ready | may contract: the record of `leapfrog contract` that says why |
//! | contracted | has nothing left to do: its heads are verified as the release's |
//!
//! A lane whose schema has one branch is contracted as soon as its data migrations are proved: nothing is left to remove.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::mark::{Mark, Stage};
use crate::journal::{Evidence, Outcome, Record, RecordBody, RunState};
use crate::model::{DatabaseId, Heads, Phase, RunId, Series, Service, StepId};
use crate::plan::{Action, Lane, Part, Plan, Standing, Step};

/// What is to be noted anew, by database; nothing where a mark does not hold any more and there is none before it.
pub type Changes = BTreeMap<DatabaseId, Option<Mark>>;

/// The marks of a run.
#[derive(Debug, Clone)]
pub struct Book {
    plan: Arc<Plan>,
    state: RunState,
    run: Option<RunId>,
    host: String,
    leapfrog: String,
    user: Option<String>,
    /// Services of which an expand is all that the release does.
    whole: BTreeSet<Service>,
    heads: BTreeMap<DatabaseId, Heads>,
    /// What was last read from each database in this run, and when.
    seen: BTreeMap<DatabaseId, (Heads, Timestamp)>,
    /// By database, the newest last.
    marks: BTreeMap<DatabaseId, Vec<Mark>>,
}

impl Book {
    /// An empty one. `user` runs what is recorded from now on; of the services `whole` the part that the plan is, is all
    /// that its release does.
    pub fn new(plan: Arc<Plan>, user: Option<String>, whole: BTreeSet<Service>) -> Self {
        let mut heads = BTreeMap::new();
        for lane in plan.hops.iter().flat_map(|hop| &hop.lanes) {
            for (id, Standing::AtHeads { heads: now } | Standing::Moves { from: now, .. }) in &lane.standing {
                heads.entry(id.clone()).or_insert_with(|| now.clone());
            }
        }
        Self {
            plan,
            state: RunState::default(),
            run: None,
            host: String::new(),
            leapfrog: String::new(),
            user,
            whole,
            heads,
            seen: BTreeMap::new(),
            marks: BTreeMap::new(),
        }
    }

    /// The one that follows from all of `records`.
    pub fn of(plan: Arc<Plan>, records: &[Record], whole: BTreeSet<Service>) -> Self {
        let mut book = Self::new(plan, None, whole);
        for record in records {
            book.see(record);
        }
        book
    }

    /// The one that goes on for `user`.
    #[must_use]
    pub fn by(self, user: String) -> Self {
        Self { user: Some(user), ..self }
    }

    /// Takes in the next record. Returns what is to be noted for it.
    pub fn see(&mut self, record: &Record) -> Changes {
        let before = self.state.restoring.clone();
        if self.state.apply(record).is_err() {
            return Changes::new();
        }
        match &record.body {
            RecordBody::RunStarted { run, host, leapfrog, .. } => {
                self.run = Some(run.clone());
                (self.host, self.leapfrog) = (host.clone(), leapfrog.clone());
                Changes::new()
            }
            RecordBody::RunResumed { host, leapfrog, .. } => {
                (self.host, self.leapfrog) = (host.clone(), leapfrog.clone());
                Changes::new()
            }
            RecordBody::StepEnded { step, outcome, evidence, .. }
            | RecordBody::StepResolved { step, outcome, evidence, .. }
                if outcome.is_complete() =>
            {
                self.read(evidence, record.time);
                self.advance(step, record.time)
            }
            RecordBody::Readiness { .. } => self.ready(record.time),
            RecordBody::RestoreEnded { to, services, outcome: Outcome::Done, evidence, .. } if before.is_some() => {
                self.read(evidence, record.time);
                self.go_back(to, services)
            }
            _ => Changes::new(),
        }
    }

    /// The newest mark of each database.
    pub fn marks(&self) -> impl Iterator<Item = (&DatabaseId, &Mark)> {
        self.marks.iter().filter_map(|(id, marks)| Some((id, marks.last()?)))
    }

    /// The newest mark of a database.
    pub fn mark(&self, database: &DatabaseId) -> Option<&Mark> {
        self.marks.get(database)?.last()
    }

    /// The heads that a database was last seen at in this run, and when.
    pub fn seen(&self, database: &DatabaseId) -> Option<&(Heads, Timestamp)> {
        self.seen.get(database)
    }

    /// The run.
    pub fn run(&self) -> Option<&RunId> {
        self.run.as_ref()
    }

    /// The state of the run.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Takes over which heads were read.
    fn read(&mut self, evidence: &[Evidence], time: Timestamp) {
        for piece in evidence {
            let (Evidence::Heads { database, heads }
            | Evidence::Branch { database, heads, .. }
            | Evidence::Restored { database, heads, .. }) = piece
            else {
                continue;
            };
            self.heads.insert(database.clone(), heads.clone());
            self.seen.insert(database.clone(), (heads.clone(), time));
        }
    }

    /// What the end of a step means for the databases of its lane.
    fn advance(&mut self, step: &StepId, time: Timestamp) -> Changes {
        let plan = Arc::clone(&self.plan);
        let hop = plan.hops.iter().find(|hop| hop.series == step.series);
        let lane = hop.and_then(|hop| hop.lanes.iter().find(|lane| lane.service == step.service));
        let reached = lane.and_then(|lane| Some((lane, self.reached(lane)?)));
        reached.map_or_else(Changes::new, |(lane, stage)| self.note(lane, &step.series, stage, time))
    }

    /// How far a lane is.
    fn reached(&self, lane: &Lane) -> Option<Stage> {
        let of = |phase: Phase| lane.steps.iter().filter(move |step| step.phase == phase && step.saves().is_none());
        let is_done = |step: &Step| self.state.is_done(&step.id);
        let done = |phase: Phase| of(phase).all(is_done);
        let mut verified = lane.steps.iter().filter(|step| matches!(step.action, Action::Verify(_))).peekable();
        let changed = done(Phase::Expand) && done(Phase::Migrate);
        if verified.peek().is_some() && verified.all(is_done) && changed && done(Phase::Contract) {
            return Some(Stage::Contracted);
        }
        match self.plan.part {
            Part::Contract => None,
            Part::Expand if !done(Phase::Expand) => None,
            Part::Expand if self.whole.contains(&lane.service) => Some(Stage::Contracted),
            Part::Expand => Some(Stage::Expanded),
            Part::Whole | Part::UntilMigrated | Part::Migrate if changed => Some(Stage::Migrated),
            Part::Whole | Part::UntilMigrated | Part::Migrate => {
                (of(Phase::Expand).next().is_some() && done(Phase::Expand)).then_some(Stage::Expanded)
            }
        }
    }

    /// Every lane of the part may contract.
    fn ready(&mut self, time: Timestamp) -> Changes {
        let plan = Arc::clone(&self.plan);
        let lanes = plan.hops.iter().flat_map(|hop| hop.lanes.iter().map(move |lane| (&hop.series, lane)));
        lanes.flat_map(|(series, lane)| self.note(lane, series, Stage::Ready, time)).collect()
    }

    /// Notes a stage for the databases of a lane that were not as far.
    fn note(&mut self, lane: &Lane, series: &Series, stage: Stage, time: Timestamp) -> Changes {
        let mut changes = Changes::new();
        for id in lane.standing.keys() {
            let further = self.mark(id).is_none_or(|last| (&last.series, last.stage) < (series, stage));
            let (Some(heads), Some(run)) = (self.heads.get(id), &self.run) else { continue };
            if !further {
                continue;
            }
            let by = self.user.as_ref().map_or_else(|| self.host.clone(), |user| format!("{user}@{}", self.host));
            let (series, heads, run) = (series.clone(), heads.clone(), run.clone());
            let mark = Mark { series, stage, heads, since: time, run, by, leapfrog: self.leapfrog.clone() };
            changes.insert(id.clone(), Some(mark.clone()));
            self.marks.entry(id.clone()).or_default().push(mark);
        }
        changes
    }

    /// Databases stand again where the hop of `to` began: what was noted since then does not hold any more.
    fn go_back(&mut self, to: &Series, services: &BTreeSet<Service>) -> Changes {
        let mut changes = Changes::new();
        for (id, heads) in self.heads.iter().filter(|(id, _)| services.contains(&id.service)) {
            let marks = self.marks.entry(id.clone()).or_default();
            marks.retain(|mark| mark.series < *to);
            if let Some(mark) = marks.last_mut() {
                mark.heads.clone_from(heads);
            }
            changes.insert(id.clone(), marks.last().cloned());
        }
        changes
    }
}
