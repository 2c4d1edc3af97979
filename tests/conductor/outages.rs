//! What a run needs goes away, and comes back, or does not.

use std::time::Duration;

use leapfrog::conduct::Signal;
use leapfrog::journal::{Event, Evidence, Outcome, Progress, RecordBody};
use leapfrog::model::Effect;
use leapfrog::runner::scripted::Script;

use crate::bed::{Bed, GRACE, Told, drains, heads, image, seen_beginning, table};

const SYNC: &str = "2023.1/nova/db-sync";
const DATA: &str = "2023.1/nova/online-data";
/// How long the bed's settings let an engine be away.
const OUTAGE: Duration = Duration::from_secs(600);

fn notices(events: &[Event]) -> Vec<String> {
    let notice = |event: &Event| match event {
        Event::Progress(Progress::Notice { text }) => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(notice).collect()
}

fn is_waiting(event: &Event) -> bool {
    matches!(event, Event::Progress(Progress::Notice { text }) if text.contains("waiting for it"))
}

/// Has the engine go away after 5 s, while the first commands run, and come back so much later.
fn goes_away_for(bed: &Bed, time: Duration) {
    assert_eq!(20 * GRACE, OUTAGE);
    for service in ["nova", "cinder", "placement"] {
        bed.runner.on(&format!("2023.1/{service}/db-sync"), [Script::ends(0).after(Duration::from_secs(10))]);
    }
    let runner = bed.runner.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        runner.away(true);
        tokio::time::sleep(time).await;
        runner.away(false);
    });
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_gone_for_a_minute_is_waited_for_and_the_operator_knows() {
    let mut bed = Bed::two_by_three();
    goes_away_for(&bed, Duration::from_secs(60));
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    let notices = notices(&told.events);
    assert!(
        notices.iter().any(|text| text.contains("no engine answers") && text.contains("10 m at most")),
        "{notices:?}"
    );
    assert!(notices.iter().any(|text| text.contains("answers again")), "{notices:?}");
    let launched = bed.runner.launched();
    assert_eq!(launched.iter().filter(|step| *step == SYNC).count(), 1, "nothing is launched twice");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_stays_away_fails_the_steps_in_the_end_and_the_same_command_goes_on() {
    let mut bed = Bed::two_by_three();
    goes_away_for(&bed, 3 * OUTAGE);
    let began = tokio::time::Instant::now();
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    let waited = began.elapsed();
    assert!(waited >= OUTAGE && waited < 2 * OUTAGE, "{waited:?}");
    assert!(told.failure(DATA).what.contains("no engine answers"), "{:?}", told.failure(DATA));
    let reminders = told.events.iter().filter(|event| is_waiting(event)).count();
    assert!(reminders >= 9, "told {reminders} times in ten minutes");
    tokio::time::sleep(3 * OUTAGE).await;
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn an_operator_does_not_have_to_wait_for_an_engine() {
    let mut bed = Bed::two_by_three();
    goes_away_for(&bed, 3 * OUTAGE);
    bed.react(|event| seen_beginning(event, DATA), Signal::Interrupt);
    let began = tokio::time::Instant::now();
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Interrupted);
    assert_eq!(told.ended(DATA), Some(Outcome::Interrupted), "it was never launched");
    // What is left of finished containers is swept later.
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_breaks_off_in_mid_pull_is_asked_again() {
    for (away, outcome) in [(Duration::from_secs(90), Outcome::Done), (3 * OUTAGE, Outcome::Failed)] {
        let mut bed = Bed::two_by_three();
        bed.runner.on("2023.1/cinder/db-sync", [Script::ends(0).after(Duration::from_secs(30))]);
        bed.runner.registry_away(true);
        let runner = bed.runner.clone();
        tokio::spawn(async move {
            tokio::time::sleep(away).await;
            runner.registry_away(false);
        });
        let told = bed.leap().await;
        assert_eq!(told.outcome(), outcome, "{away:?}");
        assert!(notices(&told.events).iter().any(|text| text.contains("broke off in mid-pull: waiting")));
        if outcome == Outcome::Failed {
            let failure = told.state.failure.as_ref().expect("the run says what ended it");
            assert!(failure.what.contains("broke off in mid-pull"), "{}", failure.what);
            tokio::time::sleep(3 * OUTAGE).await;
            assert_eq!(bed.leap().await.outcome(), Outcome::Done);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_no_registry_has_is_not_waited_for() {
    let mut bed = Bed::two_by_three();
    bed.runner.misses(image("2023.1", "nova"));
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    assert!(!told.events.iter().any(is_waiting));
}

#[tokio::test(start_paused = true)]
async fn a_round_that_is_ended_from_outside_is_repeated_and_not_for_ever() {
    let [moves, nothing] = drains();
    let mut bed = Bed::two_by_three();
    bed.runner.on(DATA, [moves.clone(), Script::ends(137), moves.clone(), Script::ends(143), nothing.clone()]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    assert_eq!(bed.runner.launched().iter().filter(|step| *step == DATA).count(), 5);
    let step = DATA.parse().expect("valid");
    assert_eq!(told.state.steps[&step].rows, 100, "what both whole rounds moved");
    let says = |event: &Event| matches!(event, Event::Output { text, .. } if text.contains("SIGKILL") && text.contains("repeated"));
    assert!(told.events.iter().any(says), "the operator hears of it");

    let mut bed = Bed::two_by_three();
    bed.runner.on(DATA, [Script::ends(137)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    assert_eq!(bed.runner.launched().iter().filter(|step| *step == DATA).count(), 3);
    assert!(
        told.failure(DATA).what.contains("ended from outside (exit code 137: SIGKILL)"),
        "{:?}",
        told.failure(DATA)
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_that_was_out_of_memory_is_not_tried_again_by_itself() {
    let mut bed = Bed::two_by_three();
    bed.runner.on(DATA, [Script::ends(137).out_of_memory(), table(Script::ends(0), 0, 0)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    let failure = told.failure(DATA);
    assert!(failure.what.contains("want of memory") && failure.advice.contains("--jobs"), "{failure:?}");
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_schema_migration_that_is_ended_from_outside_fails_with_the_cause_and_goes_on_with_the_same_command() {
    let mut bed = Bed::two_by_three();
    bed.runner.on(SYNC, [Script::ends(137), Script::ends(0)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    let failure = told.failure(SYNC);
    assert!(failure.what.contains("SIGKILL") && failure.advice.contains("restarted"), "{failure:?}");
    assert!(told.place(|body| matches!(body, RecordBody::RunEnded { outcome: Outcome::Failed, .. })).is_some());
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
}

/// How often a step's command was launched.
fn launches(bed: &Bed, step: &str) -> usize {
    bed.runner.launched().iter().filter(|launched| *launched == step).count()
}

/// The codes of ends that nobody saw, as they are in the journal.
fn unseen(told: &Told) -> Vec<i64> {
    let pieces = told.records.iter().filter_map(|record| match &record.body {
        RecordBody::StepEnded { evidence, .. } => Some(evidence.iter()),
        _ => None,
    });
    let code = |piece: &Evidence| if let Evidence::EndUnseen { code } = piece { Some(*code) } else { None };
    pieces.flatten().filter_map(code).collect()
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_end_a_killed_engine_does_not_know_begins_again_and_the_journal_says_why() {
    for code in [255, 137, 143] {
        let mut bed = Bed::two_by_three();
        bed.runner.on(SYNC, [Script::ends(code).engine_left(), Script::ends(0)]);
        let told = bed.leap().await;
        assert_eq!((told.outcome(), launches(&bed, SYNC)), (Outcome::Done, 2), "{code}");
        assert_eq!(unseen(&told), [code]);
        let failure = told.failure(SYNC);
        assert!(failure.what.contains("the container engine went away while the command ran"), "{failure:?}");
        assert!(failure.what.contains(&format!("the exit code {code} that the engine tells since")), "{failure:?}");
        assert!(failure.advice.contains("by itself"), "{failure:?}");
        assert!(notices(&told.events).iter().any(|text| text.contains("nobody saw how its command ended")));
        assert_eq!(bed.runner.launched().iter().filter(|step| *step == "2023.1/cinder/db-sync").count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_killed_again_and_again_fails_the_step_in_the_end() {
    let mut bed = Bed::two_by_three();
    bed.runner.on(SYNC, [Script::ends(255).engine_left()]);
    let told = bed.leap().await;
    assert_eq!((told.outcome(), launches(&bed, SYNC)), (Outcome::Failed, 3));
    let failure = told.failure(SYNC);
    assert!(failure.advice.contains("find out what ends the container engine"), "{failure:?}");
    bed.runner.on(SYNC, [Script::ends(0)]);
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn an_exit_code_is_the_command_s_own_while_its_engine_was_there_and_where_no_engine_says_it_by_itself() {
    for script in [Script::ends(255), Script::ends(1).engine_left()] {
        let mut bed = Bed::two_by_three();
        bed.runner.on(SYNC, [script, Script::ends(0)]);
        let told = bed.leap().await;
        assert_eq!((told.outcome(), launches(&bed, SYNC)), (Outcome::Failed, 1));
        assert!(told.failure(SYNC).what.contains("the command failed with exit code"), "{:?}", told.failure(SYNC));
        assert_eq!(unseen(&told), [] as [i64; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_that_a_killed_engine_tells_is_held_against_the_databases_before_anything_is_repeated() {
    // It did nothing: the engine lost how it ended, and says 0.
    let mut bed = Bed::two_by_three().with_schemas();
    let moves = "2023.2/nova/db-sync";
    bed.runner.on(moves, [Script::ends(0).engine_left()]);
    bed.shows("nova", heads("2023.1"));
    let mut told = bed.leap().await;
    assert_eq!((told.outcome(), launches(&bed, moves)), (Outcome::Failed, 3), "{:?}", told.failure(moves));
    assert!(told.failure(moves).what.contains("the databases show no end"), "{:?}", told.failure(moves));
    bed.shows_the_truth("nova");
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);

    // It did its work, and the databases prove it: nothing is run again.
    let mut bed = Bed::two_by_three().with_schemas();
    bed.runner.on(moves, [Script::ends(0).engine_left()]);
    told = bed.leap().await;
    assert_eq!((told.outcome(), launches(&bed, moves)), (Outcome::Done, 1));

    // It did its work, and the engine says 255: the step begins again and finds nothing to do.
    let mut bed = Bed::two_by_three().with_schemas();
    bed.runner.on(moves, [Script::ends(255).engine_left()]);
    told = bed.leap().await;
    assert_eq!((told.outcome(), launches(&bed, moves)), (Outcome::Done, 1));
    assert_eq!(told.ended(moves), Some(Outcome::Skipped));
}

#[tokio::test(start_paused = true)]
async fn a_round_whose_output_a_killed_engine_lost_is_repeated() {
    let [moves, nothing] = drains();
    for lost in [Script::ends(0), Script::ends(255)] {
        let mut bed = Bed::two_by_three();
        bed.runner.on(DATA, [moves.clone(), lost.engine_left(), nothing.clone()]);
        let told = bed.leap().await;
        assert_eq!((told.outcome(), launches(&bed, DATA)), (Outcome::Done, 3));
        let says = |event: &Event| matches!(event, Event::Output { text, .. } if text.contains("went away") && text.contains("repeated"));
        assert!(told.events.iter().any(says), "the operator hears of it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_must_not_be_run_twice_is_not_repeated_for_a_killed_engine() {
    let mut bed = Bed::two_by_three();
    bed.step(SYNC).effect = Effect::Once;
    bed.runner.on(SYNC, [Script::ends(255).engine_left(), Script::ends(0)]);
    for _ in 0..2 {
        assert_eq!((bed.leap().await.outcome(), launches(&bed, SYNC)), (Outcome::Failed, 1));
    }
}
