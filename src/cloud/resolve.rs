//! From the document to the cloud: secrets are fetched, and everything is compared with the playbooks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::catalog::Playbook;
use crate::model::{ConnectionUrl, ConnectionUrlError, DatabaseId, Engine, Secret, Service, Slot};

use super::Cloud;
use super::document::{
    Access, ContainersSection, Document, ImagesSection, LimitsSection, Pause, ServiceSection, StoredUrlPolicy,
};
use super::images::{ImagePattern, Images};
use super::settings::{ContainerSettings, Limits};
use super::shape::Flaw;
use super::tree::Path;

/// The world the document is read in.
pub(super) struct Surroundings<'a> {
    /// The cloud file.
    pub(super) file: &'a Utf8Path,
    /// How each service is taken through a release.
    pub(super) playbooks: &'a [&'a Playbook],
    /// Reads an environment variable.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

/// What came of resolving a document.
pub(super) struct Resolved {
    /// The cloud; to be used only if there are no flaws.
    pub(super) cloud: Cloud,
    pub(super) flaws: Vec<Flaw>,
    /// What deserves a second look, in the same form.
    pub(super) doubts: Vec<Flaw>,
}

pub(super) fn resolve(document: Document, surroundings: &Surroundings<'_>) -> Resolved {
    let mut resolver = Resolver { surroundings, flaws: Vec::new(), doubts: Vec::new() };
    match document.format {
        Some(1) => {}
        Some(_) => resolver.flaw(Path::new(["format"]), "this leapfrog reads format 1", ""),
        None => resolver.flaw(Path::new(["format"]), "the key `format` is missing", "write `format: 1` at the top"),
    }
    let name = document.name.unwrap_or_default();
    if name.is_empty() {
        resolver.flaw(Path::new(["name"]), "the cloud has no name", "write `name:` and a lower-case word");
    } else if let Err(error) = name.parse::<Slot>() {
        resolver.flaw(Path::new(["name"]), error.to_string(), "");
    }
    if document.services.is_empty() {
        resolver.flaw(Path::new(["services"]), "no service is listed", "list every service with its databases");
    }
    let directory = resolver.directory();
    let state_dir = directory.join(document.state.as_deref().unwrap_or(Utf8Path::new("leapfrog-state")));
    let limits = resolver.limits(&document.limits);
    let containers = document.runner.containers;
    let images = resolver.images(&containers.images, document.services.keys().collect());
    let mut databases = BTreeMap::new();
    for (service, section) in &document.services {
        databases.extend(resolver.service(service, section));
    }
    resolver.twins(&databases);
    let trusted = document.services.iter().filter(|(_, section)| section.stored_urls == StoredUrlPolicy::Trust);
    let trusted = trusted.map(|(service, _)| service.clone()).collect();
    let ContainersSection { socket, network, user, pull, prefetch, .. } = containers;
    let cloud = Cloud {
        name,
        state_dir,
        runner: ContainerSettings { socket, network, user, pull, prefetch },
        databases,
        limits,
        warnings: Vec::new(),
        images,
        services: document.services.into_keys().collect(),
        trusted,
    };
    Resolved { cloud, flaws: resolver.flaws, doubts: resolver.doubts }
}

struct Resolver<'a> {
    surroundings: &'a Surroundings<'a>,
    flaws: Vec<Flaw>,
    doubts: Vec<Flaw>,
}

