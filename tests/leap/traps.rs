//! The trap that an operator's shortcut leads into: 2024.1 of cinder makes a column NOT NULL that only the
//! data migrations of 2023.1 and 2023.2 fill, and no longer ships them. 2023.1 to 2024.1 in one jump ends
//! half-way through a schema migration (`Data truncated for column 'use_quota'`).

use std::path::Path;

use serde_json::Value;

use crate::bed::{Cloud, environment, testbed};

const PENDING: &str = "SELECT (SELECT COUNT(*) FROM volumes WHERE use_quota IS NULL) + \
                       (SELECT COUNT(*) FROM snapshots WHERE use_quota IS NULL)";
const LEAP: [&str; 7] = ["--from", "2023.1", "--to", "2024.1", "--yes", "--only", "cinder"];

/// Runs 2024.1's `cinder-manage db sync` by hand, as one would who skips the releases between; its exit
/// code.
fn jump(cloud: &Cloud) -> (Option<i32>, String) {
    let bed = environment();
    let configuration = cloud.directory.path().join("cinder.conf");
    let url = bed["mariadb"]["port"].as_u64().expect("a port");
    let text = format!(
        "[database]\nconnection = mysql+pymysql://{0}:{1}@127.0.0.1:{url}/{0}_cinder\n",
        cloud.name, cloud.password
    );
    std::fs::write(&configuration, text).expect("writable");
    let mount = format!("{}:/etc/cinder/cinder.conf:ro", configuration.display());
    let image = format!("{}:2024.1", bed["image"].as_str().expect("an image"));
    let mut command = crate::bed::docker();
    command.args([
        "run",
        "--rm",
        "--network",
        "host",
        "--user",
        "0",
        "--volume",
        &mount,
        "--entrypoint",
        "cinder-manage",
    ]);
    let output = command.args([&image, "db", "sync"]).output().expect("docker runs");
    std::fs::remove_file(Path::new(&configuration)).expect("ours");
    // cinder logs to standard output.
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
#[ignore = "needs the test bed: make test"]
fn cinders_rows_are_filled_by_the_releases_that_can_before_the_one_that_needs_them() {
    let cloud = Cloud::new("trap", 10);
    assert_eq!(cloud.number("cinder", PENDING), 145, "rows that wait");
    cloud.leapfrog(&LEAP).ended(0);
    assert_eq!(cloud.heads("cinder"), ["9c74c1c6971f"]);
    assert_eq!(cloud.number("cinder", PENDING), 0);
    assert_eq!(cloud.number("cinder", "SELECT COUNT(*) FROM volumes WHERE use_quota = 1"), 130);

    let journal = cloud.journal();
    let hops: Vec<&Value> = journal.iter().filter(|r| r["event"] == "hop-ended").map(|r| &r["series"]).collect();
    assert_eq!(hops, ["2023.1", "2023.2", "2024.1"], "releases on the way");
    let rows = |series: &str| {
        let step = format!("{series}/cinder/online-data-migrations");
        let end = journal.iter().find(|r| r["event"] == "step-ended" && r["step"] == step.as_str()).expect("an end");
        end["rows"].as_u64()
    };
    assert_eq!(rows("2023.1"), Some(145), "2023.1's own code filled them");
}

#[test]
#[ignore = "needs the test bed: make test"]
fn without_the_image_that_fills_cinders_rows_the_leap_is_refused_before_it_touches_anything() {
    let cloud = Cloud::new("trapped", 10);
    let before = (cloud.heads("cinder"), cloud.rows("cinder"));
    // A registry that has 2023.2 and 2024.1, and 2023.1 no longer.
    for series in ["2023.2", "2024.1"] {
        testbed(&["tag", series, &format!("{series}-late")], "");
    }
    cloud.edit(":{series}\"", ":{series}-late\"");
    cloud
        .leapfrog(&LEAP)
        .ended(3)
        .said(&["2023.1-late", "cinder 2023.1 must complete its data migrations with its own code before 2023.2"]);
    // Nor does it help to call the databases what they are not, in order to do without that image.
    cloud
        .leapfrog(&["--from", "2024.1", "--to", "2024.1", "--yes", "--only", "cinder"])
        .ended(3)
        .said(&["database cinder is behind 2024.1: it stands at 2023.1", "daa98075b90d"]);
    cloud
        .leapfrog(&["--from", "2023.2", "--to", "2024.1", "--yes", "--only", "cinder"])
        .ended(3)
        .said(&["database cinder is behind 2023.2: it stands at 2023.1"]);
    assert_eq!((cloud.heads("cinder"), cloud.rows("cinder")), before, "the database was touched");
    assert_eq!(cloud.number("cinder", PENDING), 145);
    assert!(cloud.state().iter().all(|(path, _)| !path.ends_with("journal.jsonl")), "a run was begun");
    assert_eq!(cloud.containers(), 0, "a container is left");

    // What was refused is no fancy: this is where the jump ends.
    let (code, said) = jump(&cloud);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Data truncated for column 'use_quota'"), "{said}");
    assert_eq!(cloud.heads("cinder"), ["b8660621f1b9"], "between two releases");
}
