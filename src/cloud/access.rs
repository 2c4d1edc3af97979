//! A database's URL and password, wherever the document says they are.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};

use super::document::{Access, UrlFrom};
use super::resolve::{Flaw, Resolver};
use crate::model::{ConnectionUrl, ConnectionUrlError, Engine, Secret};
use crate::oslo::{Configuration, Name, OsloError};

/// Where a text comes from.
enum Origin<'a> {
    Document(&'a Secret),
    Variable(&'a str),
    File(&'a Utf8Path),
    Configuration(&'a UrlFrom),
}

impl Resolver<'_> {
    /// The URL of the database at `path`, with its password.
    pub(super) fn access(&mut self, path: &str, access: &Access) -> Option<ConnectionUrl> {
        let origins = [
            access.url.as_ref().map(|url| ("url", Origin::Document(&url.0))),
            access.url_env.as_ref().map(|name| ("url_env", Origin::Variable(name))),
            access.url_file.as_ref().map(|file| ("url_file", Origin::File(file))),
            access.url_from.as_ref().map(|from| ("url_from", Origin::Configuration(from))),
        ];
        let mut origins = origins.into_iter().flatten();
        let (Some((key, origin)), None) = (origins.next(), origins.next()) else {
            let message = "exactly one of `url`, `url_env`, `url_file` and `url_from` has to say where the database is";
            self.flaw(path, message, "");
            return None;
        };
        let place = format!("{path}/{key}");
        let (text, source) = match &origin {
            Origin::Configuration(from) => self.configured(&place, from).unzip(),
            _ => (self.fetch(&place, &origin), None),
        };
        let url = text.and_then(|text| match text.expose().parse::<ConnectionUrl>() {
            Ok(url) => Some(url),
            Err(error) => {
                let source = source.map(|place| format!("{place}: ")).unwrap_or_default();
                self.flaw(&place, source + &explain(&error), "");
                None
            }
        });
        let url = match (&origin, url) {
            (Origin::Configuration(UrlFrom { database: Some(name), .. }), Some(url)) => Some(url.with_name(name)),
            (_, url) => url,
        };
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
            Origin::Configuration(from) => return self.configured(place, from).map(|(text, _)| text),
        };
        if text.expose().is_empty() {
            self.flaw(place, format!("{what} is empty"), "");
            return None;
        }
        Some(text)
    }

    /// The URL that a service's own configuration holds, and the file and line where.
    fn configured(&mut self, place: &str, from: &UrlFrom) -> Option<(Secret, String)> {
        if from.files.is_empty() {
            self.flaw(format!("{place}/files"), "no file is named", "name the service's configuration file");
            return None;
        }
        if from.database.as_ref().is_some_and(|name| name.is_empty() || name.contains('/')) {
            self.flaw(format!("{place}/database"), "this is not a name of a database", "");
            return None;
        }
        let files: Vec<Utf8PathBuf> = from.files.iter().map(|file| self.directory().join(file)).collect();
        let name =
            Name::new(from.section.as_deref().unwrap_or("database"), from.option.as_deref().unwrap_or("connection"));
        let tell = |resolver: &mut Self, error: &OsloError| {
            resolver.flaw(format!("{place}/files"), error.to_string(), error.advice());
        };
        let configuration = match Configuration::read(&files) {
            Ok(configuration) => configuration,
            Err(errors) => {
                errors.iter().for_each(|error| tell(self, error));
                return None;
            }
        };
        let setting = match configuration.value(std::slice::from_ref(&name)) {
            Ok(Some(setting)) => setting,
            Ok(None) => {
                let read: Vec<&str> = configuration.files().map(Utf8Path::as_str).collect();
                let message = format!("{name} is set in none of {}", read.join(", "));
                self.flaw(
                    place,
                    message,
                    "name the section and the option that hold the URL, or run `leapfrog init` again",
                );
                return None;
            }
            Err(error) => {
                tell(self, &error);
                return None;
            }
        };
        if setting.value.expose().trim().is_empty() {
            let advice = "write the database's URL there: the service needs it as well";
            self.flaw(place, format!("{}: {name} is empty", setting.place()), advice);
            return None;
        }
        self.doubt_readers(place, setting.file.clone());
        let at = setting.place();
        Some((setting.value, at))
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
