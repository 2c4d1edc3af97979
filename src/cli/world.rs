//! What every command that looks at a cloud needs: the catalogue, the cloud file, what was seen.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, anyhow, bail};

use super::arguments::{Common, Selection};
use super::stop::Stop;
use crate::catalog::{Catalog, Playbook, Release};
use crate::cloud::Cloud;
use crate::journal::Store;
use crate::model::{ConnectionUrl, DatabaseId, ImageReference, Observation, Series, Service};
use crate::plan::{self, Brief, Plan, Start};

/// The catalogue and the cloud.
pub(super) struct World {
    pub(super) catalog: Catalog,
    pub(super) cloud: Cloud,
    /// How a command line continues that means the same files.
    options: String,
}

/// Which leap was asked for.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) from: Start,
    pub(super) to: Target,
    pub(super) services: BTreeSet<Service>,
}

/// Where a leap ends.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// At this series.
    At(Series),
    /// So many releases after the start.
    Further(usize),
}

/// The catalogue that was asked for.
pub(super) fn catalog(common: &Common) -> Result<Catalog, Stop> {
    let catalog = match &common.catalog {
        Some(directory) => Catalog::load(directory),
        None => Catalog::embedded(),
    };
    catalog.map_err(Stop::document)
}

impl World {
    /// Reads catalogue and cloud file.
    pub(super) fn read(common: &Common) -> Result<Self, Stop> {
        let catalog = catalog(common)?;
        let playbooks: Vec<&Playbook> = catalog.playbooks().collect();
        let cloud =
            Cloud::read(&common.config, &playbooks, &|name| std::env::var(name).ok()).map_err(Stop::document)?;
        let mut options = String::new();
        if common.config != "leapfrog.yaml" {
            options.push_str(&format!(" --config {}", common.config));
        }
        if let Some(directory) = &common.catalog {
            options.push_str(&format!(" --catalog {directory}"));
        }
        Ok(Self { catalog, cloud, options })
    }

    /// The cloud's state directory.
    pub(super) fn store(&self) -> Store {
        Store::at(&self.cloud.state_dir)
    }

    /// The playbooks of the cloud's services.
    pub(super) fn playbooks(&self) -> Vec<&Playbook> {
        self.cloud.services().filter_map(|service| self.catalog.playbook(service)).collect()
    }

    /// What the command line asks for, in the catalogue's terms.
    pub(super) fn wanted(&self, selection: &Selection) -> Result<Wanted, Stop> {
        self.try_wanted(selection).map_err(Stop::usage)
    }

    fn try_wanted(&self, selection: &Selection) -> anyhow::Result<Wanted> {
        let from = match selection.from.as_str() {
            "auto" => Start::Auto,
            text => Start::At(self.catalog.find_series(text).context("--from names no release")?),
        };
        let to = match selection.to.strip_prefix('+') {
            Some(number) => {
                let number = number.parse().ok().filter(|number| (0..=100).contains(number));
                let number =
                    number.ok_or_else(|| anyhow!("--to {} is no number of releases: write +3", selection.to))?;
                Target::Further(number)
            }
            None => Target::At(self.catalog.find_series(&selection.to).context("--to names no release")?),
        };
        if let (Start::At(from), Target::At(to)) = (&from, &to)
            && to < from
        {
            bail!("--to {to} is older than --from {from}: databases only go forwards; to go back, restore a backup");
        }
        let mut services: BTreeSet<Service> = self.cloud.services().cloned().collect();
        for service in &selection.only {
            if !services.contains(service) {
                let known: Vec<&str> = services.iter().map(Service::as_str).collect();
                bail!("--only {service}: the cloud file has no such service; it has {}", known.join(", "));
            }
        }
        if !selection.only.is_empty() {
            services = selection.only.iter().cloned().collect();
        }
        Ok(Wanted { from, to, services })
    }

    /// How the command line continues that asks for the same, for advice.
    pub(super) fn options(&self, wanted: &Wanted) -> String {
        let all = self.cloud.services().count() == wanted.services.len();
        let names: Vec<&str> = wanted.services.iter().map(Service::as_str).collect();
        if all { self.options.clone() } else { format!(" --only {}{}", names.join(","), self.options) }
    }

    /// The databases that take part.
    pub(super) fn databases(&self, wanted: &Wanted) -> BTreeMap<DatabaseId, ConnectionUrl> {
        let all = self.cloud.databases.iter();
        all.filter(|(id, _)| wanted.services.contains(&id.service)).map(|(id, url)| (id.clone(), url.clone())).collect()
    }

    /// Looks at every database of the cloud.
    pub(super) async fn observe(&self) -> Observation {
        crate::observe::observe(&self.cloud, &self.playbooks(), self.cloud.limits.connect).await
    }

    /// Makes the plan, or says why there is none.
    pub(super) fn plan(&self, wanted: &Wanted, observation: &Observation) -> Result<Plan, Stop> {
        let releases: Vec<&Release> = self.catalog.releases().collect();
        let mut images: BTreeMap<(&Series, &Service), ImageReference> = BTreeMap::new();
        for release in &releases {
            for service in &wanted.services {
                let image = self.cloud.image(service, &release.series, &release.codename);
                let image = image.context("the cloud file's image pattern").map_err(Stop::usage)?;
                images.insert((&release.series, service), image);
            }
        }
        let image = |service: &Service, release: &Release| images[&(&release.series, service)].clone();
        let mut brief = Brief {
            cloud: &self.cloud.name,
            releases,
            playbooks: self.playbooks().into_iter().filter(|book| wanted.services.contains(&book.service)).collect(),
            databases: self.databases(wanted),
            image: &image,
            observation,
            trusted: wanted.services.iter().filter(|service| self.cloud.trusts_stored_urls(service)).cloned().collect(),
            from: wanted.from.clone(),
            to: self.newest(),
            options: self.options(wanted),
        };
        brief.to = match &wanted.to {
            Target::At(series) => series.clone(),
            Target::Further(number) => {
                let from = plan::start(&brief).map_err(|refused| Stop::refused(refused.0))?;
                let later = self.catalog.later(&from, *number).map(|release| release.series.clone());
                later.ok_or_else(|| {
                    let newest = self.newest();
                    Stop::usage(anyhow!("there is no release +{number} after {from}: the newest one known is {newest}"))
                })?
            }
        };
        plan::build(&brief).map_err(|refused| Stop::refused(refused.0))
    }

    /// The newest release of the catalogue.
    fn newest(&self) -> Series {
        let newest = self.catalog.releases().next_back().map(|release| release.series.clone());
        newest.unwrap_or_else(|| unreachable!("a catalogue has releases"))
    }
}
