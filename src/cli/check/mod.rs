//! `leapfrog check`: what would a leap fail on? Asked while there is time to mend it, and without changing anything.
//!
//! The playbooks' preconditions that matter on the way, each with its query, the rows it found and the mend; and besides
//! them what every leap needs of its servers: `builtin`. Sessions are read-only. Nothing that could not be asked counts
//! as good: a table that a release on the way will bring is said to be asked later, and by whom.
//!
//! The judgement is [`plan::preconditions`]'s; a leap's own beginning asks the same questions ([`refuse`]), without
//! showing rows.

mod builtin;
mod render;
pub(super) mod rights;
pub(super) mod triggers;

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::arguments::{CheckArguments, Common, Output};
use super::exit::Exit;
use super::leap;
use super::look::Show;
use super::stages;
use super::stop::Stop;
use super::trip;
use super::world::{COUNTING, Wanted, World};
use crate::model::{DatabaseId, Observation, Series, Service};
use crate::observe::{Found, question, recorded_services_of};
use crate::plan::preconditions::{Answer, Checked, Condition, Question, questions};
use crate::plan::{self, Refusal, Start, VersionQuestion};

/// How many databases are asked side by side.
const AT_ONCE: usize = 8;

/// What `leapfrog check --output json` says.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct Report {
    /// The version of this document's format: 1.
    pub format: u32,
    /// The cloud's name in the cloud file.
    pub cloud: String,
    /// Where the leap would start; absent where the databases do not show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Series>,
    /// Where it would end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Series>,
    /// What was asked, in the order of the table: what every leap needs first, then by release.
    pub checks: Vec<Checked>,
    /// How many are in order.
    pub ok: usize,
    /// How many cannot be asked yet.
    pub later: usize,
    /// How many are warnings.
    pub warnings: usize,
    /// How many are failures; none: exit code 0.
    pub failures: usize,
}

impl Report {
    fn new(cloud: &str, from: Option<Series>, to: Option<Series>, checks: Vec<Checked>) -> Self {
        let count = |state: Condition| checks.iter().filter(|checked| checked.state == state).count();
        Self {
            format: 1,
            cloud: cloud.to_owned(),
            from,
            to,
            ok: count(Condition::Ok),
            later: count(Condition::Later),
            warnings: count(Condition::Warning),
            failures: count(Condition::Failure),
            checks,
        }
    }
}

/// `leapfrog check`.
pub(super) async fn check(common: &Common, arguments: &CheckArguments, show: &Show) -> Result<Exit, Stop> {
    let mut world = World::read_aloud(common, show)?;
    let wanted = world.wanted(&arguments.selection)?;
    world.look_up_mapped(&wanted.services).await;
    let observation = world.observe(&wanted.services).await;
    let (plan, refusals) = match world.plan(&wanted, &observation) {
        Ok(plan) => (Some(plan), Vec::new()),
        Err(stop) => match stop.cause {
            super::stop::Cause::Refused(refusals) => (None, refusals),
            _ => return Err(stop),
        },
    };
    let mut checks: Vec<Checked> = refusals.iter().map(builtin::refused).collect();
    let way = way(&world, &wanted, &observation)?;
    let (mut asked, mut versions) = (Vec::new(), Vec::new());
    if let Some((from, to)) = &way {
        let (due, made, questions) =
            world.brief(&wanted.services, &observation, Start::At(from.clone()), to.clone(), |brief| {
                (brief.stops, brief.part) = (wanted.stops, wanted.part);
                (questions(brief, from), plan::preconditions::triggers(brief, from), plan::recorded::before(brief))
            })?;
        checks.extend(builtin::look(&world, &wanted.services, &observation, way.as_ref(), &made).await);
        versions = services(&world, questions).await;
        asked = ask(&world, due, true).await.into_iter().map(|(question, answer)| question.judge(answer)).collect();
    } else {
        checks.extend(builtin::look(&world, &wanted.services, &observation, None, &Default::default()).await);
    }
    checks.extend(triggers::left(&world, &wanted.services).await.iter().map(triggers::Left::checked));
    let latest = leap::latest(&world.store())?;
    let stages = stages::refusals(&world, &wanted.services, &observation, latest.as_ref()).await;
    checks.extend(stages.iter().map(builtin::refused));
    if let Some(plan) = &plan {
        checks.extend(trip::tables(&world, plan).await);
    }
    checks.extend(asked);
    checks.extend(versions);
    let (from, to) = way.unzip();
    let report = Report::new(&world.cloud.name, from, to, checks);
    match show.output {
        Output::Text => show.print(&render::render(&report, show.out_paper(), arguments.verbose)),
        Output::Json | Output::Jsonl => show.print_json(&report)?,
    }
    if report.failures > 0 {
        let counted = format!("{} failure{}", report.failures, if report.failures == 1 { "" } else { "s" });
        show.caution(&format!("leapfrog: a leap would fail or be refused: {counted} to mend\n"));
        return Ok(Exit::Refused);
    }
    Ok(Exit::Done)
}

