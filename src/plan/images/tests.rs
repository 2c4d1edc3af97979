//! Images that are right, older, newer, patched, squashed and broken, against plans made of the shipped catalogue.

use std::collections::BTreeMap;

use super::*;
use crate::catalog::Catalog;
use crate::migrations::{LackingOption, Misread, Revision};
use crate::model::{Engine, Heads, Observation, ObservedDatabase};
use crate::plan::document::{Action, Standing};
use crate::plan::{Brief, Plan, Refusal, RefusalKind, Start};

/// A catalogue, and a plan for keystone and glance from 2023.1 to 2024.1.
struct World {
    catalog: Catalog,
    plan: Plan,
    observation: Observation,
    held: Held,
}

fn service(name: &str) -> Service {
    name.parse().expect("a service")
}

fn schema(name: &str) -> Schema {
    name.parse().expect("a schema")
}

fn revision(id: &str, down: &[&str], depends: &[&str], file: &str, drops: u64) -> Revision {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Revision {
        id: id.into(),
        down: set(down),
        depends_on: set(depends),
        labels: Default::default(),
        file: file.into(),
        drops: Some(drops),
    }
}

/// The revisions of keystone and glance up to a release, much as they are.
fn revisions(name: &str, series: &str) -> Vec<Revision> {
    let all = if name == "keystone" {
        vec![
            ("2023.1", revision("27e647c0fad4", &[], &[], "27e647c0fad4_initial_version.py", 0)),
            ("2023.1", revision("29e87d24a316", &["27e647c0fad4"], &[], "yoga/expand/29e87d24a316_initial.py", 0)),
            ("2023.1", revision("e25ffa003242", &["27e647c0fad4"], &[], "yoga/contract/e25ffa003242_initial.py", 0)),
            ("2023.2", revision("b4f8b3f584e0", &["29e87d24a316"], &[], "bobcat/expand/b4f8b3f584e0_fix.py", 0)),
            ("2023.2", revision("11c3b243b4cb", &["b4f8b3f584e0"], &[], "bobcat/expand/11c3b243b4cb_remove.py", 0)),
            ("2023.2", revision("99de3849d860", &["e25ffa003242"], &[], "bobcat/contract/99de3849d860_fix.py", 2)),
            ("2023.2", revision("c88cdce8f248", &["99de3849d860"], &[], "bobcat/contract/c88cdce8f248_remove.py", 1)),
            ("2024.1", revision("47147121", &["11c3b243b4cb"], &[], "2024.01/expand/47147121_add.py", 0)),
        ]
    } else {
        vec![
            ("2023.1", revision("2023_1_expand01", &[], &[], "2023_1_expand01_empty.py", 0)),
            ("2023.1", revision("2023_1_contract01", &[], &["2023_1_expand01"], "2023_1_contract01_empty.py", 0)),
            ("2024.1", revision("2024_1_expand01", &["2023_1_expand01"], &[], "2024_1_expand01_add.py", 0)),
            (
                "2024.1",
                revision("2024_1_contract01", &["2023_1_contract01"], &["2024_1_expand01"], "2024_1_contract01.py", 4),
            ),
        ]
    };
    all.into_iter().filter(|(since, _)| *since <= series).map(|(_, revision)| revision).collect()
}

fn facts(name: &str, package: &str, revisions: Vec<Revision>) -> ServiceFacts {
    ServiceFacts {
        place: Some("/venv/lib/python3.11/site-packages".into()),
        package: Some(package.into()),
        schemas: [(schema(name), SchemaFacts::Read(Tree::try_from(revisions).expect("a tree")))].into(),
        lacking: Vec::new(),
    }
}

