//! Every reason why an image is not the one that its hop needs.

use std::collections::{BTreeMap, BTreeSet};

use super::{Expected, Held, HeldImage, tree};
use crate::catalog::Release;
use crate::migrations::{SchemaFacts, ServiceFacts, Tree};
use crate::model::{DatabaseId, Heads, Schema, Series, Service};
use crate::plan::build::and;
use crate::plan::detect::interval;
use crate::plan::document::{Action, Hop, Lane, Plan, Standing};
use crate::plan::refusal::{Refusal, RefusalKind};

/// How many scripts or revisions are named.
const NAMED: usize = 5;

/// Holds the images against what the plan expects of them. Returns what deserves a second look.
///
/// # Errors
/// Every reason not to begin, each with what was found, what was expected, and what to do.
pub fn check(plan: &Plan, held: &Held, expected: Expected<'_>) -> Result<Vec<String>, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let mut notices = Vec::new();
    for (number, hop) in plan.hops.iter().enumerate() {
        let Some(release) = expected.release(&hop.series) else { continue };
        for lane in &hop.lanes {
            let Some(image) = held.image(&hop.series, &lane.image) else { continue };
            let Some(facts) = image.facts.services.get(&lane.service) else { continue };
            let judge = Judge { plan, number, hop, lane, release, image, facts, expected };
            let found = judge.refusals();
            if found.is_empty() && facts.package.is_none() {
                notices.push(format!(
                    "{}: which version of {} it holds could not be told; its migrations are {}'s",
                    lane.image, lane.service, hop.series
                ));
            }
            refusals.extend(found);
        }
    }
    if refusals.is_empty() { Ok(notices) } else { Err(refusals) }
}

/// One service in the image of one hop.
struct Judge<'a> {
    plan: &'a Plan,
    /// Which hop it is, from 0.
    number: usize,
    hop: &'a Hop,
    lane: &'a Lane,
    release: &'a Release,
    image: &'a HeldImage,
    facts: &'a ServiceFacts,
    expected: Expected<'a>,
}

