//! Tasks start, end, are stopped, found again and removed; their private files with them.

use std::time::Duration;

use bollard::query_parameters::{InspectContainerOptions, KillContainerOptions};
use leapfrog::model::{RunId, Secret};
use leapfrog::runner::containers::{ContainerSettings, Containers};
use leapfrog::runner::{FoundState, PinnedImage, PrivateFile, Runner, RunnerErrorKind, Task, TaskHandle};

use crate::bed::{Bed, TestRun, bed};
use crate::contract::{Subject, hold_to_contract, run_task, watch};

/// The container runner with the small image.
struct InContainers {
    bed: &'static Bed,
    run: TestRun,
    image: PinnedImage,
}

impl Subject for InContainers {
    fn runner(&self) -> Box<dyn Runner> {
        Box::new(self.bed.containers())
    }

    fn run(&self) -> &RunId {
        &self.run.id
    }

    fn shell(&self, round: u32, line: &str) -> Task {
        self.run.shell(&self.image, round, line)
    }
}

async fn in_containers() -> InContainers {
    let bed = bed().await;
    InContainers { bed, run: bed.run(), image: bed.image().await }
}

hold_to_contract!("needs the test bed: make test", in_containers);

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_killed_task_ends_with_137() {
    let bed = bed().await;
    let (containers, run, image) = (bed.containers(), bed.run(), bed.image().await);
    let handle = containers.launch(&run.shell(&image, 1, "echo started; sleep 600")).await.unwrap();
    let client = bed.client();
    let kill = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        client.kill_container(&handle.0, None::<KillContainerOptions>).await.unwrap();
    };
    let ((lines, exit), ()) = tokio::join!(watch(&containers, &handle), kill);
    assert_eq!((lines[0].text.as_str(), exit.code), ("started", 137));
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_program_that_the_image_lacks_never_starts_and_leaves_nothing() {
    let bed = bed().await;
    let (containers, run, image) = (bed.containers(), bed.run(), bed.image().await);
    for program in ["nova-manage", "/usr/bin/nova-manage", "/etc/no-program", "/etc"] {
        let error = containers.launch(&run.task(&image, 1, &[program, "db", "sync"])).await.unwrap_err();
        assert_eq!(error.kind, RunnerErrorKind::NotStarted);
        assert!(error.what.contains(&format!("no program `{program}`")), "{error}");
    }
    assert_eq!(containers.find(&run.id).await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn what_the_engine_cannot_start_is_told_in_its_words_and_leaves_nothing() {
    let bed = bed().await;
    let (run, image) = (bed.run(), bed.image().await);
    // The link exists, its target does not.
    let settings = ContainerSettings { network: Some("no-such-network".into()), ..bed.settings() };
    let containers = Containers::connect(settings).unwrap();
    let error = containers.launch(&run.shell(&image, 1, "true")).await.unwrap_err();
    assert_eq!(error.kind, RunnerErrorKind::NotStarted);
    assert!(error.what.contains("no-such-network"), "{error}");
    assert_eq!(containers.find(&run.id).await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_task_runs_in_the_root_directory_as_the_image_s_user_without_the_image_s_entry_point() {
    let bed = bed().await;
    let (containers, run, image) = (bed.containers(), bed.run(), bed.image().await);
    let (lines, exit) = run_task(&containers, &run.shell(&image, 1, "pwd; id -u")).await;
    assert_eq!((lines, exit.code), (vec!["/".into(), "4242".into()], 0));
    let settings = ContainerSettings { user: Some("7".into()), ..bed.settings() };
    let containers = Containers::connect(settings).unwrap();
    assert_eq!(run_task(&containers, &run.shell(&image, 2, "id -u")).await.0, ["7"]);
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_private_file_is_there_for_its_task_alone() {
    let bed = bed().await;
    let (containers, run, image) = (bed.containers(), bed.run(), bed.image().await);
    let script = "cat /etc/keystone/keystone.conf /etc/nova/a/nova.conf; stat -c %a /etc/keystone /etc/nova/a /etc/nova/a/nova.conf";
    let mut task = run.shell(&image, 1, script);
    let file =
        |path: &str, content: &str| PrivateFile { path: path.into(), passed_with: None, content: Secret::new(content) };
    task.files =
        vec![file("/etc/keystone/keystone.conf", "s3cret-one\n"), file("/etc/nova/a/nova.conf", "s3cret-two\n")];
    let handle = containers.launch(&task).await.unwrap();
    let (lines, exit) = watch(&containers, &handle).await;
    let lines: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    // The image's own directory keeps its mode; what was missing can be read by any user.
    assert_eq!((lines, exit.code), (vec!["s3cret-one", "s3cret-two", "711", "755", "444"], 0));

    let client = bed.client();
    let shown = client.inspect_container(&handle.0, None::<InspectContainerOptions>).await.unwrap();
    let shown = format!("{shown:?}");
    assert!(shown.contains("2024.1/nova/db-sync@cell1") && !shown.contains("s3cret"), "{shown}");

    containers.reap(&handle).await.unwrap();
    assert!(client.inspect_container(&handle.0, None::<InspectContainerOptions>).await.is_err());
    containers.reap(&handle).await.expect("nothing to remove is no error");
    let (_, exit) = run_task(&containers, &run.shell(&image, 2, "cat /etc/keystone/keystone.conf")).await;
    assert_eq!(exit.code, 1, "another task has no such file");
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_place_that_no_private_file_can_have_is_refused_and_nothing_is_left() {
    let bed = bed().await;
    let (containers, run, image) = (bed.containers(), bed.run(), bed.image().await);
    for path in ["etc/nova.conf", "/etc/../nova.conf", "/"] {
        let mut task = run.shell(&image, 1, "true");
        task.files = vec![PrivateFile { path: path.into(), passed_with: None, content: Secret::new("s3cret") }];
        let error = containers.launch(&task).await.unwrap_err();
        assert_eq!(error.kind, RunnerErrorKind::NotStarted, "{path}");
    }
    assert_eq!(containers.find(&run.id).await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_task_that_was_created_and_never_started_is_found_as_such_and_can_be_launched() {
    let bed = bed().await;
    let (containers, run, image) = (bed.containers(), bed.run(), bed.image().await);
    let task = run.shell(&image, 1, "echo begun");
    // As a process leaves it that died between the two: made by launching, with its labels, but from scratch.
    let handle = containers.launch(&task).await.unwrap();
    let client = bed.client();
    let made = client.inspect_container(&handle.0, None::<InspectContainerOptions>).await.unwrap();
    watch(&containers, &handle).await;
    containers.reap(&handle).await.unwrap();
    let options = bollard::query_parameters::CreateContainerOptionsBuilder::default()
        .name(made.name.as_deref().unwrap().trim_start_matches('/'))
        .build();
    let config = made.config.unwrap();
    let body =
        bollard::models::ContainerCreateBody { image: config.image, labels: config.labels, ..Default::default() };
    let left = client.create_container(Some(options), body).await.unwrap();

    let found = containers.find(&run.id).await.unwrap();
    assert_eq!((found.len(), found[0].state, &found[0].handle.0), (1, FoundState::NeverStarted, &left.id));
    let (sender, _receiver) = tokio::sync::mpsc::channel(8);
    let error = containers.watch(&found[0].handle, sender).await.unwrap_err();
    assert_eq!(error.kind, RunnerErrorKind::NotStarted, "no exit code is made up");
    assert_eq!(run_task(&containers, &task).await.0, ["begun"]);
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_task_that_somebody_removed_is_lost_and_says_so() {
    let bed = bed().await;
    let containers = bed.containers();
    let (sender, _receiver) = tokio::sync::mpsc::channel(8);
    let error = containers.watch(&TaskHandle("0123456789abcdef".repeat(4)), sender).await.unwrap_err();
    assert_eq!(error.kind, RunnerErrorKind::Lost);
    assert!(error.what.contains("0123456789ab") && !error.advice.is_empty(), "{error}");
}
