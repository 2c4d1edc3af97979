//! Why a command ends early: the exit code, and what the operator is told.

use super::exit::Exit;
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

    /// Reasons not to begin.
    pub(super) fn refused(refusals: Vec<Refusal>) -> Self {
        Self { exit: Exit::Refused, cause: Cause::Refused(refusals) }
    }

    /// A mistake in leapfrog, or a machine that cannot carry it.
    pub(super) fn internal(error: anyhow::Error) -> Self {
        Self { exit: Exit::Internal, cause: Cause::Error(error) }
    }
}

impl From<crate::journal::StoreError> for Stop {
    fn from(error: crate::journal::StoreError) -> Self {
        let exit = match &error {
            crate::journal::StoreError::Locked { .. } => Exit::Locked,
            crate::journal::StoreError::NoRun { .. } | crate::journal::StoreError::Disk { .. } => Exit::Usage,
            crate::journal::StoreError::Journal(_) => Exit::Refused,
        };
        Self { exit, cause: Cause::Error(error.into()) }
    }
}

impl From<crate::journal::JournalError> for Stop {
    fn from(error: crate::journal::JournalError) -> Self {
        crate::journal::StoreError::from(error).into()
    }
}
