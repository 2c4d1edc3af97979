//! The counts of one round of a data migration.

use std::collections::BTreeMap;

use super::{sentences, table};
use crate::catalog::OutputFormat;
use crate::journal::MigrationCount;

/// The most migrations whose counts are kept; nova 2025.1 has 11.
const MOST: usize = 256;

/// The longest name of a migration, in bytes; nova's longest has 35.
pub(super) const LONGEST_NAME: usize = 128;

/// How much of a line is repeated to the operator, in characters.
const EXCERPT: usize = 120;

/// Why the output of a round says nothing about rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It holds no counts at all.
    #[error("the output holds no {0}")]
    Nothing(&'static str),
    /// A line that must be counts is none: it was cut, or holds a number that is none.
    #[error("a line of the output that must hold counts cannot be read: {0}")]
    Line(String),
    /// There are more migrations than any command has.
    #[error("the output names more migrations than any command has")]
    TooMany,
}

/// Collects the counts of one round from its output, line by line.
#[derive(Debug)]
pub struct CountReader {
    format: Format,
    counts: BTreeMap<String, (u64, u64)>,
    wrong: Option<Unread>,
}

#[derive(Debug)]
enum Format {
    Table(table::Table),
    Ironic(sentences::Sentences),
}

/// What one line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<'l> {
    /// Nothing about rows.
    Nothing,
    /// Rows found and moved of a migration: its last word.
    Count(&'l str, u64, u64),
    /// Rows found and moved of a migration, besides those of earlier lines.
    More(&'l str, u64, u64),
    /// Something about rows that cannot be read.
    Unreadable,
}

impl CountReader {
    /// A reader that has seen nothing.
    pub fn new(format: OutputFormat) -> Self {
        let format = match format {
            OutputFormat::Table => Format::Table(table::Table::default()),
            OutputFormat::Ironic => Format::Ironic(sentences::Sentences::default()),
        };
        Self { format, counts: BTreeMap::new(), wrong: None }
    }

    /// Takes in one line of output, without its end; lines that say nothing of rows are passed over.
    pub fn line(&mut self, text: &str) {
        let said = match &mut self.format {
            Format::Table(table) => table.line(text),
            Format::Ironic(sentences) => sentences.line(text),
        };
        let (name, found, moved, more) = match said {
            Said::Nothing => return,
            Said::Unreadable => {
                self.wrong.get_or_insert_with(|| Unread::Line(text.trim().chars().take(EXCERPT).collect()));
                return;
            }
            Said::Count(name, found, moved) => (name, found, moved, false),
            Said::More(name, found, moved) => (name, found, moved, true),
        };
        if !self.counts.contains_key(name) && self.counts.len() == MOST {
            self.wrong.get_or_insert(Unread::TooMany);
            return;
        }
        let count = self.counts.entry(name.to_owned()).or_default();
        *count = if more {
            // What it finds now comes after what it moved before.
            (count.0.max(count.1.saturating_add(found)), count.1.saturating_add(moved))
        } else {
            (found, moved)
        };
    }

    /// What was read, by name.
    ///
    /// # Errors
    /// The output said nothing, or something that cannot be read.
    pub fn finish(self) -> Result<Vec<MigrationCount>, Unread> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let nothing = match &self.format {
            Format::Table(table) => (!table.seen()).then_some("table of migrations"),
            Format::Ironic(sentences) => (!sentences.seen()).then_some("line on completed data migrations"),
        };
        if let Some(nothing) = nothing {
            return Err(Unread::Nothing(nothing));
        }
        let counts = self.counts.into_iter();
        Ok(counts.map(|(migration, (found, moved))| MigrationCount { migration, found, moved }).collect())
    }
}

/// Whether a text can be a migration's name: a Python function's, perhaps with its module's.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
}

