//! Exit codes: a contract with whoever calls leapfrog.

/// How leapfrog ends, as a number. The table in `--help`, the README and this list are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything that was asked for is done.
    Done = 0,
    /// A mistake in leapfrog itself.
    Internal = 1,
    /// A mistake in the arguments or in a document.
    Usage = 2,
    /// Refused before anything was touched.
    Refused = 3,
    /// A step failed, and the same command goes on once the cause is mended; or `verify` disproved a claim.
    Failed = 4,
    /// A data migration cannot get on with rows that are left.
    Stuck = 5,
    /// Another leapfrog works on this cloud.
    Locked = 6,
    /// Stopped because it was asked to; the same command goes on.
    Interrupted = 7,
    /// `lint` found what it denies.
    Findings = 8,
}

impl Exit {
    /// Every way to end, in the order of its number.
    pub const ALL: [Self; 9] = [
        Self::Done,
        Self::Internal,
        Self::Usage,
        Self::Refused,
        Self::Failed,
        Self::Stuck,
        Self::Locked,
        Self::Interrupted,
        Self::Findings,
    ];

    /// What it means, in a line.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Internal => "an error in leapfrog itself: please report it",
            Self::Usage => "a mistake in the arguments or in a file: nothing was touched",
            Self::Refused => "refused: no database was touched; the reasons say what to do next",
            Self::Failed => "a step failed, or verify found no proof: mend the cause, then run the same command again",
            Self::Stuck => "a data migration is stuck: look at its rows, then run the same command again",
            Self::Locked => "locked: another leapfrog works on this cloud",
            Self::Interrupted => "interrupted: the same command continues",
            Self::Findings => {
                "lint found what it denies: no database was touched; --explain RULE says what a rule is about"
            }
        }
    }

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The table of `--help`.
    pub fn table() -> String {
        let lines = Self::ALL.map(|exit| format!("  {}  {}", exit.code(), exit.meaning()));
        format!("Exit codes:\n{}", lines.join("\n"))
    }
}
