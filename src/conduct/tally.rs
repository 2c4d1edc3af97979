//! How many rows a data migration has moved and has to move: pure.
//!
//! Two sources speak of rows: the command, after each round, and counts in the database, at any time. The
//! command's word is taken for what it moved; a count says what is left. A total is rows moved and rows
//! left, so it is absent until somebody counted, and never smaller than what was moved. Migrations that no
//! query counts add to both.
//!
//! A count that came late, because the table is large, still helps: what rounds moved since it began is
//! taken off.

use std::collections::BTreeMap;

/// For how many rounds counts and reports are remembered.
const REMEMBERED: usize = 8;

/// Rounds in a row after which a command that moves nothing is not believed any more.
const PATIENCE: usize = 3;

/// A moment: how many rounds had ended, and what they had moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moment {
    rounds: usize,
    moved: u64,
}

/// Rows left, by the migration that the playbook says moves them; those of no named migration under none.
pub(super) type Left = BTreeMap<Option<String>, u64>;

/// A migration that reports rows as moved while the database holds as many as before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unmoved {
    /// Its name.
    pub(super) migration: String,
    /// How many rows the database holds.
    pub(super) left: u64,
    /// In how many rounds.
    pub(super) rounds: usize,
}

/// Rows moved and left.
#[derive(Debug, Default)]
pub(super) struct Tally {
    now: Moment,
    /// Rows left when the round that runs began; absent until somebody counted.
    mark: Option<u64>,
    /// Rows left by the last count during the round that runs.
    live: Option<u64>,
    /// What the last rounds reported, by migration; the oldest first.
    reports: Vec<BTreeMap<String, u64>>,
    /// The last count that began after so many rounds.
    counts: BTreeMap<usize, Left>,
}

impl Tally {
    /// The present, for a count that begins now.
    pub(super) fn moment(&self) -> Moment {
        self.now
    }

