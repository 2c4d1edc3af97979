//! From documents and observations to a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::configure::Template;
use super::document::{
    Action, CommandRun, DataMigration, Hop, Lane, Plan, ReleaseChecks, Standing, Step, Verification,
};
use super::part::{self, Part};
use super::path::{self, Path, Stops};
use super::refusal::Refused;
use super::shared::{Shared, Text};
use super::start::{self, Start};
use super::urls::{stored_urls, unreadable_urls};
use super::{backends, belongs, recorded, save, schema, trips};
use crate::catalog::{Exception, Note, Playbook, PlaybookStep, Release, Remainder, Residue};
use crate::model::{
    ConnectionUrl, DatabaseId, Effect, Heads, ImageReference, Observation, Phase, Points, Series, Service, Slot, StepId,
};

/// The name of the step that compares heads at the end of every lane.
const VERIFY: &str = "verify-heads";

/// Everything a plan is made of.
#[derive(Clone)]
pub struct Brief<'a> {
    /// The cloud's name.
    pub cloud: &'a str,
    /// Every release of the catalogue.
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
    /// At which releases to stop on the way.
    pub stops: Stops,
    /// Which part of the leap.
    pub part: Part,
    /// Whether every service of the cloud file takes part.
    pub whole: bool,
    /// Services of the cloud file that do not take part.
    pub others: BTreeSet<Service>,
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
    let services: Vec<&Service> = brief.playbooks.iter().map(|playbook| &playbook.service).collect();
    let way = |from: &Series| path::path(&brief.releases, &services, from, &brief.to, brief.stops);
    if let Start::At(from) = &brief.from {
        // Where the database of such a service stands, does not matter.
        let refusals = belongs::absent(brief, &way(from).releases);
        if !refusals.is_empty() {
            return Err(Refused(refusals));
        }
    }
    let (from, mut reasons) = start::check(brief)?;
    let Path { releases: path, reasons: why } = way(&from);
    let mut refusals = stored_urls(brief);
    refusals.extend(unreadable_urls(brief, &path));
    refusals.extend(belongs::absent(brief, &path));
    refusals.extend(belongs::splits(brief, &path));
    refusals.extend(backends::refusals(brief, &path));
    if !refusals.is_empty() {
        return Err(Refused(refusals));
    }
    reasons.extend(why);
    reasons.extend(untested(brief, &path));
    if brief.stops == Stops::Slurp {
        reasons.push("this project's tests stop at every release: none of them passes one over".to_owned());
    }
    if brief.no_skip {
        reasons.push("no step is skipped: every schema migration is run, even where nothing is to do".to_owned());
    }
    reasons.extend(save::reason(brief.points.policy));
    let mut heads: BTreeMap<DatabaseId, Heads> = observed_heads(brief);
    let mut hops = Vec::new();
    let mut playbooks = brief.playbooks.clone();
    playbooks.sort_by(|one, two| one.service.cmp(&two.service));
    for (index, release) in path.iter().enumerate() {
        let next = path.get(index + 1);
        let lanes = playbooks.iter().map(|playbook| {
            let mut lane = lane(brief, release, playbook, &mut heads);
            let passed = next.map(|next| path::between(&brief.releases, &release.series, &next.series));
            ask_for(&mut lane, playbook, &passed.unwrap_or_default());
            lane.steps.extend(next.iter().flat_map(|next| checks_of(brief, next, playbook, release)));
            if brief.points.before(index) {
                save::before(&mut lane, &release.series, brief.points.proof);
            }
            lane
        });
        let mut lanes: Vec<Lane> = lanes.collect();
        let last = index + 1 == path.len();
        if last && brief.part == Part::UntilMigrated {
            reasons.extend(part::before_contract(&release.series, &mut lanes, &brief.same()));
        }
        let reason = match (index, last) {
            (0, true) => "the databases stand here; its data migrations are run until done",
            (0, false) => "the databases stand here; its data migrations must be complete before the next release",
            (_, true) => "the target",
            (_, false) => "its fixes and its data migrations come before the next release's schema",
        };
        let before = index.checked_sub(1).map(|before| &path[before].series);
        let notes = before.map(|before| notes(brief, before, release)).unwrap_or_default();
        let changes = before.map(|before| changes(brief, before, release, &lanes)).unwrap_or_default();
        hops.push(Hop { series: release.series.clone(), reason: reason.to_owned(), notes, changes, lanes });
    }
    if matches!(brief.part, Part::Whole | Part::UntilMigrated) {
        recorded::ask_at_the_end(brief, &mut hops);
    }
    let (format, cloud, to, stops) = (Plan::FORMAT, brief.cloud.to_owned(), brief.to.clone(), brief.stops);
    Ok(Plan { format, cloud, from, to, stops, part: brief.part, reasons, hops })
}

