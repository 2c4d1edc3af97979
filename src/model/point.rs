//! Restore points: before which hops they are taken, and how far they are proved.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Before which hops of a leap its databases are dumped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PointPolicy {
    /// Before each hop.
    #[default]
    EveryHop,
    /// Before the first hop.
    Start,
    /// Never: there is no way back but the operator's own.
    None,
}

/// How a dump is proved, once it is on the disk.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum PointProof {
    /// It is not brought back anywhere: its checksum and the client's exit code are all there is.
    Off,
    /// Brought back into a scratch database: tables, definitions, heads and row counts of every table must
    /// agree, contents of those that are small.
    Sample,
    /// The same, and the contents of every table.
    #[default]
    Full,
}

impl fmt::Display for PointProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Off => "off",
            Self::Sample => "sample",
            Self::Full => "full",
        })
    }
}

/// Which restore points a plan holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Points {
    /// Before which hops.
    pub policy: PointPolicy,
    /// How they are proved.
    pub proof: PointProof,
}

impl Points {
    /// No restore points at all.
    pub const NONE: Self = Self { policy: PointPolicy::None, proof: PointProof::Off };

    /// Whether there is one before the hop at this place of the path, from 0.
    pub fn before(self, hop: usize) -> bool {
        match self.policy {
            PointPolicy::EveryHop => true,
            PointPolicy::Start => hop == 0,
            PointPolicy::None => false,
        }
    }
}
