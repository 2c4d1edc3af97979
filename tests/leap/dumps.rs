//! What databases hold and what leapfrog's dumps of them hold, as the server's own client tells it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::bed::{Cloud, environment, testbed};

/// Has leapfrog take restore points of a cloud, which are off in its file; `settings` stand in their place, and the
/// server lets the cloud's user prove them.
pub(crate) fn takes_points(cloud: &Cloud, settings: &str) {
    cloud.edit("  policy: none\n  accept_no_way_back: true\n", settings);
    may_make_scratch_databases(cloud);
}

/// Gives a cloud's user the right that the proof of a dump needs.
pub(crate) fn may_make_scratch_databases(cloud: &Cloud) {
    testbed(&["sql", "mysql"], &format!("GRANT ALL ON `leapfrog\\_scratch\\_%`.* TO '{}'@'%'", cloud.name));
}

/// Everything in a database as the server's own client tells it.
pub(crate) fn contents(cloud: &Cloud, database: &str) -> String {
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
pub(crate) fn dumped(cloud: &Cloud, point: &str) -> String {
    let path = cloud.directory.path().join(format!("state/restore-points/{point}.sql.zst"));
    let mode = std::fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let output = Command::new("zstd").arg("-dcq").arg(&path).output().expect("zstd runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The rows and definitions of a dump, whichever order tables and statements around them have.
pub(crate) fn lines(dump: &str) -> BTreeMap<String, u32> {
    let mut lines = BTreeMap::new();
    for line in dump.lines().filter(|line| !line.starts_with("--") && !line.starts_with("/*")) {
        *lines.entry(line.to_owned()).or_default() += 1;
    }
    lines
}

/// The restore points of a hop that are in the journal, by database.
pub(crate) fn points(cloud: &Cloud, series: &str) -> BTreeMap<String, Value> {
    let mut points = BTreeMap::new();
    for record in cloud.journal() {
        let Some(point) = record["evidence"].get(0).map(|piece| &piece["restore-point"]) else { continue };
        if point.is_object() && record["step"].as_str().is_some_and(|step| step.starts_with(series)) {
            points.insert(point["database"].as_str().expect("a name").to_owned(), point.clone());
        }
    }
    points
}

/// The scratch databases of a cloud are gone; other tests may have theirs.
pub(crate) fn no_scratch(cloud: &Cloud, databases: &[&str]) {
    let environment = environment();
    let (host, port) = (environment["mariadb"]["host"].as_str().expect("a host"), &environment["mariadb"]["port"]);
    for database in databases {
        let url = format!("mysql+pymysql://u@{host}:{port}/{}_{database}", cloud.name).parse().expect("a URL");
        let name = leapfrog::database::scratch_name(&url);
        let found = testbed(&["sql", "mysql"], &format!("SHOW DATABASES LIKE '{name}'"));
        assert_eq!(found.lines().count(), 0, "{found}");
    }
}

/// Where the test bed's server is, as clients take it.
pub(crate) fn server() -> [String; 3] {
    let environment = environment();
    let mariadb = &environment["mariadb"];
    [
        format!("--host={}", mariadb["host"].as_str().expect("a host")),
        format!("--port={}", mariadb["port"]),
        format!("--user={}", mariadb["root_user"].as_str().expect("a user")),
    ]
}
