//! leapfrog dies, at any moment, and the same command goes on.

use std::collections::BTreeSet;

use leapfrog::journal::{Outcome, Record, RecordBody, RunState};
use leapfrog::model::{Effect, StepId};
use leapfrog::plan::Action;
use leapfrog::runner::scripted::{Call, Script};
use leapfrog::runner::{FoundState, Runner};

use crate::bed::{Bed, Told, drains, table};

/// What is left at the runner of a command whose end nobody recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Left {
    Nothing,
    NeverStarted,
    Running,
    Ended,
}

/// What the round after `rounds` does.
fn script(bed: &Bed, step: &StepId, rounds: u32) -> Option<Script> {
    let (_, _, planned) = bed.plan.steps().find(|(_, _, planned)| planned.id == *step)?;
    match planned.action {
        Action::Run(_) => Some(Script::ends(0).out("moved")),
        Action::Drain(_) if rounds == 0 => Some(drains()[0].clone()),
        Action::Drain(_) => Some(drains()[1].clone()),
        Action::Verify(_) | Action::Check(_) | Action::Save(_) | Action::Trip(_) => None,
    }
}

/// The steps that are done, and how often a record says so.
fn done(records: &[Record]) -> Vec<String> {
    let done = records.iter().filter_map(|record| match &record.body {
        RecordBody::StepEnded { step, outcome, .. } if outcome.is_complete() => Some(step.to_string()),
        _ => None,
    });
    let mut done: Vec<String> = done.collect();
    done.sort();
    done
}

/// Puts what is left at the runner after a death that left `state`; returns the steps whose command is there
/// and began.
fn leave(bed: &Bed, state: &RunState, left: Left) -> BTreeSet<String> {
    let mut there = BTreeSet::new();
    for (step, at) in state.in_doubt() {
        let Some(script) = script(bed, step, at.rounds) else { continue };
        let found = match left {
            Left::Nothing => continue,
            Left::NeverStarted => FoundState::NeverStarted,
            Left::Running => FoundState::Running,
            Left::Ended => FoundState::Ended,
        };
        let script = if left == Left::Running { script.after(std::time::Duration::from_secs(60)) } else { script };
        bed.leave(step, at.attempt, at.rounds + 1, found, script);
        if at.rounds > 0 {
            // The round before is in the journal and its container was not removed yet.
            bed.leave(step, at.attempt, at.rounds, FoundState::Ended, drains()[0].clone());
        }
        if left != Left::NeverStarted {
            there.insert(step.to_string());
        }
    }
    there
}

/// What must hold of a run that died once and was continued.
async fn holds(bed: &Bed, told: &Told, before: &[Record], there: &BTreeSet<String>, whole: &Told, story: &str) {
    assert_eq!(told.outcome(), Outcome::Done, "{story}");
    assert_eq!(done(&told.records), done(&whole.records), "{story}: every step is done once");
    assert_eq!(told.state.steps.keys().collect::<Vec<_>>(), whole.state.steps.keys().collect::<Vec<_>>(), "{story}");
    assert!(told.state.is_complete() && told.state.in_doubt().next().is_none(), "{story}");
    let launched = bed.runner.launches();
    let finished = done(before);
    for task in &launched {
        let step = task.id.step.to_string();
        assert!(!finished.contains(&step), "{story}: {step} was done and was launched again");
        assert!(task.id.round > 1 || !there.contains(&step), "{story}: {step} was launched beside itself");
    }
    let rest = bed.runner.find(&Bed::run()).await.expect("found");
    assert!(rest.is_empty(), "{story}: left over: {rest:?}");
    let removed = bed.runner.calls().iter().filter(|call| matches!(call, Call::Reap(_))).count();
    assert!(removed >= launched.len(), "{story}");
}

#[tokio::test(start_paused = true)]
async fn whenever_leapfrog_dies_the_same_command_ends_in_the_same_state_and_repeats_nothing_that_was_done() {
    for mut bed in [Bed::two_by_three(), Bed::two_by_three().with_schemas()] {
        bed.jobs = 2;
        die_everywhere(bed).await;
    }
}

