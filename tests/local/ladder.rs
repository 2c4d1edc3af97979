//! The ladder: real leaps of every service that installs, over releases whose commands are run here and on every engine that
//! they know.
//!
//! Each cloud is made by its first release's own commands ([`Founded`]), with rows where a data migration has something to
//! do. What a leap ran is kept for `docs/tested.md`.

use serde_json::Value;

use crate::cloud::{environment, testbed};
use crate::founding::Founded;
use crate::machine::compiler;
use crate::postgresql::Cluster;
use crate::record::record;

/// All there are.
pub(crate) const FOURTEEN: &[&str] = &[
    "keystone",
    "nova",
    "placement",
    "neutron",
    "cinder",
    "glance",
    "barbican",
    "heat",
    "ironic",
    "octavia",
    "magnum",
    "designate",
    "manila",
    "aodh",
];
/// Those that are run on every engine.
const FIVE: &[&str] = &["keystone", "glance", "barbican", "placement", "heat"];

/// Rows for which data migrations of 2025.1 and later have something to do.
const PENDING: &[(&str, &str)] =
    &[("ironic", include_str!("seeds/ironic.sql")), ("cinder", include_str!("seeds/cinder.sql"))];

/// Databases of the test bed's MariaDB under a user of their own, dropped with the value.
pub(crate) struct OnMariaDb {
    pub(crate) name: String,
    port: u64,
}

impl OnMariaDb {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("{name}{}", std::process::id());
        sql(&format!("CREATE USER '{name}'@'%' IDENTIFIED BY 'Leak0{name}';"));
        Self { name, port: environment()["mariadb"]["port"].as_u64().unwrap() }
    }

    pub(crate) fn database(&self, name: &str) -> leapfrog::model::ConnectionUrl {
        let Self { name: own, port } = self;
        let url = format!("mysql+pymysql://{own}:Leak0{own}@127.0.0.1:{port}/{own}_{name}").parse().unwrap();
        // The database, and the one that its dumps are proved in.
        let scratch = leapfrog::database::scratch_name(&url);
        let grants: Vec<String> = [url.name(), &scratch]
            .iter()
            .map(|database| format!("GRANT ALL PRIVILEGES ON `{}`.* TO '{own}'@'%';", database.replace('_', "\\_")))
            .collect();
        sql(&format!("CREATE DATABASE {}; {}", url.name(), grants.concat()));
        url
    }
}

impl Drop for OnMariaDb {
    fn drop(&mut self) {
        let like = format!("SELECT SCHEMA_NAME FROM SCHEMATA WHERE SCHEMA_NAME LIKE '{}\\_%'", self.name);
        if !std::thread::panicking() {
            let drops: Vec<String> = sql(&like).lines().map(|name| format!("DROP DATABASE {name};")).collect();
            sql(&format!("{} DROP USER '{}'@'%';", drops.concat(), self.name));
        }
    }
}

fn sql(statements: &str) -> String {
    testbed(&["sql", "information_schema"], statements)
}

/// Takes a cloud to a release, and looks at what that left.
async fn leap(test: &str, cloud: &Founded, from: &str, to: &str) {
    cloud.describe(test);
    let told = cloud.leapfrog(&["--from", from, "--to", to, "--yes"]).ended(0);
    assert!(!(told.stdout + &told.stderr).contains("Leak0"), "a password is told");
    heads_are_those_of(cloud, to).await;
    let (plan, journal) = of_the_run(cloud);
    every_step_ended_with_evidence(&plan, &journal);
    let proof = cloud.leapfrog(&["verify", "--at", to]).ended(0).stdout;
    assert!(proof.contains(&format!("yes: complete at {to}")), "{proof}");
}

