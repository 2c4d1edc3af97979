//! `leapfrog sweep`: the containers that finished steps of this cloud's runs left over.

use jiff::Timestamp;
use serde::Serialize;

use super::arguments::{Common, Output};
use super::executor;
use super::exit::Exit;
use super::look::Show;
use super::preflight;
use super::stop::Stop;
use super::world::World;
use crate::conduct;
use crate::runner::{FoundState, FoundTask};

/// One container, or one directory of a task, that was found.
#[derive(Debug, Serialize)]
struct Line {
    /// The run's command that it ran, such as `2023.2/nova/db-sync@cell1`.
    step: String,
    run: String,
    container: String,
    state: &'static str,
    /// What became of it: `removed`, `removable`, `kept`, or why it could not be removed.
    fate: String,
}

/// Removes what is left over, or lists it.
pub(super) async fn sweep(common: &Common, dry_run: bool, show: &Show) -> Result<Exit, Stop> {
    let world = World::read_aloud(common, show)?;
    let store = world.store();
    // A leapfrog that works removes its own.
    let _lock = store.lock(&format!("sweep, since {}", Timestamp::now().strftime("%F %T UTC")))?;
    let runner = executor::runner(&world)?;
    let refused = |error| Stop::refused(vec![preflight::refusal(error)]);
    let mut lines = Vec::new();
    let mut failed = false;
    let runs = store.runs()?;
    for run in &runs {
        let state = crate::journal::read(&store.directory_of(run))?.state;
        let tasks = runner.find(run).await.map_err(refused)?;
        let swept = conduct::sweep(tasks, &state, runs.last() == Some(run));
        for task in swept.finished {
            let fate = if dry_run {
                "removable".to_owned()
            } else {
                match runner.reap(&task.handle).await {
                    Ok(()) => "removed".to_owned(),
                    Err(error) => {
                        failed = true;
                        format!("not removed: {error}. {}", error.advice)
                    }
                }
            };
            lines.push(line(&task, fate));
        }
        lines.extend(swept.kept.iter().map(|task| line(task, "kept".to_owned())));
    }
    let looked_into = if dry_run { 0 } else { runner.tidy().await.map_err(refused)? };
    if looked_into > 0 {
        show.complain(&format!("removed {looked_into} that nobody needs any more, left by a leapfrog that is gone\n"));
    }
    match show.output {
        Output::Text if lines.is_empty() && looked_into > 0 => {}
        Output::Text if lines.is_empty() => show.complain("nothing is left over\n"),
        Output::Text => {
            for Line { step, run, container, state, fate } in &lines {
                show.print(&format!("{container}  {state:<13}  {fate:<9}  {step} of run {run}\n"));
            }
        }
        Output::Json | Output::Jsonl => show.print_json(&lines)?,
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn line(task: &FoundTask, fate: String) -> Line {
    Line {
        step: task.id.step.to_string(),
        run: task.id.run.to_string(),
        container: task.handle.short().to_owned(),
        state: match task.state {
            FoundState::NeverStarted => "never started",
            FoundState::Running => "running",
            FoundState::Ended => "ended",
        },
        fate,
    }
}
