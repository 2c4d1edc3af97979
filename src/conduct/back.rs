//! The automatic way back: a lane whose schema migration died where DDL cannot be undone begins its hop again
//! from its restore points. Once for a lane and a hop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::conductor::{ConductError, Conductor, seconds};
use super::step::{StepEnd, StepMessage, reached};
use super::{RestorePoints, StopLevel};
use crate::journal::{Evidence, Failure, Outcome, RecordBody, RunState, SavedPoint};
use crate::model::{Engine, Service, StepId, Stream};
use crate::plan::{Action, Lane};

/// Lanes that go back.
#[derive(Default)]
pub(super) struct Backwards {
    /// Those that go back as soon as nothing of them runs, and the step that died.
    waiting: BTreeMap<Service, StepId>,
    /// Those that are on their way, and since when.
    going: BTreeMap<Service, (StepId, Instant)>,
}

/// How a way back ended.
#[derive(Debug)]
pub(super) struct BackEnd {
    pub(super) service: Service,
    outcome: Outcome,
    evidence: Vec<Evidence>,
    failure: Option<Failure>,
}

impl Conductor {
    /// A way back that an earlier process had begun is begun again.
    pub(super) fn take_up_way_back(&mut self) {
        let Some(open) = self.journal.state().restoring.clone() else { return };
        let Some(step) = open.because else { return };
        self.hand.halted.insert(step.service.clone());
        self.back.waiting.insert(step.service.clone(), step);
    }

    /// Whether the lane of a step that ended so goes back. Where it would and cannot, the failure says so.
    pub(super) fn goes_back(&mut self, id: &StepId, end: &mut StepEnd) -> bool {
        if end.outcome != Outcome::Failed || !self.changes_for_good(id) {
            return false;
        }
        let state = self.journal.state();
        let killed = RunState::cuts_off(end.outcome, &end.evidence, end.failure.as_ref());
        if !killed && !state.cut_off.contains(id) {
            return false;
        }
        let again = state.way_back.get(&(id.series.clone(), id.service.clone())).is_some_and(|times| *times > 0);
        let saved = self.saved(id).is_some() && self.points.is_some();
        if saved && !again && !self.hand.stopping {
            self.back.waiting.insert(id.service.clone(), id.clone());
            return true;
        }
        let Some(failure) = &mut end.failure else { return false };
        let unseen = end.evidence.iter().any(|piece| matches!(piece, Evidence::EndUnseen { .. }));
        let how = match (unseen, killed) {
            (true, _) => "nobody saw how its command ended",
            (false, true) => "its command was killed",
            (false, false) => "an earlier attempt was cut off",
        };
        failure.what = format!(
            "{}; {how}, and this engine cannot undo half of a schema migration: the schema may hold a part of one that its \
             heads do not show",
            failure.what
        );
        failure.advice = match (again, saved) {
            (true, _) => format!(
                "it died again after {} had been brought back once: find out why it dies, bring {} back with `leapfrog \
                 restore --to {} --service {}`, then run the same command again",
                id.service, id.service, id.series, id.service
            ),
            (false, true) => format!(
                "run the same command again; should it fail, bring {} back with `leapfrog restore --to {} --service {}`",
                id.service, id.series, id.service
            ),
            (false, false) => format!(
                "there is no restore point of {} before {}. Run the same command again; should it fail over something that \
                 is there already, bring {} back from a copy of your own first",
                id.service, id.series, id.service
            ),
        };
        false
    }

    /// Whether a step migrates a schema on an engine without transactional DDL.
    fn changes_for_good(&self, id: &StepId) -> bool {
        let step = self.plan.steps().find(|(.., step)| step.id == *id).map(|(.., step)| step);
        let Some(Action::Run(run)) = step.map(|step| &step.action) else { return false };
        let mut databases = run.schema.iter().flat_map(|schema| schema.databases.keys());
        databases.any(|database| self.connections.engine(database) == Some(Engine::Mysql))
    }

