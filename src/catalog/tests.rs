//! Mistakes an author makes, as the author sees them.

mod directory;
mod robustness;
mod trips;

use super::*;
use crate::document::Mistake;
use crate::model::Engine;

/// The shipped releases or playbooks, with their names.
pub(super) fn shipped(directory: &str) -> Vec<(String, String)> {
    files(directory).into_iter().filter(|(name, _)| !name.ends_with(".notes")).collect()
}

fn files(directory: &str) -> Vec<(String, String)> {
    let directory = camino::Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut files: Vec<_> = directory
        .read_dir_utf8()
        .expect("the directory of the sources")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.file_name().ends_with(".yaml"))
        .map(|entry| {
            let stem = entry.path().file_stem().expect("a name").to_owned();
            (stem, std::fs::read_to_string(entry.path()).expect("text"))
        })
        .collect();
    files.sort();
    files
}

fn borrowed(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

/// The shipped catalogue with some files replaced or added: `playbooks/nova`, `releases/2025.2`.
pub(super) fn with(changes: &[(&str, &str)]) -> Result<Catalog, CatalogError> {
    let (mut releases, mut playbooks) = (shipped("releases"), shipped("playbooks"));
    for (path, text) in changes {
        let (directory, name) = path.split_once('/').expect("a directory and a name");
        let files = if directory == "releases" { &mut releases } else { &mut playbooks };
        files.retain(|(known, _)| known != name);
        files.push((name.to_owned(), (*text).to_owned()));
    }
    Catalog::from_texts(&borrowed(&releases), &borrowed(&playbooks))
}

/// A shipped file with some of its text replaced.
fn edited(path: &str, edits: &[(&str, &str)]) -> String {
    let (directory, name) = path.split_once('/').expect("a directory and a name");
    let (_, mut text) = shipped(directory).into_iter().find(|(known, _)| known == name).expect("a shipped file");
    for (from, to) in edits {
        assert!(text.contains(from), "{path} does not hold {from:?}");
        text = text.replacen(from, to, 1);
    }
    text
}

fn mistakes(changes: &[(&str, &str)]) -> Vec<Mistake> {
    with(changes).expect_err("a mistake").mistakes
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes
        .iter()
        .map(|mistake| match mistake.help() {
            Some(help) => format!("{}\n    help: {help}\n", mistake.one_line()),
            None => format!("{}\n", mistake.one_line()),
        })
        .collect()
}

/// As an operator sees it in a terminal without colours.
fn rendered(error: &CatalogError) -> String {
    let mut text = String::new();
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor()).with_width(100);
    handler.render_report(&mut text, error).expect("a report");
    text
}

#[test]
fn the_shipped_catalogue_has_no_mistakes_and_every_file_of_it_is_in_the_binary() {
    let catalog = Catalog::embedded().unwrap_or_else(|error| panic!("{}", rendered(&error)));
    let stems = |directory: &str| shipped(directory).into_iter().map(|(stem, _)| stem).collect::<Vec<_>>();
    let mut releases: Vec<String> = catalog.releases().map(|release| release.series.to_string()).collect();
    releases.sort();
    assert_eq!(releases, stems("releases"));
    let noted = catalog.releases().filter(|release| !release.exceptions.is_empty());
    let noted: Vec<String> = noted.map(|release| format!("{}.notes", release.series)).collect();
    let files: Vec<String> = files("releases").into_iter().map(|(name, _)| name).collect();
    assert_eq!(noted, files.into_iter().filter(|name| name.ends_with(".notes")).collect::<Vec<_>>());
    assert_eq!(
        catalog.playbooks().map(|playbook| playbook.service.to_string()).collect::<Vec<_>>(),
        stems("playbooks")
    );
}

#[test]
fn every_mistake_of_every_file_is_reported_in_one_go_with_its_lines() {
    let nova = edited(
        "playbooks/nova",
        &[
            ("      phase: expand\n", "      fase: expand\n"),
            ("for_each: [cell0, cells]", "foreach: [cell0, cells]"),
            ("count: 5000", "count: a thousand"),
            ("0: done, 1: more", "0: dnoe, 1: more"),
        ],
    );
    let antelope =
        edited("releases/2023.1", &[("slurp: true", "slurp: yes"), ("- service: cinder", "- servcie: cinder")]);
    let error = with(&[("playbooks/nova", &nova), ("releases/2023.1", &antelope)]).expect_err("mistakes");
    insta::assert_snapshot!(rendered(&error));
}

