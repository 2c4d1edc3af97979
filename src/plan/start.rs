//! Where a leap starts: what `--from` says against what the databases show.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Brief;
use super::refusal::{Refusal, RefusalKind, Refused};
use crate::catalog::Release;
use crate::model::{DatabaseId, Heads, ObservedDatabase, Schema, Series};

/// Where to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At this series, if the databases stand there.
    At(Series),
    /// Where the databases stand.
    Auto,
}

/// What a database's heads say.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// After all migrations of these releases, which have the same heads.
    At(BTreeSet<Series>),
    /// Between releases: which heads belong to which.
    Between(String),
    /// sqlalchemy-migrate's numbers only: before the releases that are known.
    Legacy,
    /// A head that no release has.
    Foreign,
    /// No version stored.
    None,
}

/// Checks `--from` against the databases, or finds it. Returns it with the reasons for it.
pub(super) fn check(brief: &Brief<'_>) -> Result<(Series, Vec<String>), Refused> {
    let mut refusals = Vec::new();
    let mut places: BTreeMap<&DatabaseId, (&ObservedDatabase, Place)> = BTreeMap::new();
    for id in brief.databases.keys() {
        match brief.observation.databases.get(id) {
            Some(Ok(seen)) => {
                places.insert(id, (seen, place(brief, id, &seen.heads)));
            }
            Some(Err(unreachable)) => refusals.push(Refusal {
                kind: RefusalKind::Unreachable,
                database: Some(id.clone()),
                what: format!("database {id} cannot be read"),
                found: Some(unreachable.reason.clone()),
                expected: None,
                next: unreachable.advice.clone(),
            }),
            None => {}
        }
    }
    let common = common(&places);
    let from = match &brief.from {
        Start::At(series) => series.clone(),
        Start::Auto => match common.first() {
            Some(first) => first.clone(),
            // Nothing to compare with: every database explains itself, or they contradict each other.
            None => {
                for (id, (seen, place)) in &places {
                    refusals.extend(refuse(brief, id, seen, place, None, &common));
                }
                if refusals.is_empty() {
                    refusals.push(mixed(brief, &places));
                }
                return Err(Refused(refusals));
            }
        },
    };
    for (id, (seen, place)) in &places {
        refusals.extend(refuse(brief, id, seen, place, Some(&from), &common));
    }
    if !refusals.is_empty() {
        return Err(Refused(refusals));
    }
    let others: Vec<&str> = common.iter().filter(|series| **series != from).map(Series::as_str).collect();
    let mut reasons = vec![format!(
        "{} database{} show{} the heads of {from}",
        places.len(),
        if places.len() == 1 { "" } else { "s" },
        if places.len() == 1 { "s" } else { "" }
    )];
    if !others.is_empty() {
        let chosen =
            if brief.from == Start::Auto { "the earliest is where data may be unfinished" } else { "as asked" };
        reasons.push(format!("the same heads belong to {}, too; {from} was taken: {chosen}", others.join(", ")));
    }
    Ok((from, reasons))
}

/// The series that every database may stand at.
fn common(places: &BTreeMap<&DatabaseId, (&ObservedDatabase, Place)>) -> BTreeSet<Series> {
    let mut sets = places.values().map(|(_, place)| match place {
        Place::At(series) => series.clone(),
        _ => BTreeSet::new(),
    });
    let first = sets.next().unwrap_or_default();
    sets.fold(first, |common, set| common.intersection(&set).cloned().collect())
}

fn schema<'a>(brief: &Brief<'a>, id: &DatabaseId) -> Option<&'a Schema> {
    let playbook = brief.playbooks.iter().find(|playbook| playbook.service == id.service)?;
    playbook.databases.iter().find(|slot| slot.slot == id.slot).map(|slot| &slot.schema)
}

fn heads_of<'a>(release: &'a Release, id: &DatabaseId, schema: &Schema) -> Option<&'a Heads> {
    release.services.get(&id.service)?.heads.get(schema)
}

fn place(brief: &Brief<'_>, id: &DatabaseId, found: &Heads) -> Place {
    let Some(schema) = schema(brief, id) else { return Place::Foreign };
    if found.is_empty() {
        return Place::None;
    }
    let known: Vec<(&Series, &Heads)> =
        brief.releases.iter().filter_map(|r| Some((&r.series, heads_of(r, id, schema)?))).collect();
    let at: BTreeSet<Series> =
        known.iter().filter(|(_, heads)| found.stand_at(heads)).map(|(series, _)| (*series).clone()).collect();
    if !at.is_empty() {
        return Place::At(at);
    }
    if found.alembic.is_empty() {
        return Place::Legacy;
    }
    let mut parts = Vec::new();
    for head in &found.alembic {
        let of: Vec<&str> =
            known.iter().filter(|(_, heads)| heads.alembic.contains(head)).map(|(series, _)| series.as_str()).collect();
        match of[..] {
            [] => return Place::Foreign,
            [one] => parts.push(format!("{head} is of {one}")),
            [first, .., last] => parts.push(format!("{head} is of {first} to {last}")),
        }
    }
    Place::Between(parts.join(", "))
}