    /// The round that runs, from 1.
    pub(super) fn round(&self) -> u32 {
        u32::try_from(self.now.rounds).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Takes in what a count found that began at `began`.
    pub(super) fn counted(&mut self, began: Moment, left: Left) {
        let all = left.values().fold(0, |sum: u64, rows| sum.saturating_add(*rows));
        let since = self.now.moved.saturating_sub(began.moved);
        let all = all.saturating_sub(since);
        match self.mark {
            Some(mark) if all <= mark && since == 0 => self.live = Some(all),
            // More than was thought, or seen before the round: the round's beginning is where it is counted from.
            _ => (self.mark, self.live) = (Some(all), None),
        }
        self.counts.insert(began.rounds, left);
        while self.counts.len() > REMEMBERED {
            self.counts.pop_first();
        }
    }

    /// Takes in what a round moved, by migration.
    pub(super) fn ended(&mut self, moved: BTreeMap<String, u64>) {
        let all = moved.values().fold(0, |sum: u64, rows| sum.saturating_add(*rows));
        self.now.rounds += 1;
        self.now.moved = self.now.moved.saturating_add(all);
        self.mark = self.mark.map(|mark| mark.saturating_sub(all));
        self.live = None;
        self.reports.push(moved);
        if self.reports.len() > REMEMBERED {
            self.reports.remove(0);
        }
    }

    /// Rows moved so far, and rows that will have been moved in the end.
    pub(super) fn rows(&self) -> (u64, Option<u64>) {
        let of_this_round = match (self.mark, self.live) {
            (Some(mark), Some(live)) => mark.saturating_sub(live),
            _ => 0,
        };
        let total = self.mark.map(|mark| self.now.moved.saturating_add(mark));
        (self.now.moved.saturating_add(of_this_round), total)
    }

    /// A migration that said of each of the last rounds that it moved rows, while a count from after them
    /// shows as many as one from before: only rounds between two counts are judged.
    pub(super) fn unmoved(&self) -> Option<Unmoved> {
        let (after, left) = self.counts.last_key_value()?;
        let (_, before) = self.counts.range(..=after.checked_sub(PATIENCE)?).next_back()?;
        let forgotten = self.now.rounds - self.reports.len();
        let reports = self.reports.get((after - PATIENCE).checked_sub(forgotten)?..after - forgotten)?;
        left.iter().find_map(|(migration, left)| {
            let migration = migration.as_ref()?;
            let held = before.get(&Some(migration.clone()))?;
            let reported = reports.iter().all(|report| report.get(migration).is_some_and(|rows| *rows > 0));
            (*left > 0 && left >= held && reported).then(|| Unmoved {
                migration: migration.clone(),
                left: *left,
                rounds: PATIENCE,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn left(rows: u64) -> Left {
        [(Some("a".to_owned()), rows)].into()
    }

    fn moved(rows: u64) -> BTreeMap<String, u64> {
        [("a".to_owned(), rows)].into()
    }

    #[test]
    fn there_is_no_total_before_somebody_counted() {
        let mut tally = Tally::default();
        assert_eq!(tally.rows(), (0, None));
        tally.ended(moved(50));
        assert_eq!(tally.rows(), (50, None));
        tally.counted(tally.moment(), left(100));
        assert_eq!(tally.rows(), (50, Some(150)));
    }

    #[test]
    fn rows_move_while_a_round_runs_and_the_total_stays() {
        let mut tally = Tally::default();
        let rows: Vec<_> = [8000, 7900, 7000]
            .map(|rows| {
                tally.counted(tally.moment(), left(rows));
                tally.rows()
            })
            .into();
        assert_eq!(rows, [(0, Some(8000)), (100, Some(8000)), (1000, Some(8000))]);
        tally.ended(moved(1000));
        assert_eq!(tally.rows(), (1000, Some(8000)));
        tally.counted(tally.moment(), left(6500));
        assert_eq!(tally.rows(), (1500, Some(8000)));
    }

    #[test]
    fn a_count_that_comes_after_the_end_of_its_round_takes_off_what_was_moved_since() {
        let mut tally = Tally::default();
        let began = tally.moment();
        tally.ended(moved(1000));
        tally.counted(began, left(8000));
        assert_eq!(tally.rows(), (1000, Some(8000)));
    }

    #[test]
    fn migrations_that_no_query_counts_add_to_both() {
        let mut tally = Tally::default();
        tally.counted(tally.moment(), left(10));
        tally.ended([("b".to_owned(), 500)].into());
        tally.counted(tally.moment(), left(10));
        assert_eq!(tally.rows(), (500, Some(510)));
    }

    #[test]
    fn a_command_that_moves_nothing_and_says_otherwise_is_found_out_after_three_rounds() {
        let mut tally = Tally::default();
        for round in 0..3 {
            tally.counted(tally.moment(), left(700));
            assert_eq!(tally.unmoved(), None, "after {round}");
            tally.ended(moved(50));
        }
        assert_eq!(tally.unmoved(), None, "nobody has counted since");
        tally.counted(tally.moment(), left(700));
        assert_eq!(tally.unmoved(), Some(Unmoved { migration: "a".into(), left: 700, rounds: 3 }));
    }

    #[test]
    fn other_migrations_may_move_rows_that_nobody_counts() {
        let mut tally = Tally::default();
        for _ in 0..20 {
            tally.counted(tally.moment(), left(700));
            tally.ended([("a".to_owned(), 0), ("b".to_owned(), 50)].into());
            assert_eq!(tally.unmoved(), None);
        }
    }

    proptest! {
        /// Whatever is counted and reported, in whatever order.
        #[test]
        fn nothing_is_moved_beyond_the_total(acts in proptest::collection::vec((any::<bool>(), 0u64..10_000, 0usize..4), 0..60)) {
            let mut tally = Tally::default();
            let mut moments = vec![tally.moment()];
            for (counts, rows, ago) in acts {
                if counts {
                    let began = moments[moments.len() - 1 - ago.min(moments.len() - 1)];
                    tally.counted(began, left(rows));
                } else {
                    tally.ended(moved(rows));
                }
                moments.push(tally.moment());
                let (done, total) = tally.rows();
                prop_assert!(total.is_none_or(|total| done <= total), "{done} of {total:?}");
                let _ = tally.unmoved();
            }
            prop_assert!(tally.counts.len() <= REMEMBERED && tally.reports.len() <= REMEMBERED);
        }

        /// A command that moves what it reports, counted at any moment, even in the middle of rounds.
        #[test]
        fn a_healthy_migration_is_never_called_unmoved(rounds in proptest::collection::vec((1u64..100, any::<bool>(), any::<bool>()), 1..40)) {
            let mut rows: u64 = rounds.iter().map(|(rows, ..)| rows).sum();
            let mut tally = Tally::default();
            for (batch, early, midst) in rounds {
                if early {
                    tally.counted(tally.moment(), left(rows));
                }
                if midst {
                    tally.counted(tally.moment(), left(rows - batch / 2));
                }
                prop_assert_eq!(tally.unmoved(), None);
                rows -= batch;
                tally.ended(moved(batch));
            }
            tally.counted(tally.moment(), left(rows));
            prop_assert_eq!(tally.unmoved(), None);
            prop_assert_eq!(tally.rows().1, Some(tally.rows().0));
        }
    }
}