#[test]
fn all_missing_keys_are_reported_at_once_and_a_misspelt_one_only_as_that() {
    let release = "format: 1\nseries: '2025.2'\ncodenme: flamingo\nservices:\n  nova:\n    versions: {first: 32.0.0}\n";
    let playbook = "format: 1\nservice: heat\ndatabases: [{slot: main}]\nsteps:\n  - run: {name: db-sync, fase: expand}\n  \
                    - dran: {}\n  - drain: {name: x, effect: never}\n";
    insta::assert_snapshot!(lines(&mistakes(&[("releases/2025.2", release), ("playbooks/heat", playbook)])));
}

#[test]
fn what_is_allowed_of_a_releases_own_checks_needs_a_result_a_reason_and_a_query_that_counts() {
    let cinder = edited(
        "playbooks/cinder",
        &[
            ("[cinder-status, upgrade, check, --json]", "[cinder-status, upgrade, '{count}']"),
            (
                "        - check: Service UUIDs\n",
                "        - {check: Attachment specs, results: [], why: ' '}\n        \
                 - {check: Service UUIDs, results: [success, failure, failure], why: x}\n        \
                 - check: Service UUIDs\n",
            ),
            ("SELECT COUNT(*) FROM (SELECT 1", "DELETE FROM (SELECT 1"),
        ],
    );
    insta::assert_snapshot!(lines(&mistakes(&[("playbooks/cinder", &cinder)])));
}

#[test]
fn a_precondition_only_looks_can_be_understood_and_relies_on_a_step_that_comes_in_time() {
    let cinder = edited(
        "playbooks/cinder",
        &[
            ("- name: cg-snapshots", "- name: consistency-groups"),
            ("databases: [main]\n    what: messages", "databases: [mian]\n    what: messages"),
            ("what: volumes without a type", "what: ' '"),
            ("SELECT COUNT(*) FROM snapshots WHERE volume_type_id IS NULL", "DELETE FROM snapshots"),
            (
                "moved_by: {step: online-data-migrations, series: {from: train",
                "moved_by: {step: online, series: {from: ussuri",
            ),
        ],
    );
    let neutron = edited(
        "playbooks/neutron",
        &[
            ("HAVING COUNT(*) > 1\n    good: no-rows", "HAVING COUNT(*) > 1 LIMIT 5\n    good: no-rows"),
            ("series: {from: train, to: train}\n    databases: [main]", "series: {}\n    databases: []"),
            (
                "query: SELECT COUNT(*) FROM ml2_vlan_allocations",
                "query: SELECT COUNT(*) INTO OUTFILE 'x' FROM ml2_vlan_allocations",
            ),
        ],
    );
    let glance = edited("playbooks/glance", &[("series: {from: ocata, to: ocata}\n", "series: {to: newton}\n")]);
    let changes = [("playbooks/cinder", &*cinder), ("playbooks/glance", &*glance), ("playbooks/neutron", &*neutron)];
    insta::assert_snapshot!(lines(&mistakes(&changes)));
}