impl World {
    fn new() -> Self {
        let catalog = Catalog::embedded().expect("the shipped catalogue");
        let observed = |heads: &[&str]| {
            Ok(ObservedDatabase {
                heads: Heads::alembic(heads.iter().copied()),
                tables: 50,
                engine: Engine::Mysql,
                version: String::new(),
            })
        };
        let mut observation = Observation::default();
        observation.databases.insert("keystone".parse().expect("an id"), observed(&["29e87d24a316", "e25ffa003242"]));
        observation.databases.insert("glance".parse().expect("an id"), observed(&["2023_1_contract01"]));
        let image = |service: &Service, release: &Release| {
            format!("quay.io/openstack/{service}:{}", release.series).parse().expect("an image")
        };
        let urls = ["keystone", "glance"]
            .map(|name| (name.parse().expect("an id"), format!("mysql://{name}@db/{name}").parse().expect("a URL")));
        let brief = Brief {
            cloud: "north",
            releases: catalog.releases().collect(),
            playbooks: catalog
                .playbooks()
                .filter(|book| ["keystone", "glance"].contains(&book.service.as_str()))
                .collect(),
            databases: urls.into(),
            image: &image,
            observation: &observation,
            trusted: Default::default(),
            from: Start::Auto,
            to: "2024.1".parse().expect("a series"),
            stops: crate::plan::Stops::Every,
            part: crate::plan::Part::Whole,
            no_skip: false,
            points: crate::model::Points::NONE,
            whole: true,
            others: Default::default(),
            options: String::new(),
        };
        let plan = crate::plan::build(&brief).expect("a plan");
        let mut world = Self { catalog, plan, observation, held: Held::default() };
        for (series, keystone, glance) in
            [("2023.1", "23.0.1", "26.0.0"), ("2023.2", "24.0.0", "27.1.1"), ("2024.1", "25.0.7", "28.0.1")]
        {
            world.put(series, "keystone", facts("keystone", keystone, revisions("keystone", series)));
            world.put(series, "glance", facts("glance", glance, revisions("glance", series)));
        }
        world
    }

    fn put(&mut self, series: &str, name: &str, facts: ServiceFacts) {
        let image = format!("quay.io/openstack/{name}:{series}").parse().expect("an image");
        let digest = format!("sha256:{}", "a".repeat(64)).parse().expect("a digest");
        let facts = ImageFacts { services: BTreeMap::from([(service(name), facts)]) };
        self.held.0.insert((series.parse().expect("a series"), image), HeldImage { digest, facts });
    }

