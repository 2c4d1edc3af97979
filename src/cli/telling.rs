//! Events on their way to the operator, and signals on their way to the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::conduct::Signal;
use crate::journal::Event;
use crate::report::Reporter;

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

/// Sends the operator's signals on; whether one came is kept. A lost terminal (SIGHUP) does not stop a run.
pub(super) fn listen(sender: mpsc::UnboundedSender<Signal>) -> anyhow::Result<Arc<AtomicBool>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let mut hang_up = signal(SignalKind::hangup()).context("failed to listen for SIGHUP")?;
    let came = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&came);
    tokio::spawn(async move {
        loop {
            let signal = tokio::select! {
                Some(()) = interrupt.recv() => Signal::Interrupt,
                Some(()) = terminate.recv() => Signal::Terminate,
                Some(()) = hang_up.recv() => continue,
                else => return,
            };
            came.store(true, Ordering::Relaxed);
            if sender.send(signal).is_err() {
                return;
            }
        }
    });
    Ok(asked)
}
