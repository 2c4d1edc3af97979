//! The migration scripts of a leap, out of the images or environments of its releases.
//!
//! Nothing runs in an image. No database is asked, but where it stands (`--from auto`) and how large it is (`--sizes`).
//! Each release is read for itself, where its playbook says that its scripts lie, and kept by digest: see
//! [`crate::cli::images`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};

use crate::catalog::{Exception, Playbook, Release};
use crate::cli::arguments::{Common, Selection};
use crate::cli::images::{ImageScripts, Question, scripts_of};
use crate::cli::look::Show;
use crate::cli::preflight::refusal;
use crate::cli::stop::Stop;
use crate::cli::world::{COUNTING, Wanted, World};
use crate::lint::{Held, Models, Repository, Script, Server, Sized, Target, range};
use crate::model::{Engine, Heads, ImageReference, Observation, Series, Service};
use crate::observe::sizes_of;
use crate::plan::{self, Refusal, RefusalKind, Start};
use crate::report::bytes;
use crate::runner::{FetchProgress, Runner};

/// How many images are read at a time.
const AT_ONCE: usize = 4;

/// How often is told how far an image is.
const TELL: Duration = Duration::from_secs(10);

/// What each release holds of the services.
type Releases<'a> = Vec<(&'a Release, BTreeMap<ImageReference, ImageScripts>)>;

/// What was found out of a leap.
pub(super) struct Ranged {
    /// The scripts that it runs, service by service and schema by schema.
    pub(super) scripts: Vec<Script>,
    /// The servers of the cloud file.
    pub(super) targets: Vec<Target>,
    /// The databases, where they were asked.
    pub(super) sized: Vec<Sized>,
    /// What the notes on the releases accept of these services' migrations.
    pub(super) notes: Vec<(Series, Exception)>,
}

/// The scripts that a leap runs; with `sizes`, the databases are asked how large their tables are.
///
/// # Errors
/// Every image that cannot be read, and every database that does not answer.
pub(super) async fn scripts(common: &Common, selection: &Selection, sizes: bool, show: &Show) -> Result<Ranged, Stop> {
    let mut world = World::read_aloud(common, show)?;
    let wanted = world.wanted(selection)?;
    let observation = match wanted.from {
        Start::At(_) => Observation::default(),
        Start::Auto => {
            world.look_up_mapped(&wanted.services).await;
            world.observe(&wanted.services).await
        }
    };
    let (from, to) = ends(&world, &wanted, &observation)?;
    let all: Vec<&Release> = world.catalog.releases().collect();
    let services: Vec<&Service> = wanted.services.iter().collect();
    let stops = plan::stops(&all, &services, &from, &to, wanted.stops);
    let runner = crate::cli::executor::runner(&world)?;
    let read = stream::iter(stops).map(|release| read(&world, &*runner, release, &all, &services, show));
    let read: Vec<_> = read.buffered(AT_ONCE).collect().await;
    let mut releases = Vec::new();
    let mut refusals = Vec::new();
    for found in read {
        match found {
            Ok(release) => releases.push(release),
            Err(found) => refusals.extend(found),
        }
    }
    if !refusals.is_empty() {
        // What every release lacks, an engine for one, is said once.
        let mut told: Vec<Refusal> = Vec::new();
        refusals.into_iter().for_each(|one| {
            if !told.contains(&one) {
                told.push(one)
            }
        });
        return Err(Stop::refused(told));
    }
    let scripts = services.iter().flat_map(|service| of_service(&world, service, &releases)).collect();
    let sized = if sizes { sized(&world, &wanted.services).await? } else { Vec::new() };
    let passed = all.iter().filter(|release| from < release.series && release.series <= to);
    let notes = passed.flat_map(|release| {
        let about = |exception: &&Exception| exception.service.as_ref().is_some_and(|one| services.contains(&one));
        release.exceptions.iter().filter(about).map(|exception| (release.series.clone(), exception.clone()))
    });
    Ok(Ranged { scripts, targets: targets(&world, &wanted.services, &observation), sized, notes: notes.collect() })
}

