//! Leaps of the real catalogue that die again and again: whole ones, seven services with cells over four
//! releases, and short ones. At every record, in the middle of it, before it, and at every launch, stop and
//! removal, while containers go on, are killed or pruned, and commands fail, hang, lie or repeat themselves.
//!
//! A part of them has restore points, on an engine whose schema migrations cannot be undone: dumps are cut off and
//! fail, migrations that were killed leave halves behind, lanes go back by themselves, and where they may not any more
//! an operator brings them back. That is cut off as well.
//!
//! Whatever happened, the same command again ends in the databases of an undisturbed run. A failure names its
//! seed, and `LEAPFROG_SCHEDULES_SEED=N` takes it alone. `LEAPFROG_SCHEDULES=N` takes so many seeds, and
//! `LEAPFROG_SCHEDULES=all` every way for a whole leap to die first (`make schedules`; minutes).

mod process;
mod saved;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use leapfrog::conduct::{RestorePoints, sweep};
use leapfrog::journal::{CrashPoint, CrashingJournal, Outcome, RecordBody, RecordLog, RunState, SavedPoint};
use leapfrog::model::{DatabaseId, Effect, Heads, PointPolicy, PointProof, Points, Service, StepId};
use leapfrog::plan::{Action, Plan, reconcile};
use leapfrog::runner::scripted::{Call, DeathPoint, Deed, DeedEnd};
use leapfrog::runner::{FoundState, Runner};
use tokio::sync::mpsc;

use crate::bed::Bed;
use crate::cloud::Cloud;
use crate::random::Random;
use process::{Disturbance, Leap};
use world::enriched;

/// How many schedules a run of the tests goes through.
const SCHEDULES: u64 = 1000;

/// How many tests share them, so that two cores have something to do.
const SHARES: u64 = 4;

/// Seeds from here on are the ways of a whole leap to die, one after the other.
const EVERY_WAY: u64 = 1_000_000;

/// Of so many schedules one is of a whole leap.
const WHOLE: u64 = 8;

/// Of so many schedules one has restore points.
const SAVED: u64 = 3;

/// The short leaps: services, from, to.
const SHORT: [(&[&str], &str, &str); 8] = [
    (&["cinder", "nova", "placement"], "2023.1", "2023.2"),
    (&["glance", "keystone", "neutron"], "2023.1", "2023.2"),
    (&["barbican", "cinder", "glance"], "2023.2", "2024.1"),
    (&["keystone", "nova"], "2023.2", "2024.1"),
    (&["nova", "placement"], "2024.1", "2024.2"),
    (&["cinder", "glance", "neutron"], "2024.1", "2024.2"),
    (&["placement"], "2023.1", "2024.2"),
    (&["cinder"], "2023.1", "2024.2"),
];

/// A leap, and what it comes to where nothing disturbs it.
struct Story {
    plan: Plan,
    records: usize,
    acts: usize,
    standing: BTreeMap<DatabaseId, Heads>,
    steps: Vec<StepId>,
}

impl Story {
    fn tell(cloud: &Cloud) -> Self {
        let plan = cloud.plan().unwrap_or_else(|refused| panic!("{refused}: {:?}", refused.0));
        let leap = Leap::new(Arc::new(enriched(&plan, &[])), 0);
        // A time of its own cannot begin within another one.
        let conclusion = std::thread::scope(|scope| {
            scope.spawn(|| in_time(leap.process(Disturbance::default()))).join().expect("no panic")
        });
        let conclusion = conclusion.expect("nobody dies");
        assert_eq!(conclusion.outcome, Outcome::Done);
        let contents = leap.disk.read().expect("readable");
        assert_eq!(leap.world.left(), BTreeMap::new());
        let calls = leap.world.runner.calls();
        let acts = calls.iter().filter(|call| !matches!(call, Call::Fetch(_)));
        Self {
            plan,
            records: contents.records.len(),
            acts: acts.count(),
            standing: leap.world.standing(),
            steps: contents.state.steps.keys().cloned().collect(),
        }
    }

    /// In how many ways it can die first: at each record and at each act in three.
    fn ways(&self) -> usize {
        3 * (self.records + self.acts)
    }

    /// One of them.
    fn death(&self, number: usize, random: &mut Random) -> Disturbance {
        let (place, way) = (number % self.ways() / 3 + 1, number % 3);
        if place <= self.records {
            let at = place as u64;
            let crash = match way {
                0 => CrashPoint::Before(at),
                1 => CrashPoint::InTheMiddleOf(at, random.place(400)),
                _ => CrashPoint::After(at),
            };
            return Disturbance { crash: Some(crash), ..Disturbance::default() };
        }
        let point = [DeathPoint::Before, DeathPoint::Between, DeathPoint::After][way];
        Disturbance { act: Some((place - self.records, point)), ..Disturbance::default() }
    }
}

