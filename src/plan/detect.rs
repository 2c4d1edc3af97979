//! Which release a cloud's databases stand at, judged by their heads alone.
//!
//! A head is an interval, not a point: cinder's of 2024.1 is also that of 2025.1. So each database
//! stands at a set of releases, and the cloud at those that all of its databases share. What fits no
//! release is told apart: empty, older than alembic, between two releases, or unknown.
//!
//! Pure: an observation and release documents in, a [`Detection`] out.

mod render;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::catalog::{Playbook, Release};
use crate::model::{DatabaseId, Heads, Observation, Schema, Series, Unreachable};

pub(super) use render::interval;
pub use render::render;

/// What the heads of one database say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The database stands at the heads of these releases, all of them.
    At {
        /// The releases, the oldest first; never empty.
        series: Vec<Series>,
    },
    /// No tables: a service that was never set up, or the wrong database.
    Empty,
    /// Tables and no version: not a database of this service, or one whose first migration broke.
    Unversioned,
    /// Numbered by sqlalchemy-migrate only, and no release of the catalogue expects these numbers: older
    /// than the catalogue.
    Legacy,
    /// Between releases: a migration was begun and not finished.
    Partial {
        /// What is known of the half that is done.
        done: Half,
        /// Each head with the releases that have it among theirs; none for a head that no release ends
        /// at, which a migration passes on its way.
        heads: BTreeMap<String, Vec<Series>>,
        /// The releases of the part that lags behind.
        behind: Vec<Series>,
        /// The releases of the part that is ahead; empty where the catalogue does not tell them.
        ahead: Vec<Series>,
    },
    /// Heads that no release of the catalogue ends at: older, newer, foreign, or a migration that was
    /// cut off between two of its steps.
    Unknown {
        /// The heads that no release has.
        heads: BTreeSet<String>,
    },
    /// The database could not be read.
    Unreachable(Unreachable),
}

/// What is done of a migration that is not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Half {
    /// What adds is done, what removes is not: the expand branch is ahead of the contract branch
    /// (keystone, neutron, glance).
    Expanded,
    /// Some of it.
    Some,
}

/// One database: what was found, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Detected {
    /// The heads as they were found; none where the database could not be read.
    pub found: Option<Heads>,
    /// What they say.
    pub verdict: Verdict,
}

/// Databases that stand at the same releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Group {
    /// The releases they share.
    pub series: Vec<Series>,
    /// The databases.
    pub databases: Vec<DatabaseId>,
}

/// Where the cloud stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Every database stands at each of these releases. Their data migrations may be unfinished: heads
    /// do not tell.
    At(Vec<Series>),
    /// Every database stands somewhere, and not all at one release: the groups, the oldest first.
    Mixed(Vec<Group>),
    /// Some databases stand at no release: these. Their verdicts say why.
    Unclear(Vec<DatabaseId>),
}

/// What the heads of a cloud's databases say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Detection {
    /// By database.
    pub databases: BTreeMap<DatabaseId, Detected>,
    /// All together.
    pub standing: Standing,
    /// Every release that was compared with, the oldest first: what an interval's ends leave out.
    #[serde(skip)]
    known: Vec<Series>,
}

/// Judges `observation` by the heads in `releases`; `playbooks` say which schema a database holds.
pub fn detect(observation: &Observation, playbooks: &[&Playbook], releases: &[&Release]) -> Detection {
    let mut releases: Vec<&Release> = releases.to_vec();
    releases.sort_by(|one, two| one.series.cmp(&two.series));
    let mut databases = BTreeMap::new();
    for (id, seen) in &observation.databases {
        let detected = match seen {
            Err(unreachable) => Detected { found: None, verdict: Verdict::Unreachable(unreachable.clone()) },
            Ok(seen) => {
                let expected = expected(id, playbooks, &releases);
                Detected { found: Some(seen.heads.clone()), verdict: judge(&seen.heads, seen.tables, &expected) }
            }
        };
        databases.insert(id.clone(), detected);
    }
    let standing = stand(&databases);
    Detection { databases, standing, known: releases.into_iter().map(|release| release.series.clone()).collect() }
}

