//! The way back, as the document has it.

use camino::Utf8Path;

use super::document::{CommandsSection, RestorePointsSection};
use super::resolve::Resolver;
use super::settings::{RestorePoints, SnapshotCommands};
use crate::model::{PointPolicy, Points};

const PATH: &str = "restore_points";

impl Resolver<'_> {
    /// Restore points: to have none has to be said twice.
    pub(super) fn restore_points(&mut self, section: RestorePointsSection, state_dir: &Utf8Path) -> RestorePoints {
        let RestorePointsSection { policy, accept_no_way_back, directory, keep, verify, commands } = section;
        if policy == PointPolicy::None && accept_no_way_back != Some(true) {
            self.flaw(
                format!("{PATH}/policy"),
                "without restore points nothing brings the databases back after a failure",
                "write `accept_no_way_back: true` beside it if you have backups of your own, or leave `policy` out",
            );
        }
        if policy != PointPolicy::None && accept_no_way_back == Some(true) {
            self.flaw(
                format!("{PATH}/accept_no_way_back"),
                "restore points are taken, so there is a way back",
                "leave it out, or write `policy: none`",
            );
        }
        if keep.is_some_and(|keep| !(1..=RestorePoints::MOST).contains(&keep)) {
            self.flaw(
                format!("{PATH}/keep"),
                format!("restore points that are kept: 1 to {}", RestorePoints::MOST),
                "",
            );
        }
        let directory = directory.map(|directory| self.directory().join(directory));
        RestorePoints {
            points: Points { policy, proof: verify },
            directory: directory.unwrap_or_else(|| state_dir.join("restore-points")),
            keep: keep.unwrap_or(RestorePoints::KEPT) as usize,
            commands: commands.map(|commands| self.commands(commands)),
        }
    }

    fn commands(&mut self, section: CommandsSection) -> SnapshotCommands {
        let CommandsSection { save, restore, remove } = section;
        let all = [("save", Some(&save)), ("restore", Some(&restore)), ("remove", remove.as_ref())];
        for (key, words) in all {
            if words.is_some_and(|words| words.first().is_none_or(String::is_empty)) {
                let advice = "write its words as a list: [/usr/local/bin/snapshot, --take]";
                self.flaw(format!("{PATH}/commands/{key}"), "the command is empty", advice);
            }
        }
        SnapshotCommands { save, restore, remove }
    }
}
