//! Half-done and false states of the time of sqlalchemy-migrate, told by the shipped catalogue.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::catalog::Catalog;
use crate::model::{Engine, ObservedDatabase};

fn catalog() -> Catalog {
    Catalog::embedded().unwrap_or_else(|error| panic!("{error}"))
}

fn numbers(pairs: &[(&str, u32)]) -> BTreeMap<String, u32> {
    pairs.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
}

fn detected(catalog: &Catalog, databases: &[(&str, Heads)]) -> Detection {
    let mut observation = Observation::default();
    for (id, heads) in databases {
        let version = "10.11.14-MariaDB".to_owned();
        let seen = ObservedDatabase { engine: Engine::Mysql, version, heads: heads.clone(), tables: 60 };
        observation.databases.insert(id.parse().expect("an id"), Ok(seen));
    }
    detect(&observation, &catalog.playbooks().collect::<Vec<_>>(), &catalog.releases().collect::<Vec<_>>())
}

#[test]
fn numbers_between_two_releases_tell_which_migration_was_cut_off() {
    let migrate = |pairs| Heads { migrate: numbers(pairs), ..Heads::default() };
    let expanded =
        [("keystone", 109), ("keystone_expand", 75), ("keystone_data_migrate", 71), ("keystone_contract", 71)];
    let detection = detected(
        &catalog(),
        &[
            ("cinder", migrate(&[("cinder", 134)])),
            ("keystone", migrate(&expanded)),
            ("nova.cell0", migrate(&[("nova", 404)])),
            ("nova.api", migrate(&[("nova_api", 3)])),
        ],
    );
    insta::assert_snapshot!(render(&detection, false));
    let verdict = |id: &str| detection.databases[&id.parse().expect("an id")].verdict.clone();
    assert!(matches!(verdict("keystone"), Verdict::Partial { done: Half::Expanded, .. }));
    assert!(matches!(verdict("nova.cell0"), Verdict::Partial { done: Half::Some, .. }));
    assert_eq!(verdict("nova.api"), Verdict::Legacy, "older than every release");
}

#[test]
fn a_heat_that_was_only_stamped_is_no_heat_of_2023_2_and_one_that_was_migrated_is() {
    let catalog = catalog();
    let heat = |head: &str, number: u32| Heads { migrate: numbers(&[("heat", number)]), ..Heads::alembic([head]) };
    for head in ["c6214ca60943", "97b2a986f922"] {
        for number in [71, 73, 85] {
            let detection = detected(&catalog, &[("heat", heat(head, number))]);
            let verdict = &detection.databases[&"heat".parse().expect("an id")].verdict;
            let Verdict::Stamped { left, ended } = verdict else { panic!("{head} over {number}: {verdict:?}") };
            assert_eq!((left["heat"], ended["heat"]), (number, 86));
            assert!(matches!(detection.standing, Standing::Unclear(_)));
        }
        let detection = detected(&catalog, &[("heat", heat(head, 86))]);
        assert!(matches!(detection.standing, Standing::At(_)), "{head} over 86");
    }
    insta::assert_snapshot!(render(&detected(&catalog, &[("heat", heat("c6214ca60943", 73))]), true));
}

#[test]
fn what_is_left_of_old_numbers_is_named_where_everything_is_to_be_seen() {
    let left = [("keystone", 109), ("keystone_contract", 79), ("keystone_data_migrate", 79), ("keystone_expand", 79)];
    let keystone = Heads { migrate: numbers(&left), ..Heads::alembic(["29e87d24a316", "e25ffa003242"]) };
    let detection = detected(&catalog(), &[("keystone", keystone)]);
    let quiet = render(&detection, false);
    assert!(quiet.contains("older numbers are left and do not count") && !quiet.contains("109"), "{quiet}");
    let told = render(&detection, true);
    let line = "keystone: keystone 109 + keystone_contract 79 + keystone_data_migrate 79 + keystone_expand 79 are left in \
                migrate_version from before alembic and do not count";
    assert!(told.contains(line), "{told}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever services a cloud has, and whatever is left of older numbers: the release that its databases were folded
    /// to is among those that each of them, and all together, may stand at.
    #[test]
    fn a_state_that_was_folded_to_a_release_is_found_at_that_release(
        at in 0usize..64, chosen in any::<u32>(), leftovers in any::<bool>(),
    ) {
        let catalog = catalog();
        let releases: Vec<&Release> = catalog.releases().collect();
        let release = releases[at % releases.len()];
        let mut databases: Vec<(String, Heads)> = Vec::new();
        for (place, playbook) in catalog.playbooks().enumerate() {
            let Some(service) = release.services.get(&playbook.service) else { continue };
            if chosen >> place & 1 == 0 {
                continue;
            }
            for slot in &playbook.databases {
                let mut heads = service.heads[&slot.schema].clone();
                if leftovers && !heads.alembic.is_empty() {
                    // As the service itself leaves them: those of its last release before alembic.
                    let last = releases.iter().rev().filter(|other| other.series < release.series).find_map(|other| {
                        let heads = other.services.get(&playbook.service)?.heads.get(&slot.schema)?;
                        (!heads.migrate.is_empty()).then(|| heads.migrate.clone())
                    });
                    heads.migrate = last.unwrap_or_default();
                }
                let member = if slot.many { ".one" } else { "" };
                databases.push((format!("{}.{}{member}", playbook.service, slot.slot), heads));
            }
        }
        prop_assume!(!databases.is_empty());
        let databases: Vec<(&str, Heads)> = databases.iter().map(|(id, heads)| (id.as_str(), heads.clone())).collect();
        let detection = detected(&catalog, &databases);
        for (id, detected) in &detection.databases {
            let Verdict::At { series } = &detected.verdict else { panic!("{id}: {:?}", detected.verdict) };
            prop_assert!(series.contains(&release.series), "{} is not at {}", id, release.series);
        }
        let Standing::At(series) = &detection.standing else { panic!("{:?}", detection.standing) };
        prop_assert!(series.contains(&release.series));
    }
}
