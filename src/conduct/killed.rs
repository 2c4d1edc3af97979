//! Commands that were ended from outside: by the kernel, by a container engine that was restarted, by somebody.
//! Their exit code says nothing of the migration.
//!
//! An engine that is killed (`kill -9`, a crash) takes its knowledge with it: when it is back it ends the container, or
//! finds it ended and says 137, 255 or 0 (Docker Engine 20.10). Nobody is at fault then, and nobody saw what the command
//! did. A step that may be run again is begun again, a few times, from the databases as they are; a schema
//! migration that cannot be undone goes back to its restore point instead, where there is one; a step that must not be
//! run twice waits for somebody to look. Only an engine that was seen to go away makes an end unseen: else an exit code
//! is taken for the command's.

use super::conductor::Conductor;
use super::judge::{AGAIN, Trouble};
use super::step::StepEnd;
use crate::journal::{Evidence, Outcome, Progress};
use crate::model::{Effect, StepId};
use crate::runner::Exit;

/// Exit codes of a command that a signal ended: SIGKILL (137) and SIGTERM (143). An engine that was restarted ends
/// containers with the first.
const SIGNALS: [(i64, &str); 2] = [(137, "SIGKILL"), (143, "SIGTERM")];

/// What an engine says of a command whose end it does not know.
const UNKNOWN: [i64; 2] = [255, 0];

/// How often a step begins in a process until an end that nobody saw fails it.
const UNSEEN: u32 = 3;

/// Whether nobody saw how the command ended: its engine went away, and says since what it says of such commands.
pub(super) fn unseen(exit: Exit) -> bool {
    exit.engine_left && (UNKNOWN.contains(&exit.code) || SIGNALS.iter().any(|(code, _)| *code == exit.code))
}

/// What is told of a command that was ended from outside, if it was; leapfrog itself did not stop it. Asked only where
/// the command is not seen to have done its work.
pub(super) fn killed(exit: Exit) -> Option<Trouble> {
    let code = exit.code;
    if exit.out_of_memory {
        return Some(Trouble::new(
            format!("the kernel ended the command for want of memory (exit code {code})"),
            format!(
                "give the container engine's machine more memory, or have fewer commands at a time (--jobs) and fewer \
                 rows in a round (limits.batch in the cloud file); {AGAIN}"
            ),
        ));
    }
    if unseen(exit) {
        return Some(Trouble::new(
            format!(
                "the container engine went away while the command ran, and nobody saw how it ended: the exit code {code} \
                 that the engine tells since may not be the command's"
            ),
            format!("find out what ends the container engine (its log); {AGAIN}"),
        ));
    }
    let (_, signal) = SIGNALS.into_iter().find(|(of, _)| *of == code)?;
    Some(Trouble::new(
        format!("the command was ended from outside (exit code {code}: {signal}), not by leapfrog"),
        format!(
            "find out by whom: a container engine that was restarted (its log), the kernel for want of memory (`dmesg`), \
             or somebody; {AGAIN}"
        ),
    ))
}

/// What goes into the journal besides, where nobody saw how a command ended.
pub(super) fn evidence(exit: Exit) -> Option<Evidence> {
    unseen(exit).then_some(Evidence::EndUnseen { code: exit.code })
}

impl Conductor {
    /// Whether a step whose end nobody saw begins again, now.
    pub(super) fn begins_again(&mut self, id: &StepId, end: &mut StepEnd) -> bool {
        let unseen = end.evidence.iter().any(|piece| matches!(piece, Evidence::EndUnseen { .. }));
        let once = self.plan.steps().any(|(.., step)| step.id == *id && step.effect == Effect::Once);
        if !unseen || end.outcome != Outcome::Failed || once || self.hand.stopping {
            return false;
        }
        let times = self.unseen.entry(id.clone()).or_default();
        *times += 1;
        if *times >= UNSEEN {
            return false;
        }
        if let Some(failure) = &mut end.failure {
            failure.advice = "nothing: leapfrog looks at the databases and begins the step again by itself".to_owned();
        }
        let text =
            format!("{id}: nobody saw how its command ended, since the container engine went away; it begins again");
        self.say(Progress::Notice { text });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: i64) -> Exit {
        Exit { code, out_of_memory: false, engine_left: false }
    }

    #[test]
    fn a_command_that_failed_is_told_from_one_that_was_ended() {
        let what = |exit| killed(exit).map(|trouble| trouble.what);
        let starved = |code| Exit { out_of_memory: true, ..exit(code) };
        assert_eq!(what(exit(1)), None);
        assert_eq!(what(exit(0)), None);
        assert_eq!(what(exit(255)), None, "oslo's commands end with it by themselves");
        assert!(what(starved(137)).is_some_and(|what| what.contains("want of memory")));
        assert!(what(starved(1)).is_some_and(|what| what.contains("want of memory")), "a child of it was ended");
        assert!(what(exit(137)).is_some_and(|what| what.contains("SIGKILL")));
        assert!(what(exit(143)).is_some_and(|what| what.contains("SIGTERM")));
    }

    #[test]
    fn only_an_engine_that_went_away_makes_an_end_unseen() {
        for code in [0, 137, 143, 255] {
            assert!(!unseen(exit(code)));
            assert!(unseen(Exit { engine_left: true, ..exit(code) }), "{code}");
        }
        // A command that outlived its engine and failed: shims keep such a code.
        assert!(!unseen(Exit { engine_left: true, ..exit(1) }));
        let starved = Exit { engine_left: true, out_of_memory: true, ..exit(137) };
        assert!(killed(starved).is_some_and(|trouble| trouble.what.contains("want of memory")));
    }
}
