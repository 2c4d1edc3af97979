//! A URL taken apart as the services take it apart.

use super::ConnectionUrlError;

/// A URL in the parts that SQLAlchemy makes of it (`engine/url.py`, `_parse_url`), not yet decoded. Those of RFC 3986
/// differ: there a `#`, `?` or `/` in a password ends it.
pub(super) struct Parts<'a> {
    pub(super) scheme: &'a str,
    pub(super) user: Option<&'a str>,
    pub(super) password: Option<&'a str>,
    /// With brackets around an IPv6 address.
    pub(super) host: &'a str,
    pub(super) port: Option<&'a str>,
    /// What follows the first slash after the host.
    pub(super) path: Option<&'a str>,
    pub(super) query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(text: &'a str) -> Result<Self, ConnectionUrlError> {
        let malformed = ConnectionUrlError::Malformed;
        // A line feed or a blank in a URL is a mistake of whoever wrote it; a path may have blanks.
        let file = text.starts_with("sqlite:");
        if text.contains(|c: char| c.is_control() || c.is_whitespace() && !file) {
            return Err(ConnectionUrlError::Blank);
        }
        let (scheme, rest) = text.split_once("://").ok_or(malformed(url::ParseError::RelativeUrlWithoutBase))?;
        let named = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+_-.".contains(c));
        if !named {
            return Err(malformed(url::ParseError::RelativeUrlWithoutBase));
        }
        // The user ends at the first colon or slash, the password at the first `@`.
        let end = rest.find([':', '/', '@']).unwrap_or(rest.len());
        let (user, password, rest) = match rest[end..].chars().next() {
            Some('@') => (Some(&rest[..end]), None, &rest[end + 1..]),
            Some(':') => match rest[end + 1..].split_once('@') {
                Some((password, after)) => (Some(&rest[..end]), Some(password), after),
                None => (None, None, rest),
            },
            _ => (None, None, rest),
        };
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (server, path) = match rest.split_once('/') {
            Some((server, path)) => (server, Some(path)),
            None => (rest, None),
        };
        let bracket = server.strip_prefix('[').and_then(|rest| rest.find(']')).map(|at| at + 2);
        let colon = match bracket {
            Some(end) => Some(end).filter(|end| *end < server.len()),
            None => server.find(':'),
        };
        let (host, port) = match colon {
            Some(at) => {
                (&server[..at], Some(server[at..].strip_prefix(':').ok_or(malformed(url::ParseError::InvalidPort))?))
            }
            None => (server, None),
        };
        if host.contains(['[', ']']) && bracket.is_none() || host == "[]" {
            return Err(malformed(url::ParseError::InvalidIpv6Address));
        }
        if host.contains('@') {
            return Err(ConnectionUrlError::At);
        }
        Ok(Self { scheme, user, password, host, port, path, query })
    }
}
