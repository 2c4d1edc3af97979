//! Finds the engine and makes the client for it.
//!
//! The order is that of the usual tools: the cloud file, `DOCKER_HOST`, Docker's sockets, Podman's.
//! Of the sockets the first that accepts a connection is taken, because a machine that moved from
//! one engine to the other keeps the old one's socket file.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};

use super::trouble::{Address, trouble};
use crate::runner::{RunnerError, RunnerErrorKind};

/// How long the engine may take until it begins to answer a request.
const PATIENCE: Duration = Duration::from_secs(120);

/// The client of the engine at `socket`, or at the usual places, and the address it has.
pub(super) fn connect(socket: Option<&str>) -> Result<(Docker, Address), RunnerError> {
    let address = match socket {
        Some(socket) => socket.to_owned(),
        None => variable("DOCKER_HOST").unwrap_or_else(usual_socket),
    };
    let client = if let Some(path) =
        address.strip_prefix("unix://").or_else(|| address.starts_with('/').then_some(&*address))
    {
        Docker::connect_with_unix(path, PATIENCE.as_secs(), API_DEFAULT_VERSION)
    } else if address.starts_with("tcp://") || address.starts_with("http://") || address.starts_with("https://") {
        match certificates() {
            Some(directory) => with_tls(&address, &directory),
            None if address.starts_with("https://") => {
                let home = variable("HOME").map(PathBuf::from).unwrap_or_default();
                with_tls(&address, &home.join(".docker"))
            }
            None => Docker::connect_with_http(&address, PATIENCE.as_secs(), API_DEFAULT_VERSION),
        }
    } else {
        return Err(trouble(
            RunnerErrorKind::EngineUnreachable,
            format!("`{address}` is no address of a container engine that leapfrog can reach"),
            "Write unix:///PATH or tcp://HOST:PORT. An engine behind ssh can be reached through a forwarded socket: \
             `ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock HOST`.",
        ));
    };
    let address = Address(if address.starts_with('/') { format!("unix://{address}") } else { address });
    match client {
        Ok(client) => Ok((client.with_request_modifier(url_safe_credentials), address)),
        Err(error) => Err(address.unreachable(error)),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where the client's certificates are, if the environment asks for verified TLS as Docker's own client understands it.
fn certificates() -> Option<PathBuf> {
    variable("DOCKER_TLS_VERIFY")?;
    let directory = variable("DOCKER_CERT_PATH").or_else(|| variable("DOCKER_CONFIG")).map(PathBuf::from);
    directory.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".docker")))
}

fn with_tls(address: &str, directory: &Path) -> Result<Docker, bollard::errors::Error> {
    // Without a default provider the client panics. An error here means that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let file = |name: &str| directory.join(name);
    let (key, certificate, authority) = (file("key.pem"), file("cert.pem"), file("ca.pem"));
    Docker::connect_with_ssl(address, &key, &certificate, &authority, PATIENCE.as_secs(), API_DEFAULT_VERSION)
}

/// The first socket that accepts a connection; else the first that exists, for its error; else Docker's.
fn usual_socket() -> String {
    let session = variable("XDG_RUNTIME_DIR").map(PathBuf::from);
    let of_session = |name: &str| session.as_ref().map(|directory| directory.join(name));
    let sockets: Vec<PathBuf> = [
        Some(PathBuf::from("/var/run/docker.sock")),
        of_session("docker.sock"),
        of_session("podman/podman.sock"),
        Some(PathBuf::from("/run/podman/podman.sock")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let answering = sockets.iter().find(|socket| UnixStream::connect(socket).is_ok());
    let existing = || sockets.iter().find(|socket| socket.exists());
    let socket = answering.or_else(existing).unwrap_or(&sockets[0]);
    format!("unix://{}", socket.display())
}

/// Rewrites the credentials' header in the URL-safe alphabet that the engines' API asks for.
///
/// bollard 0.21.1 encodes it in the standard alphabet. Docker then takes the header for damaged and
/// goes on *without credentials*, silently, which hits passwords with `~`, `>` or `?` in one of three
/// places (Docker Engine 20.10.24: seen).
fn url_safe_credentials(mut request: BollardRequest) -> BollardRequest {
    if let Some(value) = request.headers_mut().get_mut("x-registry-auth")
        && let Ok(text) = value.to_str()
        && let Ok(safe) = url_safe(text).parse()
    {
        *value = safe;
        value.set_sensitive(true);
    }
    request
}

/// The same base64 text in the URL-safe alphabet.
fn url_safe(base64: &str) -> String {
    base64.replace('+', "-").replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_travel_in_the_alphabet_that_engines_read() {
        // `{"password":"~~~>>>???"}` in the standard alphabet.
        assert_eq!(url_safe("eyJwYXNzd29yZCI6In5+fj4+Pj8/PyJ9"), "eyJwYXNzd29yZCI6In5-fj4-Pj8_PyJ9");
        assert_eq!(url_safe("YWI/YQ=="), "YWI_YQ==");
    }

    #[test]
    fn an_address_that_is_no_engine_s_is_told_with_the_forms_there_are() {
        let error = connect(Some("npipe:////./pipe/docker_engine")).expect_err("no such engine");
        assert!(error.advice.contains("unix:///PATH"), "{}", error.advice);
    }
}
