//! Which records may follow which.

use proptest::prelude::*;

use super::legal::{numbered, run, started};
use crate::journal::{Outcome, Record, RecordBody, RunState};
use crate::model::Verdict;

fn valid<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("valid")
}

fn hop(series: &str) -> RecordBody {
    RecordBody::HopStarted { series: valid(series) }
}

fn hop_ended(series: &str) -> RecordBody {
    RecordBody::HopEnded { series: valid(series) }
}

fn begin(step: &str, attempt: u32) -> RecordBody {
    RecordBody::StepStarted { step: valid(step), attempt, command: None, adopted: false }
}

fn round(step: &str, attempt: u32, round: u32) -> RecordBody {
    RecordBody::RoundEnded {
        step: valid(step),
        attempt,
        round,
        exit: 1,
        verdict: Verdict::More,
        count: None,
        counts: Vec::new(),
        seconds: 1.0,
    }
}

fn end(step: &str, attempt: u32, outcome: Outcome) -> RecordBody {
    let (rows, evidence, failure) = (None, Vec::new(), None);
    RecordBody::StepEnded {
        step: valid(step),
        attempt,
        outcome,
        seconds: 1.0,
        rows,
        evidence,
        failure,
        never_began: false,
    }
}

fn over(outcome: Outcome) -> RecordBody {
    RecordBody::RunEnded { outcome, failure: None }
}

fn resumed() -> RecordBody {
    RecordBody::RunResumed { leapfrog: "0.1.0".into(), host: "alpha".into(), pid: 9, unfenced: false }
}

/// What is said against the last of `bodies`, the ones before it being legal after the first record.
fn refusal(bodies: Vec<RecordBody>) -> String {
    let mut records = numbered(std::iter::once(started()).chain(bodies).collect());
    let last = records.pop().expect("a record");
    let mut state = RunState::of(&records).expect("the records before it are legal");
    let before = state.clone();
    let error = state.apply(&last).expect_err("refused");
    assert_eq!(state, before, "a refused record changes nothing");
    assert_eq!(error.sequence, last.sequence);
    error.to_string()
}

fn said(step: &str, attempt: u32, outcome: Outcome) -> RecordBody {
    let (by, host, note, evidence) = ("alice".into(), "alpha".into(), Some("looked".into()), Vec::new());
    RecordBody::StepResolved { step: valid(step), attempt, outcome, by, host, note, evidence }
}

const A: &str = "2023.1/nova/db-sync";
const B: &str = "2023.2/nova/db-sync";

#[test]
fn no_step_begins_before_the_hop_before_its_own_is_complete() {
    assert!(refusal(vec![hop("2023.1"), begin(B, 1)]).contains("began outside its hop"));
    assert!(refusal(vec![begin(A, 1)]).contains("began outside its hop"));
    assert!(refusal(vec![hop("2023.1"), begin(A, 1), hop("2023.2")]).contains("before hop 2023.1 ended"));
    assert!(refusal(vec![hop("2023.1"), begin(A, 1), hop_ended("2023.1")]).contains("before step 2023.1/nova/db-sync"));
    let failed = vec![hop("2023.1"), begin(A, 1), end(A, 1, Outcome::Failed), hop_ended("2023.1")];
    assert!(refusal(failed).contains("was done"));
    assert!(refusal(vec![hop("2023.1"), hop_ended("2023.1"), begin(A, 1)]).contains("outside its hop"));
}

#[test]
fn hops_go_forwards_and_end_once() {
    let there = || vec![hop("2023.2"), hop_ended("2023.2")];
    let after = |body: RecordBody| refusal(there().into_iter().chain([body]).collect());
    assert!(after(hop("2023.1")).contains("after a later one"));
    assert!(after(hop("2023.2")).contains("after a later one"));
    assert!(after(hop_ended("2023.2")).contains("had not begun"));
    assert!(refusal(vec![hop("2023.1"), hop_ended("2023.2")]).contains("had not begun"));
}

#[test]
fn a_done_step_is_never_begun_again_and_a_running_one_not_beside_itself() {
    let done = [hop("2023.1"), begin(A, 1), end(A, 1, Outcome::Done)];
    let again = |more: Vec<RecordBody>| refusal(done.iter().cloned().chain(more).collect());
    assert!(again(vec![begin(A, 2)]).contains("was done before it began again"));
    assert!(again(vec![resumed(), begin(A, 2)]).contains("was done before it began again"));
    assert!(refusal(vec![hop("2023.1"), begin(A, 1), begin(A, 2)]).contains("while it was running"));
    assert!(refusal(vec![hop("2023.1"), begin(A, 2)]).contains("out of turn"));
    assert!(refusal(vec![hop("2023.1"), begin(A, 1), resumed(), begin(A, 1)]).contains("out of turn"));
}

#[test]
fn rounds_and_ends_belong_to_the_attempt_that_runs_and_come_in_turn() {
    let runs = |more: Vec<RecordBody>| refusal([hop("2023.1"), begin(A, 1)].into_iter().chain(more).collect());
    assert!(runs(vec![round(A, 1, 2)]).contains("round 2"));
    assert!(runs(vec![round(A, 1, 1), round(A, 1, 1)]).contains("round 1"));
    assert!(runs(vec![round(A, 2, 1)]).contains("was not running"));
    assert!(runs(vec![end(A, 1, Outcome::Stuck), round(A, 1, 1)]).contains("was not running"));
    assert!(runs(vec![end(A, 1, Outcome::Done), end(A, 1, Outcome::Done)]).contains("was not running"));
    assert!(runs(vec![end(A, 2, Outcome::Done)]).contains("was not running"));
    assert!(runs(vec![round(A, 1, 1), resumed(), begin(A, 2), round(A, 2, 2)]).contains("round 2"));
}

