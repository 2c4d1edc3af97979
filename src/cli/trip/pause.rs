//! `leapfrog pause` and `leapfrog resume`: a file in the state directory, which a trip looks for between its batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use camino::Utf8PathBuf;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::arguments::Common;
use crate::cli::exit::Exit;
use crate::cli::leap::host_name;
use crate::cli::look::Show;
use crate::cli::stop::Stop;
use crate::cli::world::World;

/// The file that pauses the trips of a cloud.
pub(super) fn file(world: &World) -> Utf8PathBuf {
    world.cloud.state_dir.join("trip.pause")
}

/// SIGUSR1 pauses this process's trips, SIGUSR2 lets them go on.
pub(super) fn listen() -> anyhow::Result<Arc<AtomicBool>> {
    let mut pause = signal(SignalKind::user_defined1()).context("failed to listen for SIGUSR1")?;
    let mut resume = signal(SignalKind::user_defined2()).context("failed to listen for SIGUSR2")?;
    let paused = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&paused);
    tokio::spawn(async move {
        loop {
            let now = tokio::select! {
                Some(()) = pause.recv() => true,
                Some(()) = resume.recv() => false,
                else => return,
            };
            flag.store(now, Ordering::Relaxed);
        }
    });
    Ok(paused)
}

/// Has trips on this cloud wait before their next batch.
pub(in crate::cli) fn pause(common: &Common, show: &Show) -> Result<Exit, Stop> {
    let world = World::read_aloud(common, show)?;
    let file = file(&world);
    if file.exists() {
        show.complain(&format!("paused already: {file}\n"));
        return Ok(Exit::Done);
    }
    let text = format!("paused from {} since {}\n", host_name(), Timestamp::now().strftime("%F %T UTC"));
    std::fs::create_dir_all(&world.cloud.state_dir)
        .and_then(|()| std::fs::write(&file, text))
        .with_context(|| format!("failed to write {file}"))
        .map_err(Stop::usage)?;
    show.complain("trips on this cloud wait before their next batch; `leapfrog resume` lets them go on\n");
    Ok(Exit::Done)
}

/// Lets them go on.
pub(in crate::cli) fn resume(common: &Common, show: &Show) -> Result<Exit, Stop> {
    let world = World::read_aloud(common, show)?;
    let file = file(&world);
    match std::fs::remove_file(&file) {
        Ok(()) => show.complain("trips on this cloud go on\n"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => show.complain("nothing is paused\n"),
        Err(error) => {
            let error = anyhow::Error::from(error).context(format!("failed to remove {file}"));
            return Err(Stop::usage(error));
        }
    }
    Ok(Exit::Done)
}
