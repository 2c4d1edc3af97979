//! Where a leap starts: what `--from` says against what the databases show.

use std::collections::{BTreeMap, BTreeSet};

use super::build::{Brief, and};
use super::detect::{Detected, Group, Half, Standing, Verdict, detect, interval, told};
use super::refusal::{Refusal, RefusalKind, Refused};
use crate::model::{DatabaseId, Heads, Observation, Series, Service};

/// Where to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At this series, if the databases stand there.
    At(Series),
    /// Where the databases stand.
    Auto,
}

/// The series that a leap starts at.
///
/// # Errors
/// The databases do not stand where they should, or at no one release.
pub fn start(brief: &Brief<'_>) -> Result<Series, Refused> {
    check(brief).map(|(series, _)| series)
}

/// Checks `--from` against the databases, or finds it. Returns it with the reasons for it.
pub(super) fn check(brief: &Brief<'_>) -> Result<(Series, Vec<String>), Refused> {
    let databases = brief.observation.databases.iter().filter(|(id, _)| brief.databases.contains_key(id));
    let observation = Observation {
        databases: databases.map(|(id, seen)| (id.clone(), seen.clone())).collect(),
        ..Observation::default()
    };
    let detection = detect(&observation, &brief.playbooks, &brief.releases);
    let places = &detection.databases;
    let common = common(places.values());
    let from = match &brief.from {
        Start::At(series) => Some(series),
        Start::Auto => common.first(),
    };
    let judge = Judge { brief, from, common: &common, places };
    let mut refusals: Vec<Refusal> = places.iter().filter_map(|(id, detected)| judge.refusal(id, detected)).collect();
    let Some(from) = from.filter(|_| refusals.is_empty()) else {
        if refusals.is_empty() {
            refusals.push(mixed(brief, &detection.standing));
        }
        return Err(Refused(refusals));
    };
    let count = places.len();
    let mut reasons = vec![if count == 1 {
        format!("1 database shows the heads of {from}")
    } else {
        format!("{count} databases show the heads of {from}")
    }];
    let others: Vec<&str> = common.iter().filter(|series| *series != from).map(Series::as_str).collect();
    if !others.is_empty() {
        let chosen = if brief.from == Start::Auto {
            ", the earliest, because data migrations may be unfinished from there on"
        } else {
            ", as asked"
        };
        reasons.push(format!("the same heads fit {} as well; the leap starts at {from}{chosen}", and(&others)));
    }
    Ok((from.clone(), reasons))
}

/// The series that every database may stand at.
fn common<'d>(places: impl Iterator<Item = &'d Detected>) -> BTreeSet<Series> {
    let mut sets = places.map(|detected| match &detected.verdict {
        Verdict::At { series } => series.iter().cloned().collect(),
        _ => BTreeSet::new(),
    });
    let first: BTreeSet<Series> = sets.next().unwrap_or_default();
    sets.fold(first, |common, set| common.intersection(&set).cloned().collect())
}

/// What each database is judged by.
struct Judge<'b> {
    brief: &'b Brief<'b>,
    from: Option<&'b Series>,
    common: &'b BTreeSet<Series>,
    places: &'b BTreeMap<DatabaseId, Detected>,
}

