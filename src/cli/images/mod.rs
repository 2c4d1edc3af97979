//! The images of a leap: what is asked of each, what it holds, and whether that is what the plan expects.
//!
//! What was read is kept by digest in the state directory, so an image is read once. A reader belongs to one
//! plan; the conductor uses it for images that arrive while the hop before theirs works.

mod cache;
mod question;
mod scripts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use camino::Utf8PathBuf;

use self::cache::Cache;
pub use self::question::Question;
pub use self::scripts::{ImageScripts, RepositoryScripts, SchemaScripts, ServiceScripts};
use super::stop::{Cause, Stop};
use super::world::{Wanted, World};
use crate::catalog::{Playbook, Release};
use crate::conduct::{self, ImageInspector};
use crate::journal::Failure;
use crate::model::{ImageReference, Observation, Series, Service};
use crate::plan::images::{self, Expected, Held, HeldImage};
use crate::plan::{Plan, Refusal, RefusalKind};
use crate::runner::{PinnedImage, Runner, RunnerError};

/// What is told where images are not read.
pub(super) const UNREAD: &str = "images are taken unread (`read_images: false` in the cloud file): whether they hold \
                                 their release's migrations shows when these have run";

/// Reads the images of a plan.
pub(super) struct ImageReader {
    runner: Arc<dyn Runner>,
    plan: Arc<Plan>,
    releases: Vec<Release>,
    playbooks: Vec<Playbook>,
    options: String,
    cache: Cache,
    held: Mutex<Held>,
}

impl ImageReader {
    /// A reader for the images of `plan`; none where the cloud file switches reading off.
    pub(super) fn new(
        world: &World,
        wanted: &BTreeSet<Service>,
        runner: Arc<dyn Runner>,
        plan: Arc<Plan>,
    ) -> Option<Self> {
        world.cloud.runner.read_images().then(|| Self {
            runner,
            plan,
            releases: world.catalog.releases().cloned().collect(),
            playbooks: world.playbooks().into_iter().cloned().collect(),
            options: world.options(wanted),
            cache: Cache::at(directory(world)),
            held: Mutex::default(),
        })
    }

    /// Reads an image for every hop that uses it.
    ///
    /// # Errors
    /// It cannot be read, or lacks a program.
    async fn read(&self, image: &PinnedImage, programs: &BTreeSet<String>) -> Result<(), Failure> {
        for hop in &self.plan.hops {
            let services: Vec<&Service> =
                hop.lanes.iter().filter(|lane| lane.image == image.reference).map(|lane| &lane.service).collect();
            let Some(release) = self.releases.iter().find(|release| release.series == hop.series) else { continue };
            if services.is_empty() {
                continue;
            }
            let releases: Vec<&Release> = self.releases.iter().collect();
            let books: Vec<&Playbook> = self.playbooks.iter().collect();
            let question = Question::new(release, &releases, &books, &services, programs);
            let held = ask(&*self.runner, &self.cache, image, &question).await?;
            self.held
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .0
                .insert((hop.series.clone(), image.reference.clone()), held);
        }
        Ok(())
    }