/// What an operator should have read before a hop: the notes of its release, and of those passed over before it, whose
/// schema migrations it runs.
fn notes(brief: &Brief<'_>, before: &Series, release: &Release) -> Vec<String> {
    let takes_part = |note: &&Note| {
        note.service.as_ref().is_none_or(|service| brief.playbooks.iter().any(|book| book.service == *service))
    };
    let passed = path::between(&brief.releases, before, &release.series);
    let passed = passed.into_iter().flat_map(|passed| {
        passed.notes.iter().filter(takes_part).map(|note| format!("({} is passed over) {}", passed.series, note.told()))
    });
    passed.chain(release.notes.iter().filter(takes_part).map(Note::told)).collect()
}

/// What the schema migrations of a hop do that an operator should know of: what is told of its release, and of those
/// passed over before it, about services whose schemas move.
fn changes(brief: &Brief<'_>, before: &Series, release: &Release, lanes: &[Lane]) -> Vec<Exception> {
    let moves = |exception: &&Exception| {
        lanes.iter().any(|lane| {
            exception.service.as_ref() == Some(&lane.service)
                && lane.standing.values().any(|standing| matches!(standing, Standing::Moves { .. }))
        })
    };
    let passed = path::between(&brief.releases, before, &release.series);
    let all = passed.into_iter().chain([release]).flat_map(|release| &release.exceptions);
    all.filter(moves).cloned().collect()
}

/// Adds to a lane what nobody will ask in the releases that are passed over after it: rows that no command moves, and
/// that the schema after them cannot hold.
fn ask_for(lane: &mut Lane, playbook: &Playbook, passed: &[&Release]) {
    if passed.is_empty() {
        return;
    }
    for step in &mut lane.steps {
        let Action::Drain(migration) = &mut step.action else { continue };
        let drains = playbook.steps.iter().filter_map(|other| match other {
            PlaybookStep::Drain(drain) if drain.name == step.id.name => Some(drain),
            _ => None,
        });
        let stays = drains.flat_map(|drain| &drain.remainders).filter(|remainder| {
            !remainder.moved && passed.iter().any(|release| remainder.series.contains(&release.series))
        });
        for remainder in stays {
            if !migration.remainders.contains(remainder) {
                migration.remainders.push(remainder.clone());
            }
        }
    }
}

/// Which releases on the way this project's tests do not run for every service.
fn untested(brief: &Brief<'_>, path: &[&Release]) -> Option<String> {
    let series = path.iter().map(|release| &release.series);
    let untested = |series: &Series| brief.playbooks.iter().any(|book| !book.knowledge(series).is_tested());
    let series: Vec<&Series> = series.collect();
    let runs = series.chunk_by(|one, two| untested(one) == untested(two)).filter(|run| untested(run[0]));
    let runs: Vec<String> = runs
        .map(|run| match run {
            [one] => one.to_string(),
            [first, .., last] => format!("{first} … {last}"),
            [] => String::new(),
        })
        .collect();
    (!runs.is_empty()).then(|| {
        format!(
            "this project's tests do not run all of {}: the hops say what is known from elsewhere, or was only read; \
             rehearse the leap on a copy",
            and(&runs.iter().map(String::as_str).collect::<Vec<_>>())
        )
    })
}

pub(super) fn observed_heads(brief: &Brief<'_>) -> BTreeMap<DatabaseId, Heads> {
    let seen = brief.observation.databases.iter();
    seen.filter_map(|(id, seen)| seen.as_ref().ok().map(|seen| (id.clone(), seen.heads.clone()))).collect()
}