/// Where the leap would start and end, as far as that is said or shown.
fn way(world: &World, wanted: &Wanted, observation: &Observation) -> Result<Option<(Series, Series)>, Stop> {
    let from = world.start(wanted, observation)?.ok();
    Ok(from.and_then(|from| Some((from.clone(), world.end(&from, &wanted.to).ok()?))))
}

/// Asks every question, and with `rows` what was found.
async fn ask(world: &World, questions: Vec<Question>, rows: bool) -> Vec<(Question, Answer)> {
    let timeout = world.cloud.limits.connect;
    let asking = questions.into_iter().map(|one| async move {
        let url = world.cloud.databases.get(&one.database)?;
        let shows = rows.then(|| one.shows());
        let answer = match question(url, &one.counts(), shows.as_deref(), timeout, timeout * COUNTING).await {
            Ok(Found::Rows(number, shown)) => Answer::Rows(number, shown),
            Ok(Found::Absent(said)) => Answer::Absent(said),
            Err(unreachable) => Answer::Unread(unreachable),
        };
        Some((one, answer))
    });
    stream::iter(asking).buffered(AT_ONCE).filter_map(|answered| async { answered }).collect().await
}

/// Which services recorded a version that the last release of the leap does not accept.
async fn services(world: &World, questions: Vec<(VersionQuestion, Option<String>)>) -> Vec<Checked> {
    let timeout = world.cloud.limits.connect;
    let asking = questions.into_iter().map(|(question, moved)| async move {
        let url = world.cloud.databases.get(&question.database)?;
        let answer = recorded_services_of(url, &question.query, timeout).await;
        Some(question.checked(moved.as_deref(), answer))
    });
    stream::iter(asking).buffered(AT_ONCE).filter_map(|checked| async { checked }).collect().await
}

/// Every reason not to begin that counting alone shows: rows that a migration on the way cannot work with, and that no
/// step moves. What cannot be asked is no reason: the leap finds out.
pub(super) async fn refuse(
    world: &World,
    wanted: &Wanted,
    observation: &Observation,
    from: &Series,
    to: &Series,
) -> Result<Vec<Refusal>, Stop> {
    let options = format!(" --from {from} --to {to}{}{}", wanted.stops.option(), world.options(&wanted.services));
    let (due, made) = world.brief(&wanted.services, observation, Start::At(from.clone()), to.clone(), |brief| {
        (brief.stops, brief.part) = (wanted.stops, wanted.part);
        (questions(brief, from), plan::preconditions::triggers(brief, from))
    })?;
    let words = |made: Vec<_>| made.into_iter().map(|(_, step, what)| format!("{step} makes {what}")).collect();
    let made = made.into_iter().map(|(id, made)| (id, words(made))).collect();
    let due = due.into_iter().filter(Question::refuses).collect();
    let found = ask(world, due, false).await.into_iter().filter_map(|(question, answer)| match answer {
        Answer::Rows(rows, _) if rows > 0 => Some(question.refusal(rows, &options)),
        _ => None,
    });
    let left = triggers::left(world, &wanted.services).await;
    let forbidden = rights::refused(world, &made).await;
    Ok(found.chain(left.iter().map(triggers::Left::refusal)).chain(forbidden).collect())
}

/// Databases in words.
fn named<'i>(databases: impl IntoIterator<Item = &'i DatabaseId>) -> String {
    databases.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Services in words.
fn listed(services: &BTreeSet<Service>) -> String {
    services.iter().map(Service::as_str).collect::<Vec<_>>().join(", ")
}
