//! The one loop that owns journal, events and cancellation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::back::Backwards;
use super::images::ImageInspector;
use super::patience::{Patience, Patient};
use super::schedule::{InHand, Next, next};
use super::sink::EventSink;
use super::step::{Course, Performance, Places, StepMessage, Turns};
use super::{Connections, DatabaseReader, Fence, RestorePoints, Signal, StopLevel, Toucher};
use crate::journal::{Event, Failure, JournalError, Outcome, Progress, RecordBody, RecordLog};
use crate::model::{Effect, ImageReference, RunId, Series, Service, StepId};
use crate::plan::{Lane, Plan, Step};
use crate::runner::{PinnedImage, Runner, RunnerError, TaskHandle};

/// How a run is to be conducted.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The most steps that run side by side.
    pub jobs: usize,
    /// The most rows of a round, where the operator says so.
    pub batch: Option<u64>,
    /// How long a round should take, where nobody says how many rows it may move.
    pub round: Duration,
    /// How long a stopped command may take to end by itself.
    pub grace: Duration,
    /// After how much silence of a command that is said.
    pub stall: Duration,
    /// How long an engine or a registry may be away until what needs it fails.
    pub outage: Duration,
    /// The run's directory.
    pub directory: Utf8PathBuf,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion {
    /// In a word.
    pub outcome: Outcome,
    /// Whether commands were left running, to be found again.
    pub abandoned: bool,
}

