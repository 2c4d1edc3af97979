//! Restore points of a real leap that something happens to: a dump that is killed, a right that is missing, a schema
//! migration that dies.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::bed::{Cloud, docker};
use crate::dumps::{may_make_scratch_databases, no_scratch, points, takes_points};

#[test]
#[ignore = "needs the test bed"]
fn a_dump_that_was_killed_is_made_anew_and_a_missing_right_is_said_before_anything_begins() {
    let cloud = Cloud::new("halfdump", 10);
    cloud.edit("  policy: none\n  accept_no_way_back: true\n", "  policy: start\n");
    let leap = &["--from", "2023.1", "--to", "2023.1", "--only", "placement", "--yes"];
    cloud.leapfrog(leap).ended(3).said(&[
        "restore points of placement cannot be taken",
        &format!("GRANT ALL ON `leapfrog\\_scratch\\_%`.* TO '{}'@'%';", cloud.name),
    ]);
    assert!(cloud.state().iter().all(|(path, _)| !path.ends_with("journal.jsonl")), "nothing began");
    may_make_scratch_databases(&cloud);
    // Enough to dump for a while.
    cloud.sql(
        "placement",
        "CREATE TABLE filler (id BIGINT PRIMARY KEY, noise TEXT);
         INSERT INTO filler SELECT seq, REPEAT(SHA2(seq, 512), 8) FROM seq_1_to_100000",
    );
    let mut child = cloud
        .command(leap)
        .args(["-o", "jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("leapfrog runs");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for line in lines {
        let line = line.expect("text");
        if line.contains("step-started") && line.contains("restore-point") {
            break;
        }
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    child.kill().expect("killed");
    child.wait().expect("ended");
    let cut = cloud.journal().iter().all(|record| record["event"] != "step-ended");
    assert!(cut, "it was killed too late to say anything");
    cloud.leapfrog(leap).ended(0);
    let [point] = &points(&cloud, "2023.1").into_values().collect::<Vec<_>>()[..] else { panic!("one point") };
    assert!(point["point"].as_str().is_some_and(|name| name.ends_with("placement.2")), "{point}");
    let directory = cloud.directory.path().join("state/restore-points");
    let names: Vec<String> = cloud
        .state()
        .into_iter()
        .filter_map(|(path, _)| Some(path.strip_prefix(&directory).ok()?.file_name()?.to_str()?.to_owned()))
        .collect();
    assert_eq!(names.len(), 2, "what was cut off is gone: {names:?}");
    no_scratch(&cloud, &["placement"]);
}

/// Kills the container of a step as soon as there is one.
fn kill_container(cloud: &Cloud, step: &str) {
    let docker = |arguments: &[&str]| docker().args(arguments).output().expect("docker runs");
    let (of_cloud, of_step) = (format!("label=leapfrog.cloud={}", cloud.name), format!("label=leapfrog.step={step}"));
    let filters = ["--filter", &of_cloud, "--filter", &of_step];
    let began = std::time::Instant::now();
    loop {
        let found = docker(&[&["ps", "-q"][..], &filters[..]].concat());
        let container = String::from_utf8(found.stdout).expect("text").trim().to_owned();
        if !container.is_empty() && docker(&["kill", &container]).status.success() {
            return;
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(300), "{step} never began");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
#[ignore = "needs the test bed"]
fn a_schema_migration_that_is_killed_goes_back_to_its_restore_point_and_is_done_after_all() {
    let cloud = Cloud::new("wayback", 10);
    takes_points(&cloud, "  policy: every-hop\n");
    let leap = &["--from", "2023.1", "--to", "2023.2", "--only", "placement", "--yes"];
    let child = cloud.command(leap).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("leapfrog runs");
    kill_container(&cloud, "2023.2/placement/db-sync");
    let told = crate::bed::Told::from(child.wait_with_output().expect("ended")).ended(0);
    told.said(&["brought back placement to where 2023.2 began", "since 2023.2/placement/db-sync died"]);
    let journal = cloud.journal();
    let of = |event: &str| journal.iter().filter(|record| record["event"] == event).collect::<Vec<_>>();
    assert_eq!((of("restore-started").len(), of("restore-ended").len()), (1, 1));
    assert_eq!(of("restore-ended")[0]["outcome"], "done");
    assert_eq!(of("restore-ended")[0]["evidence"][0]["restored"]["compared"], "full");
    cloud.leapfrog(&["verify", "--at", "2023.2", "--only", "placement"]).ended(0);
}

/// Runs a leap whose restore points are on a small disk: first on one that is too small, then on one that gets full in
/// the middle of the dump, then with room.
const SMALL_DISK: &str = r#"
set -u
points=$1; shift
mkdir -p "$points"
mount -t tmpfs -o size=4m tmpfs "$points" || exit 99
"$@"; echo "small: $?"
mount -o remount,size=128m "$points" || exit 99
"$@" & leap=$!
until [ -n "$(find "$points" -name '*.part' -size +0)" ]; do sleep 0.01; kill -0 $leap || exit 98; done
cat /dev/zero > "$points/filler" 2>/dev/null
wait $leap; echo "full: $?"
echo "left: $(find "$points" -type f ! -name filler | wc -l)"
rm "$points/filler"
"$@"; echo "room: $?"
"$1" restore --list --config leapfrog.yaml
"#;

#[test]
#[ignore = "needs the test bed"]
fn a_disk_without_room_for_a_dump_is_refused_and_one_that_gets_full_leaves_no_half_dump() {
    let cloud = Cloud::new("dumpfull", 10);
    takes_points(&cloud, "  policy: start\n  directory: points\n");
    // Digits that hardly get smaller, enough to dump for a while.
    cloud.sql(
        "placement",
        "CREATE TABLE filler (id BIGINT PRIMARY KEY, noise TEXT);
         INSERT INTO filler SELECT seq, CONCAT(SHA2(seq, 512), SHA2(-seq, 512), SHA2(seq + 0.5, 512))
         FROM seq_1_to_120000;
         ANALYZE TABLE filler",
    );
    let leap = cloud.command(&["--from", "2023.1", "--to", "2023.1", "--only", "placement", "--yes"]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", SMALL_DISK, "sh"]).arg(cloud.directory.path().join("points"));
    command.arg(leap.get_program()).args(leap.get_args()).current_dir(cloud.directory.path());
    command.env("LANG", "C.UTF-8").env_remove("LEAPFROG_CONFIG").stdin(Stdio::null());
    let output = command.output().expect("unshare runs (util-linux); it needs root");
    let told = crate::bed::Told::from(output).ended(0);
    let all = format!("{}\n{}", told.stdout, told.stderr);
    assert!(told.stdout.contains("small: 3"), "{all}");
    assert!(told.stdout.contains("full: 4") && told.stdout.contains("left: 0\n"), "{all}");
    assert!(told.stdout.contains("room: 0"), "{all}");
    assert_eq!(told.stdout.matches("proof full").count(), 1, "{all}");
    let _ = told.said(&["find room in", "4 MB are free", "No space left on device", "look at the disk's space"]);
    no_scratch(&cloud, &["placement"]);
    let taken = points(&cloud, "2023.1");
    assert!(taken["placement"]["point"].as_str().is_some_and(|name| name.ends_with(".2")), "{taken:?}");
}

#[test]
#[ignore = "needs the test bed"]
fn a_way_back_in_whose_middle_leapfrog_dies_is_gone_by_the_same_command_and_nothing_else_begins_before() {
    let cloud = Cloud::new("halfback", 10);
    takes_points(&cloud, "  policy: every-hop\n");
    cloud.sql(
        "placement",
        "CREATE TABLE filler (id BIGINT PRIMARY KEY, noise TEXT);
         INSERT INTO filler SELECT seq, REPEAT(SHA2(seq, 512), 8) FROM seq_1_to_60000",
    );
    let leap = ["--from", "2023.1", "--to", "2023.2", "--only", "placement", "--yes"];
    let mut child = cloud
        .command(&leap)
        .args(["-o", "jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("leapfrog runs");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for line in lines {
        let line = line.expect("text");
        if line.contains("step-started") && line.contains("2023.2/placement/db-sync") {
            kill_container(&cloud, "2023.2/placement/db-sync");
        }
        if line.contains("restore-started") {
            break;
        }
    }
    // Its tables are gone, or half of them are there again.
    std::thread::sleep(std::time::Duration::from_millis(400));
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert!(cloud.journal().iter().all(|record| record["event"] != "restore-ended"), "it was killed too late");
    let rows = cloud.sql("placement", "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = 'filler'");
    let whole = rows.trim() == "1" && cloud.sql("placement", "SELECT COUNT(*) FROM filler").trim() == "60000";
    assert!(!whole || cloud.heads("placement").is_empty(), "nothing was half brought back, so this proves nothing");
    cloud.leapfrog(&["--from", "auto", "--to", "2023.2", "--only", "placement", "--yes", "--fresh"]).ended(3).said(&[
        "did not end well",
        "they stand nowhere",
        "leapfrog restore --to 2023.2 --service placement",
    ]);
    let told = cloud.leapfrog(&leap).ended(0);
    told.said(&["brought back placement to where 2023.2 began"]);
    assert_eq!(cloud.number("placement", "SELECT COUNT(*) FROM filler"), 60000);
    cloud.leapfrog(&["verify", "--at", "2023.2", "--only", "placement"]).ended(0);
    assert_eq!(cloud.containers(), 0);
}
