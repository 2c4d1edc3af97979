//! The stories themselves.

use super::{Fate, Story, plan};
use crate::journal::{Failure, Outcome, Progress};

/// A failure as a command's end makes it.
fn failure(what: &str, command: &str, exit: i64, lines: &[&str], log: &str) -> Failure {
    Failure {
        what: what.to_owned(),
        command: Some(command.to_owned()),
        exit: Some(exit),
        last_lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        log: Some(log.to_owned()),
        migration: None,
        advice: "read the last lines and the log, mend the cause, then run the same command again: it goes on with \
                 this step"
            .to_owned(),
    }
}

const SERVICES: [&str; 6] = ["cinder", "glance", "keystone", "neutron", "nova", "placement"];

/// Four hops, and all goes well. The first one's images come before the run.
pub(crate) fn leap() -> Story {
    let mut story = Story::new(plan(&["2023.1", "2023.2", "2024.1", "2024.2"], &SERVICES));
    let mut at = story.fetch("2023.1", 0.2);
    story.begin_at(at);
    for series in ["2023.1", "2023.2", "2024.1", "2024.2"] {
        if series == "2023.1" {
            story.fetch("2023.2", at + 1.0);
        }
        at = story.hop(series, at).0;
    }
    story.end(at, Outcome::Done);
    story
}

/// Cinder's schema migration fails in the second hop.
pub(crate) fn failing() -> Story {
    let what = failure(
        "the command failed with exit code 1",
        "cinder-manage db sync --bump-versions",
        1,
        &[
            "2026-11-22 03:17:20.293 9357 INFO alembic.runtime.migration [-] Running upgrade 921e1a36b076 -> c92a3e68beed, Make shared_targets nullable\u{1b}[00m",
            "2026-11-22 03:17:20.311 9357 ERROR cinder oslo_db.exception.DBError: (pymysql.err.OperationalError) (1205, 'Lock wait timeout exceeded; try restarting transaction')",
            "2026-11-22 03:17:20.311 9357 ERROR cinder [SQL: ALTER TABLE volumes MODIFY shared_targets BOOL NULL]",
        ],
        "logs/2023.2/cinder/db-sync.1.log",
    );
    let mut story = Story::new(plan(&["2023.1", "2023.2"], &SERVICES))
        .fate("2023.2/cinder/db-sync", Fate::Ends(Outcome::Failed, Some(what)));
    story.begin();
    let (at, _) = story.hop("2023.1", 0.5);
    let (at, _) = story.hop("2023.2", at);
    story.end(at, Outcome::Failed);
    story
}

/// Nova's data migration cannot get on in its first hop.
pub(crate) fn stuck() -> Story {
    let what = Failure {
        advice: "find out in the log why populate_user_id finds rows and moves none, mend them, then run the same \
                 command again"
            .to_owned(),
        ..failure(
            "a round found 50 rows of populate_user_id and moved none",
            "nova-manage db online_data_migrations --max-count {count}",
            2,
            &["Error attempting to run populate_user_id", "50 rows matched query populate_user_id, 0 migrated"],
            "logs/2023.1/nova/online-data-migrations@cell1.1.9.log",
        )
    };
    let mut story = Story::new(plan(&["2023.1", "2023.2"], &SERVICES))
        .fate("2023.1/nova/online-data-migrations@cell1", Fate::Ends(Outcome::Stuck, Some(what)));
    story.begin();
    let (at, _) = story.hop("2023.1", 0.5);
    story.end(at, Outcome::Stuck);
    story
}

/// The operator presses Ctrl-C in the second hop; two steps are not complete.
pub(crate) fn interrupted() -> Story {
    let mut story = Story::new(plan(&["2023.1", "2023.2", "2024.1"], &SERVICES))
        .fate("2023.2/cinder/online-data-migrations", Fate::Ends(Outcome::Interrupted, None))
        .fate("2023.2/nova/online-data-migrations@cell0", Fate::Ends(Outcome::Interrupted, None));
    story.begin();
    let (at, _) = story.hop("2023.1", 0.5);
    let text = "stopping after the steps that run now; Ctrl-C again stops them at once".to_owned();
    story.say(at + 10.0, Progress::Stopping { text });
    let (at, _) = story.hop("2023.2", at);
    story.end(at, Outcome::Interrupted);
    story
}

/// The process dies in the second hop; hours later another goes on and finds a command that still
/// runs.
pub(crate) fn resumed() -> (Story, f64) {
    let mut story = Story::new(plan(&["2023.1", "2023.2"], &SERVICES))
        .fate("2023.2/cinder/online-data-migrations", Fate::CutOff)
        .fate("2023.2/nova/db-sync@cell1", Fate::CutOff);
    story.begin();
    let (at, _) = story.hop("2023.1", 0.5);
    let (at, _) = story.hop("2023.2", at);
    let again = (at + 7200.0).floor();
    story.resume(again);
    let (at, _) = story.hop("2023.2", again + 0.5);
    story.end(at, Outcome::Done);
    (story, again)
}
