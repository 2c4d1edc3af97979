//! Who tells an operator what happens in a run.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::arguments::Output;
use super::look::Show;
use crate::journal::{Event, Record};
use crate::plan::Plan;
use crate::report::{JsonLinesReporter, PlainReporter, Reporter, Reporters, TerminalReporter};

/// What shows a run in the form that was asked for.
pub(super) fn reporter(
    plan: &Arc<Plan>,
    history: &[Record],
    directory: &camino::Utf8Path,
    show: &Show,
) -> Box<dyn Reporter> {
    let directory = directory.to_owned();
    let mut reporters: Vec<Box<dyn Reporter>> = Vec::new();
    if show.output == Output::Jsonl {
        reporters.push(Box::new(JsonLinesReporter::new(show.stdout())));
    } else if show.is_terminal() {
        reporters.push(Box::new(TerminalReporter::stderr(Arc::clone(plan), history, directory, show.err)));
    } else {
        reporters.push(Box::new(PlainReporter::new(Arc::clone(plan), history, directory, show.stderr())));
    }
    Box::new(Reporters::new(reporters))
}

/// Passes events on to a reporter, and time.
pub(super) async fn tell(mut reporter: Box<dyn Reporter>, mut source: mpsc::UnboundedReceiver<Event>) {
    let mut clock = tokio::time::interval(Duration::from_millis(100));
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            event = source.recv() => match event {
                Some(event) => reporter.see(&event, Timestamp::now()),
                None => break,
            },
            _ = clock.tick() => reporter.tick(Timestamp::now()),
        }
    }
    reporter.finish(Timestamp::now());
}
