//! How many rows the next round of a data migration may move: pure.
//!
//! A round costs a command's start-up, 2 s for nova and much more where an image is not byte-compiled, and
//! shows nothing for certain until it ends. So rounds are as long as the operator wants them, or longer
//! where start-up would take more than a twentieth of the time. How fast rows move is measured, never
//! assumed: nova moves 165 to 185 a second whatever the size of the round, placement thousands.

use std::time::Duration;

/// The fewest rows of a round, unless the playbook begins with fewer.
const FEWEST: u64 = 50;

/// The most rows of a round.
const MOST: u64 = 1_000_000;

/// How much larger or smaller a round may be than the one before.
const STEP: u64 = 4;

/// A round is this many times as long as the start-up of its command.
const START_UPS: u32 = 20;

/// But never more than this many times as long as it should be.
const STRETCH: u32 = 4;

/// A round as it was measured from its launch to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured {
    /// The most rows that it was told to move.
    pub(super) count: u64,
    /// The rows that it moved.
    pub(super) moved: u64,
    /// How long it took.
    pub(super) took: Duration,
}

/// How long the command takes before it moves the first row: what a round took that moved nothing, else
/// where the line through the smallest and the largest round meets no rows; unknown where rounds are too
/// much alike.
pub(super) fn start_up(rounds: &[Measured]) -> Option<Duration> {
    let shortest = rounds.iter().map(|round| round.took).min()?;
    let idle = rounds.iter().filter(|round| round.moved == 0).map(|round| round.took).min();
    let line = || {
        let moving = || rounds.iter().filter(|round| round.moved > 0);
        let small = moving().min_by_key(|round| round.moved)?;
        let large = moving().max_by_key(|round| round.moved)?;
        if large.moved < small.moved.saturating_mul(2) || large.took <= small.took {
            return None;
        }
        let a_row = (large.took - small.took).as_secs_f64() / (large.moved - small.moved) as f64;
        Duration::try_from_secs_f64((small.took.as_secs_f64() - a_row * small.moved as f64).max(0.0)).ok()
    };
    // Some of the shortest round was work.
    idle.or_else(line).map(|start_up| start_up.min(shortest.mul_f64(0.9)))
}

/// Rows a second of the work alone.
pub(super) fn rate(round: &Measured, start_up: Duration) -> f64 {
    round.moved as f64 / round.took.saturating_sub(start_up).as_secs_f64().max(0.001)
}

