//! Images are found, pinned, downloaded and looked into; what goes wrong says what to do.

use std::collections::BTreeSet;
use std::sync::Mutex;

use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveImageOptionsBuilder};
use leapfrog::model::ImageReference;
use leapfrog::runner::containers::{ContainerSettings, Containers, Pull};
use leapfrog::runner::{FetchProgress, PinnedImage, Runner, RunnerError, RunnerErrorKind};

use crate::bed::{Bed, bed, load, publish};
use crate::contract::run_task;

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn the_engine_says_who_it_is() {
    let identity = bed().await.containers().identify().await.unwrap();
    let known = ["Docker Engine ", "Podman "].iter().any(|name| identity.name.starts_with(name));
    assert!(known && identity.name.contains('.'), "{identity:?}");
    assert!(identity.address.contains("://"), "{identity:?}");
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_told_with_its_address_and_what_to_do() {
    for socket in ["unix:///nonexistent/engine.sock", "tcp://127.0.0.1:1"] {
        let settings = ContainerSettings { socket: Some(socket.into()), ..Default::default() };
        let error = match Containers::connect(settings) {
            Ok(containers) => containers.identify().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind, RunnerErrorKind::EngineUnreachable);
        assert!(error.what.contains(socket) && error.advice.contains("DOCKER_HOST"), "{error} {}", error.advice);
    }
    let settings = ContainerSettings { socket: Some("ssh://engine.example".into()), ..Default::default() };
    let error = Containers::connect(settings).unwrap_err();
    assert!(error.advice.contains("ssh -nNT -L"), "{}", error.advice);
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_tag_is_pinned_to_its_digest_and_a_digest_is_taken_as_it_is() {
    let bed = bed().await;
    let image = bed.image().await;
    let by_digest = bed.reference("1").pinned(&image.digest);
    assert_eq!(bed.containers().resolve(&by_digest).await.unwrap().digest, image.digest);
}

async fn refused(bed: &Bed, reference: &str) -> RunnerError {
    let reference: ImageReference = reference.parse().unwrap();
    bed.containers().resolve(&reference).await.unwrap_err()
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_missing_tag_and_a_missing_repository_are_missing_images() {
    let bed = bed().await;
    for name in ["leapfrog/tasks:no-such-tag", "leapfrog/no-such-repository:1"] {
        let error = refused(bed, &format!("{}/{name}", bed.registry)).await;
        assert_eq!(error.kind, RunnerErrorKind::ImageMissing, "{error}");
        assert!(error.what.contains(name) && error.advice.contains("cloud file"), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_registry_that_does_not_answer_is_unreachable() {
    let bed = bed().await;
    for registry in ["127.0.0.1:1", "no-such-registry.invalid"] {
        let error = refused(bed, &format!("{registry}/leapfrog/tasks:1")).await;
        assert_eq!(error.kind, RunnerErrorKind::RegistryUnreachable, "{error}");
        assert!(error.what.contains(registry), "{error}");
    }
}

/// Settings with a file of credentials as `docker login` writes it.
fn with_login(bed: &Bed, user: &str, password: &str) -> (ContainerSettings, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.json");
    let config = serde_json::json!({"auths": {&bed.private_registry: {"username": user, "password": password}}});
    std::fs::write(&file, config.to_string()).unwrap();
    let credentials = Some(file.try_into().unwrap());
    (ContainerSettings { credentials, ..bed.settings() }, directory)
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_private_registry_is_asked_with_the_operator_s_credentials() {
    let bed = bed().await;
    let reference: ImageReference = format!("{}/leapfrog/tasks:1", bed.private_registry).parse().unwrap();

    let error = bed.containers().resolve(&reference).await.unwrap_err();
    assert_eq!(error.kind, RunnerErrorKind::LoginRefused, "{error}");
    let login = format!("docker login {}", bed.private_registry);
    assert!(
        error.advice.contains("No credentials for") && error.advice.contains("/nonexistent/config.json"),
        "{error:?}"
    );
    assert!(error.advice.contains(&login) && error.what.contains(&bed.private_registry), "{error:?}");

    let (settings, _directory) = with_login(bed, &bed.private_user, "wr0ng-secret");
    let error = Containers::connect(settings).unwrap().resolve(&reference).await.unwrap_err();
    assert_eq!(error.kind, RunnerErrorKind::LoginRefused, "{error}");
    assert!(error.advice.contains("not accepted") && error.advice.contains(&login), "{error:?}");
    assert!(!format!("{error:?}").contains("wr0ng"), "{error:?}");

    let (settings, _directory) = with_login(bed, &bed.private_user, &bed.private_password);
    let containers = Containers::connect(settings).unwrap();
    let image = containers.resolve(&reference).await.unwrap();
    containers.fetch(&image, &|_| ()).await.unwrap();
    let run = bed.run();
    assert_eq!(run_task(&containers, &run.shell(&image, 1, "echo private")).await.0, ["private"]);
    remove(bed, &image).await;
}

async fn remove(bed: &Bed, image: &PinnedImage) {
    let pinned = image.reference.pinned(&image.digest).to_string();
    for name in [pinned, image.reference.to_string()] {
        let options = RemoveImageOptionsBuilder::default().force(true).build();
        let _ = bed.client().remove_image(&name, Some(options), None).await;
    }
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn an_image_is_downloaded_once_and_exactly_as_it_was_pinned() {
    let bed = bed().await;
    // Enough that the engine tells of progress, and nothing that packs well.
    let mut state = 1_u64;
    let ballast: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(24 << 20)
    .collect();
    publish(bed, "leapfrog/large", "1", &ballast).await;
    let containers = bed.containers();
    let reference: ImageReference = format!("{}/leapfrog/large:1", bed.registry).parse().unwrap();
    let image = containers.resolve(&reference).await.unwrap();
    remove(bed, &image).await;
    remove_local(bed, "1").await;

    assert!(!containers.has(&image).await.unwrap());
    let error = Containers::connect(ContainerSettings { pull: Pull::Never, ..bed.settings() }).unwrap();
    let error = error.fetch(&image, &|_| ()).await.unwrap_err();
    assert_eq!(error.kind, RunnerErrorKind::ImageMissing, "{error}");
    let run = bed.run();
    let error = containers.launch(&run.shell(&image, 1, "true")).await.unwrap_err();
    assert_eq!(error.kind, RunnerErrorKind::NotStarted, "{error}");

    let seen: Mutex<Vec<FetchProgress>> = Mutex::default();
    containers.fetch(&image, &|progress| seen.lock().unwrap().push(progress)).await.unwrap();
    assert!(containers.has(&image).await.unwrap());
    let seen = seen.into_inner().unwrap();
    if containers.identify().await.unwrap().name.starts_with("Docker") {
        let last = seen.last().expect("progress");
        assert!(last.total > 20 << 20 && last.done == last.total, "{last:?}");
    }
    assert!(seen.windows(2).all(|pair| pair[0].done <= pair[1].done), "{seen:?}");

    containers.fetch(&image, &|_| panic!("nothing is downloaded twice")).await.unwrap();
    assert_eq!(run_task(&containers, &run.shell(&image, 1, "ls /opt")).await.0, ["ballast"]);
    remove(bed, &image).await;
}

async fn remove_local(bed: &Bed, tag: &str) {
    let options = RemoveImageOptionsBuilder::default().force(true).build();
    let name = format!("localhost/leapfrog/made-by-tests:{tag}");
    let _ = bed.client().remove_image(&name, Some(options), None).await;
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn without_pulling_an_image_is_taken_as_it_is_here_also_one_that_was_never_in_a_registry() {
    let bed = bed().await;
    let local: ImageReference = load(&bed.client(), "local", b"only here").await.parse().unwrap();
    let containers = Containers::connect(ContainerSettings { pull: Pull::Never, ..bed.settings() }).unwrap();
    let image = containers.resolve(&local).await.unwrap();
    assert!(containers.has(&image).await.unwrap());
    containers.fetch(&image, &|_| ()).await.unwrap();
    let run = bed.run();
    assert_eq!(run_task(&containers, &run.shell(&image, 1, "cat /opt/ballast")).await.0, ["only here"]);
    assert!(containers.lacking(&image, &["sh".to_owned()].into()).await.unwrap().is_empty());
    drop(run);
    remove_local(bed, "local").await;

    // One that is in a registry has the digest that the registry gives it.
    let pulled = bed.image().await;
    bed.containers().fetch(&pulled, &|_| ()).await.unwrap();
    assert_eq!(containers.resolve(&bed.reference("1")).await.unwrap().digest, pulled.digest);

    let error = containers.resolve(&bed.reference("not-here")).await.unwrap_err();
    assert_eq!(error.kind, RunnerErrorKind::ImageMissing);
    assert!(error.advice.contains("docker pull") && error.advice.contains("pull: auto"), "{}", error.advice);
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn programs_are_looked_for_without_running_anything_and_without_a_trace() {
    let bed = bed().await;
    let image = bed.image().await;
    let cloud = format!("lacking-test-{}", std::process::id());
    let containers = Containers::connect(ContainerSettings { cloud: cloud.clone(), ..bed.settings() }).unwrap();
    containers.fetch(&image, &|_| ()).await.unwrap();
    let set = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    // Docker does not follow links, Podman does, so one that leads nowhere is not asked for there.
    let dangling = if containers.identify().await.unwrap().name.starts_with("Docker") { "dangling" } else { "sh" };
    // A directory and a file without the right to be run do not count.
    let present = ["sh", "/bin/sh", "busybox", dangling, "bin/cat"];
    let lacking = ["nova-manage", "/usr/bin/sh", "/etc", "etc/no-program", "keystone"];
    let all: Vec<&str> = present.iter().chain(&lacking).copied().collect();
    assert_eq!(containers.lacking(&image, &set(&all)).await.unwrap(), set(&lacking));

    let filter = [("label", vec![format!("leapfrog.cloud={cloud}")])].into();
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filter).build();
    assert_eq!(bed.client().list_containers(Some(options)).await.unwrap().len(), 0);
}
