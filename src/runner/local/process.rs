//! Processes of this machine, told apart for good.
//!
//! A process number is given away again. Number, the moment it began (in ticks since the machine started) and the
//! machine's own start together are not.

use std::fs;

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

/// One process, for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    /// Its number.
    pub(super) pid: u32,
    /// When it began, in clock ticks since the machine started (`/proc/PID/stat`, field 22).
    start: u64,
    /// Which start of the machine that was.
    boot: String,
    /// Where: the machine, and the namespace in which the number holds.
    place: String,
}

/// What is seen of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// It runs.
    Alive,
    /// It ended, whatever has its number now.
    Gone,
    /// It was begun on another machine, or where its number means another process: nobody here can tell.
    Elsewhere,
}

impl Process {
    /// This very process.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub(super) fn own() -> std::io::Result<Self> {
        let pid = std::process::id();
        let (_, start) = status(pid).ok_or_else(|| std::io::Error::other("/proc/self/stat cannot be read"))?;
        Ok(Self { pid, start, boot: boot()?, place: place() })
    }

    /// What is seen of it now.
    pub(super) fn sight(&self) -> Sight {
        if place() != self.place {
            return Sight::Elsewhere;
        }
        if boot().is_ok_and(|boot| boot != self.boot) {
            return Sight::Gone;
        }
        match status(self.pid) {
            // A zombie has ended; whoever began it has not looked yet.
            Some((state, start)) if start == self.start && !matches!(state, 'Z' | 'X' | 'x') => Sight::Alive,
            _ => Sight::Gone,
        }
    }

    /// Sends a signal to the group of processes that it leads, if it is still the one that was meant.
    pub(super) fn signal_group(&self, signal: Signal) {
        if self.sight() == Sight::Alive
            && let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw)
        {
            // An error says that nobody is left.
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }
}

/// State and begin of the process that has a number now.
fn status(pid: u32) -> Option<(char, u64)> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// State and begin out of `/proc/PID/stat`. The name in the second field may hold anything, brackets too.
fn parse(text: &str) -> Option<(char, u64)> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

fn boot() -> std::io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// The machine and the namespace of process numbers.
fn place() -> String {
    let machine = fs::read_to_string("/etc/machine-id").map(|id| id.trim().to_owned()).unwrap_or_default();
    let machine =
        if machine.is_empty() { rustix::system::uname().nodename().to_string_lossy().into_owned() } else { machine };
    let namespace = fs::read_link("/proc/self/ns/pid").map(|link| link.to_string_lossy().into_owned());
    format!("{machine} {}", namespace.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_begin_of_a_process_is_found_whatever_its_name_holds() {
        let text = "4242 (a ) S 1 (b) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 99887 20 21";
        assert_eq!(parse(text), Some(('R', 99887)));
        assert_eq!(parse("4242 (sh"), None);
    }

    #[test]
    fn a_number_that_another_process_has_now_does_not_make_the_old_one_alive() {
        let own = Process::own().expect("readable");
        assert_eq!(own.sight(), Sight::Alive);
        assert_eq!(Process { start: own.start - 1, ..own.clone() }.sight(), Sight::Gone);
        assert_eq!(Process { boot: "another".into(), ..own.clone() }.sight(), Sight::Gone);
        assert_eq!(Process { pid: u32::MAX, ..own.clone() }.sight(), Sight::Gone);
        assert_eq!(Process { place: "another machine".into(), ..own }.sight(), Sight::Elsewhere);
    }

    #[test]
    fn a_child_that_ended_and_that_nobody_waited_for_is_gone() {
        let mut child = std::process::Command::new("true").spawn().expect("true runs");
        let (_, start) = status(child.id()).expect("just begun");
        let process = Process { pid: child.id(), start, boot: boot().expect("readable"), place: place() };
        let began = std::time::Instant::now();
        while process.sight() == Sight::Alive && began.elapsed().as_secs() < 20 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(process.sight(), Sight::Gone);
        child.wait().expect("waited for");
    }
}
