//! Parts of a leap: all but what the last release removes, and one phase of one release.

use std::collections::BTreeSet;

use leapfrog::catalog::Release;
use leapfrog::model::{DatabaseId, Heads, Phase};
use leapfrog::plan::part::{self, narrow};
use leapfrog::plan::{Action, Part, Plan, Refused, stands_at_the_end};

use crate::cloud::{Cloud, valid};

fn phases(plan: &Plan, service: &str) -> Vec<Vec<Phase>> {
    let lanes = plan.hops.iter().flat_map(|hop| &hop.lanes).filter(|lane| lane.service.as_str() == service);
    lanes.map(|lane| lane.steps.iter().map(|step| step.phase).collect()).collect()
}

#[test]
fn until_migrated_leaves_out_what_the_last_release_removes_and_nothing_else() {
    let mut cloud = Cloud::at("2023.1");
    cloud.to = "2024.1".into();
    cloud.only = vec!["glance", "keystone", "placement"];
    let whole = cloud.plan().expect("a plan");
    cloud.part = Part::UntilMigrated;
    let plan = cloud.plan().expect("a plan");
    let (all, until) = (phases(&whole, "glance"), phases(&plan, "glance"));
    assert_eq!(all[..2], until[..2], "the releases before are complete");
    assert_eq!(until[2], [Phase::Expand, Phase::Migrate]);
    assert_eq!(phases(&whole, "placement"), phases(&plan, "placement"), "a service of one branch has nothing to leave");
    let reason = plan.reasons.iter().find(|reason| reason.contains("what 2024.1 removes stays")).expect("a reason");
    assert!(reason.contains("in glance and keystone"), "{reason}");
    assert_eq!(plan.command(), "leapfrog --from 2023.1 --to 2024.1 --until migrated");
    let json = serde_json::to_string(&plan).expect("a form in JSON");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("readable"), plan);
}

/// A cloud with glance alone, at these heads.
fn glance(heads: &[&str]) -> Cloud {
    let mut cloud = Cloud::at("2023.2");
    cloud.to = "2024.1".into();
    cloud.only = vec!["glance"];
    let id: DatabaseId = valid("glance");
    let Some(Ok(seen)) = cloud.seen.databases.get_mut(&id) else { panic!("glance was not seen") };
    seen.heads = Heads::alembic(heads.iter().copied());
    cloud
}

/// All of 2024.1's steps for a part, with what its image would say of the branches.
fn phase(cloud: &Cloud, part: Part) -> Result<Plan, Refused> {
    let release: &Release = cloud.catalog.release(&valid("2024.1")).expect("a release");
    let (mut plan, _) = cloud.brief(|brief| part::one_phase(brief, release, part))?;
    for step in plan.hops.iter_mut().flat_map(|hop| &mut hop.lanes).flat_map(|lane| &mut lane.steps) {
        let Action::Run(run) = &mut step.action else { continue };
        let branch = if step.phase == Phase::Contract { "contract" } else { "expand" };
        for target in run.schema.iter_mut().flat_map(|schema| schema.databases.values_mut()) {
            target.reaches = BTreeSet::from([format!("2024_1_{branch}01")]);
        }
    }
    Ok(plan)
}

const BEFORE: &[&str] = &["2023_1_contract01"];
const EXPANDED: &[&str] = &["2023_1_contract01", "2024_1_expand01"];
const DONE: &[&str] = &["2024_1_contract01"];

#[test]
fn each_part_keeps_its_own_steps_and_wants_those_before_it_to_be_done() {
    for (part, heads, kept) in [
        (Part::Expand, BEFORE, vec![Phase::Expand]),
        (Part::Expand, EXPANDED, vec![Phase::Expand]),
        (Part::Migrate, EXPANDED, vec![Phase::Migrate]),
        (Part::Contract, EXPANDED, vec![Phase::Contract, Phase::Verify]),
        (Part::Contract, DONE, vec![Phase::Contract, Phase::Verify]),
    ] {
        let cloud = glance(heads);
        let plan = narrow(&phase(&cloud, part).expect("a plan"), &cloud.seen, "").expect("ready");
        assert_eq!(phases(&plan, "glance"), [kept], "{part:?} at {heads:?}");
        assert_eq!(stands_at_the_end(&plan, &cloud.seen), heads == DONE || heads == EXPANDED && part != Part::Contract);
    }
    for part in [Part::Migrate, Part::Contract] {
        let cloud = glance(BEFORE);
        let refusals =
            narrow(&phase(&cloud, part).expect("a plan"), &cloud.seen, " --only glance").expect_err("behind");
        let told = refusals[0].to_string();
        assert!(told.contains("database glance does not show that 2024.1/glance/db-expand is done"), "{told}");
        assert!(told.contains("`leapfrog expand --at 2024.1 --only glance`"), "{told}");
    }
}

