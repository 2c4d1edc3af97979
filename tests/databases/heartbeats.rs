//! Heartbeats of services and the versions they recorded, read by the playbooks' own queries from real servers.

use leapfrog::catalog::Catalog;
use leapfrog::database::{Heartbeat, chain, connect};
use leapfrog::model::{ConnectionUrl, Engine, RecordedService};

use super::mariadb::Server;
use super::postgresql::Cluster;
use super::{TIMEOUT, run, url, wait};

/// The queries of a service's playbook.
fn queries(service: &str) -> Vec<String> {
    let catalog = Catalog::embedded().expect("a catalogue");
    let playbook = catalog.playbook(&service.parse().expect("a service")).expect("a playbook");
    playbook.heartbeats.iter().map(|heartbeats| heartbeats.query.clone()).collect()
}

async fn read(url: &ConnectionUrl, query: &str) -> Vec<Heartbeat> {
    let mut connection = connect(url, TIMEOUT).await.expect("a connection");
    let rows = connection.heartbeats(query).await.unwrap_or_else(|error| panic!("{query}: {}", chain(&error)));
    connection.close().await;
    rows
}

/// The tables as the services make them, with a service that lives, one that was stopped and one that is deleted.
async fn beats(url: &ConnectionUrl) {
    let (time, now, quote) = match url.engine() {
        Engine::Mysql => ("DATETIME", "UTC_TIMESTAMP()", '`'),
        Engine::Postgresql => ("TIMESTAMP", "(now() AT TIME ZONE 'UTC')", '"'),
        Engine::Sqlite => ("DATETIME", "CURRENT_TIMESTAMP", '"'),
    };
    let columns = format!("host VARCHAR(255), {quote}binary{quote} VARCHAR(255), created_at {time}, updated_at {time}");
    let long_ago = "'2026-01-01 00:00:00'";
    for (service, deleted, more) in
        [("nova", "INTEGER", format!(", last_seen_up {time}")), ("cinder", "BOOLEAN", String::new())]
    {
        let gone = if service == "nova" { "7" } else { "TRUE" };
        let here = if service == "nova" { "0" } else { "FALSE" };
        let into =
            format!("INSERT INTO services (host, {quote}binary{quote}, created_at, updated_at, report_count, deleted)");
        run(
            url,
            &[
                "DROP TABLE IF EXISTS services",
                &format!("CREATE TABLE services ({columns}, report_count INTEGER NOT NULL, deleted {deleted}{more})"),
                &format!("{into} VALUES ('live', '{service}-a', {long_ago}, {now}, 41, {here})"),
                &format!("{into} VALUES ('still', '{service}-a', {long_ago}, NULL, 0, {here})"),
                &format!("{into} VALUES ('gone', '{service}-a', {long_ago}, {now}, 9, {gone})"),
            ],
        )
        .await;
        let [query] = &queries(service)[..] else { panic!("one query") };
        let mut before = read(url, query).await;
        before.sort_by(|one, two| one.host.cmp(&two.host));
        let hosts: Vec<&str> = before.iter().map(|row| row.host.as_str()).collect();
        assert_eq!(hosts, ["live", "still"], "{service} on {}", url.engine());
        let age = before[0].age.expect("an age").as_secs();
        assert!((0..60).contains(&age), "{service} on {}: {age} s", url.engine());
        assert!(before[1].age.expect("an age").as_hours() > 24, "{:?}", before[1]);
        assert_eq!((before[0].program.as_str(), before[0].pulse.as_deref()), (&*format!("{service}-a"), Some("41")));
        run(url, &[&format!("UPDATE services SET report_count = 42, updated_at = {now} WHERE host = 'live'")]).await;
        let after = read(url, query).await;
        assert!(after.iter().any(|row| row.host == "live" && row.pulse.as_deref() == Some("42")), "{after:?}");
    }
    run(
        url,
        &[
            "DROP TABLE IF EXISTS agents",
            "DROP TABLE IF EXISTS ovn_hash_ring",
            &format!(
                "CREATE TABLE agents (host VARCHAR(255), {quote}binary{quote} VARCHAR(255), heartbeat_timestamp {time})"
            ),
            &format!("INSERT INTO agents VALUES ('net1', 'neutron-l3-agent', {now})"),
            &format!("CREATE TABLE ovn_hash_ring (node_uuid VARCHAR(36), hostname VARCHAR(256), updated_at {time})"),
            &format!("INSERT INTO ovn_hash_ring VALUES ('u', 'ctl1', {now})"),
        ],
    )
    .await;
    let queries = queries("neutron");
    let [agents, ring] = &queries[..] else { panic!("two queries") };
    for (query, table, who) in
        [(agents, "agents", "neutron-l3-agent on net1"), (ring, "ovn_hash_ring", "neutron-server on ctl1")]
    {
        let column = if table == "agents" { "heartbeat_timestamp" } else { "updated_at" };
        let before = read(url, query).await;
        assert_eq!(format!("{} on {}", before[0].program, before[0].host), who);
        assert!(before[0].age.is_some_and(|age| age.as_secs() < 60), "{before:?}");
        run(url, &[&format!("UPDATE {table} SET {column} = '2026-11-22 03:15:02'")]).await;
        assert_ne!(read(url, query).await[0].pulse, before[0].pulse, "{table}");
    }
}

