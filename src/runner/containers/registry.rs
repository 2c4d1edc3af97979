//! What a registry's refusal means, told from the engine's words.
//!
//! Engines pass the registry's trouble on as text, with HTTP codes that say little: Docker Engine
//! 20.10 answers 500 for a refused connection, for missing credentials and, while pulling, for wrong
//! ones; 401 or 403 for wrong ones when asked for a digest; 404 for a missing tag and repository.
//! Podman answers a pull with 200 and tells the trouble in mid-stream. The texts below were seen with
//! Docker Engine 20.10.24 and Podman 4.3.1, or are in the sources of their libraries.

use bollard::errors::Error;

use super::login::Login;
use super::trouble::words;
use crate::model::ImageReference;
use crate::runner::{RunnerError, RunnerErrorKind};

/// Words of a registry that wants credentials, or other ones.
const LOGIN: [&str; 9] = [
    "no basic auth credentials",
    "unauthorized",
    "authentication required",
    "denied",
    "incorrect username or password",
    "invalid username/password",
    "invalid tokens",
    "status: 401",
    "status code 401",
];
/// Words of a registry that does not know the image.
const MISSING: [&str; 5] = ["manifest unknown", "name unknown", "not found", "no such image", "does not exist"];
/// Words of a registry that is busy or limits what may be pulled.
const BUSY: [&str; 3] = ["toomanyrequests", "too many requests", "rate limit"];
/// Words of an encryption that failed.
const TLS: [&str; 4] = ["x509:", "tls:", "server gave http response", "certificate"];
/// Words of a disk that is full.
const FULL: [&str; 2] = ["no space left", "disk quota exceeded"];
/// Words of a network that does not lead there.
const NETWORK: [&str; 18] = [
    "connection refused",
    "no such host",
    "i/o timeout",
    "no route to host",
    "network is unreachable",
    "connection reset",
    "deadline exceeded",
    "client.timeout",
    "tls handshake timeout",
    "server misbehaving",
    "proxyconnect",
    "broken pipe",
    "unexpected eof",
    ": eof",
    // A connection that ended between two answers, or in one (Go, net/http).
    "server closed idle connection",
    "connection broken",
    "client connection lost",
    "closed network connection",
];

/// Which trouble the words tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Login,
    Missing,
    Busy,
    Tls,
    Full,
    Network,
    Unknown,
}

fn refusal(status: Option<u16>, words: &str) -> Refusal {
    let words = words.to_lowercase();
    let tells = |texts: &[&str]| texts.iter().any(|text| words.contains(text));
    // The order matters: a denied pull says "does not exist or may require login", a lookup of a host
    // "no such host", and time-outs are told about a TLS handshake too.
    if tells(&FULL) {
        Refusal::Full
    } else if tells(&BUSY) || status == Some(429) {
        Refusal::Busy
    } else if tells(&NETWORK) || words.trim() == "eof" {
        Refusal::Network
    } else if tells(&LOGIN) || matches!(status, Some(401 | 403)) {
        Refusal::Login
    } else if tells(&TLS) {
        Refusal::Tls
    } else if tells(&MISSING) || status == Some(404) {
        Refusal::Missing
    } else {
        Refusal::Unknown
    }
}

/// Whether the engine lacks the request itself, rather than the registry the image.
pub(super) fn engine_cannot(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404 | 405 | 501, .. })
        && refusal(None, &words(error)) != Refusal::Missing
        || matches!(error, Error::DockerResponseServerError { status_code: 404 | 405 | 501, message } if message.trim().eq_ignore_ascii_case("not found"))
}

