//! What every command that looks at a cloud needs: the catalogue, the cloud file, what was seen.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, anyhow, bail};

use super::arguments::{Common, Selection};
use super::look::Show;
use super::stop::Stop;
use crate::catalog::{Catalog, Playbook, Release};
use crate::cloud::Cloud;
use crate::document::nearest;
use crate::journal::Store;
use crate::model::{ConnectionUrl, DatabaseId, ImageReference, Observation, Points, Series, Service};
use crate::plan::{self, Brief, Part, Plan, Refusal, RefusalKind, Refused, Start, Stops};

/// How much longer than a connection counting may take: a large table is read from its beginning to its end.
pub(super) const COUNTING: u32 = 12;

/// The catalogue and the cloud.
pub(super) struct World {
    pub(super) catalog: Catalog,
    pub(super) cloud: Cloud,
    /// Why stored URLs of this cloud cannot be followed.
    pub(super) unmapped: Vec<Refusal>,
    /// How a command line continues that means the same files.
    options: String,
}

/// Which leap was asked for.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) from: Start,
    pub(super) to: Target,
    pub(super) services: BTreeSet<Service>,
    /// Whether schema migrations are run even where nothing is to do.
    pub(super) no_skip: bool,
    /// At which releases to stop on the way.
    pub(super) stops: Stops,
    /// Which part of the leap.
    pub(super) part: Part,
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
    /// Reads catalogue and cloud file, and tells what deserves a second look.
    pub(super) fn read_aloud(common: &Common, show: &Show) -> Result<Self, Stop> {
        let world = Self::read(common)?;
        show.warn(&world.cloud.warnings);
        Ok(world)
    }

    /// Reads catalogue and cloud file.
    pub(super) fn read(common: &Common) -> Result<Self, Stop> {
        let catalog = catalog(common)?;
        let playbooks: Vec<&Playbook> = catalog.playbooks().collect();
        let cloud =
            Cloud::read(&common.config, &playbooks, &|name| std::env::var(name).ok()).map_err(Stop::document)?;
        let mut options = String::new();
        if common.config != "leapfrog.yaml" {
            options.push_str(&format!(" --config {}", quoted(common.config.as_str())));
        }
        if let Some(directory) = &common.catalog {
            options.push_str(&format!(" --catalog {}", quoted(directory.as_str())));
        }
        Ok(Self { catalog, cloud, unmapped: Vec::new(), options })
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
                let count = number.parse::<u64>().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()));
                let count =
                    count.ok_or_else(|| anyhow!("--to {} is no number of releases: write it like +3", selection.to))?;
                Target::Further(usize::try_from(count).unwrap_or(usize::MAX))
            }
            None if selection.to.starts_with('-') => {
                bail!(
                    "--to {}: databases only go forwards, by +3 for example; to go back, restore a backup",
                    selection.to
                )
            }
            None => Target::At(self.catalog.find_series(&selection.to).context("--to names no release")?),
        };
        match (&from, &to) {
            (Start::At(from), Target::At(to)) if to < from => {
                bail!("--to {to} is older than --from {from}: databases only go forwards; to go back, restore a backup")
            }
            (Start::At(from), Target::Further(number)) => drop(self.further(from, *number)?),
            _ => {}
        }
        Ok(Wanted {
            from,
            to,
            services: self.services(&selection.only)?,
            no_skip: selection.no_skip,
            stops: selection.stops.into(),
            part: selection.until.into(),
        })
    }

    /// Where a leap starts: as it was said, or as the databases show, which may be nowhere.
    pub(super) fn start(&self, wanted: &Wanted, observation: &Observation) -> Result<Result<Series, Refused>, Stop> {
        match &wanted.from {
            Start::At(series) => Ok(Ok(series.clone())),
            Start::Auto => {
                self.brief(&wanted.services, observation, Start::Auto, self.newest(), |brief| plan::start(brief))
            }
        }
    }

    /// Where a leap from `from` ends.
    pub(super) fn end(&self, from: &Series, to: &Target) -> anyhow::Result<Series> {
        match to {
            Target::At(series) => Ok(series.clone()),
            Target::Further(number) => self.further(from, *number),
        }
    }

    /// The release `number` releases after `from`.
    fn further(&self, from: &Series, number: usize) -> anyhow::Result<Series> {
        let later = self.catalog.later(from, number).map(|release| release.series.clone());
        later.ok_or_else(|| {
            anyhow!("--to +{number}: there is no such release after {from}; the newest one known is {}", self.newest())
        })
    }

    /// The services that `only` names, or all of the cloud's.
    fn services(&self, only: &[Service]) -> anyhow::Result<BTreeSet<Service>> {
        let all: BTreeSet<Service> = self.cloud.services().cloned().collect();
        let known: Vec<&str> = all.iter().map(Service::as_str).collect();
        if let Some(service) = only.iter().find(|service| !all.contains(service)) {
            let meant = meant(service.as_str(), &known);
            bail!("--only {service}: the cloud file has no such service{meant}; it has {}", known.join(", "));
        }
        Ok(if only.is_empty() { all } else { only.iter().cloned().collect() })
    }

    /// The services that `only` names, or all of the cloud's.
    pub(super) fn only(&self, only: &[Service]) -> Result<BTreeSet<Service>, Stop> {
        self.services(only).map_err(Stop::usage)
    }

    /// How the command line continues that asks for the same, for advice.
    pub(super) fn options(&self, services: &BTreeSet<Service>) -> String {
        let all = self.cloud.services().count() == services.len();
        let names: Vec<&str> = services.iter().map(Service::as_str).collect();
        if all { self.options.clone() } else { format!(" --only {}{}", names.join(","), self.options) }
    }

    /// How a command line continues that means the same files.
    pub(super) fn files(&self) -> String {
        self.options.clone()
    }

    /// The databases that take part.
    pub(super) fn databases(&self, services: &BTreeSet<Service>) -> BTreeMap<DatabaseId, ConnectionUrl> {
        let all = self.cloud.databases.iter();
        all.filter(|(id, _)| services.contains(&id.service)).map(|(id, url)| (id.clone(), url.clone())).collect()
    }

    /// Looks at every database of `services`: another service's server may be away, and is not waited for.
    pub(super) async fn observe(&self, services: &BTreeSet<Service>) -> Observation {
        let mut cloud = self.cloud.clone();
        cloud.databases.retain(|id, _| services.contains(&id.service));
        crate::observe::observe(&cloud, &self.playbooks(), cloud.limits.connect).await
    }

    /// Makes the plan, or says why there is none.
    pub(super) fn plan(&self, wanted: &Wanted, observation: &Observation) -> Result<Plan, Stop> {
        let made = self.brief(&wanted.services, observation, wanted.from.clone(), self.newest(), |brief| {
            let to = match &wanted.to {
                Target::At(series) => series.clone(),
                Target::Further(number) => {
                    let from = plan::start(brief).map_err(|refused| Stop::refused(refused.0))?;
                    self.further(&from, *number).map_err(Stop::usage)?
                }
            };
            brief.to = to;
            brief.no_skip = wanted.no_skip;
            brief.stops = wanted.stops;
            brief.part = wanted.part;
            brief.points = self.cloud.restore_points.points;
            self.with_unmapped(plan::build(brief))
        });
        made?
    }

    /// A plan, unless stored URLs cannot be followed; every reason at once.
    fn with_unmapped(&self, built: Result<Plan, Refused>) -> Result<Plan, Stop> {
        if self.unmapped.is_empty() {
            return built.map_err(|refused| Stop::refused(refused.0));
        }
        // That these URLs lead to no database of the cloud file follows from it.
        let same = |refusal: &Refusal| {
            refusal.kind == RefusalKind::StoredUrl
                && self.unmapped.iter().any(|known| known.database == refusal.database)
        };
        let others = built.err().into_iter().flat_map(|refused| refused.0).filter(|refusal| !same(refusal));
        Err(Stop::refused(self.unmapped.iter().cloned().chain(others).collect()))
    }

    /// Tells why stored URLs cannot be followed.
    pub(super) fn tell_unmapped(&self, show: &Show) {
        for refusal in &self.unmapped {
            show.caution(&format!("leapfrog: {refusal}\n"));
        }
    }

    /// Puts together what plans and proofs are made of, for `make`.
    pub(super) fn brief<T>(
        &self,
        services: &BTreeSet<Service>,
        observation: &Observation,
        from: Start,
        to: Series,
        make: impl FnOnce(&mut Brief<'_>) -> T,
    ) -> Result<T, Stop> {
        let releases: Vec<&Release> = self.catalog.releases().collect();
        let mut images: BTreeMap<(&Series, &Service), ImageReference> = BTreeMap::new();
        for release in &releases {
            for service in services {
                let image = self.cloud.image(service, &release.series, &release.codename);
                let image = image.context("the cloud file's image pattern").map_err(Stop::usage)?;
                images.insert((&release.series, service), image);
            }
        }
        let image = |service: &Service, release: &Release| images[&(&release.series, service)].clone();
        let mut brief = Brief {
            cloud: &self.cloud.name,
            releases,
            playbooks: self.playbooks().into_iter().filter(|book| services.contains(&book.service)).collect(),
            databases: self.databases(services),
            image: &image,
            observation,
            trusted: services.iter().filter(|service| self.cloud.trusts_stored_urls(service)).cloned().collect(),
            from,
            to,
            stops: Stops::Every,
            part: Part::Whole,
            whole: self.cloud.services().count() == services.len(),
            others: self.cloud.services().filter(|service| !services.contains(service)).cloned().collect(),
            no_skip: false,
            points: Points::NONE,
            options: self.options.clone(),
        };
        Ok(make(&mut brief))
    }

    /// The newest release of the catalogue.
    pub(super) fn newest(&self) -> Series {
        let newest = self.catalog.releases().next_back().map(|release| release.series.clone());
        newest.unwrap_or_else(|| unreachable!("a catalogue has releases"))
    }
}

/// `text` as a shell takes it for one word.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The name that `text` was probably meant to be, as a part of a sentence.
pub(super) fn meant(text: &str, known: &[&str]) -> String {
    nearest(text, known.iter().copied()).map(|name| format!(", did you mean {name}?")).unwrap_or_default()
}
