//! Whether what a release removes may go: what is seen, what is not, and who took the responsibility for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use super::arguments::Pattern;
use super::removed::{Removal, removals};
use super::trips;
use super::uses::uses;
use crate::cli::arguments::Output;
use crate::cli::check::triggers;
use crate::cli::fence::{DatabaseFence, Watch, name};
use crate::cli::guard::Guard;
use crate::cli::leap;
use crate::cli::look::Show;
use crate::cli::stop::Stop;
use crate::cli::world::{COUNTING, World};
use crate::journal::{RecordBody, Waiver};
use crate::model::{DatabaseId, ImageReference, Series, Service};
use crate::plan::part::Owed;
use crate::plan::{Part, Plan, Refusal, RefusalKind};
use crate::runner::{PinnedImage, Runner};

/// How long a session that is just ending may be seen.
const SETTLES: Duration = Duration::from_secs(4);
/// How often is looked for sessions.
const EVERY: Duration = Duration::from_millis(500);

/// What an operator says of a part.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Gate {
    /// For how long no session of an older release may be seen.
    pub(super) quiet_for: Duration,
    /// Who is of the new release, and may stay.
    pub(super) new: Vec<Pattern>,
    /// The operator's word for what cannot be seen.
    pub(super) waiver: Option<Waiver>,
    /// Whether nothing but the answer is wanted.
    pub(super) dry_run: bool,
}

/// What comes of looking.
pub(in crate::cli) enum Passed {
    /// The part may begin; this is to be recorded.
    On(Option<Box<RecordBody>>),
    /// Only the answer was wanted: whether it may.
    Shown(bool),
}

/// Something that has to be so before a part begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Condition {
    /// The services it is about; none: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<Service>,
    /// Whether it was seen to be so.
    pub(super) met: bool,
    /// Whether an operator's word may stand for it.
    pub(super) waivable: bool,
    /// What was seen.
    pub(super) what: String,
    /// What to do where it is not so.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) next: String,
}

/// What a contract would do, and whether it may.
#[derive(Debug, Serialize)]
struct Readiness<'a> {
    format: u32,
    cloud: &'a str,
    at: &'a Series,
    ready: bool,
    removes: BTreeMap<&'a Service, Vec<String>>,
    triggers: &'a [String],
    conditions: &'a [Condition],
}

/// Who and what is looked at.
pub(in crate::cli) struct Subject<'a> {
    pub(in crate::cli) world: &'a World,
    pub(in crate::cli) plan: &'a Plan,
    pub(in crate::cli) owed: &'a [Owed],
    pub(in crate::cli) images: &'a BTreeMap<ImageReference, PinnedImage>,
    /// The word that the journal of a run that goes on has.
    pub(in crate::cli) recorded: Option<&'a Waiver>,
}

impl Gate {
    /// Whether nothing but the answer is wanted.
    pub(in crate::cli) fn is_look(&self) -> bool {
        self.dry_run
    }

    /// Looks whether the plan's part may begin, and tells what it found.
    ///
    /// # Errors
    /// It may not.
    pub(in crate::cli) async fn pass(
        &self,
        subject: &Subject<'_>,
        guard: &Guard,
        runner: &dyn Runner,
        show: &Show,
    ) -> Result<Passed, Stop> {
        guard.whole()?;
        let Subject { world, plan, owed, images, recorded } = subject;
        let mut conditions = rows(world, owed).await;
        if plan.part == Part::Contract {
            let gone = removals(world, plan, images, runner).await?;
            conditions.extend(trips::touched(world, plan).await);
            conditions.extend(hangers(world, plan, &gone).await);
            conditions.push(self.silent(plan, guard, show).await);
            conditions.push(self.quiet(plan, &guard.fence(), show).await);
            let services = leap::services(plan);
            let triggers = triggers::left(world, &services).await.iter().map(triggers::Left::told).collect::<Vec<_>>();
            if self.dry_run {
                return shown(plan, &gone, &triggers, &conditions, show);
            }
            show.complain(&(listed(plan, &gone, &triggers, &conditions) + "\n"));
        }
        let unmet: Vec<&Condition> = conditions.iter().filter(|condition| !condition.met).collect();
        let waiver = self.waiver.as_ref().or(recorded.filter(|waiver| waiver.until > Timestamp::now()));
        if !unmet.is_empty() && (waiver.is_none() || unmet.iter().any(|condition| !condition.waivable)) {
            return Err(Stop::refused(
                unmet.into_iter().map(|condition| refusal(condition, waiver.is_some())).collect(),
            ));
        }
        let told = |met: bool| conditions.iter().filter(|one| one.met == met).map(|one| one.what.clone()).collect();
        let record = (plan.part == Part::Contract).then(|| {
            let waiver = waiver.filter(|_| !unmet.is_empty()).cloned();
            Box::new(RecordBody::Readiness { met: told(true), unmet: told(false), waiver })
        });
        Ok(Passed::On(record))
    }

