//! A restore point of a database.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Performance, StepEnd, StepMessage, reached};
use crate::conduct::{StopLevel, failure};
use crate::journal::{Evidence, Outcome};
use crate::model::Stream;
use crate::plan::SavedDatabase;

impl Performance {
    /// Takes the restore point; told to stop, it leaves none.
    pub(super) async fn save(&mut self, saved: &SavedDatabase) -> StepEnd {
        let Some(points) = self.points.clone() else {
            let what = format!("the plan asks for a restore point of {} and nothing here takes any", saved.database);
            let advice = "report this as a mistake in leapfrog".to_owned();
            return StepEnd::failed(Outcome::Failed, failure(what, advice));
        };
        let (said, mut heard) = mpsc::channel::<String>(16);
        let (step, attempt) = (self.step.id.clone(), self.attempt);
        let order = saved.clone();
        let mut saving = std::pin::pin!({
            let points = Arc::clone(&points);
            let step = step.clone();
            async move { points.save(&step, attempt, &order, &said).await }
        });
        let end = loop {
            tokio::select! {
                ended = &mut saving => break ended,
                Some(text) = heard.recv() => {
                    let _ = self.tell.send(StepMessage::Line(step.clone(), Stream::Stdout, text)).await;
                }
                () = reached(&mut self.stop, StopLevel::Stop) => return StepEnd::interrupted(),
            }
        };
        match end {
            Ok(point) => {
                let evidence = vec![Evidence::RestorePoint(Box::new(point))];
                StepEnd::ended(Outcome::Done, evidence)
            }
            Err(mut failure) => {
                failure.what = self.redactor.redact(failure.what);
                StepEnd::failed(Outcome::Failed, failure)
            }
        }
    }
}