/// The plan and the journal of the leap.
fn of_the_run(cloud: &Founded) -> (Value, Vec<Value>) {
    let plan = serde_json::from_str(&cloud.of_the_run("plan.json")).unwrap();
    let journal = cloud.of_the_run("journal.jsonl");
    (plan, journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Keeps what ran, once everything was looked at.
fn keep(test: &str, cloud: &Founded, server: &str) {
    let (plan, journal) = of_the_run(cloud);
    let engine = cloud.databases.values().next().unwrap().engine().to_string();
    record(test, &engine, server, "local", &plan, &journal);
}

/// Every database holds what the release file says.
async fn heads_are_those_of(cloud: &Founded, series: &str) {
    let release = cloud.catalog.release(&series.parse().unwrap()).unwrap();
    for (id, url) in &cloud.databases {
        let book = cloud.catalog.playbook(&id.service).unwrap();
        let schema = &book.databases.iter().find(|slot| slot.slot == id.slot).unwrap().schema;
        let seen = leapfrog::observe::heads_of(url, std::time::Duration::from_secs(20)).await.unwrap();
        let wanted = &release.services[&id.service].heads[schema];
        assert_eq!(seen.alembic, wanted.alembic, "{id}");
        assert!(!wanted.alembic.is_empty(), "{id}");
    }
}

fn every_step_ended_with_evidence(plan: &Value, journal: &[Value]) {
    let last = journal.last().unwrap();
    assert_eq!((&last["event"], &last["outcome"]), (&Value::from("run-ended"), &Value::from("done")), "{last}");
    let mut planned: Vec<&str> = Vec::new();
    for hop in plan["hops"].as_array().unwrap() {
        for lane in hop["lanes"].as_array().unwrap() {
            planned.extend(lane["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap()));
        }
    }
    let mut ended = Vec::new();
    for record in journal.iter().filter(|record| record["event"] == "step-ended") {
        assert!(["done", "skipped", "warning"].contains(&record["outcome"].as_str().unwrap()), "{record}");
        assert!(!record["evidence"].as_array().unwrap().is_empty(), "no evidence: {record}");
        ended.push(record["step"].as_str().unwrap());
    }
    planned.sort_unstable();
    ended.sort_unstable();
    assert_eq!(ended, planned, "each step of the plan ends once");
}

/// How many rows the rounds of a step moved, as the journal says.
fn moved(cloud: &Founded, step: &str) -> u64 {
    let journal = cloud.of_the_run("journal.jsonl");
    let records = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut ended = records.filter(|record| record["event"] == "step-ended" && record["step"] == step);
    ended.next().unwrap_or_else(|| panic!("no end of {step}"))["rows"].as_u64().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the test bed: make test"]
async fn fourteen_services_are_taken_from_2025_1_to_2026_2() {
    compiler();
    let server = OnMariaDb::new("fourteen");
    let cloud = Founded::make("2025.1", FOURTEEN, &|name| server.database(name)).await;
    heads_are_those_of(&cloud, "2025.1").await;
    for (database, statements) in PENDING {
        cloud.fill(&database.parse().unwrap(), statements).await;
    }
    leap("fourteen", &cloud, "2025.1", "2026.2").await;

    let expected = [
        ("nova.cells.cell1", "SELECT COUNT(*) FROM instances WHERE compute_id IS NOT NULL", 150),
        ("nova.cells.cell2", "SELECT COUNT(*) FROM instances WHERE compute_id IS NOT NULL", 150),
        ("nova.cells.cell2", "SELECT COUNT(uuid) FROM migrations", 30),
        ("placement", "SELECT COUNT(*) FROM consumers", 120),
        ("cinder", "SELECT COUNT(*) FROM volumes", 40),
        ("cinder", "SELECT COUNT(*) FROM volume_admin_metadata WHERE deleted = 0", 1),
        ("ironic", "SELECT COUNT(*) FROM nodes WHERE version = '1.36'", 0),
        ("ironic", "SELECT COUNT(*) FROM nodes", 25),
        // What the private configuration does not enable stays as it was.
        ("ironic", "SELECT COUNT(*) FROM nodes WHERE inspect_interface = 'inspector'", 5),
        ("ironic", "SELECT COUNT(*) FROM runbook_traits", 3),
        ("keystone", "SELECT COUNT(*) FROM local_user", 6),
        ("glance", "SELECT COUNT(*) FROM images", 12),
        ("barbican", "SELECT COUNT(*) FROM secrets", 9),
    ];
    for (database, query, rows) in expected {
        assert_eq!(cloud.number(database, query).await, rows, "{database}: {query}");
    }
    // At the release where the leap began, as far as the step is its own.
    assert!(moved(&cloud, "2025.1/nova/online-data-migrations@cell1") >= 180);
    assert!(moved(&cloud, "2025.1/ironic/online-data-migrations") >= 25);
    assert!(moved(&cloud, "2025.1/placement/online-data-migrations") >= 120);
    assert_eq!(moved(&cloud, "2025.1/cinder/online-data-migrations"), 40);
    assert!(moved(&cloud, "2026.2/ironic/online-data-migrations") >= 3);
    keep("fourteen", &cloud, "MariaDB");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "fetches packages: make test"]
async fn five_services_are_taken_through_a_release_on_postgresql() {
    compiler();
    let server = Cluster::start().await;
    let cloud = Founded::make("2025.2", FIVE, &|name| server.database(name)).await;
    leap("five-on-postgresql", &cloud, "2025.2", "2026.1").await;
    nothing_is_lost(&cloud).await;
    keep("five-on-postgresql", &cloud, "PostgreSQL");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "fetches packages: make test"]
async fn five_services_are_taken_through_a_release_in_files() {
    compiler();
    let files = tempfile::tempdir().unwrap();
    let path = files.path().to_str().unwrap();
    let cloud = Founded::make("2025.2", FIVE, &|name| format!("sqlite:///{path}/{name}.sqlite").parse().unwrap()).await;
    leap("five-in-files", &cloud, "2025.2", "2026.1").await;
    nothing_is_lost(&cloud).await;
    keep("five-in-files", &cloud, "SQLite");
}

/// The rows that the demo's seeds put in, and what placement's data migration makes of them.
async fn nothing_is_lost(cloud: &Founded) {
    for (database, query, rows) in [
        ("placement", "SELECT COUNT(*) FROM consumers", 120),
        ("keystone", "SELECT COUNT(*) FROM local_user", 6),
        ("glance", "SELECT COUNT(*) FROM images", 12),
        ("barbican", "SELECT COUNT(*) FROM secrets", 9),
    ] {
        assert_eq!(cloud.number(database, query).await, rows, "{database}: {query}");
    }
    assert!(moved(cloud, "2025.2/placement/online-data-migrations") >= 120);
}
