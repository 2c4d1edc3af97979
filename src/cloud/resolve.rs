//! From the document to the cloud. What belongs to databases is in `services` and `access`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::Cloud;
use super::document::{
    ContainersSection, Contents, ImagesSection, LimitsSection, Pause, RunnerSection, StoredUrlPolicy,
};
use super::images::{ImagePattern, Images};
use super::settings::{ContainerSettings, Limits, RunnerSettings};
use crate::catalog::Playbook;
use crate::model::Service;

/// The world the document is read in.
pub(super) struct Surroundings<'a> {
    /// The cloud file.
    pub(super) file: &'a Utf8Path,
    /// How each service is taken through a release.
    pub(super) playbooks: &'a [&'a Playbook],
    /// Reads an environment variable.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

/// Something wrong or doubtful in the meaning of the document.
#[derive(Debug)]
pub(super) struct Flaw {
    /// The keys that lead to it, with slashes.
    pub(super) path: String,
    /// Whether the last key is meant, not its value.
    pub(super) at_key: bool,
    pub(super) message: String,
    /// What to do; empty where the message says it all.
    pub(super) advice: String,
}

impl Flaw {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { path: path.into(), at_key: false, message: message.into(), advice: advice.into() }
    }

    pub(super) fn at_key(self) -> Self {
        Self { at_key: true, ..self }
    }
}

/// What came of resolving a document.
pub(super) struct Resolved {
    /// The cloud; to be used only if there are no flaws.
    pub(super) cloud: Cloud,
    pub(super) flaws: Vec<Flaw>,
    /// What deserves a second look.
    pub(super) doubts: Vec<Flaw>,
}

/// Reads the meaning of a document, and collects what is wrong with it on the way.
pub(super) struct Resolver<'a> {
    pub(super) surroundings: &'a Surroundings<'a>,
    pub(super) flaws: Vec<Flaw>,
    pub(super) doubts: Vec<Flaw>,
}

pub(super) fn resolve(contents: Contents, surroundings: &Surroundings<'_>) -> Resolved {
    let mut resolver = Resolver { surroundings, flaws: Vec::new(), doubts: Vec::new() };
    if contents.services.is_empty() {
        resolver.flaw("services", "no service is listed", "list every service with its databases under `services`");
    }
    let state_dir = resolver.directory().join(contents.state.as_deref().unwrap_or(Utf8Path::new("leapfrog-state")));
    let limits = resolver.limits(&contents.limits);
    let restore_points = resolver.restore_points(contents.restore_points, &state_dir);
    let (runner, images) = resolver.runner(contents.runner, contents.services.keys().collect());
    let mut databases = BTreeMap::new();
    let mut mapped = BTreeMap::new();
    for (service, section) in &contents.services {
        databases.extend(resolver.service(service, section));
        mapped.extend(resolver.mapped(service, section).map(|wanted| (service.clone(), wanted)));
    }
    resolver.twins(&databases);
    let stages = contents.stages.map(|section| resolver.stages(section, &databases));
    let trusted = contents.services.iter().filter(|(_, section)| section.stored_urls == StoredUrlPolicy::Trust);
    let trusted = trusted.map(|(service, _)| service.clone()).collect();
    let cloud = Cloud {
        name: contents.name.to_string(),
        state_dir,
        runner,
        databases,
        mapped,
        limits,
        restore_points,
        stages,
        warnings: Vec::new(),
        images,
        services: contents.services.into_keys().collect(),
        trusted,
    };
    Resolved { cloud, flaws: resolver.flaws, doubts: resolver.doubts }
}