/// The most rows of the next round, after `rounds` of this attempt that were measured. The first takes the
/// playbook's `first`; later ones are to take `target`.
pub(super) fn next_count(rounds: &[Measured], first: u64, target: Duration) -> u64 {
    let fewest = FEWEST.min(first).max(1);
    let first = first.clamp(fewest, MOST);
    let Some(last) = rounds.last() else { return first };
    let measured = start_up(rounds);
    let start_up = measured.unwrap_or_default();
    let length = target.max((start_up * START_UPS).min(target.saturating_mul(STRETCH)));
    // A round that found less to do than it was allowed to says nothing about a larger one; one that took
    // much too long for it does.
    if last.moved == 0 || (last.moved < last.count / 2 && last.took <= length.saturating_mul(2)) {
        return last.count.clamp(fewest, MOST);
    }
    let work = length.saturating_sub(start_up).as_secs_f64();
    // Floats saturate when they become integers.
    let count = (rate(last, start_up) * work) as u64;
    // Rounds of one size would never tell the start-up from the work.
    let probe = measured.is_none() && last.took <= length.saturating_mul(2);
    let least = if probe { last.count.saturating_mul(2) } else { last.count / STEP };
    let most = last.count.saturating_mul(STEP);
    count.clamp(least, most).clamp(fewest, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TARGET: Duration = Duration::from_secs(30);

    /// A migration of so many rows a second after a start-up.
    fn run(rows: u64, rate: f64, start_up: f64, target: Duration) -> Vec<Measured> {
        let mut rounds = Vec::new();
        let mut left = rows;
        loop {
            let count = next_count(&rounds, 1000, target);
            let moved = left.min(count);
            left -= moved;
            rounds.push(Measured { count, moved, took: Duration::from_secs_f64(start_up + moved as f64 / rate) });
            if moved == 0 {
                return rounds;
            }
        }
    }

    #[test]
    fn novas_rounds_grow_until_start_up_is_a_twentieth() {
        let rounds = run(60_000, 175.0, 1.9, TARGET);
        let counts: Vec<u64> = rounds.iter().map(|round| round.count).collect();
        assert_eq!(counts[0], 1000);
        assert!((3000..=4000).contains(&counts[1]), "{counts:?}");
        assert!((6000..=6600).contains(&counts[3]), "{counts:?}");
        let (all, starts) =
            (rounds.iter().map(|round| round.took.as_secs_f64()).sum::<f64>(), 1.9 * rounds.len() as f64);
        assert!(starts / all < 0.07, "{starts} of {all} s were start-up");
    }

    #[test]
    fn a_round_that_was_held_up_once_does_not_make_rounds_tiny() {
        let mut rounds = run(20_000, 175.0, 1.9, TARGET);
        rounds.retain(|round| round.moved == round.count);
        let before = rounds[rounds.len() - 1].count;
        rounds.push(Measured { count: before, moved: before, took: Duration::from_secs(3600) });
        assert!(next_count(&rounds, 1000, TARGET) >= before / STEP);
    }

    #[test]
    fn a_playbook_that_begins_small_may_stay_small() {
        let slow = Measured { count: 5, moved: 5, took: Duration::from_secs(500) };
        assert_eq!(next_count(&[slow], 5, TARGET), 5);
        assert_eq!(next_count(&[], 0, TARGET), 1);
    }

    fn measured() -> impl Strategy<Value = Measured> {
        (1u64..=MOST, 0u64..=MOST, 0u64..10_000_000).prop_map(|(count, moved, millis)| Measured {
            count,
            moved: moved.min(count),
            took: Duration::from_millis(millis),
        })
    }

    proptest! {
        #[test]
        fn a_count_stays_within_its_limits(rounds in proptest::collection::vec(measured(), 0..12), first in 0u64..=MOST, target in 1u64..100_000) {
            let next = next_count(&rounds, first, Duration::from_secs(target));
            prop_assert!(next >= FEWEST.min(first).max(1) && next <= MOST, "{next}");
            if let Some(last) = rounds.last() {
                prop_assert!(next <= last.count.saturating_mul(STEP).max(FEWEST), "{next} after {}", last.count);
            }
        }

        #[test]
        fn a_steady_migration_finds_its_length(rate in 3.0f64..20_000.0, start_up in 0.1f64..10.0, target in 5u64..300) {
            let target = Duration::from_secs(target);
            let rounds = run(4_000_000, rate, start_up, target);
            let full: Vec<&Measured> = rounds.iter().filter(|round| round.moved == round.count).collect();
            let Some(last) = full.iter().rev().find(|round| round.count < MOST) else { return Ok(()) };
            let wanted = target.as_secs_f64().max((20.0 * start_up).min(4.0 * target.as_secs_f64()));
            let took = last.took.as_secs_f64();
            // Rounds that are still growing are shorter; those at the fewest rows may be longer.
            prop_assert!(took <= wanted * 1.3 + start_up || last.count == FEWEST, "{took} s, wanted {wanted} s");
            prop_assert!(took >= wanted * 0.7 || full.len() < 12, "{took} s, wanted {wanted} s");
        }

        #[test]
        fn start_up_is_found_from_rounds_of_two_sizes(rate in 10.0f64..10_000.0, start_up in 0.1f64..60.0) {
            let round = |moved: u64| Measured { count: moved, moved, took: Duration::from_secs_f64(start_up + moved as f64 / rate) };
            let found = super::start_up(&[round(1000), round(4000)]).expect("two sizes").as_secs_f64();
            let most = (start_up + 1000.0 / rate) * 0.9;
            prop_assert!((found - start_up.min(most)).abs() < 0.01, "{found} for {start_up}");
        }
    }
}
