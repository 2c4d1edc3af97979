//! Clouds as they are found, told by the real heads of 2023.1 to 2025.1.

use std::collections::BTreeMap;

use super::*;
use crate::catalog::{DatabaseSlot, ReleaseService, Status, Versions};
use crate::model::{Engine, ObservedDatabase};

const SERIES: [&str; 5] = ["2023.1", "2023.2", "2024.1", "2024.2", "2025.1"];

/// The schema, its service and slot, and its heads in each of the releases.
#[rustfmt::skip]
const HEADS: &[(&str, &str, &str, [&str; 5])] = &[
    ("barbican", "barbican", "main", ["8c74e2d7f1ff", "8c74e2d7f1ff", "8c74e2d7f1ff", "8c74e2d7f1ff", "8c74e2d7f1ff"]),
    ("cinder", "cinder", "main", ["daa98075b90d", "89aa6f9639f9", "9c74c1c6971f", "9c74c1c6971f", "9c74c1c6971f"]),
    ("glance", "glance", "main", ["2023_1_contract01", "2023_1_contract01", "2024_1_contract01", "2024_1_contract01", "2024_1_contract01"]),
    ("keystone", "keystone", "main", ["29e87d24a316 e25ffa003242", "11c3b243b4cb c88cdce8f248", "47147121 c88cdce8f248", "47147121 c88cdce8f248", "47147121 c88cdce8f248"]),
    ("neutron", "neutron", "main", ["5c85685d616d fc153938cdc1", "5c85685d616d 89c58a70ceba", "0e6eff810791 5c85685d616d", "5bcb7b31ec7d 5c85685d616d", "5c85685d616d ad80a9f07c5c"]),
    ("nova", "nova", "cell0", ["960aac0e09ea", "1acf2c98e646", "13863f4e1612", "13863f4e1612", "2903cd72dc14"]),
    ("nova", "nova", "cells", ["960aac0e09ea", "1acf2c98e646", "13863f4e1612", "13863f4e1612", "2903cd72dc14"]),
    ("nova_api", "nova", "api", ["b30f573d3377", "cdeec0c85668", "cdeec0c85668", "cdeec0c85668", "cdeec0c85668"]),
    ("placement", "placement", "main", ["422ece571366", "a082b8bb98d0", "a082b8bb98d0", "a082b8bb98d0", "a082b8bb98d0"]),
];

fn heads(text: &str) -> Heads {
    Heads::alembic(text.split_whitespace())
}

fn releases() -> Vec<Release> {
    let release = |(at, series): (usize, &&str)| {
        let mut services: BTreeMap<_, ReleaseService> = BTreeMap::new();
        for (schema, service, _, by_series) in HEADS {
            let versions = Versions { first: "1.0.0".into(), last: "1.0.0".into() };
            let entry = services.entry(service.parse().expect("a service")).or_insert_with(|| ReleaseService {
                package: (*service).into(),
                versions,
                heads: BTreeMap::new(),
                also: BTreeMap::new(),
                floor: None,
                servers: None,
            });
            entry.heads.insert(schema.parse().expect("a schema"), heads(by_series[at]));
        }
        Release {
            environment: None,
            format: 1,
            series: series.parse().expect("a series"),
            codename: String::new(),
            released: jiff::civil::date(2023, 1, 1),
            status: Status::EndOfLife,
            ended: None,
            slurp: false,
            python: Vec::new(),
            sources: Vec::new(),
            services,
            absent: BTreeMap::new(),
            splits: Vec::new(),
            notes: Vec::new(),
            exceptions: Vec::new(),
        }
    };
    SERIES.iter().enumerate().map(release).collect()
}

fn playbooks() -> Vec<Playbook> {
    let mut playbooks: BTreeMap<&str, Playbook> = BTreeMap::new();
    for (schema, service, slot, _) in HEADS {
        let playbook = playbooks.entry(service).or_insert_with(|| Playbook {
            format: 1,
            service: service.parse().expect("a service"),
            title: String::new(),
            databases: Vec::new(),
            configuration: Vec::new(),
            triggers: Vec::new(),
            heartbeats: Vec::new(),
            recorded_versions: Vec::new(),
            checks: Vec::new(),
            preconditions: Vec::new(),
            options_in: Vec::new(),
            models: Vec::new(),
            steps: Vec::new(),
            known: Vec::new(),
            sources: Vec::new(),
        });
        playbook.databases.push(DatabaseSlot {
            slot: slot.parse().expect("a slot"),
            schema: schema.parse().expect("a schema"),
            many: *slot == "cells",
            scripts: Vec::new(),
            repositories: Vec::new(),
            numbers_end: BTreeMap::new(),
        });
    }
    playbooks.into_values().collect()
}

/// A cloud with two cells, every database at the heads of one release.
struct CloudStory(Observation);

impl CloudStory {
    fn at(series: &str) -> Self {
        let at = SERIES.iter().position(|known| *known == series).expect("a known series");
        let mut story = Self(Observation::default());
        for (_, service, slot, by_series) in HEADS {
            match *slot {
                "main" => story = story.with(service, heads(by_series[at])),
                "cells" => {
                    story = story.with("nova.cells.cell1", heads(by_series[at]));
                    story = story.with("nova.cells.cell2", heads(by_series[at]));
                }
                slot => story = story.with(&format!("{service}.{slot}"), heads(by_series[at])),
            }
        }
        story
    }

