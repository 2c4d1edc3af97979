//! The commands that look before a leap: `plan`, `detect`, `pull`; and the look that every leap begins with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::arguments::{Common, Output, Selection};
use super::exit::Exit;
use super::images::ImageReader;
use super::look::Show;
use super::stop::Stop;
use super::world::World;
use crate::conduct::{self, EventSink, ImageInspector};
use crate::journal::{Event, Progress};
use crate::model::{ImageReference, Service};
use crate::plan::{self, Plan, Refusal, RefusalKind};
use crate::report::{PlainReporter, Reporter, TerminalReporter};
use crate::runner::{PinnedImage, Runner, RunnerError, RunnerErrorKind, RunnerIdentity};

/// How many images are looked up, or pulled, at a time.
const IMAGES_AT_A_TIME: usize = 4;

/// `leapfrog plan`.
pub(super) async fn plan(common: &Common, selection: &Selection, show: &Show) -> Result<Exit, Stop> {
    let mut world = World::read_aloud(common, show)?;
    let wanted = world.wanted(selection)?;
    world.look_up_mapped(&wanted.services).await;
    let observation = world.observe(&wanted.services).await;
    let plan = world.plan(&wanted, &observation)?;
    match show.output {
        Output::Text => show.print(&plan::render(&plan)),
        Output::Json | Output::Jsonl => show.print_json(&plan)?,
    }
    Ok(Exit::Done)
}

/// `leapfrog detect`.
pub(super) async fn detect(common: &Common, only: &[Service], verbose: bool, show: &Show) -> Result<Exit, Stop> {
    let mut world = World::read_aloud(common, show)?;
    let services = world.only(only)?;
    world.look_up_mapped(&services).await;
    let observation = world.observe(&services).await;
    let releases: Vec<_> = world.catalog.releases().collect();
    let detection = plan::detect::detect(&observation, &world.playbooks(), &releases);
    match show.output {
        Output::Text => {
            show.print(&plan::detect::render(&detection, verbose));
            if verbose {
                show.print(&unread_tables(&world, &services).await);
            }
        }
        Output::Json | Output::Jsonl => show.print_json(&detection)?,
    }
    let unread: Vec<String> =
        observation.databases.iter().filter(|(_, seen)| seen.is_err()).map(|(id, _)| id.to_string()).collect();
    world.tell_unmapped(show);
    if unread.is_empty() {
        return Ok(if world.unmapped.is_empty() { Exit::Done } else { Exit::Refused });
    }
    show.caution(&format!("leapfrog: could not read {}\n", unread.join(", ")));
    Ok(Exit::Refused)
}

/// Tables that were not read, because only their names look like those of the version tables.
async fn unread_tables(world: &World, services: &BTreeSet<Service>) -> String {
    let timeout = world.cloud.limits.connect;
    let urls = world.databases(services);
    let looks = urls.iter().map(|(id, url)| async move { (id, crate::observe::look_alikes(url, timeout).await) });
    let looks: Vec<_> = stream::iter(looks).buffered(IMAGES_AT_A_TIME).collect().await;
    // A database that cannot be read is told of above.
    let found = looks.into_iter().filter_map(|(id, names)| Some((id, names.ok().filter(|names| !names.is_empty())?)));
    let lines: String = found.map(|(id, names)| format!("  {id}: {}\n", names.join(", "))).collect();
    if lines.is_empty() { lines } else { format!("\nNot read, whatever they hold, by their exact names:\n{lines}") }
}

/// `leapfrog pull`.
pub(super) async fn pull(common: &Common, selection: &Selection, show: &Show) -> Result<Exit, Stop> {
    let mut world = World::read_aloud(common, show)?;
    let wanted = world.wanted(selection)?;
    world.look_up_mapped(&wanted.services).await;
    let observation = world.observe(&wanted.services).await;
    let runner = super::executor::runner(&world)?;
    let plan = match world.plan(&wanted, &observation) {
        Ok(plan) => Arc::new(plan),
        Err(stop) => return Err(super::images::explain(stop, &world, &wanted, &observation, &*runner).await),
    };
    let images_reader = ImageReader::new(&world, &wanted.services, Arc::clone(&runner), Arc::clone(&plan));
    let all = bring(&world, &runner, &plan, images_reader.as_ref(), show).await?;
    let noun = all.keys().next().map_or("image", ImageReference::noun);
    show.complain(&match images_reader {
        Some(_) => format!("{} {noun}s are here and hold every command and every migration of the leap\n", all.len()),
        None => format!("{} {noun}s are here and hold every command of the leap\n", all.len()),
    });
    Ok(Exit::Done)
}

