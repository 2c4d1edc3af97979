//! What the tests of local environments need: an environments directory that is kept between runs of the tests, a small
//! environment, tasks.
//!
//! The small environment is one package of a few kilobytes and an interpreter; its commands are the interpreter's.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use leapfrog::model::{ImageReference, RunId};
use leapfrog::runner::local::{Local, LocalSettings, Recipe, Source};
use leapfrog::runner::{PinnedImage, Runner, Task, TaskHandle};
use tokio::sync::OnceCell;

use crate::contract;
pub(crate) use crate::machine::environments;

static RUNS: AtomicU32 = AtomicU32::new(0);
static SMALL: OnceCell<PinnedImage> = OnceCell::const_new();

/// The leapfrog that supervises.
pub(crate) fn program() -> &'static Utf8Path {
    Utf8Path::new(env!("CARGO_BIN_EXE_leapfrog"))
}

/// A recipe of one small package without dependencies.
pub(crate) fn small(requirement: &str) -> Recipe {
    Recipe {
        series: "2024.1".parse().unwrap(),
        services: BTreeSet::from(["nova".parse().unwrap()]),
        pythons: vec!["3.11".into(), "3.10".into(), "3.12".into(), "3.13".into()],
        requirements: vec![requirement.into()],
        constraints: Vec::new(),
        constraints_list: None,
        without: Vec::new(),
        exclude_newer: Some("2024-07-01".into()),
    }
}

pub(crate) fn reference() -> ImageReference {
    ImageReference::environment(&"2024.1".parse().unwrap(), None)
}

/// Settings for a test of its own, with tasks below `home`.
pub(crate) fn settings(environments: &Utf8Path, home: &Utf8Path, recipe: Recipe) -> LocalSettings {
    LocalSettings {
        environments: environments.to_owned(),
        tasks: home.join("tasks"),
        supervisor: program().to_owned(),
        source: Source::Configured,
        uv: None,
        python: Vec::new(),
        recipes: [(reference(), recipe)].into(),
    }
}

/// A place for the tasks of a test.
pub(crate) struct Home {
    directory: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.directory.path()).unwrap()
    }

    /// The runner, with the small environment.
    pub(crate) fn runner(&self) -> Local {
        Local::new(settings(&environments(), self.path(), small("iso8601==2.1.0")))
    }

    /// The small environment; it is made once.
    pub(crate) async fn image(&self) -> PinnedImage {
        let made = SMALL.get_or_init(|| async {
            let runner = self.runner();
            let image = runner.resolve(&reference()).await.unwrap_or_else(|error| panic!("{error}: {}", error.advice));
            runner.fetch(&image, &|_| ()).await.unwrap_or_else(|error| panic!("{error}: {}", error.advice));
            image
        });
        made.await.clone()
    }

    /// A run whose tasks go away with the test.
    pub(crate) fn run(&self) -> TestRun {
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let began = format!("{:08}-{:06}", std::process::id(), number);
        TestRun { id: RunId::new(&began, 7), tasks: self.path().join("tasks") }
    }
}

/// A run of a test.
pub(crate) struct TestRun {
    pub(crate) id: RunId,
    tasks: Utf8PathBuf,
}

impl TestRun {
    pub(crate) fn task(&self, image: &PinnedImage, round: u32, command: &[&str]) -> Task {
        contract::task(&self.id, image, round, command)
    }

    /// A task that runs a line of shell, begun by the environment's interpreter.
    pub(crate) fn shell(&self, image: &PinnedImage, round: u32, line: &str) -> Task {
        self.task(
            image,
            round,
            &["python", "-c", "import os, sys; os.execv('/bin/sh', ['sh', '-c', sys.argv[1]])", line],
        )
    }

    /// The directory of a task.
    pub(crate) fn directory(&self, handle: &TaskHandle) -> Utf8PathBuf {
        self.tasks.join(&handle.0)
    }

    /// The process that a task's directory says has a part in it: `supervisor` or `command`.
    pub(crate) fn process(&self, handle: &TaskHandle, part: &str) -> u32 {
        process(&self.directory(handle), part)
    }
}

pub(crate) fn process(directory: &Utf8Path, part: &str) -> u32 {
    let text = std::fs::read(directory.join(format!("{part}.json"))).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
    u32::try_from(value["pid"].as_u64().unwrap()).unwrap()
}

/// Sends a signal to one process.
pub(crate) fn kill(signal: &str, pid: u32) {
    let status = Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status().unwrap();
    assert!(status.success(), "kill -{signal} {pid}");
}

impl Drop for TestRun {
    fn drop(&mut self) {
        let run = self.tasks.join(self.id.as_str());
        for task in run.read_dir_utf8().into_iter().flatten().flatten() {
            for part in ["command", "supervisor"] {
                let text = std::fs::read(task.path().join(format!("{part}.json"))).unwrap_or_default();
                let value: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
                let over = task.path().join("exit.json").exists();
                if let Some(pid) = value["pid"].as_u64().filter(|_| !over) {
                    // The whole group: what a test left sleeping.
                    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{pid}")]).output();
                }
            }
        }
    }
}
