//! The table of nova, placement and cinder: migration, found, moved.
//!
//! ```text
//! +---------------------------+--------------+-----------+      prettytable: nova, placement, old cinder
//! |         Migration         | Total Needed | Completed |
//! +---------------------------+--------------+-----------+
//! |       populate_uuids      |      50      |     50    |
//! +---------------------------+--------------+-----------+
//!
//! +---------------------------+--------------+-----------+      tabulate: cinder from Wallaby on
//! | Migration                 | Total Needed | Completed |
//! |---------------------------+--------------+-----------|
//! ```

use super::counts::{Said, is_name, number};

/// Where in the output the reader is.
#[derive(Debug, Default)]
enum Place {
    /// Before or after a table.
    #[default]
    Outside,
    /// The head was seen.
    Head,
    /// A row was seen.
    Rows,
}

/// A table that is being read.
#[derive(Debug, Default)]
pub(super) struct Table {
    place: Place,
    seen: bool,
}

impl Table {
    /// Whether there was a table.
    pub(super) fn seen(&self) -> bool {
        self.seen
    }

    pub(super) fn line<'l>(&mut self, text: &'l str) -> Said<'l> {
        let text = text.trim();
        if is_rule(text) {
            if text.starts_with('+') && matches!(self.place, Place::Rows) {
                self.place = Place::Outside;
            }
            return Said::Nothing;
        }
        let Some((before, row)) = text.split_once('|') else { return Said::Nothing };
        let mut cells = row.splitn(4, '|');
        let cells = [cells.next(), cells.next(), cells.next(), cells.next()].map(|cell| cell.map(str::trim));
        if let [Some("Migration"), Some(found), Some(moved), Some(_)] = cells
            && [found, moved].iter().all(|title| title.starts_with(|c: char| c.is_ascii_alphabetic()))
        {
            self.place = Place::Head;
            self.seen = true;
            return Said::Nothing;
        }
        if matches!(self.place, Place::Outside) {
            return Said::Nothing;
        }
        // A row ends with a bar, too; a log may have been written in front of it or behind it.
        if let [Some(name), Some(found), Some(moved), Some(_)] = cells
            && is_name(name)
            && let (Some(found), Some(moved)) = (number(found), number(moved))
        {
            self.place = Place::Rows;
            return Said::Count(name, found, moved);
        }
        if before.is_empty() { Said::Unreadable } else { Said::Nothing }
    }
}

/// A line between rows.
fn is_rule(text: &str) -> bool {
    text.len() > 1 && text.starts_with(['+', '|']) && text.contains('-') && text.chars().all(|c| "+-|=:".contains(c))
}
