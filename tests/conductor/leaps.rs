//! Leaps that succeed, and leaps of which a part fails.

use std::time::Duration;

use leapfrog::journal::{Event, Evidence, Outcome, Progress, RecordBody};
use leapfrog::runner::FoundState;
use leapfrog::runner::scripted::{Call, Script};

use crate::bed::{Bed, Told, begins, drains, ends, fetched_at, heads, hop_ends, image, table};

const HOUR: Duration = Duration::from_secs(3600);

/// Every step is done, and none of hop 2 began before hop 1 ended, which was after each of its steps.
fn in_order(told: &Told) {
    let first = told.place(|body| hop_ends(body, "2023.1")).expect("hop 1 ended");
    assert!(told.places(|body| begins(body, "2023.2/")).iter().all(|place| *place > first));
    assert!(told.places(|body| ends(body, "2023.1/")).iter().all(|place| *place < first));
    assert_eq!(told.places(|body| ends(body, "2023.1/")).len(), 9);
    assert_eq!(told.places(|body| ends(body, "2023.2/")).len(), 9);
    assert!(told.state.steps.values().all(|step| step.outcome == Some(Outcome::Done)));
    assert!(told.state.is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_leap_of_two_hops_and_three_lanes_takes_no_step_of_a_hop_before_every_lane_of_the_last_is_complete() {
    for jobs in [1, 2, 8] {
        let mut bed = Bed::two_by_three();
        bed.jobs = jobs;
        for (step, hours) in [("2023.1/cinder/db-sync", 5), ("2023.1/nova/db-sync", 1), ("2023.1/placement/db-sync", 2)]
        {
            bed.runner.on(step, [Script::ends(0).after(HOUR * hours).out("done")]);
        }
        let told = bed.leap().await;
        assert_eq!(told.outcome(), Outcome::Done);
        in_order(&told);
        assert_eq!(bed.runner.most_at_once(), jobs.min(3), "{jobs} jobs");
        let left = leapfrog::runner::Runner::find(&bed.runner, &Bed::run()).await.expect("found");
        assert!(left.is_empty(), "every container is removed when the run ends: {left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn within_a_lane_the_steps_follow_the_plan_and_each_says_what_proves_it() {
    let mut bed = Bed::two_by_three();
    let told = bed.leap().await;
    for service in ["cinder", "nova", "placement"] {
        let place = |step: &str| told.place(|body| ends(body, &format!("2023.1/{service}/{step}"))).expect("ended");
        assert!(place("db-sync") < place("online-data") && place("online-data") < place("verify-heads"));
    }
    let evidence = told.records.iter().filter_map(|record| match &record.body {
        RecordBody::StepEnded { evidence, .. } => Some(evidence),
        _ => None,
    });
    for evidence in evidence {
        assert!(!evidence.is_empty(), "no success without evidence");
    }
    let rows: Vec<u64> = told.state.steps.values().map(|step| step.rows).filter(|rows| *rows > 0).collect();
    assert_eq!(rows, [50; 6]);
}

#[tokio::test(start_paused = true)]
async fn a_failing_lane_stops_alone_and_the_same_command_goes_on_once_the_cause_is_mended() {
    let mut bed = Bed::two_by_three();
    bed.runner.on("2023.1/nova/db-sync", [Script::ends(1).err("No space left on device"), Script::ends(0)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    for step in ["2023.1/cinder/verify-heads", "2023.1/placement/verify-heads"] {
        assert_eq!(told.ended(step), Some(Outcome::Done), "{step}: the other lanes finish their hop");
    }
    assert_eq!(told.ended("2023.1/nova/online-data"), None, "nothing follows the failed step in its lane");
    assert!(told.place(|body| begins(body, "2023.2/")).is_none(), "nothing of the next hop begins");
    let failure = told.failure("2023.1/nova/db-sync");
    assert_eq!((failure.exit, &failure.last_lines[..]), (Some(1), &["No space left on device".to_owned()][..]));
    assert_eq!(failure.log.as_deref(), Some("logs/2023.1/nova/db-sync.1.log"));
    assert!(bed.files()["logs/2023.1/nova/db-sync.1.log"].contains("No space left on device"));
    assert!(failure.advice.contains("run the same command again"));

    let again = bed.leap().await;
    assert_eq!(again.outcome(), Outcome::Done);
    in_order_apart_from_retries(&again);
    let launched = bed.runner.launched();
    let times = |step: &str| launched.iter().filter(|launched| *launched == step).count();
    assert_eq!((times("2023.1/nova/db-sync"), times("2023.1/cinder/db-sync")), (2, 1));
}

fn in_order_apart_from_retries(told: &Told) {
    let first = told.place(|body| hop_ends(body, "2023.1")).expect("hop 1 ended");
    assert!(told.places(|body| begins(body, "2023.2/")).iter().all(|place| *place > first));
    assert!(told.state.is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_command_that_says_success_while_the_database_does_not_show_it_has_failed() {
    let mut bed = Bed::two_by_three();
    bed.shows("cinder", heads("2022.2"));
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    let failure = told.failure("2023.1/cinder/verify-heads");
    assert!(failure.what.contains("cinder stands at head-of-2022.2, not at head-of-2023.1"), "{}", failure.what);
    assert!(told.place(|body| begins(body, "2023.2/")).is_none());
    bed.shows_the_truth("cinder");
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_text_that_means_failure_outranks_exit_code_0() {
    let mut bed = Bed::two_by_three();
    let hidden = Script::ends(0).err("ERROR Error attempting to run <function migrate_a>").out("all done");
    bed.runner.on("2023.1/nova/db-sync", [hidden]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    let failure = told.failure("2023.1/nova/db-sync");
    assert!(failure.what.contains("whatever its exit code 0 says: ERROR Error attempting to run"), "{}", failure.what);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_cannot_be_started_or_is_lost_fails_its_step_and_nothing_else() {
    let mut bed = Bed::two_by_three();
    bed.runner.on("2023.1/nova/db-sync", [Script::refused("no room left"), Script::ends(0)]);
    bed.runner.on("2023.1/cinder/db-sync", [Script::lost("somebody removed it").out("half-way"), Script::ends(0)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    let refused = told.failure("2023.1/nova/db-sync");
    assert_eq!((refused.what.as_str(), refused.exit, refused.log.as_deref()), ("no room left", None, None));
    let lost = told.failure("2023.1/cinder/db-sync");
    assert_eq!((lost.what.as_str(), &lost.last_lines[..]), ("somebody removed it", &["half-way".to_owned()][..]));
    assert_eq!(lost.log.as_deref(), Some("logs/2023.1/cinder/db-sync.1.log"));
    assert_eq!(told.ended("2023.1/placement/verify-heads"), Some(Outcome::Done));
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_the_kernel_killed_for_memory_is_told_from_one_that_failed() {
    let mut bed = Bed::two_by_three();
    bed.runner.on("2023.1/nova/db-sync", [Script::ends(137).out_of_memory()]);
    let told = bed.leap().await;
    assert!(told.failure("2023.1/nova/db-sync").what.contains("want of memory"));
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_missing_for_a_later_hop_lets_the_first_one_finish() {
    for missing in [true, false] {
        let mut bed = Bed::two_by_three();
        if missing {
            bed.runner.misses(image("2023.2", "nova"));
        } else {
            bed.runner.lacks(image("2023.2", "nova"), &["nova-manage"]);
        }
        let told = bed.leap().await;
        assert_eq!(told.outcome(), Outcome::Failed);
        assert!(told.place(|body| hop_ends(body, "2023.1")).is_some());
        assert_eq!(told.ended("2023.2/cinder/verify-heads"), Some(Outcome::Done), "lanes with an image go on");
        assert!(told.place(|body| begins(body, "2023.2/nova/")).is_none());
        let failure = told.state.failure.as_ref().expect("the run says what ended it");
        let expected = if missing { "has no image registry.example/nova:2023.2" } else { "has no nova-manage" };
        assert!(failure.what.contains(expected), "{}", failure.what);
        assert!(told.events.iter().any(|event| matches!(event, Event::Progress(Progress::NotFetched { .. }))));
    }
}

#[tokio::test(start_paused = true)]
async fn the_images_of_the_next_hop_arrive_while_this_one_works() {
    let mut bed = Bed::two_by_three();
    bed.runner.on("2023.1/nova/db-sync", [Script::ends(0).after(HOUR)]);
    assert_eq!(bed.leap().await.outcome(), Outcome::Done);
    let calls = bed.runner.calls();
    let launched = |of: &str| {
        let place = |call: &Call| matches!(call, Call::Launch(task) if task.id.step.to_string() == of);
        calls.iter().position(place).expect("launched")
    };
    for service in ["cinder", "nova", "placement"] {
        let next = fetched_at(&calls, &image("2023.2", service)).expect("fetched");
        assert!(next < launched("2023.1/nova/online-data"), "{service} is here before hop 1 ends");
        assert!(fetched_at(&calls, &image("2023.1", service)) < Some(next), "nearer images come first");
    }
    assert_eq!(calls.iter().filter(|call| matches!(call, Call::Fetch(_))).count(), 6, "each image is fetched once");
}

#[tokio::test(start_paused = true)]
async fn a_lane_does_not_wait_for_the_images_of_others() {
    let mut bed = Bed::two_by_three();
    bed.runner.misses(image("2023.1", "nova"));
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    assert_eq!(told.ended("2023.1/cinder/verify-heads"), Some(Outcome::Done));
    assert!(told.state.failure.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_command_that_leapfrog_lost_sight_of_is_watched_again_and_not_launched_beside_itself() {
    let mut bed = Bed::two_by_three();
    bed.runner.on("2023.1/nova/db-sync", [Script::lost("the engine was away for 600 s")]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Failed);
    // It works on, though its step was called failed.
    let step = "2023.1/nova/db-sync".parse().expect("valid");
    bed.leave(&step, 1, 1, FoundState::Running, Script::ends(0).after(HOUR).out("created 7 tables"));
    let again = bed.leap().await;
    assert_eq!(again.outcome(), Outcome::Done);
    let launched = bed.runner.launched();
    assert_eq!(launched.iter().filter(|launched| **launched == step.to_string()).count(), 1);
    let adopted =
        again.place(|body| matches!(body, RecordBody::StepStarted { step: of, adopted: true, .. } if *of == step));
    assert!(adopted.is_some());
    assert!(bed.files()["logs/2023.1/nova/db-sync.2.log"].contains("created 7 tables"));
}

#[tokio::test(start_paused = true)]
async fn every_round_has_a_record_a_log_and_a_container_of_its_own() {
    let mut bed = Bed::new(&["2023.1"], &["nova"]);
    bed.runner.on("2023.1/nova/online-data", [drains()[0].clone(), drains()[0].clone(), table(Script::ends(0), 0, 0)]);
    let told = bed.leap().await;
    assert_eq!(told.outcome(), Outcome::Done);
    assert_eq!(told.places(|body| matches!(body, RecordBody::RoundEnded { .. })).len(), 3);
    let evidence = told.records.iter().find_map(|record| match &record.body {
        RecordBody::StepEnded { evidence, rows: Some(100), .. } => Some(evidence.clone()),
        _ => None,
    });
    assert!(evidence.expect("100 rows moved").contains(&Evidence::NothingLeft { round: 3 }));
    for round in 1..=3 {
        assert!(bed.files().contains_key(&format!("logs/2023.1/nova/online-data.1.{round}.log")));
    }
}
