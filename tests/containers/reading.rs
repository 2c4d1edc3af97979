//! The images of real releases are read: what they hold is what the release files say.

use std::collections::BTreeSet;
use std::time::Duration;

use leapfrog::catalog::{Catalog, Playbook, Release};
use leapfrog::cli::images::Question;
use leapfrog::migrations::SchemaFacts;
use leapfrog::model::{Branch, Service};
use leapfrog::runner::containers::{ContainerSettings, Containers};
use leapfrog::runner::{PackageRequest, ReadRequest, Runner};

use crate::bed::{Bed, bed};

/// The versions that the test bed installs (tests/testbed/releases.json leads to them), nova's and placement's.
const VERSIONS: [(&str, &str, &str); 4] = [
    ("2023.1", "27.1.0", "9.0.0"),
    ("2023.2", "28.0.1", "10.0.0"),
    ("2024.1", "29.0.2", "11.0.0"),
    ("2024.2", "30.0.0", "12.0.0"),
];

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn every_release_holds_the_heads_of_its_release_file_and_nothing_is_started() {
    let bed = bed().await;
    let catalog = Catalog::embedded().unwrap();
    let releases: Vec<&Release> = catalog.releases().collect();
    // The test bed's images hold the services that a release's environment holds.
    let environment = releases.iter().find_map(|release| release.environment.as_ref()).unwrap();
    let playbooks = catalog.playbooks().filter(|playbook| environment.services.contains_key(&playbook.service));
    let playbooks: Vec<&Playbook> = playbooks.collect();
    let services: Vec<&Service> = playbooks.iter().map(|playbook| &playbook.service).collect();
    let cloud = format!("reading{}", std::process::id());
    let containers = Containers::connect(ContainerSettings { cloud: cloud.clone(), ..bed.settings() }).unwrap();
    let since = jiff::Timestamp::now().as_second().to_string();
    for (series, nova, placement) in VERSIONS {
        let release = releases.iter().copied().find(|release| release.series.as_str() == series).unwrap();
        let reference = format!("{}/leapfrog/openstack:{series}", bed.registry).parse().unwrap();
        let image = containers.resolve(&reference).await.unwrap();
        containers.fetch(&image, &|_| ()).await.unwrap();
        let programs = BTreeSet::from(["nova-manage".to_owned(), "no-such-program".to_owned()]);
        let question = Question::new(release, &releases, &playbooks, &services, &programs);
        let files = containers.read(&image, &question.request()).await.unwrap();
        let facts = question.facts(&files);
        assert_eq!(files.lacking, BTreeSet::from(["no-such-program".to_owned()]));
        let mut schemas = 0;
        for service in &services {
            let expected = &release.services[*service];
            let found = &facts.services[*service];
            assert_eq!(found.lacking, [], "{series} {service}");
            assert_eq!(found.place.as_deref(), Some("/opt/openstack/lib/python3.11/site-packages"));
            assert!(found.package.is_some(), "{series} {service}: which version it holds was not found");
            for (schema, heads) in &expected.heads {
                let SchemaFacts::Read(tree) = &found.schemas[schema] else {
                    panic!("{series} {schema}: {:?}", found.schemas[schema]);
                };
                assert_eq!(tree.heads(), heads.alembic, "{series} {schema}");
                let unknown: Vec<_> = tree.revisions().filter(|revision| revision.drops.is_none()).collect();
                assert!(unknown.is_empty(), "{series} {schema}: {unknown:?}");
                schemas += 1;
            }
        }
        assert_eq!(schemas, 8);
        let package = |service: &str| facts.services[&service.parse().unwrap()].package.clone();
        assert_eq!((package("nova").as_deref(), package("placement").as_deref()), (Some(nova), Some(placement)));
        // Every head of a schema in two halves is known to belong to one of them.
        for schema in ["keystone", "neutron", "glance"] {
            let SchemaFacts::Read(tree) = &facts.services[&schema.parse().unwrap()].schemas[&schema.parse().unwrap()]
            else {
                panic!()
            };
            assert_eq!(tree.ends_of(Branch::Expand).len(), 1, "{series} {schema}");
            assert_eq!(tree.ends_of(Branch::Contract).len(), 1, "{series} {schema}");
        }
    }
    let label = format!("label=leapfrog.cloud={cloud}");
    assert_eq!(docker(bed, &["ps", "-aq", "--filter", &label]), "", "a container is left");
    let until = jiff::Timestamp::now().as_second().to_string();
    let events = ["events", "--since", &since, "--until", &until, "--filter", &label, "--format", "{{.Action}}"];
    let events = docker(bed, &events);
    assert!(events.contains("create") && !events.contains("start"), "{events}");
}

