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
fn every_lane_ends_in_a_comparison_of_heads_and_the_next_releases_checks_and_no_step_has_the_name_of_another() {
    let plan = plan(&Cloud::at("2023.1"));
    for (hop, next) in plan.hops.iter().zip(plan.hops.iter().skip(1).map(Some).chain([None])) {
        for lane in &hop.lanes {
            let mut steps = lane.steps.clone();
            if ["cinder", "placement"].contains(&lane.service.as_str())
                && let Some(next) = next
            {
                let last = steps.pop().expect("steps");
                let Action::Check(checks) = &last.action else { panic!("{} ends the lane", last.id) };
                assert_eq!((&checks.release, last.effect), (&next.series, leapfrog::model::Effect::ReadOnly));
                let theirs = next.lanes.iter().find(|other| other.service == lane.service).expect("its lane");
                assert_eq!(checks.image, theirs.image, "{}", last.id);
            }
            let last = steps.last().expect("steps");
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

#[test]
fn novas_cells_are_worked_on_side_by_side_each_stage_after_the_one_before() {
    let mut cloud = Cloud::at("2023.1");
    cloud.only = vec!["nova"];
    let plan = plan(&cloud);
    let stages: Vec<Vec<String>> =
        plan.hops[1].lanes[0].stages().map(|stage| stage.iter().map(|step| step.id.short()).collect()).collect();
    let cells = |name: &str, cells: [&str; 3]| cells.map(|cell| format!("{name}@{cell}")).to_vec();
    let expected = [
        vec!["api-db-sync".to_owned()],
        cells("db-sync", ["cell0", "cell1", "cell2"]),
        cells("online-data-migrations", ["cell1", "cell2", "cell0"]),
        vec!["verify-heads".to_owned()],
    ];
    assert_eq!(stages, expected);
    for lane in plan.hops.iter().flat_map(|hop| &hop.lanes) {
        let drains = lane.steps.iter().filter_map(|step| match &step.action {
            Action::Drain(migration) => Some(migration.takes_turns),
            _ => None,
        });
        assert!(drains.eq([true; 3]));
        let walked = lane.common_rows.iter().flat_map(|common| &common.databases);
        let walked: std::collections::BTreeSet<String> = walked.map(ToString::to_string).collect();
        assert_eq!(Vec::from_iter(walked), ["nova.api", "nova.cell0", "nova.cells.cell1", "nova.cells.cell2"]);
    }
}

#[test]
fn without_skipping_every_schema_migration_is_run_and_the_plan_says_so() {
    let mut cloud = Cloud::at("2023.1");
    let skipping = plan(&cloud);
    assert!(plan::render(&skipping).contains("(skipped: at the release's heads)"));
    cloud.no_skip = true;
    let running = plan(&cloud);
    let text = plan::render(&running);
    assert!(!text.contains("(skipped") && text.contains("every schema migration is run"), "{text}");
    assert!(running.steps().all(|(_, _, step)| !step.may_be_skipped()));
    let ids = |plan: &Plan| plan.steps().map(|(_, _, step)| step.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&skipping), ids(&running));
}

#[test]
fn a_step_that_will_find_its_branch_done_is_foreseen_where_the_image_says_which_head_is_whose() {
    let mut cloud = Cloud::at("2023.2");
    cloud.only = vec!["keystone"];
    let mut plan = plan(&cloud);
    // keystone 2024.1 moves its expand branch only.
    let lane = &mut plan.hops[1].lanes[0];
    let idle = |lane: &plan::Lane| lane.idle_steps().iter().map(|step| step.short()).collect::<Vec<_>>();
    assert!(idle(lane).is_empty(), "the release file does not know whose head moves");
    let Action::Run(expand) = &mut lane.steps[0].action else { panic!("a command") };
    for target in expand.schema.iter_mut().flat_map(|schema| schema.databases.values_mut()) {
        target.reaches = ["47147121".to_owned()].into();
    }
    assert_eq!(idle(lane), ["db-contract", "db-migrate"]);
}
