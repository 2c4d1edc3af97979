//! A range of eight releases of fourteen services, linted out of images with their real scripts.

use std::collections::{BTreeMap, BTreeSet};

use leapfrog::catalog::{Catalog, Release};
use leapfrog::lint::Rule;
use leapfrog::model::{DatabaseId, Series, Service};
use serde_json::Value;

use crate::bed::docker;
use crate::cloud::{Told, environment, testbed};

/// The releases whose environments are known, for all services.
const RANGE: [&str; 2] = ["2023.1", "2026.2"];

/// The releases of a range, and the release that it starts from.
fn releases<'c>(catalog: &'c Catalog, range: [&str; 2]) -> Vec<&'c Release> {
    let [from, to]: [Series; 2] = range.map(|series| series.parse().unwrap());
    catalog.releases().filter(|release| from <= release.series && release.series <= to).collect()
}

/// A cloud file for these services, or for all, whose images hold each service's package of the release and nothing else; no
/// database is there.
fn cloud(catalog: &Catalog, range: [&str; 2], services: &[&str]) -> tempfile::TempDir {
    let wanted = |service: &Service| services.is_empty() || services.contains(&service.as_str());
    for release in releases(catalog, range) {
        let here = release.services.iter().filter(|(service, _)| wanted(service));
        let packages = here.map(|(_, facts)| format!("{}=={}", facts.package, facts.versions.last));
        let packages: Vec<String> = packages.collect();
        let mut arguments = vec!["scripts", release.series.as_str()];
        arguments.extend(packages.iter().map(String::as_str));
        testbed(&arguments, "");
    }
    let facts = environment();
    let socket = facts["docker_host"].as_str().map(|host| format!("    socket: {host}\n")).unwrap_or_default();
    let image = facts["image"].as_str().unwrap();
    let mut text = format!(
        "format: 1\nname: range\nrunner:\n  containers:\n{socket}    images:\n      default: \"{image}:scripts-{{series}}\"\n\
         services:\n"
    );
    for playbook in catalog.playbooks().filter(|playbook| wanted(&playbook.service)) {
        let service = &playbook.service;
        text.push_str(&format!("  {service}:\n"));
        let mut named = String::new();
        for slot in &playbook.databases {
            let name = &slot.slot;
            let url = format!("{{url: \"mysql+pymysql://nobody@127.0.0.1:1/{service}_{name}\"}}");
            match name.as_str() {
                DatabaseId::MAIN => text.push_str(&format!("    database: {url}\n")),
                _ if slot.many => text.push_str(&format!("    {name}: {{cell1: {url}}}\n")),
                _ => named.push_str(&format!("      {name}: {url}\n")),
            }
        }
        if !named.is_empty() {
            text.push_str(&format!("    databases:\n{named}"));
        }
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("leapfrog.yaml"), text).unwrap();
    directory
}

/// `leapfrog lint` over a range.
fn lint(directory: &tempfile::TempDir, range: [&str; 2], arguments: &[&str]) -> Told {
    let mut command = crate::bed::leapfrog(&["lint", "--from", range[0], "--to", range[1]]);
    Told::from(command.args(arguments).current_dir(directory.path()).output().unwrap())
}

/// A finding's service, revision and rule.
fn key(found: &Value) -> (String, String, String) {
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (text("service"), text("revision"), text("rule"))
}

