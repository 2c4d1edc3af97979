//! Plans.

use leapfrog::plan::{self, Action, Plan, Start};

use crate::cloud::Cloud;

fn plan(cloud: &Cloud) -> Plan {
    cloud.plan().unwrap_or_else(|refused| panic!("{refused}: {:?}", refused.0))
}

#[test]
fn seven_services_from_2023_1_to_2024_2() {
    let plan = plan(&Cloud::at("2023.1"));
    insta::assert_snapshot!("seven-services", plan::render(&plan));
    insta::assert_snapshot!("seven-services-brief", plan::render_brief(&plan));
}

#[test]
fn the_plan_is_data_too_and_is_read_back_as_it_was() {
    let mut cloud = Cloud::at("2023.1");
    cloud.to = "2023.2".into();
    cloud.only = vec!["keystone", "nova"];
    let plan = plan(&cloud);
    let json = serde_json::to_string_pretty(&plan).expect("a form in JSON");
    insta::assert_snapshot!("keystone-and-nova-json", json);
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("readable"), plan);
    assert!(!json.contains("Secret99"));
}

#[test]
fn a_cloud_that_is_there_already_completes_its_data_migrations() {
    let mut cloud = Cloud::at("2024.2");
    cloud.from = Start::Auto;
    cloud.only = vec!["cinder", "neutron"];
    insta::assert_snapshot!("already-there", cloud.told());
}

#[test]
fn heads_that_fit_several_releases_are_taken_for_the_earliest_and_the_plan_says_so() {
    let mut cloud = Cloud::at("2024.2");
    cloud.from = Start::Auto;
    cloud.to = "2025.1".into();
    cloud.only = vec!["cinder"];
    insta::assert_snapshot!("several-releases", cloud.told());
}

#[test]
fn the_same_cloud_makes_the_same_plan() {
    let cloud = Cloud::at("2023.1");
    assert_eq!(plan(&cloud), plan(&cloud));
    let mut auto = Cloud::at("2023.1");
    auto.from = Start::Auto;
    assert_eq!(plan(&cloud).hops, plan(&auto).hops);
}

#[test]
fn every_lane_ends_in_a_comparison_of_heads_and_no_step_has_the_name_of_another() {
    let plan = plan(&Cloud::at("2023.1"));
    for hop in &plan.hops {
        for lane in &hop.lanes {
            let last = lane.steps.last().expect("steps");
            let Action::Verify(verification) = &last.action else { panic!("{} ends the lane", last.id) };
            assert_eq!(verification.heads.keys().collect::<Vec<_>>(), lane.standing.keys().collect::<Vec<_>>());
            assert!(lane.steps.is_sorted_by_key(|step| step.phase), "{}: phases in order", lane.service);
        }
    }
    let mut ids: Vec<String> = plan.steps().map(|(_, _, step)| step.id.to_string()).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all);
}
