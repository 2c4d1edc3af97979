//! The playbooks' preconditions on real servers: each is understood by every engine it holds for, finds the rows that a
//! migration fails on, shows them, finds none once they are mended, and says where there is nothing to ask.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use leapfrog::catalog::{Catalog, Precondition};
use leapfrog::database::connect;
use leapfrog::model::{ConnectionUrl, Engine, Secret};
use leapfrog::observe::{Found, question};

use super::mariadb::Server;
use super::postgresql::Cluster;
use super::{PASSWORD, TIMEOUT, free_port, run, url, wait};

/// Statements.
type Sql = &'static [&'static str];
/// Service, precondition, how many rows it finds, and the statements of [`CASES`].
type Case = (&'static str, &'static str, u64, Sql, Sql, Sql);

/// Service, precondition, how many rows it finds; the tables with the columns that the services' migrations gave them,
/// rows that stand in the way, and the mend.
#[rustfmt::skip]
const CASES: &[Case] = &[
    ("neutron", "duplicate-router-ports", 1,
        &["CREATE TABLE routerports (router_id VARCHAR(36), port_id VARCHAR(36), port_type VARCHAR(255))"],
        &["INSERT INTO routerports VALUES ('r1', 'p', 'x'), ('r2', 'p', 'x'), ('r1', 'q', 'x')"],
        &["DELETE FROM routerports WHERE port_id = 'p' AND router_id <> 'r1'"]),
    ("neutron", "duplicate-floating-ips", 1,
        &["CREATE TABLE floatingips (id VARCHAR(36), floating_network_id VARCHAR(36), fixed_port_id VARCHAR(36), fixed_ip_address VARCHAR(64))"],
        &["INSERT INTO floatingips VALUES ('1', 'n', 'p', '10.0.0.1'), ('2', 'n', 'p', '10.0.0.1'), ('3', 'n', NULL, NULL), ('4', 'n', NULL, NULL)"],
        &["UPDATE floatingips SET fixed_port_id = NULL, fixed_ip_address = NULL WHERE id = '2'"]),
    ("neutron", "subnets-without-network", 1,
        &["CREATE TABLE subnets (id VARCHAR(36), network_id VARCHAR(36))"],
        &["INSERT INTO subnets VALUES ('1', NULL), ('2', 'n')"],
        &["DELETE FROM subnets WHERE network_id IS NULL"]),
    ("neutron", "vlan-ids-out-of-range", 2,
        &["CREATE TABLE ml2_vlan_allocations (physical_network VARCHAR(64), vlan_id INTEGER, allocated BOOLEAN)"],
        &["INSERT INTO ml2_vlan_allocations VALUES ('p', 0, FALSE), ('p', 1, FALSE), ('p', 4094, FALSE), ('p', 4095, FALSE)"],
        &["DELETE FROM ml2_vlan_allocations WHERE vlan_id NOT BETWEEN 1 AND 4094"]),
    ("neutron", "duplicate-quotas", 1,
        &["CREATE TABLE quotas (id VARCHAR(36), project_id VARCHAR(255), resource VARCHAR(255))"],
        &["INSERT INTO quotas VALUES ('1', 'p', 'port'), ('2', 'p', 'port'), ('3', 'p', 'network'), ('4', 'q', 'port')"],
        &["DELETE FROM quotas WHERE id = '2'"]),
    ("neutron", "duplicate-network-segments", 1,
        &["CREATE TABLE networksegments (id VARCHAR(36), network_id VARCHAR(36), network_type VARCHAR(32), physical_network VARCHAR(64))"],
        &["INSERT INTO networksegments VALUES ('1', 'n', 'vlan', 'p'), ('2', 'n', 'vlan', 'p'), ('3', 'n', 'vxlan', NULL), ('4', 'n', 'vxlan', NULL)"],
        &["DELETE FROM networksegments WHERE id = '2'"]),
    ("nova", "instances-without-uuid", 1,
        &["CREATE TABLE instances (id INTEGER, uuid VARCHAR(36))"],
        &["INSERT INTO instances VALUES (1, NULL), (2, 'u')"],
        &["DELETE FROM instances WHERE uuid IS NULL"]),
    ("nova", "cells-not-mapped", 1,
        &["CREATE TABLE flavors (id INTEGER, name VARCHAR(255))", "CREATE TABLE cell_mappings (uuid VARCHAR(36), name VARCHAR(255))"],
        &["INSERT INTO flavors VALUES (1, 'small')", "INSERT INTO cell_mappings VALUES ('a', 'one'), ('b', 'two')"],
        &["UPDATE cell_mappings SET uuid = '00000000-0000-0000-0000-000000000000' WHERE uuid = 'a'"]),
    ("nova", "flavors-not-migrated", 1,
        &["CREATE TABLE instance_types (id INTEGER, name VARCHAR(255), flavorid VARCHAR(255), deleted INTEGER)"],
        &["INSERT INTO instance_types VALUES (1, 'a', 'a', 0), (2, 'b', 'b', 2)"],
        &["UPDATE instance_types SET deleted = id"]),
    ("nova", "key-pairs-not-migrated", 1,
        &["CREATE TABLE key_pairs (id INTEGER, user_id VARCHAR(255), name VARCHAR(255), deleted INTEGER)"],
        &["INSERT INTO key_pairs VALUES (1, 'u', 'a', 0), (2, 'u', 'b', 2)"],
        &["UPDATE key_pairs SET deleted = id"]),
    ("nova", "aggregates-not-migrated", 1,
        &["CREATE TABLE aggregates (id INTEGER, deleted INTEGER)"],
        &["INSERT INTO aggregates VALUES (1, 0), (2, 2)"],
        &["UPDATE aggregates SET deleted = id"]),
    ("nova", "instance-groups-not-migrated", 1,
        &["CREATE TABLE instance_groups (id INTEGER, deleted INTEGER)"],
        &["INSERT INTO instance_groups VALUES (1, 0), (2, 2)"],
        &["UPDATE instance_groups SET deleted = id"]),
    ("nova", "services-without-uuid", 1,
        &["CREATE TABLE services (id INTEGER, host VARCHAR(255), topic VARCHAR(255), uuid VARCHAR(36), deleted INTEGER)"],
        &["INSERT INTO services VALUES (1, 'h', 'compute', NULL, 0), (2, 'h', 'compute', NULL, 2), (3, 'h', 'compute', 'u', 0)"],
        &["UPDATE services SET uuid = 'v' WHERE id = 1"]),
    ("keystone", "sha512-crypt-passwords", 1,
        &["CREATE TABLE password (id INTEGER, local_user_id INTEGER, created_at VARCHAR(30), expires_at VARCHAR(30), password_hash VARCHAR(255))"],
        &["INSERT INTO password VALUES (1, 1, NULL, NULL, '$6$rounds=10000$x'), (2, 1, NULL, NULL, '$2b$12$x'), (3, 1, NULL, NULL, NULL)"],
        &["UPDATE password SET password_hash = '$2b$12$y' WHERE id = 1"]),
    ("placement", "providers-without-root", 1,
        &["CREATE TABLE resource_providers (id INTEGER, root_provider_id INTEGER)"],
        &["INSERT INTO resource_providers VALUES (1, 1), (2, NULL)"],
        &["UPDATE resource_providers SET root_provider_id = id"]),
    ("placement", "allocations-without-consumer", 1,
        &["CREATE TABLE allocations (id INTEGER, consumer_id VARCHAR(36))", "CREATE TABLE consumers (uuid VARCHAR(36))"],
        &["INSERT INTO allocations VALUES (1, 'a'), (2, 'b')", "INSERT INTO consumers VALUES ('a')"],
        &["INSERT INTO consumers VALUES ('b')"]),
    ("cinder", "consistency-groups", 1,
        &["CREATE TABLE consistencygroups (id VARCHAR(36), deleted BOOLEAN)"],
        &["INSERT INTO consistencygroups VALUES ('a', FALSE), ('b', TRUE)"],
        &["UPDATE consistencygroups SET deleted = TRUE"]),
    ("cinder", "cg-snapshots", 1,
        &["CREATE TABLE cgsnapshots (id VARCHAR(36), deleted BOOLEAN)"],
        &["INSERT INTO cgsnapshots VALUES ('a', FALSE), ('b', TRUE)"],
        &["UPDATE cgsnapshots SET deleted = TRUE"]),
    ("cinder", "messages-without-prefix", 1,
        &["CREATE TABLE messages (id VARCHAR(36), event_id VARCHAR(255), deleted BOOLEAN)"],
        &["INSERT INTO messages VALUES ('a', '000002', FALSE), ('b', 'VOLUME_000002', FALSE), ('c', '000002', TRUE)"],
        &["UPDATE messages SET event_id = 'VOLUME_000002' WHERE id = 'a'"]),
    ("cinder", "volumes-without-type", 2, VOLUMES, &["INSERT INTO volumes VALUES ('a', 'p', 'available', FALSE, NULL, NULL, TRUE), ('b', 'p', 'deleted', TRUE, NULL, NULL, TRUE), ('c', 'p', 'x', FALSE, NULL, 't', TRUE)"],
        &["UPDATE volumes SET volume_type_id = 't'"]),
    ("cinder", "snapshots-without-type", 1, SNAPSHOTS, &["INSERT INTO snapshots VALUES ('a', 'p', 'available', FALSE, NULL, NULL, TRUE)"],
        &["UPDATE snapshots SET volume_type_id = 't'"]),
    ("cinder", "volumes-without-use-quota", 1, VOLUMES, &["INSERT INTO volumes VALUES ('a', 'p', 'available', FALSE, NULL, 't', NULL), ('b', 'p', 'deleted', TRUE, NULL, 't', NULL)"],
        &["UPDATE volumes SET use_quota = TRUE WHERE deleted = FALSE"]),
    ("cinder", "soft-deleted-volumes-without-use-quota", 1, VOLUMES, &["INSERT INTO volumes VALUES ('a', 'p', 'available', FALSE, NULL, 't', NULL), ('b', 'p', 'deleted', TRUE, NULL, 't', NULL)"],
        &["UPDATE volumes SET use_quota = TRUE WHERE deleted = TRUE"]),
    ("cinder", "snapshots-without-use-quota", 1, SNAPSHOTS, &["INSERT INTO snapshots VALUES ('a', 'p', 'available', FALSE, NULL, 't', NULL)"],
        &["UPDATE snapshots SET use_quota = TRUE"]),
    ("cinder", "soft-deleted-snapshots-without-use-quota", 1, SNAPSHOTS, &["INSERT INTO snapshots VALUES ('a', 'p', 'deleted', TRUE, NULL, 't', NULL)"],
        &["UPDATE snapshots SET use_quota = TRUE"]),
    ("designate", "duplicate-service-statuses", 1,
        &["CREATE TABLE service_statuses (id VARCHAR(32), service_name VARCHAR(40), hostname VARCHAR(255))"],
        &["INSERT INTO service_statuses VALUES ('1', 'central', 'h'), ('2', 'central', 'h'), ('3', 'worker', 'h')"],
        &["DELETE FROM service_statuses"]),
    ("aodh", "history-of-no-alarm", 2,
        &["CREATE TABLE alarm (alarm_id VARCHAR(128))", "CREATE TABLE alarm_history (event_id VARCHAR(128), alarm_id VARCHAR(128), type VARCHAR(20), timestamp VARCHAR(30))"],
        &["INSERT INTO alarm VALUES ('a')", "INSERT INTO alarm_history VALUES ('1', 'a', 'x', 'x'), ('2', 'gone', 'x', 'x'), ('3', NULL, 'x', 'x')"],
        &["DELETE FROM alarm_history WHERE alarm_id IS NULL OR alarm_id NOT IN (SELECT alarm_id FROM alarm)"]),
    ("heat", "legacy-properties", 1,
        &["CREATE TABLE resource (id INTEGER, name VARCHAR(255), status VARCHAR(255), properties_data TEXT, rsrc_prop_data_id INTEGER)"],
        &["INSERT INTO resource VALUES (1, 'a', 'COMPLETE', '{}', NULL), (2, 'b', 'COMPLETE', NULL, 7)"],
        &["UPDATE resource SET properties_data = NULL"]),
    ("ironic", "objects-without-version", 2,
        &["CREATE TABLE nodes (uuid VARCHAR(36), name VARCHAR(255), version VARCHAR(15))", "CREATE TABLE ports (version VARCHAR(15))",
          "CREATE TABLE portgroups (version VARCHAR(15))", "CREATE TABLE chassis (version VARCHAR(15))",
          "CREATE TABLE volume_connectors (version VARCHAR(15))", "CREATE TABLE volume_targets (version VARCHAR(15))"],
        &["INSERT INTO nodes VALUES ('u', 'n', NULL), ('v', 'm', '1.21')", "INSERT INTO ports VALUES (NULL)"],
        &["UPDATE nodes SET version = '1.21'", "UPDATE ports SET version = '1.7'"]),
    ("ironic", "tables-in-myisam", 1,
        &["CREATE TABLE conductor_hardware_interfaces (id INTEGER) ENGINE = MyISAM"],
        &[],
        &["ALTER TABLE conductor_hardware_interfaces ENGINE = InnoDB"]),
];