    /// That no service of these databases reports but those of the new release.
    async fn silent(&self, plan: &Plan, guard: &Guard, show: &Show) -> Condition {
        let services: BTreeSet<&Service> = plan.steps().map(|(_, lane, _)| &lane.service).collect();
        let moving = guard.moving(show).await.into_iter().filter(|one| {
            services.contains(&one.database.service) && !self.new.iter().any(|new| new.fits(&one.program, &one.host))
        });
        let moving: Vec<String> = moving.map(|one| one.told).collect();
        let unread = guard.unread().into_iter().filter(|(id, _)| services.contains(&id.service));
        let unread: Vec<String> = unread.map(|(id, why)| format!("{id}: failed to {why}")).collect();
        let (met, what, next) = if !moving.is_empty() {
            let what = format!("services report, and their rows do not tell of which release: {}", moving.join("; "));
            (false, what, "stop those of older releases; for those of the new one say `--new PROGRAM@HOST`")
        } else if !unread.is_empty() {
            let what = format!("whether services report cannot be seen: {}", unread.join("; "));
            (false, what, "see why the database does not tell, then run the same command again")
        } else {
            (true, "no service of an older release reports".to_owned(), "")
        };
        Condition { service: None, met, waivable: true, what, next: next.to_owned() }
    }

    /// That nobody but the new release is connected for as long as was asked for.
    async fn quiet(&self, plan: &Plan, fence: &DatabaseFence, show: &Show) -> Condition {
        let databases: BTreeSet<&DatabaseId> = plan.steps().flat_map(|(_, lane, _)| lane.standing.keys()).collect();
        show.complain(&format!("watching for {} s who is connected\n", self.quiet_for.as_secs()));
        let mut watch = fence.watch(&databases).await;
        // Whoever is seen now may be just going: what leapfrog asked before, for one.
        let began = Instant::now();
        while !self.foreign(&mut watch).await.0.is_empty() && began.elapsed() < SETTLES {
            tokio::time::sleep(EVERY).await;
        }
        let began = Instant::now();
        let (others, blind, grants) = loop {
            let (others, blind, grants) = self.foreign(&mut watch).await;
            if !others.is_empty() || began.elapsed() >= self.quiet_for {
                break (others, blind, grants);
            }
            tokio::time::sleep(EVERY.min(self.quiet_for.saturating_sub(began.elapsed()))).await;
        };
        watch.close().await;
        let others: Vec<String> = others.into_iter().collect();
        let seconds = self.quiet_for.as_secs();
        let (met, what, next) = if !others.is_empty() {
            let what = format!("somebody is connected who may be of an older release: {}", others.join("; "));
            (false, what, "stop those programs; for those of the new release say `--new USER@HOST`".to_owned())
        } else if blind.is_empty() {
            (true, format!("for {seconds} s nobody was connected who may be of an older release"), String::new())
        } else {
            let blind: Vec<String> = blind.into_iter().collect();
            let what = format!("who is connected cannot be seen in {}", blind.join(", "));
            (false, what, lets_see(&grants))
        };
        Condition { service: None, met, waivable: true, what, next }
    }

    /// Who is connected that is not said to be new, where that cannot be seen, and what would let it be seen.
    async fn foreign(&self, watch: &mut Watch<'_>) -> (BTreeSet<String>, BTreeSet<String>, BTreeSet<String>) {
        let (mut others, mut blind, mut grants) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (id, sessions) in watch.sessions().await {
            let Some(sessions) = sessions else {
                blind.insert(id.to_string());
                continue;
            };
            if !sessions.whole {
                blind.insert(id.to_string());
                grants.extend(sessions.grant);
            }
            let is_new = |session: &&crate::database::Session| {
                let program = session.program.as_deref().unwrap_or_default();
                self.new.iter().any(|new| new.fits(&session.user, &session.host) || new.fits(program, &session.host))
            };
            others.extend(
                sessions.others.iter().filter(|session| !is_new(session)).map(|one| format!("{} in {id}", name(one))),
            );
        }
        (others, blind, grants)
    }
}

/// What to do where who is connected cannot be seen.
fn lets_see(grants: &BTreeSet<String>) -> String {
    if grants.is_empty() {
        return "run leapfrog as a user who may see everybody's sessions".to_owned();
    }
    let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
    format!("an administrator runs: {}", grants.join("; "))
}

/// Prints the answer.
fn shown(
    plan: &Plan,
    gone: &BTreeMap<Service, Vec<Removal>>,
    triggers: &[String],
    conditions: &[Condition],
    show: &Show,
) -> Result<Passed, Stop> {
    let ready = conditions.iter().all(|condition| condition.met);
    match show.output {
        Output::Text => show.print(&listed(plan, gone, triggers, conditions)),
        Output::Json | Output::Jsonl => {
            let words = |all: &[Removal]| all.iter().map(|one| format!("{} ({})", one.what, one.file)).collect();
            show.print_json(&Readiness {
                format: 1,
                cloud: &plan.cloud,
                at: &plan.to,
                ready,
                removes: gone.iter().map(|(service, all)| (service, words(all))).collect(),
                triggers,
                conditions,
            })?;
        }
    }
    Ok(Passed::Shown(ready))
}