    fn with(self, id: &str, heads: Heads) -> Self {
        self.with_tables(id, heads, 60)
    }

    fn with_tables(mut self, id: &str, heads: Heads, tables: u64) -> Self {
        let seen = ObservedDatabase { engine: Engine::Mysql, version: "10.11.14-MariaDB".into(), heads, tables };
        self.0.databases.insert(id.parse().expect("an id"), Ok(seen));
        self
    }

    fn without_answer(mut self, id: &str) -> Self {
        let unreachable = Unreachable {
            reason: "reach 10.0.0.5:3306: Connection refused".into(),
            advice: "check host and port".into(),
        };
        self.0.databases.insert(id.parse().expect("an id"), Err(unreachable));
        self
    }

    fn detect(&self) -> Detection {
        let (playbooks, releases) = (playbooks(), releases());
        detect(&self.0, &playbooks.iter().collect::<Vec<_>>(), &releases.iter().collect::<Vec<_>>())
    }

    fn tell(&self) -> String {
        render(&self.detect(), false)
    }
}

fn list(series: &[&str]) -> Vec<Series> {
    series.iter().map(|series| series.parse().expect("a series")).collect()
}

fn numbers(pairs: &[(&str, u32)]) -> BTreeMap<String, u32> {
    pairs.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
}

