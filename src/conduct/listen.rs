//! What matters of a command's output, while it passes.

use std::collections::VecDeque;

use crate::readers::{CheckReader, CountReader, ExceptionReader};

/// How many of the last lines of output a failure repeats.
const LAST_LINES: usize = 12;

/// Remembers what matters of a command's output.
#[derive(Debug)]
pub(super) struct Listener<'a> {
    failure_texts: &'a [String],
    /// Reads the counts of a data migration, where the command is one. Names in it may hold secrets.
    pub(super) counts: Option<CountReader>,
    /// Reads what the release's own checks say, where the command runs them. Their details may hold secrets.
    pub(super) checks: Option<CheckReader>,
    /// Finds the exceptions that migrations raise.
    pub(super) exceptions: ExceptionReader,
    /// The last lines that are not blank.
    pub(super) last_lines: VecDeque<String>,
    /// The first line that holds a text which means failure.
    pub(super) alarm: Option<String>,
}

impl<'a> Listener<'a> {
    /// A listener that has heard nothing.
    pub(super) fn new(failure_texts: &'a [String], counts: Option<CountReader>) -> Self {
        Self {
            failure_texts,
            counts,
            checks: None,
            exceptions: ExceptionReader::default(),
            last_lines: VecDeque::new(),
            alarm: None,
        }
    }

    /// A listener to the release's own checks.
    pub(super) fn to_checks() -> Self {
        Self { checks: Some(CheckReader::new()), ..Self::new(&[], None) }
    }

    /// Takes in one line: `told` as the command wrote it, `shown` without secrets. What is looked for is
    /// looked for in the first, so that a password which is also a common word hides nothing of it; what is
    /// kept is of the second.
    pub(super) fn hear(&mut self, told: &str, shown: &str) {
        if let Some(counts) = &mut self.counts {
            counts.line(told);
        }
        if let Some(checks) = &mut self.checks {
            checks.line(told);
        }
        self.exceptions.line(shown);
        if self.alarm.is_none() && self.failure_texts.iter().any(|failure| told.contains(failure.as_str())) {
            self.alarm = Some(shown.to_owned());
        }
        if !shown.trim().is_empty() {
            if self.last_lines.len() == LAST_LINES {
                self.last_lines.pop_front();
            }
            self.last_lines.push_back(shown.to_owned());
        }
    }
}
