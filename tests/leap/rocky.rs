//! The real keystone of Rocky, on Python 2.7: the triggers that its expand step leaves on a fresh database, which no later
//! release makes, until its contract step.

use std::time::Duration;

use leapfrog::database::{Connection, Purpose, chain, connect_for};
use leapfrog::model::{ConnectionUrl, Secret};
use serde_json::Value;

use crate::bed::{Cloud, docker, environment, testbed};

const TRIGGERS: [&str; 8] = [
    "credential_insert_read_only",
    "credential_update_read_only",
    "federated_user_insert_trigger",
    "idp_insert_read_only",
    "local_user_after_insert_trigger",
    "local_user_after_update_trigger",
    "nonlocal_user_after_insert_trigger",
    "nonlocal_user_after_update_trigger",
];
/// Rocky's first line of a credential, as its contract step leaves the table.
const STORED: &str =
    "INSERT INTO credential (id, user_id, type, key_hash, encrypted_blob) VALUES ('c', 'u', 'ec2', 'k', 'e')";

/// The cloud's empty keystone, and where it is; its user may make triggers, and sees everybody's sessions.
fn fresh() -> (Cloud, ConnectionUrl) {
    let cloud = Cloud::new("rocky", 10);
    let name = format!("{}_keystone", cloud.name);
    let users = cloud.sql("glance", &format!("SELECT Host FROM mysql.user WHERE User = '{}'", cloud.name));
    for host in users.lines() {
        cloud.sql("glance", &format!("GRANT SUPER, PROCESS ON *.* TO '{}'@'{host}'", cloud.name));
    }
    cloud.sql("glance", &format!("DROP DATABASE {name}; CREATE DATABASE {name} CHARACTER SET utf8mb3"));
    let port = &environment()["mariadb"]["port"];
    let url = format!("mysql://{}@127.0.0.1:{port}/{name}", cloud.name).parse::<ConnectionUrl>().expect("a URL");
    let url = url.with_password(Secret::new(cloud.password.as_str()));
    (cloud, url)
}

/// What the release's own expand step makes of it, as whoever was interrupted then finds it.
fn expand(cloud: &Cloud, url: &ConnectionUrl, image: &str) {
    let configuration = cloud.directory.path().join("keystone.conf");
    let text = format!("[database]\nconnection = {}\n", url.for_service().expose());
    std::fs::write(&configuration, text).expect("written");
    let mount = format!("{}:/etc/keystone/keystone.conf:ro", configuration.display());
    let mut command = docker();
    command.args(["run", "--rm", "--network", "host", "--volume", &mount, image]);
    let output = command.args(["keystone-manage", "db_sync", "--expand"]).output().expect("docker runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn triggers(cloud: &Cloud) -> Vec<String> {
    let query = "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1";
    cloud.sql("keystone", query).lines().map(str::to_owned).collect()
}

fn numbers(cloud: &Cloud) -> String {
    let told = cloud.sql("keystone", "SELECT repository_id, version FROM migrate_version ORDER BY 1");
    told.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the server says to a statement that it does not take.
async fn refusal(session: &mut Connection, statement: &str) -> String {
    chain(&session.change(statement).await.expect_err("taken"))
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_fresh_expand_of_rockys_keystone_leaves_its_eight_triggers_and_the_contract_none() {
    let image = testbed(&["old", "rocky"], "");
    let (cloud, url) = fresh();
    let part = |command: &'static str| [command, "--at", "rocky", "--only", "keystone", "--yes"];
    cloud.leapfrog(&part("expand")).ended(3).said(&["database keystone stands at no release"]);
    expand(&cloud, &url, image.trim());
    assert_eq!(triggers(&cloud), TRIGGERS);
    assert_eq!(numbers(&cloud), "keystone 109 keystone_expand 52");

    // What they do is what the playbook says of them.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut writer = runtime.block_on(connect_for(&url, Purpose::Change, Duration::from_secs(5))).expect("a session");
    let told = runtime.block_on(refusal(&mut writer, STORED));
    let texts = [
        "MySQL error 1644",
        "Credential migration in progress. Cannot perform writes to credential table.",
        "Identity provider migration in progress. Cannot insert new rows into the identity_provider table at this time.",
    ];
    assert!(told.contains("1644") && told.contains(texts[1]), "{told}");
    let provider = "INSERT INTO identity_provider (id, enabled, domain_id) VALUES ('i', 1, 'd')";
    let told = runtime.block_on(refusal(&mut writer, provider));
    assert!(told.contains("1644") && told.contains(texts[2]), "{told}");
    let domain = "INSERT INTO project (id, name, enabled, domain_id, is_domain) \
                  VALUES ('d', 'd', 1, '<<keystone.domain.root>>', 1)";
    let user = "INSERT INTO user (id, extra, enabled) VALUES ('u', '{}', 1)";
    let own = "INSERT INTO nonlocal_user (domain_id, name, user_id) VALUES ('d', 'n', 'u')";
    for statement in [domain, user, own] {
        runtime.block_on(writer.change(statement)).expect("taken");
    }
    assert_eq!(cloud.sql("keystone", "SELECT domain_id FROM user WHERE id = 'u'").trim(), "d");

    // An interrupted migration is told of, and gone on with.
    let check =
        cloud.leapfrog(&["check", "--from", "rocky", "--to", "stein", "--only", "keystone", "-o", "json"]).ended(3);
    let check: Value = serde_json::from_str(&check.stdout).expect("JSON");
    let left = check["checks"].as_array().expect("checks").iter();
    let left = left.filter(|one| one["check"] == "triggers" && one["state"] == "failure");
    let left: String = left.map(Value::to_string).collect();
    assert!(TRIGGERS.iter().all(|name| left.contains(name)), "{check}");
    cloud.leapfrog(&part("migrate")).ended(0);
    assert_eq!(triggers(&cloud), TRIGGERS);
    let journal = cloud.journal();
    let migrated =
        journal.iter().find(|one| one["event"] == "step-ended" && one["step"] == "rocky/keystone/db-migrate");
    let seen = migrated.expect("its end")["evidence"].to_string();
    assert!(TRIGGERS.iter().all(|name| seen.contains(name)), "{seen}");

    // Somebody writes, who may be of Queens.
    let contract = [&part("contract")[..], &["--quiet-for", "2"]].concat();
    cloud
        .leapfrog(&contract)
        .ended(3)
        .said(&[&texts[..], &["somebody is connected who may be of an older release"]].concat());
    assert_eq!(triggers(&cloud), TRIGGERS, "the database was touched");
    runtime.block_on(writer.change("UPDATE user SET enabled = 0 WHERE id = 'u'")).expect("taken");
    runtime.block_on(writer.close());
    let look = cloud.leapfrog(&[&contract[..5], &["--dry-run", "--quiet-for", "1"]].concat()).ended(0);
    let told = look.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(TRIGGERS.iter().all(|name| told.contains(name)) && texts.iter().all(|text| told.contains(text)), "{told}");
    assert!(told.contains("credential.blob"), "{told}");
    cloud.leapfrog(&contract).ended(0);
    assert_eq!(triggers(&cloud), [""; 0]);
    assert_eq!(numbers(&cloud), "keystone 109 keystone_contract 52 keystone_data_migrate 52 keystone_expand 52");
    cloud.sql("keystone", STORED);
    cloud.leapfrog(&["verify", "--at", "rocky", "--only", "keystone"]).ended(0);
    cloud.leapfrog(&contract).ended(0).said(&["already contracted, at rocky"]);
}