/// Restore points before every release.
const POINTS: Points = Points { policy: PointPolicy::EveryHop, proof: PointProof::Full };

/// The whole leap, with restore points or without.
fn whole(saved: bool) -> &'static Story {
    static STORIES: [OnceLock<Story>; 2] = [const { OnceLock::new() }; 2];
    STORIES[usize::from(saved)].get_or_init(|| {
        let mut cloud = Cloud::at("2023.1");
        cloud.points = if saved { POINTS } else { Points::NONE };
        Story::tell(&cloud)
    })
}

/// One of the short ones.
fn short(which: usize, saved: bool) -> &'static Story {
    static STORIES: [[OnceLock<Story>; SHORT.len()]; 2] = [const { [const { OnceLock::new() }; SHORT.len()] }; 2];
    let (services, from, to) = SHORT[which];
    STORIES[usize::from(saved)][which].get_or_init(|| {
        let mut cloud = Cloud::at(from);
        cloud.points = if saved { POINTS } else { Points::NONE };
        (cloud.only, cloud.to) = (services.to_vec(), to.to_owned());
        Story::tell(&cloud)
    })
}

/// In a time of its own, which passes as soon as nobody works.
fn in_time<T>(story: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(story)
}

/// What disturbs a later process: a death soon after it began, or an operator with a keyboard.
fn disturbance(random: &mut Random) -> Disturbance {
    let soon = 1 + random.below(40);
    match random.below(5) {
        0 => Disturbance { crash: Some(CrashPoint::Before(soon)), ..Disturbance::default() },
        1 => Disturbance { crash: Some(CrashPoint::InTheMiddleOf(soon, random.place(400))), ..Disturbance::default() },
        2 => Disturbance { crash: Some(CrashPoint::After(soon)), ..Disturbance::default() },
        3 => {
            let point = [DeathPoint::Before, DeathPoint::Between, DeathPoint::After][random.place(3)];
            Disturbance { act: Some((random.place(15) + 1, point)), ..Disturbance::default() }
        }
        _ => Disturbance { interrupts: 1 + random.place(3), after: soon, ..Disturbance::default() },
    }
}

/// What happens to containers while no leapfrog works.
async fn meanwhile(leap: &Leap, random: &mut Random) {
    for task in leap.world.runner.tasks() {
        match random.below(10) {
            0 => leap.world.runner.kill(&task.handle),
            1 => leap.world.runner.forget(&task.handle),
            _ => {}
        }
    }
    tokio::time::sleep(Duration::from_secs([0, 1, 10, 3600][random.place(4)])).await;
}

/// The operator looks where leapfrog asks, and says what is so.
fn say_what_is_so(leap: &Leap) -> BTreeMap<StepId, usize> {
    let mut failed = BTreeMap::new();
    let state = leap.disk.read().expect("readable").state;
    let tasks = leap.world.runner.tasks();
    for (_, _, step) in leap.world.plan.steps().filter(|(_, _, step)| step.effect == Effect::Once) {
        let Some(at) = state.steps.get(&step.id).filter(|at| at.may_have_worked()) else { continue };
        // While it is there, its container is asked, as `leapfrog resolve` says.
        if tasks.iter().any(|task| task.id.step == step.id && task.state != FoundState::NeverStarted) {
            continue;
        }
        let outcome = if leap.world.worked().contains(&step.id) { Outcome::Done } else { Outcome::Failed };
        let (mut journal, _) = CrashingJournal::open(&leap.disk, None).expect("readable");
        let body = RecordBody::StepResolved {
            step: step.id.clone(),
            attempt: at.attempt,
            outcome,
            by: "alice".into(),
            host: "alpha".into(),
            note: None,
            evidence: Vec::new(),
        };
        journal.append(jiff::Timestamp::now(), body).expect("legal");
        if outcome == Outcome::Failed {
            *failed.entry(step.id.clone()).or_default() += 1;
        }
    }
    failed
}

/// No restore point is in the journal that is not whole, and no database stands nowhere without the journal's word.
fn points_are_what_the_journal_says(leap: &Leap, state: &RunState) {
    for (step, point) in state.points.iter().filter(|(step, _)| state.is_done(step)) {
        assert!(leap.world.is_whole(&point.point), "{step} is done and {} is not whole", point.point);
    }
    let open = |database: &DatabaseId| {
        state.restoring.as_ref().is_some_and(|restoring| restoring.services.contains(&database.service))
    };
    let lost: Vec<DatabaseId> = leap.world.half().into_iter().filter(|database| !open(database)).collect();
    assert_eq!(lost, [], "databases stand nowhere and the journal does not know");
}

