//! What a command's exit code means.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What an exit code says of a command. A claim, until evidence supports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The work is complete.
    Done,
    /// Some work was done and more is left: run the command again.
    More,
    /// Work is left and the command cannot get on with it.
    Stuck,
    /// The command failed.
    Failed,
    /// Complete, with something the operator should read.
    Warning,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Done => "done",
            Self::More => "more",
            Self::Stuck => "stuck",
            Self::Failed => "failed",
            Self::Warning => "warning",
        })
    }
}

/// Exit codes and their verdicts; a code that is not named means failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct ExitTable(pub BTreeMap<u8, Verdict>);

impl ExitTable {
    /// The verdict on `code`. Codes outside 0–255 (a signal, a runtime's own) are failures.
    pub fn verdict(&self, code: i64) -> Verdict {
        u8::try_from(code).ok().and_then(|code| self.0.get(&code).copied()).unwrap_or(Verdict::Failed)
    }

    /// Whether some code ends the command well.
    pub fn can_end(&self) -> bool {
        self.0.values().any(|verdict| matches!(verdict, Verdict::Done | Verdict::Warning))
    }
}

impl Default for ExitTable {
    /// 0 is done, all else failed.
    fn default() -> Self {
        Self([(0, Verdict::Done)].into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_without_an_entry_is_a_failure_and_so_is_one_no_process_can_return() {
        let table = ExitTable::default();
        assert_eq!(table.verdict(0), Verdict::Done);
        for code in [1, 2, 127, 137, 255, 256, -1, i64::MAX] {
            assert_eq!(table.verdict(code), Verdict::Failed, "code {code}");
        }
    }
}
