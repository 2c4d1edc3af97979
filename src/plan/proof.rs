//! What proves that databases stand complete at a release: the questions to ask of them, and what the
//! answers come to. The same proofs as at the end of a hop, without anything being changed.
//!
//! Pure: [`Inquiry`] says what to look at, whoever can looks, and [`Inquiry::conclude`] judges. A claim is
//! proved, disproved, or unknown where nobody could look; nothing is proved by silence.

mod conclude;
mod leftover;
mod render;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::build::{self, Brief};
use super::detect::{Detection, Verdict, detect};
use super::document::{Action, Lane, Plan, Step};
use super::recorded::{VersionQuestion, questions};
use super::refusal::Refusal;
use super::urls;
use crate::catalog::{Playbook, Release};
use crate::model::{CheckResult, DatabaseId, Observation, OldServices, Series, Service, Unreachable};

pub use leftover::Triggers;
pub use render::render;

/// What `leapfrog verify` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Proof {
    /// The version of this document's format: 1.
    pub format: u32,
    /// The cloud's name in the cloud file.
    pub cloud: String,
    /// The release.
    pub at: Series,
    /// Whether every claim is proved: the gravest of their answers.
    pub answer: Answer,
    /// What was looked at.
    pub claims: Vec<Claim>,
    /// Services that recorded a version which the release does not accept: no proof is missing for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<OldServices>,
}

/// Whether something is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It was seen.
    Yes,
    /// It could not be looked at.
    Unknown,
    /// Something else was seen.
    No,
}

/// Something that has to be so, and whether it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Claim {
    /// The service it is about.
    pub service: Service,
    /// The database it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseId>,
    /// Which kind of claim this is.
    pub kind: ClaimKind,
    /// What is claimed, or, where it is not so, what was seen.
    pub what: String,
    /// Whether it is so.
    pub answer: Answer,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Why what was found is harmless, or what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Kinds of claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimKind {
    /// The database stands at the release's heads.
    Heads,
    /// No row is left that the release's data migrations should have moved.
    Rows,
    /// Rows that its data migrations find and never move are harmless.
    Residue,
    /// Database URLs that are stored in a database lead to those of the cloud file.
    StoredUrls,
    /// No trigger is left that stands during a migration only.
    Triggers,
    /// One of the release's own checks lets the databases go on.
    ReleaseCheck,
}

/// What has to be looked at to prove that a cloud stands complete at a release.
#[derive(Debug)]
pub struct Inquiry {
    cloud: String,
    at: Series,
    options: String,
    /// How a command line continues that asks for one service.
    only: BTreeMap<Service, String>,
    lanes: Vec<Lane>,
    strays: Vec<(Service, Refusal)>,
    services: Vec<VersionQuestion>,
    /// Databases that store URLs, and whether these could be read.
    led: BTreeMap<DatabaseId, bool>,
    /// Databases in which triggers stand during a migration.
    passing: BTreeMap<DatabaseId, leftover::Passing>,
    detection: Detection,
    known: Vec<Series>,
}

/// What one of a release's own checks said, or why its command says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckAnswer {
    /// The service.
    pub service: Service,
    /// The checks: name, result, details, and the playbook's reason why it stops nothing.
    pub checks: Vec<(String, CheckResult, Option<String>, Option<String>)>,
    /// What is wrong, and what to do.
    pub failure: Option<(String, String)>,
    /// Whether the command could not be run, or said nothing that can be read.
    pub unseen: bool,
}

/// Rows by database and query.
pub type Counts = BTreeMap<(DatabaseId, String), Result<u64, Unreachable>>;

/// The release that the databases say they stand at: the newest that all of them share, else the newest
/// that any of them shows, so that those behind come to light; none where none of them stands anywhere.
pub fn newest_shown(
    observation: &Observation,
    playbooks: &[&Playbook],
    releases: &[&Release],
    databases: &BTreeSet<DatabaseId>,
) -> Option<Series> {
    let detection = detect(observation, playbooks, releases);
    let places = detection.databases.iter().filter(|(id, _)| databases.contains(id));
    let sets: Vec<BTreeSet<&Series>> = places
        .map(|(_, detected)| match &detected.verdict {
            Verdict::At { series } => series.iter().collect(),
            _ => BTreeSet::new(),
        })
        .collect();
    let shared = sets.iter().cloned().reduce(|one, two| one.intersection(&two).copied().collect());
    let shared = shared.as_ref().and_then(|shared| shared.last().copied());
    // Heads that fit several releases tell the oldest of them for sure.
    let shown = || sets.iter().filter_map(|set| set.first().copied()).max();
    shared.or_else(shown).cloned()
}

