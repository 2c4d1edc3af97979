//! Which release a cloud's databases stand at, judged by their heads alone.
//!
//! A head is an interval, not a point: cinder's of 2024.1 is also that of 2025.1. So each database
//! stands at a set of releases, and the cloud at those that all of its databases share. What fits no
//! release is told apart: empty, older than alembic, between two releases, or unknown.
//!
//! Pure: an observation and release documents in, a [`Detection`] out.

#[cfg(test)]
mod real;
mod render;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::catalog::{DatabaseSlot, Playbook, Release};
use crate::model::{DatabaseId, Heads, Observation, Schema, Series, Unreachable};

pub use render::render;
pub(super) use render::{interval, told};

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
    /// Numbered by sqlalchemy-migrate only, and no release of the catalogue ends at these numbers: older than the
    /// catalogue, or a migration that was cut off half-way.
    Legacy,
    /// Under alembic, and never migrated as far as alembic begins: somebody only wrote the revision down (heat from 2023.2
    /// on does, and says that all is well).
    Stamped {
        /// The numbers of sqlalchemy-migrate that are left.
        left: BTreeMap<String, u32>,
        /// What they would be, had its migrations been run to their end.
        ended: BTreeMap<String, u32>,
    },
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
                let slot = slot(id, playbooks);
                let expected = slot.map(|slot| expected(id, &slot.schema, &releases)).unwrap_or_default();
                let verdict = slot.and_then(|slot| stamped(&seen.heads, slot));
                let verdict = verdict.unwrap_or_else(|| judge(&seen.heads, seen.tables, &expected));
                Detected { found: Some(seen.heads.clone()), verdict }
            }
        };
        databases.insert(id.clone(), detected);
    }
    let standing = stand(&databases);
    Detection { databases, standing, known: releases.into_iter().map(|release| release.series.clone()).collect() }
}

/// What a playbook says of the database `id`.
fn slot<'p>(id: &DatabaseId, playbooks: &[&'p Playbook]) -> Option<&'p DatabaseSlot> {
    let playbook = playbooks.iter().find(|playbook| playbook.service == id.service)?;
    playbook.databases.iter().find(|slot| slot.slot == id.slot)
}

/// What each release expects in the database `id`, the oldest first: its heads, and those of earlier point releases.
fn expected<'a>(id: &DatabaseId, schema: &Schema, releases: &[&'a Release]) -> Vec<(&'a Series, &'a Heads)> {
    let heads = releases.iter().filter_map(|release| {
        let service = release.services.get(&id.service)?;
        let others = service.also.get(schema).into_iter().flatten();
        Some(service.heads.get(schema).into_iter().chain(others).map(|heads| (&release.series, heads)))
    });
    heads.flatten().collect()
}

/// Whether a database under alembic kept numbers that its migrations had not ended at.
fn stamped(found: &Heads, slot: &DatabaseSlot) -> Option<Verdict> {
    let other =
        |(repository, number): (&String, &u32)| found.migrate.get(repository).is_some_and(|left| left != number);
    (!found.alembic.is_empty() && slot.numbers_end.iter().any(other))
        .then(|| Verdict::Stamped { left: found.migrate.clone(), ended: slot.numbers_end.clone() })
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
        return numbered(found, expected).unwrap_or(Verdict::Legacy);
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
        overtaken.filter(|(_, heads)| !heads.alembic.is_empty()).map(|(series, _)| (*series).clone()).collect();
    if !overtaken.is_empty() {
        let done = if unknown.iter().all(|head| head.contains("expand")) { Half::Expanded } else { Half::Some };
        return Verdict::Partial { done, heads, behind: overtaken, ahead: Vec::new() };
    }
    Verdict::Unknown { heads: unknown }
}

/// Where numbers are that no release ends at, if some release's lie before and some after them.
fn numbered(found: &Heads, expected: &[(&Series, &Heads)]) -> Option<Verdict> {
    let numbers = |heads: &Heads, fits: &dyn Fn(u32, u32) -> bool| {
        let mut pairs =
            heads.migrate.iter().map(|(repository, wanted)| Some((*found.migrate.get(repository)?, *wanted)));
        !heads.migrate.is_empty() && pairs.all(|pair| pair.is_some_and(|(found, wanted)| fits(found, wanted)))
    };
    let before = expected.iter().rev().find(|(_, heads)| numbers(heads, &|found, wanted| found >= wanted))?.1;
    let after = expected.iter().find(|(_, heads)| numbers(heads, &|found, wanted| found <= wanted))?.1;
    let having = |heads: &Heads| {
        let mut series: Vec<Series> =
            expected.iter().filter(|(_, other)| *other == heads).map(|(series, _)| (*series).clone()).collect();
        series.dedup();
        series
    };
    let parts = after.migrate.keys().filter_map(|repository| Some((repository, *found.migrate.get(repository)?)));
    let heads = parts.map(|(repository, number)| {
        let ends = expected.iter().filter(|(_, heads)| heads.migrate.get(repository) == Some(&number));
        let mut series: Vec<Series> = ends.map(|(series, _)| (*series).clone()).collect();
        series.dedup();
        (format!("{repository} {number}"), series)
    });
    // keystone numbers its branches apart.
    let moved = |branch: &str| {
        let mut numbers = before.migrate.iter().filter(|(repository, _)| repository.ends_with(branch)).peekable();
        numbers
            .peek()
            .is_some()
            .then(|| numbers.any(|(repository, number)| found.migrate.get(repository) > Some(number)))
    };
    let done = match (moved("_expand"), moved("_contract")) {
        (Some(true), Some(false)) => Half::Expanded,
        _ => Half::Some,
    };
    Some(Verdict::Partial { done, heads: heads.collect(), behind: having(before), ahead: having(after) })
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
