//! A database's URL and password, wherever the document says they are.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};

use super::document::Access;
use super::resolve::{Flaw, Resolver};
use crate::model::{ConnectionUrl, ConnectionUrlError, Engine, Secret};

/// Where a text comes from.
enum Origin<'a> {
    Document(&'a Secret),
    Variable(&'a str),
    File(&'a Utf8Path),
}

impl Resolver<'_> {
    /// The URL of the database at `path`, with its password.
    pub(super) fn access(&mut self, path: &str, access: &Access) -> Option<ConnectionUrl> {
        let origins = [
            access.url.as_ref().map(|url| ("url", Origin::Document(&url.0))),
            access.url_env.as_ref().map(|name| ("url_env", Origin::Variable(name))),
            access.url_file.as_ref().map(|file| ("url_file", Origin::File(file))),
        ];
        let mut origins = origins.into_iter().flatten();
        let (Some((key, origin)), None) = (origins.next(), origins.next()) else {
            self.flaw(path, "exactly one of `url`, `url_env` and `url_file` has to say where the database is", "");
            return None;
        };
        let place = format!("{path}/{key}");
        let text = self.fetch(&place, &origin);
        let url = text.and_then(|text| match text.expose().parse::<ConnectionUrl>() {
            Ok(url) => Some(url),
            Err(error) => {
                self.flaw(&place, explain(&error), "");
                None
            }
        });
        if let (Some(url), Origin::Document(_)) = (&url, &origin)
            && url.password().is_some()
        {
            self.doubt_readers(&place, self.surroundings.file.to_owned());
        }
        let password = self.password(path, access.password_env.as_ref(), access.password_file.as_ref())?;
        let Some((place, password)) = password else { return url };
        let url = url?;
        if url.engine() == Engine::Sqlite {
            self.flaw(place, "an SQLite file takes no password", "leave it out");
        } else if url.password().is_some() {
            self.flaw(place, "the URL has a password already", "leave one of the two out");
        } else if url.user().is_none() {
            let advice = "write the URL like mysql+pymysql://user@host/database";
            self.flaw(place, "a password needs a user, and the URL names none", advice);
        }
        Some(url.with_password(password))
    }

    /// The password that a variable or a file holds and its place, nothing inside where neither is named;
    /// nothing at all where something is wrong.
    pub(super) fn password(
        &mut self,
        path: &str,
        env: Option<&String>,
        file: Option<&Utf8PathBuf>,
    ) -> Option<Option<(String, Secret)>> {
        let (key, origin) = match (env, file) {
            (Some(_), Some(_)) => {
                self.flaw(path, "only one of `password_env` and `password_file` can hold the password", "");
                return None;
            }
            (Some(name), None) => ("password_env", Origin::Variable(name)),
            (None, Some(file)) => ("password_file", Origin::File(file)),
            (None, None) => return Some(None),
        };
        let place = format!("{path}/{key}");
        let password = self.fetch(&place, &origin)?;
        Some(Some((place, password)))
    }

    /// The text at `origin`; never an empty one.
    fn fetch(&mut self, place: &str, origin: &Origin<'_>) -> Option<Secret> {
        let (text, what) = match origin {
            Origin::Document(secret) => ((*secret).clone(), "the URL".to_owned()),
            Origin::Variable(name) => {
                let what = format!("the environment variable `{name}`");
                let Some(text) = (self.surroundings.env)(name) else {
                    self.flaw(place, format!("{what} is not set"), "set it and run leapfrog again");
                    return None;
                };
                (Secret::new(text), what)
            }
            Origin::File(file) => {
                let file = self.directory().join(file);
                let text = fs::read(&file).map(String::from_utf8);
                let text = match text {
                    Ok(Ok(text)) => text,
                    Ok(Err(_)) => {
                        self.flaw(place, format!("the file {file} is not UTF-8 text"), "");
                        return None;
                    }
                    Err(error) => {
                        let advice = "relative paths are relative to the cloud file";
                        self.flaw(place, format!("the file {file} cannot be read: {error}"), advice);
                        return None;
                    }
                };
                self.doubt_readers(place, file.clone());
                let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
                (Secret::new(line.unwrap_or(&text)), format!("the file {file}"))
            }
        };
        if text.expose().is_empty() {
            self.flaw(place, format!("{what} is empty"), "");
            return None;
        }
        Some(text)
    }

    /// A file with a password in it that everybody can read.
    fn doubt_readers(&mut self, place: &str, file: Utf8PathBuf) {
        if fs::metadata(&file).is_ok_and(|meta| meta.permissions().mode() & 0o004 != 0) {
            let message = format!("the file {file} holds a password and every user of this machine can read it");
            // Once, however many databases share it.
            if !self.doubts.iter().any(|doubt| doubt.message == message) {
                self.doubts.push(Flaw::new(place, message, format!("chmod o= {file}")));
            }
        }
    }
}

/// What is wrong with a URL. Not even its scheme is repeated: what stands there may be a password that
/// was put where the URL belongs.
fn explain(error: &ConnectionUrlError) -> String {
    match error {
        ConnectionUrlError::Engine { .. } => {
            "the URL's engine is not supported: use mysql+pymysql, postgresql+psycopg2 or sqlite".to_owned()
        }
        other => other.to_string(),
    }
}
