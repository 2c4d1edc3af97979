//! Every reason not to begin, as text.

use std::collections::BTreeMap;

use leapfrog::model::Heads;
use leapfrog::plan::Start;

use crate::cloud::{Cloud, valid};

/// Snapshots what is told of a cloud that stands at 2023.1 except for what `story` changes.
fn told(name: &str, story: impl FnOnce(&mut Cloud)) {
    let mut cloud = Cloud::at("2023.1");
    story(&mut cloud);
    assert!(cloud.plan().is_err(), "{name} is refused");
    insta::assert_snapshot!(name, cloud.told());
}

#[test]
fn a_database_that_does_not_answer() {
    told("unreachable", |cloud| cloud.does_not_answer("nova.cells.cell2"));
}

#[test]
fn a_database_without_tables() {
    told("empty", |cloud| cloud.shows_tables("placement", Heads::default(), 0));
}

#[test]
fn tables_without_a_version() {
    told("unversioned", |cloud| cloud.shows_tables("barbican", Heads::default(), 31));
}

#[test]
fn a_database_that_is_newer_than_the_others() {
    told("ahead", |cloud| cloud.stands("cinder", "2024.1"));
}

#[test]
fn a_database_that_is_older_than_the_others() {
    told("behind", |cloud| {
        cloud.from = Start::At(valid("2024.1"));
        for (id, _) in cloud.urls.clone() {
            cloud.stands(&id.to_string(), if id.service.as_str() == "neutron" { "2023.2" } else { "2024.1" });
        }
    });
}

#[test]
fn a_cloud_that_is_further_than_the_operator_says() {
    told("all-ahead", |cloud| {
        for (id, _) in cloud.urls.clone() {
            cloud.stands(&id.to_string(), "2023.2");
        }
        cloud.only = vec!["keystone", "neutron"];
    });
}

#[test]
fn a_cloud_that_is_beyond_the_target() {
    told("beyond-the-target", |cloud| {
        cloud.stands("neutron", "2025.1");
        cloud.only = vec!["neutron"];
    });
}

#[test]
fn a_migration_that_was_begun_and_not_finished() {
    told("half-done", |cloud| {
        cloud.shows("keystone", Heads::alembic(["11c3b243b4cb", "e25ffa003242"]));
        cloud.shows("glance", Heads::alembic(["2023_1_contract01", "2024_1_expand01"]));
    });
}

#[test]
fn a_head_that_nobody_knows() {
    told("foreign", |cloud| cloud.shows("neutron", Heads::alembic(["5c85685d616d", "0123456789ab"])));
}

#[test]
fn a_database_from_before_the_catalogue() {
    told("legacy", |cloud| {
        let migrate: BTreeMap<String, u32> = [("nova".to_owned(), 410)].into();
        cloud.shows("nova.cells.cell1", Heads { migrate, ..Heads::default() });
    });
}

#[test]
fn databases_at_different_releases_and_no_word_where_to_start() {
    told("mixed", |cloud| {
        cloud.from = Start::Auto;
        cloud.stands("keystone", "2024.1");
        cloud.stands("neutron", "2024.1");
        cloud.stands("glance", "2024.1");
        cloud.only = vec!["barbican", "cinder", "glance", "keystone", "neutron"];
    });
}

#[test]
fn a_password_that_keystone_cannot_read() {
    told("percent-sign", |cloud| {
        let url = cloud.urls[&valid("keystone")].clone();
        cloud.urls.insert(valid("keystone"), url.with_password(leapfrog::model::Secret::new("Secret99@")));
    });
}

#[test]
fn a_cell_mapping_that_leads_out_of_the_cloud_file() {
    told("stored-url-elsewhere", |cloud| {
        cloud.stores(&[
            ("cell0", "mysql+pymysql://nova@10.0.0.5/nova_cell0", Some("nova.cell0")),
            ("cell1", "mysql+pymysql://nova@production.example/nova", None),
            ("cell2", "mysql+pymysql://nova@10.0.0.5/nova_cell2", Some("nova.cells.cell2")),
        ]);
    });
}

#[test]
fn a_cell_that_no_mapping_leads_to() {
    told("stored-url-missing", |cloud| {
        cloud.stores(&[
            ("cell0", "mysql+pymysql://nova@10.0.0.5/nova_cell0", Some("nova.cell0")),
            ("cell1", "mysql+pymysql://nova@10.0.0.5/nova", Some("nova.cells.cell1")),
        ]);
    });
}

#[test]
fn stored_urls_that_the_operator_vouches_for_are_not_compared() {
    let mut cloud = Cloud::at("2023.1");
    cloud.stores(&[]);
    assert!(cloud.plan().is_err());
    cloud.trusted.insert(valid("nova"));
    cloud.plan().expect("a plan");
}

#[test]
fn an_engine_that_a_release_on_the_way_does_not_support() {
    told("engine", |cloud| {
        cloud.from = Start::At(valid("2023.1"));
        cloud.to = "2025.1".into();
        cloud.urls.insert(valid("neutron"), valid("postgresql://leapfrog@10.0.0.6/neutron"));
    });
}

#[test]
fn an_engine_that_no_release_supports() {
    told("engine-never", |cloud| {
        cloud.urls.insert(valid("neutron"), valid("sqlite:////var/lib/neutron/neutron.sqlite"));
    });
}

#[test]
fn several_reasons_are_told_at_once() {
    told("several", |cloud| {
        cloud.does_not_answer("barbican");
        cloud.stands("cinder", "2023.2");
        cloud.shows_tables("placement", Heads::default(), 0);
    });
}
