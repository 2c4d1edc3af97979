//! Words for what goes wrong: what, where, and what to do next.

use crate::runner::{RunnerError, RunnerErrorKind};

/// An error of this runner's own.
pub(in crate::runner) fn trouble(
    kind: RunnerErrorKind,
    what: impl Into<String>,
    advice: impl Into<String>,
) -> RunnerError {
    RunnerError { what: what.into(), advice: advice.into(), kind, source: None }
}

/// Adds what the system said.
pub(in crate::runner) trait RunnerErrorExt {
    fn because(self, source: impl std::error::Error + Send + Sync + 'static) -> Self;
}

impl RunnerErrorExt for RunnerError {
    fn because(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..self }
    }
}

/// `text` without the names and passwords that its URLs hold.
pub(super) fn without_credentials(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after.find(|c: char| c == '/' || c.is_whitespace() || "`'\")>".contains(c)).unwrap_or(after.len());
        let (authority, behind) = after.split_at(end);
        shown.push_str(authority.rsplit_once('@').map_or(authority, |(_, host)| host));
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_lets_somebody_in_is_repeated() {
        for (text, shown) in [
            ("see https://me:s3cret@wheels.example/simple/ for it", "see https://wheels.example/simple/ for it"),
            ("`https://token@a.example`, http://b/c@d", "`https://a.example`, http://b/c@d"),
            ("nothing to hide", "nothing to hide"),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
    }
}