impl Judge<'_> {
    /// The refusal that a database is worth, if any. Without a start, only what is wrong wherever it is.
    fn refusal(&self, id: &DatabaseId, detected: &Detected) -> Option<Refusal> {
        let options = &self.brief.same();
        let found = detected.found.as_ref().map(Heads::to_string);
        let (kind, what, found, next) = match &detected.verdict {
            Verdict::At { series } => return self.elsewhere(id, series, found.unwrap_or_default()),
            Verdict::Unreachable(unreachable) => (
                RefusalKind::Unreachable,
                format!("database {id} cannot be read"),
                Some(unreachable.reason.clone()),
                unreachable.advice.clone(),
            ),
            Verdict::Empty => (
                RefusalKind::Empty,
                format!("database {id} is empty: there is nothing to step through releases"),
                Some("no tables".to_owned()),
                match super::belongs::awaited(self.brief, id, self.from) {
                    Some(split) => format!("{} Then `leapfrog detect{options}`", split.mend.trim()),
                    None => format!(
                        "check the URL in the cloud file; a service that is not deployed is left out of it. Then \
                         `leapfrog detect{options}`"
                    ),
                },
            ),
            Verdict::Unversioned => (
                RefusalKind::NotVersioned,
                format!("database {id} has tables and no schema version"),
                Some("no row in alembic_version or migrate_version".to_owned()),
                format!("check that the URL leads to the database of {}; then `leapfrog detect{options}`", id.service),
            ),
            Verdict::Legacy => (
                RefusalKind::Behind,
                format!(
                    "database {id} stands at a number of sqlalchemy-migrate that no release of this catalogue ends at: it \
                     is older than all of them, or a migration was cut off half-way"
                ),
                found,
                format!(
                    "finish the migration with the release that began it (all of {}'s schema commands), or restore a copy \
                     from before; a database from before {} goes there with that release's own tools. Then `leapfrog \
                     detect{options}`",
                    id.service,
                    self.brief
                        .releases
                        .iter()
                        .map(|release| &release.series)
                        .min()
                        .map_or("the first release", Series::as_str)
                ),
            ),
            Verdict::Stamped { left, ended } => (
                RefusalKind::HalfDone,
                format!(
                    "database {id} was stamped and not migrated: alembic's revision was written down over a schema of {}",
                    told(left)
                ),
                Some(format!("{} beside {}", told(left), found.unwrap_or_default())),
                format!(
                    "restore a copy from before the release that stamped it, go to {} with {}'s own commands of the release \
                     that ends there, and from there on with leapfrog; `leapfrog detect{options}` shows it",
                    told(ended),
                    id.service
                ),
            ),
            Verdict::Partial { behind, ahead, done, .. } => {
                let known: Vec<Series> = self.brief.releases.iter().map(|release| release.series.clone()).collect();
                let part = |series: &[Series]| if series.is_empty() { None } else { Some(interval(series, &known)) };
                let numbered = detected.found.as_ref().is_some_and(|found| found.alembic.is_empty());
                let between = match (part(behind), part(ahead)) {
                    (Some(behind), Some(ahead)) if numbered => format!("; it set out from {behind} for {ahead}"),
                    (Some(behind), Some(ahead)) => format!(", one part at {behind} and one at {ahead}"),
                    (Some(behind), None) => format!("; it set out from {behind}"),
                    _ => String::new(),
                };
                (
                    RefusalKind::HalfDone,
                    format!("database {id} stands between releases: a migration was begun and not finished{between}"),
                    found,
                    format!(
                        "if a leap was interrupted, run it again where its state directory is.{} Else finish the \
                         migration with the release that began it (all of {}'s schema commands), or restore a copy from \
                         before; then `leapfrog detect{options}`",
                        match done {
                            Half::Expanded => " After --until migrated: `leapfrog contract`.",
                            Half::Some => "",
                        },
                        id.service
                    ),
                )
            }
            Verdict::Unknown { heads } => (
                RefusalKind::Foreign,
                format!("database {id} has a head that no release of this catalogue ends at"),
                Some(heads.iter().map(String::as_str).collect::<Vec<_>>().join(" + ")),
                format!(
                    "check that the URL leads to the database of {}: it may be newer than this leapfrog knows, between \
                     two releases, or a vendor's. `leapfrog releases` lists what is known, `leapfrog detect{options}` \
                     what the other databases show",
                    id.service
                ),
            ),
        };
        Some(Refusal { kind, database: Some(id.clone()), what, found, expected: self.expected(id), next })
    }

    /// The refusal of a database that stands at `series`, if the leap does not start at one of them.
    fn elsewhere(&self, id: &DatabaseId, series: &[Series], found: String) -> Option<Refusal> {
        let from = self.from.filter(|from| !series.contains(from))?;
        let Brief { to, releases, .. } = self.brief;
        let options = self.brief.same();
        let known: Vec<Series> = releases.iter().map(|release| release.series.clone()).collect();
        let at = interval(series, &known);
        let behind = series.iter().all(|series| series < from);
        let next = match (self.common.first(), series.first(), self.laggards(from)) {
            (Some(common), ..) if common <= to => format!("run `leapfrog --from {common} --to {to}{options}`"),
            (Some(_), ..) => format!(
                "nothing is left to do on the way to {to}, and databases only go forwards: name a later `--to`, or see \
                 where they stand with `leapfrog detect{options}`"
            ),
            (None, Some(first), _) if behind => format!(
                "bring it up first: `leapfrog --from {first} --to {from}{}`, or see all of them with `leapfrog \
                 detect{options}`",
                self.brief.only(&[&id.service])
            ),
            (None, _, Some((others, first))) => format!(
                "if a leap was interrupted, run it again where its state directory is. Else bring the others up first: \
                 `leapfrog --from {from} --to {first}{}`",
                self.brief.only(&others)
            ),
            _ => format!("`leapfrog detect{options}` shows where every database stands"),
        };
        let (kind, word) = if behind { (RefusalKind::Behind, "behind") } else { (RefusalKind::Ahead, "ahead of") };
        Some(Refusal {
            kind,
            database: Some(id.clone()),
            what: format!("database {id} is {word} {from}: it stands at {at}"),
            found: Some(format!("{found} ({at})")),
            expected: self.expected(id),
            next,
        })
    }

    /// The services that stand at `from` while all others are further, and how far they may go: as far as the
    /// nearest of the others, if that is on the way.
    fn laggards(&self, from: &Series) -> Option<(Vec<&Service>, &Series)> {
        let mut behind: BTreeSet<&Service> = self.places.keys().map(|id| &id.service).collect();
        let mut nearest: Option<&Series> = None;
        for (id, detected) in self.places {
            let Verdict::At { series } = &detected.verdict else { return None };
            if !series.contains(from) {
                let first = series.first().filter(|first| *first > from)?;
                nearest = Some(nearest.map_or(first, |nearest| nearest.min(first)));
                behind.remove(&id.service);
            }
        }
        let nearest = nearest.filter(|nearest| **nearest <= self.brief.to)?;
        (!behind.is_empty()).then(|| (behind.into_iter().collect(), nearest))
    }

    /// The heads that the start expects in a database.
    fn expected(&self, id: &DatabaseId) -> Option<String> {
        let from = self.from?;
        let playbook = self.brief.playbooks.iter().find(|playbook| playbook.service == id.service)?;
        let schema = &playbook.databases.iter().find(|slot| slot.slot == id.slot)?.schema;
        let release = self.brief.releases.iter().find(|release| release.series == *from)?;
        let heads = release.services.get(&id.service)?.heads.get(schema)?;
        Some(format!("{heads} ({from})"))
    }
}

