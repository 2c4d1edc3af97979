//! Who else writes an SQLite file: it has one writer at a time, and who waits for it looks only now and then whether it is
//! free. A walk that began its next batch at once would mostly keep the others out.

use std::time::{Duration, Instant};

use crate::database::Connection;

/// How often somebody who waits for an SQLite file is let in at least, and how long one that writes is known to.
const OTHERS: Duration = Duration::from_secs(1);
/// The shortest and the longest time for which an SQLite file is let go of: who waits for it looks every 25 or 50 ms in the end.
const LET_GO: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(50));

/// Who else writes an SQLite file.
#[derive(Default)]
pub(super) struct Others {
    /// What SQLite says, which is something else after somebody else's change.
    version: Option<Option<String>>,
    seen: Option<Instant>,
    let_go: Option<Instant>,
}

impl Others {
    /// Lets go of the file after a batch that took so long.
    pub(super) async fn give_way(&mut self, connection: &mut Connection, took: Duration) {
        // Where it cannot be asked, somebody else has it.
        let version = connection.rows("PRAGMA data_version").await.ok().and_then(|rows| rows.concat().pop().flatten());
        if self.wait(version, Instant::now()) {
            tokio::time::sleep((took / 3).clamp(LET_GO.0, LET_GO.1)).await;
        }
    }

    /// Whether to let go of the file, now that it is at this version.
    fn wait(&mut self, version: Option<String>, now: Instant) -> bool {
        let lately = |at: Option<Instant>| at.is_some_and(|at| now.duration_since(at) < OTHERS);
        if self.version.replace(version.clone()).is_some_and(|before| before != version) {
            self.seen = Some(now);
        }
        let wait = lately(self.seen) || !lately(self.let_go);
        if wait {
            self.let_go = Some(now);
        }
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlite_file_is_let_go_of_while_others_write_and_once_a_second_where_nobody_does() {
        let (mut others, began) = (Others::default(), Instant::now());
        let mut wait =
            |version: &str, millis: u64| others.wait(Some(version.to_owned()), began + Duration::from_millis(millis));
        let alone = [0, 100, 999, 1_000, 1_100].map(|at| wait("1", at));
        assert_eq!(alone, [true, false, false, true, false]);
        let beside = [wait("2", 1_200), wait("2", 1_300), wait("2", 2_199), wait("2", 2_300), wait("3", 2_400)];
        assert_eq!(beside, [true, true, true, false, true]);
    }
}
