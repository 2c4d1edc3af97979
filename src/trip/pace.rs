//! How many rows a batch has: as many as fit into a time.

use std::time::Duration;

/// What the first batch has.
const FIRST: u64 = 1_000;
/// What a batch never has fewer of, unless fewer are left.
const LEAST: u64 = 10;
/// What a batch never has more of: above a thousand it is hardly any faster, and each row stays locked until its end.
const MOST: u64 = 10_000;
/// The same for each of two workers: a row that somebody wants to write is locked twice as often.
const MOST_OF_TWO: u64 = 4_000;

/// The size of batches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    target: Duration,
    rows: f64,
    most: u64,
}

impl Pace {
    /// Batches that should each take `target`, by one of so many workers.
    pub(super) fn new(target: Duration, workers: usize) -> Self {
        Self { target, rows: FIRST as f64, most: if workers > 1 { MOST_OF_TWO } else { MOST } }
    }

    /// How many rows the next batch may have.
    pub(super) fn rows(&self) -> u64 {
        (self.rows as u64).clamp(LEAST, self.most)
    }

    /// A batch of `rows` took so long. The next one may be at most half as large again, and as small as it must.
    pub(super) fn took(&mut self, rows: u64, time: Duration) {
        // A batch that ended its part says little: most of it was looking.
        if rows < self.rows() / 2 {
            return;
        }
        let fits = rows as f64 * self.target.as_secs_f64() / time.as_secs_f64().max(1e-6);
        self.rows = fits.min(self.rows * 1.5).clamp(LEAST as f64, self.most as f64);
    }

    /// A lock was in the way: fewer rows are in fewer ways.
    pub(super) fn shrink(&mut self) {
        self.rows = (self.rows / 2.0).max(LEAST as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn batches_grow_until_they_take_their_time() {
        let mut pace = Pace::new(Duration::from_millis(100), 1);
        let mut sizes = vec![pace.rows()];
        for _ in 0..8 {
            // 30,000 rows a second.
            let rows = pace.rows();
            pace.took(rows, Duration::from_secs_f64(rows as f64 / 30_000.0));
            sizes.push(pace.rows());
        }
        assert_eq!(sizes, [1_000, 1_500, 2_250, 3_000, 3_000, 3_000, 3_000, 3_000, 3_000]);
    }

    proptest! {
        #[test]
        fn a_batch_is_never_empty_nor_too_large(events in proptest::collection::vec((0u64..20_000, 0u64..10_000_000, any::<bool>()), 0..40)) {
            let mut pace = Pace::new(Duration::from_millis(100), 1);
            for (rows, micros, shrink) in events {
                let before = pace.rows();
                if shrink { pace.shrink() } else { pace.took(rows, Duration::from_micros(micros)) }
                prop_assert!((LEAST..=MOST).contains(&pace.rows()));
                prop_assert!(pace.rows() <= before + before / 2 + 1);
                prop_assert!(!shrink || pace.rows() <= before);
            }
        }

        #[test]
        fn a_batch_that_took_too_long_is_followed_by_a_smaller_one(micros in 100_001u64..100_000_000) {
            let mut pace = Pace::new(Duration::from_millis(100), 1);
            let rows = pace.rows();
            pace.took(rows, Duration::from_micros(micros));
            prop_assert!(pace.rows() <= rows);
            let next = Duration::from_secs_f64(micros as f64 / 1e6 / rows as f64 * pace.rows() as f64);
            prop_assert!(pace.rows() == LEAST || next <= Duration::from_millis(101), "{next:?}");
        }
    }
}
