//! Steps that must not be run twice: what their containers and a word of the operator decide.

use leapfrog::journal::{Journal, Outcome, Record, RecordBody, RunState};
use leapfrog::model::{Effect, StepId};
use leapfrog::runner::scripted::{Call, Script};
use leapfrog::runner::{FoundState, Runner};

use crate::bed::{Bed, valid};

const ONCE: &str = "2023.1/nova/db-sync";

/// A leap with a step that must not be run twice, and its records up to the beginning of that step.
async fn cut_off() -> (Bed, Vec<Record>) {
    let mut bed = Bed::two_by_three();
    bed.step(ONCE).effect = Effect::Once;
    let whole = bed.leap().await;
    assert_eq!(whole.outcome(), Outcome::Done, "once is no obstacle");
    let begun =
        |record: &Record| matches!(&record.body, RecordBody::StepStarted { step, .. } if step.to_string() == ONCE);
    let at = whole.records.iter().position(begun).expect("begun") + 1;
    (bed, whole.records[..at].to_vec())
}

fn launches(bed: &Bed) -> usize {
    bed.runner.launched().iter().filter(|step| *step == ONCE).count()
}

/// Says how the step ended.
fn say(bed: &Bed, outcome: Outcome) {
    let (mut journal, contents) = Journal::open(&bed.directory).expect("a journal");
    let attempt = contents.state.steps[&valid::<StepId>(ONCE)].attempt;
    let body = RecordBody::StepResolved {
        step: valid(ONCE),
        attempt,
        outcome,
        by: "alice".into(),
        host: "alpha".into(),
        note: None,
        evidence: Vec::new(),
    };
    journal.append(jiff::Timestamp::now(), body).expect("legal");
}

#[tokio::test(start_paused = true)]
async fn its_lane_halts_if_nobody_saw_its_end_and_the_others_finish_their_hop() {
    let (bed, records) = cut_off().await;
    let mut gone = bed.after_death(&records);
    for _ in 0..2 {
        let told = gone.leap().await;
        assert_eq!((told.outcome(), launches(&gone)), (Outcome::Failed, 0));
        let failure = told.state.failure.expect("it says why");
        assert!(failure.what.contains("must not be run twice, and nobody saw how it ended"), "{failure:?}");
        assert!(failure.advice.contains("leapfrog resolve 2023.1/nova/db-sync --as done"), "{failure:?}");
        assert_eq!(told.state.steps.len(), 7, "the other lanes finish their hop");
    }
}

#[tokio::test(start_paused = true)]
async fn its_container_decides_where_it_is_there() {
    let (bed, records) = cut_off().await;
    for state in [FoundState::Running, FoundState::Ended] {
        let mut there = bed.after_death(&records);
        there.leave(&valid(ONCE), 1, 1, state, Script::ends(0));
        assert_eq!(there.leap().await.outcome(), Outcome::Done, "{state:?}: its end can be seen");
        assert_eq!(launches(&there), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_never_started_shows_that_nothing_was_done_once_it_is_gone() {
    let (bed, records) = cut_off().await;
    let mut there = bed.after_death(&records);
    there.leave(&valid(ONCE), 1, 1, FoundState::NeverStarted, Script::ends(0));
    let told = there.leap().await;
    assert_eq!((told.outcome(), launches(&there)), (Outcome::Done, 1));
    let calls = there.runner.calls();
    let place = |pick: &dyn Fn(&Call) -> bool| calls.iter().position(pick).expect("called");
    let removed = place(&|call| matches!(call, Call::Reap(task) if task.step.to_string() == ONCE && task.attempt == 1));
    let launched = place(&|call| matches!(call, Call::Launch(task) if task.id.step.to_string() == ONCE));
    assert!(removed < launched, "it could have been started beside its successor");
}

#[tokio::test(start_paused = true)]
async fn the_word_of_the_operator_decides_where_nothing_else_does() {
    let (bed, records) = cut_off().await;
    for (word, launched) in [(Outcome::Done, 0), (Outcome::Failed, 1)] {
        let mut gone = bed.after_death(&records);
        assert_eq!(gone.leap().await.outcome(), Outcome::Failed);
        say(&gone, word);
        let told = gone.leap().await;
        assert_eq!((told.outcome(), launches(&gone)), (Outcome::Done, launched), "{word:?}");
        assert!(told.state.in_doubt().next().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_a_loss_or_a_stop_lets_it_begin_again_only_after_a_word() {
    let scripts = [Script::ends(1), Script::lost("it was pruned"), Script::hangs().out("works")];
    for (number, script) in scripts.into_iter().enumerate() {
        let mut bed = Bed::two_by_three();
        bed.step(ONCE).effect = Effect::Once;
        bed.runner.on(ONCE, [script, Script::ends(0)]);
        if number == 2 {
            let works = |event: &leapfrog::journal::Event| matches!(event, leapfrog::journal::Event::Output { step, .. } if step.to_string() == ONCE);
            bed.react(works, leapfrog::conduct::Signal::Terminate);
        }
        assert_ne!(bed.leap().await.outcome(), Outcome::Done);
        let halted = bed.leap().await;
        assert_eq!((halted.outcome(), launches(&bed)), (Outcome::Failed, 1), "script {number}");
        let failure = halted.state.failure.expect("it says why");
        assert!(failure.what.contains("it did not end well"), "{failure:?}");
        say(&bed, Outcome::Failed);
        assert_eq!((bed.leap().await.outcome(), launches(&bed)), (Outcome::Done, 2), "script {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_launch_that_is_refused_is_no_beginning() {
    let mut bed = Bed::two_by_three();
    bed.step(ONCE).effect = Effect::Once;
    bed.runner.on(ONCE, [Script::refused("no room left"), Script::ends(0)]);
    let told = bed.leap().await;
    let state = RunState::of(&told.records).expect("legal").steps[&valid(ONCE)].clone();
    assert!(told.outcome() == Outcome::Failed && state.never_began && !state.may_have_worked());
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
    assert!(bed.runner.find(&Bed::run()).await.expect("found").is_empty());
}