/// Why a run could not be conducted to an orderly end.
#[derive(Debug, thiserror::Error)]
pub enum ConductError {
    /// The journal refused a record.
    #[error("failed to keep the journal")]
    Journal(#[from] JournalError),
    /// The tasks of the interrupted process could not be looked for.
    #[error("failed to look for commands of an earlier process: {}", .0.advice)]
    Find(#[source] RunnerError),
}

/// Carries out a plan.
pub struct Conductor {
    pub(super) plan: Arc<Plan>,
    pub(super) run: RunId,
    pub(super) journal: Box<dyn RecordLog>,
    pub(super) runner: Arc<dyn Runner>,
    reader: Arc<dyn DatabaseReader>,
    pub(super) connections: Arc<Connections>,
    pub(super) images: BTreeMap<ImageReference, PinnedImage>,
    pub(super) settings: Settings,
    pub(super) events: EventSink,
    pub(super) hand: InHand,
    /// Steps whose task of the last attempt was created and never started, and is gone now.
    pub(super) never_began: BTreeSet<StepId>,
    /// What the rounds of each lane share.
    pub(super) turns: BTreeMap<(Series, Service), Arc<Turns>>,
    places: Places,
    /// When the steps that run began.
    began: BTreeMap<StepId, (Instant, u32)>,
    pub(super) fetching: BTreeSet<ImageReference>,
    pub(super) inspector: Option<Arc<dyn ImageInspector>>,
    /// Downloads end with the run.
    pub(super) downloads: JoinSet<()>,
    /// Removals of finished containers; a run waits for them.
    reaping: JoinSet<()>,
    /// What keeps lanes from going on, besides steps.
    pub(super) failures: Vec<Failure>,
    pub(super) outcomes: Vec<Outcome>,
    /// Looked at before each hop, where there is one.
    fence: Option<Arc<dyn Fence>>,
    /// How often each step's command ended in this process without anybody seeing how.
    pub(super) unseen: BTreeMap<StepId, u32>,
    /// Lanes that go back to their restore points.
    pub(super) back: Backwards,
    /// Who takes restore points, where the plan has any.
    pub(super) points: Option<Arc<dyn RestorePoints>>,
    /// Who touches rows, where the plan has any touched.
    pub(super) toucher: Option<Arc<dyn Toucher>>,
}

/// What a download told the conductor.
pub(super) type Fetched = (ImageReference, Result<bool, Failure>);

impl Conductor {
    /// A conductor for `plan`. `images` are the plan's images as they were pinned; `ready` those that
    /// are here and were looked at; the rest is fetched while the hop before works.
    #[expect(clippy::too_many_arguments, reason = "each is another party of a run; a builder would only rename them")]
    pub fn new(
        plan: Arc<Plan>,
        run: RunId,
        journal: impl RecordLog + 'static,
        runner: Arc<dyn Runner>,
        reader: Arc<dyn DatabaseReader>,
        connections: Connections,
        images: BTreeMap<ImageReference, PinnedImage>,
        ready: BTreeSet<ImageReference>,
        settings: Settings,
        events: EventSink,
    ) -> Self {
        let places = Arc::new(Semaphore::new(settings.jobs.max(1)));
        Self {
            plan,
            run,
            journal: Box::new(journal),
            runner,
            reader,
            connections: Arc::new(connections),
            images,
            settings,
            events,
            hand: InHand { ready, ..InHand::default() },
            never_began: BTreeSet::new(),
            turns: BTreeMap::new(),
            places,
            began: BTreeMap::new(),
            fetching: BTreeSet::new(),
            inspector: None,
            downloads: JoinSet::new(),
            reaping: JoinSet::new(),
            failures: Vec::new(),
            outcomes: Vec::new(),
            fence: None,
            unseen: BTreeMap::new(),
            back: Backwards::default(),
            points: None,
            toucher: None,
        }
    }

    /// Lets `inspector` look into images that arrive while the hop before theirs works.
    #[must_use]
    pub fn inspecting(self, inspector: Option<Arc<dyn ImageInspector>>) -> Self {
        Self { inspector, ..self }
    }

    /// Has every hop begin only while `fence` holds.
    #[must_use]
    pub fn behind(mut self, fence: Arc<dyn Fence>) -> Self {
        self.fence = Some(fence);
        self
    }

    /// Lets `points` take the plan's restore points.
    #[must_use]
    pub fn saving(mut self, points: Arc<dyn RestorePoints>) -> Self {
        self.points = Some(points);
        self
    }

    /// Carries out the plan to its end, or as far as it goes. `signals` are the operator's.
    ///
    /// # Errors
    /// The journal cannot be written, or the runner cannot say what is left of an earlier process.
    pub async fn conduct(mut self, mut signals: mpsc::UnboundedReceiver<Signal>) -> Result<Conclusion, ConductError> {
        let (tell, mut told) = mpsc::channel::<StepMessage>(1024);
        let (fetched_sender, mut fetched) = mpsc::unbounded_channel::<Fetched>();
        let (stop_sender, stop) = watch::channel(StopLevel::None);
        let redactor = Arc::new(self.connections.redactor());
        let mut tasks = JoinSet::new();
        self.find_left_over().await?;
        self.take_up_way_back();
        self.miss_unpinned();
        let patience = Patience { outage: self.settings.outage, stop: stop.clone(), events: self.events.quietly() };
        self.runner = Arc::new(Patient::new(Arc::clone(&self.runner), patience));
        let mut look = true;
        loop {
            self.go_back(&tell, &stop, &mut tasks)?;
            // Everything that may begin now.
            let outcome = loop {
                if !look {
                    break None;
                }
                let plan = Arc::clone(&self.plan);
                match next(&plan, self.journal.state(), &self.hand, self.settings.jobs) {
                    Next::BeginHop(hop) => {
                        if let Some(failure) = self.broken_fence().await {
                            self.failures.push(failure);
                            break Some(Outcome::Failed);
                        }
                        self.record(RecordBody::HopStarted { series: hop.series.clone() })?;
                    }
                    Next::EndHop(series) => self.record(RecordBody::HopEnded { series: series.clone() })?,
                    Next::Begin(steps) => {
                        for (lane, step) in steps {
                            if let Some(failure) = self.forbids(step) {
                                self.hand.halted.insert(lane.service.clone());
                                self.failures.push(failure);
                                continue;
                            }
                            let performance = self.begin(lane, step, &redactor, &stop, &tell)?;
                            tasks.spawn(performance.perform());
                        }
                    }
                    Next::Wait => {
                        self.fetch_ahead(&fetched_sender);
                        break None;
                    }
                    Next::Finish => break Some(Outcome::Done),
                    Next::Halt => break Some(self.halted()),
                }
            };
            if let Some(outcome) = outcome {
                let failure = self.failures.first().cloned().filter(|_| outcome == Outcome::Failed);
                self.record(RecordBody::RunEnded { outcome, failure })?;
                while self.reaping.join_next().await.is_some() {}
                return Ok(Conclusion { outcome, abandoned: false });
            }
            look = true;
            tokio::select! {
                message = told.recv() => if let Some(message) = message {
                    // Of every line that commands print nothing can follow.
                    look = !matches!(message, StepMessage::Line(..) | StepMessage::Rows { .. });
                    self.hear(message)?;
                },
                joined = tasks.join_next(), if !tasks.is_empty() => if let Some(Err(error)) = joined
                    && error.is_panic()
                {
                    // Its step would never end. As after any other death, it stays in doubt.
                    std::panic::resume_unwind(error.into_panic());
                },
                Some((image, result)) = fetched.recv() => self.hear_fetched(image, result),
                Some(signal) = signals.recv() => {
                    let level = stop.borrow().after(&signal);
                    self.hand.stopping = true;
                    if let Signal::LockLost { text } = signal {
                        self.lose_lock(text);
                    }
                    self.say(Progress::Stopping { text: level.explain().to_owned() });
                    if level == StopLevel::Abandon {
                        // No record: the steps stay in doubt, as they are.
                        tasks.detach_all();
                        return Ok(Conclusion { outcome: Outcome::Interrupted, abandoned: true });
                    }
                    stop_sender.send_replace(level);
                }
            }
        }
    }

    /// Why no hop may begin, where somebody else is connected to the databases.
    async fn broken_fence(&self) -> Option<Failure> {
        match &self.fence {
            Some(fence) => fence.broken().await,
            None => None,
        }
    }

    /// The run is not the only writer any more, which ends it.
    fn lose_lock(&mut self, text: String) {
        let advice = "find out what ended leapfrog's session on that server (a restart, a failover, a time limit, an \
                      operator). A server that went away is waited for, and the run goes on by itself; else make sure \
                      that no other leapfrog works on this cloud, then run the same command again";
        self.outcomes.push(Outcome::Failed);
        self.failures.push(failure(text, advice.to_owned()));
    }

    /// Records that a step begins and returns its task.
    fn begin(
        &mut self,
        lane: &Lane,
        step: &Step,
        redactor: &Arc<super::Redactor>,
        stop: &watch::Receiver<StopLevel>,
        tell: &mpsc::Sender<StepMessage>,
    ) -> Result<Performance, ConductError> {
        let attempt = self.journal.state().steps.get(&step.id).map_or(0, |state| state.attempt) + 1;
        // A command that only reads is simply run again.
        let mut adopt = self.hand.found.remove(&step.id);
        if step.effect == Effect::ReadOnly
            && let Some(old) = adopt.take()
        {
            self.stop_later(old.handle);
        }
        self.record(RecordBody::StepStarted {
            step: step.id.clone(),
            attempt,
            command: step.action.command(self.settings.batch),
            adopted: adopt.is_some(),
        })?;
        self.hand.running.insert(step.id.clone());
        self.began.insert(step.id.clone(), (Instant::now(), attempt));
        let hop_and_lane = (step.id.series.clone(), lane.service.clone());
        let turns = self.turns.entry(hop_and_lane).or_insert_with(|| Arc::new(Turns::of(lane)));
        Ok(Performance {
            run: self.run.clone(),
            step: step.clone(),
            attempt,
            image: self.images[lane.image_of(step)].clone(),
            runner: Arc::clone(&self.runner),
            reader: Arc::clone(&self.reader),
            points: self.points.clone(),
            toucher: self.toucher.clone(),
            connections: Arc::clone(&self.connections),
            redactor: Arc::clone(redactor),
            turns: Arc::clone(turns),
            places: Arc::clone(&self.places),
            inherited: adopt.as_ref().and_then(|_| turns.inherit()),
            adopt,
            batch: self.settings.batch,
            round: self.settings.round,
            directory: self.settings.directory.clone(),
            grace: self.settings.grace,
            stall: self.settings.stall,
            stop: stop.clone(),
            tell: tell.clone(),
        })
    }

    fn hear(&mut self, message: StepMessage) -> Result<(), ConductError> {
        match message {
            StepMessage::Line(step, stream, text) => self.events.send(Event::Output { step, stream, text }),
            StepMessage::Rows { step, course } => self.course(step, course),
            StepMessage::Waits { step, waits: true } => drop(self.hand.waiting.insert(step)),
            StepMessage::Waits { step, waits: false } => drop(self.hand.waiting.remove(&step)),
            StepMessage::Round { step, round, course, took, handle } => {
                let Some((_, attempt)) = self.began.get(&step).copied() else { return Ok(()) };
                self.record(RecordBody::RoundEnded {
                    step: step.clone(),
                    attempt,
                    round: round.number,
                    exit: round.exit,
                    verdict: round.verdict,
                    count: round.count,
                    counts: round.counts.unwrap_or_default(),
                    seconds: seconds(took),
                })?;
                self.course(step, course);
                self.reap_later(handle);
            }
            StepMessage::Back(end) => self.hear_back(end)?,
            StepMessage::Ended { step, mut end, handle } => {
                let Some((began, attempt)) = self.began.remove(&step) else { return Ok(()) };
                self.hand.running.remove(&step);
                self.hand.waiting.remove(&step);
                if !end.outcome.is_complete() {
                    let back = self.goes_back(&step, &mut end);
                    if back || !self.begins_again(&step, &mut end) {
                        self.hand.halted.insert(step.service.clone());
                        self.outcomes.extend((!back).then_some(end.outcome));
                    }
                }
                self.record(RecordBody::StepEnded {
                    step,
                    attempt,
                    outcome: end.outcome,
                    seconds: seconds(began.elapsed()),
                    rows: end.rows,
                    evidence: end.evidence,
                    failure: end.failure,
                    never_began: end.never_began,
                })?;
                if let Some(handle) = handle {
                    self.reap_later(handle);
                }
            }
        }
        Ok(())
    }

    /// Shows how far a data migration is.
    fn course(&self, step: StepId, Course { round, moved, total, rate }: Course) {
        self.say(Progress::Rows { step, round, moved, total, rate });
    }

    /// Removes what is left of a task whose end is in the journal.
    pub(super) fn reap_later(&mut self, handle: TaskHandle) {
        let runner = Arc::clone(&self.runner);
        let events = self.events.clone();
        self.reaping.spawn(async move {
            if let Err(error) = runner.reap(&handle).await {
                let text = format!("a finished {} is left over: {error}", runner.noun());
                events.send(Event::Progress(Progress::Notice { text }));
            }
        });
    }

    /// Ends a command that nobody waits for, and removes what is left of it.
    fn stop_later(&mut self, handle: TaskHandle) {
        let (runner, grace) = (Arc::clone(&self.runner), self.settings.grace);
        self.reaping.spawn(async move {
            // What cannot be stopped now is found again by the next process.
            if runner.stop(&handle, grace).await.is_ok() {
                let _ = runner.reap(&handle).await;
            }
        });
    }

    /// How a run ended that cannot go on: the gravest of what happened.
    fn halted(&self) -> Outcome {
        let has = |outcome| self.outcomes.contains(&outcome);
        if has(Outcome::Failed) {
            Outcome::Failed
        } else if has(Outcome::Stuck) {
            Outcome::Stuck
        } else if self.hand.stopping {
            Outcome::Interrupted
        } else {
            Outcome::Failed
        }
    }

    /// Makes a record durable, then shows it.
    pub(super) fn record(&mut self, body: RecordBody) -> Result<(), ConductError> {
        let record = self.journal.append(Timestamp::now(), body)?;
        self.events.send(Event::Record(record));
        Ok(())
    }

    pub(super) fn say(&self, progress: Progress) {
        self.events.send(Event::Progress(progress));
    }
}

/// What went wrong outside any step.
pub fn failure(what: String, advice: String) -> Failure {
    Failure { what, command: None, exit: None, last_lines: Vec::new(), log: None, migration: None, advice }
}

/// Seconds, to the millisecond.
pub(super) fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