impl Resolver<'_> {
    fn flaw(&mut self, path: Path, message: impl Into<String>, advice: impl Into<String>) {
        self.flaws.push(flaw(path, message, advice));
    }

    /// What relative paths are relative to.
    fn directory(&self) -> Utf8PathBuf {
        self.surroundings.file.parent().map(Utf8Path::to_owned).unwrap_or_default()
    }

    fn limits(&mut self, section: &LimitsSection) -> Limits {
        let usual = Limits::default();
        let path = |key| Path::new(["limits", key]);
        if section.jobs.is_some_and(|jobs| !(1..=Limits::MOST_JOBS).contains(&jobs)) {
            self.flaw(path("jobs"), format!("lanes side by side: 1 to {}", Limits::MOST_JOBS), "");
        }
        if section.batch.is_some_and(|rows| !(1..=Limits::MOST_ROWS).contains(&rows)) {
            self.flaw(path("batch"), format!("rows of a round: 1 to {}", Limits::MOST_ROWS), "");
        }
        Limits {
            jobs: section.jobs.and_then(|jobs| usize::try_from(jobs).ok()).unwrap_or(usual.jobs),
            batch: section.batch,
            stall: self.pause(section.stall, "stall").unwrap_or(usual.stall),
            connect: self.pause(section.connect, "connect").unwrap_or(usual.connect),
        }
    }

    fn pause(&mut self, pause: Option<Pause>, key: &str) -> Option<Duration> {
        let Pause(length) = pause?;
        if length.is_zero() || length > Limits::LONGEST {
            self.flaw(Path::new(["limits", key]), "the time has to be longer than nothing and at most 30 days", "");
        }
        Some(length)
    }

    fn images(&mut self, section: &ImagesSection, services: BTreeSet<&Service>) -> Images {
        let path = Path::new(["runner", "containers", "images"]);
        let mut images = Images::default();
        if let Some(text) = &section.default {
            // The longest name shows whether every name fits.
            let sample = services.iter().max_by_key(|service| service.as_str().len());
            match sample.map(|service| ImagePattern::new(text, service)) {
                Some(Ok(pattern)) => images.default = Some(pattern),
                Some(Err(error)) => self.flaw(path.join("default"), error.to_string(), ""),
                None => {}
            }
        }
        for (service, text) in &section.services {
            let path = path.join("services").join(service.as_str());
            if !services.contains(service) {
                self.flaw(path.clone(), format!("there is no service `{service}` under `services`"), "");
            }
            match ImagePattern::new(text, service) {
                Ok(pattern) => drop(images.services.insert(service.clone(), pattern)),
                Err(error) => self.flaw(path, error.to_string(), ""),
            }
        }
        let bare =
            services.into_iter().filter(|service| section.default.is_none() && !section.services.contains_key(service));
        for service in bare {
            let message = format!("`{service}` has no image pattern");
            let advice = "add `default` or a pattern of its own under runner.containers.images";
            self.flaw(Path::new(["services", service.as_str()]), message, advice);
        }
        images
    }

    /// A service's databases, compared with what its playbook wants.
    fn service(&mut self, service: &Service, section: &ServiceSection) -> Vec<(DatabaseId, ConnectionUrl)> {
        let path = Path::new(["services", service.as_str()]);
        let mut found = Vec::new();
        let id = |slot: &Slot, member: Option<&Slot>| DatabaseId {
            service: service.clone(),
            slot: slot.clone(),
            member: member.cloned(),
        };
        let playbook = self.surroundings.playbooks.iter().find(|playbook| playbook.service == *service);
        let Some(playbook) = playbook else {
            let known: Vec<&str> =
                self.surroundings.playbooks.iter().map(|playbook| playbook.service.as_str()).collect();
            let advice = format!("there are playbooks for {}", known.join(", "));
            self.flaws
                .push(Flaw { at_key: true, ..flaw(path.clone(), format!("no playbook for `{service}`"), advice) });
            // Its databases are looked at all the same: their mistakes would come to light later.
            let all = section.database.iter().map(|access| (path.join("database"), access));
            let all = all.chain(
                section.databases.iter().map(|(key, access)| (path.join("databases").join(key.as_str()), access)),
            );
            let all =
                all.chain(section.cells.iter().map(|(key, access)| (path.join("cells").join(key.as_str()), access)));
            for (path, access) in all {
                self.access(&path, access);
            }
            return found;
        };
        let single = playbook.databases.iter().filter(|slot| !slot.many).map(|slot| &slot.slot);
        for slot in single {
            let (given, place) = if slot.as_str() == DatabaseId::MAIN {
                (section.database.as_ref(), path.join("database"))
            } else {
                (section.databases.get(slot), path.join("databases").join(slot.as_str()))
            };
            match given {
                Some(access) => found.extend(self.access(&place, access).map(|url| (id(slot, None), url))),
                None => {
                    let key = place.keys()[2..].join(".");
                    let advice = format!("{} has a database `{slot}`: say where it is under `{key}`", service);
                    let place = if section.databases.is_empty() { path.clone() } else { path.join("databases") };
                    self.flaw(place, format!("`{service}` lacks `{key}`"), advice);
                }
            }
        }
        self.superfluous(&path, section, playbook);
        if let Some(many) = playbook.databases.iter().find(|slot| slot.many) {
            if section.cells.is_empty() {
                let message = format!("`{service}` lists no cell");
                self.flaw(path.clone(), message, "list every cell but cell0 under `cells`, by any name");
            }
            for (name, access) in &section.cells {
                let place = path.join("cells").join(name.as_str());
                found.extend(self.access(&place, access).map(|url| (id(&many.slot, Some(name)), url)));
            }
        }
        found
    }

    /// Databases the playbook knows nothing of.
    fn superfluous(&mut self, path: &Path, section: &ServiceSection, playbook: &Playbook) {
        let service = &playbook.service;
        let slots: Vec<String> = playbook
            .databases
            .iter()
            .map(|slot| match (slot.many, slot.slot.as_str()) {
                (true, _) => "cells".to_owned(),
                (false, DatabaseId::MAIN) => "database".to_owned(),
                (false, slot) => format!("databases.{slot}"),
            })
            .collect();
        let advice = format!("the playbook of `{service}` has {}", slots.join(", "));
        if section.database.is_some() && !slots.iter().any(|slot| slot == "database") {
            self.flaw(path.join("database"), format!("`{service}` has no single database"), advice.clone());
        }
        for slot in section.databases.keys().filter(|slot| !slots.contains(&format!("databases.{slot}"))) {
            let place = path.join("databases").join(slot.as_str());
            self.flaws.push(Flaw {
                at_key: true,
                ..flaw(place, format!("`{service}` has no database `{slot}`"), advice.clone())
            });
        }
        if !section.cells.is_empty() && !slots.iter().any(|slot| slot == "cells") {
            self.flaws
                .push(Flaw { at_key: true, ..flaw(path.join("cells"), format!("`{service}` has no cells"), advice) });
        }
    }

    /// Two names for one database would migrate it twice, side by side.
    fn twins(&mut self, databases: &BTreeMap<DatabaseId, ConnectionUrl>) {
        let all: Vec<_> = databases.iter().collect();
        for (at, (id, url)) in all.iter().enumerate() {
            if let Some((twin, _)) = all[..at].iter().find(|(_, other)| other.same_database(url)) {
                let keys = match &id.member {
                    Some(member) => vec!["cells", member.as_str()],
                    None if id.slot.as_str() == DatabaseId::MAIN => vec!["database"],
                    None => vec!["databases", id.slot.as_str()],
                };
                let path =
                    keys.into_iter().fold(Path::new(["services", id.service.as_str()]), |path, key| path.join(key));
                self.flaws.push(Flaw {
                    at_key: true,
                    ..flaw(
                        path,
                        format!("`{id}` is the same database as `{twin}`: {url}"),
                        "every database has one place in this file",
                    )
                });
            }
        }
    }

    /// The URL of one database with its password, wherever they come from.
    fn access(&mut self, path: &Path, access: &Access) -> Option<ConnectionUrl> {
        let sources = [
            access.url.as_ref().map(|url| ("url", Source::Here(&url.0))),
            access.url_env.as_ref().map(|name| ("url_env", Source::Variable(name))),
            access.url_file.as_ref().map(|file| ("url_file", Source::File(file))),
        ];
        let mut sources = sources.into_iter().flatten();
        let (Some((key, source)), None) = (sources.next(), sources.next()) else {
            self.flaw(
                path.clone(),
                "exactly one of `url`, `url_env` and `url_file` has to say where the database is",
                "",
            );
            return None;
        };
        let place = path.join(key);
        let text = self.fetch(&place, &source);
        let url = text.and_then(|text| match text.expose().parse::<ConnectionUrl>() {
            Ok(url) => Some(url),
            Err(error) => {
                self.flaw(place.clone(), explain(&error), "");
                None
            }
        });
        if let (Some(url), Source::Here(_)) = (&url, &source)
            && url.password().is_some()
        {
            self.doubt_readers(&place, self.surroundings.file.to_owned());
        }
        let password = match (&access.password_env, &access.password_file) {
            (Some(_), Some(_)) => {
                self.flaw(path.clone(), "only one of `password_env` and `password_file` can hold the password", "");
                return None;
            }
            (Some(name), None) => ("password_env", Source::Variable(name)),
            (None, Some(file)) => ("password_file", Source::File(file)),
            (None, None) => return url,
        };
        let (key, source) = password;
        let place = path.join(key);
        let password = self.fetch(&place, &source);
        let url = url?;
        if url.engine() == Engine::Sqlite {
            self.flaw(place, "an SQLite file takes no password", "leave it out");
        } else if url.password().is_some() {
            self.flaw(place, "the URL has a password already", "leave one of the two out");
        } else if url.user().is_none() {
            self.flaw(
                place,
                "a password needs a user, and the URL names none",
                "write the URL like mysql+pymysql://user@host/database",
            );
        }
        password.map(|password| url.with_password(password))
    }

    /// The text that a source holds; never an empty one.
    fn fetch(&mut self, place: &Path, source: &Source<'_>) -> Option<Secret> {
        let (text, what) = match source {
            Source::Here(secret) => (secret.expose().to_owned(), "the URL".to_owned()),
            Source::Variable(name) => {
                let what = format!("the environment variable `{name}`");
                let Some(text) = (self.surroundings.env)(name) else {
                    self.flaw(place.clone(), format!("{what} is not set"), "set it and run leapfrog again");
                    return None;
                };
                (text, what)
            }
            Source::File(file) => {
                let file = self.directory().join(file);
                let text = match fs::read(&file) {
                    Ok(bytes) => String::from_utf8(bytes).ok(),
                    Err(error) => {
                        let advice = "relative paths are relative to this file";
                        self.flaw(place.clone(), format!("the file {file} cannot be read: {error}"), advice);
                        return None;
                    }
                };
                let Some(text) = text else {
                    self.flaw(place.clone(), format!("the file {file} is not UTF-8 text"), "");
                    return None;
                };
                let text =
                    text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
                let text = text.to_owned();
                self.doubt_readers(place, file.clone());
                (text, format!("the file {file}"))
            }
        };
        if text.is_empty() {
            self.flaw(place.clone(), format!("{what} is empty"), "");
            return None;
        }
        Some(Secret::new(text))
    }

    /// A file with a password in it that everybody can read.
    fn doubt_readers(&mut self, place: &Path, file: Utf8PathBuf) {
        let everybody = fs::metadata(&file).is_ok_and(|meta| meta.permissions().mode() & 0o004 != 0);
        if everybody {
            let message = format!("the file {file} holds a password and every user of this machine can read it");
            self.doubts.push(flaw(place.clone(), message, format!("chmod o= {file}")));
        }
    }
}

/// What is wrong with a URL. Not even its scheme is repeated: what stands there may be a password
/// that was put where the URL belongs.
fn explain(error: &ConnectionUrlError) -> String {
    match error {
        ConnectionUrlError::Engine { .. } => {
            "the URL's engine is not supported: use mysql+pymysql, postgresql+psycopg2 or sqlite".to_owned()
        }
        other => other.to_string(),
    }
}

/// Where a text comes from.
enum Source<'a> {
    Here(&'a Secret),
    Variable(&'a str),
    File(&'a Utf8Path),
}

fn flaw(path: Path, message: impl Into<String>, advice: impl Into<String>) -> Flaw {
    Flaw { path, at_key: false, message: message.into(), advice: Some(advice.into()).filter(|text| !text.is_empty()) }
}
