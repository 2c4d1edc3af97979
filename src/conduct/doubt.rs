//! Steps in doubt: they began in an earlier process, and nobody recorded how they ended.
//!
//! What is left of their tasks is found and taken up, or removed (`found` sorts it out); a step that must not be run
//! twice begins again only where something shows that it changed nothing.

use super::conductor::{ConductError, Conductor};
use super::found::{LeftOver, sort_out};
use crate::journal::Failure;
use crate::model::Effect;
use crate::plan::Step;
use crate::runner::{FoundState, FoundTask};

impl Conductor {
    /// Looks for tasks of an earlier process, so that their steps watch them instead of launching.
    pub(super) async fn find_left_over(&mut self) -> Result<(), ConductError> {
        if self.journal.state().steps.is_empty() {
            return Ok(());
        }
        let tasks = self.runner.find(&self.run).await.map_err(ConductError::Find)?;
        let LeftOver { unfinished, over } = sort_out(tasks, self.journal.state());
        self.hand.found = unfinished;
        for task in over {
            if self.proves_that_it_never_began(&task) {
                // Only a task that is gone cannot be started any more.
                if self.runner.reap(&task.handle).await.is_ok() {
                    self.never_began.insert(task.id.step);
                }
            } else {
                self.reap_later(task.handle);
            }
        }
        Ok(())
    }

    /// Whether the task shows that the last attempt of a step that must not be run twice changed nothing.
    fn proves_that_it_never_began(&self, task: &FoundTask) -> bool {
        let state = self.journal.state().steps.get(&task.id.step);
        let last = state.is_some_and(|state| state.may_have_worked() && state.attempt == task.id.attempt);
        let once = |step: &Step| step.id == task.id.step && step.effect == Effect::Once;
        last && task.state == FoundState::NeverStarted && self.plan.steps().any(|(_, _, step)| once(step))
    }

    /// Why the step must not begin again, where that is so: it must not be run twice, it began, and nothing
    /// shows that it changed nothing.
    pub(super) fn forbids(&self, step: &Step) -> Option<Failure> {
        let state = self.journal.state().steps.get(&step.id)?;
        let decided = self.hand.found.contains_key(&step.id) || self.never_began.contains(&step.id);
        if step.effect != Effect::Once || !state.may_have_worked() || decided {
            return None;
        }
        let how = match state.outcome {
            None => "nobody saw how it ended",
            Some(_) => "it did not end well",
        };
        let id = &step.id;
        Some(Failure {
            what: format!("step {id} must not be run twice, and {how}"),
            command: step.action.command(self.settings.batch),
            exit: None,
            last_lines: Vec::new(),
            log: Some(format!("logs/{}/{}", id.series, id.service)),
            migration: None,
            advice: format!(
                "find out from its log and from the database whether it was complete. If it was: `leapfrog resolve {id} \
                 --as done`; if not, undo what it did, then `leapfrog resolve {id} --as failed`, which lets it be run \
                 again. Then run the same command again"
            ),
        })
    }
}
