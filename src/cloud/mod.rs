//! The operator's cloud: `leapfrog.yaml`, checked.
//!
//! Reading has two stages. The *document* is the file's shape: keys, types, words; it is read whole, so
//! that every mistake is reported at once, with its line. *Resolving* fetches secrets from the
//! environment and from files, compares the services with their playbooks, and ends in a [`Cloud`]
//! that is consistent. What can be checked of an unsound document still is.
//!
//! Secrets live in [`Secret`](crate::model::Secret) and
//! [`ConnectionUrl`](crate::model::ConnectionUrl) from the moment they are read, neither of which shows
//! them. Mistakes are shown with the lines around them: these lines are masked first.
//!
//! This module runs nothing, connects to nothing and prints nothing.

mod document;
mod images;
mod mask;
mod mistake;
mod resolve;
mod settings;
mod shape;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use crate::catalog::Playbook;
use crate::document::{Mistake, Source};
use crate::model::{ConnectionUrl, DatabaseId, ImageReference, Series, Service};

pub use images::NoImage;
pub use mistake::CloudError;
pub use settings::{ContainerSettings, Limits, Prefetch, Pull};

use document::Document;
use images::Images;
use resolve::{Resolved, Surroundings};
use shape::Flaw;
use tree::Node;

/// An operator's cloud, checked against the playbooks. `Debug` shows no secrets.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// The cloud's name.
    pub name: String,
    /// Where plans and journals are kept.
    pub state_dir: Utf8PathBuf,
    /// How commands are run.
    pub runner: ContainerSettings,
    /// Every database the playbooks want, with its password.
    pub databases: BTreeMap<DatabaseId, ConnectionUrl>,
    /// How much at once, and how long to wait.
    pub limits: Limits,
    /// What the operator should look at and what stops nothing.
    pub warnings: Vec<Mistake>,
    images: Images,
    services: BTreeSet<Service>,
    trusted: BTreeSet<Service>,
}

impl Cloud {
    /// Reads the cloud file at `path`, with environment variables from `env`.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or it has mistakes: all that can be found at once.
    pub fn read(
        path: &Utf8Path,
        playbooks: &[&Playbook],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, CloudError> {
        let surroundings = Surroundings { file: path, playbooks, env };
        let text = std::fs::read_to_string(path).map_err(|error| {
            let mistake = Mistake::of_file(path, format!("the cloud file cannot be read: {error}"));
            vec![mistake.with_help("name the file that describes your cloud with --config, or write one")]
        });
        text.and_then(|text| Self::from_text(&text, &surroundings)).map_err(|mut mistakes| {
            Mistake::sort(&mut mistakes);
            CloudError { mistakes }
        })
    }

    fn from_text(text: &str, surroundings: &Surroundings<'_>) -> Result<Self, Vec<Mistake>> {
        let file = surroundings.file;
        let tree = Node::read(text).map_err(|error| {
            let services: Vec<&str> = surroundings.playbooks.iter().map(|playbook| playbook.service.as_str()).collect();
            let masked = Source::new(file, mask::words(text, &services));
            vec![Mistake::at(&masked, &error.place, error.message)]
        })?;
        let masked = Source::new(file, mask::values(text, &tree));
        let mistake = |flaw: Flaw| {
            let place = if flaw.at_key { tree.key_place_of(&flaw.path) } else { tree.place_of(&flaw.path) };
            let message = match tree.scalar(&flaw.path) {
                Some(value) if !mask::is_plain(&flaw.path) && !value.is_empty() => {
                    flaw.message.replace(value, "(hidden)")
                }
                _ => flaw.message,
            };
            let mistake = Mistake::at(&masked, &place, message);
            flaw.advice.into_iter().fold(mistake, Mistake::with_help)
        };
        let shaped = shape::read::<Document>(&tree);
        let Some(document) = shaped.document else {
            return Err(shaped.flaws.into_iter().map(mistake).collect());
        };
        let Resolved { mut cloud, mut flaws, doubts } = resolve::resolve(document, surroundings);
        // What lies above a value that was cut out looks wrong for want of it.
        flaws.retain(|flaw| !shaped.cut.iter().any(|cut| flaw.path.leads_to(cut)));
        flaws.extend(shaped.flaws);
        if flaws.is_empty() {
            cloud.warnings = doubts.into_iter().map(mistake).collect();
            Ok(cloud)
        } else {
            Err(flaws.into_iter().map(mistake).collect())
        }
    }

    /// The services, by name.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.iter()
    }

    /// The image that holds the code of `service` in the release `series`, whose codename is `codename`.
    ///
    /// # Errors
    ///
    /// The service is none of this cloud's and there is no default pattern, or the codename does not
    /// fit into an image reference.
    pub fn image(&self, service: &Service, series: &Series, codename: &str) -> Result<ImageReference, NoImage> {
        self.images.image(service, series, codename)
    }

    /// Whether database URLs that the service's databases store are not compared with this file.
    pub fn trusts_stored_urls(&self, service: &Service) -> bool {
        self.trusted.contains(service)
    }
}

/// The JSON Schema of the cloud file.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Document)
}
