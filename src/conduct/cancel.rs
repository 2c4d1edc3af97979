//! The cancel ladder: how far the operator wants a run to be stopped.

/// A request to stop, as it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C: one rung further.
    Interrupt,
    /// SIGTERM: stop the running commands at once.
    Terminate,
    /// The run is no longer the only writer of a database: stop the running commands at once.
    LockLost {
        /// Which lock, and why.
        text: String,
    },
}

/// How far a run is to be stopped. Only ever rises.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopLevel {
    /// Go on.
    #[default]
    None,
    /// Finish what runs, begin nothing.
    Drain,
    /// Stop what runs, with grace.
    Stop,
    /// Leave what runs as it is and exit; it is found again when the run is continued.
    Abandon,
}

impl StopLevel {
    /// The level after `signal`.
    #[must_use]
    pub fn after(self, signal: &Signal) -> Self {
        match (self, signal) {
            (Self::None, Signal::Interrupt) => Self::Drain,
            (Self::None | Self::Drain, Signal::Terminate | Signal::LockLost { .. })
            | (Self::Drain, Signal::Interrupt)
            // Commands that are left running would go on writing without a lock.
            | (Self::Stop, Signal::LockLost { .. }) => Self::Stop,
            (Self::Stop | Self::Abandon, _) => Self::Abandon,
        }
    }

    /// What happens now and what can be done next, for the operator.
    pub fn explain(self) -> &'static str {
        match self {
            Self::None => "running",
            Self::Drain => "stopping after the steps that run now; Ctrl-C again stops them at once",
            Self::Stop => "stopping the running commands; Ctrl-C again leaves them running and exits",
            Self::Abandon => "leaving the running commands as they are; the same command finds them again",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ctrl_c_climbs_one_rung_and_sigterm_begins_on_the_second() {
        let rungs = [StopLevel::Drain, StopLevel::Stop, StopLevel::Abandon, StopLevel::Abandon];
        let mut level = StopLevel::None;
        for rung in rungs {
            level = level.after(&Signal::Interrupt);
            assert_eq!(level, rung);
        }
        assert_eq!(StopLevel::None.after(&Signal::Terminate), StopLevel::Stop);
        assert_eq!(StopLevel::Drain.after(&Signal::Terminate), StopLevel::Stop);
    }
}
