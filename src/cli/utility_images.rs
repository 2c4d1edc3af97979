//! `leapfrog env build` and `leapfrog env load`: utility images of a release, made here or taken from a file.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context, anyhow};
use camino::Utf8PathBuf;
use serde::Serialize;

use super::arguments::{BuildArguments, Common, Output};
use super::executor;
use super::exit::Exit;
use super::look::Show;
use super::preflight::refusal;
use super::stop::Stop;
use super::world::{World, catalog};
use crate::catalog::{Catalog, PlaybookStep};
use crate::cloud::{self, LocalSettings, PackageSource, RunnerSettings};
use crate::model::{Digest, ImageReference, Series, Service};
use crate::report;
use crate::runner::build::{self, BaseImage, Builder, Loaded, Order};
use crate::runner::containers::{ContainerSettings, Containers};
use crate::runner::{RunnerError, local};

/// An image that was made.
#[derive(Debug, Serialize)]
struct Made {
    image: ImageReference,
    id: Digest,
    series: Series,
    services: BTreeSet<Service>,
    /// The bytes of its files.
    bytes: u64,
    layers: Vec<MadeLayer>,
    /// The digest of the list of its packages.
    lock: Digest,
    pushed: Option<Pushed>,
    archive: Option<Archive>,
}

#[derive(Debug, Serialize)]
struct MadeLayer {
    holds: String,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Pushed {
    image: ImageReference,
    digest: Digest,
}

#[derive(Debug, Serialize)]
struct Archive {
    file: Utf8PathBuf,
    bytes: u64,
    manifest: Digest,
}

/// An image that was taken from a file.
#[derive(Debug, Serialize)]
struct Taken {
    image: ImageReference,
    id: Digest,
    manifest: Digest,
    series: String,
    services: Vec<String>,
    /// Whether the engine had it before.
    known: bool,
}

/// `leapfrog env build`.
pub(super) async fn build(common: &Common, arguments: &BuildArguments, show: &Show) -> Result<Exit, Stop> {
    let surroundings = Surroundings::find(common)?;
    let catalog = catalog(common)?;
    let series = catalog.find_series(&arguments.series).context("--series names no release").map_err(Stop::usage)?;
    let mut order = order(&catalog, &series, &arguments.service)?;
    order.base = match &arguments.base {
        Some(reference) => BaseImage::Given(reference.clone()),
        None => BaseImage::Debian { anew: arguments.new_base },
    };
    let pushed = match &arguments.push {
        Some(below) => {
            let wrong = |error: RunnerError| Stop::usage(anyhow!("failed to {error} (--push). {}", error.advice));
            Some(order.name_below(below).map_err(wrong)?)
        }
        None => None,
    };
    let builder = surroundings.builder(&catalog, &order, arguments.directory.as_ref())?;
    let began = Instant::now();
    let news = |what: &str| show.complain(&format!("{series}  {:>4}s  {what}\n", began.elapsed().as_secs()));
    let (built, manifest) = builder.build(&order, arguments.archive.as_deref(), &news).await.map_err(refused)?;
    let pushed = match pushed {
        Some(name) => {
            let digest = builder.push(&built.id, &name, &news).await.map_err(refused)?;
            Some(Pushed { image: name, digest })
        }
        None => None,
    };
    let archive = arguments.archive.clone().zip(manifest).map(|(file, manifest)| Archive {
        bytes: std::fs::metadata(&file).map_or(0, |meta| meta.len()),
        file,
        manifest,
    });
    let layers = built.layers.into_iter().map(|(holds, bytes)| MadeLayer { holds, bytes }).collect();
    let made = Made {
        image: built.name,
        id: built.id,
        series,
        services: order.services,
        bytes: built.bytes,
        layers,
        lock: built.lock,
        pushed,
        archive,
    };
    match show.output {
        Output::Text => show.print(&text(&made)),
        Output::Json | Output::Jsonl => show.print_json(&made)?,
    }
    Ok(Exit::Done)
}

/// `leapfrog env load`.
pub(super) async fn load(common: &Common, file: &Utf8PathBuf, show: &Show) -> Result<Exit, Stop> {
    let containers = Surroundings::find(common)?.engine()?;
    let Loaded { name, id, manifest, series, services, known } =
        build::load(&containers, file).await.map_err(refused)?;
    let services = services.split(',').map(str::to_owned).collect();
    let taken = Taken { image: name, id, manifest, series, services, known };
    match show.output {
        Output::Text => show.print(&format!(
            "image     {}{}\nid        {}\nholds     {} of {}\n",
            taken.image,
            if taken.known { ", which the container engine had" } else { "" },
            taken.id,
            taken.services.join(", "),
            taken.series
        )),
        Output::Json | Output::Jsonl => show.print_json(&taken)?,
    }
    Ok(Exit::Done)
}

/// The order of an image with the code of `services`, or of the usual services of a release. It stands on a Debian.
///
/// Images of usual services are made of one list of packages, whichever they are of; those with another service too are made
/// of that of all services.
///
/// # Errors
/// The release does not say what its services are made of.
pub(super) fn order(catalog: &Catalog, series: &Series, services: &[Service]) -> Result<Order, Stop> {
    let release = catalog.release(series);
    let Some((release, environment)) = release.and_then(|release| Some((release, release.environment.as_ref()?)))
    else {
        return Err(Stop::usage(anyhow!(
            "nothing says what an image of {series} is made of: its release file needs a section `environment` \
             (docs/releases.md)"
        )));
    };
    let known: Vec<&str> = environment.services.keys().map(Service::as_str).collect();
    if let Some(unknown) = services.iter().find(|service| !environment.services.contains_key(*service)) {
        return Err(Stop::usage(anyhow!(
            "nothing says what {unknown} of {} is made of: there are {}",
            release.name(),
            known.join(", ")
        )));
    }
    let usual = environment.usual();
    let services: BTreeSet<Service> = match services {
        [] => usual.clone(),
        some => some.iter().cloned().collect(),
    };
    let all = !services.is_subset(&usual);
    let listed = environment.services.iter().filter(|(service, _)| all || usual.contains(*service));
    let requirements = listed.map(|(service, packages)| (service.clone(), packages.clone())).collect();
    let steps = services.iter().filter_map(|service| catalog.playbook(service)).flat_map(|book| &book.steps);
    let programs = steps
        .filter(|step| step.series().contains(series))
        .filter_map(PlaybookStep::command)
        .map(|command| command.program().to_owned())
        .collect();
    Ok(Order {
        series: series.clone(),
        day: environment.exclude_newer,
        services,
        usual,
        environment: ImageReference::environment(series, None),
        requirements,
        shared: environment.packages.clone(),
        programs,
        base: BaseImage::Debian { anew: false },
    })
}

/// What the cloud file, where there is one, says of packages and of the container engine.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    local: Option<LocalSettings>,
    containers: Option<cloud::ContainerSettings>,
}