/// What each release expects in the database `id`, the oldest first.
fn expected<'a>(id: &DatabaseId, playbooks: &[&Playbook], releases: &[&'a Release]) -> Vec<(&'a Series, &'a Heads)> {
    let playbook = playbooks.iter().find(|playbook| playbook.service == id.service);
    let slot = playbook.and_then(|playbook| playbook.databases.iter().find(|slot| slot.slot == id.slot));
    let Some(schema): Option<&Schema> = slot.map(|slot| &slot.schema) else { return Vec::new() };
    let heads = releases.iter().map(|release| {
        let service = release.services.get(&id.service);
        service.and_then(|service| service.heads.get(schema)).map(|heads| (&release.series, heads))
    });
    heads.flatten().collect()
}

/// What `found` says where the releases expect `expected`.
fn judge(found: &Heads, tables: u64, expected: &[(&Series, &Heads)]) -> Verdict {
    let at: Vec<Series> =
        expected.iter().filter(|(_, heads)| found.stand_at(heads)).map(|(series, _)| (*series).clone()).collect();
    if !at.is_empty() {
        return Verdict::At { series: at };
    }
    if found.is_empty() {
        return if tables == 0 { Verdict::Empty } else { Verdict::Unversioned };
    }
    if found.alembic.is_empty() {
        return Verdict::Legacy;
    }
    let heads: BTreeMap<String, Vec<Series>> =
        found.alembic.iter().map(|head| (head.clone(), ending(head, expected))).collect();
    let unknown: BTreeSet<String> =
        heads.iter().filter(|(_, series)| series.is_empty()).map(|(head, _)| head.clone()).collect();
    let branches = expected.iter().any(|(_, heads)| heads.alembic.len() > 1);
    if unknown.is_empty() && heads.len() > 1 {
        // Every head is some release's, and no release has them all: some lag behind.
        let behind = heads.values().min_by(|one, two| one.last().cmp(&two.last())).cloned().unwrap_or_default();
        let ahead = heads.values().max_by(|one, two| one.first().cmp(&two.first())).cloned().unwrap_or_default();
        let done = if branches && heads.len() == 2 { Half::Expanded } else { Half::Some };
        return Verdict::Partial { done, heads, behind, ahead };
    }
    // A release's heads and one more: the next migration was begun. Glance has an expand head only then.
    let overtaken = expected.iter().filter(|(_, heads)| heads.alembic.is_subset(&found.alembic));
    let overtaken: Vec<Series> =
        overtaken.filter(|(_, heads)| !heads.is_empty()).map(|(series, _)| (*series).clone()).collect();
    if !overtaken.is_empty() {
        let done = if unknown.iter().all(|head| head.contains("expand")) { Half::Expanded } else { Half::Some };
        return Verdict::Partial { done, heads, behind: overtaken, ahead: Vec::new() };
    }
    Verdict::Unknown { heads: unknown }
}

/// The releases that have `head` among their heads.
fn ending(head: &str, expected: &[(&Series, &Heads)]) -> Vec<Series> {
    let having = expected.iter().filter(|(_, heads)| heads.alembic.contains(head));
    having.map(|(series, _)| (*series).clone()).collect()
}

fn stand(databases: &BTreeMap<DatabaseId, Detected>) -> Standing {
    let mut placed: Vec<(&DatabaseId, &Vec<Series>)> = Vec::new();
    let mut lost = Vec::new();
    for (id, detected) in databases {
        match &detected.verdict {
            Verdict::At { series } => placed.push((id, series)),
            _ => lost.push(id.clone()),
        }
    }
    if !lost.is_empty() || placed.is_empty() {
        return Standing::Unclear(lost);
    }
    // Taken by where they end, the fewest groups come of it, and a database that fits several is with
    // the oldest it fits.
    placed.sort_by(|(_, one), (_, two)| (one.last(), one.first()).cmp(&(two.last(), two.first())));
    let mut groups: Vec<Group> = Vec::new();
    for (id, series) in placed {
        let fitting = groups.iter_mut().find_map(|group| {
            let shared: Vec<Series> = group.series.iter().filter(|shared| series.contains(shared)).cloned().collect();
            (!shared.is_empty()).then_some((group, shared))
        });
        match fitting {
            Some((group, shared)) => {
                group.series = shared;
                group.databases.push(id.clone());
            }
            None => groups.push(Group { series: series.clone(), databases: vec![id.clone()] }),
        }
    }
    for group in &mut groups {
        group.databases.sort();
    }
    groups.sort_by(|one, two| one.series.cmp(&two.series));
    match groups.len() {
        1 => Standing::At(groups.remove(0).series),
        _ => Standing::Mixed(groups),
    }
}
