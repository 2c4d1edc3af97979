//! Steps: their identity, their phase, and what may be done when one was cut off.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{IdentifierError, Series, SeriesError, Service, Slot};

/// The part of a lane a step belongs to. Every lane goes through them in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Dumps, so that there is a way back.
    Save,
    /// Looks before anything changes.
    Check,
    /// Schema changes that add.
    Expand,
    /// Data is moved.
    Migrate,
    /// Schema changes that remove.
    Contract,
    /// Looks at what was reached.
    Verify,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Save => "save",
            Self::Check => "check",
            Self::Expand => "expand",
            Self::Migrate => "migrate",
            Self::Contract => "contract",
            Self::Verify => "verify",
        })
    }
}

/// One of the two branches that a schema can be migrated in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Branch {
    /// Adds: the release before still works on the schema.
    Expand,
    /// Removes what the release no longer reads.
    Contract,
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Expand => "expand",
            Self::Contract => "contract",
        })
    }
}

/// What may be done with a step that began and whose end nobody saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Changes nothing: run it again.
    ReadOnly,
    /// Running it again ends in the same state.
    Idempotent,
    /// Must not be run twice: halt and ask.
    Once,
}

/// Where a line of a command's output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Which step of which lane of which hop: `2023.2/nova/db-sync@cell1`. Unique within a plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct StepId {
    /// The hop.
    pub series: Series,
    /// The lane.
    pub service: Service,
    /// The step's name in the playbook.
    pub name: Slot,
    /// Which database, where the step is taken for each of several.
    pub target: Option<Slot>,
}

/// A text that names no step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepIdError {
    /// The wrong number of parts.
    #[error("`{0}` is not a step: write it like 2023.2/nova/db-sync or 2023.2/nova/db-sync@cell1")]
    Form(String),
    /// The first part is no series.
    #[error(transparent)]
    Series(#[from] SeriesError),
    /// Another part is no name.
    #[error(transparent)]
    Name(#[from] IdentifierError),
}

impl StepId {
    /// The name of the steps that take restore points, in every plan.
    pub const RESTORE_POINT: &'static str = "restore-point";

    /// The step's name within its lane: `db-sync@cell1`.
    pub fn short(&self) -> String {
        match &self.target {
            Some(target) => format!("{}@{target}", self.name),
            None => self.name.to_string(),
        }
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}/{}", self.series, self.service, self.short()))
    }
}

impl FromStr for StepId {
    type Err = StepIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let [series, service, step] = parts[..] else {
            return Err(StepIdError::Form(text.to_owned()));
        };
        let (name, target) = match step.split_once('@') {
            Some((name, target)) => (name, Some(target.parse()?)),
            None => (step, None),
        };
        Ok(Self { series: series.parse()?, service: service.parse()?, name: name.parse()?, target })
    }
}

impl TryFrom<String> for StepId {
    type Error = StepIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<StepId> for String {
    fn from(id: StepId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_step_id_round_trips_through_text(
            series in "(20[0-9]{2}\\.[12]|[a-z]{1,9})", service in "[a-z][a-z0-9-]{0,9}",
            name in "[a-z][a-z0-9_-]{0,9}", target in proptest::option::of("[a-z][a-z0-9]{0,9}"),
        ) {
            let text = format!("{series}/{service}/{name}{}", target.map(|t| format!("@{t}")).unwrap_or_default());
            prop_assert_eq!(text.parse::<StepId>().expect("valid").to_string(), text);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,40}") {
            let _ = text.parse::<StepId>();
        }
    }
}