/// Where the leap starts and ends.
fn ends(world: &World, wanted: &Wanted, observation: &Observation) -> Result<(Series, Series), Stop> {
    let from = world.start(wanted, observation)?.map_err(|refused| Stop::refused(refused.0))?;
    let to = world.end(&from, &wanted.to).map_err(Stop::usage)?;
    if to < from {
        return Err(Stop::usage(anyhow::anyhow!("--to {to} is older than {from}, where the databases stand")));
    }
    Ok((from, to))
}

/// What the images of one release hold of the services that it has.
async fn read<'a>(
    world: &World,
    runner: &dyn Runner,
    release: &'a Release,
    all: &[&Release],
    services: &[&Service],
    show: &Show,
) -> Result<(&'a Release, BTreeMap<ImageReference, ImageScripts>), Vec<Refusal>> {
    let mut images: BTreeMap<ImageReference, Vec<&Service>> = BTreeMap::new();
    let mut refusals = Vec::new();
    for service in services.iter().filter(|service| release.services.contains_key(**service)) {
        match world.cloud.image(service, &release.series, &release.codename) {
            Ok(reference) => images.entry(reference).or_default().push(service),
            Err(error) => refusals.push(refused(error.to_string(), "name it in the cloud file".to_owned())),
        }
    }
    let mut read = BTreeMap::new();
    for (reference, services) in images {
        match read_one(world, runner, release, all, &reference, &services, show).await {
            Ok(scripts) => drop(read.insert(reference, scripts)),
            Err(found) => refusals.extend(found),
        }
    }
    if refusals.is_empty() { Ok((release, read)) } else { Err(refusals) }
}

async fn read_one(
    world: &World,
    runner: &dyn Runner,
    release: &Release,
    all: &[&Release],
    reference: &ImageReference,
    services: &[&Service],
    show: &Show,
) -> Result<ImageScripts, Vec<Refusal>> {
    let refuse = |error| vec![refusal(error)];
    let image = runner.resolve(reference).await.map_err(refuse)?;
    if !runner.has(&image).await.map_err(refuse)? {
        let told = Mutex::new(Instant::now());
        show.complain(&format!("getting the {} {reference}\n", reference.noun()));
        let progress = |progress: FetchProgress| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.elapsed() >= TELL && progress.done > 0 {
                *told = Instant::now();
                let of = if progress.total > 0 { format!(" of {}", bytes(progress.total)) } else { String::new() };
                show.complain(&format!("getting {reference}: {}{of}\n", bytes(progress.done)));
            }
        };
        runner.fetch(&image, &progress).await.map_err(refuse)?;
    }
    let books: Vec<&Playbook> = world.playbooks();
    let question = Question::new(release, all, &books, services, &BTreeSet::new());
    let scripts = scripts_of(world, runner, &image, &question).await.map_err(refuse)?;
    let said = |what: String, next: String| refused(format!("the {} {reference} {what}", reference.noun()), next);
    let mut refusals = Vec::new();
    for (service, held) in &scripts.services {
        if !held.found {
            let what = format!("has no {}, by which the packages of {service} are found", held.program);
            let next = format!("name another image for {service} in the cloud file, or leave it out with --only");
            refusals.push(said(what, next));
        }
        for (what, files) in held.directories() {
            let directory = &files.directory;
            if files.missing {
                let what = format!("has no {directory}, where the scripts of {what} are expected");
                refusals.push(said(what, format!("look whether it holds {}", release.series)));
            }
            for (file, why) in &files.unread {
                let what = format!("holds {directory}/{file}, which cannot be read: {why}");
                refusals.push(said(what, "look at that file".to_owned()));
            }
        }
    }
    if refusals.is_empty() { Ok(scripts) } else { Err(refusals) }
}

fn refused(what: String, next: String) -> Refusal {
    Refusal { kind: RefusalKind::Image, database: None, what, found: None, expected: None, next }
}

