//! One writer, and nobody beside it: two leapfrogs on one cloud, and clients that were not stopped.

use std::process::Stdio;
use std::time::{Duration, Instant};

use leapfrog::database::connect;
use leapfrog::model::{ConnectionUrl, Secret};

use crate::bed::{Cloud, Told, environment};

const LEAP: [&str; 7] = ["--from", "2023.1", "--to", "2023.2", "--yes", "--only", "keystone,placement"];

#[test]
#[ignore = "needs the test bed: make test"]
fn a_second_leapfrog_is_refused_within_a_second_and_told_who_works() {
    let cloud = Cloud::new("twice", 10);
    let mut first = cloud.command(&LEAP).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("leapfrog runs");
    let pid = first.id().to_string();
    let others = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| refuse_others(&cloud, &pid)));
    // Killed, it holds nothing: the same command goes on.
    first.kill().expect("killed");
    first.wait().expect("gone");
    others.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    cloud.leapfrog(&LEAP).ended(0);
    cloud.leapfrog(&LEAP).ended(0).said(&["already at 2023.2"]);
}

/// While the process `pid` leaps, others are refused.
fn refuse_others(cloud: &Cloud, pid: &str) {
    let began = Instant::now();
    while !cloud.state().iter().any(|(path, _)| path.ends_with("journal.jsonl")) {
        assert!(began.elapsed() < Duration::from_secs(60), "the first leapfrog does not begin");
        std::thread::sleep(Duration::from_millis(100));
    }
    // The same state directory: its lock file tells.
    let asked = Instant::now();
    cloud.leapfrog(&LEAP).ended(6).said(&["another leapfrog works on this cloud", pid]);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    // Another one, as from another machine: the locks in the databases tell.
    cloud.edit("/state\"\n", "/elsewhere\"\n");
    let asked = Instant::now();
    let told = cloud.leapfrog(&LEAP).ended(6).said(&["lock the database", &format!("process {pid} on"), "kill -TERM"]);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}\n{}", asked.elapsed(), told.stderr);
    cloud.edit("/elsewhere\"\n", "/state\"\n");
}

/// Where the cloud's keystone database is, as its own user.
fn keystone(cloud: &Cloud) -> ConnectionUrl {
    let facts = environment();
    let fact = |name: &str| facts["mariadb"][name].to_string().trim_matches('"').to_owned();
    let url = format!("mysql://{}@{}:{}/{}_keystone", cloud.name, fact("host"), fact("port"), cloud.name);
    url.parse::<ConnectionUrl>().expect("a URL").with_password(Secret::new(cloud.password.as_str()))
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_service_that_was_not_stopped_is_named_and_the_leap_waits_for_its_end() {
    let cloud = Cloud::new("fenced", 10);
    let only = ["--from", "2023.1", "--to", "2023.2", "--yes", "--only", "keystone"];
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let service = runtime.block_on(connect(&keystone(&cloud), Duration::from_secs(5))).expect("a session");
    let heads = cloud.heads("keystone");
    cloud.leapfrog(&only).ended(3).said(&[
        "somebody else is connected to the databases",
        &format!("{} from 127.0.0.1 in keystone", cloud.name),
        "--fence off",
    ]);
    assert_eq!(cloud.heads("keystone"), heads, "a database was touched");
    assert!(cloud.state().iter().all(|(path, _)| !path.ends_with("journal.jsonl")), "a run was begun");
    // Beside it, where the operator says so, and the report says so for ever.
    let unfenced: Vec<&str> = only.iter().copied().chain(["--fence", "off"]).collect();
    cloud.leapfrog(&unfenced).ended(0).said(&["fence", "others were allowed to be connected"]);
    let told = Told::from(cloud.command(&["status"]).output().expect("leapfrog runs")).ended(0);
    let words = told.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("others were allowed to be connected"), "{}", told.stdout);
    runtime.block_on(service.close());
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_service_that_holds_no_session_is_named_by_its_heartbeat_until_it_is_stopped() {
    let cloud = Cloud::new("beating", 10);
    let leap = ["--from", "2023.1", "--to", "2023.2", "--yes", "--only", "cinder"];
    cloud.sql(
        "cinder",
        "INSERT INTO services (created_at, updated_at, deleted, host, `binary`, topic, report_count, disabled, uuid) VALUES
         (UTC_TIMESTAMP(), UTC_TIMESTAMP(), 0, 'vol1', 'cinder-volume', 'cinder-volume', 1, 0, 'f00')",
    );
    let beats = "UPDATE services SET report_count = report_count + 1, updated_at = UTC_TIMESTAMP() WHERE host = 'vol1'";
    let heads = cloud.heads("cinder");
    let stopped = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                cloud.sql("cinder", beats);
                std::thread::sleep(Duration::from_secs(2));
            }
        });
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            cloud.leapfrog(&leap).ended(3).said(&[
                "services still run; their heartbeats move: cinder-volume on vol1 (cinder, last seen ",
                "--fence off",
            ])
        }));
        stopped.store(true, std::sync::atomic::Ordering::Relaxed);
        told.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    assert_eq!(cloud.heads("cinder"), heads, "a database was touched");
    // Its last sign of life is fresh: it takes an interval to see that there is no other.
    cloud.leapfrog(&leap).ended(0).said(&["waiting ", "such as cinder-volume on vol1"]);
}