#[test]
fn a_cloud_at_2023_1_is_recognised_though_some_heads_fit_several_releases() {
    let story = CloudStory::at("2023.1");
    assert_eq!(story.detect().standing, Standing::At(list(&["2023.1"])));
    insta::assert_snapshot!(story.tell(), @r"
    database          heads                        stands at        remarks
    barbican          8c74e2d7f1ff                 2023.1 … 2025.1
    cinder            daa98075b90d                 2023.1
    glance            2023_1_contract01            2023.1 … 2023.2
    keystone          29e87d24a316 + e25ffa003242  2023.1
    neutron           5c85685d616d + fc153938cdc1  2023.1
    nova.api          b30f573d3377                 2023.1
    nova.cell0        960aac0e09ea                 2023.1
    nova.cells.cell1  960aac0e09ea                 2023.1
    nova.cells.cell2  960aac0e09ea                 2023.1
    placement         422ece571366                 2023.1

    The cloud stands at 2023.1.
    ");
}

#[test]
fn every_release_from_2023_1_on_is_told_from_its_neighbours() {
    for series in SERIES {
        assert_eq!(CloudStory::at(series).detect().standing, Standing::At(list(&[series])), "at {series}");
    }
}

#[test]
fn without_neutron_2024_1_and_2024_2_look_alike() {
    let mut story = CloudStory::at("2024.2");
    story.0.databases.remove(&"neutron".parse().expect("an id"));
    assert_eq!(story.detect().standing, Standing::At(list(&["2024.1", "2024.2"])));
    assert!(story.tell().ends_with("The cloud stands at 2024.1 … 2024.2.\n"));
}

#[test]
fn a_leap_that_halted_leaves_services_at_two_releases() {
    let story = CloudStory::at("2023.2")
        .with("keystone", heads("47147121 c88cdce8f248"))
        .with("neutron", heads("0e6eff810791 5c85685d616d"));
    insta::assert_snapshot!(story.tell(), @r"
    database          heads                        stands at        remarks
    barbican          8c74e2d7f1ff                 2023.1 … 2025.1
    cinder            89aa6f9639f9                 2023.2
    glance            2023_1_contract01            2023.1 … 2023.2
    keystone          47147121 + c88cdce8f248      2024.1 … 2025.1
    neutron           0e6eff810791 + 5c85685d616d  2024.1
    nova.api          cdeec0c85668                 2023.2 … 2025.1
    nova.cell0        1acf2c98e646                 2023.2
    nova.cells.cell1  1acf2c98e646                 2023.2
    nova.cells.cell2  1acf2c98e646                 2023.2
    placement         a082b8bb98d0                 2023.2 … 2025.1

    The databases stand at different releases:
      2023.2: barbican, cinder, glance, nova.api, nova.cell0, nova.cells.cell1, nova.cells.cell2, placement
      2024.1: keystone, neutron
    ");
    let Standing::Mixed(groups) = story.detect().standing else { panic!("services stand at two releases") };
    assert_eq!(
        groups.iter().map(|group| group.series.clone()).collect::<Vec<_>>(),
        [list(&["2023.2"]), list(&["2024.1"])]
    );
    assert_eq!(groups[1].databases.len(), 2, "only what has to be is in the second group");
}

#[test]
fn migrations_that_were_begun_and_not_finished_say_which_half_is_done() {
    let story = CloudStory::at("2023.1")
        .with("keystone", heads("11c3b243b4cb e25ffa003242"))
        .with("glance", heads("2023_1_contract01 2024_1_expand01"))
        .with("cinder", heads("b8660621f1b9"));
    insta::assert_snapshot!(story.tell(), @r"
    database          heads                                stands at        remarks
    barbican          8c74e2d7f1ff                         2023.1 … 2025.1
    cinder            b8660621f1b9                         unknown          no known release
    glance            2023_1_contract01 + 2024_1_expand01  between          expanded, not contracted
    keystone          11c3b243b4cb + e25ffa003242          between          2023.2 expanded, not contracted
    neutron           5c85685d616d + fc153938cdc1          2023.1
    nova.api          b30f573d3377                         2023.1
    nova.cell0        960aac0e09ea                         2023.1
    nova.cells.cell1  960aac0e09ea                         2023.1
    nova.cells.cell2  960aac0e09ea                         2023.1
    placement         422ece571366                         2023.1

    cinder: no release known here ends at b8660621f1b9: an older or a newer release, a foreign database, or a migration that was cut off half-way
    glance: a migration from 2023.1 … 2023.2 to a later release is not finished: 2023_1_contract01 is of 2023.1 … 2023.2, 2024_1_expand01 ends no release
    keystone: a migration from 2023.1 to 2023.2 is not finished: 11c3b243b4cb is of 2023.2, e25ffa003242 is of 2023.1

    Where the cloud stands is unclear, because of cinder, glance, keystone.
    ");
    let keystone = &story.detect().databases[&"keystone".parse().expect("an id")].verdict;
    let Verdict::Partial { done, behind, ahead, .. } = keystone else { panic!("keystone is between releases") };
    assert_eq!((*done, behind, ahead), (Half::Expanded, &list(&["2023.1"]), &list(&["2023.2"])));
}

#[test]
fn databases_that_stand_nowhere_say_why() {
    let story = CloudStory::at("2023.2")
        .with("nova.cells.cell1", Heads { migrate: numbers(&[("nova", 402)]), ..Heads::default() })
        .with_tables("nova.cells.cell2", Heads::default(), 0)
        .with_tables("placement", Heads::default(), 31)
        .with("neutron", heads("5c85685d616d b1bca967e19d"))
        .without_answer("barbican");
    insta::assert_snapshot!(story.tell(), @r"
    database          heads                        stands at        remarks
    barbican          ?                            ?                could not be read
    cinder            89aa6f9639f9                 2023.2
    glance            2023_1_contract01            2023.1 … 2023.2
    keystone          11c3b243b4cb + c88cdce8f248  2023.2
    neutron           5c85685d616d + b1bca967e19d  unknown          no known release
    nova.api          cdeec0c85668                 2023.2 … 2025.1
    nova.cell0        1acf2c98e646                 2023.2
    nova.cells.cell1  nova 402                     unknown          numbers of the time before alembic
    nova.cells.cell2  none                         empty            no tables
    placement         none                         unknown          tables, but no version

    barbican: reach 10.0.0.5:3306: Connection refused; check host and port
    neutron: no release known here ends at b1bca967e19d: an older or a newer release, a foreign database, or a migration that was cut off half-way
    nova.cells.cell1: no release known here ends at this number: a release before 2023.1, or a migration that was cut off half-way
    nova.cells.cell2: the service was never set up here, or this is not its database
    placement: this is another service's database, or its first migration broke off

    Where the cloud stands is unclear, because of barbican, neutron, nova.cells.cell1, nova.cells.cell2, placement.
    ");
    let Standing::Unclear(databases) = story.detect().standing else { panic!("it is unclear") };
    assert_eq!(databases.len(), 5);
}

#[test]
fn numbers_from_before_alembic_are_told_and_do_not_count() {
    let leftover = Heads { migrate: numbers(&[("cinder", 145)]), ..heads("daa98075b90d") };
    let story = CloudStory::at("2023.1").with("cinder", leftover);
    assert_eq!(story.detect().standing, Standing::At(list(&["2023.1"])));
    assert!(story.tell().contains("older numbers are left and do not count"));
}

#[test]
fn a_service_without_a_playbook_or_a_cloud_without_databases_is_unclear() {
    assert_eq!(CloudStory(Observation::default()).detect().standing, Standing::Unclear(Vec::new()));
    let story = CloudStory(Observation::default()).with("heat", heads("c6214ca60943"));
    assert!(matches!(story.detect().standing, Standing::Unclear(databases) if databases.len() == 1));
}

#[test]
fn the_detection_is_data_too() {
    let story = CloudStory(Observation::default()).with("cinder", heads("89aa6f9639f9")).without_answer("barbican");
    insta::assert_snapshot!(serde_json::to_string_pretty(&story.detect()).expect("serialises"), @r#"
    {
      "databases": {
        "barbican": {
          "found": null,
          "verdict": {
            "unreachable": {
              "reason": "reach 10.0.0.5:3306: Connection refused",
              "advice": "check host and port"
            }
          }
        },
        "cinder": {
          "found": {
            "alembic": [
              "89aa6f9639f9"
            ]
          },
          "verdict": {
            "at": {
              "series": [
                "2023.2"
              ]
            }
          }
        }
      },
      "standing": {
        "unclear": [
          "barbican"
        ]
      }
    }
    "#);
}