/// The error of a look-up or a download that the registry, or the way to it, refused.
pub(super) fn refused(image: &ImageReference, login: &Login, error: Error) -> RunnerError {
    let (registry, words) = (image.registry(), words(&error));
    let status = match &error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    };
    let (kind, what, advice) = match refusal(status, &words) {
        Refusal::Login => (
            RunnerErrorKind::LoginRefused,
            format!("registry {registry} refuses access to {image}"),
            format!(
                "{} Run `docker login {registry}` (or `podman login`) as the user who runs leapfrog, and check that this account \
                 may read {}.",
                login.story(registry),
                image.name()
            ),
        ),
        Refusal::Missing => (
            RunnerErrorKind::ImageMissing,
            format!("registry {registry} has no image {image}"),
            "Check the image's name and tag in the cloud file against what the registry offers for this release; a private \
             repository may answer like that without a login."
                .to_owned(),
        ),
        Refusal::Network => (
            RunnerErrorKind::RegistryUnreachable,
            format!("registry {registry} cannot be reached for {image}: {words}"),
            "The container engine makes this connection, not leapfrog: check the registry's host and port, and name resolution, \
             routes, firewall and the proxy settings on the engine's machine. Or put the images there first and set `pull: never`."
                .to_owned(),
        ),
        Refusal::Tls => (
            RunnerErrorKind::RegistryUnreachable,
            format!("registry {registry} cannot be reached over an encrypted connection for {image}: {words}"),
            "Give the container engine the registry's certificate authority (Docker: /etc/docker/certs.d), or list the registry \
             as insecure in the engine's configuration."
                .to_owned(),
        ),
        Refusal::Busy => (
            RunnerErrorKind::Other,
            format!("registry {registry} limits how often images may be pulled: {words}"),
            format!("Wait, or run `docker login {registry}` with an account that has a higher limit, then run the same command again."),
        ),
        Refusal::Full => (
            RunnerErrorKind::Other,
            format!("the container engine has no room for {image}: {words}"),
            "Free space where the engine keeps its images (`docker system df` shows what can go), then run the same command again."
                .to_owned(),
        ),
        Refusal::Unknown => (
            RunnerErrorKind::Other,
            format!("the container engine could not get {image}: {words}"),
            format!("Try `docker pull {image}` by hand; when that works, run the same command again."),
        ),
    };
    RunnerError { what, advice, kind, source: Some(Box::new(error)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What engines were seen to say, and what each means.
    #[test]
    fn the_engine_s_words_are_understood() {
        for (status, words, expected) in [
            // Docker Engine 20.10.24.
            (
                500,
                r#"Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused"#,
                Refusal::Network,
            ),
            (
                500,
                r#"Get "https://no.invalid/v2/": dial tcp: lookup no.invalid on 10.0.0.53:53: no such host"#,
                Refusal::Network,
            ),
            (500, r#"Head "http://127.0.0.1:2/v2/a/manifests/1": no basic auth credentials"#, Refusal::Login),
            (401, "unauthorized: authentication required", Refusal::Login),
            (500, "unauthorized: authentication required", Refusal::Login),
            (404, "manifest unknown: manifest unknown", Refusal::Missing),
            (404, "manifest for 127.0.0.1:2/a:no not found: manifest unknown: manifest unknown", Refusal::Missing),
            // From the sources of Docker's distribution library and of public registries.
            (
                404,
                "pull access denied for a/b, repository does not exist or may require 'docker login'",
                Refusal::Login,
            ),
            (403, "denied: requested access to the resource is denied", Refusal::Login),
            (500, "toomanyrequests: You have reached your pull rate limit.", Refusal::Busy),
            (429, "", Refusal::Busy),
            (500, r#"Get "https://r.example/v2/": x509: certificate signed by unknown authority"#, Refusal::Tls),
            (500, r#"Get "https://r.example/v2/": http: server gave HTTP response to HTTPS client"#, Refusal::Tls),
            (500, r#"Get "https://r.example/v2/": net/http: TLS handshake timeout"#, Refusal::Network),
            (
                500,
                r#"Get "https://r.example/v2/": proxyconnect tcp: dial tcp 10.0.0.1:3128: i/o timeout"#,
                Refusal::Network,
            ),
            (
                500,
                "failed to register layer: Error processing tar file: write /x: no space left on device",
                Refusal::Full,
            ),
            // A registry that went away in mid-pull.
            (500, "EOF", Refusal::Network),
            (500, "http: server closed idle connection", Refusal::Network),
            // From the sources of Go's net/http.
            (500, "net/http: HTTP/1.x transport connection broken: malformed HTTP status code", Refusal::Network),
            (500, "http2: client connection lost", Refusal::Network),
            (500, "unsupported media type", Refusal::Unknown),
        ] {
            assert_eq!(refusal(Some(status), words), expected, "{status} {words}");
        }
    }
}
