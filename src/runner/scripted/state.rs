//! What the engine knows: tasks as they play, and what was asked of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::script::{Ending, Script};
use super::{Call, DeathPoint, Deed, DeedEnd};
use crate::model::ImageReference;
use crate::runner::{FoundState, Task, TaskHandle, TaskId};

/// What a launched task does, if that is to be decided now.
type Deciding = dyn Fn(&Task) -> Option<Script> + Send + Sync;

/// Decides what a launched task does.
#[derive(Clone)]
pub(super) struct Play(pub(super) Arc<Deciding>);

impl fmt::Debug for Play {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Play")
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) scripts: BTreeMap<String, Vec<Script>>,
    pub(super) launches: BTreeMap<String, usize>,
    /// Decides what a launch does before any written script.
    pub(super) play: Option<Play>,
    pub(super) calls: Vec<Call>,
    pub(super) tasks: BTreeMap<String, Played>,
    /// Everything that was ever created, removed or not, in order.
    pub(super) past: Vec<Played>,
    pub(super) number: usize,
    pub(super) most_at_once: usize,
    pub(super) here: BTreeSet<ImageReference>,
    pub(super) lacking: BTreeMap<ImageReference, BTreeSet<String>>,
    pub(super) holding: BTreeMap<ImageReference, BTreeMap<String, String>>,
    pub(super) missing: BTreeSet<ImageReference>,
    pub(super) away: bool,
    pub(super) registry_away: bool,
    /// How many launches, stops and removals this process asked for.
    pub(super) acts: usize,
    /// At which of them it dies, and when.
    pub(super) deadly: Option<(usize, DeathPoint)>,
    pub(super) dead: watch::Sender<bool>,
}

#[derive(Debug, Clone)]
pub(super) struct Played {
    pub(super) id: TaskId,
    pub(super) script: Script,
    pub(super) began: Option<Instant>,
    /// When and how the task is ended from outside.
    pub(super) stopped: watch::Sender<Option<(Instant, i64)>>,
}

impl Played {
    pub(super) fn new(id: TaskId, script: Script, began: Option<Instant>) -> Self {
        Self { id, script, began, stopped: watch::Sender::new(None) }
    }

    pub(super) fn state(&self) -> FoundState {
        let Some(began) = self.began else { return FoundState::NeverStarted };
        let now = Instant::now();
        let stopped = self.stopped.borrow().is_some_and(|(when, _)| when <= now);
        let over = !matches!(self.script.end, Ending::Never) && began + self.script.length() <= now;
        if stopped || over { FoundState::Ended } else { FoundState::Running }
    }

    /// What its command did.
    pub(super) fn deed(&self) -> Deed {
        let end = match (self.began, self.state()) {
            (None, _) => DeedEnd::NeverBegan,
            (Some(_), FoundState::Running | FoundState::NeverStarted) => DeedEnd::Works,
            (Some(began), FoundState::Ended) => {
                let own = !matches!(self.script.end, Ending::Never);
                let cut = self.stopped.borrow().is_some_and(|(when, _)| !own || when < began + self.script.length());
                if cut { DeedEnd::Cut } else { DeedEnd::Whole }
            }
        };
        Deed { id: self.id.clone(), end, idle: self.script.idle }
    }
}

impl State {
    pub(super) fn add(&mut self, task: Played) -> TaskHandle {
        self.number += 1;
        let handle = format!("scripted-{}", self.number);
        self.past.push(task.clone());
        self.tasks.insert(handle.clone(), task);
        let running = self.tasks.values().filter(|task| task.state() == FoundState::Running).count();
        self.most_at_once = self.most_at_once.max(running);
        TaskHandle(handle)
    }

    /// Whether this act is the one that the process dies at, and when.
    pub(super) fn act(&mut self) -> Option<DeathPoint> {
        self.acts += 1;
        self.deadly.filter(|(act, _)| *act == self.acts).map(|(_, point)| point)
    }

    pub(super) fn next_script(&mut self, step: &str) -> Script {
        let launches = self.launches.entry(step.to_owned()).or_default();
        let number = *launches;
        *launches += 1;
        let scripts = self.scripts.get(step).map(Vec::as_slice).unwrap_or_default();
        scripts.get(number).or(scripts.last()).cloned().unwrap_or_else(|| Script::ends(0))
    }
}