/// Lets leapfrog die after each record of a leap, with whatever can be left at the runner.
async fn die_everywhere(mut bed: Bed) {
    let whole = bed.leap().await;
    assert_eq!(whole.outcome(), Outcome::Done);
    let deaths = whole.records.len();
    assert!(deaths > 40, "{deaths} records");
    for at in 1..deaths {
        let before = &whole.records[..at];
        let state = RunState::of(before).expect("legal");
        for left in [Left::Nothing, Left::NeverStarted, Left::Running, Left::Ended] {
            if left != Left::Nothing && state.in_doubt().next().is_none() {
                continue;
            }
            let mut next = bed.after_death(before);
            let there = leave(&next, &state, left);
            let told = next.leap().await;
            holds(&next, &told, before, &there, &whole, &format!("death after record {at}, {left:?}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_death_while_an_adopted_command_runs_does_not_launch_it_again() {
    let mut bed = Bed::two_by_three();
    let whole = bed.leap().await;
    let sync: StepId = "2023.1/nova/db-sync".parse().expect("valid");
    let data: StepId = "2023.1/nova/online-data".parse().expect("valid");
    for step in [sync, data] {
        let begun = |record: &Record| matches!(&record.body, RecordBody::StepStarted { step: of, .. } if *of == step);
        let at = whole.records.iter().position(begun).expect("begun") + 1;
        for left in [Left::Running, Left::Ended] {
            let mut first = bed.after_death(&whole.records[..at]);
            let state = RunState::of(&whole.records[..at]).expect("legal");
            leave(&first, &state, left);
            let once = first.leap().await;
            // Dies again after every record of the second process, while the first one's command is still there.
            for again in at + 1..once.records.len() {
                let before = &once.records[..again];
                let now = RunState::of(before).expect("legal");
                let mut second = bed.after_death(before);
                let mut there = BTreeSet::new();
                for (in_doubt, state_now) in now.in_doubt() {
                    let Some(script) = script(&second, in_doubt, state_now.rounds) else { continue };
                    // An attempt that adopted a command has no first round of its own.
                    let taken_up = state_now.adopted && state_now.rounds == 0;
                    let attempt = if taken_up { 1 } else { state_now.attempt };
                    second.leave(in_doubt, attempt, state_now.rounds + 1, FoundState::Running, script);
                    there.insert(in_doubt.to_string());
                }
                let told = second.leap().await;
                let story = format!("{step} {left:?}, then death after record {again}");
                holds(&second, &told, before, &there, &whole, &story).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_death_in_the_middle_of_a_record_is_a_death_before_it() {
    let mut bed = Bed::two_by_three();
    let whole = bed.leap().await;
    let path = bed.directory.join("journal.jsonl");
    let bytes = std::fs::read(&path).expect("readable");
    let ends: Vec<usize> = (1..=bytes.len()).filter(|end| bytes[end - 1] == b'\n').collect();
    for at in [3, 8, 20] {
        let mut next = bed.after_death(&whole.records[..at]);
        std::fs::write(next.directory.join("journal.jsonl"), &bytes[..ends[at] - 7]).expect("written");
        let told = next.leap().await;
        assert_eq!((told.outcome(), done(&told.records)), (Outcome::Done, done(&whole.records)));
        assert_eq!(&told.records[..at], &whole.records[..at]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_only_reads_is_stopped_and_run_again() {
    let mut bed = Bed::two_by_three();
    bed.step("2023.1/nova/db-sync").effect = Effect::ReadOnly;
    let whole = bed.leap().await;
    let begun = |record: &Record| matches!(&record.body, RecordBody::StepStarted { step, .. } if step.to_string() == "2023.1/nova/db-sync");
    let at = whole.records.iter().position(begun).expect("begun") + 1;
    let mut next = bed.after_death(&whole.records[..at]);
    leave(&next, &RunState::of(&whole.records[..at]).expect("legal"), Left::Running);
    let told = next.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    let calls = next.runner.calls();
    assert!(calls.iter().any(|call| matches!(call, Call::Stop(task, _) if task.step.name.as_str() == "db-sync")));
    assert!(next.runner.launched().contains(&"2023.1/nova/db-sync".to_owned()));
    assert!(next.runner.find(&Bed::run()).await.expect("found").is_empty());
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_round_that_ended_unseen_are_counted_once() {
    let mut bed = Bed::new(&["2023.1"], &["nova"]);
    let whole = bed.leap().await;
    let data: StepId = "2023.1/nova/online-data".parse().expect("valid");
    let begun = |record: &Record| matches!(&record.body, RecordBody::StepStarted { step, .. } if *step == data);
    let at = whole.records.iter().position(begun).expect("begun") + 1;
    let mut next = bed.after_death(&whole.records[..at]);
    next.leave(&data, 1, 1, FoundState::Ended, table(Script::ends(1), 50, 50));
    next.runner.on(&data.to_string(), [table(Script::ends(0), 0, 0)]);
    let told = next.leap().await;
    assert_eq!((told.outcome(), told.state.steps[&data].rows), (Outcome::Done, 50));
}
