//! Asking a release's own checks outside any run: the step as a leap takes it, without a journal.

use std::sync::Arc;
use std::time::Duration;

use camino::Utf8PathBuf;
use tokio::sync::{Semaphore, mpsc, watch};

use super::step::{Performance, StepMessage};
use super::{Connections, DatabaseReader, StopLevel};
use crate::journal::{Evidence, Failure, Outcome};
use crate::model::RunId;
use crate::plan::Step;
use crate::runner::{PinnedImage, Runner};

/// Who is asked, and with what.
#[derive(Clone)]
pub struct Questioner {
    /// What tells this question's containers from those of runs.
    pub run: RunId,
    /// Who executes.
    pub runner: Arc<dyn Runner>,
    /// Who reads the databases.
    pub reader: Arc<dyn DatabaseReader>,
    /// Where the databases are.
    pub connections: Arc<Connections>,
    /// Where the output of the commands is kept; they are run all the same where it cannot be written.
    pub directory: Utf8PathBuf,
    /// How long a stopped command may take to end by itself.
    pub grace: Duration,
    /// How far the operator wants it to be stopped.
    pub stop: watch::Receiver<StopLevel>,
}

/// How a step ended that was taken outside any run.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// In a word.
    pub outcome: Outcome,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// What is wrong.
    pub failure: Option<Failure>,
}

impl Questioner {
    /// Takes a step that changes nothing, and removes its container.
    pub async fn ask(&self, step: Step, image: PinnedImage) -> Asked {
        let (tell, mut told) = mpsc::channel(64);
        let performance = Performance {
            run: self.run.clone(),
            step,
            attempt: 1,
            image,
            runner: Arc::clone(&self.runner),
            reader: Arc::clone(&self.reader),
            points: None,
            toucher: None,
            connections: Arc::clone(&self.connections),
            redactor: Arc::new(self.connections.redactor()),
            adopt: None,
            inherited: None,
            batch: None,
            round: Duration::MAX,
            directory: self.directory.clone(),
            grace: self.grace,
            // Nobody looks at a screen meanwhile.
            stall: Duration::MAX,
            stop: self.stop.clone(),
            turns: Default::default(),
            places: Arc::new(Semaphore::new(1)),
            tell,
        };
        let performing = performance.perform();
        let listening = async {
            let mut ended = None;
            while let Some(message) = told.recv().await {
                if let StepMessage::Ended { end, handle, .. } = message {
                    ended = Some((end, handle));
                }
            }
            ended
        };
        let ((), ended) = tokio::join!(performing, listening);
        let Some((end, handle)) = ended else {
            return Asked { outcome: Outcome::Interrupted, evidence: Vec::new(), failure: None };
        };
        if let Some(handle) = handle {
            // A container that is left over is named after this question and harms nobody.
            let _ = self.runner.reap(&handle).await;
        }
        Asked { outcome: end.outcome, evidence: end.evidence, failure: end.failure }
    }
}
