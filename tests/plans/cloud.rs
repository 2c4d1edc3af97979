//! A cloud with seven services and two cells, as it would be observed.

use std::collections::{BTreeMap, BTreeSet};

use leapfrog::catalog::{Catalog, Playbook, Release};
use leapfrog::model::{
    ConnectionUrl, DatabaseId, Engine, Heads, ImageReference, Observation, ObservedDatabase, Points, Secret, Service,
    StoredUrl, Unreachable,
};
use leapfrog::plan::{self, Brief, Part, Plan, Refused, Start, Stops};

pub(crate) fn valid<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

/// A number for each text that has nothing to do with its order.
fn mixed(seed: u64, text: &str) -> u64 {
    text.bytes().fold(seed, |sum, byte| sum.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(u64::from(byte) + 1))
}

/// The databases and their names on the server.
const DATABASES: &[(&str, &str)] = &[
    ("barbican", "barbican"),
    ("cinder", "cinder"),
    ("glance", "glance"),
    ("keystone", "keystone"),
    ("neutron", "neutron"),
    ("nova.api", "nova_api"),
    ("nova.cell0", "nova_cell0"),
    ("nova.cells.cell1", "nova"),
    ("nova.cells.cell2", "nova_cell2"),
    ("placement", "placement"),
];

/// Those of the seven other services.
const OTHERS: &[(&str, &str)] = &[
    ("aodh", "aodh"),
    ("designate", "designate"),
    ("heat", "heat"),
    ("ironic", "ironic"),
    ("magnum", "magnum"),
    ("manila", "manila"),
    ("octavia", "octavia"),
];

pub(crate) struct Cloud {
    pub(crate) catalog: Catalog,
    pub(crate) urls: BTreeMap<DatabaseId, ConnectionUrl>,
    pub(crate) seen: Observation,
    pub(crate) from: Start,
    pub(crate) to: String,
    pub(crate) trusted: BTreeSet<Service>,
    /// The services that take part; none: all.
    pub(crate) only: Vec<&'static str>,
    pub(crate) no_skip: bool,
    pub(crate) points: Points,
    pub(crate) stops: Stops,
    pub(crate) part: Part,
    /// The documents are given in another order than by name.
    pub(crate) shuffle: Option<u64>,
}

impl Cloud {
    /// A cloud that stands at `series` and is to go to 2024.2.
    pub(crate) fn at(series: &str) -> Self {
        let catalog = Catalog::embedded().unwrap_or_else(|error| panic!("{error}"));
        let mut cloud = Self {
            catalog,
            urls: BTreeMap::new(),
            seen: Observation::default(),
            from: Start::At(valid(series)),
            to: "2024.2".into(),
            trusted: BTreeSet::new(),
            only: Vec::new(),
            no_skip: false,
            points: Points::NONE,
            stops: Stops::Every,
            part: Part::Whole,
            shuffle: None,
        };
        cloud.adds(series, DATABASES);
        let cells = [("cell0", "nova.cell0"), ("cell1", "nova.cells.cell1"), ("cell2", "nova.cells.cell2")];
        cloud.stores(&cells.map(|(name, id)| (name, "mysql+pymysql://nova@10.0.0.5/…", Some(id))));
        cloud
    }

    /// A cloud with all fourteen services that stands at `series`.
    pub(crate) fn whole(series: &str) -> Self {
        let mut cloud = Self::at(series);
        cloud.adds(series, OTHERS);
        cloud
    }

    /// Adds the databases of services that `series` has, as they stand there.
    fn adds(&mut self, series: &str, databases: &[(&str, &str)]) {
        for (id, name) in databases {
            let service: DatabaseId = valid(id);
            if !self.catalog.release(&valid(series)).expect("a release").services.contains_key(&service.service) {
                continue;
            }
            let url: ConnectionUrl = valid(&format!("mysql+pymysql://leapfrog@10.0.0.5/{name}"));
            self.urls.insert(valid(id), url.with_password(Secret::new("Secret99")));
            let heads = self.heads(series, id);
            self.shows(id, heads);
        }
    }

