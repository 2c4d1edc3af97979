//! A whole cloud at a glance: sound databases, broken ones, and URLs that a database stores.

use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use leapfrog::catalog::{Catalog, Playbook, Release};
use leapfrog::cloud::Cloud;
use leapfrog::database::{Purpose, connect_for};
use leapfrog::model::{DatabaseId, Observation};
use leapfrog::observe::{look_alikes, observe};
use leapfrog::plan::detect::{Standing, Verdict, detect};
use tempfile::TempDir;

use super::mariadb::{Database, Server};
use super::{TIMEOUT, free_port, run, wait};

/// A directory with a cloud file.
struct World {
    directory: TempDir,
    catalog: Catalog,
}

impl World {
    fn new() -> Self {
        let catalog = Catalog::embedded().expect("a sound catalogue");
        Self { directory: TempDir::new().expect("a directory"), catalog }
    }

    fn playbooks(&self) -> Vec<&Playbook> {
        self.catalog.playbooks().collect()
    }

    fn cloud(&self, services: &str) -> Cloud {
        let path = self.directory.path().join("leapfrog.yaml");
        let images = "runner: {containers: {images: {default: 'r.example/os:{series}'}}}";
        std::fs::write(&path, format!("format: 1\nname: world\n{images}\nservices:\n{services}")).expect("a file");
        let path = Utf8PathBuf::from_path_buf(path).expect("UTF-8");
        Cloud::read(&path, &self.playbooks(), &|_| None).unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn observe(&self, cloud: &Cloud, timeout: Duration) -> Observation {
        wait(observe(cloud, &self.playbooks(), timeout))
    }

    /// An SQLite file of this name with this head.
    fn sqlite(&self, name: &str, head: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, "").expect("a file");
        let text = format!("sqlite:///{}", path.display());
        let create = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)";
        let url = super::url(&text);
        wait(run(&url, &[create, &format!("INSERT INTO alembic_version VALUES ('{head}')")]));
        text
    }
}

fn id(text: &str) -> DatabaseId {
    text.parse().expect("an id")
}

