//! What a driver's error means to an operator.
//!
//! Codes: the MySQL and MariaDB server error references; PostgreSQL appendix A.

use std::io;

use sqlx::mysql::MySqlDatabaseError;

use super::connect::{Cause, ConnectError, host, server};
use crate::model::{ConnectionUrl, Engine};

/// What is wrong, whatever engine says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Credentials,
    Origin,
    Method,
    NoDatabase,
    Privilege,
    Busy,
    Other,
}

/// The error of getting into `url`.
pub(super) fn classify(url: &ConnectionUrl, error: sqlx::Error) -> ConnectError {
    let server = server(url);
    match error {
        sqlx::Error::Io(error) => unreachable_or_file(url, error),
        sqlx::Error::Tls(source) => ConnectError::Encryption { server, source },
        sqlx::Error::Protocol(text) if text.contains("authentication plugin") => {
            refused(url, Refusal::Method, text.into())
        }
        sqlx::Error::Protocol(text) if text.contains("unimplemented") && text.contains("auth") => {
            refused(url, Refusal::Method, text.into())
        }
        sqlx::Error::Database(error) => {
            let number = error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number);
            let refusal = match number {
                Some(number) => mysql(number),
                None => postgresql(error.code().unwrap_or_default().as_ref(), error.message()),
            };
            let source: Cause = error.into_error();
            if url.engine() == Engine::Sqlite {
                return ConnectError::File { path: url.name().to_owned(), source };
            }
            refused(url, refusal, source)
        }
        other => ConnectError::Other { server, source: other.into() },
    }
}

fn unreachable_or_file(url: &ConnectionUrl, error: io::Error) -> ConnectError {
    if url.engine() == Engine::Sqlite {
        return ConnectError::File { path: url.name().to_owned(), source: error.into() };
    }
    let server = server(url);
    if error.to_string().contains("failed to lookup address") {
        return ConnectError::Resolve { host: host(url).to_owned(), source: error.into() };
    }
    match error.kind() {
        // What rustls has against a certificate or an answer.
        io::ErrorKind::InvalidData => ConnectError::Encryption { server, source: error.into() },
        // A socket that is not there; or, over the network, a file of the URL's ssl parameters.
        io::ErrorKind::NotFound if !server.starts_with('/') => {
            ConnectError::Encryption { server, source: error.into() }
        }
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            ConnectError::Refused { server, source: error.into() }
        }
        _ => ConnectError::Unreachable { server, source: error.into() },
    }
}

fn refused(url: &ConnectionUrl, refusal: Refusal, source: Cause) -> ConnectError {
    let server = server(url);
    let user = url.user().unwrap_or_default().to_owned();
    let name = url.name().to_owned();
    match refusal {
        Refusal::Credentials => ConnectError::Credentials { server, user, source },
        Refusal::Origin => ConnectError::Origin { server, user, source },
        Refusal::Method => ConnectError::Method { server, user, source },
        Refusal::NoDatabase => ConnectError::NoDatabase { server, name, source },
        Refusal::Privilege => ConnectError::Privilege { server, user, name, source },
        Refusal::Busy => ConnectError::Busy { server, source },
        Refusal::Other => ConnectError::Other { server, source },
    }
}

fn mysql(number: u16) -> Refusal {
    match number {
        1045 | 1698 | 1862 | 3118 | 4151 => Refusal::Credentials,
        1129 | 1130 => Refusal::Origin,
        1251 | 1524 | 2059 => Refusal::Method,
        1049 => Refusal::NoDatabase,
        1044 | 1142 | 1227 => Refusal::Privilege,
        1040 | 1053 | 1203 | 1226 => Refusal::Busy,
        _ => Refusal::Other,
    }
}

fn postgresql(code: &str, message: &str) -> Refusal {
    match code {
        "28P01" => Refusal::Credentials,
        "28000" if message.contains("pg_hba.conf") => Refusal::Origin,
        "28000" => Refusal::Credentials,
        "3D000" => Refusal::NoDatabase,
        "42501" => Refusal::Privilege,
        "53300" | "57P01" | "57P03" => Refusal::Busy,
        _ => Refusal::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_both_engines_mean_the_same_to_an_operator() {
        assert_eq!(mysql(1045), Refusal::Credentials);
        assert_eq!(postgresql("28P01", "password authentication failed"), Refusal::Credentials);
        assert_eq!(postgresql("28000", "no pg_hba.conf entry for host"), Refusal::Origin);
        assert_eq!((mysql(1049), postgresql("3D000", "")), (Refusal::NoDatabase, Refusal::NoDatabase));
        assert_eq!((mysql(1044), postgresql("42501", "")), (Refusal::Privilege, Refusal::Privilege));
        assert_eq!((mysql(1040), postgresql("53300", "")), (Refusal::Busy, Refusal::Busy));
        assert_eq!((mysql(1), postgresql("XX000", "")), (Refusal::Other, Refusal::Other));
    }
}
