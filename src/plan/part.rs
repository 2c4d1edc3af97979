//! Parts of a leap: all of it, all but what its last release removes, or one phase of one release.
//!
//! What a release removes, programs of the release before may still use. So it is a part of its own: `--until migrated` ends a
//! leap before it, and `contract` does it later. `expand` and `migrate` are the two parts before, for whoever drives a
//! release's services one by one.
//!
//! A part is planned in two steps, since which heads a branch ends at only the images say: [`one_phase`] plans all of the
//! release, and [`narrow`] keeps the phase, once the plan has what the images say and every phase before it shows in the
//! databases.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::build::{self, Brief, and};
use super::detect::{Verdict, detect};
use super::document::{Action, Hop, Lane, Plan, Step};
use super::path::Stops;
use super::refusal::{Refusal, RefusalKind, Refused};
use super::{backends, belongs, urls};
use crate::catalog::{Release, Remainder, Taken};
use crate::model::{DatabaseId, Observation, Phase, Series, Service};

/// Which part of a leap a plan is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// All of it.
    #[default]
    Whole,
    /// All but what the last release removes.
    UntilMigrated,
    /// What one release adds.
    Expand,
    /// What one release moves.
    Migrate,
    /// What one release removes.
    Contract,
}

impl Part {
    /// Whether it is the whole leap.
    pub fn is_whole(&self) -> bool {
        *self == Self::Whole
    }

    /// The phase of the one release that it is about, if it is about one.
    pub fn phase(self) -> Option<Phase> {
        match self {
            Self::Whole | Self::UntilMigrated => None,
            Self::Expand => Some(Phase::Expand),
            Self::Migrate => Some(Phase::Migrate),
            Self::Contract => Some(Phase::Contract),
        }
    }

    /// How a release of a leap to `to` is taken.
    pub(super) fn takes(self, series: &Series, to: &Series) -> Taken {
        match self {
            Self::Whole => Taken::AtOnce,
            Self::UntilMigrated if series != to => Taken::AtOnce,
            Self::UntilMigrated | Self::Expand | Self::Migrate | Self::Contract => Taken::InParts,
        }
    }

    /// Where databases stand for which it was done, as it comes before a release.
    pub fn done(self) -> &'static str {
        match self {
            Self::Whole => "at",
            Self::UntilMigrated | Self::Migrate => "migrated to",
            Self::Expand => "expanded to",
            Self::Contract => "contracted, at",
        }
    }

    /// The command line that asks for it, without what names services and files.
    pub fn command(self, from: &str, to: &str, stops: Stops) -> String {
        match self {
            Self::Whole => format!("leapfrog --from {from} --to {to}{}", stops.option()),
            Self::UntilMigrated => format!("leapfrog --from {from} --to {to} --until migrated{}", stops.option()),
            Self::Expand => format!("leapfrog expand --at {to}"),
            Self::Migrate => format!("leapfrog migrate --at {to}"),
            Self::Contract => format!("leapfrog contract --at {to}"),
        }
    }
}

impl Plan {
    /// The command line that asks for this plan, without what names services and files.
    pub fn command(&self) -> String {
        self.part.command(self.from.as_str(), self.to.as_str(), self.stops)
    }
}

impl Lane {
    /// Whether the release removes something in a step of its own.
    pub(super) fn contracts(&self) -> bool {
        self.steps.iter().any(|step| step.phase == Phase::Contract)
    }
}

/// Ends the lanes of a leap's last release before what removes. Returns why, where something stays.
pub(super) fn before_contract(series: &Series, lanes: &mut [Lane], options: &str) -> Option<String> {
    let mut left = Vec::new();
    for lane in lanes.iter_mut().filter(|lane| lane.contracts()) {
        left.push(lane.service.to_string());
        // The heads that only the last step reaches are not there yet; each step before it proves its own.
        lane.steps.retain(|step| step.phase != Phase::Contract && !matches!(step.action, Action::Verify(_)));
    }
    let names: Vec<&str> = left.iter().map(String::as_str).collect();
    (!names.is_empty()).then(|| {
        format!(
            "what {series} removes stays, in {}, until no program of an older release uses it: `leapfrog contract --at \
             {series}{options}`",
            and(&names)
        )
    })
}

/// Rows that must be gone before a part of a release begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The release whose data migrations move them.
    pub series: Series,
    /// The service.
    pub service: Service,
    /// Where they are counted.
    pub database: DatabaseId,
    /// What is counted, and how.
    pub remainder: Remainder,
}