impl Inquiry {
    /// What has to be looked at for `release`.
    pub fn new(brief: &Brief<'_>, release: &Release) -> Self {
        let mut heads = BTreeMap::new();
        let lanes = brief.playbooks.iter().map(|playbook| {
            let mut lane = build::lane(brief, release, playbook, &mut heads);
            lane.steps.extend(build::checks_of(brief, release, playbook, release));
            lane
        });
        let strays = urls::stored_urls(brief).into_iter().filter_map(|refusal| {
            let service = refusal.database.as_ref()?.service.clone();
            Some((service, refusal))
        });
        let led = brief.observation.stored_urls.iter().filter(|(id, _)| brief.databases.contains_key(*id));
        let led = led.map(|(id, stored)| (id.clone(), stored.is_ok()));
        Self {
            cloud: brief.cloud.to_owned(),
            at: release.series.clone(),
            options: brief.same(),
            only: brief.playbooks.iter().map(|p| (p.service.clone(), brief.only(&[&p.service]))).collect(),
            lanes: lanes.collect(),
            strays: strays.collect(),
            services: brief.playbooks.iter().flat_map(|playbook| questions(brief, playbook, release)).collect(),
            led: led.collect(),
            passing: leftover::passing(brief),
            detection: detect(brief.observation, &brief.playbooks, &brief.releases),
            known: brief.releases.iter().map(|release| release.series.clone()).collect(),
        }
    }

    /// The queries to count with, each with its database: of those that stand at the release, because
    /// another's tables may not have the columns.
    pub fn queries(&self) -> BTreeSet<(DatabaseId, String)> {
        let mut queries = BTreeSet::new();
        for touching in self.lanes.iter().flat_map(|lane| &lane.steps).filter_map(|step| match &step.action {
            Action::Trip(touching) if self.stands(&touching.database) => Some(touching),
            _ => None,
        }) {
            queries.extend(touching.counted().map(|(_, query)| (touching.database.clone(), query.to_owned())));
        }
        for migration in self.lanes.iter().flat_map(|lane| &lane.steps).filter_map(|step| match &step.action {
            Action::Drain(migration) if self.stands(&migration.database) => Some(migration),
            _ => None,
        }) {
            let residues = migration.residues.iter().map(|residue| &residue.query);
            let remainders = migration.remainders.iter().map(|remainder| &remainder.query);
            queries.extend(residues.chain(remainders).map(|query| (migration.database.clone(), query.clone())));
        }
        queries
    }

    /// What to ask of services' versions, in databases that stand at the release.
    pub fn services(&self) -> impl Iterator<Item = &VersionQuestion> {
        self.services.iter().filter(|question| self.stands(&question.database))
    }

    /// A plan of the release's own checks alone.
    pub fn checks(&self) -> Plan {
        let checks = |step: &&Step| matches!(step.action, Action::Check(_));
        let lanes = self.lanes.iter().filter(|lane| lane.steps.iter().any(|step| checks(&step)));
        let lanes =
            lanes.map(|lane| Lane { steps: lane.steps.iter().filter(checks).cloned().collect(), ..lane.clone() });
        let hop = super::Hop {
            series: self.at.clone(),
            reason: "its own checks are asked".to_owned(),
            notes: Vec::new(),
            changes: Vec::new(),
            lanes: lanes.collect(),
        };
        Plan {
            format: Plan::FORMAT,
            cloud: self.cloud.clone(),
            from: self.at.clone(),
            to: self.at.clone(),
            stops: super::Stops::Every,
            part: super::Part::Whole,
            reasons: Vec::new(),
            hops: vec![hop],
        }
    }

    fn only(&self, service: &Service) -> &str {
        self.only.get(service).map_or("", String::as_str)
    }

    /// Whether a database was seen at the release.
    fn stands(&self, id: &DatabaseId) -> bool {
        let verdict = self.detection.databases.get(id).map(|detected| &detected.verdict);
        matches!(verdict, Some(Verdict::At { series }) if series.contains(&self.at))
    }
}