/// Brings every image of a plan here and looks whether its commands are there, and shows how far that is.
pub(super) async fn bring(
    world: &World,
    runner: &Arc<dyn Runner>,
    plan: &Arc<Plan>,
    reader: Option<&ImageReader>,
    show: &Show,
) -> Result<BTreeMap<ImageReference, PinnedImage>, Stop> {
    let (_, images) = look_up(&**runner, plan).await?;
    let all: BTreeSet<ImageReference> = images.keys().cloned().collect();
    let directory = world.cloud.state_dir.clone();
    let reporter: Box<dyn Reporter> = if show.is_terminal() {
        Box::new(TerminalReporter::stderr(Arc::clone(plan), &[], directory, show.err))
    } else {
        Box::new(PlainReporter::new(Arc::clone(plan), &[], directory, show.stderr()))
    };
    let (events, source) = EventSink::channel();
    let telling = tokio::spawn(super::telling::tell(reporter, source));
    tell_unread(world, &events);
    let result = obtain(&**runner, plan, &images, &all, reader, &events).await;
    drop(events);
    telling.await.map_err(|error| Stop::internal(error.into()))?;
    result.map(|()| images)
}

/// Finds out who executes and what every image of the plan is, without pulling any.
pub(super) async fn look_up(
    runner: &dyn Runner,
    plan: &Plan,
) -> Result<(RunnerIdentity, BTreeMap<ImageReference, PinnedImage>), Stop> {
    let identity = runner.identify().await.map_err(|error| Stop::refused(vec![refusal(error)]))?;
    let needed = plan::images::needed_for(plan);
    let found: Vec<Result<PinnedImage, Refusal>> = stream::iter(plan.images().into_keys())
        .map(|reference| {
            let why = needed.get(reference);
            async move { runner.resolve(reference).await.map_err(|error| unobtainable(error, why)) }
        })
        .buffer_unordered(IMAGES_AT_A_TIME)
        .collect()
        .await;
    let mut images = BTreeMap::new();
    let mut refusals = Vec::new();
    for found in found {
        match found {
            Ok(image) => {
                images.insert(image.reference.clone(), image);
            }
            Err(error) => refusals.push(error),
        }
    }
    if refusals.is_empty() { Ok((identity, images)) } else { Err(Stop::refused(refusals)) }
}

/// Tells that images are not read, where the cloud file says so.
pub(super) fn tell_unread(world: &World, events: &EventSink) {
    if !world.cloud.runner.read_images() {
        events.send(Event::Progress(Progress::Notice { text: super::images::UNREAD.to_owned() }));
    }
}

/// The refusal of an image that cannot be had, with the reason why no other release can do its work.
fn unobtainable(error: RunnerError, why: Option<&String>) -> Refusal {
    let missing = error.kind == RunnerErrorKind::ImageMissing;
    let mut refusal = refusal(error);
    if let Some(why) = why.filter(|_| missing) {
        refusal.what = format!("{}; it cannot be left out: {why}", refusal.what);
    }
    refusal
}

/// Brings `wanted` images here and looks whether they hold the plan's commands, and, with a reader, the migrations
/// that the plan expects of them.
pub(super) async fn obtain(
    runner: &dyn Runner,
    plan: &Plan,
    images: &BTreeMap<ImageReference, PinnedImage>,
    wanted: &BTreeSet<ImageReference>,
    reader: Option<&ImageReader>,
    events: &EventSink,
) -> Result<(), Stop> {
    let programs = plan.images();
    let inspector = reader.map(|reader| reader as &dyn ImageInspector);
    let obtained: Vec<Result<(), Refusal>> = stream::iter(wanted)
        .map(|reference| {
            let programs = &programs;
            async move {
                let obtained =
                    conduct::obtain(runner, &images[reference], &programs[reference], inspector, events).await;
                match obtained {
                    Ok(cached) => {
                        let progress = Progress::Fetched { image: reference.clone(), cached };
                        events.send(Event::Progress(progress));
                        Ok(())
                    }
                    Err(failure) => Err(Refusal {
                        kind: RefusalKind::Image,
                        database: None,
                        what: failure.what,
                        found: None,
                        expected: None,
                        next: failure.advice,
                    }),
                }
            }
        })
        .buffer_unordered(IMAGES_AT_A_TIME)
        .collect()
        .await;
    let mut refusals: Vec<Refusal> = obtained.into_iter().filter_map(Result::err).collect();
    let notices = match reader.map(ImageReader::check) {
        None => Vec::new(),
        Some(Ok(notices)) => notices,
        Some(Err(found)) => {
            refusals.extend(found);
            Vec::new()
        }
    };
    if !refusals.is_empty() {
        return Err(Stop::refused(refusals));
    }
    for text in notices {
        events.send(Event::Progress(Progress::Notice { text }));
    }
    Ok(())
}

/// What a runner could not do, as a reason not to begin.
pub(super) fn refusal(error: RunnerError) -> Refusal {
    let kind = match error.kind {
        RunnerErrorKind::EngineUnreachable | RunnerErrorKind::NotStarted | RunnerErrorKind::Lost => RefusalKind::Runner,
        _ => RefusalKind::Image,
    };
    // The layers in between name libraries; the innermost one says what the system answered.
    let found = error.source.as_deref().map(|source| {
        let mut cause: &dyn std::error::Error = source;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        cause.to_string()
    });
    Refusal { kind, database: None, what: error.what, found, expected: None, next: error.advice }
}
