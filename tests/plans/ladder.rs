//! Long ways: from Newton on, past every stop that cannot be left out.

use leapfrog::model::Heads;
use leapfrog::plan::{self, Action, Plan, Start, Stops};
use proptest::prelude::*;

use crate::cloud::{Cloud, valid};

/// A cloud at `from` that is to go to `to`.
fn cloud(from: &str, to: &str) -> Cloud {
    let mut cloud = Cloud::whole(from);
    cloud.to = to.into();
    cloud
}

fn plan(cloud: &Cloud) -> Plan {
    cloud.plan().unwrap_or_else(|refused| panic!("{refused}: {:?}", refused.0))
}

fn stops(plan: &Plan) -> String {
    plan.hops.iter().map(|hop| hop.series.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn train_to_2026_2() {
    insta::assert_snapshot!("train-to-2026.2", cloud("train", "2026.2").told());
}

#[test]
fn newton_to_queens_before_placement_is_a_service() {
    insta::assert_snapshot!("newton-to-queens", cloud("newton", "queens").told());
}

#[test]
fn yoga_to_2024_1() {
    insta::assert_snapshot!("yoga-to-2024.1", cloud("yoga", "2024.1").told());
}

#[test]
fn from_2023_1_to_2026_1_at_every_release_and_from_slurp_to_slurp() {
    let mut cloud = cloud("2023.1", "2026.1");
    insta::assert_snapshot!("2023.1-to-2026.1", cloud.told());
    cloud.stops = Stops::Slurp;
    insta::assert_snapshot!("2023.1-to-2026.1-slurp", cloud.told());
    // 2023.2 would ask for these rows, on which 2024.1's schema fails: who passes it over asks before.
    let asked = |cloud: &Cloud| -> Vec<String> {
        let plan = plan(cloud);
        let lane = plan.hops[0].lanes.iter().find(|lane| lane.service.as_str() == "cinder").expect("cinder");
        let drains = lane.steps.iter().filter_map(|step| match &step.action {
            Action::Drain(migration) => Some(&migration.remainders),
            _ => None,
        });
        drains.flatten().map(|remainder| remainder.what.clone()).collect()
    };
    assert!(asked(&cloud).contains(&"soft-deleted volumes without use_quota".to_owned()));
    cloud.stops = Stops::Every;
    assert!(!asked(&cloud).contains(&"soft-deleted volumes without use_quota".to_owned()));
}

#[test]
fn from_2024_2_to_2025_2() {
    let mut cloud = cloud("2024.2", "2025.2");
    insta::assert_snapshot!("2024.2-to-2025.2", cloud.told());
    cloud.stops = Stops::Slurp;
    assert_eq!(stops(&plan(&cloud)), "2024.2 2025.1 2025.2");
}

#[test]
fn one_service_over_every_change_of_its_version_table() {
    let mut cloud = cloud("newton", "2026.2");
    cloud.only = vec!["keystone"];
    insta::assert_snapshot!("keystone-alone", cloud.told());
}

#[test]
fn a_cloud_on_postgresql_is_told_how_far_it_can_go() {
    let mut cloud = cloud("yoga", "2025.1");
    for id in cloud.urls.keys().cloned().collect::<Vec<_>>() {
        let name = cloud.urls[&id].name().to_owned();
        cloud.urls.insert(id, valid(&format!("postgresql://leapfrog@10.0.0.6/{name}")));
    }
    insta::assert_snapshot!("postgresql-to-2025.1", cloud.told());
    // Those that work on PostgreSQL at all, as far as they do.
    cloud.only =
        vec!["aodh", "barbican", "cinder", "designate", "glance", "heat", "ironic", "keystone", "manila", "neutron"];
    cloud.to = "2024.2".into();
    assert_eq!(stops(&plan(&cloud)), "yoga zed 2023.1 2023.2 2024.1 2024.2");
}

#[test]
fn a_server_that_is_too_old_for_a_release_on_the_way_is_told_before_it_is_late() {
    let mut cloud = cloud("2024.1", "2026.1");
    cloud.only = vec!["ironic"];
    cloud.stops = Stops::Slurp;
    cloud.tells("ironic", "10.1.48-MariaDB");
    insta::assert_snapshot!("old-server", cloud.told());
    cloud.tells("ironic", "10.3.39-MariaDB");
    assert_eq!(stops(&plan(&cloud)), "2024.1 2025.1 2026.1");
}

#[test]
fn placement_is_taken_out_of_nova_s_database_by_the_operator_at_stein_and_nowhere_later() {
    let mut rocky = cloud("rocky", "ussuri");
    insta::assert_snapshot!("placement-before-stein", rocky.told());
    rocky.to = "stein".into();
    assert_eq!(stops(&plan(&rocky)), "rocky stein");

    let mut stein = cloud("stein", "ussuri");
    stein.only = vec!["keystone", "nova", "placement"];
    assert_eq!(stops(&plan(&stein)), "stein train ussuri");
    stein.shows_tables("placement", Heads::default(), 0);
    insta::assert_snapshot!("placement-not-copied", stein.told());
}

#[test]
fn a_service_that_a_release_does_not_have_is_refused_by_name() {
    let mut cloud = cloud("rocky", "stein");
    cloud.urls.insert(valid("placement"), valid("mysql://leapfrog@10.0.0.5/placement"));
    cloud.shows_tables("placement", Heads::default(), 0);
    insta::assert_snapshot!("placement-in-rocky", cloud.told());
}

#[test]
fn a_database_that_an_earlier_point_release_migrated_stands_at_the_release_and_is_taken_to_its_end() {
    let mut cloud = cloud("wallaby", "xena");
    cloud.only = vec!["keystone"];
    let mut heads = cloud.heads("wallaby", "keystone");
    for number in heads.migrate.values_mut().filter(|number| **number == 79) {
        *number = 78;
    }
    cloud.shows("keystone", heads);
    let told = cloud.told();
    assert!(told.contains("keystone_expand 78 → keystone 109 + keystone_contract 79"), "{told}");
}

/// Which of the releases a database fits that was migrated to one of them.
fn at(series: &str) -> String {
    let mut cloud = Cloud::whole(series);
    cloud.from = Start::Auto;
    cloud.to = "2026.2".into();
    match cloud.plan() {
        Ok(plan) => plan.from.to_string(),
        // Without placement no way leads beyond Stein.
        Err(refused) => {
            assert!(refused.0.iter().all(|refusal| refusal.kind == plan::RefusalKind::SplitOff), "{:?}", refused.0);
            series.to_owned()
        }
    }
}

#[test]
fn a_cloud_that_every_release_was_folded_into_is_found_where_it_stands() {
    for series in [
        "newton", "ocata", "pike", "queens", "rocky", "stein", "train", "ussuri", "victoria", "wallaby", "xena",
        "yoga", "zed", "2023.1", "2023.2", "2024.1", "2024.2", "2025.1", "2025.2", "2026.1", "2026.2",
    ] {
        assert_eq!(at(series), series);
    }
}

#[test]
fn what_is_asked_before_a_leap_is_what_its_own_releases_cannot_work_with() {
    let asked = |from: &str, to: &str, stops: Stops| {
        let mut cloud = cloud(from, to);
        cloud.stops = stops;
        let brief = |brief: &plan::Brief<'_>| {
            let from = valid(from);
            let questions = plan::preconditions::questions(brief, &from);
            let told = questions.iter().map(|one| {
                let refuses = if one.refuses() { "refuses" } else { "no fault" };
                format!("{} {} {refuses}: {}", one.before, one.database, one.counts())
            });
            let made = plan::preconditions::triggers(brief, &from);
            let made = made
                .iter()
                .flat_map(|(id, made)| made.iter().map(move |(_, step, what)| format!("{id} {step}: {what}")));
            told.chain(made).collect::<Vec<_>>().join("\n")
        };
        cloud.brief(brief)
    };
    insta::assert_snapshot!("asked-newton-to-queens", asked("newton", "queens", Stops::Every));
    insta::assert_snapshot!("asked-train-to-2026.2", asked("train", "2026.2", Stops::Every));
    // What a release that is passed over would refuse is run by the one after it.
    let slurp = asked("2025.1", "2026.1", Stops::Slurp);
    assert!(slurp.contains("2025.2 aodh refuses: SELECT COUNT(*) FROM alarm_history"), "{slurp}");
    // Rows that the first stop moves are no fault, and nothing of it is asked where the leap begins behind it.
    let quotas = asked("2023.1", "2024.1", Stops::Slurp);
    assert!(quotas.contains("2024.1 cinder no fault: SELECT COUNT(*) FROM volumes"), "{quotas}");
    assert!(!asked("2024.1", "2025.1", Stops::Every).contains("cinder"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_plan_is_the_same_whatever_the_order_of_the_documents(seed in any::<u64>(), slurp in any::<bool>()) {
        let mut cloud = cloud("wallaby", "2024.1");
        cloud.only = vec!["glance", "keystone", "placement"];
        cloud.stops = if slurp { Stops::Slurp } else { Stops::Every };
        let text = |plan: &Plan| serde_json::to_string(plan).expect("a form in JSON");
        let sorted = text(&plan(&cloud));
        cloud.shuffle = Some(seed);
        prop_assert_eq!(text(&plan(&cloud)), sorted);
    }
}