/// The operator does what leapfrog advises where a lane went back once and died again: `leapfrog restore`, which may be
/// cut off as well, and is done again then.
async fn bring_back_what_cannot_go_on(leap: &Leap, random: &mut Random) {
    let works = leap.world.runner.tasks().into_iter().any(|task| task.state == FoundState::Running);
    let state = leap.disk.read().expect("readable").state;
    if works || state.restoring.is_some() {
        return;
    }
    let stuck = |step: &StepId| state.steps.get(step).is_some_and(|at| at.outcome == Some(Outcome::Failed));
    let again = |step: &StepId| state.way_back.contains_key(&(step.series.clone(), step.service.clone()));
    let Some(step) = leap.world.debris().into_iter().find(|step| stuck(step) && again(step)) else { return };
    let of_lane = |(id, _): &(&StepId, &SavedPoint)| id.series == step.series && id.service == step.service;
    let points: Vec<SavedPoint> = state.points.iter().filter(of_lane).map(|(_, point)| point.clone()).collect();
    assert!(!points.is_empty(), "{step} has nothing to go back to");
    let services: BTreeSet<Service> = [step.service.clone()].into();
    let (tell, _heard) = mpsc::channel(16);
    leap.world.trouble(0);
    for cut_off in [random.below(2) == 0, false] {
        let (mut journal, _) = CrashingJournal::open(&leap.disk, None).expect("readable");
        let mut say = |body| drop(journal.append(jiff::Timestamp::now(), body).expect("legal"));
        let (to, host, pid) = (step.series.clone(), "alpha".into(), 9);
        say(RecordBody::RestoreStarted { to, services: services.clone(), because: None, host, pid });
        let mut evidence = Vec::new();
        for point in &points {
            let back = leap.world.bring_back(point, &tell);
            if cut_off {
                let _ = tokio::time::timeout(Duration::from_millis(500), back).await;
                break;
            }
            evidence.push(back.await.expect("back"));
        }
        if !cut_off {
            let (to, outcome, seconds, failure) = (step.series.clone(), Outcome::Done, 1.0, None);
            say(RecordBody::RestoreEnded { to, services, outcome, seconds, evidence, failure });
            return;
        }
    }
}

/// One schedule, from its beginning to databases that are complete.
async fn schedule(seed: u64) {
    let mut random = Random::of(0x1eaf_0006, seed);
    let saved = seed.is_multiple_of(SAVED);
    let (story, first) = match seed.checked_sub(EVERY_WAY) {
        Some(way) => (whole(false), usize::try_from(way).expect("small")),
        None if seed.is_multiple_of(WHOLE) => (whole(saved), random.place(whole(saved).ways())),
        None => {
            let story = short(random.place(SHORT.len()), saved);
            (story, random.place(story.ways()))
        }
    };
    let once: Vec<usize> = (0..random.place(4)).map(|_| random.place(1000)).collect();
    let leap = Leap::new(Arc::new(enriched(&story.plan, &once)), seed);
    let deaths = 1 + random.below(3);
    let mut words: BTreeMap<StepId, usize> = BTreeMap::new();
    let (mut processes, mut last) = (0, String::new());
    loop {
        processes += 1;
        assert!(processes < 60, "it does not come to an end: {last}");
        let disturbed = processes <= deaths;
        leap.world.trouble(if disturbed { [0, 0, 3, 12][random.place(4)] } else { 0 });
        let disturbance = match processes {
            1 => story.death(first, &mut random),
            _ if disturbed => disturbance(&mut random),
            _ => Disturbance::default(),
        };
        let conclusion = leap.process(disturbance).await;
        last = format!("{conclusion:?}");
        if conclusion.is_some_and(|conclusion| conclusion.outcome == Outcome::Done) {
            break;
        }
        if disturbed {
            meanwhile(&leap, &mut random).await;
        }
        let state = leap.disk.read().expect("readable").state;
        points_are_what_the_journal_says(&leap, &state);
        let drift = reconcile(&leap.world.plan, &state, &leap.world.observation(), "");
        assert_eq!(drift, [], "an interruption reads as drift");
        bring_back_what_cannot_go_on(&leap, &mut random).await;
        for (step, count) in say_what_is_so(&leap) {
            *words.entry(step).or_default() += count;
        }
        if state.is_complete() {
            break;
        }
    }
    holds(&leap, story, &words).await;
}

