//! When to wait: what a server and its replicas may be like while rows are touched.

use std::time::Duration;

use crate::database::{Lag, Load};

/// A Galera cluster that held writers back for more than this part of the time is too busy.
const HELD_BACK: f64 = 0.1;

/// What is not waited for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// How far a replica may be behind, in seconds.
    pub lag: f64,
    /// How many sessions may work at once.
    pub running: u64,
    /// How many sessions may wait for locks.
    pub lock_waits: u64,
}

impl Limits {
    /// What is usual.
    pub const USUAL: Self = Self { lag: 5.0, running: 64, lock_waits: 8 };

    /// Why to wait for a server that is so busy; nothing if it is not. `before`: what it was like so long ago.
    pub(super) fn server(&self, load: &Load, before: Option<(&Load, Duration)>) -> Option<String> {
        if load.running > self.running {
            return Some(format!("{} sessions work, and {} may", load.running, self.running));
        }
        if load.lock_waits > self.lock_waits {
            return Some(format!("{} sessions wait for locks, and {} may", load.lock_waits, self.lock_waits));
        }
        if let (Some(now), Some((Some(before), time))) =
            (load.held_back, before.map(|(load, time)| (load.held_back, time)))
            && now.saturating_sub(before) as f64 > HELD_BACK * time.as_nanos() as f64
        {
            return Some("the Galera cluster holds its writers back (flow control)".to_owned());
        }
        let lag = load.standby_lag.filter(|lag| *lag > self.lag)?;
        Some(format!("a standby is {lag:.1} s behind, and {} s are allowed", self.lag))
    }

    /// Why to wait for a replica that is so far behind; nothing if it is not.
    pub(super) fn replica(&self, name: &str, lag: &Lag) -> Option<String> {
        match lag {
            Lag::Seconds(lag) if *lag > self.lag => {
                Some(format!("the replica {name} is {lag:.0} s behind, and {} s are allowed", self.lag))
            }
            Lag::Seconds(_) => None,
            Lag::Stopped(why) => Some(format!("the replica {name} does not replicate: {why}")),
            Lag::None => Some(format!("{name} is no replica: take it out of --replica")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { lag: 5.0, running: 10, lock_waits: 2 };

    #[test]
    fn a_replica_that_is_behind_or_stopped_is_waited_for() {
        let why = |lag| LIMITS.replica("db2:3306", &lag);
        assert_eq!(why(Lag::Seconds(5.0)), None);
        assert_eq!(why(Lag::Seconds(6.0)).expect("behind"), "the replica db2:3306 is 6 s behind, and 5 s are allowed");
        assert!(why(Lag::Stopped("gone".to_owned())).expect("stopped").contains("does not replicate: gone"));
        assert!(why(Lag::None).is_some());
    }

    #[test]
    fn a_cluster_that_holds_writers_back_is_waited_for_while_it_does() {
        let at = |held_back| Load { held_back: Some(held_back), ..Load::default() };
        let second = Duration::from_secs(1);
        assert_eq!(LIMITS.server(&at(9_000_000_000), None), None, "long ago");
        assert_eq!(LIMITS.server(&at(9_000_000_000), Some((&at(8_950_000_000), second))), None);
        assert!(LIMITS.server(&at(9_000_000_000), Some((&at(8_500_000_000), second))).is_some());
    }

    proptest! {
        #[test]
        fn only_what_is_above_its_limit_is_waited_for(running in 0u64..20, lock_waits in 0u64..5, lag in 0.0f64..10.0) {
            let load = Load { running, lock_waits, held_back: None, standby_lag: Some(lag) };
            let waits = LIMITS.server(&load, None).is_some();
            prop_assert_eq!(waits, running > 10 || lock_waits > 2 || lag > 5.0);
        }
    }
}