/// The scripts of one service, schema by schema.
fn of_service(world: &World, service: &Service, releases: &Releases<'_>) -> Vec<Script> {
    let held = |release: &Release, images: &'_ BTreeMap<ImageReference, ImageScripts>| {
        let reference = world.cloud.image(service, &release.series, &release.codename).ok()?;
        images.get(&reference)?.services.get(service).cloned()
    };
    let found: Vec<_> =
        releases.iter().filter_map(|(release, images)| Some((*release, held(release, images)?))).collect();
    let schemas: BTreeSet<_> = releases
        .iter()
        .filter_map(|(release, _)| release.services.get(service))
        .flat_map(|facts| facts.heads.keys())
        .collect();
    let (nothing, nowhere) = (BTreeMap::new(), Heads::default());
    let unmapped = Models::default();
    let of_schema = schemas.into_iter().flat_map(|schema| {
        let held: Vec<Held<'_>> = found
            .iter()
            .map(|(release, service_scripts)| {
                let scripts = service_scripts.schemas.get(schema);
                Held {
                    series: &release.series,
                    heads: release.services.get(service).and_then(|facts| facts.heads.get(schema)).unwrap_or(&nowhere),
                    directory: scripts.map_or("", |scripts| &scripts.files.directory),
                    scripts: scripts.map_or(&nothing, |scripts| &scripts.files.texts),
                    tree: scripts.and_then(|scripts| scripts.tree.as_ref()),
                    models: if service_scripts.found { &service_scripts.models } else { &unmapped },
                    constants: scripts.map_or(&nothing, |scripts| &scripts.constants),
                    transactions: scripts.map(|scripts| scripts.transactions),
                    repositories: service_scripts
                        .repositories
                        .get(schema)
                        .into_iter()
                        .flatten()
                        .map(|one| Repository {
                            name: Some(&one.name),
                            directory: &one.files.directory,
                            branch: one.branch,
                            scripts: &one.files.texts,
                        })
                        .collect(),
                }
            })
            .collect();
        range(service, schema.as_str(), &held)
    });
    of_schema.collect()
}

/// How large the tables of the services' databases are.
async fn sized(world: &World, services: &BTreeSet<Service>) -> Result<Vec<Sized>, Stop> {
    let timeout = world.cloud.limits.connect;
    let urls = world.databases(services);
    let asked = urls.iter().map(|(id, url)| async move { (id, sizes_of(url, timeout, timeout * COUNTING).await) });
    let asked: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let mut found = Vec::new();
    let mut refusals = Vec::new();
    for (id, sizes) in asked {
        let slots = world.catalog.playbook(&id.service).into_iter().flat_map(|playbook| &playbook.databases);
        let schema = slots.into_iter().find(|slot| slot.slot == id.slot).map(|slot| slot.schema.to_string());
        match sizes {
            Ok(sizes) => found.push(Sized {
                name: id.to_string(),
                service: id.service.clone(),
                schema: schema.unwrap_or_default(),
                tables: sizes.into_iter().map(|(table, size)| (table, (size.rows, size.bytes))).collect(),
            }),
            Err(unreachable) => refusals.push(Refusal {
                kind: RefusalKind::Unreachable,
                database: Some(id.clone()),
                what: format!("{id}: {}", unreachable.reason),
                found: None,
                expected: None,
                next: format!("{}; or leave --sizes away", unreachable.advice),
            }),
        }
    }
    if refusals.is_empty() { Ok(found) } else { Err(Stop::refused(refusals)) }
}

/// The servers of the services' databases: as they say themselves where they were asked, else by the scheme of the URL.
fn targets(world: &World, services: &BTreeSet<Service>, observation: &Observation) -> Vec<Target> {
    let mut targets = Vec::new();
    for (id, url) in world.databases(services) {
        let seen = observation.databases.get(&id).and_then(|seen| seen.as_ref().ok()).map(|seen| &seen.version);
        let servers: &[Server] = match url.engine() {
            Engine::Mysql => match seen {
                Some(version) if version.contains("MariaDB") => &[Server::Mariadb],
                Some(_) => &[Server::Mysql],
                None => &[Server::Mysql, Server::Mariadb],
            },
            Engine::Postgresql => &[Server::Postgresql],
            Engine::Sqlite => &[Server::Sqlite],
        };
        targets.extend(servers.iter().map(|server| {
            let version = seen.and_then(|version| version.parse().ok()).unwrap_or(server.usual());
            Target { server: *server, version }
        }));
    }
    targets
}