impl Judge<'_> {
    fn refusals(&self) -> Vec<Refusal> {
        if self.facts.place.is_none() {
            return vec![self.refusal(
                format!("the Python packages of {} were not found in it", self.lane.service),
                None,
                Some(format!("a program of {} whose first line leads to its interpreter", self.lane.service)),
                "see what the image is built of; if its commands are right, `read_images: false` under `runner.containers` in the \
                 cloud file takes images unread"
                    .to_owned(),
            )];
        }
        let mut refusals: Vec<Refusal> =
            self.facts.schemas.iter().filter_map(|(schema, facts)| self.scripts(schema, facts)).collect();
        if refusals.is_empty() {
            refusals.extend(self.version());
            refusals.extend(self.lane.standing.iter().filter_map(|(id, standing)| self.start(id, standing)));
        }
        refusals.extend(self.options());
        refusals
    }

    /// A refusal about this image: `what` continues the sentence that names it.
    fn refusal(&self, what: String, found: Option<String>, expected: Option<String>, next: String) -> Refusal {
        let what = format!("{} {} ({}): {what}", self.lane.image.noun(), self.lane.image, self.image.digest.short());
        Refusal { kind: RefusalKind::Image, database: None, what, found, expected, next }
    }

    /// The heads that the release file names.
    fn heads(&self, schema: &Schema) -> Option<&BTreeSet<String>> {
        let heads = &self.release.services.get(&self.lane.service)?.heads.get(schema)?.alembic;
        (!heads.is_empty()).then_some(heads)
    }

    /// The releases whose heads are `heads`.
    fn releases_at(&self, schema: &Schema, heads: &BTreeSet<String>) -> Vec<Series> {
        let at = self.expected.releases.iter().filter(|release| {
            let known = release.services.get(&self.lane.service).and_then(|service| service.heads.get(schema));
            known.is_some_and(|known| known.alembic == *heads)
        });
        at.map(|release| release.series.clone()).collect()
    }

    fn interval(&self, series: &[Series]) -> String {
        let known: Vec<Series> = self.expected.releases.iter().map(|release| release.series.clone()).collect();
        interval(series, &known)
    }

    /// The scripts of one schema against the release file.
    fn scripts(&self, schema: &Schema, facts: &SchemaFacts) -> Option<Refusal> {
        let (service, series) = (&self.lane.service, &self.hop.series);
        let tree = match facts {
            SchemaFacts::Read(tree) => tree,
            SchemaFacts::NotFound { directory } => {
                return Some(self.refusal(
                    format!("the migration scripts of {schema} are not where {service} {series} has them"),
                    Some(format!("no {directory} in {}", self.facts.place.as_deref().unwrap_or("it"))),
                    None,
                    format!(
                        "see whether the image holds {service} at all; if it is built otherwise, say where the scripts \
                         are in a copy of playbooks/{service}.yaml (`databases`, `scripts`) and pass its directory with \
                         --catalog"
                    ),
                ));
            }
            SchemaFacts::Misread { directory, scripts } => {
                let named: Vec<String> = scripts
                    .iter()
                    .take(NAMED)
                    .map(|script| match script.file.as_str() {
                        "" => script.why.clone(),
                        file => format!("{file}: {}", script.why),
                    })
                    .collect();
                return Some(self.refusal(
                    format!(
                        "migration scripts of {schema} in {directory} are not understood, so nobody knows what they \
                         would do"
                    ),
                    Some(some(&named, scripts.len(), "; ")),
                    None,
                    format!(
                        "see who put these scripts into the image; use one with {service} {series} as it was released, \
                         or take it unread with `read_images: false` under `runner.containers` in the cloud file"
                    ),
                ));
            }
        };
        let expected = self.heads(schema)?;
        let heads = tree.heads();
        (heads != *expected).then(|| self.other_heads(schema, tree, &heads, expected))
    }

    /// The image takes a database elsewhere than the release file says.
    fn other_heads(
        &self,
        schema: &Schema,
        tree: &Tree,
        heads: &BTreeSet<String>,
        expected: &BTreeSet<String>,
    ) -> Refusal {
        let (service, series) = (&self.lane.service, &self.hop.series);
        let found = format!("{} ({schema})", joined(heads));
        let wanted = Some(format!("{} ({series})", joined(expected)));
        let right = if self.lane.image.is_environment() {
            format!("name packages of {service} {series} under `environment` in its release file (`--catalog`)")
        } else {
            format!(
                "name an image that holds {service} {series} under `images` in the cloud file, or have this one built again"
            )
        };
        let others = self.releases_at(schema, heads);
        if !others.is_empty() {
            let what = format!("it holds {service}'s migrations of {}, not of {series}", self.interval(&others));
            let version = self.facts.package.as_ref().map(|version| format!("; {service} {version}"));
            return self.refusal(what, Some(found + version.as_deref().unwrap_or_default()), wanted, right);
        }
        if tree.unknown(expected).is_empty() {
            let extra: Vec<String> =
                tree.pending(expected).iter().map(|revision| format!("{} in {}", revision.id, revision.file)).collect();
            let count = extra.len();
            let revisions = if count == 1 { "a revision".to_owned() } else { format!("{count} revisions") };
            return self.refusal(
                format!("it holds {revisions} of {schema} that {service} {series} does not have"),
                Some(some(&extra, count, ", ")),
                wanted,
                format!(
                    "if that is meant (a vendor's patch, a backport), put `{}` as the heads of {schema} into a copy of \
                     releases/{series}.yaml and pass its directory with --catalog; the releases after it must know \
                     them, too. Else {right}",
                    joined(heads)
                ),
            );
        }
        let whole = self.expected.releases.iter().rev().find(|release| {
            let known = release.services.get(service).and_then(|service| service.heads.get(schema));
            known.is_some_and(|known| !known.alembic.is_empty() && tree.unknown(&known.alembic).is_empty())
        });
        let holds = match whole {
            Some(whole) if whole.series < *series => {
                format!("it holds {service}'s migrations up to {} and some more, not those of {series}", whole.series)
            }
            _ => format!("it does not hold {service}'s migrations of {series}"),
        };
        let missing = tree.unknown(expected);
        self.refusal(format!("{holds}: {} is not among them", joined(&missing)), Some(found), wanted, right)
    }

    /// The package's version against those of the release.
    fn version(&self) -> Option<Refusal> {
        let service = &self.lane.service;
        let version = self.facts.package.as_ref()?;
        let own = release_of(version, service, self.expected.releases);
        if own.is_some_and(|own| own.series == self.release.series) {
            return None;
        }
        let facts = self.release.services.get(service)?;
        let belongs = own.map_or(String::new(), |own| format!(", which is {}'s", own.series));
        let series = &self.hop.series;
        let next = if self.lane.image.is_environment() {
            format!(
                "name packages of {service} {series} under `environment` in its release file (`--catalog`): its data \
                 migrations must be its own"
            )
        } else {
            format!(
                "name an image that holds {service} {series} under `images` in the cloud file: its data migrations must be \
                 its own"
            )
        };
        Some(self.refusal(
            format!("it holds {service} {version}{belongs}, though its migrations end where {}'s do", self.hop.series),
            Some(format!("{} {version}", facts.package)),
            Some(format!(
                "{} {} to {}, or a later fix of it",
                facts.package, facts.versions.first, facts.versions.last
            )),
            next,
        ))
    }

    /// Whether a database can be reached from where it stands.
    fn start(&self, id: &DatabaseId, standing: &Standing) -> Option<Refusal> {
        let from: &Heads = match standing {
            Standing::AtHeads { heads } => heads,
            Standing::Moves { from, .. } => from,
        };
        let schema = self.expected.schema(id)?;
        let unknown = tree(self.facts, schema)?.unknown(&from.alembic);
        if unknown.is_empty() {
            return None;
        }
        let (service, series) = (&self.lane.service, &self.hop.series);
        let known = tree(self.facts, schema)?.roots();
        let mut refusal = match self.number.checked_sub(1).and_then(|before| self.plan.hops.get(before)) {
            None => self.refusal(
                format!("it does not know where database {id} stands: the database is ahead of it, or another's"),
                Some(joined(&unknown)),
                Some(format!("a revision of {service} {series}")),
                format!(
                    "name an image that holds {service} {series} under `images`, or the database of {service} in the \
                     cloud file; `leapfrog detect{}` shows where every database stands",
                    self.expected.options
                ),
            ),
            Some(before) => self.refusal(
                format!(
                    "it does not know the heads that {} takes database {id} to: it cannot start from there",
                    before.series
                ),
                Some(format!("scripts that begin at {}", joined(&known))),
                Some(joined(&unknown)),
                format!(
                    "stop at {}: `leapfrog --from {} --to {}{}`; then find out which later release's scripts go on from \
                     there",
                    before.series, self.plan.from, before.series, self.expected.options
                ),
            ),
        };
        refusal.database = Some(id.clone());
        Some(refusal)
    }

    /// Options that the commands of the plan need and the code does not have.
    fn options(&self) -> Option<Refusal> {
        if self.facts.lacking.is_empty() {
            return None;
        }
        let lacking: Vec<String> =
            self.facts.lacking.iter().map(|option| format!("{} of `{}`", option.option, option.command)).collect();
        let files: BTreeSet<&str> = self.facts.lacking.iter().map(|option| option.file.as_str()).collect();
        let files: Vec<&str> = files.into_iter().collect();
        Some(self.refusal(
            format!("{} does not have every option that its commands are given", self.lane.service),
            Some(format!("no {} in {}", and(&lacking.iter().map(String::as_str).collect::<Vec<_>>()), files.join(", "))),
            None,
            format!(
                "name an image that holds {} {}; if this one spells it otherwise, say so in a copy of playbooks/{}.yaml \
                 and pass its directory with --catalog",
                self.lane.service, self.hop.series, self.lane.service
            ),
        ))
    }
}

