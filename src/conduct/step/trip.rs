//! Rows that are touched so that row triggers work on them.

use tokio::sync::{mpsc, watch};

use super::{Course, Performance, StepEnd, StepMessage, reached};
use crate::conduct::trips::{Touched, TripNews};
use crate::conduct::{StopLevel, failure};
use crate::journal::{Evidence, Outcome};
use crate::model::Stream;
use crate::plan::Touching;

impl Performance {
    /// Touches every row, from where the database says that an earlier attempt ended. Told to stop, it ends after the batch
    /// at hand.
    pub(super) async fn trip(&mut self, touching: &Touching) -> StepEnd {
        let Some(toucher) = self.toucher.clone() else {
            let what = format!("the plan has rows of {} touched and nothing here does it", touching.database);
            return StepEnd::failed(Outcome::Failed, failure(what, "report this as a mistake in leapfrog".to_owned()));
        };
        let Some(_place) = self.place().await else { return StepEnd::interrupted().before_it_began() };
        let settled = match &touching.settled {
            None => false,
            Some(heads) => match self.reader.heads(&touching.database).await {
                Ok(found) => found.stand_at(heads),
                Err(unreachable) => {
                    let what = format!("{} cannot be read: {}", touching.database, unreachable.reason);
                    return StepEnd::failed(Outcome::Failed, failure(what, unreachable.advice));
                }
            },
        };
        let (halt, halted) = watch::channel(false);
        let (said, mut heard) = mpsc::unbounded_channel();
        let (mut drain, mut stop) = (self.stop.clone(), self.stop.clone());
        let mut moved = 0;
        let ended = {
            let mut working = std::pin::pin!(toucher.touch(touching, settled, halted, &said));
            loop {
                tokio::select! {
                    ended = &mut working => break Some(ended),
                    Some(news) = heard.recv() => self.hear(news, &mut moved).await,
                    () = reached(&mut drain, StopLevel::Drain), if !*halt.borrow() => drop(halt.send_replace(true)),
                    () = reached(&mut stop, StopLevel::Stop) => break None,
                }
            }
        };
        while let Ok(news) = heard.try_recv() {
            self.hear(news, &mut moved).await;
        }
        match ended {
            Some(touched) => self.judge_touched(touching, settled, touched),
            // Its batch is undone; what was touched before it counts.
            None => StepEnd { rows: Some(moved), ..StepEnd::interrupted() },
        }
    }

    fn judge_touched(&self, touching: &Touching, settled: bool, touched: Touched) -> StepEnd {
        let Touched { mut outcome, rows, mut evidence, failure } = touched;
        let idle = evidence.iter().all(|piece| matches!(piece, Evidence::Untriggered { .. }));
        if let (true, Outcome::Done, Some(heads)) = (settled && idle, outcome, &touching.settled) {
            outcome = Outcome::Skipped;
            evidence.push(Evidence::Heads { database: touching.database.clone(), heads: heads.clone() });
        }
        let failure = failure.map(|mut failure| {
            failure.what = self.redactor.redact(failure.what);
            failure
        });
        StepEnd { rows: Some(rows), failure, ..StepEnd::ended(outcome, evidence) }
    }

    /// Passes on what is told. `moved` becomes how many rows the attempt has touched.
    async fn hear(&self, news: TripNews, moved: &mut u64) {
        let step = self.step.id.clone();
        match news {
            TripNews::Said(text) => {
                let text = self.redactor.redact(text);
                let _ = self.tell.send(StepMessage::Line(step, Stream::Stdout, text)).await;
            }
            TripNews::Rows { walk, moved: rows, total, rate } => {
                *moved = rows;
                let course = Course { round: walk, moved: rows, total: Some(total.max(rows)), rate };
                // Progress may be lost; it must not wait behind lines of output.
                let _ = self.tell.try_send(StepMessage::Rows { step, course });
            }
        }
    }
}