/// The tables as the services make them: a service that is too old, one that is new, and those that do not count.
async fn versions(url: &ConnectionUrl) {
    let (time, quote) = match url.engine() {
        Engine::Mysql => ("DATETIME", '`'),
        Engine::Postgresql => ("TIMESTAMP", '"'),
        Engine::Sqlite => ("DATETIME", '"'),
    };
    let columns = format!("host VARCHAR(255), {quote}binary{quote} VARCHAR(255), updated_at {time}, disabled BOOLEAN");
    let catalog = Catalog::embedded().expect("a catalogue");
    let asked = |service: &str, name: &str| {
        let playbook = catalog.playbook(&service.parse().expect("a service")).expect("a playbook");
        let one = playbook.recorded_versions.iter().find(|one| one.name.as_str() == name).expect("a question");
        one.query.clone()
    };
    let into = format!("INSERT INTO services (host, {quote}binary{quote}, updated_at, disabled, deleted,");
    let into_cinder = format!("{into} rpc_current_version, object_current_version)");
    let seen = "'2026-01-01 00:00:00'";
    run(
        url,
        &[
            "DROP TABLE IF EXISTS services",
            &format!(
                "CREATE TABLE services ({columns}, deleted INTEGER, forced_down BOOLEAN, last_seen_up {time}, version INTEGER)"
            ),
            &format!("{into} forced_down, version) VALUES ('old', 'nova-compute', {seen}, TRUE, 0, FALSE, 61)"),
            &format!("{into} forced_down, version) VALUES ('new', 'nova-compute', NULL, FALSE, 0, FALSE, 66)"),
            &format!("{into} forced_down, version) VALUES ('down', 'nova-compute', NULL, FALSE, 0, TRUE, 61)"),
            &format!("{into} forced_down, version) VALUES ('gone', 'nova-compute', NULL, FALSE, 7, FALSE, 61)"),
            &format!("{into} forced_down, version) VALUES ('ctl', 'nova-conductor', NULL, FALSE, 0, FALSE, 61)"),
        ],
    )
    .await;
    let services = recorded(url, &asked("nova", "compute-versions")).await;
    let told: Vec<_> = services.iter().map(|one| (one.host.as_str(), one.version.as_deref())).collect();
    assert_eq!(told, [("new", Some("66")), ("old", Some("61"))], "{}", url.engine());
    assert_eq!((services[0].state.as_deref(), services[0].seen.as_deref()), (None, None));
    assert_eq!(services[1].seen.as_deref(), Some("2026-01-01 00:00:00"), "{}", url.engine());
    let state = services[1].state.as_deref().expect("a state");
    assert!(state.starts_with("disabled, down for ") && state.ends_with(" days"), "{state}");
    run(
        url,
        &[
            "DROP TABLE services",
            &format!(
                "CREATE TABLE services ({columns}, deleted BOOLEAN, rpc_current_version VARCHAR(36),
                 object_current_version VARCHAR(36))"
            ),
            &format!("{into_cinder} VALUES ('vol1', 'cinder-volume', {seen}, FALSE, FALSE, '3.16', '1.37')"),
            &format!("{into_cinder} VALUES ('ctl', 'cinder-scheduler', NULL, FALSE, FALSE, '3.12', NULL)"),
            &format!("{into_cinder} VALUES ('gone', 'cinder-volume', NULL, FALSE, TRUE, '3.0', '1.0')"),
        ],
    )
    .await;
    for (name, expected) in [
        ("object-versions", &[("ctl", None), ("vol1", Some("1.37"))][..]),
        ("volume-rpc-versions", &[("vol1", Some("3.16"))][..]),
        ("scheduler-rpc-versions", &[("ctl", Some("3.12"))][..]),
        ("backup-rpc-versions", &[][..]),
    ] {
        let services = recorded(url, &asked("cinder", name)).await;
        let told: Vec<_> = services.iter().map(|one| (one.host.as_str(), one.version.as_deref())).collect();
        assert_eq!(told, expected, "{name} on {}", url.engine());
    }
}

async fn recorded(url: &ConnectionUrl, query: &str) -> Vec<RecordedService> {
    let mut connection = connect(url, TIMEOUT).await.expect("a connection");
    let rows = connection.recorded_services(query).await;
    let mut rows = rows.unwrap_or_else(|error| panic!("{query}: {}", chain(&error)));
    connection.close().await;
    rows.sort_by(|one, two| one.host.cmp(&two.host));
    rows
}

async fn both(url: &ConnectionUrl) {
    beats(url).await;
    versions(url).await;
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn heartbeats_are_read_from_mariadb() {
    wait(both(&Server::find().database("heartbeats").root()));
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn heartbeats_are_read_from_postgresql() {
    wait(both(&Cluster::shared().database("heartbeats")));
}

#[test]
fn heartbeats_are_read_from_sqlite() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("services.sqlite");
    std::fs::write(&path, "").expect("a file");
    wait(both(&url(&format!("sqlite:///{}", path.display()))));
}