#[test]
fn a_release_is_entered_from_the_one_before_or_from_slurp_to_slurp() {
    for (at, enters) in [("2023.2", true), ("2023.1", true), ("zed", false)] {
        let mut cloud = Cloud::at(at);
        (cloud.to, cloud.only) = ("2024.1".into(), vec!["neutron"]);
        match phase(&cloud, Part::Expand) {
            Ok(_) => assert!(enters, "{at}"),
            Err(refused) => {
                assert!(!enters, "{at}: {refused:?}");
                let told = refused.0[0].to_string();
                assert!(told.contains("does not stand where 2024.1 is entered from"), "{told}");
                assert!(told.contains("the heads of 2023.2 or 2023.1"), "{told}");
            }
        }
    }
}

#[test]
fn rows_that_a_release_owes_are_asked_for_before_the_next_one_is_entered() {
    let mut cloud = Cloud::at("2023.1");
    (cloud.to, cloud.only) = ("2023.2".into(), vec!["cinder"]);
    let release: &Release = cloud.catalog.release(&valid("2023.2")).expect("a release");
    let (_, owed) = cloud.brief(|brief| part::one_phase(brief, release, Part::Expand)).expect("a plan");
    assert!(
        owed.iter().any(|owed| owed.series.as_str() == "2023.1" && owed.remainder.what.contains("use_quota")),
        "{owed:?}"
    );
}

#[test]
fn a_service_that_removes_nothing_in_a_step_of_its_own_has_no_contract() {
    let mut cloud = Cloud::at("2024.1");
    (cloud.to, cloud.only) = ("2024.1".into(), vec!["placement"]);
    assert_eq!(phase(&cloud, Part::Contract).expect("a plan").steps().count(), 0);
}

#[test]
fn rows_are_touched_between_expand_and_contract_and_are_settled_at_the_heads_that_the_contract_reaches() {
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks/glance.yaml");
    let contract = "  - run:\n      name: db-contract\n";
    let step = "  - trip:\n      name: touch-images\n      phase: migrate\n      series: {from: '2024.1'}\n      tables: [{name: \
                images}]\n      why: Rows from before the triggers.\n";
    let text = std::fs::read_to_string(shipped).expect("readable").replacen(contract, &format!("{step}{contract}"), 1);
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(directory.path().join("playbooks")).expect("a directory");
    std::fs::write(directory.path().join("playbooks/glance.yaml"), text).expect("written");
    let mut cloud = glance(&["2023_1_contract01"]);
    let directory = camino::Utf8Path::from_path(directory.path()).expect("UTF-8");
    cloud.catalog = leapfrog::catalog::Catalog::load(directory).unwrap_or_else(|error| panic!("{error}"));
    let plan = cloud.plan().expect("a plan");
    let touches: Vec<_> = plan.touches().collect();
    let [(step, touching)] = &touches[..] else { panic!("{touches:?}") };
    assert_eq!(step.to_string(), "2024.1/glance/touch-images");
    assert_eq!(touching.settled, Some(Heads::alembic(["2024_1_contract01"])));
    assert_eq!(
        phases(&plan, "glance")[1],
        [Phase::Expand, Phase::Migrate, Phase::Migrate, Phase::Contract, Phase::Verify]
    );
    // A plan that lies beside a journal is read as it was written.
    let json = serde_json::to_string(&plan).expect("a form in JSON");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("readable"), plan);
    let migrate = phase(&cloud, Part::Migrate).expect("a plan");
    assert_eq!(migrate.touches().count(), 1);
}

#[test]
fn keystone_of_before_alembic_has_its_three_parts_although_a_leap_takes_it_at_once() {
    let mut cloud = Cloud::at("queens");
    (cloud.to, cloud.only) = ("rocky".into(), vec!["keystone"]);
    let release: &Release = cloud.catalog.release(&valid("rocky")).expect("a release");
    // In queens, where it stands, and in rocky.
    assert_eq!(phases(&cloud.plan().expect("a plan"), "keystone"), [[Phase::Expand, Phase::Verify]; 2]);
    for (part, kept) in [
        (Part::Expand, vec!["rocky/keystone/db-expand"]),
        (Part::Migrate, vec!["rocky/keystone/db-migrate"]),
        (Part::Contract, vec!["rocky/keystone/db-contract", "rocky/keystone/verify-heads"]),
    ] {
        let (plan, _) = cloud.brief(|brief| part::one_phase(brief, release, part)).expect("a plan");
        let plan = narrow(&plan, &cloud.seen, "").expect("nothing of its numbers tells the parts apart");
        assert_eq!(plan.steps().map(|(_, _, step)| step.id.to_string()).collect::<Vec<_>>(), kept);
    }
}
