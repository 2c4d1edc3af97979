//! Environments are made whole or not at all, once, from what the recipe says.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use leapfrog::model::Secret;
use leapfrog::runner::local::{Local, LocalSettings, Source, shelved};
use leapfrog::runner::{FetchProgress, Runner, RunnerErrorKind};
use std::sync::Mutex;

use crate::bed::{Home, environments, reference, settings, small};
use crate::contract::run_task;

/// The uv that the small environment was made with, so that a test of its own directory does not fetch it again.
async fn uv(home: &Home) -> Option<camino::Utf8PathBuf> {
    home.image().await;
    let own = environments().join("uv/bin/uv");
    own.exists().then_some(own)
}

async fn own(home: &Home, requirement: &str) -> LocalSettings {
    let mut settings = settings(&home.path().join("environments"), home.path(), small(requirement));
    settings.uv = uv(home).await;
    settings
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn an_environment_is_known_by_its_packages_and_lasts() {
    let home = Home::new();
    let settings = own(&home, "iso8601==2.1.0").await;
    let runner = Local::new(settings.clone());
    let image = runner.resolve(&reference()).await.unwrap();
    assert!(!runner.has(&image).await.unwrap());
    let told = Mutex::new(Vec::new());
    runner.fetch(&image, &|progress: FetchProgress| told.lock().unwrap().push(progress)).await.unwrap();
    assert!(runner.has(&image).await.unwrap());
    let shelf = shelved(&settings.environments).unwrap();
    let [one] = &shelf[..] else { panic!("{shelf:?}") };
    assert_eq!((&one.digest, &one.reference, &one.trouble), (&image.digest, &Some(reference()), &None));
    assert!(one.bytes > 10_000 && one.made.is_some() && one.used.is_some());
    let lock = fs::read_to_string(&one.lock).unwrap();
    assert!(lock.contains("iso8601==2.1.0") && lock.contains("--hash=sha256:"), "{lock}");
    let compiled = Command::new("find").args([one.directory.as_str(), "-name", "iso8601*.pyc"]).output().unwrap();
    assert!(!compiled.stdout.is_empty(), "it is byte-compiled");
    // Without any network, another process finds the same.
    let again =
        Local::new(LocalSettings { source: Source::Index(Secret::new("http://127.0.0.1:1/")), ..settings.clone() });
    assert_eq!(again.resolve(&reference()).await.unwrap(), image);
    assert!(again.has(&image).await.unwrap());
    // Another version is another environment.
    let other = Local::new(LocalSettings { recipes: [(reference(), small("iso8601==2.0.0"))].into(), ..settings });
    assert_ne!(other.resolve(&reference()).await.unwrap().digest, image.digest);
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn what_was_left_half_made_counts_for_nothing_and_is_made_anew() {
    let home = Home::new();
    let settings = own(&home, "iso8601==2.1.0").await;
    let runner = Local::new(settings.clone());
    let image = runner.resolve(&reference()).await.unwrap();
    runner.fetch(&image, &|_| ()).await.unwrap();
    let directory = shelved(&settings.environments).unwrap().remove(0).directory;
    fs::remove_file(directory.join("leapfrog-environment.json")).unwrap();
    fs::write(directory.join("left-over"), "").unwrap();
    let next = Local::new(settings.clone());
    assert!(!next.has(&image).await.unwrap());
    let shelf = shelved(&settings.environments).unwrap();
    assert!(shelf[0].trouble.as_ref().unwrap().contains("cut off"), "{shelf:?}");
    next.fetch(&image, &|_| ()).await.unwrap();
    assert!(next.has(&image).await.unwrap() && !directory.join("left-over").exists());
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn two_that_need_the_same_make_it_once() {
    let home = Home::new();
    let settings = own(&home, "iso8601==2.1.0").await;
    let (one, two) = (Local::new(settings.clone()), Local::new(settings.clone()));
    let image = one.resolve(&reference()).await.unwrap();
    let (first, second) = tokio::join!(one.fetch(&image, &|_| ()), two.fetch(&image, &|_| ()));
    first.unwrap();
    second.unwrap();
    assert_eq!(shelved(&settings.environments).unwrap().len(), 1);
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn an_environment_whose_interpreter_is_gone_is_not_used() {
    let home = Home::new();
    let settings = own(&home, "iso8601==2.1.0").await;
    let runner = Local::new(settings.clone());
    let image = runner.resolve(&reference()).await.unwrap();
    runner.fetch(&image, &|_| ()).await.unwrap();
    let directory = shelved(&settings.environments).unwrap().remove(0).directory;
    let python = directory.join("bin/python");
    fs::remove_file(&python).unwrap();
    std::os::unix::fs::symlink("/nowhere/python3.11", &python).unwrap();
    let next = Local::new(settings.clone());
    assert!(!next.has(&image).await.unwrap());
    let trouble = shelved(&settings.environments).unwrap().remove(0).trouble.unwrap();
    assert!(trouble.contains("interpreter") && trouble.contains("gone"), "{trouble}");
    next.fetch(&image, &|_| ()).await.unwrap();
    let run = home.run();
    assert_eq!(run_task(&next, &run.shell(&image, 1, "echo works")).await.0, ["works"]);
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn what_is_missing_is_said_with_what_to_do() {
    let home = Home::new();
    let own = own(&home, "iso8601==2.1.0").await;
    let refused =
        |settings: LocalSettings| async move { Local::new(settings).resolve(&reference()).await.unwrap_err() };

    let mut recipe = small("iso8601==2.1.0");
    recipe.pythons = vec!["3.2".into()];
    let error = refused(LocalSettings { recipes: [(reference(), recipe)].into(), ..own.clone() }).await;
    assert!(error.what.contains("release 2024.1 runs on Python 3.2, and this machine has none: found 3."), "{error}");
    assert!(error.advice.contains("apt install python3.2") && error.advice.contains("`python` under runner.local"));

    let error =
        refused(LocalSettings { python: vec!["/nowhere/{series}/python{version}".into()], ..own.clone() }).await;
    assert!(error.what.contains("none was found"), "{error}");

    let index = Source::Index(Secret::new("http://me:s3cret@127.0.0.1:1/simple"));
    let error = refused(LocalSettings { source: index, ..own.clone() }).await;
    assert_eq!(error.kind, RunnerErrorKind::RegistryUnreachable, "{error}");
    assert!(!error.what.contains("s3cret") && error.advice.contains("wheels"), "{error}");

    let recipe = small("iso8601==99.0");
    let error = refused(LocalSettings { recipes: [(reference(), recipe)].into(), ..own.clone() }).await;
    assert!(error.kind == RunnerErrorKind::ImageMissing && error.what.contains("iso8601"), "{error}");

    let error = refused(LocalSettings { uv: Some("/bin/false".into()), ..own.clone() }).await;
    assert!(error.what.contains("no uv that works"), "{error}");

    let error = refused(LocalSettings { recipes: [].into(), ..own }).await;
    assert!(error.what.contains("nothing says what local/2024.1 is made of"), "{error}");
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn a_directory_of_wheels_and_a_list_of_constraints_are_enough() {
    let home = Home::new();
    let settings = own(&home, "iso8601").await;
    let (wheels, list) = (home.path().join("wheels"), home.path().join("upper.txt"));
    let uv_python = environments().join("uv/bin/python");
    let python = if uv_python.exists() { uv_python.as_str() } else { "python3" };
    let fetched = Command::new(python)
        .args(["-m", "pip", "download", "-q", "--no-deps", "-d", wheels.as_str(), "iso8601==2.0.0", "pip"])
        .status();
    assert!(fetched.unwrap().success());
    fs::write(&list, "iso8601===2.0.0\n").unwrap();
    let mut recipe = small("iso8601");
    (recipe.exclude_newer, recipe.constraints_list) = (None, Some(list.to_string()));
    let settings =
        LocalSettings { source: Source::Wheels(wheels), recipes: [(reference(), recipe)].into(), ..settings };
    let runner = Local::new(settings.clone());
    let image = runner.resolve(&reference()).await.unwrap();
    runner.fetch(&image, &|_| ()).await.unwrap();
    let run = home.run();
    let ask = ["python", "-c", "from importlib.metadata import version; print(version('iso8601'))"];
    assert_eq!(run_task(&runner, &run.task(&image, 1, &ask)).await.0, ["2.0.0"]);
    // A list that says something else is another environment; one that cannot be met is refused.
    fs::write(&list, "iso8601===1.0.0\n").unwrap();
    let error = Local::new(settings).resolve(&reference()).await.unwrap_err();
    assert!(error.what.contains("cannot be resolved"), "{error}");
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn the_installer_of_a_leapfrog_that_was_killed_is_waited_for() {
    let home = Home::new();
    let settings = own(&home, "iso8601==2.1.0").await;
    let runner = Local::new(settings.clone());
    let image = runner.resolve(&reference()).await.unwrap();
    runner.fetch(&image, &|_| ()).await.unwrap();
    let directory = shelved(&settings.environments).unwrap().remove(0).directory;
    fs::remove_file(directory.join("leapfrog-environment.json")).unwrap();
    // As uv was begun by it: with the lock as its standard input.
    let lock = fs::File::open(format!("{directory}.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let late = format!("sleep 2; echo > '{directory}/late'");
    let mut installer = Command::new("sh").args(["-c", &late]).stdin(Stdio::from(lock)).spawn().unwrap();
    let began = Instant::now();
    Local::new(settings).fetch(&image, &|_| ()).await.unwrap();
    installer.wait().unwrap();
    assert!(began.elapsed() > Duration::from_millis(1800) && !directory.join("late").exists());
}

#[tokio::test]
#[ignore = "fetches packages: make test"]
async fn an_environment_can_be_removed_unless_somebody_makes_it() {
    let home = Home::new();
    let settings = own(&home, "iso8601==2.1.0").await;
    let runner = Local::new(settings.clone());
    let image = runner.resolve(&reference()).await.unwrap();
    runner.fetch(&image, &|_| ()).await.unwrap();
    let one = shelved(&settings.environments).unwrap().remove(0);
    // As another leapfrog that makes it holds its lock.
    let lock = fs::File::open(format!("{}.lock", one.directory)).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert!(!one.remove().unwrap());
    assert!(runner.has(&image).await.unwrap());
    drop(lock);
    assert!(one.remove().unwrap());
    assert!(!Utf8Path::new(&one.directory).exists());
    assert_eq!(shelved(&settings.environments).unwrap(), []);
}