impl Surroundings {
    /// As the cloud file says; there need not be one.
    pub(super) fn find(common: &Common) -> Result<Self, Stop> {
        if !common.config.exists() {
            return Ok(Self::default());
        }
        Ok(match World::read(common)?.cloud.runner {
            RunnerSettings::Containers(settings) => Self { containers: Some(settings), local: None },
            RunnerSettings::Local(settings) => Self { local: Some(settings), containers: None },
        })
    }

    /// The container engine, for what is made here: containers in it reach no network.
    pub(super) fn engine(&self) -> Result<Containers, Stop> {
        let settings = ContainerSettings {
            socket: self.containers.as_ref().and_then(|settings| settings.socket.clone()),
            network: Some("none".to_owned()),
            cloud: "utility-images".to_owned(),
            ..ContainerSettings::default()
        };
        Containers::connect(settings).map_err(refused)
    }

    /// What makes an image; it keeps its layers below `directory`.
    pub(super) fn builder(
        &self,
        catalog: &Catalog,
        order: &Order,
        directory: Option<&Utf8PathBuf>,
    ) -> Result<Builder, Stop> {
        let usual = || {
            LocalSettings::usual_directory(&|name| std::env::var(name).ok()).ok_or_else(|| {
                Stop::usage(anyhow!("neither XDG_CACHE_HOME nor HOME is set: name the directory with --directory"))
            })
        };
        let mut settings = match &self.local {
            Some(settings) => settings.clone(),
            None => LocalSettings {
                directory: directory.cloned().map_or_else(usual, Ok)?,
                source: PackageSource::Configured,
                constraints: None,
                separate: false,
                uv: None,
                python: Vec::new(),
                prefetch: cloud::Prefetch::default(),
            },
        };
        settings.separate = false;
        if let Some(directory) = directory {
            settings.directory = directory.clone();
        }
        let services = order.requirements.keys().cloned().collect();
        let place = settings.directory.clone();
        let settings: local::LocalSettings = executor::local_settings(&settings, catalog, &services, &place)?;
        Ok(Builder::new(settings, self.engine()?))
    }
}

fn refused(error: RunnerError) -> Stop {
    Stop::refused(vec![refusal(error)])
}

/// What was made, for people.
fn text(made: &Made) -> String {
    let layers: Vec<String> = made
        .layers
        .iter()
        .map(|layer| format!("          {:>9}  {}\n", report::bytes(layer.bytes), layer.holds))
        .collect();
    let mut text = format!(
        "image     {}\nid        {}\nlock      {}\nsize      {}; its layers, as archives:\n{}",
        made.image,
        made.id,
        made.lock,
        report::bytes(made.bytes),
        layers.concat()
    );
    if let Some(Pushed { image, digest }) = &made.pushed {
        text.push_str(&format!("pushed    {image}\n          {digest}\n"));
    }
    if let Some(Archive { file, bytes, manifest }) = &made.archive {
        text.push_str(&format!("archive   {file}, {}\n          {manifest}\n", report::bytes(*bytes)));
    }
    text
}
