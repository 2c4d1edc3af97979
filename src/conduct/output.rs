//! Reading what a data migration's output says.

use std::collections::BTreeMap;

use crate::catalog::OutputFormat;
use crate::journal::MigrationCount;

/// Collects the counts of one round from its output, line by line.
#[derive(Debug)]
pub(super) struct CountReader {
    format: OutputFormat,
    counts: BTreeMap<String, (u64, u64)>,
    header: bool,
}

impl CountReader {
    /// A reader that has seen nothing.
    pub(super) fn new(format: OutputFormat) -> Self {
        Self { format, counts: BTreeMap::new(), header: false }
    }

    /// Takes in one line of output; lines that are no part of the table are passed over.
    pub(super) fn line(&mut self, text: &str) {
        match self.format {
            OutputFormat::Table => self.table_line(text),
        }
    }

    /// `| name | found | moved |`, as prettytable and tabulate draw it; logs may stand between rows.
    fn table_line(&mut self, text: &str) {
        let Some(inner) = text.trim().strip_prefix('|').and_then(|text| text.strip_suffix('|')) else {
            return;
        };
        let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
        let [name, found, moved] = cells[..] else {
            return;
        };
        match (found.parse(), moved.parse()) {
            (Ok(found), Ok(moved)) if !name.is_empty() => {
                self.counts.insert(name.to_owned(), (found, moved));
            }
            _ => self.header |= name == "Migration",
        }
    }

    /// What was read; nothing if the output held no table.
    pub(super) fn finish(self) -> Option<Vec<MigrationCount>> {
        let complete = self.header || !self.counts.is_empty();
        complete.then(|| {
            let counts = self.counts.into_iter();
            counts.map(|(migration, (found, moved))| MigrationCount { migration, found, moved }).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<Vec<(String, u64, u64)>> {
        let mut reader = CountReader::new(OutputFormat::Table);
        text.lines().for_each(|line| reader.line(line));
        reader.finish().map(|counts| counts.into_iter().map(|c| (c.migration, c.found, c.moved)).collect())
    }

    #[test]
    fn novas_table_is_read_with_what_it_found_and_moved() {
        let text = include_str!("../../tests/fixtures/output/nova-2023.2-pending.txt");
        let counts = read(text).expect("a table");
        assert_eq!(counts.len(), 11);
        assert!(counts.contains(&("populate_instance_compute_id".into(), 2001, 2000)));
        assert!(counts.contains(&("populate_uuids".into(), 0, 0)));
    }

    #[test]
    fn cinders_table_is_read_though_a_warning_precedes_it() {
        let text = include_str!("../../tests/fixtures/output/cinder-2024.1.txt");
        assert_eq!(read(text), Some(vec![("remove_temporary_admin_metadata_data_migration".into(), 0, 0)]));
    }

    #[test]
    fn an_output_without_a_table_says_nothing_at_all() {
        assert_eq!(read(""), None);
        assert_eq!(read("Running batches of 50 until complete\nTraceback | most | recent |\n"), None);
    }

    proptest! {
        #[test]
        fn no_output_makes_the_reader_panic(text in "[|+ a-z0-9\\-\n]{0,200}") {
            let _ = read(&text);
        }

        #[test]
        fn every_drawn_row_is_read(rows in proptest::collection::btree_map("[a-z_]{1,20}", (0u64..9999, 0u64..9999), 1..8)) {
            let mut text = String::from("+---+---+---+\n|  Migration  | Total Needed | Completed |\n");
            for (name, (found, moved)) in &rows {
                text.push_str(&format!("|  {name} |   {found}  |  {moved}|\n2026-01-01 INFO something [-] | x\n"));
            }
            let counts = read(&text).expect("a table");
            prop_assert_eq!(counts, rows.into_iter().map(|(n, (f, m))| (n, f, m)).collect::<Vec<_>>());
        }
    }
}
