//! Whether a data migration slows down without end: pure, and slow to judge.
//!
//! A healthy migration must never be stopped, however slow it is: one that began with cheap rows and goes
//! on with costly ones, one that shares its server with a backup, one whose every round scans a little
//! more than the last. So all of this must hold of the last five rounds: they moved rows, each took at
//! least as long as a round should, each was slower than a tenth of the best, and each was at least a tenth
//! slower than the one before it. Rounds that merely differ never look like that.

use std::time::Duration;

use super::pace::{Measured, rate, start_up};

/// How many rounds in a row must look bad.
const ROUNDS: usize = 5;

/// A round is slow below this part of the best rate.
const SLOW: f64 = 0.1;

/// And falls if it is below this part of the one before.
const FALLS: f64 = 0.9;

/// How far it has come with a migration that slows down without end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Slowing {
    /// Rows a second in the best round.
    pub(super) best: f64,
    /// Rows a second in the last round.
    pub(super) now: f64,
    /// For how many rounds it has been falling.
    pub(super) rounds: usize,
}

/// Whether these rounds, of which each should take `target`, slow down without end.
pub(super) fn slowing(rounds: &[Measured], target: Duration) -> Option<Slowing> {
    let start_up = start_up(rounds).unwrap_or_default();
    let moving: Vec<&Measured> = rounds.iter().filter(|round| round.moved > 0).collect();
    let rates: Vec<f64> = moving.iter().map(|round| rate(round, start_up)).collect();
    let best = rates.iter().copied().fold(0.0, f64::max);
    let first = rates.len().checked_sub(ROUNDS).filter(|first| *first > 0)?;
    let bad = (first..rates.len())
        .all(|at| moving[at].took >= target && rates[at] <= best * SLOW && rates[at] <= rates[at - 1] * FALLS);
    bad.then(|| Slowing { best, now: rates[rates.len() - 1], rounds: ROUNDS })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const TARGET: Duration = Duration::from_secs(30);

    /// Rounds of at least a minute with these rates.
    fn rounds(rates: &[f64]) -> Vec<Measured> {
        let round = |rate: &f64| {
            let moved = ((rate * 60.0).round() as u64).max(1);
            Measured { count: moved, moved, took: Duration::from_secs_f64(2.0 + (moved as f64 / rate).max(60.0)) }
        };
        rates.iter().map(round).collect()
    }

    /// Whether any beginning of these rounds is called slowing.
    fn stops(rounds: &[Measured]) -> bool {
        (0..=rounds.len()).any(|end| slowing(&rounds[..end], TARGET).is_some())
    }

    #[test]
    fn a_migration_that_halves_its_speed_with_every_round_is_found_out() {
        let rates: Vec<f64> = (0..12).map(|n| 1000.0 / f64::from(1u32 << n)).collect();
        assert!(stops(&rounds(&rates)));
        assert!(!stops(&rounds(&rates[..7])), "five slow rounds are not there yet");
    }

    #[test]
    fn a_migration_whose_every_round_scans_more_is_let_alone() {
        let rates: Vec<f64> = (1..200).map(|n| 1000.0 / f64::from(n)).collect();
        assert!(!stops(&rounds(&rates)));
    }

    #[test]
    fn rounds_that_are_over_quickly_are_never_too_slow() {
        let quick = |n: u32| Measured { count: 1000, moved: 1000 >> n, took: Duration::from_secs(3) };
        assert!(!stops(&(0..10).map(quick).collect::<Vec<_>>()));
    }

    proptest! {
        #[test]
        fn speeds_within_a_factor_of_ten_are_healthy(rates in vec(11.0f64..100.0, 0..40)) {
            prop_assert!(!stops(&rounds(&rates)));
        }

        #[test]
        fn costly_rows_after_cheap_ones_are_healthy_with_a_fifth_of_noise(
            fast in 500.0f64..5000.0,
            slow in 0.5f64..5.0,
            noise in vec(0.8f64..1.2, 1..40),
        ) {
            let mut rates = vec![fast; 3];
            rates.extend(noise.iter().map(|noise| slow * noise));
            prop_assert!(!stops(&rounds(&rates)));
        }

        #[test]
        fn a_backup_beside_it_is_no_reason(rate in 50.0f64..500.0, during in 1usize..20) {
            let mut rates = vec![rate; 4];
            rates.extend(vec![rate / 50.0; during]);
            rates.extend(vec![rate; 4]);
            prop_assert!(!stops(&rounds(&rates)));
        }

        #[test]
        fn a_steady_fall_is_found_before_long(begin in 100.0f64..1000.0, fall in 0.3f64..0.8) {
            let rates: Vec<f64> = (0..30).map(|n| begin * fall.powi(n)).collect();
            prop_assert!(stops(&rounds(&rates)));
        }

        #[test]
        fn no_rounds_make_it_panic(rounds in vec((0u64..5, any::<u64>(), 0u64..1_000_000_000), 0..12)) {
            let rounds: Vec<Measured> = rounds
                .into_iter()
                .map(|(count, moved, millis)| Measured { count, moved, took: Duration::from_millis(millis) })
                .collect();
            let _ = slowing(&rounds, TARGET);
        }
    }
}
