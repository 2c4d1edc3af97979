//! Commands that were ended from outside: by the kernel, by a container engine that was restarted, by somebody.
//! Their exit code says nothing of the migration.

use super::judge::{AGAIN, Trouble};
use crate::runner::Exit;

/// Exit codes of a command that a signal ended: SIGKILL (137) and SIGTERM (143). An engine that was restarted ends
/// containers with the first, or does not know (255).
const SIGNALS: [(i64, &str); 2] = [(137, "SIGKILL"), (143, "SIGTERM")];

/// What is told of a command that was ended from outside, if it was; leapfrog itself did not stop it.
pub(super) fn killed(exit: Exit) -> Option<Trouble> {
    let code = exit.code;
    if exit.out_of_memory {
        return Some(Trouble::new(
            format!("the kernel ended the command for want of memory (exit code {code})"),
            format!(
                "give the machine that commands run on more memory, or have fewer commands at a time (--jobs) and fewer \
                 rows in a round (limits.batch in the cloud file); {AGAIN}"
            ),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_failed_is_told_from_one_that_was_ended() {
        let exit = |code, out_of_memory| Exit { code, out_of_memory };
        let what = |code, out_of_memory| killed(exit(code, out_of_memory)).map(|trouble| trouble.what);
        assert_eq!(what(1, false), None);
        assert_eq!(what(0, false), None);
        assert!(what(137, true).is_some_and(|what| what.contains("want of memory")));
        assert!(what(1, true).is_some_and(|what| what.contains("want of memory")), "a child of it was ended");
        assert!(what(137, false).is_some_and(|what| what.contains("SIGKILL")));
        assert!(what(143, false).is_some_and(|what| what.contains("SIGTERM")));
    }
}
