//! Restore points of a real leap: after every release databases come back as they were dumped, and the leap goes on
//! from there to its end.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bed::{Cloud, testbed};

const SERVICES: &str = "keystone,placement";
const LEAP: &[&str] = &["--from", "2023.1", "--to", "2024.1", "--only", SERVICES, "--yes"];

/// A cloud whose file asks for restore points, and whose user may prove them.
fn cloud(name: &str) -> Cloud {
    let cloud = Cloud::new(name, 10);
    cloud.edit("  policy: none\n  accept_no_way_back: true\n", "  keep: 9\n");
    testbed(&["sql", "mysql"], &format!("GRANT ALL ON `leapfrog\\_scratch\\_%`.* TO '{}'@'%'", cloud.name));
    cloud
}

/// Everything in a database as the server's own client tells it.
fn contents(cloud: &Cloud, database: &str) -> String {
    let output = Command::new("mariadb-dump")
        .args(["--no-defaults", "--skip-dump-date", "--order-by-primary", "--routines", "--triggers", "--hex-blob"])
        .args(server())
        .arg(format!("{}_{database}", cloud.name))
        .output()
        .expect("mariadb-dump runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What a dump of leapfrog's holds.
fn dumped(cloud: &Cloud, point: &str) -> String {
    let path = cloud.directory.path().join(format!("state/restore-points/{point}.sql.zst"));
    let mode = std::fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let output = Command::new("zstd").arg("-dcq").arg(&path).output().expect("zstd runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The rows and definitions of a dump, whichever order tables and statements around them have.
fn lines(dump: &str) -> BTreeMap<String, u32> {
    let mut lines = BTreeMap::new();
    for line in dump.lines().filter(|line| !line.starts_with("--") && !line.starts_with("/*")) {
        *lines.entry(line.to_owned()).or_default() += 1;
    }
    lines
}

/// The restore points of a hop that are in the journal, by database.
fn points(cloud: &Cloud, series: &str) -> BTreeMap<String, Value> {
    let mut points = BTreeMap::new();
    for record in cloud.journal() {
        let Some(point) = record["evidence"].get(0).map(|piece| &piece["restore-point"]) else { continue };
        if point.is_object() && record["step"].as_str().is_some_and(|step| step.starts_with(series)) {
            points.insert(point["database"].as_str().expect("a name").to_owned(), point.clone());
        }
    }
    points
}

#[test]
#[ignore = "needs the test bed"]
fn after_every_release_databases_come_back_as_they_were_dumped_and_the_leap_completes_from_there() {
    let cloud = cloud("back");
    let before: BTreeMap<&str, String> = ["keystone", "placement"].map(|name| (name, contents(&cloud, name))).into();
    cloud.leapfrog(LEAP).ended(0).said(&["restore point"]);
    let after: BTreeMap<&str, String> = ["keystone", "placement"].map(|name| (name, contents(&cloud, name))).into();
    for series in ["2024.1", "2023.2", "2023.1"] {
        let taken = points(&cloud, series);
        assert_eq!(taken.keys().collect::<Vec<_>>(), ["keystone", "placement"], "{series}");
        cloud.leapfrog(&["restore", "--to", series, "--yes"]).ended(0).said(&["keystone is back at"]);
        for (database, point) in &taken {
            assert_eq!(point["proof"], "full");
            let now = format!("restored {database} to before {series}");
            let dump = dumped(&cloud, point["point"].as_str().expect("a name"));
            // A dump of now, made as leapfrog makes them.
            let again = Command::new("mariadb-dump")
                .arg("--no-defaults")
                .args(["--single-transaction", "--quick", "--routines", "--triggers", "--events", "--skip-dump-date"])
                .args(["--default-character-set=utf8mb4", "--no-tablespaces", "--max-allowed-packet=1G"])
                .args(server())
                .arg(format!("{}_{database}", cloud.name))
                .output()
                .expect("mariadb-dump runs");
            assert!(lines(&dump) == lines(&String::from_utf8(again.stdout).expect("UTF-8")), "{now}: it differs");
            if series == "2023.1" {
                assert!(contents(&cloud, database) == before[database.as_str()], "{now}: not as before the leap");
            }
        }
        cloud.leapfrog(LEAP).ended(0);
        for (database, contents_then) in &after {
            let lines_of = |text: &str| lines(text).len();
            assert_eq!(lines_of(&contents(&cloud, database)), lines_of(contents_then), "{database} after {series}");
        }
        assert_eq!(cloud.heads("placement").len(), 1);
        cloud.leapfrog(&["verify", "--at", "2024.1", "--only", SERVICES]).ended(0);
    }
    let list = cloud.leapfrog(&["restore", "--list"]).ended(0).stdout;
    assert_eq!(list.matches("proof full").count(), 6, "{list}");
    // Scratch databases are gone, and no file tells the password.
    no_scratch(&cloud);
    for (path, bytes) in cloud.state() {
        let found = bytes.windows(cloud.password.len()).any(|window| window == cloud.password.as_bytes());
        assert!(!found, "the password is in {}", path.display());
    }
    cloud.leapfrog(&["status"]).ended(0);
}

/// The scratch databases of a cloud are gone; other tests may have theirs.
fn no_scratch(cloud: &Cloud) {
    let environment = crate::bed::environment();
    let (host, port) = (environment["mariadb"]["host"].as_str().expect("a host"), &environment["mariadb"]["port"]);
    for database in ["keystone", "placement"] {
        let url = format!("mysql+pymysql://u@{host}:{port}/{}_{database}", cloud.name).parse().expect("a URL");
        let name = leapfrog::database::scratch_name(&url);
        let found = testbed(&["sql", "mysql"], &format!("SHOW DATABASES LIKE '{name}'"));
        assert_eq!(found.lines().count(), 0, "{found}");
    }
}

/// Where the test bed's server is, as clients take it.
fn server() -> [String; 3] {
    let environment = crate::bed::environment();
    let mariadb = &environment["mariadb"];
    [
        format!("--host={}", mariadb["host"].as_str().expect("a host")),
        format!("--port={}", mariadb["port"]),
        format!("--user={}", mariadb["root_user"].as_str().expect("a user")),
    ]
}

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
    testbed(&["sql", "mysql"], &format!("GRANT ALL ON `leapfrog\\_scratch\\_%`.* TO '{}'@'%'", cloud.name));
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
    no_scratch(&cloud);
}

#[test]
#[ignore = "needs the test bed"]
fn a_schema_migration_that_is_killed_goes_back_to_its_restore_point_and_is_done_after_all() {
    let cloud = Cloud::new("wayback", 10);
    cloud.edit("  policy: none\n  accept_no_way_back: true\n", "  policy: every-hop\n");
    testbed(&["sql", "mysql"], &format!("GRANT ALL ON `leapfrog\\_scratch\\_%`.* TO '{}'@'%'", cloud.name));
    let leap = &["--from", "2023.1", "--to", "2023.2", "--only", "placement", "--yes"];
    let child = cloud.command(leap).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("leapfrog runs");
    let docker = |arguments: &[&str]| {
        let mut command = Command::new("docker");
        if let Some(host) = crate::bed::environment()["docker_host"].as_str() {
            command.env("DOCKER_HOST", host);
        }
        command.args(arguments).output().expect("docker runs")
    };
    let cloud_label = format!("label=leapfrog.cloud={}", cloud.name);
    let filters = ["--filter", &cloud_label, "--filter", "label=leapfrog.step=2023.2/placement/db-sync"];
    let began = std::time::Instant::now();
    loop {
        let found = docker(&[&["ps", "-q"][..], &filters[..]].concat());
        let container = String::from_utf8(found.stdout).expect("text").trim().to_owned();
        if !container.is_empty() && docker(&["kill", &container]).status.success() {
            break;
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(300), "the schema migration never began");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let told = crate::bed::Told::from(child.wait_with_output().expect("ended")).ended(0);
    told.said(&["brought back placement to where 2023.2 began", "since 2023.2/placement/db-sync died"]);
    let journal = cloud.journal();
    let of = |event: &str| journal.iter().filter(|record| record["event"] == event).collect::<Vec<_>>();
    assert_eq!((of("restore-started").len(), of("restore-ended").len()), (1, 1));
    assert_eq!(of("restore-ended")[0]["outcome"], "done");
    assert_eq!(of("restore-ended")[0]["evidence"][0]["restored"]["compared"], "full");
    cloud.leapfrog(&["verify", "--at", "2023.2", "--only", "placement"]).ended(0);
}