/// The releases from which `release` may be entered: the one before it and, for a SLURP release, the SLURP release before.
fn entered_from<'r>(releases: &[&'r Release], release: &Release) -> Vec<&'r Release> {
    let mut before: Vec<&Release> = releases.iter().copied().filter(|other| other.series < release.series).collect();
    before.sort_by(|one, two| two.series.cmp(&one.series));
    let slurp = before.iter().copied().find(|other| other.slurp).filter(|_| release.slurp);
    let mut from: Vec<&Release> = before.first().copied().into_iter().collect();
    from.extend(slurp.filter(|slurp| from.iter().all(|other| other.series != slurp.series)));
    from
}

/// All of a release, of which `part` will be kept, with the rows that must be gone before. A plan without lanes has nothing
/// to do.
///
/// # Errors
/// Every reason not to begin that can be seen before the images are read.
pub fn one_phase(brief: &Brief<'_>, release: &Release, part: Part) -> Result<(Plan, Vec<Owed>), Refused> {
    let Some(phase) = part.phase() else { return Err(Refused(Vec::new())) };
    // Whatever the brief was about: a release in parts has steps of its own.
    let brief = &Brief { part, ..brief.clone() };
    let mut refusals = urls::stored_urls(brief);
    refusals.extend(urls::unreadable_urls(brief, &[release]));
    refusals.extend(belongs::absent(brief, &[release]));
    refusals.extend(backends::refusals(brief, &[release]));
    refusals.extend(unlooked(brief));
    if !refusals.is_empty() {
        return Err(Refused(refusals));
    }
    let mut heads = build::observed_heads(brief);
    let mut playbooks = brief.playbooks.clone();
    playbooks.sort_by(|one, two| one.service.cmp(&two.service));
    let (mut lanes, mut owed) = (Vec::new(), Vec::new());
    for playbook in playbooks {
        let lane = build::lane(brief, release, playbook, &mut heads);
        if !lane.steps.iter().any(|step| step.phase == phase) {
            continue;
        }
        match part {
            Part::Expand => match entry(brief, release, &lane) {
                Ok(None) => {}
                Ok(Some(before)) => {
                    let lane = build::lane(brief, before, playbook, &mut build::observed_heads(brief));
                    owed.extend(remainders(&before.series, &lane));
                }
                Err(refusal) => refusals.push(*refusal),
            },
            Part::Contract => owed.extend(remainders(&release.series, &lane)),
            Part::Migrate | Part::Whole | Part::UntilMigrated => {}
        }
        lanes.push(lane);
    }
    if !refusals.is_empty() {
        return Err(Refused(refusals));
    }
    let series = &release.series;
    let reason = match part {
        Part::Contract => format!("what {series} removes, now that nothing of an older release uses it"),
        Part::Migrate => format!("what {series} moves, beside its services"),
        _ => format!("what {series} adds, beside the services of the release before"),
    };
    let reasons = vec![
        "no restore point is taken: services may be writing, and going back would lose what they wrote; have a backup \
         of your own"
            .to_owned(),
    ];
    let (series, changes, notes) = (series.clone(), Vec::new(), Vec::new());
    let hop = Hop { series: series.clone(), reason, notes, changes, lanes };
    let (from, to) = (series.clone(), series);
    let (format, cloud, stops) = (Plan::FORMAT, brief.cloud.to_owned(), Stops::Every);
    Ok((Plan { format, cloud, from, to, stops, part, reasons, hops: vec![hop] }, owed))
}

/// Databases that could not be looked at, or that hold nothing.
fn unlooked(brief: &Brief<'_>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for id in brief.databases.keys() {
        let (kind, what, found, next) = match brief.observation.databases.get(id) {
            Some(Err(unreachable)) => (
                RefusalKind::Unreachable,
                format!("database {id} cannot be read"),
                unreachable.reason.clone(),
                unreachable.advice.clone(),
            ),
            Some(Ok(seen)) if seen.heads.is_empty() => (
                RefusalKind::Empty,
                format!("database {id} stands at no release"),
                if seen.tables == 0 { "no tables".to_owned() } else { "tables and no schema version".to_owned() },
                format!("`leapfrog detect{}` shows where every database stands", brief.same()),
            ),
            _ => continue,
        };
        refusals.push(Refusal { kind, database: Some(id.clone()), what, found: Some(found), expected: None, next });
    }
    refusals
}

