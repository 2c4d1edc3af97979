//! What executes the commands of a cloud: containers, or environments on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::preflight::refusal;
use super::stop::Stop;
use super::world::World;
use crate::catalog::{Catalog, Environment, Release};
use crate::cloud::{self, LocalSettings, PackageSource, RunnerSettings};
use crate::model::{ImageReference, Service};
use crate::runner::local::{self, Recipe, Source};
use crate::runner::{Runner, RunnerError, containers};

/// What executes the commands of a cloud. Nothing is asked of it yet.
pub(super) fn runner(world: &World) -> Result<Arc<dyn Runner>, Stop> {
    match &world.cloud.runner {
        RunnerSettings::Containers(settings) => {
            let runner = engine(world, settings);
            Ok(Arc::new(runner.map_err(|error| Stop::refused(vec![refusal(error)]))?))
        }
        RunnerSettings::Local(settings) => {
            let services = world.cloud.services().cloned().collect();
            let settings = local_settings(settings, &world.catalog, &services, &world.cloud.state_dir)?;
            Ok(Arc::new(local::Local::new(settings)))
        }
    }
}

/// The container engine of a cloud.
pub(super) fn engine(
    world: &World,
    settings: &cloud::ContainerSettings,
) -> Result<containers::Containers, RunnerError> {
    containers::Containers::connect(containers::ContainerSettings {
        socket: settings.socket.clone(),
        // The engine's own default is a network of its own, where 127.0.0.1 is another machine.
        network: Some(settings.network.clone().unwrap_or_else(|| "host".to_owned())),
        user: settings.user.clone(),
        pull: match settings.pull {
            cloud::Pull::Auto => containers::Pull::Auto,
            cloud::Pull::Never => containers::Pull::Never,
        },
        cloud: world.cloud.name.clone(),
        outage: Some(world.cloud.limits.outage),
        ..containers::ContainerSettings::default()
    })
}

/// How environments for `services` are made and used, with a recipe for each release that has one. Tasks lie below the
/// state directory.
///
/// # Errors
/// The current directory is gone, and a path is relative to it.
pub(super) fn local_settings(
    settings: &LocalSettings,
    catalog: &Catalog,
    services: &BTreeSet<Service>,
    state: &Utf8Path,
) -> Result<local::LocalSettings, Stop> {
    Ok(local::LocalSettings {
        environments: absolute(&settings.directory)?,
        tasks: absolute(&state.join("tasks"))?,
        supervisor: local::LocalSettings::OWN.into(),
        source: match &settings.source {
            PackageSource::Configured => Source::Configured,
            PackageSource::Index(index) => Source::Index(index.clone()),
            PackageSource::Wheels(directory) => Source::Wheels(absolute(directory)?),
        },
        uv: settings.uv.as_deref().map(absolute).transpose()?,
        python: settings.python.clone(),
        recipes: recipes(settings, catalog, services),
    })
}

fn absolute(path: &Utf8Path) -> Result<Utf8PathBuf, Stop> {
    camino::absolute_utf8(path).map_err(|error| Stop::usage(anyhow::anyhow!("{path} is no path from here: {error}")))
}

/// What each environment is made of.
fn recipes(
    settings: &LocalSettings,
    catalog: &Catalog,
    services: &BTreeSet<Service>,
) -> BTreeMap<ImageReference, Recipe> {
    let mut recipes = BTreeMap::new();
    for release in catalog.releases() {
        let Some(environment) = &release.environment else { continue };
        let here: Vec<&Service> = services.iter().filter(|name| environment.services.contains_key(name)).collect();
        let mut add = |service: Option<&Service>, services: &[&Service]| {
            let reference = ImageReference::environment(&release.series, service);
            recipes.insert(reference, recipe(settings, release, environment, services));
        };
        if settings.separate {
            here.iter().for_each(|service| add(Some(service), &[service]));
        } else {
            add(None, &here);
        }
    }
    recipes
}

fn recipe(settings: &LocalSettings, release: &Release, environment: &Environment, services: &[&Service]) -> Recipe {
    let own = services.iter().filter_map(|service| environment.services.get(*service)).flatten();
    let list = settings.constraints.as_ref().map(|pattern| pattern.of(&release.series, &release.codename));
    let constraints = if list.is_some() { Vec::new() } else { environment.constraints.clone() };
    // An operator's list says which versions belong together, whenever they were published; a directory holds what was
    // chosen, and does not say when that was published.
    let dated = list.is_none() && !matches!(settings.source, PackageSource::Wheels(_));
    Recipe {
        series: release.series.clone(),
        services: services.iter().map(|service| (*service).clone()).collect(),
        pythons: environment.python.clone(),
        requirements: own.chain(&environment.packages).cloned().collect(),
        constraints,
        constraints_list: list,
        without: environment.without.clone(),
        // The end of that day, wherever this machine is: else the same recipe would mean different packages.
        exclude_newer: dated.then(|| {
            let next = environment.exclude_newer.tomorrow().unwrap_or(environment.exclude_newer);
            format!("{next}T00:00:00Z")
        }),
    }
}
