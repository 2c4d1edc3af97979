//! The operator stops a leap: once, twice, three times.

use std::time::Duration;

use leapfrog::conduct::Signal;
use leapfrog::journal::{Event, Outcome, Progress, RecordBody};
use leapfrog::model::StepId;
use leapfrog::runner::scripted::{Call, Script};
use leapfrog::runner::{FoundState, Runner};

use crate::bed::{Bed, GRACE, drains, ends, image, seen_beginning, table};

const HOUR: Duration = Duration::from_secs(3600);
const SYNC: &str = "2023.1/nova/db-sync";
const DATA: &str = "2023.1/nova/online-data";

fn stopping(event: &Event) -> bool {
    matches!(event, Event::Progress(Progress::Stopping { .. }))
}

#[tokio::test(start_paused = true)]
async fn the_first_ctrl_c_lets_running_steps_finish_and_begins_nothing_more() {
    let mut bed = Bed::two_by_three();
    bed.runner.on(SYNC, [Script::ends(0).after(HOUR)]);
    bed.react(|event| seen_beginning(event, SYNC), Signal::Interrupt);
    let told = bed.leap().await;
    assert_eq!((told.outcome(), told.conclusion.abandoned), (Outcome::Interrupted, false));
    assert_eq!(told.ended(SYNC), Some(Outcome::Done), "it had begun and finishes");
    assert!(told.place(|body| ends(body, DATA)).is_none());
    assert!(!bed.runner.calls().iter().any(|call| matches!(call, Call::Stop(..))), "no container is stopped");
    assert!(told.state.in_doubt().next().is_none());
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_data_migration_stops_between_two_rounds_and_goes_on_with_the_next() {
    let mut bed = Bed::two_by_three();
    let [moves, nothing] = drains();
    bed.runner.on(DATA, [moves.clone().after(HOUR), moves, nothing]);
    bed.react(|event| seen_beginning(event, DATA), Signal::Interrupt);
    let told = bed.leap().await;
    assert_eq!((told.outcome(), told.ended(DATA)), (Outcome::Interrupted, Some(Outcome::Interrupted)));
    let step: StepId = DATA.parse().expect("valid");
    assert_eq!((told.state.steps[&step].rounds, told.state.steps[&step].rows), (1, 50), "its round was not cut off");
    let again = bed.leap().await;
    assert_eq!((again.outcome(), again.state.steps[&step].rows), (Outcome::Done, 100));
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_last_step_of_all_is_a_success() {
    let mut bed = Bed::new(&["2023.1"], &["nova"]);
    bed.react(|event| seen_beginning(event, "2023.1/nova/verify-heads"), Signal::Interrupt);
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn the_second_ctrl_c_stops_the_containers_with_grace() {
    for terminated in [false, true] {
        let mut bed = Bed::two_by_three();
        bed.runner.on(SYNC, [Script::hangs().out("working"), Script::ends(0)]);
        bed.runner.on("2023.1/cinder/db-sync", [Script::hangs().deaf(), Script::ends(0)]);
        bed.runner.on("2023.1/placement/db-sync", [Script::ends(0).after(GRACE / 2).deaf()]);
        let working = |event: &Event| matches!(event, Event::Output { .. });
        if terminated {
            bed.react(working, Signal::Terminate);
        } else {
            bed.react(working, Signal::Interrupt);
            bed.react(stopping, Signal::Interrupt);
        }
        let told = bed.leap().await;
        assert_eq!((told.outcome(), told.conclusion.abandoned), (Outcome::Interrupted, false));
        for step in [SYNC, "2023.1/cinder/db-sync"] {
            assert_eq!(told.ended(step), Some(Outcome::Interrupted), "{step}");
        }
        let finished = told.ended("2023.1/placement/db-sync");
        assert_eq!(finished, Some(Outcome::Done), "a command that ends well while it is stopped is done");
        let graces: Vec<Duration> = bed
            .runner
            .calls()
            .iter()
            .filter_map(|call| match call {
                Call::Stop(_, grace) => Some(*grace),
                _ => None,
            })
            .collect();
        assert_eq!(graces, [GRACE; 3]);
        assert!(bed.runner.find(&Bed::run()).await.expect("found").is_empty());
        assert_eq!(bed.leap().await.outcome(), Outcome::Done);
    }
}

#[tokio::test(start_paused = true)]
async fn the_third_ctrl_c_leaves_the_commands_running_and_the_same_command_finds_them() {
    let mut bed = Bed::two_by_three();
    bed.runner.on(SYNC, [Script::ends(0).out("working").after(GRACE / 3).deaf().out("finished")]);
    bed.runner.on(DATA, [table(Script::ends(0), 0, 0)]);
    bed.react(|event| matches!(event, Event::Output { .. }), Signal::Interrupt);
    bed.react(stopping, Signal::Interrupt);
    bed.react(stopping, Signal::Interrupt);
    let told = bed.leap().await;
    assert_eq!((told.outcome(), told.conclusion.abandoned), (Outcome::Interrupted, true));
    assert_eq!(told.ended(SYNC), None);
    assert!(told.state.in_doubt().any(|(step, _)| step.to_string() == SYNC), "it is in doubt");
    assert!(told.place(|body| matches!(body, RecordBody::RunEnded { .. })).is_none());
    let found = bed.runner.find(&Bed::run()).await.expect("found");
    assert!(found.iter().any(|task| task.id.step.to_string() == SYNC && task.state == FoundState::Running));

    let again = bed.leap().await;
    assert_eq!(again.outcome(), Outcome::Done);
    let launches = bed.runner.launched().into_iter().filter(|step| step == SYNC).count();
    assert_eq!(launches, 1, "it was never launched beside itself");
    assert!(bed.files()["logs/2023.1/nova/db-sync.2.log"].contains("finished"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_nothing_runs_and_images_are_on_their_way_ends_the_run() {
    let mut bed = Bed::two_by_three();
    bed.runner.misses(image("2023.1", "nova"));
    bed.react(|event| matches!(event, Event::Record(_)), Signal::Interrupt);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Interrupted);
}

#[tokio::test(start_paused = true)]
async fn each_rung_is_told_to_the_operator() {
    let mut bed = Bed::two_by_three();
    bed.runner.on(SYNC, [Script::hangs().deaf().out("working")]);
    bed.react(|event| matches!(event, Event::Output { .. }), Signal::Interrupt);
    bed.react(stopping, Signal::Interrupt);
    bed.react(stopping, Signal::Interrupt);
    let told = bed.leap().await;
    let texts: Vec<&str> = told
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Progress(Progress::Stopping { text }) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(texts.len(), 3);
    for (text, words) in texts.iter().zip(["Ctrl-C again stops", "Ctrl-C again leaves", "the same command finds"]) {
        assert!(text.contains(words), "{text}");
    }
}
