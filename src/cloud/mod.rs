//! The operator's cloud: `leapfrog.yaml`, checked.
//!
//! Reading has two stages. The *document* is the file's shape: keys, types, words; it is read whole, so
//! that every mistake is reported at once, with its line. *Resolving* fetches secrets from the
//! environment and from files, compares the services with their playbooks, and ends in a [`Cloud`]
//! that is consistent. What can be checked of an unsound document still is.
//!
//! Secrets live in [`Secret`](crate::model::Secret) and
//! [`ConnectionUrl`](crate::model::ConnectionUrl) from the moment they are read, neither of which shows
//! them. Mistakes are shown with the lines around them: these lines are masked first.
//!
//! A URL may stand in the service's own configuration (`url_from`): [`oslo`](crate::oslo) reads it there each time.
//!
//! This module runs nothing, connects to nothing and prints nothing.

mod access;
mod document;
mod images;
mod local;
mod mapped;
mod mask;
mod mistake;
mod points;
mod resolve;
mod services;
mod settings;
mod stages;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use crate::catalog::Playbook;
use crate::document::{Attempt, Mistake, Source};
use crate::model::{ConnectionUrl, DatabaseId, ImageReference, MappedDatabases, Series, Service};

pub use images::{NoImage, PatternError, UNNAMED, check_pattern};
pub use mistake::CloudError;
pub use settings::{
    ConstraintsPattern, ContainerSettings, Limits, LocalSettings, PackageSource, Prefetch, Pull, RestorePoints,
    RunnerSettings, SnapshotCommands,
};

use document::Contents;
use images::Images;
use resolve::{Flaw, Resolved, Surroundings};

/// An operator's cloud, checked against the playbooks. `Debug` shows no secrets.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// The cloud's name.
    pub name: String,
    /// Where plans and journals are kept.
    pub state_dir: Utf8PathBuf,
    /// How commands are run.
    pub runner: RunnerSettings,
    /// Every database the playbooks want, with its password; mapped ones only once they were looked up.
    pub databases: BTreeMap<DatabaseId, ConnectionUrl>,
    /// Services some of whose databases are named by stored URLs.
    pub mapped: BTreeMap<Service, MappedDatabases>,
    /// How much at once, and how long to wait.
    pub limits: Limits,
    /// The way back.
    pub restore_points: RestorePoints,
    /// The name of the database that stages are kept in; absent: they are not.
    pub stages: Option<String>,
    /// What the operator should look at and what stops nothing.
    pub warnings: Vec<Mistake>,
    images: Images,
    services: BTreeSet<Service>,
    trusted: BTreeSet<Service>,
}

impl Cloud {
    /// The version of the cloud file's format.
    pub const FORMAT: u32 = 1;

    /// Reads the cloud file at `path`, with environment variables from `env`.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or it has mistakes: all that can be found at once.
    pub fn read(
        path: &Utf8Path,
        playbooks: &[&Playbook],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, CloudError> {
        let surroundings = Surroundings { file: path, playbooks, env };
        let source = std::fs::read(path).map_err(|error| {
            let mistake = Mistake::of_file(path, format!("the cloud file cannot be read: {error}"));
            mistake
                .with_help("`leapfrog init` writes one from your services' configuration; or name yours with --config")
        });
        let source = source.and_then(|bytes| Source::from_bytes(path, bytes));
        source
            .map_err(|mistake| vec![mistake])
            .and_then(|source| Self::from_source(&source, &surroundings))
            .map_err(|mistakes| CloudError { mistakes })
    }

    /// Checks a text that is to become the cloud file at `path`: [`Cloud::read`] would say the same of it.
    ///
    /// # Errors
    ///
    /// It has mistakes.
    pub fn check(
        path: &Utf8Path,
        text: &str,
        playbooks: &[&Playbook],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, CloudError> {
        let surroundings = Surroundings { file: path, playbooks, env };
        Self::from_source(&Source::new(path, text), &surroundings).map_err(|mistakes| CloudError { mistakes })
    }

    fn from_source(source: &Source, surroundings: &Surroundings<'_>) -> Result<Self, Vec<Mistake>> {
        let services: Vec<&str> = surroundings.playbooks.iter().map(|playbook| playbook.service.as_str()).collect();
        let source = source.discreet(mask::words(source.text(), &services));
        let mut attempt = Attempt::<Contents>::read(&source, Self::FORMAT);
        if let Some(shown) = mask::values(source.text(), &attempt) {
            attempt = attempt.discreet(shown);
        }
        let Some(contents) = attempt.value.take() else { return Err(attempt.mistakes) };
        let Resolved { mut cloud, mut flaws, doubts } = resolve::resolve(contents, surroundings);
        // What was passed over leaves gaps, which are no mistakes of their own.
        flaws.retain(|flaw| attempt.is_sound(&flaw.path));
        let mistake = |flaw: Flaw| {
            let Flaw { path, at_key, message, advice } = flaw;
            let mistake = if at_key { attempt.mistake_at_key(&path, message) } else { attempt.mistake(&path, message) };
            if advice.is_empty() { mistake } else { mistake.with_help(advice) }
        };
        let mut mistakes: Vec<Mistake> = flaws.into_iter().map(mistake).chain(attempt.mistakes.clone()).collect();
        if mistakes.is_empty() {
            cloud.warnings = doubts.into_iter().map(mistake).collect();
            return Ok(cloud);
        }
        Mistake::sort(&mut mistakes);
        Err(mistakes)
    }

    /// The services, by name.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.iter()
    }

    /// The image or the environment that holds the code of `service` in the release `series`, whose codename is
    /// `codename`.
    ///
    /// # Errors
    ///
    /// The service is none of this cloud's and there is no default pattern, or the codename does not
    /// fit into an image reference.
    pub fn image(&self, service: &Service, series: &Series, codename: &str) -> Result<ImageReference, NoImage> {
        match &self.runner {
            RunnerSettings::Containers(_) => self.images.image(service, series, codename),
            RunnerSettings::Local(local) => Ok(ImageReference::environment(series, local.separate.then_some(service))),
        }
    }

    /// Whether database URLs that the service's databases store are not compared with this file.
    pub fn trusts_stored_urls(&self, service: &Service) -> bool {
        self.trusted.contains(service)
    }
}

/// The JSON Schema of the cloud file.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Contents)
}