#[test]
#[ignore = "needs the test bed: make test"]
fn every_finding_from_warnings_on_has_a_note_and_every_note_a_finding() {
    let catalog = Catalog::embedded().unwrap();
    let cloud = cloud(&catalog, RANGE, &[]);
    let engines = ["--engine", "mysql,mariadb,postgresql"];
    let told = lint(&cloud, RANGE, &[&engines[..], &["--deny", "warning", "-o", "json"]].concat());
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    assert!(report["scripts"].as_u64() > Some(90), "{}", told.stderr);
    assert!(!told.stderr.contains("the notes on"), "{}", told.stderr);
    let findings = report["findings"].as_array().unwrap();
    let grave = findings.iter().filter(|found| found["severity"] != "information" && found["accepted"].is_null());
    let silent: BTreeSet<_> = grave.map(key).collect();
    assert!(silent.is_empty(), "{} without a note: {silent:#?}", silent.len());
    told.ended(0);

    let known: BTreeSet<_> = findings.iter().map(key).collect();
    let mut idle = Vec::new();
    for release in &releases(&catalog, RANGE)[1..] {
        for note in &release.exceptions {
            let service = note.service.as_ref().unwrap().to_string();
            for name in &note.rules {
                let rule = Rule::named(name).unwrap_or_else(|| panic!("{}: no rule {name}", release.series));
                let wanted = (service.clone(), note.revision.clone(), rule.id.to_owned());
                if !known.contains(&wanted) {
                    idle.push(wanted);
                }
            }
        }
    }
    assert!(idle.is_empty(), "notes of nothing: {idle:#?}");

    // What one transaction holds is told once for a schema and a release, and not of designate, whose env.py gives each script
    // its own. No release puts a column in the place of another one.
    let of = |rule: &str| findings.iter().filter(|found| found["rule"] == rule).collect::<Vec<_>>();
    let chains = of("LF-L07");
    let each: BTreeSet<_> =
        chains.iter().map(|one| ["service", "schema", "series"].map(|key| one[key].to_string())).collect();
    assert_eq!(each.len(), chains.len(), "{each:?}");
    assert!(chains.iter().all(|one| one["service"] != "designate"), "{each:?}");
    let quotas = chains.iter().find(|one| one["revision"] == "b8660621f1b9").expect("cinder's quotas");
    assert_eq!((&quotas["severity"], &quotas["severities"]["postgresql"]), (&"warning".into(), &"warning".into()));
    assert_eq!(of("LF-C20"), Vec::<&Value>::new());

    // Without the notes the same is denied.
    lint(&cloud, RANGE, &[&engines[..], &["--no-notes", "--only", "nova"]].concat()).ended(8);
}

/// What is found, by service and revision: the rules.
fn found(report: &Value) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut found: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for (service, revision, rule) in report["findings"].as_array().unwrap().iter().map(key) {
        found.entry((service, revision)).or_default().insert(rule);
    }
    found
}

fn has(found: &BTreeMap<(String, String), BTreeSet<String>>, service: &str, revision: &str, rules: &[&str]) {
    let here = found.get(&(service.to_owned(), revision.to_owned()));
    let here = here.unwrap_or_else(|| panic!("nothing is found in {service} {revision}: {:?}", found.keys()));
    for rule in rules {
        assert!(here.contains(*rule), "{service} {revision}: {here:?} has no {rule}");
    }
}

#[test]
#[ignore = "needs the test bed: make test"]
fn what_is_known_to_hurt_is_found_by_name() {
    let catalog = Catalog::embedded().unwrap();
    let report = |range: [&str; 2], services: &[&str]| -> Value {
        let told = lint(&cloud(&catalog, range, services), range, &["--no-notes", "-o", "json"]).ended(8);
        serde_json::from_str(&told.stdout).unwrap()
    };
    let all = found(&report(RANGE, &[]));
    // use_quota becomes NOT NULL; every table becomes utf8mb4.
    has(&all, "cinder", "9ab1b092a404", &["LF-C06", "LF-L02"]);
    has(&all, "ironic", "c1fd28861bb9", &["LF-C15", "LF-L01"]);
    // Columns are dropped in an expand script, which goes through rows one by one.
    let zed = found(&report(["yoga", "zed"], &["neutron"]));
    has(&zed, "neutron", "I43e0b669096", &["LF-C01", "LF-P01", "LF-P03", "LF-D02", "LF-D03"]);

    // Triggers that glance makes while its rows move.
    has(&found(&package("2023.1", "glance")), "", "ocata_expand01", &["LF-P06"]);
}

/// What the image of a release holds of a package, linted as a source tree.
fn package(series: &str, package: &str) -> Value {
    let image = format!("{}:scripts-{series}", environment()["image"].as_str().unwrap());
    let directory = tempfile::tempdir().unwrap();
    docker(&["pull", "--quiet", &image]);
    let container = docker(&["create", &image]);
    let here = directory.path().to_str().unwrap();
    let path = format!("/opt/openstack/lib/python3.11/site-packages/{package}");
    docker(&["cp", &format!("{container}:{path}"), here]);
    docker(&["rm", &container]);
    let told = Told::from(crate::bed::leapfrog(&["lint", here, "--deny", "never", "-o", "json"]).output().unwrap());
    serde_json::from_str(&told.ended(0).stdout).unwrap()
}