impl Resolver<'_> {
    pub(super) fn flaw(&mut self, path: impl Into<String>, message: impl Into<String>, advice: impl Into<String>) {
        self.flaws.push(Flaw::new(path, message, advice));
    }

    /// What relative paths are relative to.
    pub(super) fn directory(&self) -> Utf8PathBuf {
        self.surroundings.file.parent().map(Utf8Path::to_owned).unwrap_or_default()
    }

    fn limits(&mut self, section: &LimitsSection) -> Limits {
        let usual = Limits::default();
        if section.jobs.is_some_and(|jobs| !(1..=Limits::MOST_JOBS).contains(&jobs)) {
            self.flaw("limits/jobs", format!("commands side by side: 1 to {}", Limits::MOST_JOBS), "");
        }
        if section.batch.is_some_and(|rows| !(1..=Limits::MOST_ROWS).contains(&rows)) {
            self.flaw("limits/batch", format!("rows of a round: 1 to {}", Limits::MOST_ROWS), "");
        }
        Limits {
            jobs: section.jobs.and_then(|jobs| usize::try_from(jobs).ok()).unwrap_or(usual.jobs),
            batch: section.batch,
            round: self.pause(section.round, "limits/round").unwrap_or(usual.round),
            stall: self.pause(section.stall, "limits/stall").unwrap_or(usual.stall),
            connect: self.pause(section.connect, "limits/connect").unwrap_or(usual.connect),
            outage: self.pause(section.outage, "limits/outage").unwrap_or(usual.outage),
        }
    }

    fn pause(&mut self, pause: Option<Pause>, path: &str) -> Option<Duration> {
        let Pause(length) = pause?;
        if length.is_zero() || length > Limits::LONGEST {
            self.flaw(path, "the time has to be longer than nothing and at most 30 days", "");
        }
        Some(length)
    }

    /// What runs the commands, and the images that they need.
    fn runner(&mut self, section: RunnerSection, services: BTreeSet<&Service>) -> (RunnerSettings, Images) {
        match (section.containers, section.local) {
            (None, Some(local)) => (RunnerSettings::Local(self.local(local)), Images::default()),
            (containers, local) => {
                if containers.is_none() {
                    let advice = "write `containers` with its `images`, or `local: {}` for Python environments on this \
                                  machine, under `runner`";
                    self.flaw("runner", "nothing is said of what runs the commands", advice);
                }
                if let Some(local) = local {
                    let message = "only one of `containers` and `local` can run the commands";
                    self.flaws.push(Flaw::new("runner/local", message, "leave one of the two out").at_key());
                    self.local(local);
                }
                let images = match &containers {
                    Some(containers) => self.images(&containers.images, services),
                    None => Images::default(),
                };
                let ContainersSection { socket, network, user, pull, prefetch, read_images, .. } =
                    containers.unwrap_or_default();
                let read_images = read_images.unwrap_or(true);
                let settings = ContainerSettings { socket, network, user, pull, prefetch, read_images };
                (RunnerSettings::Containers(settings), images)
            }
        }
    }

    fn images(&mut self, section: &ImagesSection, services: BTreeSet<&Service>) -> Images {
        const PATH: &str = "runner/containers/images";
        let mut images = Images::default();
        if let Some(text) = &section.default {
            // The longest name shows whether every name fits.
            let sample = services.iter().max_by_key(|service| service.as_str().len());
            match sample.map(|service| ImagePattern::new(text, service)) {
                Some(Ok(pattern)) => images.default = Some(pattern),
                Some(Err(error)) => self.flaw(format!("{PATH}/default"), error.to_string(), ""),
                None => {}
            }
        }
        for (service, text) in &section.services {
            let path = format!("{PATH}/services/{service}");
            if !services.contains(service) {
                let message = format!("there is no service `{service}` under `services`");
                self.flaws.push(Flaw::new(&path, message, "").at_key());
            }
            match ImagePattern::new(text, service) {
                Ok(pattern) => drop(images.services.insert(service.clone(), pattern)),
                Err(error) => self.flaw(path, error.to_string(), ""),
            }
        }
        let bare: Vec<&str> = services
            .into_iter()
            .filter(|service| section.default.is_none() && !section.services.contains_key(service))
            .map(Service::as_str)
            .collect();
        if !bare.is_empty() {
            let message = format!("no image pattern for {}", bare.join(", "));
            self.flaw(
                PATH,
                message,
                "add `default` to runner.containers.images, or a pattern for each under its `services`",
            );
        }
        images
    }
}
