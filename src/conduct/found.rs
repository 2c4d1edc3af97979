//! Which tasks of an earlier process a step goes on watching: a pure function of what was found and the
//! folded journal.
//!
//! A command that runs is never launched a second time beside itself, whatever the journal says of it: a
//! process may have died, but also have lost sight of it and called the step failed. A command that ended
//! is taken up only if nobody recorded its end.

use std::collections::BTreeMap;

use crate::journal::{RunState, StepState};
use crate::model::StepId;
use crate::runner::{FoundState, FoundTask, TaskId};

/// What becomes of the tasks that were found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOver {
    /// By step, the task whose end decides over it.
    pub(super) unfinished: BTreeMap<StepId, FoundTask>,
    /// Tasks whose end is known, or whose command never began: to be removed.
    pub(super) over: Vec<FoundTask>,
}

/// Sorts out `tasks`.
pub(super) fn sort_out(mut tasks: Vec<FoundTask>, state: &RunState) -> LeftOver {
    // The last one launched for a step comes last: only that one can be unfinished.
    tasks.sort_by(|one, two| one.id.cmp(&two.id));
    let mut left = LeftOver::default();
    for task in tasks {
        let step = state.steps.get(&task.id.step).filter(|step| !step.is_complete());
        let unfinished = step.is_some_and(|step| match task.state {
            FoundState::NeverStarted => false,
            FoundState::Running => true,
            FoundState::Ended => step.outcome.is_none() && !is_judged(step, &task.id),
        });
        let over = if unfinished { left.unfinished.insert(task.id.step.clone(), task) } else { Some(task) };
        // A command that runs is never removed; nobody but its end decides over it.
        left.over.extend(over.filter(|task| task.state != FoundState::Running));
    }
    left
}

/// What [`sweep`] makes of the tasks of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Nobody needs them any more.
    pub finished: Vec<FoundTask>,
    /// They run, or the run's next process has to read how they ended.
    pub kept: Vec<FoundTask>,
}

/// Sorts the tasks of a run into those that may be removed and those that may not. `goes_on` says whether
/// the run is the one that the next process takes up.
pub fn sweep(tasks: Vec<FoundTask>, state: &RunState, goes_on: bool) -> Swept {
    if goes_on && !state.is_complete() {
        let all = tasks.clone();
        let LeftOver { over, .. } = sort_out(tasks, state);
        let kept = all.into_iter().filter(|task| !over.contains(task)).collect();
        return Swept { finished: over, kept };
    }
    let (kept, finished) = tasks.into_iter().partition(|task| task.state == FoundState::Running);
    Swept { finished, kept }
}

/// Whether the end of a task is in the journal.
fn is_judged(step: &StepState, task: &TaskId) -> bool {
    if task.attempt == step.attempt {
        task.round <= step.rounds
    } else {
        // An attempt that took up the task of an earlier one counts it as its own first round.
        !(step.adopted && step.rounds == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Outcome;
    use crate::runner::TaskHandle;

    fn task(attempt: u32, round: u32, state: FoundState) -> FoundTask {
        let step: StepId = "2024.1/nova/a".parse().expect("valid");
        let id = TaskId { run: "20261122-031502-7f3a".parse().expect("valid"), step, attempt, round };
        FoundTask { id, handle: TaskHandle(format!("{attempt}.{round}")), state }
    }

    fn step(attempt: u32, rounds: u32, outcome: Option<Outcome>, adopted: bool) -> RunState {
        let began = jiff::Timestamp::UNIX_EPOCH;
        let step = StepState {
            attempt,
            rounds,
            outcome,
            rows: 0,
            began,
            seconds: 0.0,
            process: 1,
            adopted,
            never_began: false,
            resolved: false,
        };
        RunState { steps: [("2024.1/nova/a".parse().expect("valid"), step)].into(), ..RunState::default() }
    }

    /// The handle of the task that is taken up, and those of the ones that are removed.
    fn sorted(tasks: Vec<FoundTask>, state: &RunState) -> (Option<String>, Vec<String>) {
        let left = sort_out(tasks, state);
        let unfinished = left.unfinished.into_values().next().map(|task| task.handle.0);
        (unfinished, left.over.into_iter().map(|task| task.handle.0).collect())
    }

    use FoundState::{Ended, NeverStarted, Running};

    #[test]
    fn a_sweep_leaves_what_runs_and_what_the_next_process_has_to_read() {
        let tasks = || vec![task(1, 1, Ended), task(1, 2, Ended), task(2, 1, Running), task(2, 2, NeverStarted)];
        let handles = |tasks: &[FoundTask]| tasks.iter().map(|task| task.handle.0.clone()).collect::<Vec<_>>();
        let open = sweep(tasks()[..2].to_vec(), &step(1, 1, None, false), true);
        assert_eq!((handles(&open.finished), handles(&open.kept)), (vec!["1.1".into()], vec!["1.2".into()]));
        let aside = sweep(tasks(), &step(2, 0, None, false), false);
        assert_eq!(handles(&aside.kept), ["2.1"], "what runs is never removed");
        assert_eq!(handles(&aside.finished), ["1.1", "1.2", "2.2"]);
    }

    #[test]
    fn the_round_without_a_record_is_taken_up_and_the_ones_before_are_removed() {
        let tasks = vec![task(1, 2, Ended), task(1, 1, Ended)];
        assert_eq!(sorted(tasks, &step(1, 1, None, false)), (Some("1.2".into()), vec!["1.1".into()]));
        assert_eq!(sorted(vec![task(1, 1, NeverStarted)], &step(1, 0, None, false)), (None, vec!["1.1".into()]));
    }

    #[test]
    fn a_command_that_was_taken_up_once_is_taken_up_again() {
        for state in [Running, Ended] {
            assert_eq!(sorted(vec![task(1, 1, state)], &step(2, 0, None, true)), (Some("1.1".into()), vec![]));
        }
        let judged = step(2, 1, None, true);
        assert_eq!(
            sorted(vec![task(1, 1, Ended), task(2, 2, Running)], &judged),
            (Some("2.2".into()), vec!["1.1".into()])
        );
    }

    #[test]
    fn a_command_that_runs_though_its_step_was_called_failed_is_taken_up() {
        let failed = step(1, 0, Some(Outcome::Failed), false);
        assert_eq!(sorted(vec![task(1, 1, Running)], &failed), (Some("1.1".into()), vec![]));
        assert_eq!(sorted(vec![task(1, 1, Ended)], &failed), (None, vec!["1.1".into()]));
    }

    #[test]
    fn a_task_of_a_step_that_is_done_or_unknown_is_removed_unless_it_runs() {
        let done = step(1, 0, Some(Outcome::Done), false);
        assert_eq!(sorted(vec![task(1, 1, Ended)], &done), (None, vec!["1.1".into()]));
        assert_eq!(sorted(vec![task(1, 1, Running)], &done), (None, vec![]));
        assert_eq!(sorted(vec![task(1, 1, Ended)], &RunState::default()), (None, vec!["1.1".into()]));
    }
}