/// A number written in digits alone.
pub(super) fn number(text: &str) -> Option<u64> {
    // `parse` would take a sign, too.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(format: OutputFormat, text: &str) -> Result<Vec<(String, u64, u64)>, Unread> {
        let mut reader = CountReader::new(format);
        text.lines().for_each(|line| reader.line(line));
        reader.finish().map(|counts| counts.into_iter().map(|c| (c.migration, c.found, c.moved)).collect())
    }

    fn table(text: &str) -> Result<Vec<(String, u64, u64)>, Unread> {
        read(OutputFormat::Table, text)
    }

    #[test]
    fn novas_table_is_read_with_what_it_found_and_moved() {
        let counts = table(include_str!("../../tests/fixtures/output/nova-2023.2-pending.txt")).expect("a table");
        assert_eq!(counts.len(), 11);
        assert!(counts.contains(&("populate_instance_compute_id".into(), 2001, 2000)));
        assert!(counts.contains(&("populate_uuids".into(), 0, 0)));
    }

    #[test]
    fn cinders_table_is_read_though_a_warning_precedes_it() {
        let counts = table(include_str!("../../tests/fixtures/output/cinder-2024.1.txt"));
        assert_eq!(counts, Ok(vec![("remove_temporary_admin_metadata_data_migration".into(), 0, 0)]));
    }

    const HEAD: &str = "+---+---+---+\n| Migration | Total Needed | Completed |\n+---+---+---+\n";

    #[test]
    fn an_output_without_a_table_says_nothing_at_all() {
        assert_eq!(table(""), Err(Unread::Nothing("table of migrations")));
        assert!(table("Running batches of 50 until complete\nTraceback | most | recent |\n| a | 5 | 5 |").is_err());
        assert_eq!(table(&format!("{HEAD}+---+---+---+\n")), Ok(vec![]));
    }

    #[test]
    fn a_log_line_that_was_written_into_a_row_does_not_hide_the_row() {
        let text = format!("{HEAD}2026-11-21 WARNING x [-] y| a_b | 7 | 3 |\n| c | 2 | 2 |2026-11-21 INFO | z\n");
        assert_eq!(table(&text), Ok(vec![("a_b".into(), 7, 3), ("c".into(), 2, 2)]));
    }

    #[test]
    fn a_row_that_was_cut_makes_the_whole_table_unreadable() {
        for row in ["| a |   5\n  |  3 |", "| a | 5 | 99999999999999999999999999 |", "| a | -5 | 3 |", "| a | 5 | +3 |"]
        {
            let text = format!("{HEAD}| b | 1 | 1 |\n{row}\n+---+---+---+\n");
            assert!(matches!(table(&text), Err(Unread::Line(_))), "{row}: {:?}", table(&text));
        }
    }

    #[test]
    fn what_stands_after_the_table_is_no_part_of_it() {
        let text = format!("{HEAD}| a | 1 | 1 |\n+---+---+---+\n| b | 2 | 2 |\n| c |\nSome migrations failed\n");
        assert_eq!(table(&text), Ok(vec![("a".into(), 1, 1)]));
    }

    #[test]
    fn ironics_sentences_are_read_and_a_migration_that_is_told_of_twice_is_added_up() {
        let text = "Running batches of 50 until migrations have been completed.\n\
                    update_to_latest_versions() migrated 50 of 120 objects.\n\
                    migrate_to_builtin_inspection() migrated 0 of 0 objects.\n\
                    update_to_latest_versions() migrated 50 of 70 objects.\n\
                    Data migrations have not completed. Please re-run.\n";
        let expected =
            vec![("migrate_to_builtin_inspection".into(), 0, 0), ("update_to_latest_versions".into(), 120, 100)];
        assert_eq!(read(OutputFormat::Ironic, text), Ok(expected));
    }

    #[test]
    fn sentences_without_an_end_prove_nothing() {
        let cut = read(OutputFormat::Ironic, "update_to_latest_versions() migrated 0 of 0 objects.\n");
        assert_eq!(cut, Err(Unread::Nothing("line on completed data migrations")));
        let long = "x() migrated 1 of 99999999999999999999999 objects.\nData migrations have completed.\n";
        assert!(matches!(read(OutputFormat::Ironic, long), Err(Unread::Line(_))));
    }

    #[test]
    fn a_table_without_end_fills_no_memory() {
        let mut text = HEAD.to_owned();
        (0..10_000).for_each(|n| text.push_str(&format!("| migration_{n} | 1 | 1 |\n")));
        assert_eq!(table(&text), Err(Unread::TooMany));
        let long = "x".repeat(LONGEST_NAME + 1);
        assert!(table(&format!("{HEAD}| {long} | 1 | 1 |\n")).is_err());
    }

    proptest! {
        #[test]
        fn no_output_makes_a_reader_panic(text in "[|+ a-zMD().0-9\\-\n\u{80}-\u{800}]{0,200}") {
            let _ = table(&format!("{HEAD}{text}"));
            let _ = read(OutputFormat::Ironic, &text);
        }

        #[test]
        fn every_drawn_row_is_read(rows in proptest::collection::btree_map("[a-z_]{1,20}", (0u64..9999, 0u64..9999), 1..8)) {
            let mut text = String::from("+---+---+---+\n|  Migration  | Total Needed | Completed |\n|---+---+---|\n");
            for (name, (found, moved)) in &rows {
                text.push_str(&format!("|  {name} |   {found}  |  {moved}|\n2026-01-01 INFO something [-] | x\n"));
            }
            let counts = table(&text).expect("a table");
            prop_assert_eq!(counts, rows.into_iter().map(|(n, (f, m))| (n, f, m)).collect::<Vec<_>>());
        }
    }
}
