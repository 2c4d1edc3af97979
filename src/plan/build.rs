//! From documents and observations to a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{
    Action, CommandRun, DataMigration, Hop, Lane, OptionValue, Plan, ReleaseChecks, Standing, Step, StepConfiguration,
    Verification,
};
use super::refusal::{Refusal, RefusalKind, Refused};
use super::save;
use super::schema;
use super::start::{self, Start};
use crate::catalog::{ConfigurationFile, Playbook, PlaybookStep, Release};
use crate::model::{
    ConnectionUrl, DatabaseId, Effect, Heads, ImageReference, Observation, Phase, Points, Series, Service, Slot, StepId,
};

/// The name of the step that compares heads at the end of every lane.
const VERIFY: &str = "verify-heads";

/// Everything a plan is made of.
pub struct Brief<'a> {
    /// The cloud's name.
    pub cloud: &'a str,
    /// Every release of the catalogue, oldest first.
    pub releases: Vec<&'a Release>,
    /// The playbooks of the services that take part.
    pub playbooks: Vec<&'a Playbook>,
    /// The databases that take part, with their URLs.
    pub databases: BTreeMap<DatabaseId, ConnectionUrl>,
    /// Which image holds a service's code of a release.
    pub image: &'a dyn Fn(&Service, &Release) -> ImageReference,
    /// What was seen.
    pub observation: &'a Observation,
    /// Services whose stored URLs the operator vouches for.
    pub trusted: BTreeSet<Service>,
    /// Where to start: a series, or where the databases stand.
    pub from: Start,
    /// Where to end.
    pub to: Series,
    /// Whether every service of the cloud file takes part.
    pub whole: bool,
    /// Whether schema migrations are run even where nothing is to do.
    pub no_skip: bool,
    /// Which restore points are taken.
    pub points: Points,
    /// How a command line continues that means the same files, for advice: ` --config …`.
    pub options: String,
}

impl Brief<'_> {
    /// How a command line continues that asks for the same services and files.
    pub(super) fn same(&self) -> String {
        if self.whole {
            return self.options.clone();
        }
        let services: Vec<&Service> = self.playbooks.iter().map(|playbook| &playbook.service).collect();
        self.only(&services)
    }

    /// How a command line continues that asks for these services.
    pub(super) fn only(&self, services: &[&Service]) -> String {
        let names: Vec<&str> = services.iter().map(|service| service.as_str()).collect();
        format!(" --only {}{}", names.join(","), self.options)
    }
}

/// Makes the plan.
///
/// # Errors
/// Every reason not to begin that can be seen before anything is touched.
pub fn build(brief: &Brief<'_>) -> Result<Plan, Refused> {
    let (from, mut reasons) = start::check(brief)?;
    let path: Vec<&Release> =
        brief.releases.iter().copied().filter(|r| from <= r.series && r.series <= brief.to).collect();
    let mut refusals = stored_urls(brief);
    refusals.extend(unreadable_urls(brief, &path));
    refusals.extend(unsupported_engines(brief, &path));
    if !refusals.is_empty() {
        return Err(Refused(refusals));
    }
    if path.len() > 1 {
        reasons.push(format!(
            "no release is skipped: {} each do their part with their own code",
            and(&path.iter().map(|release| release.series.as_str()).collect::<Vec<_>>())
        ));
    }
    if brief.no_skip {
        reasons.push("no step is skipped: every schema migration is run, even where nothing is to do".to_owned());
    }
    reasons.extend(save::reason(brief.points.policy));
    let mut heads: BTreeMap<DatabaseId, Heads> = observed_heads(brief);
    let mut hops = Vec::new();
    for (index, release) in path.iter().enumerate() {
        let next = path.get(index + 1);
        let lanes = brief.playbooks.iter().map(|playbook| {
            let mut lane = lane(brief, release, playbook, &mut heads);
            lane.steps.extend(next.iter().flat_map(|next| checks_of(brief, next, playbook, release)));
            if brief.points.before(index) {
                save::before(&mut lane, &release.series, brief.points.proof);
            }
            lane
        });
        let lanes = lanes.collect();
        let last = index + 1 == path.len();
        let reason = match (index, last) {
            (0, true) => "the databases stand here; its data migrations are run until done",
            (0, false) => "the databases stand here; its data migrations must be complete before the next release",
            (_, true) => "the target",
            (_, false) => "its fixes and its data migrations come before the next release's schema",
        };
        let notes = release.notes.iter().filter(|_| index > 0).filter(|note| {
            note.service.as_ref().is_none_or(|service| brief.playbooks.iter().any(|book| book.service == *service))
        });
        let notes = notes.map(|note| match &note.service {
            Some(service) => format!("{service}: {}", note.text.trim()),
            None => note.text.trim().to_owned(),
        });
        hops.push(Hop { series: release.series.clone(), reason: reason.to_owned(), notes: notes.collect(), lanes });
    }
    Ok(Plan { format: Plan::FORMAT, cloud: brief.cloud.to_owned(), from, to: brief.to.clone(), reasons, hops })
}

