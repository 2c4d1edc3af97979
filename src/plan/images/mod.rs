//! What the images of a plan hold, against what the plan expects of them.
//!
//! A tag is a promise. The migration scripts in an image say which heads it really takes a database to; the
//! release file says which it should. [`check`] refuses where they differ, and says what the image holds
//! instead; [`enrich`] writes into the plan what only the scripts know; [`explain`] says of a database that
//! stands at no release's heads where it stands in the scripts.
//!
//! Pure, as the whole of planning.

mod check;
mod enrich;
mod explain;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use check::{check, needed_for};
pub use enrich::enrich;
pub use explain::explain;

use crate::catalog::{Playbook, Release};
use crate::migrations::{ImageFacts, SchemaFacts, ServiceFacts, Tree};
use crate::model::{DatabaseId, Digest, ImageReference, Schema, Series, Service};

/// What was read of an image for one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldImage {
    /// The image's digest.
    pub digest: Digest,
    /// What it holds.
    pub facts: ImageFacts,
}

/// What was read of the images, by the release they are used for. Images that were not read are not there, and
/// nothing is said of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held(pub BTreeMap<(Series, ImageReference), HeldImage>);

/// What the images are held against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Every release of the catalogue, oldest first.
    pub releases: &'a [&'a Release],
    /// The playbooks.
    pub playbooks: &'a [&'a Playbook],
    /// How a command line continues that means the same services and files, for advice.
    pub options: &'a str,
}

impl Held {
    fn image(&self, series: &Series, image: &ImageReference) -> Option<&HeldImage> {
        self.0.get(&(series.clone(), image.clone()))
    }

    fn service(&self, series: &Series, image: &ImageReference, service: &Service) -> Option<&ServiceFacts> {
        self.image(series, image)?.facts.services.get(service)
    }

    /// The scripts of a schema in the image that a release has for a service.
    fn tree(&self, series: &Series, service: &Service, schema: &Schema) -> Option<&Tree> {
        let of_series = self.0.iter().filter(|((own, _), _)| own == series);
        of_series.map(|(_, held)| held).find_map(|held| tree(held.facts.services.get(service)?, schema))
    }
}

/// The scripts of a schema, where they were understood.
fn tree<'f>(facts: &'f ServiceFacts, schema: &Schema) -> Option<&'f Tree> {
    match facts.schemas.get(schema) {
        Some(SchemaFacts::Read(tree)) => Some(tree),
        _ => None,
    }
}

impl<'a> Expected<'a> {
    fn release(&self, series: &Series) -> Option<&'a Release> {
        self.releases.iter().copied().find(|release| release.series == *series)
    }

    /// The schema of a database.
    fn schema(&self, database: &DatabaseId) -> Option<&'a Schema> {
        let playbook = self.playbooks.iter().find(|playbook| playbook.service == database.service)?;
        playbook.databases.iter().find(|slot| slot.slot == database.slot).map(|slot| &slot.schema)
    }
}
