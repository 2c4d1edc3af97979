//! The sentences of ironic (`ironic-dbsync online_data_migrations`, Pike and later):
//!
//! ```text
//! update_to_latest_versions() migrated 50 of 120 objects.
//! Data migrations have not completed. Please re-run.
//! ```

use super::counts::{Said, is_name, number};

/// The line that ends an output whose migrations were all run.
const ENDS: [&str; 2] = ["Data migrations have completed.", "Data migrations have not completed. Please re-run."];

/// Sentences that are being read.
#[derive(Debug, Default)]
pub(super) struct Sentences {
    ended: bool,
}

impl Sentences {
    /// Whether the output was seen to its last line.
    pub(super) fn seen(&self) -> bool {
        self.ended
    }

    pub(super) fn line<'l>(&mut self, text: &'l str) -> Said<'l> {
        let text = text.trim();
        if ENDS.contains(&text) {
            self.ended = true;
            return Said::Nothing;
        }
        let Some((name, rest)) = text.split_once("() migrated ") else { return Said::Nothing };
        if !is_name(name) {
            return Said::Nothing;
        }
        let counts = rest.strip_suffix(" objects.").and_then(|counts| counts.split_once(" of "));
        match counts.map(|(moved, found)| (number(found), number(moved))) {
            Some((Some(found), Some(moved))) => Said::More(name, found, moved),
            _ => Said::Unreadable,
        }
    }
}