/// What must hold of a run that was disturbed and is complete.
async fn holds(leap: &Leap, story: &Story, words: &BTreeMap<StepId, usize>) {
    let world = &leap.world;
    let contents = leap.disk.read().expect("readable");
    let state = &contents.state;
    assert!(state.is_complete() && state.in_doubt().next().is_none());
    assert_eq!(state.steps.keys().cloned().collect::<Vec<_>>(), story.steps, "every step was taken");
    assert_eq!(world.standing(), story.standing, "the databases stand where an undisturbed run leaves them");
    assert_eq!(world.left(), BTreeMap::new(), "rows are left");
    assert_eq!(world.beside(), [], "a command was launched while one of its step worked");
    assert_eq!(world.ruins(), [] as [String; 0], "a database was touched that stood nowhere, or was dumped");
    assert_eq!(world.half(), BTreeSet::new(), "a database stands nowhere");
    points_are_what_the_journal_says(leap, state);
    let saves = world.plan.steps().filter(|(.., step)| step.saves().is_some());
    assert_eq!(state.points.len(), saves.count(), "restore points are missing");
    let deeds = world.runner.deeds(0);
    let began = |step: &StepId| -> Vec<&Deed> {
        deeds.iter().filter(|deed| deed.id.step == *step && deed.end != DeedEnd::NeverBegan).collect()
    };
    let worked = world.worked();
    for (_, _, step) in world.plan.steps() {
        let skipped = state.steps[&step.id].outcome == Some(Outcome::Skipped);
        let commands = matches!(step.action, Action::Run(_) | Action::Drain(_));
        assert!(skipped || !commands || worked.contains(&step.id), "{} was lost", step.id);
        if step.effect == Effect::Once {
            // What was undone may be done again.
            let undone = world.undone(&step.id);
            let began = || began(&step.id).into_iter().filter(|deed| !undone.contains(&deed.id));
            let allowed = 1 + words.get(&step.id).copied().unwrap_or(0);
            let times = began().count();
            assert!(times <= allowed, "{} began {times} times, and {allowed} were allowed", step.id);
            let whole = began().filter(|deed| deed.end == DeedEnd::Whole && !deed.idle).count();
            assert!(whole <= 1, "{} did its work {whole} times", step.id);
        }
    }
    // A process that died at the very end leaves containers for a sweep.
    let found = world.runner.find(&Bed::run()).await.expect("found");
    for task in sweep(found, state, true).finished {
        world.runner.reap(&task.handle).await.expect("removed");
    }
    assert_eq!(world.runner.tasks(), [], "containers are left over");
}

/// Tells it whether the test fails or not.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Runs one share of the schedules.
fn share(share: u64) {
    let variable = |name: &str| std::env::var(name).ok();
    let number = |text: String| text.parse::<u64>().unwrap_or_else(|error| panic!("{text}: {error}"));
    let seeds: Vec<u64> = match (variable("LEAPFROG_SCHEDULES_SEED"), variable("LEAPFROG_SCHEDULES")) {
        (Some(seed), _) => {
            if share == 0 {
                vec![number(seed)]
            } else {
                Vec::new()
            }
        }
        (None, Some(all)) if all == "all" => (EVERY_WAY..EVERY_WAY + whole(false).ways() as u64).collect(),
        (None, count) => (0..count.map_or(SCHEDULES, number)).collect(),
    };
    let seeds: Vec<u64> =
        if seeds.len() == 1 { seeds } else { seeds.into_iter().filter(|seed| seed % SHARES == share).collect() };
    let (first, last) = (seeds.first().copied(), seeds.last().copied());
    say(&format!("{} schedules, seeds {first:?} to {last:?} in steps of {SHARES}", seeds.len()));
    for seed in seeds {
        if let Err(panic) = std::panic::catch_unwind(|| in_time(schedule(seed))) {
            say(&format!(
                "schedule {seed} fails; alone: LEAPFROG_SCHEDULES_SEED={seed} cargo test --test conductor schedules"
            ));
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn whatever_happens_the_same_command_ends_in_the_same_databases_1_of_4() {
    share(0);
}

#[test]
fn whatever_happens_the_same_command_ends_in_the_same_databases_2_of_4() {
    share(1);
}

#[test]
fn whatever_happens_the_same_command_ends_in_the_same_databases_3_of_4() {
    share(2);
}

#[test]
fn whatever_happens_the_same_command_ends_in_the_same_databases_4_of_4() {
    share(3);
}