/// The tables of which a rule finds something in a file that ends so.
fn tables(report: &Value, file: &str, rule: &str) -> BTreeSet<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let here = findings.filter(|one| one["rule"] == rule && one["file"].as_str().is_some_and(|at| at.ends_with(file)));
    here.filter_map(|one| one["table"].as_str().map(str::to_owned)).collect()
}

#[test]
#[ignore = "needs the test bed: make test"]
fn scripts_from_before_alembic_are_read_and_what_is_known_to_hurt_there_is_found_by_name() {
    let catalog = Catalog::embedded().unwrap();
    // keystone's triggers of Newton and Ocata, which its packages carry until Xena.
    cloud(&catalog, ["rocky", "rocky"], &["keystone"]);
    let rocky = package("rocky", "keystone");
    for (file, on) in [
        ("expand_repo/versions/003_add_key_hash_and_encrypted_blob_to_credential.py", &["credential"][..]),
        ("expand_repo/versions/012_expand_add_domain_id_to_idp.py", &["identity_provider"]),
        ("expand_repo/versions/014_expand_add_domain_id_to_user_table.py", &["local_user", "nonlocal_user"]),
        ("expand_repo/versions/015_expand_update_federated_user_domain.py", &["federated_user"]),
    ] {
        let found = tables(&rocky, file, "LF-P06");
        assert!(on.iter().all(|table| found.contains(*table)), "{file}: {found:?}");
    }

    // nova was shortened to what Train has; a database that is past it goes on.
    let range = |from: &str, to: &str, services: &[&str]| -> Value {
        let told =
            lint(&cloud(&catalog, [from, to], services), [from, to], &["--deny", "never", "-o", "json"]).ended(0);
        assert!(!told.stderr.contains("the notes on"), "{}", told.stderr);
        serde_json::from_str(&told.stdout).unwrap()
    };
    let severity = |report: &Value, service: &str, revision: &str, rule: &str| {
        let wanted = (service.to_owned(), revision.to_owned(), rule.to_owned());
        let found = report["findings"].as_array().unwrap().iter().find(|one| key(one) == wanted);
        found.map(|one| one["severity"].as_str().unwrap_or_default().to_owned())
    };
    let wallaby = range("victoria", "wallaby", &["nova"]);
    assert_eq!(severity(&wallaby, "nova", "nova 402", "LF-S06").as_deref(), Some("information"));
    let unread = wallaby["findings"].as_array().unwrap().iter();
    let unread = unread.filter(|one| one["what"].as_str().is_some_and(|what| what.contains("which are not read")));
    assert_eq!(unread.count(), 0, "a release is known by its heads alone");
    let creates = wallaby["operations"].as_array().unwrap().iter().filter(|one| one["does"] == "creates table");
    assert_eq!(creates.count(), 0, "a database that is there runs no script of the shortened repository");
    let tree = package("wallaby", "nova");
    let first = "nova/db/sqlalchemy/migrate_repo/versions/402_train.py";
    let of_first = |one: &&Value| one["file"].as_str().is_some_and(|file| file.ends_with(first));
    let made = tree["operations"].as_array().unwrap().iter().filter(of_first);
    let made: BTreeSet<&str> =
        made.filter(|one| one["does"] == "creates table").filter_map(|one| one["table"].as_str()).collect();
    assert!(made.contains("instances") && made.contains("volume_usage_cache") && made.len() > 50, "{made:?}");
    let of = |severity: &str, rule: &str| {
        let findings = tree["findings"].as_array().unwrap().iter().filter(of_first);
        let here = findings.filter(|one| one["severity"] == severity && (rule.is_empty() || one["rule"] == rule));
        here.map(|one| one["table"].as_str().unwrap_or("?").to_owned()).collect::<BTreeSet<String>>()
    };
    // Its tables are new but for the one in which sqlalchemy-migrate keeps the number; those that it makes of others are not known.
    assert_eq!(of("error", ""), ["migrate_version".to_owned()].into());
    assert_eq!(of("warning", "LF-S04"), ["?".to_owned()].into());
}