/// The release that a version of a service belongs to: from its first version up to the next one's.
fn release_of<'r>(version: &str, service: &Service, releases: &[&'r Release]) -> Option<&'r Release> {
    let version = numbers(version);
    let of = |release: &&&Release| release.services.contains_key(service);
    let first = |release: &Release| release.services.get(service).map(|facts| numbers(&facts.versions.first));
    let found = releases.iter().filter(of).rfind(|release| first(release).is_some_and(|first| first <= version))?;
    let newest = releases.iter().rfind(of).is_some_and(|newest| newest.series == found.series);
    // Nothing is known after the newest release but that the next one has another first number. ironic has several in a
    // release: 36 to 39 in 2026.2.
    let last = found.services.get(service).map(|facts| numbers(&facts.versions.last));
    let after = newest && last.is_some_and(|last| last.first() < version.first());
    (!after).then_some(*found)
}

/// The numbers of a version, for comparison: `29.0.2` is later than `29.0.1` and earlier than `29.0.10`.
fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

fn joined(heads: &BTreeSet<String>) -> String {
    heads.iter().map(String::as_str).collect::<Vec<_>>().join(" + ")
}

/// The first of `all`, and how many more there are.
fn some(all: &[String], count: usize, between: &str) -> String {
    let named: Vec<&str> = all.iter().take(NAMED).map(String::as_str).collect();
    let more = count - named.len();
    format!("{}{}", named.join(between), if more == 0 { String::new() } else { format!("{between}and {more} more") })
}

/// Why an image is needed though a later release could take the databases further, by image: data migrations that
/// must be completed with its own code.
pub fn needed_for(plan: &Plan) -> BTreeMap<crate::model::ImageReference, String> {
    let mut needed = BTreeMap::new();
    for (hop, later) in plan.hops.iter().zip(plan.hops.iter().skip(1)) {
        for lane in &hop.lanes {
            if lane.steps.iter().any(|step| matches!(step.action, Action::Drain(_))) {
                let why = format!(
                    "{} {} must complete its data migrations with its own code before {}: its schema and the later \
                     releases rely on that",
                    lane.service, hop.series, later.series
                );
                needed.entry(lane.image.clone()).or_insert(why);
            }
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn a_version_belongs_to_a_release_whichever_of_its_first_numbers_it_has() {
        let catalog = Catalog::embedded().expect("sound");
        let releases: Vec<&Release> = catalog.releases().collect();
        let of = |service: &str, version: &str| {
            let service = service.parse().expect("a service");
            release_of(version, &service, &releases).map_or("none", |release| release.series.as_str())
        };
        for version in ["36.0.0", "38.2.1", "39.0.0", "39.1.7"] {
            assert_eq!(of("ironic", version), "2026.2", "{version}");
        }
        assert_eq!((of("ironic", "40.0.0"), of("ironic", "35.1.0")), ("none", "2026.1"));
        assert_eq!((of("nova", "34.0.9"), of("nova", "35.0.0")), ("2026.2", "none"));
    }
}