fn observed_heads(brief: &Brief<'_>) -> BTreeMap<DatabaseId, Heads> {
    let seen = brief.observation.databases.iter();
    seen.filter_map(|(id, seen)| seen.as_ref().ok().map(|seen| (id.clone(), seen.heads.clone()))).collect()
}

/// The databases of a service's slot that take part, in order.
pub(super) fn databases_in<'b>(
    brief: &'b Brief<'_>,
    service: &Service,
    slot: &Slot,
) -> impl Iterator<Item = &'b DatabaseId> {
    brief.databases.keys().filter(move |id| id.service == *service && id.slot == *slot)
}

/// A release's own checks of a service, as steps of the hop of `at`.
pub(super) fn checks_of(brief: &Brief<'_>, release: &Release, playbook: &Playbook, at: &Release) -> Vec<Step> {
    let mut steps = Vec::new();
    for step in playbook.steps.iter().filter(|step| matches!(step, PlaybookStep::Check(_))) {
        expand(brief, release, playbook, step, &mut steps);
    }
    for step in &mut steps {
        // They are asked once all else of the hop is done: they end it, or the leap.
        step.id.series = at.series.clone();
        step.phase = Phase::Verify;
    }
    steps
}

/// One service's part of a hop; `heads` becomes what it reaches.
pub(super) fn lane(
    brief: &Brief<'_>,
    release: &Release,
    playbook: &Playbook,
    heads: &mut BTreeMap<DatabaseId, Heads>,
) -> Lane {
    let service = &playbook.service;
    let mut standing = BTreeMap::new();
    let mut reached = BTreeMap::new();
    for slot in &playbook.databases {
        let target = release.services.get(service).and_then(|entry| entry.heads.get(&slot.schema));
        let Some(target) = target else { continue };
        for id in databases_in(brief, service, &slot.slot) {
            let before = heads.insert(id.clone(), target.clone()).unwrap_or_default();
            let now = if before.stand_at(target) {
                Standing::AtHeads { heads: target.clone() }
            } else {
                Standing::Moves { from: before, to: target.clone() }
            };
            standing.insert(id.clone(), now);
            reached.insert(id.clone(), target.clone());
        }
    }
    let mut steps = Vec::new();
    for step in playbook.steps.iter().filter(|step| !matches!(step, PlaybookStep::Check(_))) {
        expand(brief, release, playbook, step, &mut steps);
    }
    schema::prove_all_at_last(&mut steps);
    if let Ok(name) = VERIFY.parse() {
        steps.push(Step {
            id: StepId { series: release.series.clone(), service: service.clone(), name, target: None },
            phase: Phase::Verify,
            why: format!("exit codes are claims: the databases themselves must show {}'s heads", release.series),
            effect: Effect::ReadOnly,
            beside: false,
            action: Action::Verify(Verification { heads: reached }),
        });
    }
    Lane { service: service.clone(), image: (brief.image)(service, release), package: None, standing, steps }
}

