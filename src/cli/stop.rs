//! Why a command ends early: the exit code, and what the operator is told.

use std::error::Error;
use std::fmt;

use super::exit::Exit;
use crate::journal::{JournalError, StoreError};
use crate::plan::Refusal;

/// Why a command ends early.
#[derive(Debug)]
pub(super) struct Stop {
    /// The exit code.
    pub(super) exit: Exit,
    /// What happened.
    pub(super) cause: Cause,
}

/// What happened.
#[derive(Debug)]
pub(super) enum Cause {
    /// An error, with what it was about.
    Error(anyhow::Error),
    /// Mistakes in documents, shown with their lines.
    Document(Box<dyn miette::Diagnostic + Send + Sync>),
    /// Reasons not to begin.
    Refused(Vec<Refusal>),
}

impl Stop {
    /// A mistake in the arguments or the configuration.
    pub(super) fn usage(error: anyhow::Error) -> Self {
        Self { exit: Exit::Usage, cause: Cause::Error(error) }
    }

    /// Mistakes in documents.
    pub(super) fn document(diagnostic: impl miette::Diagnostic + Send + Sync + 'static) -> Self {
        Self { exit: Exit::Usage, cause: Cause::Document(Box::new(diagnostic)) }
    }

    /// A file of the state directory that cannot be gone on with.
    pub(super) fn damaged(error: anyhow::Error) -> Self {
        Self { exit: Exit::Refused, cause: Cause::Error(error) }
    }

    /// Reasons not to begin.
    pub(super) fn refused(refusals: Vec<Refusal>) -> Self {
        Self { exit: Exit::Refused, cause: Cause::Refused(refusals) }
    }

    /// A mistake in leapfrog, or a machine that cannot carry it.
    pub(super) fn internal(error: anyhow::Error) -> Self {
        Self { exit: Exit::Internal, cause: Cause::Error(error) }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        let exit = match &error {
            StoreError::Locked { .. } => Exit::Locked,
            StoreError::NoRun { .. } | StoreError::Disk { .. } => Exit::Usage,
            StoreError::Journal(_) => Exit::Refused,
        };
        let error = match error {
            // These say what is wrong with the journal, not what was tried.
            StoreError::Journal(
                error @ (JournalError::Damaged { .. } | JournalError::Newer { .. } | JournalError::Illegal { .. }),
            ) => error.into(),
            tried => FailedTo(tried).into(),
        };
        Self { exit, cause: Cause::Error(error) }
    }
}

/// An error whose text is what follows "failed to", as a sentence.
#[derive(Debug)]
struct FailedTo<E>(E);

impl<E: fmt::Display> fmt::Display for FailedTo<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to {}", self.0)
    }
}

impl<E: Error> Error for FailedTo<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl From<JournalError> for Stop {
    fn from(error: JournalError) -> Self {
        StoreError::from(error).into()
    }
}
