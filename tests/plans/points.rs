//! Restore points in a plan.

use leapfrog::model::{Effect, Phase, PointPolicy, PointProof, Points};
use leapfrog::plan::{self, Plan};

use super::cloud::Cloud;

fn plan_with(policy: PointPolicy) -> Plan {
    let mut cloud = Cloud::at("2023.1");
    cloud.only = vec!["nova", "placement"];
    cloud.to = "2024.1".into();
    cloud.points = Points { policy, proof: PointProof::Full };
    cloud.plan().expect("a plan")
}

fn saves(plan: &Plan) -> Vec<String> {
    plan.steps().filter(|(.., step)| step.saves().is_some()).map(|(.., step)| step.id.to_string()).collect()
}

#[test]
fn every_database_is_saved_before_anything_else_of_its_lane_in_every_hop() {
    let plan = plan_with(PointPolicy::EveryHop);
    for hop in &plan.hops {
        for lane in &hop.lanes {
            let (saves, rest) = lane.steps.split_at(lane.standing.len());
            assert!(saves.iter().all(|step| step.phase == Phase::Save && step.effect == Effect::ReadOnly));
            assert!(saves.iter().skip(1).all(|step| step.beside), "they run side by side");
            assert!(!rest.is_empty() && rest.iter().all(|step| step.saves().is_none()));
            let saved: Vec<_> = saves.iter().filter_map(|step| step.saves()).map(|saved| &saved.database).collect();
            assert_eq!(saved, lane.standing.keys().collect::<Vec<_>>());
            assert_eq!(lane.stages().next().map(<[_]>::len), Some(saves.len()), "a stage of their own");
        }
    }
    assert_eq!(saves(&plan).len(), 3 * 5, "three hops, four databases of nova and one of placement");
    assert!(saves(&plan).contains(&"2023.2/nova/restore-point@cell1".to_owned()));
    assert!(saves(&plan).contains(&"2023.2/placement/restore-point".to_owned()));
    let text = plan::render(&plan);
    assert!(text.contains("a restore point of each database is taken before each release"), "{text}");
    assert!(text.contains("dumped, brought back into a scratch database, compared"), "{text}");
}

#[test]
fn start_saves_before_the_first_hop_alone_and_none_saves_nothing() {
    let plan = plan_with(PointPolicy::Start);
    assert_eq!(saves(&plan).len(), 5);
    assert!(saves(&plan).iter().all(|step| step.starts_with("2023.1/")));
    assert_eq!(saves(&plan_with(PointPolicy::None)), Vec::<String>::new());
}
