//! `leapfrog expand`, `migrate` and `contract`: a part of one release, by the same steps, proofs and journal as a leap.
//!
//! What a release removes goes only once it is known that nothing uses it any more ([`gate`]). The services of the release may
//! run meanwhile, so that no fence keeps them out, and no restore point is taken that would lose what they write.

mod arguments;
mod gate;
mod removed;
mod trips;
mod uses;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use jiff::{Timestamp, ToSpan};

pub(super) use self::arguments::{ContractArguments, PartArguments};
pub(super) use self::gate::{Gate, Passed, Subject};
use super::arguments::{Common, StopsAt, Until};
use super::check;
use super::exit::Exit;
use super::images::ImageReader;
use super::leap::{self, FenceMode, LeapArguments, Ready};
use super::look::Show;
use super::preflight;
use super::resolve::user;
use super::stop::Stop;
use super::trip;
use super::world::{Target, Wanted, World};
use crate::journal::Waiver;
use crate::model::{Observation, Series, Service};
use crate::plan::{self, Part, Refusal, RefusalKind, Start, Stops};
use crate::runner::Runner;

/// How long an operator's word counts that does not say until when.
const WORD: Duration = Duration::from_secs(24 * 3600);

/// `leapfrog expand` and `leapfrog migrate`.
pub(super) async fn part(common: &Common, part: Part, arguments: &PartArguments, show: &Show) -> Result<Exit, Stop> {
    let gate = Gate { quiet_for: Duration::ZERO, new: Vec::new(), waiver: None, dry_run: false };
    begin(common, part, arguments, gate, show).await
}

/// `leapfrog contract`.
pub(super) async fn contract(common: &Common, arguments: &ContractArguments, show: &Show) -> Result<Exit, Stop> {
    let waiver = match &arguments.waive {
        Some(reason) => Some(word(reason, arguments)?),
        None => None,
    };
    let gate = Gate {
        quiet_for: Duration::from_secs(arguments.quiet_for),
        new: arguments.new.clone(),
        waiver,
        dry_run: arguments.dry_run,
    };
    begin(common, Part::Contract, &arguments.part, gate, show).await
}

/// An operator's word, as it is recorded.
fn word(reason: &str, arguments: &ContractArguments) -> Result<Waiver, Stop> {
    let now = Timestamp::now();
    let until = match arguments.until {
        None => now.checked_add(WORD),
        Some(day) => {
            let end = day.checked_add(1.day()).and_then(|next| next.to_zoned(jiff::tz::TimeZone::system()));
            end.map(|end| end.timestamp())
        }
    };
    let until = until.map_err(|error| Stop::usage(anyhow!("--until is no day that can be counted to: {error}")))?;
    if until <= now {
        return Err(Stop::usage(anyhow!("--until {until}: that day is over")));
    }
    Ok(Waiver { by: user(), host: leap::host_name(), reason: reason.trim().to_owned(), until })
}

async fn begin(common: &Common, part: Part, asked: &PartArguments, gate: Gate, show: &Show) -> Result<Exit, Stop> {
    let world = World::read_aloud(common, show)?;
    let (at, services) = meant(&world, asked)?;
    let wanted =
        Wanted { from: Start::At(at.clone()), to: Target::At(at), services, no_skip: false, stops: Stops::Every, part };
    let arguments = LeapArguments {
        from: None,
        to: None,
        only: Vec::new(),
        stops: StopsAt::Every,
        until: Until::Complete,
        // A look needs nobody's yes.
        yes: asked.yes || gate.dry_run,
        jobs: asked.jobs,
        prefetch: None,
        no_skip: false,
        fresh: asked.fresh,
        fence: FenceMode::Off,
        fleeting: false,
        look: gate.dry_run,
    };
    leap::carry_on(world, &arguments, wanted, Some(&gate), show).await
}

/// The release and the services that are meant: where no release is named, those of the latest run.
fn meant(world: &World, asked: &PartArguments) -> Result<(Series, BTreeSet<Service>), Stop> {
    if let Some(text) = &asked.at {
        let at = world.catalog.find_series(text);
        let at = at.map_err(|error| Stop::usage(anyhow!("--at names no release: {error}")))?;
        return Ok((at, world.only(&asked.only)?));
    }
    let latest = leap::latest(&world.store())?.filter(|latest| !latest.plan.part.is_whole());
    let Some(latest) = latest else {
        return Err(Stop::usage(anyhow!(
            "--at SERIES is needed: the latest run of this cloud neither ended with --until migrated nor was a part of a release"
        )));
    };
    let planned: Vec<Service> = leap::services(&latest.plan).into_iter().collect();
    let services = world.only(if asked.only.is_empty() { &planned } else { &asked.only })?;
    Ok((latest.plan.to, services))
}

/// Refuses where images are not read: which heads a branch ends at, nothing else says.
pub(super) fn reads_images(world: &World) -> Result<(), Stop> {
    if world.cloud.runner.read_images() {
        return Ok(());
    }
    Err(Stop::refused(vec![Refusal {
        kind: RefusalKind::Image,
        database: None,
        what: "where the branches of a release end is read in its images alone, and the cloud file says that they are not \
               read"
            .to_owned(),
        found: Some("read_images: false".to_owned()),
        expected: None,
        next: "take `read_images: false` out of the cloud file".to_owned(),
    }]))
}

/// Makes a new run of a part ready; none where no service has such a step.
pub(super) async fn prepare(
    world: &World,
    wanted: &Wanted,
    observation: &Observation,
    runner: &Arc<dyn Runner>,
    host: &str,
    show: &Show,
) -> Result<Option<Ready>, Stop> {
    reads_images(world)?;
    let Start::At(at) = &wanted.from else { return Err(Stop::internal(anyhow!("a part begins at a release"))) };
    let Some(release) = world.catalog.release(at) else {
        return Err(Stop::internal(anyhow!("{at} is no release of the catalogue")));
    };
    let made = world.brief(&wanted.services, observation, wanted.from.clone(), at.clone(), |brief| {
        plan::part::one_phase(brief, release, wanted.part)
    })?;
    let (plan, owed) = made.map_err(|refused| Stop::refused(refused.0))?;
    if plan.steps().next().is_none() {
        let phase = wanted.part.phase().map(|phase| phase.to_string()).unwrap_or_default();
        show.caution(&format!("nothing to do: no service that was asked for has a step of {at} that would {phase}\n"));
        return Ok(None);
    }
    let mut refusals = check::rights::refused(world, &check::rights::made(world, release, &plan)).await;
    if wanted.part != Part::Contract {
        refusals.extend(trip::refusals(world, &plan).await);
    }
    if !refusals.is_empty() {
        return Err(Stop::refused(refusals));
    }
    let plan = Arc::new(plan);
    let services: BTreeSet<_> = leap::services(&plan);
    let reader = ImageReader::new(world, &services, Arc::clone(runner), Arc::clone(&plan));
    let images = preflight::bring(world, runner, &plan, reader.as_ref(), show).await?;
    let full = reader.map_or_else(|| (*plan).clone(), |reader| reader.enriched());
    let plan = plan::part::narrow(&full, observation, &world.options(&wanted.services)).map_err(Stop::refused)?;
    let identity = runner.identify().await.map_err(|error| Stop::refused(vec![preflight::refusal(error)]))?;
    let mut ready = Ready::begun(world, Arc::new(plan), images, identity.name, host, FenceMode::Off)?;
    ready.owed = owed;
    Ok(Some(ready))
}
