//! What a leap needs goes away in its middle: the database, the container engine, the room on the disk.

use std::process::Stdio;
use std::time::{Duration, Instant};

use leapfrog::database::connect;
use leapfrog::model::ConnectionUrl;
use leapfrog::model::Secret;
use serde_json::Value;

use crate::bed::{Cloud, Told, environment};
use crate::relay::Relay;

const LEAP: [&str; 7] = ["--from", "2023.1", "--to", "2023.2", "--yes", "--only", "cinder,placement"];

/// Waits until the journal has so many records of the kind.
fn wait_for(cloud: &Cloud, event: &str, times: usize) {
    let deadline = Instant::now() + Duration::from_secs(180);
    let text = format!("\"event\":\"{event}\"");
    loop {
        let journals = cloud.state().into_iter().filter(|(path, _)| path.ends_with("journal.jsonl"));
        let seen: usize = journals.map(|(_, journal)| String::from_utf8_lossy(&journal).matches(&text).count()).sum();
        if seen >= times {
            return;
        }
        assert!(Instant::now() < deadline, "{times} {event} were waited for in vain, {seen} are there");
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn port() -> u16 {
    environment()["mariadb"]["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port")
}

/// A cloud whose database server is reached through a relay.
fn relayed(name: &str) -> (Cloud, Relay) {
    let cloud = Cloud::new(name, 10);
    let (relay, own) = Relay::to_port(port());
    cloud.edit(&format!("@127.0.0.1:{}/", port()), &format!("@127.0.0.1:{own}/"));
    (cloud, relay)
}

fn records(cloud: &Cloud, event: &str) -> usize {
    cloud.journal().iter().filter(|record: &&Value| record["event"] == event).count()
}

fn spawn(cloud: &Cloud, arguments: &[&str]) -> std::process::Child {
    cloud.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("leapfrog runs")
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_database_that_goes_away_in_the_middle_is_waited_for_and_the_leap_goes_on_by_itself() {
    let (cloud, relay) = relayed("away");
    let child = spawn(&cloud, &LEAP);
    wait_for(&cloud, "step-started", 2);
    std::thread::sleep(Duration::from_millis(700));
    // The server is gone for longer than anything retries by itself.
    relay.cut_for(Duration::from_secs(6));
    let told = Told::from(child.wait_with_output().expect("ended")).ended(0);
    let told =
        told.said(&["the lock in database", "is lost", "is away: waiting for it, 5", "every database answers again"]);
    assert!(told.stderr.contains("goes on") || told.stderr.contains("going on"), "{}", told.stderr);
    assert!(relay.passed() > 4, "nothing went through the relay");
    assert_eq!(records(&cloud, "run-resumed"), 1, "it did not go on as the same command would");
    assert_eq!(cloud.heads("placement"), ["a082b8bb98d0"]);
    assert_eq!(cloud.number("cinder", "SELECT COUNT(*) FROM volumes WHERE use_quota IS NULL"), 0);
    assert_eq!(cloud.containers(), 0);
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_database_that_stays_away_stops_the_leap_which_the_same_command_continues() {
    let (cloud, relay) = relayed("gone");
    cloud.edit("services:\n", "limits: {outage: 3s, connect: 2s}\nservices:\n");
    let child = spawn(&cloud, &LEAP);
    wait_for(&cloud, "step-started", 2);
    relay.cut();
    let told = Told::from(child.wait_with_output().expect("ended")).ended(4);
    let _ = told.said(&["has been away for 3 s", "run the same command again", "limits.outage"]);
    assert_eq!(cloud.containers(), 0, "a command works on without a lock");
    // As long as it is away nothing begins.
    let _ = cloud.leapfrog(&LEAP).ended(3).said(&["cannot be read"]);
    relay.mend();
    cloud.leapfrog(&LEAP).ended(0);
    assert_eq!(cloud.heads("placement"), ["a082b8bb98d0"]);
}

#[test]
#[ignore = "needs the test bed: make test"]
fn another_leapfrog_that_took_the_locks_meanwhile_is_not_driven_out() {
    let (cloud, relay) = relayed("taken");
    let child = spawn(&cloud, &LEAP);
    wait_for(&cloud, "step-started", 2);
    relay.cut();
    wait_for(&cloud, "run-ended", 1);
    // From another machine, which reaches the server.
    let url = format!("mysql://{0}@127.0.0.1:{1}/{0}_placement", cloud.name, port());
    let url = url.parse::<ConnectionUrl>().expect("a URL").with_password(Secret::new(cloud.password.as_str()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let timeout = Duration::from_secs(5);
    let lock = runtime.block_on(async {
        let mut looking = connect(&url, timeout).await.expect("the server is there");
        looking.rows("SELECT 1").await.expect("it answers");
        looking.close().await;
        let holder = leapfrog::database::Holder { host: "beta".into(), pid: 4711, since: "now".into() };
        // The lock of the leapfrog that was cut off ends with its session, which the server notices in two seconds.
        for _ in 0..50 {
            if let Ok(lock) = leapfrog::database::lock(&url, &holder, timeout).await {
                return lock;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the lock was not given back");
    });
    // A held lock is shown by whoever watches it.
    let watching = runtime.spawn(async move {
        let mut lock = lock;
        let _ = tokio::time::timeout(Duration::from_secs(30), lock.lost()).await;
        lock
    });
    relay.mend();
    let told = Told::from(child.wait_with_output().expect("ended")).ended(6);
    let _ = told.said(&["process 4711 on beta"]);
    let lock = runtime.block_on(watching).expect("no panic");
    runtime.block_on(lock.release(timeout));
    cloud.leapfrog(&LEAP).ended(0);
}

#[test]
#[ignore = "needs the test bed: make test"]
fn an_engine_that_is_gone_for_a_while_is_waited_for() {
    let cloud = Cloud::new("engine", 10);
    let host = environment()["docker_host"].as_str().map(str::to_owned);
    let host = host.or_else(|| std::env::var("DOCKER_HOST").ok()).unwrap_or("unix:///var/run/docker.sock".into());
    let engine = host.strip_prefix("unix://").expect("an engine with a socket").into();
    let own = cloud.directory.path().join("engine.sock");
    let relay = Relay::to_socket(engine, own.clone());
    let text = std::fs::read_to_string(cloud.config()).expect("readable");
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("socket:")).collect::<Vec<_>>().join("\n");
    let with = format!("    network: host\n    socket: \"unix://{}\"\n", own.display());
    std::fs::write(cloud.config(), lines.replace("    network: host\n", &with) + "\n").expect("writable");
    let child = spawn(&cloud, &LEAP);
    wait_for(&cloud, "step-started", 2);
    relay.cut_for(Duration::from_secs(20));
    let told = Told::from(child.wait_with_output().expect("ended")).ended(0);
    let _ = told.said(&["no container engine answers", "10 m at most", "answers again"]);
    assert_eq!(records(&cloud, "run-resumed"), 0, "one process was enough");
    assert_eq!(cloud.heads("placement"), ["a082b8bb98d0"]);
    let _ = cloud.leapfrog(&["sweep"]).ended(0);
    assert_eq!(cloud.containers(), 0);
}

/// Runs a leap with its state on a small disk that gets full in the middle, then again with room.
const SMALL_DISK: &str = r#"
set -u
state=$1; shift
mkdir -p "$state"
mount -t tmpfs -o size=16m tmpfs "$state" || exit 99
"$@" & leap=$!
until grep -qs '"step-started"' "$state"/runs/*/journal.jsonl; do sleep 0.02; kill -0 $leap || exit 98; done
cat /dev/zero > "$state/filler" 2>/dev/null
wait $leap; echo "full: $?"
rm "$state/filler"
"$@"; echo "room: $?"
"#;

#[test]
#[ignore = "needs the test bed: make test"]
fn a_disk_that_gets_full_stops_the_leap_and_with_room_the_same_command_goes_on() {
    let cloud = Cloud::new("small", 10);
    let leap = cloud.command(&LEAP);
    let state = cloud.directory.path().join("state");
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", SMALL_DISK, "sh"]).arg(state).arg(leap.get_program()).args(leap.get_args());
    command
        .current_dir(cloud.directory.path())
        .env("LANG", "C.UTF-8")
        .env_remove("LEAPFROG_CONFIG")
        .stdin(Stdio::null());
    let told = Told::from(command.output().expect("unshare runs (util-linux); it needs root")).ended(0);
    assert!(told.stdout.contains("full: 4") && told.stdout.contains("room: 0"), "{}\n{}", told.stdout, told.stderr);
    let _ = told.said(&["failed to keep the journal", "look at the disk's space", "No space left on device"]);
    assert_eq!(cloud.heads("placement"), ["a082b8bb98d0"]);
    assert_eq!(cloud.containers(), 0);
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_session_that_somebody_ends_is_not_opened_again() {
    let cloud = Cloud::new("ended", 10);
    let child = spawn(&cloud, &LEAP);
    wait_for(&cloud, "step-started", 2);
    let holders = format!(
        "SELECT CONCAT('KILL ', id, ';') FROM information_schema.PROCESSLIST
         WHERE db = '{}_placement' AND info LIKE '%IS_USED_LOCK%leapfrog%' AND id <> CONNECTION_ID()",
        cloud.name
    );
    // Between two of its statements the holder shows none.
    let kill = (0..40).find_map(|_| {
        let found = cloud.sql("placement", &holders);
        std::thread::sleep(Duration::from_millis(if found.trim().is_empty() { 100 } else { 0 }));
        (!found.trim().is_empty()).then_some(found)
    });
    cloud.sql("placement", &kill.expect("leapfrog's session"));
    let told = Told::from(child.wait_with_output().expect("ended")).ended(4);
    let told = told.said(&["the lock in database placement is lost", "make sure that no other leapfrog works"]);
    assert!(!told.stderr.contains("going on"), "{}", told.stderr);
    assert_eq!(records(&cloud, "run-resumed"), 0);
    assert_eq!(cloud.containers(), 0);
    cloud.leapfrog(&LEAP).ended(0);
}
