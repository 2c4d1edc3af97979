//! What is asked before a leap, on a real cloud; and a keystone that a real release left half-way.

use serde_json::Value;

use crate::bed::{Cloud, docker, environment};

const CHECK: [&str; 7] = ["check", "--from", "2023.1", "--to", "2024.2", "--output", "json"];

fn found(cloud: &Cloud, code: i32) -> Vec<Value> {
    let told = cloud.leapfrog(&CHECK).ended(code);
    assert!(!told.stdout.contains(&cloud.password), "the password is told");
    let report: Value = serde_json::from_str(&told.stdout).expect("JSON");
    report["checks"].as_array().expect("checks").clone()
}

fn states(checks: &[Value], check: &str) -> Vec<String> {
    let named = checks.iter().filter(|one| one["check"] == check);
    named
        .map(|one| format!("{} {}", one["about"].as_str().expect("words"), one["state"].as_str().expect("words")))
        .collect()
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_cloud_is_in_order_until_rows_and_character_sets_stand_in_the_way_and_again_when_they_are_mended() {
    let cloud = Cloud::new("checked", 10);
    let before = cloud.rows("cinder");
    let checks = found(&cloud, 0);
    // A fresh cloud of these releases is not complained of, but for the way back that its file goes without.
    let complaints: Vec<&Value> = checks.iter().filter(|one| one["state"] != "ok").map(|one| &one["check"]).collect();
    assert_eq!(complaints, ["restore-points"], "{checks:#?}");
    let quota = checks.iter().find(|one| one["check"] == "volumes-without-use-quota").expect("asked");
    assert_eq!((quota["rows"].as_u64(), quota["state"].as_str()), (Some(130), Some("ok")), "the leap moves them");

    cloud.sql("cinder", "UPDATE volumes SET deleted = 1 WHERE display_name IN ('volume-1', 'volume-2')");
    let database = format!("{}_glance", cloud.name);
    cloud.sql("glance", &format!("ALTER DATABASE `{database}` CHARACTER SET utf8mb4"));
    let checks = found(&cloud, 3);
    assert_eq!(states(&checks, "soft-deleted-volumes-without-use-quota"), ["cinder failure"]);
    assert!(states(&checks, "character-set").contains(&"glance warning".to_owned()), "{checks:#?}");
    let rows = checks.iter().find(|one| one["check"] == "soft-deleted-volumes-without-use-quota").expect("asked");
    assert_eq!(rows["shown"].as_array().map(Vec::len), Some(2));

    cloud.sql("cinder", "UPDATE volumes SET use_quota = 1 WHERE use_quota IS NULL AND deleted = 1");
    cloud.sql("glance", &format!("ALTER DATABASE `{database}` CHARACTER SET utf8mb3"));
    assert_eq!(states(&found(&cloud, 0), "soft-deleted-volumes-without-use-quota"), ["cinder ok"]);
    assert_eq!(cloud.rows("cinder"), before, "something was written");
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_keystone_that_2023_2_expanded_and_did_not_contract_is_named_as_that() {
    let cloud = Cloud::new("halfdone", 10);
    let facts = environment();
    let told: String = std::fs::read_to_string(cloud.config()).expect("readable");
    let image = told.split_whitespace().find(|word| word.contains("/openstack:{series}")).expect("an image pattern");
    let image = image.trim_matches('"').replace("{series}", "2023.2");
    let url = format!(
        "mysql+pymysql://{name}:{}@{}:{}/{name}_keystone",
        cloud.password,
        facts["mariadb"]["host"].as_str().expect("a host"),
        facts["mariadb"]["port"],
        name = cloud.name
    );
    let output = docker()
        .args(["run", "--rm", "--network", "host", "-e", &format!("OS_DATABASE__CONNECTION={url}"), &image])
        .args(["keystone-manage", "db_sync", "--expand"])
        .output()
        .expect("docker runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(cloud.heads("keystone"), ["11c3b243b4cb", "e25ffa003242"]);
    let told = cloud.leapfrog(&["detect", "--only", "keystone"]).ended(0);
    assert!(told.stdout.contains("2023.2 expanded, not contracted"), "{}", told.stdout);
    // The check says so as well, and asks the other services all the same.
    let checks = found(&cloud, 3);
    assert_eq!(states(&checks, "plan"), ["keystone failure"]);
    assert_eq!(states(&checks, "volumes-without-use-quota"), ["cinder ok"]);
}