#[test]
fn a_recorded_version_is_one_number_a_release_and_its_question_only_looks() {
    let nova = edited(
        "playbooks/nova",
        &[
            ("version: '52', named: Victoria", "version: victoria"),
            ("{from: xena, to: xena}, version: '54'", "{from: wallaby, to: xena}, version: '54'"),
            ("SELECT s.binary, s.host, CAST(s.version", "DELETE s.binary, s.host, CAST(s.version"),
        ],
    );
    let step = "moved_by: {step: db-sync, series: {from: rocky}}";
    let cinder = edited("playbooks/cinder", &[(step, "moved_by: {step: bump, series: {from: rocky}}")]);
    let told = lines(&mistakes(&[("playbooks/nova", &nova), ("playbooks/cinder", &cinder)]));
    for expected in [
        "\"victoria\" is no version: write numbers with dots between them, such as 1.38",
        "this and one before it hold for the same series",
        "the query must be one statement that begins with SELECT",
        "the playbook has no step bump",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn a_release_in_which_a_service_is_only_looked_at_is_an_oversight() {
    let only_checked = edited(
        "playbooks/placement",
        &[
            ("  - run:\n      name: db-sync\n", "  - run:\n      name: db-sync\n      series: {to: '2024.2'}\n"),
            ("  - drain:\n", "  - drain:\n      series: {to: '2024.2'}\n"),
        ],
    );
    insta::assert_snapshot!(lines(&mistakes(&[("playbooks/placement", &only_checked)])), @r"
    playbooks/placement.yaml:19:5: no step is taken in 2025.1 (epoxy), on any engine
    playbooks/placement.yaml:19:5: no step is taken in 2025.2 (flamingo), on any engine
    playbooks/placement.yaml:19:5: no step is taken in 2026.1 (gazpacho), on any engine
    playbooks/placement.yaml:19:5: no step is taken in 2026.2 (hibiscus), on any engine
    ");
}

#[test]
fn what_a_playbook_means_is_checked_too() {
    let nova = edited(
        "playbooks/nova",
        &[
            ("lead_to: [cell0, cells]", "lead_to: [cell0, cels]"),
            ("query: SELECT", "query: DELETE"),
            ("path: /etc/nova/nova.conf", "path: nova.conf"),
            ("url_of: [api]}", "url_of: [api], value: x}"),
            ("command: [nova-manage, db, sync, --local_cell]", "command: [nova-manage, db, sync, '{count}']"),
            ("why: Brings the API", "series: {from: '2024.2', to: caracal}\n      why: Brings the API"),
            ("phase: migrate", "phase: check"),
            ("{0: done, 1: more, 2: stuck,", "{1: failed, 2: stuck,"),
            ("--max-count, '{count}'", "--max-count, '50'"),
            ("count: 5000", "count: 0"),
            ("what: migrations without a uuid", "what: ''"),
            ("SELECT COUNT(*) FROM migrations WHERE", "DELETE FROM migrations WHERE"),
        ],
    );
    insta::assert_snapshot!(lines(&mistakes(&[("playbooks/nova", &nova)])));
}

#[test]
fn what_is_read_of_an_image_is_checked() {
    let scripts = "      - {series: {from: xena}, path: nova/db/main/migrations/versions}\n";
    let bad = concat!(
        "      - {path: /nova/db, constants: [nova/db/names.txt]}\n",
        "      - {series: {to: antelope}, path: nova/../x}\n",
        "    repositories:\n",
        "      - {name: x, path: nova/x, series: {to: rocky}}\n",
        "      - {name: x, path: ../y, series: {from: queens}}\n",
    );
    let again = "  - {slot: cells, schema: nova, many: true, scripts: [{path: nova/other/versions}]}\n";
    let nova = edited(
        "playbooks/nova",
        &[
            (scripts, bad),
            ("  - {slot: cells, schema: nova, many: true}\n", again),
            ("{path: nova/cmd/manage.py}", "{series: {from: '2024.1', to: '2023.1'}, path: manage.py}"),
        ],
    );
    insta::assert_snapshot!(lines(&mistakes(&[("playbooks/nova", &nova)])));
}

#[test]
fn what_a_step_says_of_schemas_is_checked() {
    let nova = edited(
        "playbooks/nova",
        &[
            (
                "schema: [api]",
                "schema: [apis]\n      branch: contract\n      besides: {what: ' ', query: DELETE FROM t}",
            ),
            ("schema: [cell0, cells]", "schema: [cell0, api, cell0]\n      branch: expand"),
        ],
    );
    let placement = edited("playbooks/placement", &[("schema: [main]", "branch: expand\n      besides: {what: more}")]);
    let barbican = edited("playbooks/barbican", &[("effect: idempotent", "effect: read-only")]);
    insta::assert_snapshot!(lines(&mistakes(&[
        ("playbooks/nova", &nova),
        ("playbooks/placement", &placement),
        ("playbooks/barbican", &barbican)
    ])));
}

#[test]
fn what_a_release_means_is_checked_too() {
    let release = edited(
        "releases/2024.1",
        &[
            ("series: '2024.1'", "series: '2024.2'"),
            ("codename: caracal", "codename: bobcat"),
            ("first: 29.0.0, last: 29.4.0", "first: 29.10.0, last: 29.4.0"),
            ("nova: {alembic: ['13863f4e1612']}", "nova: {alembic: []}"),
            ("      glance: {alembic", "      glnace: {alembic"),
            ("service: barbican", "service: sahara"),
            ("first: 24.0.0, last: 24.5.0", "first: newest, last: 24.5.0"),
        ],
    );
    insta::assert_snapshot!(lines(&mistakes(&[("releases/2024.1", &release)])));
}

#[test]
fn the_example_in_the_guide_is_the_playbook_that_is_used() {
    let guide = include_str!("../../docs/adding-a-service.md");
    let mut blocks = guide.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next());
    let (playbook, service) = (blocks.next().expect("a playbook"), blocks.next().expect("a service of a release"));
    assert_eq!(playbook, edited("playbooks/manila", &[]));
    assert!(edited("releases/2024.1", &[]).contains(service), "{service}");
    let catalog = Catalog::embedded().unwrap_or_else(|error| panic!("{}", rendered(&error)));
    let manila: crate::model::Service = "manila".parse().expect("a name");
    for row in guide.lines().filter(|line| line.starts_with("| 20")) {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let facts = &catalog.release(&catalog.find_series(cells[1]).expect("known")).expect("there").services[&manila];
        assert_eq!(format!("{} to {}", facts.versions.first, facts.versions.last), cells[2]);
        assert_eq!(facts.heads.values().next().expect("one schema").to_string(), cells[3]);
    }
}

#[test]
fn a_release_that_is_added_is_told_everything_it_lacks() {
    let empty = "format: 1\nseries: '2027.1'\ncodename: unnamed\nreleased: 2027-04-01\nstatus: maintained\nslurp: true\nservices: {}\n";
    let found = mistakes(&[("releases/2027.1", empty)]);
    let playbooks = shipped("playbooks");
    assert_eq!(found.len(), playbooks.len() + 1, "{}", lines(&found));
    for (service, _) in playbooks {
        let message = format!("{service} is missing: it has a playbook (playbooks/{service}.yaml)");
        assert!(found.iter().any(|mistake| mistake.message() == message), "{message}");
    }
    // Copied from the newest one it is complete: its playbooks hold from there on.
    let copied = edited("releases/2026.2", &[("'2026.2'", "'2027.1'"), ("codename: hibiscus", "codename: unnamed")]);
    with(&[("releases/2027.1", &copied)]).unwrap_or_else(|error| panic!("{}", rendered(&error)));
}

#[test]
fn a_service_that_some_releases_do_not_list_is_reported_for_each_of_them() {
    let sahara = "format: 1\nservice: sahara\ntitle: data processing\ndatabases: [{slot: main, schema: sahara}]\n\
                configuration: [{path: /etc/sahara/sahara.conf, options: [{group: database, option: connection, url_of: [main]}]}]\n\
                steps: [{run: {name: db-sync, phase: expand, command: [sahara-db-manage, upgrade, head], effect: idempotent, why: x}}]\n";
    let found = mistakes(&[("playbooks/sahara", sahara)]);
    assert_eq!(found.len(), shipped("releases").len());
    let message = "sahara is missing: it has a playbook (playbooks/sahara.yaml)";
    assert!(found.iter().all(|mistake| mistake.message() == message));
}

#[test]
fn a_release_needs_a_configuration_file_and_a_step_in_every_playbook() {
    let barbican = edited("playbooks/barbican", &[("from: '2024.1'", "from: '2024.2'")]);
    let placement = edited(
        "playbooks/placement",
        &[
            ("phase: expand\n", "phase: expand\n      series: {to: '2024.2'}\n"),
            ("phase: migrate\n", "phase: migrate\n      series: {to: '2024.2'}\n"),
        ],
    );
    insta::assert_snapshot!(lines(&mistakes(&[
        ("playbooks/barbican", &barbican),
        ("playbooks/placement", &placement)
    ])));
}

#[test]
fn an_engine_that_a_service_gave_up_has_no_steps_from_then_on() {
    let catalog = Catalog::embedded().unwrap_or_else(|error| panic!("{}", rendered(&error)));
    let neutron = catalog.playbook(&"neutron".parse().expect("a name")).expect("there");
    let steps = |codename: &str, engine| {
        let series = catalog.find_series(codename).expect("known");
        neutron.steps(&series, engine).map(|step| step.name().to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(steps("dalmatian", Engine::Postgresql), "db-expand db-contract");
    assert_eq!(steps("epoxy", Engine::Postgresql), "");
    assert_eq!(steps("epoxy", Engine::Mysql), "db-expand db-contract");
    assert_eq!(steps("antelope", Engine::Sqlite), "");
}

#[test]
fn ranges_and_engines_keep_steps_and_files_of_one_name_apart() {
    let step = |range: &str| {
        format!(
            "  - run:\n      name: db-upgrade\n      phase: expand\n      {range}\n      \
             command: [barbican-db-manage, upgrade]\n      effect: idempotent\n      why: x\nknown:\n"
        )
    };
    let meet = edited("playbooks/barbican", &[("known:\n", &step("series: {from: '2025.1'}"))]);
    let found = mistakes(&[("playbooks/barbican", &meet)]);
    assert_eq!(lines(&found).lines().count(), 2, "{}", lines(&found));
    assert!(found[0].message().starts_with("a step named db-upgrade is there already"));

    let apart = edited(
        "playbooks/barbican",
        &[
            ("phase: expand\n", "phase: expand\n      engines: [mysql, sqlite]\n"),
            ("known:\n", &step("engines: [postgresql]")),
        ],
    );
    with(&[("playbooks/barbican", &apart)]).unwrap_or_else(|error| panic!("{}", rendered(&error)));

    let files = edited("playbooks/barbican", &[("series: {from: '2024.1'}", "series: {from: '2023.2'}")]);
    assert_eq!(
        mistakes(&[("playbooks/barbican", &files)])[0].message(),
        "this file and one before it hold for the same series"
    );
}

#[test]
fn a_file_must_have_the_name_of_what_it_describes() {
    let nova = edited("playbooks/nova", &[]);
    let found = mistakes(&[("playbooks/compute", &nova)]);
    assert_eq!(found[0].one_line(), "playbooks/compute.yaml:2:10: the playbook of nova must be named nova.yaml");
}

#[test]
fn a_document_of_a_newer_format_is_not_picked_to_pieces() {
    let nova = edited("playbooks/nova", &[("format: 1", "format: 2"), ("title: compute", "headline: compute")]);
    let found = mistakes(&[("playbooks/nova", &nova)]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message(), "format 2 was written for a newer leapfrog; this one reads format 1");
    let missing = edited("playbooks/nova", &[("format: 1\n", "")]);
    assert_eq!(
        lines(&mistakes(&[("playbooks/nova", &missing)])),
        "playbooks/nova.yaml:1:1: `format` is missing: begin the document with `format: 1`\n"
    );
}

/// What the test bed makes its images of, by release.
fn bed() -> serde_json::Value {
    serde_json::from_str(include_str!("../../tests/testbed/releases.json")).expect("JSON")
}

#[test]
fn an_environment_is_made_of_what_the_test_bed_runs() {
    let (catalog, bed) = (Catalog::embedded().expect("sound"), bed());
    let texts = |value: &serde_json::Value| -> Vec<String> {
        value.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
    };
    // What the bed's images do not hold, local environments do (tests/tested).
    let tried = |release: &&Release| bed["releases"].get(release.series.as_str()).is_some();
    for release in catalog.releases().filter(tried) {
        let environment = release.environment.as_ref().unwrap_or_else(|| panic!("{} has none", release.series));
        let tried = &bed["releases"][release.series.as_str()];
        assert_eq!(environment.exclude_newer.to_string(), tried["exclude_newer"], "{}", release.series);
        assert_eq!(environment.constraints, texts(&tried["constraints"]), "{}", release.series);
        let majors = tried["major"].as_object().expect("packages");
        let mut wanted: Vec<String> = majors
            .iter()
            .map(|(package, major)| {
                let major = major.as_u64().expect("a number");
                format!("{package}>={major},<{}", major + 1)
            })
            .collect();
        let usual = environment.usual();
        let usual = environment.services.iter().filter(|(service, _)| usual.contains(*service));
        let mut named: Vec<String> = usual.flat_map(|(_, packages)| packages).cloned().collect();
        wanted.sort();
        named.sort();
        assert_eq!(named, wanted, "{}", release.series);
        // Debian 12's interpreter is what the images have.
        assert_eq!(environment.python.first().map(String::as_str), Some("3.11"), "{}", release.series);
        // netifaces2 saves a compiler, which the bed has.
        let names = environment.packages.iter().filter_map(|text| text.split(['<', '>', '=']).next());
        let names: Vec<&str> = names.filter(|name| *name != "netifaces2").collect();
        assert_eq!(names, texts(&bed["python_packages"]), "{}", release.series);
    }
}