/// The databases stand at releases that have none in common.
fn mixed(brief: &Brief<'_>, standing: &Standing) -> Refusal {
    let known: Vec<Series> = brief.releases.iter().map(|release| release.series.clone()).collect();
    let groups: &[Group] = if let Standing::Mixed(groups) = standing { groups } else { &[] };
    let stands = groups.iter().map(|group| {
        let names: Vec<String> = group.databases.iter().map(DatabaseId::to_string).collect();
        format!("{}: {}", interval(&group.series, &known), names.join(", "))
    });
    Refusal {
        kind: RefusalKind::Mixed,
        database: None,
        what: "the databases stand at different releases, so there is no one release to start at".to_owned(),
        found: Some(stands.collect::<Vec<_>>().join("; ")),
        expected: Some("one release that fits them all".to_owned()),
        next: format!(
            "if a leap was interrupted, run it again where its state directory is. Else {}",
            catch_up(brief, groups).unwrap_or_else(|| format!(
                "bring the ones behind up with their own release's tools; `leapfrog detect{}` shows them",
                brief.same()
            ))
        ),
    }
}

/// How the databases that are behind reach the others, if whole services are.
fn catch_up(brief: &Brief<'_>, groups: &[Group]) -> Option<String> {
    let [first, second, ..] = groups else { return None };
    let services: BTreeSet<&Service> = first.databases.iter().map(|id| &id.service).collect();
    let split = groups[1..].iter().flat_map(|group| &group.databases).any(|id| services.contains(&id.service));
    let (from, to) = first.series.first().zip(second.series.first())?;
    let only = brief.only(&services.into_iter().collect::<Vec<_>>());
    (!split).then(|| {
        format!(
            "bring the ones behind up first: `leapfrog --from {from} --to {to}{only}`; then run the same command again"
        )
    })
}