    fn held(&self) -> Held {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn with_expected<T>(&self, then: impl FnOnce(Expected<'_>) -> T) -> T {
        let releases: Vec<&Release> = self.releases.iter().collect();
        let playbooks: Vec<&Playbook> = self.playbooks.iter().collect();
        then(Expected { releases: &releases, playbooks: &playbooks, options: &self.options })
    }

    /// Holds everything that was read against the plan. Returns what deserves a second look.
    ///
    /// # Errors
    /// Every reason not to begin.
    pub(super) fn check(&self) -> Result<Vec<String>, Vec<Refusal>> {
        self.with_expected(|expected| images::check(&self.plan, &self.held(), expected))
    }

    /// The plan with what the images say.
    pub(super) fn enriched(&self) -> Plan {
        let mut plan = (*self.plan).clone();
        self.with_expected(|expected| images::enrich(&mut plan, &self.held(), expected));
        plan
    }
}

#[async_trait::async_trait]
impl ImageInspector for ImageReader {
    async fn inspect(&self, image: &PinnedImage, programs: &BTreeSet<String>) -> Result<(), Failure> {
        self.read(image, programs).await
    }

    fn objection(&self, image: &ImageReference) -> Option<Failure> {
        let mut held = self.held();
        held.0.retain(|(_, own), _| own == image);
        let refusals = match self.with_expected(|expected| images::check(&self.plan, &held, expected)) {
            Ok(_) => return None,
            Err(refusals) => refusals,
        };
        let advice = refusals.first().map(|refusal| refusal.next.clone()).unwrap_or_default();
        let told = refusals.into_iter().map(|refusal| match refusal.found {
            Some(found) => format!("{} (found {found})", refusal.what),
            None => refusal.what,
        });
        Some(conduct::failure(told.collect::<Vec<_>>().join("; "), advice))
    }
}

/// What an image holds: as it is known, or read now.
async fn ask(
    runner: &dyn Runner,
    cache: &Cache,
    image: &PinnedImage,
    question: &Question,
) -> Result<HeldImage, Failure> {
    let digest = image.digest.clone();
    let key = question.key();
    if let Some(facts) = cache.get(&digest, &key).await {
        return Ok(HeldImage { digest, facts });
    }
    let refuse = |error: RunnerError| conduct::failure(error.to_string(), error.advice);
    let files = runner.read(image, &question.request()).await.map_err(refuse)?;
    if let Some(failure) = conduct::lack_of(image, &files.lacking) {
        return Err(failure);
    }
    let facts = question.facts(&files);
    cache.put(&digest, &key, &facts).await;
    Ok(HeldImage { digest, facts })
}

/// The migration scripts of an image that is here: as they are known, or read now.
///
/// # Errors
/// It cannot be read.
pub(super) async fn scripts_of(
    world: &World,
    runner: &dyn Runner,
    image: &PinnedImage,
    question: &Question,
) -> Result<ImageScripts, RunnerError> {
    let cache = Cache::at(directory(world));
    let key = question.key_for_scripts();
    if let Some(scripts) = cache.get(&image.digest, &key).await {
        return Ok(scripts);
    }
    let scripts = question.scripts(&runner.read(image, &question.request_for_scripts()).await?);
    cache.put(&image.digest, &key, &scripts).await;
    Ok(scripts)
}

/// Where what was read of images is kept.
fn directory(world: &World) -> Utf8PathBuf {
    world.cloud.state_dir.join("images")
}

/// Adds to the refusals of databases that stand at no release's heads where they stand in the scripts of the images
/// that are here already. Nothing is downloaded for that.
pub(super) async fn explain(
    stop: Stop,
    world: &World,
    wanted: &Wanted,
    observation: &Observation,
    runner: &dyn Runner,
) -> Stop {
    let Stop { exit, cause: Cause::Refused(mut refusals) } = stop else { return stop };
    let unclear =
        refusals.iter().filter(|refusal| matches!(refusal.kind, RefusalKind::Foreign | RefusalKind::HalfDone));
    let services: BTreeSet<Service> =
        unclear.filter_map(|refusal| refusal.database.as_ref()).map(|id| id.service.clone()).collect();
    if world.cloud.runner.read_images() && !services.is_empty() {
        let held = held_here(world, &services, runner).await;
        let releases: Vec<&Release> = world.catalog.releases().collect();
        let playbooks = world.playbooks();
        let options = world.options(&wanted.services);
        let expected = Expected { releases: &releases, playbooks: &playbooks, options: &options };
        images::explain(&mut refusals, &held, observation, expected);
    }
    Stop { exit, cause: Cause::Refused(refusals) }
}

/// What the images of `services` hold, as far as they are here.
async fn held_here(world: &World, services: &BTreeSet<Service>, runner: &dyn Runner) -> Held {
    let cache = Cache::at(directory(world));
    let releases: Vec<&Release> = world.catalog.releases().collect();
    let mut held = BTreeMap::new();
    for release in &releases {
        for service in services {
            let Ok(reference) = world.cloud.image(service, &release.series, &release.codename) else { continue };
            let key: (Series, ImageReference) = (release.series.clone(), reference.clone());
            let Ok(image) = runner.resolve(&reference).await else { continue };
            if !matches!(runner.has(&image).await, Ok(true)) {
                continue;
            }
            let question = Question::new(release, &releases, &world.playbooks(), &[service], &BTreeSet::new());
            if let Ok(found) = ask(runner, &cache, &image, &question).await {
                let known = held.entry(key).or_insert_with(|| HeldImage {
                    digest: found.digest.clone(),
                    facts: crate::migrations::ImageFacts::default(),
                });
                known.facts.services.extend(found.facts.services);
            }
        }
    }
    Held(held)
}
