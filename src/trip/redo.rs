//! Whether MariaDB's redo log has room for a walk.
//!
//! A redo log that is full is flushed before anybody writes on: MariaDB 10.11 with its usual 96 MiB let everybody wait for some
//! 50 ms after every 10 MB, twice a second, whoever wrote them and however many rows a batch had. With 1 GiB 99 of
//! 100 writes took 7 ms at most (`make bench-trip`).

/// What the redo log takes in for a row: 125 bytes were measured, with a key of 32 characters.
const ROW: u64 = 150;
/// What is wanted at least, and at most: a log takes as much room on the disk, and time after a crash.
const LEAST: u64 = 1 << 30;
const MOST: u64 = 16 << 30;

/// How many bytes the log should have for so many rows, if it has too few. Four fifths of it are used before it is flushed.
pub(super) fn wanted(log: u64, rows: u64) -> Option<u64> {
    let needed = rows.saturating_mul(ROW).saturating_mul(5) / 4;
    let wanted = needed.min(MOST).next_power_of_two().max(LEAST);
    (needed > log && wanted > log).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_log_that_a_walk_fills_should_be_larger() {
        assert_eq!(wanted(96 << 20, 2_000_000), Some(1 << 30));
        assert_eq!(wanted(96 << 20, 400_000), None, "it fits");
        assert_eq!(wanted(1 << 30, 2_000_000), None);
        assert_eq!(wanted(1 << 30, 20_000_000), Some(4 << 30));
        assert_eq!(wanted(16 << 30, u64::MAX), None, "there is an end to it");
    }

    proptest! {
        #[test]
        fn what_is_wanted_is_wanted_no_more(log in 1u64.., rows in any::<u64>()) {
            if let Some(more) = wanted(log, rows) {
                prop_assert!(more > log && more.is_power_of_two() && (LEAST..=MOST).contains(&more));
                prop_assert_eq!(wanted(more, rows), None);
            }
        }
    }
}