    /// The heads of a release in a database.
    pub(crate) fn heads(&self, series: &str, id: &str) -> Heads {
        let id: DatabaseId = valid(id);
        let playbook = self.catalog.playbook(&id.service).expect("a playbook");
        let schema = &playbook.databases.iter().find(|slot| slot.slot == id.slot).expect("a slot").schema;
        self.catalog.release(&valid(series)).expect("a release").services[&id.service].heads[schema].clone()
    }

    pub(crate) fn shows(&mut self, id: &str, heads: Heads) {
        self.shows_tables(id, heads, 60);
    }

    pub(crate) fn shows_tables(&mut self, id: &str, heads: Heads, tables: u64) {
        let version = "10.11.14-MariaDB".into();
        let seen = ObservedDatabase { engine: Engine::Mysql, version, heads, tables };
        self.seen.databases.insert(valid(id), Ok(seen));
    }

    /// The database's server tells this version.
    pub(crate) fn tells(&mut self, id: &str, version: &str) {
        let seen = self.seen.databases.get_mut(&valid(id)).expect("a database");
        seen.as_mut().expect("seen").version = version.into();
    }

    /// The database shows what it shows at another release.
    pub(crate) fn stands(&mut self, id: &str, series: &str) {
        let heads = self.heads(series, id);
        self.shows(id, heads);
    }

    pub(crate) fn does_not_answer(&mut self, id: &str) {
        let unreachable = Unreachable {
            reason: "reach 10.0.0.5:3306: Connection refused".into(),
            advice: "check host and port in the cloud file, and that the server listens there".into(),
        };
        self.seen.databases.insert(valid(id), Err(unreachable));
    }

    /// What nova's cell mappings say.
    pub(crate) fn stores(&mut self, urls: &[(&str, &str, Option<&str>)]) {
        let stored = urls.iter().map(|(name, leads_to, database)| StoredUrl {
            name: (*name).into(),
            leads_to: (*leads_to).into(),
            database: database.map(valid),
        });
        self.seen.stored_urls.insert(valid("nova.api"), Ok(stored.collect()));
    }

    fn takes_part(&self, service: &Service) -> bool {
        self.only.is_empty() || self.only.contains(&service.as_str())
    }

    pub(crate) fn plan(&self) -> Result<Plan, Refused> {
        self.brief(plan::build)
    }

    /// What is made of everything that is known of it.
    pub(crate) fn brief<T>(&self, make: impl FnOnce(&Brief<'_>) -> T) -> T {
        let image = |service: &Service, release: &Release| -> ImageReference {
            valid(&format!("quay.io/openstack.kolla/{service}-api:{}-ubuntu-jammy", release.series))
        };
        let databases = self.urls.iter().filter(|(id, _)| self.takes_part(&id.service));
        let there: BTreeSet<&Service> = self.urls.keys().map(|id| &id.service).collect();
        let takes_part = |service: &Service| there.contains(service) && self.takes_part(service);
        let mut playbooks: Vec<&Playbook> =
            self.catalog.playbooks().filter(|playbook| takes_part(&playbook.service)).collect();
        let mut releases: Vec<&Release> = self.catalog.releases().collect();
        if let Some(seed) = self.shuffle {
            playbooks.sort_by_key(|playbook| mixed(seed, playbook.service.as_str()));
            releases.sort_by_key(|release| mixed(seed, release.series.as_str()));
        }
        make(&Brief {
            cloud: "ewr1",
            releases,
            playbooks,
            databases: databases.map(|(id, url)| (id.clone(), url.clone())).collect(),
            image: &image,
            observation: &self.seen,
            trusted: self.trusted.clone(),
            from: self.from.clone(),
            to: valid(&self.to),
            stops: self.stops,
            part: self.part,
            no_skip: self.no_skip,
            points: self.points,
            whole: self.only.is_empty(),
            others: self.urls.keys().map(|id| id.service.clone()).filter(|name| !self.takes_part(name)).collect(),
            options: String::new(),
        })
    }

    /// The plan, or what is told in its place.
    pub(crate) fn told(&self) -> String {
        let told = match self.plan() {
            Ok(plan) => plan::render(&plan),
            Err(refused) => {
                let refusals: Vec<String> = refused.0.iter().map(ToString::to_string).collect();
                format!("{refused}\n\n{}\n", refusals.join("\n\n"))
            }
        };
        assert!(!told.contains("Secret99"), "no password is shown");
        told
    }
}
