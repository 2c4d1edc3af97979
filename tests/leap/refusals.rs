//! What is refused before the first database is touched, for real.

use std::process::Command;

use serde_json::Value;

use crate::bed::{Cloud, environment};

/// Leaps that fail here must leave no run behind and no database changed.
fn untouched(cloud: &Cloud, before: &[Vec<String>]) {
    assert_eq!(heads(cloud), before, "a database was touched");
    assert!(cloud.state().iter().all(|(path, _)| !path.ends_with("journal.jsonl")), "a run was begun");
    assert_eq!(cloud.containers(), 0, "a container is left");
}

fn heads(cloud: &Cloud) -> Vec<Vec<String>> {
    let databases =
        ["keystone", "nova_api", "nova_cell0", "nova", "placement", "neutron", "cinder", "glance", "barbican"];
    databases.iter().map(|database| cloud.heads(database)).collect()
}

const LEAP: [&str; 5] = ["--from", "2023.1", "--to", "2024.2", "--yes"];

#[test]
#[ignore = "needs the test bed: make test"]
fn a_wrong_password_is_refused_and_the_mended_file_plans() {
    let cloud = Cloud::new("wrongpass", 10);
    let before = heads(&cloud);
    let right = std::fs::read_to_string(cloud.directory.path().join("password")).expect("readable");
    std::fs::write(cloud.directory.path().join("password"), "Leak0wrong").expect("writable");
    let told = cloud.leapfrog(&LEAP).ended(3);
    let told = told.said(&["database keystone cannot be read", "nova.cells.cell1", "next"]);
    assert!(!told.stderr.contains("Leak0wrong"), "{}", told.stderr);
    untouched(&cloud, &before);
    std::fs::write(cloud.directory.path().join("password"), right).expect("writable");
    cloud.leapfrog(&["plan", "--from", "auto", "--to", "+3"]).ended(0);
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_database_ahead_of_from_is_refused_with_its_heads_and_the_way_on() {
    let cloud = Cloud::new("ahead", 10);
    cloud.sql("cinder", "UPDATE alembic_version SET version_num = '89aa6f9639f9'");
    let before = heads(&cloud);
    cloud.leapfrog(&LEAP).ended(3).said(&[
        "database cinder is ahead of 2023.1: it stands at 2023.2",
        "found 89aa6f9639f9 (2023.2)",
        "expected daa98075b90d (2023.1)",
        "leapfrog --from 2023.1 --to 2023.2 --only barbican,glance,keystone,neutron,nova,placement",
    ]);
    untouched(&cloud, &before);
    let refused = cloud.leapfrog(&["--from", "2023.1", "--to", "2024.2", "--yes", "--output", "jsonl"]).ended(3);
    let line: Value = serde_json::from_str(refused.stdout.trim()).expect("one line");
    assert_eq!(line["refused"][0]["kind"], "ahead", "{line}");
}

#[test]
#[ignore = "needs the test bed: make test"]
fn an_image_that_cannot_be_had_or_lacks_the_commands_is_refused() {
    let cloud = Cloud::new("images", 10);
    let before = heads(&cloud);
    let bed = environment();
    let image = bed["image"].as_str().expect("an image");
    let default = format!("{image}:{{series}}");

    // Only the third release's tag is missing: nothing may begin all the same.
    cloud.edit(&default, &format!("{image}:{{codename}}-nothing"));
    cloud.leapfrog(&LEAP).ended(3).said(&["antelope-nothing", "dalmatian-nothing", "next"]);
    untouched(&cloud, &before);

    cloud.edit(&format!("{image}:{{codename}}-nothing"), "127.0.0.1:9/leapfrog/openstack:{series}");
    cloud.leapfrog(&LEAP).ended(3).said(&["127.0.0.1:9", "next"]);
    untouched(&cloud, &before);

    // An image without the commands. barbican's and glance's heads are those of 2023.2, too.
    cloud.edit("127.0.0.1:9/leapfrog/openstack:{series}", &format!("{image}:{{series}}-nocommand"));
    let leap = ["--from", "2023.2", "--to", "2023.2", "--yes", "--only", "barbican,glance"];
    cloud.leapfrog(&leap).ended(3).said(&["2023.2-nocommand", "has no barbican-manage", "glance-manage", "images"]);
    untouched(&cloud, &before);
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_private_registry_wants_the_login_of_the_docker_configuration() {
    let cloud = Cloud::new("private", 10);
    let before = heads(&cloud);
    let bed = environment();
    let registry = bed["private_registry"].as_str().expect("a registry");
    cloud.edit(&format!("{}/", bed["registry"].as_str().expect("a registry")), &format!("{registry}/"));
    let configuration = tempfile::tempdir().expect("a directory");
    let leap = |arguments: &[&str]| {
        let mut command = cloud.command(arguments);
        crate::bed::Told::from(command.env("DOCKER_CONFIG", configuration.path()).output().expect("leapfrog runs"))
    };
    leap(&LEAP).ended(3).said(&[registry, "docker login"]);
    untouched(&cloud, &before);

    let login = |password: &str| {
        use std::io::Write;
        let user = bed["private_user"].as_str().expect("a user");
        let mut base64 = Command::new("base64")
            .arg("-w0")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("base64 runs");
        base64.stdin.take().expect("a pipe").write_all(format!("{user}:{password}").as_bytes()).expect("written");
        let auth = String::from_utf8(base64.wait_with_output().expect("ended").stdout).expect("ASCII");
        let text = serde_json::json!({"auths": {registry: {"auth": auth}}}).to_string();
        std::fs::write(configuration.path().join("config.json"), text).expect("writable");
    };
    login("Leak0wrong");
    let told = leap(&LEAP).ended(3).said(&[registry, "docker login"]);
    assert!(!told.stderr.contains("Leak0wrong"));
    untouched(&cloud, &before);

    login(bed["private_password"].as_str().expect("a password"));
    leap(&["pull", "--from", "2023.1", "--to", "2023.1", "--only", "barbican"]).ended(0).said(&["1 image"]);
    untouched(&cloud, &before);
}
