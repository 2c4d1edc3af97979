//! The way through the releases: at which of them a leap stops, and why.
//!
//! From each release the next one can be reached, and from a SLURP release the next SLURP release: those are the
//! steps that OpenStack supports. Some stops no way can leave out, because later releases cannot start from what
//! lies before them (their floors); these are told.
//!
//! Pure: releases in any order in, the same path out.

use serde::{Deserialize, Serialize};

use super::build::and;
use super::detect::interval;
use crate::catalog::Release;
use crate::model::{Series, Service};

/// At which releases a leap stops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stops {
    /// At every release on the way.
    #[default]
    Every,
    /// From a SLURP release straight to the next one where that is on the way; elsewhere at every release.
    Slurp,
}

impl Stops {
    /// Whether it is every release.
    pub fn is_every(&self) -> bool {
        *self == Self::Every
    }

    /// How a command line continues that asks for the same stops.
    pub fn option(self) -> &'static str {
        match self {
            Self::Every => "",
            Self::Slurp => " --stops slurp",
        }
    }
}

/// The stops of a leap, both ends included, and the reasons for them.
#[derive(Debug)]
pub(super) struct Path<'a> {
    pub(super) releases: Vec<&'a Release>,
    /// A sentence each.
    pub(super) reasons: Vec<String>,
}

/// The path of `services` from one release to another. Releases that the catalogue does not know are no stops.
pub(super) fn path<'a>(
    releases: &[&'a Release],
    services: &[&Service],
    from: &Series,
    to: &Series,
    stops: Stops,
) -> Path<'a> {
    let mut all: Vec<&Release> = releases.to_vec();
    all.sort_by(|one, two| one.series.cmp(&two.series));
    let way: Vec<&Release> = all.into_iter().filter(|r| *from <= r.series && r.series <= *to).collect();
    let mut at = 0;
    let mut path: Vec<&Release> = way.first().copied().into_iter().collect();
    while at + 1 < way.len() {
        at = match stops {
            Stops::Every => at + 1,
            Stops::Slurp => jump(&way, at, services),
        };
        path.push(way[at]);
    }
    let skipped: Vec<&str> = way
        .iter()
        .filter(|release| !path.iter().any(|stop| stop.series == release.series))
        .map(|release| release.series.as_str())
        .collect();
    let named: Vec<&str> = path.iter().map(|release| release.series.as_str()).collect();
    let mut reasons = Vec::new();
    if path.len() > 1 {
        reasons.push(if skipped.is_empty() {
            format!("no release is skipped: {} each do their part with their own code", and(&named))
        } else {
            format!(
                "{} {} passed over, as a SLURP release may be reached from the one before it: {} each do their part with \
                 their own code",
                and(&skipped),
                if skipped.len() == 1 { "is" } else { "are" },
                and(&named)
            )
        });
    }
    if stops == Stops::Slurp && path.len() > 1 && skipped.is_empty() {
        reasons.push("there is nothing to pass over: only from a SLURP release, 2023.1 the first of them, the next one may be reached at once".to_owned());
    }
    reasons.extend(needed(&way, &path, services));
    Path { releases: path, reasons }
}

/// The releases at which a leap of `services` stops, both ends included.
pub fn stops<'a>(
    releases: &[&'a Release],
    services: &[&Service],
    from: &Series,
    to: &Series,
    stops: Stops,
) -> Vec<&'a Release> {
    path(releases, services, from, to, stops).releases
}

/// The releases after one and before another, oldest first.
pub(super) fn between<'a>(releases: &[&'a Release], after: &Series, before: &Series) -> Vec<&'a Release> {
    let mut found: Vec<&Release> =
        releases.iter().copied().filter(|release| *after < release.series && release.series < *before).collect();
    found.sort_by(|one, two| one.series.cmp(&two.series));
    found
}

/// How far a leap may go from `way[at]`: to the next SLURP release from a SLURP release, where no service needs a
/// stop before it; else to the next release.
fn jump(way: &[&Release], at: usize, services: &[&Service]) -> usize {
    let here = way[at];
    let next = (at + 1..way.len()).find(|place| way[*place].slurp).filter(|_| here.slurp);
    let next = next.filter(|next| {
        let floors = way[at + 1..=*next].iter().flat_map(|release| floors(release, services));
        floors.into_iter().all(|(_, floor)| floor.from <= here.series)
    });
    next.unwrap_or(at + 1)
}

/// The floors that a release sets.
fn floors<'r>(
    release: &'r Release,
    services: &[&Service],
) -> impl Iterator<Item = (&'r Service, &'r crate::catalog::Floor)> {
    let facts = release.services.iter().filter(|(service, _)| services.contains(service));
    facts.filter_map(|(service, facts)| facts.floor.as_ref().map(|floor| (service, floor)))
}

/// Which stops no way could leave out, and why: a sentence for each release that cannot start from where the leap
/// begins.
fn needed(way: &[&Release], path: &[&Release], services: &[&Service]) -> Vec<String> {
    let Some(first) = way.first() else { return Vec::new() };
    let known: Vec<Series> = way.iter().map(|release| release.series.clone()).collect();
    let mut sentences = Vec::new();
    for (place, release) in way.iter().enumerate() {
        let mut reasons: Vec<&str> = floors(release, services).map(|(_, floor)| floor.why.trim()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        for why in reasons {
            let same = || floors(release, services).filter(|(_, floor)| floor.why.trim() == why);
            let oldest = same().map(|(_, floor)| &floor.from).max();
            let Some(oldest) = oldest.filter(|oldest| **oldest > first.series) else { continue };
            // Any of these would do; a SLURP release among them is where every way stops.
            let window: Vec<&Release> = way[..place].iter().copied().filter(|stop| stop.series >= *oldest).collect();
            let stop = window.iter().find(|release| release.slurp).or(window.first().filter(|_| window.len() == 1));
            let stop = match stop {
                Some(stop) if path.iter().any(|one| one.series == stop.series) => stop.series.to_string(),
                _ => {
                    let series: Vec<Series> = window.iter().map(|release| release.series.clone()).collect();
                    format!("one of {}", interval(&series, &known))
                }
            };
            let names: Vec<&str> = same().map(|(service, _)| service.as_str()).collect();
            sentences.push(format!("{stop} is needed: {} of {} and later {why}", and(&names), release.series));
        }
    }
    sentences
}

#[cfg(test)]
mod tests;
