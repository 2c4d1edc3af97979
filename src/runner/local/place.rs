//! The directory of a task: what it is, who runs it, what it wrote, how it ended.
//!
//! | name | written by | says |
//! | --- | --- | --- |
//! | `task.json` | leapfrog, durably, before anything begins | which task, which program |
//! | `supervisor.json` | the supervisor, first | its process |
//! | `command.json` | the command's process, before it becomes the command | that process |
//! | `stdout`, `stderr` | the command | its output |
//! | `marks` | the supervisor | how the two go on in turn |
//! | `exit.json` | the supervisor, durably, last | how the command ended |
//! | `home`, `work`, `tmp` | the command | its private files; removed by the supervisor but for databases |
//!
//! So an end that is known is `exit.json`; a command that is known to have begun is `command.json`.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::process::{Process, Sight};
use crate::model::{RunId, StepId};
use crate::runner::{Exit, Task, TaskId};

/// The directory of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place(pub(super) Utf8PathBuf);

/// What a task is, as its directory says it. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    format: u32,
    run: RunId,
    step: StepId,
    attempt: u32,
    round: u32,
    /// The program's own path.
    pub(super) program: Utf8PathBuf,
    pub(super) arguments: Vec<String>,
    /// The environment's directory.
    pub(super) environment: Utf8PathBuf,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) code: i64,
    pub(super) out_of_memory: bool,
}

/// What is known of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Its supervisor is about to begin it.
    Beginning,
    /// Its command never began, and nobody is left who would begin it.
    NeverStarted,
    /// Its command runs, or its supervisor is writing down how it ended.
    Running(Process),
    /// Its command ended like that.
    Ended(Exit),
    /// Its command ended, and its supervisor with it: nobody saw how.
    Unseen,
    /// It was begun where nobody here can look.
    Elsewhere,
}

impl Kept {
    const FORMAT: u32 = 1;

    pub(super) fn new(task: &Task, program: Utf8PathBuf, arguments: Vec<String>, environment: Utf8PathBuf) -> Self {
        let TaskId { run, step, attempt, round } = task.id.clone();
        Self { format: Self::FORMAT, run, step, attempt, round, program, arguments, environment }
    }

    pub(super) fn id(&self) -> TaskId {
        TaskId { run: self.run.clone(), step: self.step.clone(), attempt: self.attempt, round: self.round }
    }
}

impl Place {
    /// The name of a task's directory below its run's.
    pub(super) fn name(id: &TaskId) -> String {
        format!("{}.{}.{}", id.step.to_string().replace(['/', '@'], "."), id.attempt, id.round)
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        self.0.join(name)
    }

    /// What the task's command sees as its home.
    pub(super) fn home(&self) -> Utf8PathBuf {
        self.path("home")
    }

    /// Where the command stands.
    pub(super) fn work(&self) -> Utf8PathBuf {
        self.path("work")
    }

    /// Where the command puts what it does not need for long.
    pub(super) fn temporary(&self) -> Utf8PathBuf {
        self.path("tmp")
    }

    pub(super) fn stdout(&self) -> Utf8PathBuf {
        self.path("stdout")
    }

    pub(super) fn stderr(&self) -> Utf8PathBuf {
        self.path("stderr")
    }

    pub(super) fn marks(&self) -> Utf8PathBuf {
        self.path("marks")
    }

    /// What a supervisor had to complain of.
    pub(super) fn trouble(&self) -> Utf8PathBuf {
        self.path("trouble")
    }

    /// What the task is; nothing where that was not written to the end.
    pub(super) fn kept(&self) -> Option<Kept> {
        read(&self.path("task.json")).filter(|kept: &Kept| kept.format == Kept::FORMAT)
    }

    pub(super) fn keep(&self, kept: &Kept) -> io::Result<()> {
        write_durably(&self.path("task.json"), &text(kept)?)
    }

    pub(super) fn put_supervisor(&self, process: &Process) -> io::Result<()> {
        write_whole(&self.path("supervisor.json"), &text(process)?)
    }

    pub(super) fn put_command(&self, process: &Process) -> io::Result<()> {
        write_whole(&self.path("command.json"), &text(process)?)
    }

    pub(super) fn put_end(&self, ended: Ended) -> io::Result<()> {
        write_durably(&self.path("exit.json"), &text(&ended)?)
    }

    /// The process that became the command, if one was about to.
    pub(super) fn command(&self) -> Option<Process> {
        read(&self.path("command.json"))
    }