/// The release that a lane's databases stand at, from which `release` is entered; none where they are in it already.
fn entry<'r>(brief: &Brief<'r>, release: &Release, lane: &Lane) -> Result<Option<&'r Release>, Box<Refusal>> {
    let mut observation = Observation::default();
    let own = brief.observation.databases.iter().filter(|(id, _)| lane.standing.contains_key(*id));
    observation.databases = own.map(|(id, seen)| (id.clone(), seen.clone())).collect();
    let places = detect(&observation, &brief.playbooks, &brief.releases).databases;
    let from = entered_from(&brief.releases, release);
    let mut stands: BTreeSet<&Series> = from.iter().map(|before| &before.series).collect();
    let mut inside = true;
    for (id, detected) in &places {
        match &detected.verdict {
            Verdict::At { series } if series.contains(&release.series) => {}
            Verdict::At { series } => {
                inside = false;
                stands.retain(|before| series.contains(before));
            }
            // It may be half of this release's: the images tell.
            Verdict::Partial { .. } => {}
            _ => stands.clear(),
        }
        if stands.is_empty() {
            let names: Vec<&str> = from.iter().map(|before| before.series.as_str()).collect();
            return Err(Box::new(Refusal {
                kind: RefusalKind::Behind,
                database: Some(id.clone()),
                what: format!("database {id} does not stand where {} is entered from", release.series),
                found: detected.found.as_ref().map(ToString::to_string),
                expected: Some(format!("the heads of {}", names.join(" or "))),
                next: format!("`leapfrog detect{}` shows where every database stands", brief.same()),
            }));
        }
    }
    Ok(from.into_iter().find(|before| stands.contains(&before.series)).filter(|_| !inside))
}

/// The rows that the data migrations of a lane leave nothing of.
fn remainders<'l>(series: &'l Series, lane: &'l Lane) -> impl Iterator<Item = Owed> {
    lane.steps.iter().flat_map(move |step| {
        let drain = match &step.action {
            Action::Drain(drain) => Some(drain),
            _ => None,
        };
        drain.into_iter().flat_map(move |drain| {
            drain.remainders.iter().map(move |remainder| Owed {
                series: series.clone(),
                service: lane.service.clone(),
                database: drain.database.clone(),
                remainder: remainder.clone(),
            })
        })
    })
}

/// Keeps what the plan's part is of a release whose lanes have what the images say.
///
/// # Errors
/// Every schema that a phase before has not brought as far as it should be.
pub fn narrow(plan: &Plan, observation: &Observation, options: &str) -> Result<Plan, Vec<Refusal>> {
    let mut narrowed = plan.clone();
    let Some(phase) = plan.part.phase() else { return Ok(narrowed) };
    let mut refusals = Vec::new();
    for lane in narrowed.hops.iter_mut().flat_map(|hop| &mut hop.lanes) {
        refusals.extend(
            lane.steps.iter().filter(|step| step.phase < phase).flat_map(|step| behind(step, observation, options)),
        );
        let last = phase == Phase::Contract || phase == Phase::Migrate && !lane.contracts();
        lane.steps.retain(|step| step.phase == phase || last && matches!(step.action, Action::Verify(_)));
    }
    if refusals.is_empty() { Ok(narrowed) } else { Err(refusals) }
}

/// The databases in which a step of a phase before has something to do.
fn behind(step: &Step, observation: &Observation, options: &str) -> Vec<Refusal> {
    let Action::Run(run) = &step.action else { return Vec::new() };
    let Some(schema) = &run.schema else { return Vec::new() };
    let behind = schema.databases.iter().filter_map(|(id, target)| {
        let found = &observation.databases.get(id)?.as_ref().ok()?.heads;
        (!schema.is_reached(target, found)).then(|| Refusal {
            kind: RefusalKind::HalfDone,
            database: Some(id.clone()),
            what: format!("database {id} does not show that {} is done", step.id),
            found: Some(found.to_string()),
            expected: Some(if target.reaches.is_empty() {
                target.heads.to_string()
            } else {
                target.reaches.iter().map(String::as_str).collect::<Vec<_>>().join(" + ")
            }),
            next: match step.phase {
                Phase::Migrate => format!("`leapfrog migrate --at {}{options}` does it", step.id.series),
                _ => format!("`leapfrog expand --at {}{options}` does it", step.id.series),
            },
        })
    });
    behind.collect()
}
