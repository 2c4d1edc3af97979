//! A command that is run once.

use super::command::Finished;
use super::{Performance, StepEnd};
use crate::conduct::listen::Listener;
use crate::journal::{Evidence, Outcome};
use crate::model::Verdict;
use crate::plan::CommandRun;
use crate::runner::TaskHandle;

impl Performance {
    /// Runs the command and judges how it ended.
    pub(super) async fn run_once(&mut self, run: &CommandRun) -> (StepEnd, Option<TaskHandle>) {
        let words = run.command.words(None);
        let listener = Listener::new(&run.failure_texts, None);
        match self.command(1, words, &run.configuration, listener).await {
            Ok(finished) => {
                let verdict = run.exits.verdict(finished.exit.code);
                (self.judge_run(&finished, verdict), Some(finished.handle))
            }
            Err(unseen) => (self.unseen(unseen), None),
        }
    }

    fn judge_run(&self, finished: &Finished, verdict: Verdict) -> StepEnd {
        let code = finished.exit.code;
        let evidence = vec![Evidence::Exit { code, verdict }];
        let well = matches!(verdict, Verdict::Done | Verdict::Warning);
        if let Some(alarm) = finished.alarm.as_ref().filter(|_| well || !finished.stopped) {
            let what = format!("the output says that it failed, whatever its exit code {code} says: {alarm}");
            return StepEnd::failed(Outcome::Failed, self.failure(finished, what, None));
        }
        if well {
            return StepEnd { outcome: Outcome::Done, rows: None, evidence, failure: None };
        }
        if finished.stopped {
            return StepEnd::interrupted();
        }
        let what = if finished.exit.out_of_memory {
            format!("the kernel ended the command for want of memory (exit code {code})")
        } else {
            format!("the command failed with exit code {code}")
        };
        StepEnd::failed(Outcome::Failed, self.failure(finished, what, None))
    }
}