/// That data migrations left nothing.
async fn rows(world: &World, owed: &[Owed]) -> Vec<Condition> {
    let timeout = world.cloud.limits.connect;
    let mut conditions = Vec::new();
    for Owed { series, service, database, remainder } in owed {
        let Some(url) = world.cloud.databases.get(database) else { continue };
        let counted = crate::observe::count(url, &remainder.query, timeout, timeout * COUNTING).await;
        let what = remainder.what.trim();
        let (met, what, next) = match counted {
            Ok(0) => (true, format!("no {what} left in {database}"), String::new()),
            Ok(rows) => (
                false,
                format!("{rows} {what} are left in {database}, which {series}'s data migrations should have moved"),
                remainder.mend.clone().unwrap_or_else(|| format!("`leapfrog migrate --at {series} --only {service}`")),
            ),
            Err(unreachable) => (
                false,
                format!("{what} in {database} could not be counted: {}", unreachable.reason),
                unreachable.advice,
            ),
        };
        // What is not moved is lost with what is removed: no word can stand for it.
        conditions.push(Condition { service: Some(service.clone()), met, waivable: false, what, next });
    }
    conditions
}

/// That nothing else in the databases uses what goes.
async fn hangers(world: &World, plan: &Plan, gone: &BTreeMap<Service, Vec<Removal>>) -> Vec<Condition> {
    let timeout = world.cloud.limits.connect;
    let mut conditions = Vec::new();
    for lane in plan.hops.iter().flat_map(|hop| &hop.lanes) {
        let passing = world.catalog.playbook(&lane.service).into_iter().flat_map(|book| &book.triggers);
        let passing: BTreeSet<&str> = passing.flat_map(|passing| passing.names.iter().map(String::as_str)).collect();
        for database in lane.standing.keys() {
            let here = gone.get(&lane.service).into_iter().flatten().filter(|removal| removal.database == *database);
            let here: Vec<&Removal> = here.collect();
            let Some(url) = world.cloud.databases.get(database).filter(|_| !here.is_empty()) else { continue };
            let (met, what, next) = match crate::observe::hangers_of(url, timeout).await {
                Ok((definitions, keys)) => match uses(&here, &definitions, &keys, &passing) {
                    found if found.is_empty() => {
                        (true, format!("no view, trigger or foreign key of {database} uses what goes"), String::new())
                    }
                    found => (
                        false,
                        format!("{database} still uses what goes: {}", found.join("; ")),
                        "drop or change them first: they are no part of the service".to_owned(),
                    ),
                },
                Err(unreachable) => {
                    (false, format!("{database} could not be looked at: {}", unreachable.reason), unreachable.advice)
                }
            };
            conditions.push(Condition { service: Some(lane.service.clone()), met, waivable: true, what, next });
        }
    }
    conditions
}

fn refusal(condition: &Condition, waived: bool) -> Refusal {
    let word = match (condition.waivable, waived) {
        (true, _) => "; or take the responsibility with `--waive REASON`",
        (false, true) => "; --waive does not count for it",
        (false, false) => "",
    };
    Refusal {
        kind: RefusalKind::NotReady,
        database: None,
        what: condition.what.clone(),
        found: None,
        expected: None,
        next: format!("{}{word}", condition.next),
    }
}

/// What goes, service by service, and whether it may.
fn listed(
    plan: &Plan,
    gone: &BTreeMap<Service, Vec<Removal>>,
    triggers: &[String],
    conditions: &[Condition],
) -> String {
    let mut text = format!("{}: what {} removes\n", plan.cloud, plan.to);
    for (service, all) in gone {
        if all.is_empty() {
            text.push_str(&format!("  {service}: nothing\n"));
            continue;
        }
        text.push_str(&format!("  {service}\n"));
        for removal in all {
            text.push_str(&format!("    {} ({})\n", removal.what, removal.file));
        }
    }
    if !triggers.is_empty() {
        text.push_str("\ntriggers that it must remove\n");
        triggers.iter().for_each(|trigger| text.push_str(&format!("  {trigger}\n")));
    }
    let ready = conditions.iter().all(|condition| condition.met);
    text.push_str(if ready { "\nready\n" } else { "\nnot ready\n" });
    for condition in conditions {
        let service = condition.service.as_ref().map(|service| format!("{service}: ")).unwrap_or_default();
        text.push_str(&format!("  {}  {service}{}\n", if condition.met { "yes" } else { "no " }, condition.what));
    }
    text
}