fn mysql(database: &Database, name: &str) -> String {
    let Server { host, port, .. } = &database.server;
    format!("mysql+pymysql://root@{host}:{port}/{name}")
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn one_look_finds_every_trouble_of_a_cloud_at_once() {
    let database = Server::find().database("look");
    wait(run(
        &database.root(),
        &[
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
            "INSERT INTO alembic_version VALUES ('11c3b243b4cb'), ('e25ffa003242')",
        ],
    ));
    let world = World::new();
    let cloud = world.cloud(&format!(
        "  keystone: {{database: {{url: '{}'}}}}\n  glance: {{database: {{url: '{}'}}}}\n  \
         cinder: {{database: {{url: 'mysql://cinder:Secret@127.0.0.1:{}/cinder'}}}}\n  \
         barbican: {{database: {{url: '{}'}}}}\n  placement: {{database: {{url: 'sqlite:////nowhere/p.db'}}}}\n",
        mysql(&database, &database.name),
        mysql(&database, "observed_nowhere"),
        free_port(),
        world.sqlite("barbican.db", "8c74e2d7f1ff"),
    ));
    let observation = world.observe(&cloud, TIMEOUT);
    assert_eq!(observation.databases.len(), 5);
    let reason = |name: &str| match &observation.databases[&id(name)] {
        Ok(seen) => format!("{} {}", seen.engine, seen.heads),
        Err(unreachable) => format!("{} ({})", unreachable.reason, unreachable.advice),
    };
    assert_eq!(reason("keystone"), "mysql 11c3b243b4cb + e25ffa003242");
    assert_eq!(reason("barbican"), "sqlite 8c74e2d7f1ff");
    assert!(reason("glance").contains("Unknown database"), "{}", reason("glance"));
    assert!(reason("cinder").contains("Connection refused"), "{}", reason("cinder"));
    assert!(reason("placement").contains("/nowhere/p.db"), "{}", reason("placement"));
    assert!(!format!("{observation:?}").contains("Secret"));

    let releases: Vec<&Release> = world.catalog.releases().collect();
    let detection = detect(&observation, &world.playbooks(), &releases);
    assert!(matches!(detection.databases[&id("keystone")].verdict, Verdict::Partial { .. }));
    assert!(matches!(detection.databases[&id("barbican")].verdict, Verdict::At { .. }));
    assert!(matches!(detection.standing, Standing::Unclear(lost) if lost.len() == 4));
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn the_urls_of_novas_cell_mappings_are_followed_without_their_passwords() {
    let api = Server::find().database("nova_api");
    let cell0 = Server::find().database("nova_cell0");
    let cell1 = Server::find().database("nova_cell1");
    let Server { host, port, .. } = &api.server;
    let template = format!("{{scheme}}://{{username}}:{{password}}@{{hostname}}:{{port}}/{}?{{query}}", cell0.name);
    let literal = format!("mysql+pymysql://nova:Secret@{host}:{port}/{}?charset=utf8", cell1.name);
    wait(run(
        &api.root(),
        &[
            "CREATE TABLE cell_mappings (id INTEGER, uuid VARCHAR(36), name VARCHAR(255), transport_url TEXT, \
             database_connection TEXT, disabled BOOLEAN)",
            &format!("INSERT INTO cell_mappings VALUES (1, '00000000', 'cell0', 'none:///', '{template}', 0)"),
            &format!("INSERT INTO cell_mappings VALUES (2, '11111111', NULL, 'rabbit://', '{literal}', 0)"),
            "INSERT INTO cell_mappings VALUES (3, '22222222', 'old', 'rabbit://', \
             'mysql://nova:Secret@10.9.9.9/nova_old', 1)",
        ],
    ));
    let world = World::new();
    let text = |policy: &str| {
        format!(
            "  nova:\n    databases: {{api: {{url: '{}'}}, cell0: {{url: '{}'}}}}\n    \
             cells: {{one: {{url: '{}'}}}}\n    stored_urls: {policy}\n",
            mysql(&api, &api.name),
            mysql(&cell0, &cell0.name),
            mysql(&cell1, &cell1.name),
        )
    };
    let observation = world.observe(&world.cloud(&text("check")), TIMEOUT);
    let stored = observation.stored_urls[&id("nova.api")].as_ref().expect("the mappings can be read");
    let lines: Vec<String> = stored
        .iter()
        .map(|url| format!("{} {} {:?}", url.name, url.leads_to, url.database.as_ref().map(DatabaseId::to_string)))
        .collect();
    assert_eq!(
        lines,
        [
            format!("cell0 mysql+pymysql://root@{host}:{port}/{} Some(\"nova.cell0\")", cell0.name),
            format!("11111111 mysql+pymysql://nova@{host}:{port}/{} Some(\"nova.cells.one\")", cell1.name),
            "old mysql://nova@10.9.9.9/nova_old None".to_owned(),
        ]
    );
    assert!(world.observe(&world.cloud(&text("trust")), TIMEOUT).stored_urls.is_empty());
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_locked_table_is_reported_in_time_and_holds_nothing_up() {
    let database = Server::find().database("locked");
    wait(run(&database.root(), &["CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"]));
    let world = World::new();
    let cloud = world.cloud(&format!(
        "  keystone: {{database: {{url: '{}'}}}}\n  barbican: {{database: {{url: '{}'}}}}\n",
        mysql(&database, &database.name),
        world.sqlite("barbican.db", "8c74e2d7f1ff"),
    ));
    let (observation, took) = wait(async {
        let mut locking = connect_for(&database.root(), Purpose::Change, TIMEOUT).await.expect("a connection");
        locking.rows("LOCK TABLES alembic_version WRITE").await.expect("a lock");
        let began = Instant::now();
        let observation = observe(&cloud, &world.playbooks(), Duration::from_millis(500)).await;
        let took = began.elapsed();
        locking.close().await;
        (observation, took)
    });
    let keystone = observation.databases[&id("keystone")].as_ref().expect_err("no answer");
    assert!(keystone.reason.contains("no answer within 0.5 s"), "{}", keystone.reason);
    assert!(keystone.advice.contains("lock"), "{}", keystone.advice);
    assert!(observation.databases[&id("barbican")].is_ok());
    assert!(took < Duration::from_secs(5), "it took {took:?}");
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn look_alikes_of_the_version_tables_are_found_on_every_server() {
    let alike = ["alembic_version_midonet", "shadow_alembic_version"];
    let database = Server::find().database("alike");
    database.run(&super::LONG_LIFE);
    assert_eq!(wait(look_alikes(&database.root(), TIMEOUT)).expect("read"), alike);
    let cluster = super::postgresql::Cluster::shared();
    let url = cluster.database("alike");
    wait(run(&url, &super::LONG_LIFE));
    assert_eq!(wait(look_alikes(&url, TIMEOUT)).expect("read"), alike);
}
