//! Begins the command of a task, once.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use camino::Utf8PathBuf;

use super::files;
use super::place::{Kept, Place, State, make_private};
use super::trouble::{RunnerErrorExt, trouble};
use super::{Local, supervise};
use crate::runner::{RunnerError, RunnerErrorKind, Task, TaskHandle};

/// How often is looked whether a command began.
const LOOK: Duration = Duration::from_millis(5);

impl Local {
    /// Begins a task, or finds the one that has its name.
    pub(super) async fn launch_task(&self, task: &Task) -> Result<TaskHandle, RunnerError> {
        let Some(name) = task.command.first() else {
            return Err(not_started(task, "the command is empty", "Name a program in the playbook."));
        };
        if let Some(file) = task.files.iter().find(|file| files::project_of(&file.path).is_none()) {
            let why = format!("a command in a local environment does not look for its configuration at {}", file.path);
            let advice = "Name a path like /etc/nova/nova.conf in the playbook.";
            return Err(not_started(task, &why, advice));
        }
        let environment = self
            .ready(&task.image)
            .await?
            .ok_or_else(|| RunnerError { kind: RunnerErrorKind::NotStarted, ..self.not_here(&task.image.reference) })?;
        let Some(program) = super::look::find_program(&environment, name) else {
            let why = format!("the environment {} has no program `{name}`", task.image.reference);
            let advice = "Check that the release file names the package that brings it, then remove the environment \
                          (`leapfrog env remove`) and run the same command again.";
            return Err(not_started(task, &why, advice));
        };
        let handle = TaskHandle(format!("{}/{}", task.id.run, Place::name(&task.id)));
        let place = self.place(&handle)?;
        match place.state() {
            // Left by a process that died before the command began, or whose command ended unseen: its step begins anew.
            State::NeverStarted | State::Unseen => {
                place.remove().map_err(|error| unmade(task, error))?;
            }
            State::Elsewhere => return Err(super::tasks::elsewhere(&handle)),
            State::Beginning | State::Running(_) | State::Ended(_) => return Ok(handle),
        }
        let made = self.make(&place, task, program, environment).map_err(|error| unmade(task, error));
        let begun = match made {
            Ok(supervisor) => begun(&place, supervisor).await,
            Err(error) => Err(error.what),
        };
        begun.map(|()| handle).map_err(|why| {
            let _ = place.remove();
            let advice =
                "The command has not begun. Put right what is complained about, then run the same command again.";
            not_started(task, &why, advice)
        })
    }

    /// Makes the task's directory and begins its supervisor.
    fn make(&self, place: &Place, task: &Task, program: Utf8PathBuf, environment: Utf8PathBuf) -> io::Result<Child> {
        make_private(&place.0)?;
        let name = program.file_name().unwrap_or_default().to_owned();
        let mut arguments = files::put_files(place, &task.files, &name)?;
        arguments.extend(task.command.iter().skip(1).cloned());
        place.keep(&Kept::new(task, program, arguments, environment))?;
        let trouble = File::options().append(true).create(true).mode(0o600).open(place.trouble())?;
        Command::new(&self.settings.supervisor)
            .arg(supervise::SUPERVISE)
            .arg(&place.0)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(trouble)
            .process_group(0)
            .spawn()
    }
}

/// Waits until a supervisor has begun its command; why it did not.
async fn begun(place: &Place, mut supervisor: Child) -> Result<(), String> {
    let ended = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ended);
    // Whoever began a process has to take note of its end. A thread, since the runtime would wait for its own.
    std::thread::spawn(move || {
        let _ = supervisor.wait();
        seen.store(true, Ordering::Release);
    });
    loop {
        let over = ended.load(Ordering::Acquire);
        if place.command().is_some() || matches!(place.state(), State::Ended(_)) {
            return Ok(());
        }
        if over {
            let why = fs::read_to_string(place.trouble()).unwrap_or_default();
            let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
            return Err(if why.is_empty() { "its supervisor ended before it".to_owned() } else { why });
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn unmade(task: &Task, error: io::Error) -> RunnerError {
    let advice = match error.kind() {
        ErrorKind::StorageFull => "Make room on the disk of the state directory, then run the same command again.",
        _ => "Let this user write to the state directory, then run the same command again.",
    };
    not_started(task, &error.to_string(), advice).because(error)
}

fn not_started(task: &Task, why: &str, advice: &str) -> RunnerError {
    let command = task.command.join(" ");
    trouble(RunnerErrorKind::NotStarted, format!("`{command}` of {} could not be started: {why}", task.id.step), advice)
}