    /// The restore points of a step's lane, if there is one of each of its databases.
    fn saved(&self, id: &StepId) -> Option<Vec<SavedPoint>> {
        let hop = self.plan.hops.iter().find(|hop| hop.series == id.series)?;
        let lane: &Lane = hop.lanes.iter().find(|lane| lane.service == id.service)?;
        let state = self.journal.state();
        let taken = lane.steps.iter().filter(|step| step.saves().is_some() && state.is_done(&step.id));
        let points: Vec<SavedPoint> = taken.filter_map(|step| state.points.get(&step.id).cloned()).collect();
        (!points.is_empty() && points.len() == lane.standing.len()).then_some(points)
    }

    /// Sets a lane on its way of which nothing runs any more. One at a time: the journal knows one restore that is under
    /// way, so that a death in its middle leaves no doubt which databases stand nowhere.
    pub(super) fn go_back(
        &mut self,
        tell: &mpsc::Sender<StepMessage>,
        stop: &watch::Receiver<StopLevel>,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), ConductError> {
        let runs = |service: &Service| self.hand.running.iter().any(|step| step.service == *service);
        let open = self.journal.state().restoring.as_ref();
        // One that was cut off comes first.
        let first = |step: &&StepId| open.is_none_or(|open| open.services.contains(&step.service));
        let ready = self.back.waiting.values().filter(|step| !runs(&step.service)).find(first).cloned();
        if let Some(step) = ready.filter(|_| self.back.going.is_empty()) {
            self.back.waiting.remove(&step.service);
            let (Some(points), Some(keeper)) = (self.saved(&step), self.points.clone()) else { return Ok(()) };
            self.record(RecordBody::RestoreStarted {
                to: step.series.clone(),
                services: [step.service.clone()].into(),
                because: Some(step.clone()),
                host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
                pid: rustix::process::getpid().as_raw_nonzero().get().unsigned_abs(),
            })?;
            self.hand.running.insert(step.clone());
            self.back.going.insert(step.service.clone(), (step.clone(), Instant::now()));
            // Rows that were counted away come back.
            self.turns.remove(&(step.series.clone(), step.service.clone()));
            tasks.spawn(bring_back(step, points, keeper, stop.clone(), tell.clone()));
        }
        Ok(())
    }

    /// A lane is back, or is not.
    pub(super) fn hear_back(&mut self, end: BackEnd) -> Result<(), ConductError> {
        let BackEnd { service, outcome, evidence, failure } = end;
        let Some((step, began)) = self.back.going.remove(&service) else { return Ok(()) };
        self.hand.running.remove(&step);
        if outcome.is_complete() {
            self.hand.halted.remove(&service);
        } else {
            self.outcomes.push(outcome);
            self.failures.extend(failure.clone());
        }
        self.record(RecordBody::RestoreEnded {
            to: step.series,
            services: [service].into(),
            outcome,
            seconds: seconds(began.elapsed()),
            evidence,
            failure,
        })
    }
}

/// Brings the databases of a lane back, one after the other.
async fn bring_back(
    step: StepId,
    points: Vec<SavedPoint>,
    keeper: Arc<dyn RestorePoints>,
    mut stop: watch::Receiver<StopLevel>,
    tell: mpsc::Sender<StepMessage>,
) {
    let (said, mut heard) = mpsc::channel::<String>(16);
    let work = async {
        let said = said;
        let mut evidence = Vec::new();
        for point in &points {
            match keeper.bring_back(point, &said).await {
                Ok(piece) => evidence.push(piece),
                Err(failure) => return (Outcome::Failed, evidence, Some(failure)),
            }
        }
        (Outcome::Done, evidence, None)
    };
    let mut work = std::pin::pin!(work);
    let (outcome, evidence, failure) = loop {
        tokio::select! {
            ended = &mut work => break ended,
            Some(text) = heard.recv() => {
                let _ = tell.send(StepMessage::Line(step.clone(), Stream::Stdout, text)).await;
            }
            () = reached(&mut stop, StopLevel::Stop) => break (Outcome::Interrupted, Vec::new(), None),
        }
    };
    // The conductor is gone only if the run was abandoned.
    let _ = tell.send(StepMessage::Back(BackEnd { service: step.service, outcome, evidence, failure })).await;
}