/// The databases of a service's slot that take part, in order.
pub(super) fn databases_in<'b>(
    brief: &'b Brief<'_>,
    service: &Service,
    slot: &Slot,
) -> impl Iterator<Item = &'b DatabaseId> {
    // In order, those of a slot follow each other, and the one without a name is the first.
    let first = DatabaseId { service: service.clone(), slot: slot.clone(), member: None };
    let rest = brief.databases.range(first..).map(|(id, _)| id);
    rest.take_while(move |id| id.service == *service && id.slot == *slot)
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
    let mut common_rows = Vec::new();
    let taken = brief.part.takes(&release.series, &brief.to);
    let here =
        |step: &&PlaybookStep| !matches!(step, PlaybookStep::Check(_)) && step.taken().is_none_or(|only| only == taken);
    for step in playbook.steps.iter().filter(here) {
        let before = steps.len();
        expand(brief, release, playbook, step, &mut steps);
        if let PlaybookStep::Drain(drain) = step
            && steps.len() > before
        {
            common_rows.extend(schema::common_rows(brief, release, service, drain));
        }
    }
    schema::prove_all_at_last(playbook, &mut steps);
    trips::settle(&mut steps);
    if let Ok(name) = VERIFY.parse() {
        steps.push(Step {
            id: StepId { series: release.series.clone(), service: service.clone(), name, target: None },
            phase: Phase::Verify,
            why: format!("exit codes are claims: the databases themselves must show {}'s heads", release.series).into(),
            effect: Effect::ReadOnly,
            beside: false,
            action: Action::Verify(Verification { heads: reached, services: Vec::new() }),
        });
    }
    let (image, known) = ((brief.image)(service, release), playbook.knowledge(&release.series));
    Lane { service: service.clone(), image, package: None, known, standing, common_rows, steps }
}

/// The rows that the rounds of a data migration are about, whichever database each is taken for.
#[derive(Default)]
struct Rows {
    residues: Shared<Residue>,
    remainders: Shared<Remainder>,
    takes_turns: bool,
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
    let rows = match step {
        PlaybookStep::Drain(drain) => Rows {
            residues: drain.residues.iter().filter(|r| r.series.contains(series)).cloned().collect(),
            remainders: drain.remainders.iter().filter(|r| r.series.contains(series)).cloned().collect(),
            takes_turns: !schema::common_rows(brief, release, service, drain).is_empty(),
        },
        PlaybookStep::Run(_) | PlaybookStep::Trip(_) | PlaybookStep::Check(_) => Rows::default(),
    };
    let Some(template) = playbook.configuration(series).map(|file| Template::new(brief, service, file)) else { return };
    let why = Text::from(step.why());
    let failure_texts: Shared<String> = step.failure_texts().iter().cloned().collect();
    let unless = match step {
        PlaybookStep::Run(run) => schema::unless(brief, release, run),
        PlaybookStep::Drain(_) | PlaybookStep::Trip(_) | PlaybookStep::Check(_) => None,
    };
    for target in targets {
        let Some(database) = target.or(own.first().copied()) else { continue };
        let engine = brief.databases.get(database).map(ConnectionUrl::engine);
        if !engine.is_some_and(|engine| step.applies(series, engine)) {
            continue;
        }
        let configuration = template.for_target(target);
        let action = match step {
            PlaybookStep::Run(run) => Action::Run(Box::new(CommandRun {
                command: run.command.clone(),
                exits: run.exits.clone(),
                failure_texts: failure_texts.clone(),
                configuration,
                schema: schema::schema_move(brief, release, playbook, run, unless.as_ref(), target),
            })),
            PlaybookStep::Drain(drain) => Action::Drain(Box::new(DataMigration {
                command: drain.command.clone(),
                count: drain.count,
                exits: drain.exits.clone(),
                failure_texts: failure_texts.clone(),
                output: drain.output,
                database: database.clone(),
                residues: rows.residues.clone(),
                takes_turns: rows.takes_turns,
                remainders: rows.remainders.clone(),
                configuration,
            })),
            PlaybookStep::Trip(trip) => Action::Trip(Box::new(trips::touching(trip, database))),
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
        let why = why.clone();
        steps.push(Step { id, phase: step.phase(), why, effect: step.effect(), beside, action });
    }
}

/// `a, b and c`.
pub(super) fn and(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
