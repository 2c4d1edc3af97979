//! The operator's signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::conduct::Signal;

/// Sends Ctrl-C and SIGTERM on; whether one came is kept. A lost terminal (SIGHUP) does not stop a run.
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
