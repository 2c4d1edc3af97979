//! This machine: the state directory, other leapfrogs on it, the clock, the terminal.

use std::io::IsTerminal;
use std::process::{Command, Stdio};

use camino::Utf8Path;
use rustix::fs::Access;

use super::Finding;
use crate::cli::leap;
use crate::cli::look::Show;
use crate::cli::world::World;

/// What the journal, plans and outputs of a leap may take, by far.
const STATE: u64 = 200_000_000;

/// This program.
pub(super) fn program() -> Finding {
    Finding::ok("leapfrog", crate::cli::version::LONG)
}

/// The state directory: may it be written, is there room, who works in it, what did the last run come to.
pub(super) fn state(world: &World) -> Vec<Finding> {
    const ABOUT: &str = "state";
    let directory = &world.cloud.state_dir;
    let there = directory.ancestors().find(|part| part.exists());
    let there = there.filter(|part| !part.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    let mut findings = Vec::new();
    let exists = if there == directory { "" } else { ", to be made" };
    match rustix::fs::access(there.as_std_path(), Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => match free(there) {
            Some(free) if free < STATE => findings.push(Finding::failure(
                ABOUT,
                format!("{directory} has {} free", crate::report::bytes(free)),
                "make room, or name another directory as `state` in the cloud file",
            )),
            free => {
                let free = free.map(|free| format!(", {} free", crate::report::bytes(free))).unwrap_or_default();
                findings.push(Finding::ok(ABOUT, format!("{directory}{exists}{free}")));
            }
        },
        Err(error) => findings.push(Finding::failure(
            ABOUT,
            format!("{there} cannot be written to: {}", std::io::Error::from(error)),
            "let this user write there, or name another directory as `state` in the cloud file",
        )),
    }
    if directory.exists() {
        findings.extend(open_to_others(directory));
    }
    let store = world.store();
    match store.holder() {
        Ok(None) => {}
        Ok(Some(holder)) => findings.push(Finding::failure(
            ABOUT,
            format!("another leapfrog works on this cloud: {holder}"),
            "wait for it, or stop it with SIGTERM; `leapfrog status` shows how far it is",
        )),
        Err(error) => findings.push(Finding::failure(ABOUT, format!("failed to {error}"), "look at the directory")),
    }
    match leap::latest(&store) {
        Ok(Some(latest)) if !latest.state.is_complete() => findings.push(Finding::warning(
            ABOUT,
            format!("run {} from {} to {} is unfinished", latest.run, latest.plan.from, latest.plan.to),
            "the same command goes on with it; `leapfrog status` shows how far it is",
        )),
        Ok(_) => {}
        Err(stop) => {
            let why = match stop.cause {
                crate::cli::stop::Cause::Error(error) => format!("{error:#}"),
                _ => "it cannot be read".to_owned(),
            };
            findings.push(Finding::failure(ABOUT, format!("the latest run: {why}"), "see docs/nothing-lost.md"));
        }
    }
    findings
}

/// A directory that others may write to, or outputs that they may read.
fn open_to_others(directory: &Utf8Path) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(directory).ok()?.permissions().mode();
    (mode & 0o022 != 0).then(|| {
        Finding::warning(
            "state",
            format!("others than its owner may write to {directory}"),
            format!("chmod go-w {directory}"),
        )
    })
}

/// Bytes that this user may still write.
pub(super) fn free(directory: &Utf8Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(directory.as_std_path()).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// The terminal and the clock.
pub(super) fn surroundings(show: &Show) -> Vec<Finding> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut findings = Vec::new();
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    if show.err.unicode {
        findings.push(Finding::ok("terminal", format!("the locale is {}", locale.unwrap_or_default())));
    } else {
        let found = locale.map_or("no locale is set".to_owned(), |locale| format!("the locale is {locale}"));
        findings.push(Finding::warning(
            "terminal",
            format!("{found}, or TERM is dumb: screens are drawn in ASCII"),
            "export LANG=C.UTF-8",
        ));
    }
    if std::io::stderr().is_terminal()
        && set("SSH_CONNECTION").is_some()
        && set("TMUX").is_none()
        && set("STY").is_none()
    {
        findings.push(Finding::warning(
            "terminal",
            "the connection may break before a leap ends; the leap goes on, but its screen is gone",
            "run it in tmux, or as docs/running-detached.md says",
        ));
    }
    match synchronised() {
        Some(true) => findings.push(Finding::ok("clock", "this machine's is synchronised")),
        Some(false) => findings.push(Finding::warning(
            "clock",
            "this machine's is not synchronised: times in journals and reports may be wrong",
            "let a time service run here, such as chrony or systemd-timesyncd",
        )),
        None => {}
    }
    findings
}

/// Whether the kernel's clock is synchronised, where systemd can be asked.
fn synchronised() -> Option<bool> {
    let asked = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    match String::from_utf8(asked.ok()?.stdout).ok()?.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}