/// Adds the steps that one step of a playbook stands for in a release.
fn expand(brief: &Brief<'_>, release: &Release, playbook: &Playbook, step: &PlaybookStep, steps: &mut Vec<Step>) {
    let series = &release.series;
    let service = &playbook.service;
    let own: Vec<&DatabaseId> =
        playbook.databases.iter().flat_map(|slot| databases_in(brief, service, &slot.slot)).collect();
    let targets: Vec<Option<&DatabaseId>> = if step.for_each().is_empty() {
        vec![None]
    } else {
        step.for_each().iter().flat_map(|slot| databases_in(brief, service, slot)).map(Some).collect()
    };
    for target in targets {
        let Some((configuration, database)) = playbook.configuration(series).zip(target.or(own.first().copied()))
        else {
            continue;
        };
        let engine = brief.databases.get(database).map(ConnectionUrl::engine);
        if !engine.is_some_and(|engine| step.applies(series, engine)) {
            continue;
        }
        let configuration = configure(brief, service, configuration, target);
        let action = match step {
            PlaybookStep::Run(run) => Action::Run(Box::new(CommandRun {
                command: run.command.clone(),
                exits: run.exits.clone(),
                failure_texts: run.failure_texts.clone(),
                configuration,
                schema: schema::schema_move(brief, release, playbook, run, target),
            })),
            PlaybookStep::Drain(drain) => Action::Drain(Box::new(DataMigration {
                command: drain.command.clone(),
                count: drain.count,
                exits: drain.exits.clone(),
                failure_texts: drain.failure_texts.clone(),
                output: drain.output,
                database: database.clone(),
                residues: drain.residues.iter().filter(|r| r.series.contains(series)).cloned().collect(),
                alone_while: schema::alone_while(brief, release, service, drain),
                remainders: drain.remainders.iter().filter(|r| r.series.contains(series)).cloned().collect(),
                configuration,
            })),
            PlaybookStep::Check(check) => Action::Check(Box::new(ReleaseChecks {
                release: series.clone(),
                image: (brief.image)(service, release),
                command: check.command.clone(),
                output: check.output,
                allow: check.allow.iter().filter(|a| a.series.contains(series)).cloned().collect(),
                database: database.clone(),
                configuration,
            })),
        };
        let id = StepId {
            series: series.clone(),
            service: service.clone(),
            name: step.name().clone(),
            target: target.map(|id| id.member.clone().unwrap_or_else(|| id.slot.clone())),
        };
        let beside = step.side_by_side() && steps.last().is_some_and(|last| last.id.name == id.name);
        let why = step.why().to_owned();
        steps.push(Step { id, phase: step.phase(), why, effect: step.effect(), beside, action });
    }
}

/// The configuration file for a step about `target`.
fn configure(
    brief: &Brief<'_>,
    service: &Service,
    file: &ConfigurationFile,
    target: Option<&DatabaseId>,
) -> StepConfiguration {
    let mut options: BTreeMap<String, BTreeMap<String, OptionValue>> = BTreeMap::new();
    for option in &file.options {
        let own = target.filter(|target| option.url_of.contains(&target.slot));
        let only = || match &option.url_of[..] {
            [slot] => {
                let mut databases = databases_in(brief, service, slot);
                databases.next().filter(|id| id.member.is_none())
            }
            _ => None,
        };
        let value = match &option.value {
            Some(value) => Some(OptionValue::Text(value.clone())),
            None => own.or_else(only).cloned().map(OptionValue::UrlOf),
        };
        if let Some(value) = value {
            options.entry(option.group.clone()).or_default().insert(option.option.clone(), value);
        }
    }
    StepConfiguration { path: file.path.clone(), options }
}

/// URLs that some release on the way cannot read.
fn unreadable_urls(brief: &Brief<'_>, path: &[&Release]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for playbook in &brief.playbooks {
        let affected = path.iter().find_map(|release| {
            let file = playbook.configuration(&release.series)?;
            file.refuses_percent.as_ref().map(|why| (release, why))
        });
        let Some((release, why)) = affected else { continue };
        for (id, url) in brief.databases.iter().filter(|(id, _)| id.service == playbook.service) {
            if url.has_percent_sign() {
                refusals.push(Refusal {
                    kind: RefusalKind::UnreadableUrl,
                    database: Some(id.clone()),
                    what: format!("{} {} cannot read the URL of database {id}: {why}", id.service, release.series),
                    found: Some("a user or password with characters that are escaped with % in a URL".to_owned()),
                    expected: Some("letters, digits and - . _ ~ only".to_owned()),
                    next: format!(
                        "make a database user for the leap whose name and password need no escaping, with all rights \
                         on this database; name it in the cloud file under {}, and run the same command again",
                        id.service
                    ),
                });
            }
        }
    }
    refusals
}

