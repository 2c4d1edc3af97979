//! The supervisor of one command: a process of its own that outlives leapfrog.
//!
//! Leapfrog begins it and lets go of it. It leaves leapfrog's session, begins the command, notes how its two streams
//! go on in turn, and writes down how it ended. The command writes its output itself, into files: it goes on undisturbed
//! whoever dies. Before a process becomes the command it writes down that it is about to; so a command that nobody
//! knows of cannot run.
//!
//! Whoever asks a whole group of processes to end (systemd when a unit is stopped, a login that ends) asks the command;
//! the supervisor stays until it has written down that it did. Nothing here waits asynchronously or starts a thread, and
//! nothing prints.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use camino::Utf8Path;
use rustix::process::{Pid, Signal};
use tokio::signal::unix::SignalKind;

use super::place::{Ended, Place};
use super::process::Process;

/// How often is looked how far the output is, and whether the command ended.
const LOOK: Duration = Duration::from_millis(20);

/// The arguments of leapfrog with which it becomes a supervisor, before the task's directory.
pub const SUPERVISE: &str = "supervise-task";
/// The arguments of leapfrog with which it becomes a task's command.
pub const BECOME: &str = "become-task";

/// Begins the command of the task in `directory`, waits for its end and writes it down.
///
/// # Errors
/// The command could not be begun, or its end could not be written down.
pub fn supervise(directory: &Utf8Path) -> io::Result<()> {
    leave_session();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    // With a handler of ours, and nobody who hears of it, these end nothing. The command does not inherit handlers.
    let _deaf = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup(), SignalKind::quit()]
        .map(tokio::signal::unix::signal);
    let place = Place(directory.to_owned());
    place.put_supervisor(&Process::own()?)?;
    // Held until the end: nobody removes what the command runs from.
    let _held = place.kept().map(|kept| super::shelf::hold(&kept.environment));
    let before = Ended::by_memory();
    let (stdout, stderr) = (output(&place.stdout())?, output(&place.stderr())?);
    let mut marks = Marks { file: output(&place.marks())?, seen: [0, 0], streams: [stdout, stderr] };
    let mut child = Command::new("/proc/self/exe")
        .arg(BECOME)
        .arg(directory)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(marks.streams[0].try_clone()?)
        .stderr(marks.streams[1].try_clone()?)
        .process_group(0)
        .spawn()?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        marks.note();
        std::thread::sleep(LOOK);
    };
    end_group(&child);
    marks.note();
    place.forget_secrets();
    if place.command().is_none() {
        // It never became the command; what was wrong is in its output.
        return Err(io::Error::other(fs::read_to_string(place.stderr()).unwrap_or_default()));
    }
    let code = code(status);
    let killed = status.signal() == Some(Signal::KILL.as_raw());
    place.put_end(Ended { code, out_of_memory: killed && Ended::by_memory() > before })
}

/// Becomes the command of the task in `directory`. Returns only if that fails.
pub fn become_task(directory: &Utf8Path) -> io::Error {
    let place = Place(directory.to_owned());
    let Some(kept) = place.kept() else {
        return io::Error::other(format!("{directory} does not say what to run"));
    };
    let own = Process::own().and_then(|own| place.put_command(&own));
    if let Err(error) = own {
        return error;
    }
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", kept.environment.join("bin"));
    Command::new(&kept.program)
        .args(&kept.arguments)
        .current_dir(place.work())
        .env_clear()
        .env("PATH", path)
        .env("HOME", place.home())
        .env("TMPDIR", place.temporary())
        .env("LANG", "C.UTF-8")
        // Neither is another environment's package found, nor is this one changed by being used.
        .env("PYTHONNOUSERSITE", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .exec()
}

/// Leaves the session, and with it the terminal, that leapfrog is in. Leapfrog begins a supervisor as the leader of a
/// group of its own, so that Ctrl-C does not reach it before it is here; a leader has to step down first.
fn leave_session() {
    if rustix::process::setsid().is_err()
        && let Some(parent) = rustix::process::getppid()
        && let Ok(group) = rustix::process::getpgid(Some(parent))
        && rustix::process::setpgid(None, Some(group)).is_ok()
    {
        let _ = rustix::process::setsid();
    }
}

fn output(path: &Utf8Path) -> io::Result<File> {
    File::options().append(true).create(true).mode(0o600).open(path)
}

/// Ends what a command that ended has left running in its group, as the end of a container would.
fn end_group(child: &Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
}

/// An exit code as shells and container engines tell it.
fn code(status: ExitStatus) -> i64 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code.into(),
        (None, Some(signal)) => 128 + i64::from(signal),
        (None, None) => 255,
    }
}

/// Notes of how two streams go on in turn: `o 120` says that standard output was 120 bytes long.
struct Marks {
    file: File,
    seen: [u64; 2],
    streams: [File; 2],
}

impl Marks {
    fn note(&mut self) {
        for (index, letter) in [(0, 'o'), (1, 'e')] {
            let length = self.streams[index].metadata().map_or(0, |meta| meta.len());
            if length > self.seen[index] {
                self.seen[index] = length;
                // Without it the streams are read one after the other: nothing is lost but their turns.
                let _ = self.file.write_all(format!("{letter} {length}\n").as_bytes());
            }
        }
    }
}

impl Ended {
    /// How often the kernel ended a process for want of memory: in this control group where it tells, and at all.
    fn by_memory() -> u64 {
        let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let own = group
            .lines()
            .find_map(|line| line.strip_prefix("0::"))
            .map(|group| counted(&format!("/sys/fs/cgroup{group}/memory.events"), "oom_kill"));
        own.unwrap_or_default() + counted("/proc/vmstat", "oom_kill")
    }
}

fn counted(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(key, _)| *key == name).and_then(|(_, count)| count.trim().parse().ok()).unwrap_or_default()
}
