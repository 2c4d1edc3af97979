//! Stages: kept while a run works ([`keep`]), compared when one begins ([`confront`]), shown (`leapfrog status --stages`).
//!
//! What is compared, noted and how is [`crate::stages`]'s.

mod confront;
mod keep;
mod show;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) use self::confront::{confront, refusals};
pub(super) use self::keep::{Keeper, put_back};
pub(super) use self::show::{Report, accept, show};
use super::leap::Latest;
use super::world::World;
use crate::model::{DatabaseId, Phase, Service};
use crate::plan::{Part, Plan};
use crate::stages::{self, Book, Judge, Mark, Place, StagesError};

/// What the tables say of the databases of some services.
#[derive(Default)]
struct Kept {
    /// The lines.
    marks: BTreeMap<DatabaseId, Mark>,
    /// Where there is no table yet, or none that the user may read.
    absent: Vec<Place>,
    /// Where it could not be looked.
    unread: Vec<(Place, StagesError)>,
}

/// Where the stages of services are kept; nowhere unless the cloud file says so.
fn places(world: &World, services: &BTreeSet<Service>) -> Vec<Place> {
    let Some(name) = &world.cloud.stages else { return Vec::new() };
    stages::places(&world.databases(services), name)
}

/// Reads what the tables say.
async fn read(world: &World, services: &BTreeSet<Service>) -> Kept {
    let mut kept = Kept::default();
    for place in places(world, services) {
        match stages::read(&place, &world.cloud.name, world.cloud.limits.connect).await {
            Ok(Some(marks)) => kept.marks.extend(marks),
            Ok(None) => kept.absent.push(place),
            Err(error) => kept.unread.push((place, error)),
        }
    }
    kept
}

/// Who compares.
fn judge(world: &World) -> Judge<'_> {
    Judge { releases: world.catalog.releases().collect(), playbooks: world.playbooks() }
}

/// What the journal of the latest run says.
fn book(world: &World, latest: &Latest) -> Book {
    Book::of(Arc::new(latest.plan.clone()), &latest.records, whole(world, &latest.plan))
}

/// Services of which the part that a plan is, is all that its release does: an expand with nothing to move or to remove
/// after it.
fn whole(world: &World, plan: &Plan) -> BTreeSet<Service> {
    if plan.part != Part::Expand {
        return BTreeSet::new();
    }
    let lanes = plan.hops.iter().flat_map(|hop| hop.lanes.iter().map(move |lane| (&hop.series, lane)));
    let more = |series, service: &Service| {
        let books = world.catalog.playbook(service).into_iter();
        let url = world.cloud.databases.iter().find(|(id, _)| id.service == *service).map(|(_, url)| url.engine());
        let mut steps = books.flat_map(|book| url.into_iter().flat_map(move |engine| book.steps(series, engine)));
        steps.any(|step| {
            matches!(step.phase(), Phase::Migrate | Phase::Contract)
                && step.taken().is_none_or(|taken| taken == crate::catalog::Taken::InParts)
        })
    };
    lanes.filter(|(series, lane)| !more(*series, &lane.service)).map(|(_, lane)| lane.service.clone()).collect()
}