/// The refusal that a database is worth, if any. Without `from`, only what is wrong whatever it is.
fn refuse(
    brief: &Brief<'_>,
    id: &DatabaseId,
    seen: &ObservedDatabase,
    place: &Place,
    from: Option<&Series>,
    common: &BTreeSet<Series>,
) -> Option<Refusal> {
    let to = &brief.to;
    let options = &brief.options;
    let release = from.and_then(|from| brief.releases.iter().find(|release| release.series == *from));
    let expected = release.zip(schema(brief, id)).and_then(|(release, schema)| heads_of(release, id, schema));
    let expected_text = from.zip(expected).map(|(from, heads)| format!("{heads} ({from})"));
    let refusal = |kind, what: String, found: String, next: String| {
        Some(Refusal {
            kind,
            database: Some(id.clone()),
            what,
            found: Some(found),
            expected: expected_text.clone(),
            next,
        })
    };
    let elsewhere = match common.first() {
        Some(series) if series <= to => format!("run `leapfrog --from {series} --to {to}{options}`"),
        Some(_) => {
            format!("nothing is left to do on the way to {to}; `leapfrog detect{options}` shows where they stand")
        }
        None => format!("`leapfrog detect{options}` shows where every database stands"),
    };
    match (place, from) {
        (Place::At(series), Some(from)) if !series.contains(from) => {
            let at = interval(series);
            let found = format!("{} ({at})", seen.heads);
            let behind = series.iter().all(|series| series < from);
            if behind {
                let first = series.first().unwrap_or(from);
                let next = if common.is_empty() {
                    let only = &id.service;
                    format!("bring it up first: `leapfrog --from {first} --to {from} --only {only}{options}`")
                } else {
                    elsewhere
                };
                refusal(RefusalKind::Behind, format!("database {id} is behind {from}: it stands at {at}"), found, next)
            } else {
                refusal(
                    RefusalKind::Ahead,
                    format!("database {id} is ahead of {from}: it stands at {at}"),
                    found,
                    elsewhere,
                )
            }
        }
        (Place::At(_), _) => None,
        (Place::Between(parts), _) => refusal(
            RefusalKind::HalfDone,
            format!("database {id} stands between releases: a migration was begun and not finished"),
            format!("{} ({parts})", seen.heads),
            format!(
                "finish it with the release that began it (its `{}` commands for all phases), or restore a copy from \
                 before; then `leapfrog detect{options}`",
                id.service
            ),
        ),
        (Place::Legacy, _) => refusal(
            RefusalKind::Behind,
            format!("database {id} is older than every release of this catalogue: it is not under alembic"),
            seen.heads.to_string(),
            format!(
                "bring it to {} with that release's own tools first; every path from older releases leads through it",
                brief.releases.first().map_or("the first release", |release| release.series.as_str())
            ),
        ),
        (Place::Foreign, _) => refusal(
            RefusalKind::Foreign,
            format!("database {id} has a head that no release of this catalogue has"),
            seen.heads.to_string(),
            "check that the URL leads to this service's database; it may be newer than this leapfrog knows, between \
             two releases, or a vendor's: `leapfrog releases` lists what is known"
                .to_owned(),
        ),
        (Place::None, _) if seen.tables == 0 => refusal(
            RefusalKind::Empty,
            format!("database {id} is empty: there is nothing to step through releases"),
            "no tables".to_owned(),
            "check the URL in the cloud file; a service that is not deployed is left out of it".to_owned(),
        ),
        (Place::None, _) => refusal(
            RefusalKind::NotVersioned,
            format!("database {id} has tables and no schema version"),
            format!("{} tables, no row in alembic_version or migrate_version", seen.tables),
            format!("check that the URL leads to the database of {}", id.service),
        ),
    }
}

fn mixed(brief: &Brief<'_>, places: &BTreeMap<&DatabaseId, (&ObservedDatabase, Place)>) -> Refusal {
    let stands = places.iter().filter_map(|(id, (_, place))| match place {
        Place::At(series) => Some(format!("{id} at {}", interval(series))),
        _ => None,
    });
    Refusal {
        kind: RefusalKind::Mixed,
        database: None,
        what: "the databases stand at different releases, so no one release is where they start".to_owned(),
        found: Some(stands.collect::<Vec<_>>().join(", ")),
        expected: Some("one release that fits them all".to_owned()),
        next: format!(
            "bring the ones behind up first, with `leapfrog --from THEIRS --to THE_OTHERS --only SERVICE{}`",
            brief.options
        ),
    }
}

/// `2023.1`, or `2024.1 to 2025.1` where several releases have the same heads.
fn interval(series: &BTreeSet<Series>) -> String {
    match (series.first(), series.last()) {
        (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
        (Some(first), _) => first.to_string(),
        _ => "no release".to_owned(),
    }
}