    fn with<T>(&self, then: impl FnOnce(Expected<'_>) -> T) -> T {
        let releases: Vec<&Release> = self.catalog.releases().collect();
        let playbooks: Vec<&Playbook> = self.catalog.playbooks().collect();
        then(Expected { releases: &releases, playbooks: &playbooks, options: "" })
    }

    fn refused(&self) -> String {
        let refusals = self.with(|expected| check(&self.plan, &self.held, expected)).expect_err("a refusal");
        assert!(refusals.iter().all(|refusal| refusal.kind == RefusalKind::Image));
        refusals.iter().map(Refusal::to_string).collect::<Vec<_>>().join("\n\n")
    }
}

#[test]
fn images_that_hold_their_releases_are_taken_also_with_later_fixes_than_are_known() {
    let mut world = World::new();
    assert_eq!(world.with(|expected| check(&world.plan, &world.held, expected)), Ok(Vec::new()));
    // An image that was not read is not judged.
    world.held.0.clear();
    assert_eq!(world.with(|expected| check(&world.plan, &world.held, expected)), Ok(Vec::new()));
}

#[test]
fn an_unknown_version_is_told_and_no_reason_to_refuse() {
    let mut world = World::new();
    let mut keystone = facts("keystone", "", revisions("keystone", "2024.1"));
    keystone.package = None;
    world.put("2024.1", "keystone", keystone);
    let notices = world.with(|expected| check(&world.plan, &world.held, expected)).expect("taken");
    assert!(notices.len() == 1 && notices[0].contains("which version of keystone"), "{notices:?}");
}

#[test]
fn what_an_image_holds_instead_is_told() {
    let mut world = World::new();
    world.put("2024.1", "keystone", facts("keystone", "24.0.0", revisions("keystone", "2023.2")));
    world.put("2024.1", "glance", facts("glance", "27.1.1", revisions("glance", "2024.1")));
    insta::assert_snapshot!(world.refused());
}

#[test]
fn revisions_that_the_release_does_not_have_are_named() {
    let mut world = World::new();
    let mut more = revisions("keystone", "2023.2");
    more.push(revision("abad1dea", &["11c3b243b4cb"], &[], "bobcat/expand/abad1dea_vendor.py", 0));
    world.put("2023.2", "keystone", facts("keystone", "24.0.0", more));
    let mut half = revisions("keystone", "2024.1");
    half.retain(|revision| revision.id != "47147121" && revision.id != "c88cdce8f248");
    world.put("2024.1", "keystone", facts("keystone", "25.0.0", half));
    insta::assert_snapshot!(world.refused());
}

#[test]
fn scripts_that_begin_above_the_database_are_refused_with_the_release_to_stop_at() {
    let mut world = World::new();
    // 2024.1 squashed: its scripts begin at what 2023.2 never was.
    let squashed = vec![
        revision("47147121", &[], &[], "expand/47147121.py", 0),
        revision("c88cdce8f248", &[], &[], "contract/c88cdce8f248.py", 0),
    ];
    world.put("2024.1", "keystone", facts("keystone", "25.0.0", squashed));
    insta::assert_snapshot!(world.refused());
}

#[test]
fn broken_and_missing_scripts_and_options_are_refused() {
    let mut world = World::new();
    let directory = "keystone/common/sql/migrations/versions".to_owned();
    let mut keystone = facts("keystone", "24.0.0", revisions("keystone", "2023.2"));
    let script = |number: u32| Misread { file: format!("{number}.py"), why: "it assigns no `revision`".into() };
    keystone.schemas = [(
        schema("keystone"),
        SchemaFacts::Misread { directory: directory.clone(), scripts: (1..8).map(script).collect() },
    )]
    .into();
    keystone.lacking = vec![LackingOption {
        option: "--expand".into(),
        command: "keystone-manage db_sync --expand".into(),
        file: "keystone/cmd/cli.py".into(),
    }];
    world.put("2023.2", "keystone", keystone);
    let mut gone = facts("keystone", "25.0.0", revisions("keystone", "2024.1"));
    gone.schemas = [(schema("keystone"), SchemaFacts::NotFound { directory })].into();
    world.put("2024.1", "keystone", gone);
    world.put("2024.1", "glance", ServiceFacts::default());
    insta::assert_snapshot!(world.refused());
}

#[test]
fn steps_learn_which_heads_they_reach_and_what_is_dropped_on_the_way() {
    let world = World::new();
    let mut plan = world.plan.clone();
    world.with(|expected| enrich(&mut plan, &world.held, expected));
    let mut told = String::new();
    for (hop, lane, step) in plan.steps() {
        let Action::Run(run) = &step.action else { continue };
        for target in run.schema.iter().flat_map(|schema| schema.databases.values()) {
            let moves = matches!(lane.standing.values().next(), Some(Standing::Moves { .. }));
            let reaches = target.reaches.iter().map(String::as_str).collect::<Vec<_>>().join(" + ");
            let package = lane.package.as_deref().unwrap_or("?");
            told.push_str(&format!(
                "{} {} {package} {} (moves: {moves}): {reaches}; drops {:?}\n",
                hop.series, lane.service, step.id.name, target.may_drop
            ));
        }
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_database_between_two_revisions_is_placed_in_its_release_and_a_foreign_one_is_not() {
    let mut world = World::new();
    let refusal = |kind| Refusal {
        kind,
        database: Some("keystone".parse().expect("an id")),
        what: "as the heads alone tell".into(),
        found: None,
        expected: None,
        next: "look".into(),
    };
    let mut told = String::new();
    for heads in [["b4f8b3f584e0", "e25ffa003242"], ["47147121", "99de3849d860"], ["b4f8b3f584e0", "ffffffffffff"]] {
        let seen = world
            .observation
            .databases
            .values_mut()
            .find(|seen| seen.as_ref().is_ok_and(|seen| !seen.heads.alembic.contains("2023_1_contract01")));
        seen.expect("keystone").as_mut().expect("seen").heads = Heads::alembic(heads);
        let mut refusals = vec![refusal(RefusalKind::Foreign), refusal(RefusalKind::Behind)];
        world.with(|expected| explain(&mut refusals, &world.held, &world.observation, expected));
        assert_eq!(refusals[1], refusal(RefusalKind::Behind), "another kind of refusal was rewritten");
        told.push_str(&format!("{}\n\n", refusals[0]));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_release_with_data_migrations_says_why_its_image_cannot_be_left_out() {
    let world = World::new();
    assert!(needed_for(&world.plan).is_empty(), "keystone and glance have no data migrations");
}