    fn end(&self) -> Option<Exit> {
        let Ended { code, out_of_memory } = read(&self.path("exit.json"))?;
        Some(Exit { code, out_of_memory, engine_left: false })
    }

    /// What is known of the task now.
    pub(super) fn state(&self) -> State {
        if let Some(exit) = self.end() {
            return State::Ended(exit);
        }
        let supervisor: Option<Process> = read(&self.path("supervisor.json"));
        let watched = supervisor.map_or(Sight::Gone, |process| process.sight());
        let state = match (self.command(), watched) {
            (_, Sight::Elsewhere) => State::Elsewhere,
            (Some(command), Sight::Alive) => State::Running(command),
            (None, Sight::Alive) => State::Beginning,
            (Some(command), Sight::Gone) => match command.sight() {
                Sight::Alive => State::Running(command),
                Sight::Gone => State::Unseen,
                Sight::Elsewhere => State::Elsewhere,
            },
            (None, Sight::Gone) => State::NeverStarted,
        };
        // The end may have been written, and the supervisor gone, between the two looks.
        match state {
            State::Running(_) | State::Beginning | State::Elsewhere => state,
            State::NeverStarted | State::Unseen | State::Ended(_) => match self.end() {
                Some(exit) => State::Ended(exit),
                // Or the command began.
                None if state == State::NeverStarted && self.command().is_some() => self.state(),
                None => state,
            },
        }
    }

    /// Removes what the command's private files are in. Databases that it wrote where it stood stay.
    pub(super) fn forget_secrets(&self) {
        let Ok(entries) = self.home().read_dir_utf8() else { return };
        for entry in entries.flatten().filter(|entry| entry.file_name().starts_with('.')) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }

    /// Removes everything.
    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Makes a directory that only this user can look into, and those above it.
pub(super) fn make_private(path: &Utf8Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A file that only this user can read, with this content.
pub(super) fn write_private(path: &Utf8Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)
}

/// A file that is there whole or not at all, also after the machine lost its power.
pub(super) fn write_durably(path: &Utf8Path, content: &[u8]) -> io::Result<()> {
    put(path, content, true)
}

/// A file that is there whole or not at all.
pub(super) fn write_whole(path: &Utf8Path, content: &[u8]) -> io::Result<()> {
    put(path, content, false)
}

fn put(path: &Utf8Path, content: &[u8], durably: bool) -> io::Result<()> {
    let new = Utf8PathBuf::from(format!("{path}.{}.new", std::process::id()));
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(content)?;
    if durably {
        file.sync_all()?;
    }
    fs::rename(&new, path)?;
    if durably && let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn text(value: &impl Serialize) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}

pub(super) fn read<T: DeserializeOwned>(path: &Utf8Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, Place) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = Utf8PathBuf::from_path_buf(directory.path().to_owned()).expect("UTF-8");
        (directory, Place(path))
    }

    #[test]
    fn a_task_is_what_its_directory_says_from_its_making_to_its_end() {
        let (_guard, place) = place();
        assert_eq!(place.state(), State::NeverStarted);
        let own = Process::own().expect("readable");
        let gone: Process = {
            let mut value = serde_json::to_value(&own).expect("JSON");
            value["start"] = 1.into();
            serde_json::from_value(value).expect("a process")
        };
        place.put_supervisor(&gone).expect("written");
        assert_eq!(place.state(), State::NeverStarted, "a supervisor that died before its command began");
        place.put_supervisor(&own).expect("written");
        assert_eq!(place.state(), State::Beginning);
        place.put_command(&own).expect("written");
        assert_eq!(place.state(), State::Running(own.clone()));
        place.put_supervisor(&gone).expect("written");
        assert_eq!(place.state(), State::Running(own), "the command outlived its supervisor");
        place.put_command(&gone).expect("written");
        assert_eq!(place.state(), State::Unseen, "both are gone and nobody saw how it ended");
        place.put_end(Ended { code: 3, out_of_memory: false }).expect("written");
        assert_eq!(place.state(), State::Ended(Exit { code: 3, out_of_memory: false, engine_left: false }));
    }

    #[test]
    fn half_a_file_says_nothing() {
        let (_guard, place) = place();
        fs::write(place.path("exit.json"), "{\"code\": 0").expect("written");
        assert_eq!(place.state(), State::NeverStarted);
    }
}
