//! Turns an engine's answers into errors that say what is wrong, where, and what to do next.
//!
//! The engine's own words stay available as the error's source. Nothing secret can be among them:
//! credentials travel in a header that engines do not repeat, private files in a body.

use std::io::ErrorKind;

use bollard::errors::Error;

use crate::runner::{RunnerError, RunnerErrorKind};

/// Whether the engine answered that it knows no such thing.
pub(super) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

/// Whether the engine answered at all. If it did not, nobody knows what became of the request.
pub(super) fn is_answer(error: &Error) -> bool {
    matches!(
        error,
        Error::DockerResponseServerError { .. }
            | Error::DockerStreamError { .. }
            | Error::DockerContainerWaitError { .. }
            | Error::JsonDataError { .. }
    )
}

/// Whether the engine answered only that it is about to end, or that its own parts are gone already: a daemon that is
/// restarted does so for a moment (Docker Engine 20.10, containerd 1.6).
pub(super) fn is_leaving(error: &Error) -> bool {
    let words = words(error);
    let leaving =
        ["transport is closing", "error while dialing", "grpc: the client connection is closing", "shutting down"];
    matches!(error, Error::DockerResponseServerError { status_code: 500 | 503, .. })
        && leaving.iter().any(|text| words.contains(text))
}

/// Whether the engine went away, or is about to.
pub(super) fn went_away(error: &Error) -> bool {
    !is_answer(error) || is_leaving(error)
}

/// Whether the engine answered with a container state that the client does not know (Podman has some).
pub(super) fn is_unknown_state(error: &Error) -> bool {
    matches!(error, Error::JsonDataError { message, .. } if message.contains("unknown variant"))
}

/// The engine's message, in one line.
pub(super) fn words(error: &Error) -> String {
    let words = match error {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        Error::DockerStreamError { error } => error.clone(),
        other => other.to_string(),
    };
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An error of this runner's own.
pub(super) fn trouble(kind: RunnerErrorKind, what: impl Into<String>, advice: impl Into<String>) -> RunnerError {
    RunnerError { what: what.into(), advice: advice.into(), kind, source: None }
}

/// How the engine is reached, to tell an unreachable engine from a request that it refused.
#[derive(Debug, Clone)]
pub(super) struct Address(pub(super) String);

impl Address {
    /// The error of a request to the engine; `doing` fits after "failed to …".
    pub(super) fn refused(&self, doing: &str, error: Error) -> RunnerError {
        if !is_answer(&error) {
            return self.unreachable(error);
        }
        RunnerError {
            what: format!("{doing}: {}", words(&error)),
            advice:
                "See the container engine's own log (such as `journalctl -u docker`), then run the same command again."
                    .into(),
            kind: RunnerErrorKind::Other,
            source: Some(Box::new(error)),
        }
    }

    /// The error of an engine that does not answer, or not as an engine would.
    pub(super) fn unreachable(&self, error: Error) -> RunnerError {
        let Self(address) = self;
        let start = "Start it (`systemctl start docker`, or `podman system service`), or name the right address in the cloud \
                     file or in DOCKER_HOST.";
        let certificates = "For an encrypted connection set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the directory with ca.pem, \
                            cert.pem and key.pem.";
        let look = "See whether `docker ps` (or `podman ps`) answers and how busy the machine is, then run the same command again: \
                    what runs already goes on and is found.";
        let user = "Run leapfrog as a user that may use the engine: root, or a member of the group `docker`.";
        let (what, advice) = match (&error, io_kind(&error)) {
            (Error::RequestTimeoutError, _) => {
                (format!("the container engine at {address} did not answer in time"), look)
            }
            (Error::DockerResponseServerError { message, .. }, _) if message.contains("HTTPS server") => {
                (format!("the container engine at {address} wants an encrypted connection"), certificates)
            }
            (leaving, _) if is_leaving(leaving) => {
                (format!("the container engine at {address} is being stopped"), start)
            }
            (answer, _) if is_answer(answer) => {
                (format!("what answers at {address} is no container engine: {}", words(answer)), start)
            }
            (
                Error::CertPathError { path } | Error::CertParseError { path } | Error::CertMultipleKeys { path, .. },
                _,
            ) => {
                let path = path.display();
                (format!("the certificates for the container engine at {address} cannot be read: {path}"), certificates)
            }
            (_, Some(ErrorKind::InvalidData)) => {
                (format!("the container engine at {address} refuses the encrypted connection"), certificates)
            }
            (_, Some(ErrorKind::PermissionDenied)) => {
                (format!("the container engine at {address} may not be used by this user"), user)
            }
            _ => (format!("no container engine answers at {address}"), start),
        };
        let advice = advice.to_owned();
        RunnerError { what, advice, kind: RunnerErrorKind::EngineUnreachable, source: Some(Box::new(error)) }
    }
}

/// The kind of the input/output error at the bottom of an error, if there is one.
fn io_kind(error: &Error) -> Option<ErrorKind> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut kind = None;
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            kind = Some(io.kind());
        }
        cause = error.source();
    }
    kind
}
