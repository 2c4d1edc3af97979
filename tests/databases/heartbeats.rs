//! Heartbeats of services, read by the playbooks' own queries from real servers.

use leapfrog::catalog::Catalog;
use leapfrog::database::{Heartbeat, chain, connect};
use leapfrog::model::{ConnectionUrl, Engine};

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

#[test]
#[ignore = "needs the test bed's database servers"]
fn heartbeats_are_read_from_mariadb() {
    wait(beats(&Server::find().database("heartbeats").root()));
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn heartbeats_are_read_from_postgresql() {
    wait(beats(&Cluster::shared().database("heartbeats")));
}

#[test]
fn heartbeats_are_read_from_sqlite() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("services.sqlite");
    std::fs::write(&path, "").expect("a file");
    wait(beats(&url(&format!("sqlite:///{}", path.display()))));
}
