//! A run that was interrupted, and databases that stand where it left them, or do not.

use leapfrog::journal::{Outcome, Record, RecordBody, RunState};
use leapfrog::model::Heads;
use leapfrog::plan::{Plan, reconcile, stands_at_the_end};

use crate::cloud::{Cloud, valid};

/// The state of a run of `plan` in which so many steps of keystone's lanes, taken together, are done.
fn done(plan: &Plan, steps: usize, begun: bool) -> RunState {
    let mut bodies = vec![RecordBody::RunStarted {
        run: valid("20261122-031502-7f3a"),
        cloud: plan.cloud.clone(),
        from: plan.from.clone(),
        to: plan.to.clone(),
        leapfrog: "0.1.0".into(),
        runner: "Scripted 1.0".into(),
        host: "alpha".into(),
        pid: 7,
        unfenced: false,
        images: Default::default(),
    }];
    let mut left = steps;
    'hops: for hop in &plan.hops {
        bodies.push(RecordBody::HopStarted { series: hop.series.clone() });
        for step in hop.lanes.iter().flat_map(|lane| &lane.steps) {
            if left == 0 && !begun {
                break 'hops;
            }
            let (command, adopted) = (None, false);
            bodies.push(RecordBody::StepStarted { step: step.id.clone(), attempt: 1, command, adopted });
            if left == 0 {
                break 'hops;
            }
            left -= 1;
            bodies.push(RecordBody::StepEnded {
                step: step.id.clone(),
                attempt: 1,
                outcome: Outcome::Done,
                seconds: 1.0,
                rows: None,
                evidence: Vec::new(),
                failure: None,
                never_began: false,
            });
        }
        bodies.push(RecordBody::HopEnded { series: hop.series.clone() });
    }
    let records: Vec<Record> = (1..)
        .zip(bodies)
        .map(|(sequence, body)| Record { format: Record::FORMAT, sequence, time: jiff::Timestamp::UNIX_EPOCH, body })
        .collect();
    RunState::of(&records).expect("legal")
}

/// keystone from 2023.1 to 2024.2: three schema steps and a comparison a hop.
fn keystone() -> (Cloud, Plan) {
    let mut cloud = Cloud::at("2023.1");
    cloud.only = vec!["keystone"];
    let plan = cloud.plan().expect("a plan");
    assert_eq!(plan.hops.iter().map(|hop| hop.lanes[0].steps.len()).collect::<Vec<_>>(), [4; 4]);
    (cloud, plan)
}

fn told(cloud: &Cloud, plan: &Plan, state: &RunState) -> String {
    reconcile(plan, state, &cloud.seen, "").iter().map(|refusal| format!("{refusal}\n")).collect()
}

#[test]
fn databases_where_the_run_left_them_are_no_matter() {
    let (mut cloud, plan) = keystone();
    assert_eq!(told(&cloud, &plan, &done(&plan, 0, false)), "", "nothing was begun");
    assert_eq!(told(&cloud, &plan, &done(&plan, 4, false)), "", "hop 1 is complete");
    cloud.stands("keystone", "2023.2");
    assert_eq!(told(&cloud, &plan, &done(&plan, 8, false)), "", "hop 2 is complete");
    assert_eq!(told(&cloud, &plan, &done(&plan, 8, true)), "", "hop 3 was begun and did nothing yet");
}

#[test]
fn a_lane_that_was_cut_off_may_stand_anywhere_on_its_way() {
    let (mut cloud, plan) = keystone();
    let half = Heads::alembic(["11c3b243b4cb", "e25ffa003242"]);
    for (steps, begun) in [(4, true), (5, false), (5, true), (6, false)] {
        let state = done(&plan, steps, begun);
        cloud.shows("keystone", half.clone());
        assert_eq!(told(&cloud, &plan, &state), "", "expanded, {steps} steps done");
        cloud.stands("keystone", "2023.2");
        assert_eq!(told(&cloud, &plan, &state), "", "moved already, {steps} steps done");
        cloud.stands("keystone", "2023.1");
        assert_eq!(told(&cloud, &plan, &state), "", "not moved yet, {steps} steps done");
    }
}

#[test]
fn a_restored_backup_is_told_from_an_interruption() {
    let (mut cloud, plan) = keystone();
    cloud.stands("keystone", "2023.1");
    insta::assert_snapshot!("restored", told(&cloud, &plan, &done(&plan, 8, false)));
}

#[test]
fn a_database_that_shows_nothing_of_a_migration_on_record_is_refused_while_its_lane_is_under_way() {
    let mut cloud = Cloud::at("2023.1");
    cloud.only = vec!["placement"];
    let plan = cloud.plan().expect("a plan");
    let hop = plan.hops.iter().position(|hop| hop.series == valid("2023.2")).expect("on the way");
    let before: usize = plan.hops[..hop].iter().map(|hop| hop.lanes[0].steps.len()).sum();
    let steps = &plan.hops[hop].lanes[0].steps;
    let sync = before + steps.iter().position(|step| step.id.name.as_str() == "db-sync").expect("a schema migration");
    assert!(told(&cloud, &plan, &done(&plan, sync, true)).is_empty(), "it was begun, and may have done nothing");
    // As after a failover to a server that had not got it.
    let lost = told(&cloud, &plan, &done(&plan, sync + 1, false));
    assert!(lost.contains("database placement does not stand where") && lost.contains("(2023.2)"), "{lost}");
    cloud.stands("placement", "2023.2");
    assert_eq!(told(&cloud, &plan, &done(&plan, sync + 1, false)), "");
}

#[test]
fn a_database_at_a_third_release_is_refused_even_while_its_lane_is_under_way() {
    let (mut cloud, plan) = keystone();
    cloud.stands("keystone", "2024.1");
    insta::assert_snapshot!("somebody-went-on", told(&cloud, &plan, &done(&plan, 5, true)));
}

#[test]
fn a_database_that_lost_its_version_is_refused_even_while_its_lane_is_under_way() {
    let (mut cloud, plan) = keystone();
    cloud.shows("keystone", Heads::default());
    assert!(told(&cloud, &plan, &done(&plan, 5, true)).contains("does not stand where"));
}

#[test]
fn a_database_that_moved_before_its_lane_began_is_refused() {
    let (mut cloud, plan) = keystone();
    cloud.stands("keystone", "2023.2");
    assert!(told(&cloud, &plan, &done(&plan, 4, false)).contains("does not stand where"));
}

#[test]
fn a_database_that_does_not_answer_cannot_be_compared() {
    let (mut cloud, plan) = keystone();
    cloud.does_not_answer("keystone");
    insta::assert_snapshot!("interrupted-and-unreachable", told(&cloud, &plan, &done(&plan, 4, false)));
}

#[test]
fn a_complete_run_is_known_by_what_every_database_shows() {
    let (mut cloud, plan) = keystone();
    assert!(!stands_at_the_end(&plan, &cloud.seen));
    cloud.stands("keystone", "2024.2");
    assert!(stands_at_the_end(&plan, &cloud.seen));
    cloud.does_not_answer("keystone");
    assert!(!stands_at_the_end(&plan, &cloud.seen));
}