/// What the engine's own client says.
fn docker(bed: &Bed, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new("docker");
    command.args(arguments).envs(bed.docker_host.as_ref().map(|host| ("DOCKER_HOST", host)));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_look_into_an_image_that_is_broken_off_at_any_moment_leaves_nothing() {
    let bed = bed().await;
    let reference = format!("{}/leapfrog/openstack:2024.1", bed.registry).parse().unwrap();
    let image = bed.containers().resolve(&reference).await.unwrap();
    bed.containers().fetch(&image, &|_| ()).await.unwrap();
    let cloud = format!("broken-off-{}", std::process::id());
    let settings = || ContainerSettings { cloud: cloud.clone(), ..bed.settings() };
    let label = format!("label=leapfrog.cloud={cloud}");
    let programs = ["nova-manage".to_owned()].into();
    for moment in 0..12 {
        let containers = Containers::connect(settings()).unwrap();
        let looking = containers.lacking(&image, &programs);
        let _ = tokio::time::timeout(Duration::from_millis(moment * 8), looking).await;
    }
    let mut left = String::new();
    for _ in 0..100 {
        left = docker(bed, &["ps", "-aq", "--filter", &label]);
        if left.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(left, "", "a container is left");
    // One that a dead process left goes with the next look; another machine's stays.
    let host = docker(bed, &["info", "--format", "{{.Name}}"]);
    let reference = image.reference.to_string();
    let made = |holder: &str| {
        let process = format!("leapfrog.process={holder}");
        let mut create = vec!["create", "--label", "leapfrog.probe=true", "--label", &label[6..]];
        create.extend(["--label", &process, &reference, "none"]);
        docker(bed, &create).trim().to_owned()
    };
    let (dead, other) =
        (made(&format!("{} on {}", i32::MAX, host.trim())), made(&format!("{} on elsewhere", i32::MAX)));
    Containers::connect(settings()).unwrap().lacking(&image, &programs).await.unwrap();
    let left = docker(bed, &["ps", "-aq", "--no-trunc", "--filter", &label]);
    docker(bed, &["rm", &other]);
    assert_eq!(left.trim(), other, "{dead} was to go");
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn what_is_not_there_is_missing_and_a_program_without_python_has_no_place() {
    let bed = bed().await;
    let reference = format!("{}/leapfrog/openstack:2024.1", bed.registry).parse().unwrap();
    let image = bed.containers().resolve(&reference).await.unwrap();
    bed.containers().fetch(&image, &|_| ()).await.unwrap();
    let package = |program: &str| PackageRequest {
        program: program.to_owned(),
        directories: ["nova/db/none".to_owned()].into(),
        files: ["nova/cmd/manage.py".to_owned(), "nova/none.py".to_owned()].into(),
        candidates: vec!["nova-0.0.1.dist-info".to_owned()],
    };
    let request =
        ReadRequest { packages: ["nova-manage", "ls", "none", "python3"].map(package).into(), ..Default::default() };
    let files = bed.containers().read(&image, &request).await.unwrap();
    let nova = &files.packages[0];
    assert_eq!(nova.missing, BTreeSet::from(["nova/db/none".to_owned(), "nova/none.py".to_owned()]));
    assert!(nova.texts["nova/cmd/manage.py"].contains("--max-count"));
    assert_eq!(nova.candidate, None);
    assert_eq!((&files.packages[1].place, &files.packages[2].place), (&None, &None));
    assert!(!files.packages.iter().skip(1).any(|package| package.texts.contains_key("nova/none.py")));
}