const VOLUMES: &[&str] =
    &["CREATE TABLE volumes (id VARCHAR(36), project_id VARCHAR(255), status VARCHAR(255), deleted BOOLEAN, \
                            deleted_at VARCHAR(30), volume_type_id VARCHAR(36), use_quota BOOLEAN)"];
const SNAPSHOTS: &[&str] =
    &["CREATE TABLE snapshots (id VARCHAR(36), project_id VARCHAR(255), status VARCHAR(255), deleted BOOLEAN, \
                              deleted_at VARCHAR(30), volume_type_id VARCHAR(36), use_quota BOOLEAN)"];

async fn asked(user: &ConnectionUrl, one: &Precondition) -> Found {
    let shows = one.shows();
    let found = question(user, &one.counts(), Some(&shows), TIMEOUT, TIMEOUT).await;
    found.unwrap_or_else(|error| panic!("{}: {}", one.name, error.reason))
}

/// Every precondition that holds for the engine: nothing to ask, rows in the way, mended.
async fn all(owner: &ConnectionUrl, user: &ConnectionUrl) {
    let catalog = Catalog::embedded().expect("a sound catalogue");
    let engine = owner.engine();
    for playbook in catalog.playbooks() {
        for one in playbook.preconditions.iter().filter(|one| one.applies(engine)) {
            let case = CASES.iter().find(|case| case.0 == playbook.service.as_str() && case.1 == one.name.as_str());
            let (.., number, tables, rows, mend) = case.unwrap_or_else(|| panic!("{} has no case", one.name));
            if one.name.as_str() != "tables-in-myisam" {
                assert!(matches!(asked(user, one).await, Found::Absent(_)), "{} without its tables", one.name);
            }
            run(owner, tables).await;
            if !rows.is_empty() {
                assert_eq!(asked(user, one).await, Found::Rows(0, Vec::new()), "{} without rows", one.name);
            }
            run(owner, rows).await;
            let Found::Rows(found, shown) = asked(user, one).await else { panic!("{} finds no table", one.name) };
            assert_eq!(found, *number, "{}", one.name);
            assert!(!shown.is_empty(), "{} shows nothing: {}", one.name, one.shows());
            run(owner, mend).await;
            assert_eq!(asked(user, one).await, Found::Rows(0, Vec::new()), "{} when mended", one.name);
            let names = tables.iter().filter_map(|table| table.split_whitespace().nth(2));
            let drops: Vec<String> = names.map(|name| format!("DROP TABLE {name}")).collect();
            run(owner, &drops.iter().map(String::as_str).collect::<Vec<_>>()).await;
        }
    }
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn on_mariadb_each_finds_what_stands_in_the_way_and_nothing_once_it_is_mended() {
    let database = Server::find().database("preconditions");
    wait(all(&database.root(), &database.allowed()));
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn on_postgresql_each_finds_the_same() {
    let cluster = Cluster::shared();
    let url = cluster.database("preconditions");
    wait(all(&url, &url));
}

#[test]
fn on_sqlite_each_finds_the_same() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let path = directory.path().join("p.db");
    std::fs::write(&path, "").expect("a file");
    let url = url(&format!("sqlite:///{}", path.display()));
    wait(all(&url, &url));
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn character_sets_and_rights_are_read_as_they_are() {
    let database = Server::find().database("sets");
    database.run(&["CREATE TABLE a (t VARCHAR(10))", "CREATE TABLE b (t VARCHAR(10)) CHARACTER SET utf8mb4"]);
    let root = database.root();
    let name = database.name.clone();
    database.run(&[&format!("ALTER DATABASE `{name}` CHARACTER SET utf8mb4")]);
    database.grant(&format!("SELECT, INSERT, UPDATE, DELETE, CREATE ON `{name}`.*"));
    let user = database.allowed_as_granted();
    wait(async {
        let mut connection = connect(&root, TIMEOUT).await.expect("a connection");
        let sets = connection.character_sets().await.expect("an answer");
        assert_eq!((sets.default.as_str(), sets.tables["utf8mb3"], sets.tables["utf8mb4"]), ("utf8mb4", 1, 1));
        assert!(connection.lacking(&root, true).await.expect("an answer").rights.is_empty());
        connection.close().await;
        let mut connection = connect(&user, TIMEOUT).await.expect("a connection");
        let lacking = connection.lacking(&user, true).await.expect("an answer");
        assert_eq!(lacking.rights, ["DROP", "ALTER", "INDEX", "REFERENCES", "TRIGGER"]);
        connection.close().await;
    });
    let cluster = Cluster::shared();
    let url = cluster.database("sets");
    wait(async {
        let mut connection = connect(&url, TIMEOUT).await.expect("a connection");
        assert_eq!(connection.character_sets().await.expect("an answer").default, "UTF8");
        assert!(connection.lacking(&url, false).await.expect("an answer").rights.is_empty());
        connection.close().await;
    });
}

/// A MariaDB that logs changes, as a primary with replicas does; it ends with the value.
struct Logging {
    _directory: tempfile::TempDir,
    port: u16,
    process: Child,
}

impl Logging {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let data = format!("--datadir={}", directory.path().join("data").display());
        let mut install = Command::new("mariadb-install-db");
        install.args([
            "--no-defaults",
            "--user=root",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            &data,
        ]);
        let made = install.output().expect("mariadb-install-db runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let program =
            if std::path::Path::new("/usr/sbin/mariadbd").exists() { "/usr/sbin/mariadbd" } else { "mariadbd" };
        let mut command = Command::new(program);
        command.args([
            "--no-defaults",
            "--user=root",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--log-bin=log",
        ]);
        command.args([&data, &format!("--port={port}"), "--server-id=1", "--innodb-flush-log-at-trx-commit=0"]);
        command.arg(format!("--socket={}", directory.path().join("socket").display()));
        command.arg(format!("--pid-file={}", directory.path().join("pid").display()));
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("mariadbd runs");
        let server = Self { _directory: directory, port, process };
        let began = Instant::now();
        while wait(connect(&server.root("mysql"), TIMEOUT)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "it does not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }

    fn root(&self, database: &str) -> ConnectionUrl {
        url(&format!("mysql://root@127.0.0.1:{}/{database}", self.port))
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn whoever_may_create_no_trigger_on_a_server_that_logs_is_told_and_nobody_else() {
    let server = Logging::start();
    let statements = [
        "DELETE FROM mysql.global_priv WHERE user = ''",
        "CREATE DATABASE g",
        "CREATE TABLE g.images (i INT)",
        "FLUSH PRIVILEGES",
        &format!("CREATE USER g@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'"),
        "GRANT ALL ON g.* TO g@'127.0.0.1'",
    ];
    wait(run(&server.root("mysql"), &statements));
    let user = url(&format!("mysql://g@127.0.0.1:{}/g", server.port)).with_password(Secret::new(PASSWORD));
    // What the server does, and what is said of it.
    let both = || {
        wait(async {
            let mut connection = connect(&user, TIMEOUT).await.expect("a connection");
            let told = connection.refuses_triggers().await.expect("an answer");
            connection.close().await;
            let mut changing =
                leapfrog::database::connect_for(&user, leapfrog::database::Purpose::Change, TIMEOUT).await.expect("in");
            let made =
                changing.rows("CREATE OR REPLACE TRIGGER t BEFORE INSERT ON images FOR EACH ROW SET NEW.i = 1").await;
            changing.close().await;
            (told, made.is_err())
        })
    };
    assert_eq!(both(), (true, true), "a user with all rights on its database alone");
    wait(run(&server.root("mysql"), &["GRANT BINLOG ADMIN ON *.* TO g@'127.0.0.1'"]));
    assert_eq!(both(), (true, true), "with BINLOG ADMIN, which does not help");
    wait(run(
        &server.root("mysql"),
        &["REVOKE BINLOG ADMIN ON *.* FROM g@'127.0.0.1'", "GRANT SUPER ON *.* TO g@'127.0.0.1'"],
    ));
    assert_eq!(both(), (false, false), "with SUPER");
    let trusting = ["REVOKE SUPER ON *.* FROM g@'127.0.0.1'", "SET GLOBAL log_bin_trust_function_creators = ON"];
    wait(run(&server.root("mysql"), &trusting));
    assert_eq!(both(), (false, false), "with log_bin_trust_function_creators");
    assert_eq!(user.engine(), Engine::Mysql);
}
