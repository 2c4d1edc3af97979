//! Whole leaps of the real catalogue, seven services with cells over four releases, that die again and again:
//! after every record, in the middle of it, before it, and at every launch, stop and removal, while containers
//! go on, are killed or pruned, and commands fail, hang, lie or repeat themselves.
//!
//! Whatever happened, the same command again ends in the databases of an undisturbed run. A failure names its
//! seed; `LEAPFROG_SCHEDULES_SEED=N` runs that one alone, `LEAPFROG_SCHEDULES=N` runs so many.

mod process;
mod world;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use leapfrog::conduct::sweep;
use leapfrog::journal::{CrashPoint, CrashingJournal, Outcome, RecordBody, RecordLog};
use leapfrog::model::{DatabaseId, Effect, Heads, StepId};
use leapfrog::plan::{Action, Plan, reconcile};
use leapfrog::runner::scripted::{Call, DeathPoint, Deed, DeedEnd};
use leapfrog::runner::{FoundState, Runner};

use crate::bed::Bed;
use crate::cloud::Cloud;
use crate::random::Random;
use process::{Disturbance, Leap};
use world::enriched;

/// How many schedules a run of the tests goes through, as a whole.
const SCHEDULES: u64 = 1000;

/// How many tests share them, so that two cores have something to do.
const SHARES: u64 = 4;

/// What an undisturbed run comes to.
struct Undisturbed {
    records: usize,
    acts: usize,
    standing: BTreeMap<DatabaseId, Heads>,
    steps: Vec<StepId>,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn plan() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(|| Cloud::at("2023.1").plan().unwrap_or_else(|refused| panic!("{refused}")))
}

/// In a time of its own, which passes as soon as nobody works.
fn in_time<T>(story: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(story)
}

fn undisturbed() -> &'static Undisturbed {
    static RUN: OnceLock<Undisturbed> = OnceLock::new();
    RUN.get_or_init(|| {
        in_time(async {
            let leap = Leap::new(Arc::new(enriched(plan(), &[])), 0);
            let conclusion = leap.process(Disturbance::default()).await.expect("nobody dies");
            assert_eq!(conclusion.outcome, Outcome::Done);
            let contents = leap.disk.read().expect("readable");
            assert!(leap.world.left().is_empty());
            let calls = leap.world.runner.calls();
            let acts = calls.iter().filter(|call| !matches!(call, Call::Fetch(_)));
            Undisturbed {
                records: contents.records.len(),
                acts: acts.count(),
                standing: leap.world.standing(),
                steps: contents.state.steps.keys().cloned().collect(),
            }
        })
    })
}

/// The `number`th way to die: at each record in three ways, then at each act in three ways, then anew.
fn death(number: u64, random: &mut Random) -> Disturbance {
    let run = undisturbed();
    let places = 3 * (run.records + run.acts);
    let number = usize::try_from(number).expect("small") % places;
    let (place, way) = (number / 3 + 1, number % 3);
    if place <= run.records {
        let at = place as u64;
        let crash = match way {
            0 => CrashPoint::Before(at),
            1 => CrashPoint::InTheMiddleOf(at, random.place(400)),
            _ => CrashPoint::After(at),
        };
        return Disturbance { crash: Some(crash), ..Disturbance::default() };
    }
    let point = [DeathPoint::Before, DeathPoint::Between, DeathPoint::After][way];
    Disturbance { act: Some((place - run.records, point)), ..Disturbance::default() }
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

/// One schedule, from its beginning to databases that are complete.
async fn schedule(number: u64) {
    let mut random = Random::of(0x1eaf_0006, number);
    let once: Vec<usize> = (0..random.place(4)).map(|_| random.place(1000)).collect();
    let leap = Leap::new(Arc::new(enriched(plan(), &once)), number);
    let deaths = 1 + random.below(3);
    let mut words: BTreeMap<StepId, usize> = BTreeMap::new();
    let mut processes = 0;
    loop {
        processes += 1;
        assert!(processes < 60, "it does not come to an end");
        let disturbed = processes <= deaths;
        leap.world.trouble(if disturbed { [0, 0, 3, 12][random.place(4)] } else { 0 });
        let disturbance = match processes {
            1 => death(number, &mut random),
            _ if disturbed => disturbance(&mut random),
            _ => Disturbance::default(),
        };
        let conclusion = leap.process(disturbance).await;
        if conclusion.is_some_and(|conclusion| conclusion.outcome == Outcome::Done) {
            break;
        }
        if disturbed {
            meanwhile(&leap, &mut random).await;
        }
        let state = leap.disk.read().expect("readable").state;
        let drift = reconcile(&leap.world.plan, &state, &leap.world.observation(), "");
        assert_eq!(drift, [], "an interruption reads as drift");
        for (step, count) in say_what_is_so(&leap) {
            *words.entry(step).or_default() += count;
        }
        if state.is_complete() {
            break;
        }
    }
    holds(&leap, &words).await;
}

/// What must hold of a run that was disturbed and is complete.
async fn holds(leap: &Leap, words: &BTreeMap<StepId, usize>) {
    let (world, run) = (&leap.world, undisturbed());
    let contents = leap.disk.read().expect("readable");
    let state = &contents.state;
    assert!(state.is_complete() && state.in_doubt().next().is_none());
    assert_eq!(state.steps.keys().cloned().collect::<Vec<_>>(), run.steps, "every step was taken");
    assert_eq!(world.standing(), run.standing, "the databases stand where an undisturbed run leaves them");
    assert_eq!(world.left(), BTreeMap::new(), "rows are left");
    assert_eq!(world.beside(), [], "a command was launched while one of its step worked");
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
            let allowed = 1 + words.get(&step.id).copied().unwrap_or(0);
            let times = began(&step.id).len();
            assert!(times <= allowed, "{} began {times} times, and {allowed} were allowed", step.id);
            let whole = began(&step.id).iter().filter(|deed| deed.end == DeedEnd::Whole && !deed.idle).count();
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

/// Runs one share of the schedules.
fn share(share: u64) {
    let seeds: Vec<u64> = match number("LEAPFROG_SCHEDULES_SEED") {
        Some(seed) if share == 0 => vec![seed],
        Some(_) => return,
        None => {
            let run = undisturbed();
            let ways = 3 * (run.records + run.acts) as u64;
            let count = number("LEAPFROG_SCHEDULES").unwrap_or(SCHEDULES.max(ways));
            (0..count).filter(|seed| seed % SHARES == share).collect()
        }
    };
    let (first, last) = (seeds.first().copied(), seeds.last().copied());
    println!("{} schedules, seeds {first:?} to {last:?} in steps of {SHARES}", seeds.len());
    for seed in seeds {
        let ran = std::panic::catch_unwind(|| in_time(schedule(seed)));
        if let Err(panic) = ran {
            eprintln!(
                "schedule {seed} fails; it alone: LEAPFROG_SCHEDULES_SEED={seed} cargo test --test conductor schedules"
            );
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