#[test]
fn a_run_begins_once_ends_with_every_hop_and_rests_until_it_is_resumed() {
    assert!(refusal(vec![started()]).contains("begins once"));
    assert!(refusal(vec![over(Outcome::Done)]).contains("with an open hop"));
    assert!(refusal(vec![hop("2023.1"), over(Outcome::Done)]).contains("with an open hop"));
    assert!(refusal(vec![over(Outcome::Failed), hop("2023.1")]).contains("was not resumed"));
    assert!(refusal(vec![hop("2023.1"), hop_ended("2023.1"), over(Outcome::Done), resumed()]).contains("was complete"));
    let mut state = RunState::default();
    let [record] = &numbered(vec![resumed()])[..] else { panic!("one record") };
    assert!(state.apply(record).expect_err("refused").to_string().contains("with its first record"));
}

#[test]
fn only_a_step_that_is_not_complete_can_be_spoken_for_and_only_as_done_or_failed() {
    let speak = |before: Vec<RecordBody>, word: RecordBody| {
        refusal([hop("2023.1"), begin(A, 1)].into_iter().chain(before).chain([word]).collect())
    };
    for outcome in [Outcome::Interrupted, Outcome::Skipped, Outcome::Stuck] {
        assert!(speak(vec![], said(A, 1, outcome)).contains("in a way that nobody can see"));
    }
    assert!(speak(vec![], said(A, 2, Outcome::Done)).contains("was not in doubt"));
    assert!(speak(vec![], said("2023.1/nova/other", 1, Outcome::Done)).contains("was not in doubt"));
    assert!(speak(vec![end(A, 1, Outcome::Done)], said(A, 1, Outcome::Failed)).contains("was not in doubt"));
    assert!(speak(vec![said(A, 1, Outcome::Done)], said(A, 1, Outcome::Failed)).contains("was not in doubt"));
    let state = |bodies: Vec<RecordBody>| {
        let bodies = [started(), hop("2023.1"), begin(A, 1)].into_iter().chain(bodies).collect();
        RunState::of(&numbered(bodies)).expect("legal").steps[&valid(A)].clone()
    };
    assert!(state(vec![]).may_have_worked() && state(vec![end(A, 1, Outcome::Failed)]).may_have_worked());
    let failed = state(vec![end(A, 1, Outcome::Failed), over(Outcome::Failed), said(A, 1, Outcome::Failed)]);
    assert!(!failed.may_have_worked() && !failed.is_complete() && failed.resolved);
    assert!(state(vec![said(A, 1, Outcome::Failed), said(A, 1, Outcome::Done)]).is_complete(), "a second look");
    // Begun again, it is in doubt again.
    assert!(state(vec![said(A, 1, Outcome::Failed), resumed(), begin(A, 2)]).may_have_worked());
}

#[test]
fn a_record_of_a_later_leapfrog_is_passed_over() {
    let records = numbered(vec![started(), hop("2023.1"), RecordBody::Unknown, begin(A, 1)]);
    assert_eq!(RunState::of(&records).expect("legal").sequence, 4);
}

proptest! {
    #[test]
    fn every_legal_run_folds_and_folding_it_again_ends_in_the_same_state(records in run()) {
        let state = RunState::of(&records).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&RunState::of(&records), &Ok(state.clone()));
        prop_assert_eq!(state.sequence, records.len() as u64);
        let done = records.iter().filter(|r| matches!(r.body, RecordBody::StepEnded { outcome: Outcome::Done, .. }));
        prop_assert_eq!(state.steps.keys().filter(|step| state.is_done(step)).count(), done.count());
        let whole = records.last().is_some_and(|r| matches!(r.body, RecordBody::RunEnded { outcome: Outcome::Done, .. }));
        prop_assert_eq!(state.is_complete(), whole);
        if whole {
            prop_assert_eq!(state.in_doubt().count(), 0);
            prop_assert!(state.open_hop().is_none());
        }
    }

    #[test]
    fn a_clock_that_jumps_changes_nothing_but_times(
        records in run(), times in proptest::collection::vec(crate::journal::arbitrary::time(), 1..9),
    ) {
        let jumped: Vec<Record> = records
            .iter()
            .zip(times.iter().cycle())
            .map(|(record, time)| Record { time: *time, ..record.clone() })
            .collect();
        let timeless = |records: &[Record]| {
            RunState::of(records).map(|mut state| {
                let never = jiff::Timestamp::UNIX_EPOCH;
                state.last = None;
                state.start.iter_mut().for_each(|start| start.time = never);
                state.steps.values_mut().for_each(|step| step.began = never);
                state.hops.iter_mut().for_each(|hop| {
                    hop.began = never;
                    hop.ended = hop.ended.map(|_| never);
                });
                state
            })
        };
        prop_assert_eq!(timeless(&jumped), timeless(&records));
    }

    #[test]
    fn a_record_that_is_left_out_or_repeated_is_noticed(records in run(), at in any::<prop::sample::Index>()) {
        let at = at.index(records.len());
        let mut repeated = records.clone();
        repeated.insert(at, records[at].clone());
        prop_assert!(RunState::of(&repeated).is_err());
        let mut short: Vec<Record> = records.clone();
        short.remove(at);
        prop_assert!(at + 1 == records.len() || RunState::of(&short).is_err());
    }
}