/// Databases whose engine some release on the way has no steps for.
fn unsupported_engines(brief: &Brief<'_>, path: &[&Release]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for playbook in &brief.playbooks {
        for (id, url) in brief.databases.iter().filter(|(id, _)| id.service == playbook.service) {
            let engine = url.engine();
            let supports = |release: &Release| playbook.supports(&release.series, engine);
            let Some(stop) = path.iter().position(|release| !supports(release)) else { continue };
            let next = match stop.checked_sub(1).and_then(|last| path.get(last)) {
                Some(last) => format!(
                    "the last release that works on it is {}: `leapfrog --from {} --to {}{}`; then move {} to an engine \
                     that {} supports",
                    last.series,
                    path[0].series,
                    last.series,
                    brief.same(),
                    id.service,
                    path[stop].series
                ),
                None => format!(
                    "move {} to an engine that it supports: `leapfrog playbooks show {}`",
                    id.service, id.service
                ),
            };
            refusals.push(Refusal {
                kind: RefusalKind::Engine,
                database: Some(id.clone()),
                what: format!(
                    "{} {} does not support {engine}, the engine of database {id}",
                    id.service, path[stop].series
                ),
                found: Some(engine.to_string()),
                expected: None,
                next,
            });
        }
    }
    refusals
}

/// Stored URLs that lead elsewhere, and databases that none leads to.
pub(super) fn stored_urls(brief: &Brief<'_>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for playbook in brief.playbooks.iter().filter(|playbook| !brief.trusted.contains(&playbook.service)) {
        for check in &playbook.checks {
            let crate::catalog::PlaybookCheck::StoredUrls(check) = check;
            let service = &playbook.service;
            let Some(owner) = databases_in(brief, service, &check.database).next() else { continue };
            let stored = match brief.observation.stored_urls.get(owner) {
                Some(Ok(stored)) => stored,
                Some(Err(unreachable)) => {
                    refusals.push(Refusal {
                        kind: RefusalKind::StoredUrl,
                        database: Some(owner.clone()),
                        what: format!("{} could not be looked at in {owner}: {}", check.name, unreachable.reason),
                        found: None,
                        expected: None,
                        next: unreachable.advice.clone(),
                    });
                    continue;
                }
                None => continue,
            };
            let expected: BTreeSet<&DatabaseId> =
                check.lead_to.iter().flat_map(|slot| databases_in(brief, service, slot)).collect();
            let refusal = |what: String, found: String| Refusal {
                kind: RefusalKind::StoredUrl,
                database: Some(owner.clone()),
                what: format!("{what}. {}", check.why.trim()),
                found: Some(found),
                expected: Some(expected.iter().map(|id| id.to_string()).collect::<Vec<_>>().join(", ")),
                next: check.mend.trim().to_owned(),
            };
            let strays = stored.iter().filter(|url| !url.database.as_ref().is_some_and(|id| expected.contains(id)));
            let strays: Vec<String> = strays.map(|url| format!("{} leads to {}", url.name, url.leads_to)).collect();
            let missing: Vec<&DatabaseId> = expected
                .iter()
                .copied()
                .filter(|id| !stored.iter().any(|url| url.database.as_ref() == Some(*id)))
                .collect();
            if !strays.is_empty() {
                let what = format!("{owner} sends the service's commands to a database outside the cloud file");
                refusals.push(refusal(what, strays.join(", ")));
            }
            // Each stray explains one that is missing.
            if missing.len() > strays.len() {
                let names: Vec<String> = missing.iter().map(|id| id.to_string()).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let what = format!("{owner} does not lead to {}, which the cloud file names", and(&names));
                let found: Vec<String> =
                    stored.iter().map(|url| format!("{} leads to {}", url.name, url.leads_to)).collect();
                let found = if found.is_empty() { "no stored URL at all".to_owned() } else { found.join(", ") };
                refusals.push(refusal(what, found));
            }
        }
    }
    refusals
}

/// `a, b and c`.
pub(super) fn and(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
