//! What executes the commands: the container engine and where its images come from, or environments on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::{Finding, listed, machine};
use crate::cli::arguments::Selection;
use crate::cli::stop::{Cause, Stop};
use crate::cli::world::World;
use crate::cli::{executor, preflight, verify};
use crate::cloud::RunnerSettings;
use crate::model::{ImageReference, Series, Service};
use crate::runner::containers::{ContainerSettings, Containers};
use crate::runner::{Runner, RunnerError, RunnerErrorKind};

const ENGINE: &str = "engine";
const IMAGES: &str = "images";
const RUNNER: &str = "runner";

/// How many images are looked up at a time.
const AT_ONCE: usize = 4;

/// Images of one release have half a gigabyte or more, most of which they share.
const ROOM: u64 = 5_000_000_000;

/// The engine at its usual place: nobody said anything else.
pub(super) async fn without_cloud() -> Vec<Finding> {
    engine(Containers::connect(ContainerSettings::default())).await.0
}

/// What executes this cloud's commands, and whether its images can be had: those of a leap, or those of the release
/// that the databases show and of the next one.
pub(super) async fn look(world: &World, services: &BTreeSet<Service>, leap: Option<&Selection>) -> Vec<Finding> {
    let settings = match &world.cloud.runner {
        RunnerSettings::Containers(settings) => settings,
        RunnerSettings::Local(_) => return environments(world, leap).await,
    };
    let (mut findings, engine) = engine(executor::engine(world, settings)).await;
    match (leap, engine) {
        (Some(leap), engine) => findings.extend(images_of_leap(world, leap, engine.as_deref()).await),
        (None, Some(engine)) => findings.extend(images_of_ends(world, services, &engine).await),
        (None, None) => {}
    }
    findings
}

/// Whether environments can be made here. Those of a leap are resolved only by `leapfrog pull`, which makes them.
async fn environments(world: &World, leap: Option<&Selection>) -> Vec<Finding> {
    let mut findings = match executor::runner(world) {
        Ok(runner) => match runner.identify().await {
            Ok(identity) => vec![Finding::ok(RUNNER, format!("{} at {}", identity.name, identity.address))],
            Err(error) => vec![Finding::refused(RUNNER, &preflight::refusal(error))],
        },
        Err(stop) => told(RUNNER, stop),
    };
    if let Some(leap) = leap {
        findings.extend(images_of_leap(world, leap, None).await);
    }
    findings
}

/// What keeps something from being done, as findings about `about`.
fn told(about: &str, stop: Stop) -> Vec<Finding> {
    let mend = "mend that, then ask again";
    match stop.cause {
        Cause::Refused(refusals) => refusals.iter().map(|refusal| Finding::refused(about, refusal)).collect(),
        Cause::Error(error) => vec![Finding::failure(about, format!("{error:#}"), mend)],
        Cause::Document(diagnostic) => vec![Finding::failure(about, diagnostic.to_string(), mend)],
    }
}

/// The engine, if it answers.
async fn engine(connected: Result<Containers, RunnerError>) -> (Vec<Finding>, Option<Arc<Containers>>) {
    let failed = |error: RunnerError| (vec![Finding::refused(ENGINE, &preflight::refusal(error))], None);
    let containers = match connected {
        Ok(containers) => Arc::new(containers),
        Err(error) => return failed(error),
    };
    let identity = match containers.identify().await {
        Ok(identity) => identity,
        Err(error) => return failed(error),
    };
    let mut findings = vec![Finding::ok(ENGINE, format!("{} at {}", identity.name, identity.address))];
    if let Some(storage) = containers.storage().await {
        if !storage.lists_changes {
            findings.push(Finding::warning(
                ENGINE,
                format!(
                    "its storage driver {} keeps no list of changes: looking at what a command left behind takes seconds \
                     where the databases do not prove a step",
                    storage.driver
                ),
                "overlay2 has one; nothing has to be done",
            ));
        }
        // An engine on another machine has another disk.
        let local = storage.directory.filter(|directory| identity.address.starts_with("unix://") && directory.exists());
        if let Some((directory, free)) =
            local.and_then(|directory| Some((directory.clone(), machine::free(&directory)?)))
        {
            let what = format!("{} free in {directory}, where it keeps images", crate::report::bytes(free));
            findings.push(if free < ROOM {
                Finding::warning(ENGINE, what, "a leap needs an image a release: `docker system df` shows what can go")
            } else {
                Finding::ok(ENGINE, what)
            });
        }
    }
    (findings, Some(containers))
}

