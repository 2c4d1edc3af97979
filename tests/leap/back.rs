//! The way back after every release of a real leap of all seven services, nova's API database and all of its cells
//! included: the databases come back as they were dumped, table by table, and the leap goes on from there to its end.
//!
//! From the end it goes back by one release, forward to the end again, and back release by release to where it began. So
//! each release's restore points are tried, every database is compared after each, and only the last release is done twice.
//! Two releases in `make test`; all four with `LEAPFROG_BACK=all`, as `make torture` has it.

use std::collections::BTreeMap;
use std::process::Command;

use crate::bed::Cloud;
use crate::dumps::{contents, dumped, lines, no_scratch, points, server, takes_points};

/// The releases of the leap, in order.
fn releases() -> &'static [&'static str] {
    match std::env::var("LEAPFROG_BACK") {
        Ok(all) if all == "all" => &["2023.1", "2023.2", "2024.1", "2024.2"],
        _ => &["2023.1", "2023.2"],
    }
}

/// Every database: as leapfrog names it, and as it is called behind the cloud's name.
const DATABASES: [(&str, &str); 10] = [
    ("barbican", "barbican"),
    ("cinder", "cinder"),
    ("glance", "glance"),
    ("keystone", "keystone"),
    ("neutron", "neutron"),
    ("nova.api", "nova_api"),
    ("nova.cell0", "nova_cell0"),
    ("nova.cells.cell1", "nova"),
    ("nova.cells.cell2", "nova_cell2"),
    ("placement", "placement"),
];

/// What two ways to the same release have in common: tables with their definitions and numbers of rows. Times, random
/// numbers and counters of the rows differ.
#[derive(Debug, PartialEq)]
struct Shape {
    definitions: BTreeMap<String, u32>,
    rows: BTreeMap<String, u64>,
}

fn shape(cloud: &Cloud, database: &str) -> Shape {
    let output = Command::new("mariadb-dump")
        .args(["--no-defaults", "--no-data", "--skip-dump-date", "--routines", "--triggers"])
        .args(server())
        .arg(format!("{}_{database}", cloud.name))
        .output()
        .expect("mariadb-dump runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    // The counter of a table is no part of its definition.
    let text = text.lines().map(|line| {
        let words = line.split(' ').filter(|word| !word.starts_with("AUTO_INCREMENT="));
        words.collect::<Vec<_>>().join(" ")
    });
    let text = text.collect::<Vec<_>>().join("\n");
    Shape { definitions: lines(&text), rows: cloud.rows(database) }
}

fn shapes(cloud: &Cloud) -> BTreeMap<&'static str, Shape> {
    DATABASES.iter().map(|(_, database)| (*database, shape(cloud, database))).collect()
}

/// A database holds, line by line, what leapfrog's dump of it holds.
fn is_as_dumped(cloud: &Cloud, database: &str, point: &str, now: &str) {
    // A dump of now, made as leapfrog makes them.
    let again = Command::new("mariadb-dump")
        .arg("--no-defaults")
        .args(["--single-transaction", "--quick", "--routines", "--triggers", "--events", "--skip-dump-date"])
        .args(["--default-character-set=utf8mb4", "--no-tablespaces", "--max-allowed-packet=1G"])
        .args(server())
        .arg(format!("{}_{database}", cloud.name))
        .output()
        .expect("mariadb-dump runs");
    let (then, again) = (lines(&dumped(cloud, point)), lines(&String::from_utf8(again.stdout).expect("UTF-8")));
    let differs = then.iter().find(|(line, times)| again.get(*line) != Some(*times)).map(|(line, _)| line);
    let differs = differs.or_else(|| again.keys().find(|line| !then.contains_key(*line)));
    assert!(differs.is_none(), "{now}, it differs from its dump: {:.400}", differs.map_or("", String::as_str));
    assert!(then.len() > 10, "{now}, its dump is empty");
}

/// Brings everything back to before a release, and compares each database with its dump.
fn goes_back(cloud: &Cloud, series: &str) {
    let told = cloud.leapfrog(&["restore", "--to", series, "--yes"]).ended(0);
    let taken = points(cloud, series);
    assert_eq!(taken.keys().collect::<Vec<_>>(), DATABASES.map(|(id, _)| id), "{series}");
    for (id, database) in DATABASES {
        let (point, now) = (&taken[id], format!("{id}, brought back to before {series}"));
        assert_eq!(point["proof"], "full", "{now}");
        assert!(told.stderr.contains(&format!("{id} is back at ")), "{}", told.stderr);
        is_as_dumped(cloud, database, point["point"].as_str().expect("a name"), &now);
    }
}

#[test]
#[ignore = "needs the test bed: make test"]
fn after_every_release_all_databases_come_back_as_they_were_dumped_and_the_leap_completes_from_there() {
    let (last, earlier) = releases().split_last().expect("a release");
    let leap = ["--from", "2023.1", "--to", last, "--yes"];
    let cloud = Cloud::with("back", 20, &["--cells", "2"]);
    takes_points(&cloud, "  keep: 9\n");
    let before: BTreeMap<_, _> =
        DATABASES.iter().map(|(_, database)| (*database, contents(&cloud, database))).collect();
    cloud.leapfrog(&leap).ended(0);
    let complete = shapes(&cloud);
    goes_back(&cloud, last);
    assert!(shapes(&cloud) != complete, "{last} changed nothing, so bringing back what it did proves nothing");
    cloud.leapfrog(&leap).ended(0);
    assert!(shapes(&cloud) == complete, "the leap ends elsewhere than one of which nothing was undone");
    cloud.leapfrog(&["verify", "--at", last]).ended(0);
    for series in earlier.iter().rev() {
        goes_back(&cloud, series);
    }
    for (id, database) in DATABASES {
        assert!(contents(&cloud, database) == before[database], "{id} is not as before the leap");
    }
    cloud.leapfrog(&["status"]).ended(0);
    let list = cloud.leapfrog(&["restore", "--list"]).ended(0).stdout;
    assert_eq!(list.matches("proof full").count(), DATABASES.len() * releases().len(), "{list}");
    // Scratch databases are gone, and no file tells the password.
    no_scratch(&cloud, &DATABASES.map(|(_, database)| database));
    for (path, bytes) in cloud.state() {
        let found = bytes.windows(cloud.password.len()).any(|window| window == cloud.password.as_bytes());
        assert!(!found, "the password is in {}", path.display());
    }
    assert_eq!(cloud.containers(), 0);
}