/// Every image of a leap, and whatever else keeps its plan from being made.
async fn images_of_leap(world: &World, leap: &Selection, engine: Option<&Containers>) -> Vec<Finding> {
    let wanted = match world.wanted(leap) {
        Ok(wanted) => wanted,
        Err(stop) => return told("leap", stop),
    };
    let observation = world.observe(&wanted.services).await;
    let plan = match world.plan(&wanted, &observation) {
        Ok(plan) => plan,
        Err(stop) => return told("leap", stop),
    };
    let mut findings = vec![Finding::ok("leap", format!("{} → {} can be planned", plan.from, plan.to))];
    let Some(engine) = engine else { return findings };
    match preflight::look_up(engine, &plan).await {
        Ok((_, images)) => findings.push(Finding::ok(IMAGES, format!("all {} of the leap can be had", images.len()))),
        Err(stop) => findings.extend(told(IMAGES, stop)),
    }
    findings
}

/// The images of where the databases stand and of the release after.
async fn images_of_ends(world: &World, services: &BTreeSet<Service>, engine: &Arc<Containers>) -> Vec<Finding> {
    let observation = world.observe(services).await;
    let oldest = || world.catalog.releases().next().map(|release| release.series.clone());
    let Some(here) = verify::shown(world, services, &observation).or_else(oldest) else { return Vec::new() };
    let next = world.catalog.later(&here, 1).map(|release| release.series.clone());
    let mut wanted: BTreeMap<ImageReference, Series> = BTreeMap::new();
    let mut unnamed: BTreeMap<String, BTreeSet<Service>> = BTreeMap::new();
    for series in [Some(&here), next.as_ref()].into_iter().flatten() {
        let Some(release) = world.catalog.release(series) else { continue };
        for service in services {
            match world.cloud.image(service, series, &release.codename) {
                Ok(image) => drop(wanted.entry(image).or_insert_with(|| series.clone())),
                Err(error) => drop(unnamed.entry(reason(&error.to_string())).or_default().insert(service.clone())),
            }
        }
    }
    let mut findings: Vec<Finding> = unnamed
        .into_iter()
        .map(|(why, services)| Finding::failure(IMAGES, format!("of {}: {why}", listed(&services)), "write it there"))
        .collect();
    let looked: Vec<_> = stream::iter(wanted)
        .map(|(image, series)| async move { (series, engine.resolve(&image).await) })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut had: BTreeMap<(String, Series), usize> = BTreeMap::new();
    for (series, looked) in looked {
        match looked {
            Ok(image) => *had.entry((image.reference.registry().to_owned(), series)).or_default() += 1,
            Err(error) => {
                let missing = error.kind == RunnerErrorKind::ImageMissing;
                let finding = Finding::refused(IMAGES, &preflight::refusal(error));
                // Nobody said that the next release is where the leap goes.
                let later = missing && series != here;
                let finding = if later { Finding { state: super::State::Warning, ..finding } } else { finding };
                // The same words about several images are told once.
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
        }
    }
    for ((registry, series), number) in had {
        findings.push(Finding::ok(IMAGES, format!("{number} of {series} can be had from {registry}")));
    }
    findings
}

/// An error about one service's image without that service's name.
fn reason(text: &str) -> String {
    text.split_once(": ").map_or(text, |(_, why)| why).to_owned()
}
