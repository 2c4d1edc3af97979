//! First contact with a real cloud: `init` on its services' configuration, `doctor` on its databases, and a leap with
//! the file that came of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::bed::{Cloud, environment, testbed};

/// The services' configuration files of a cloud, as packages lay them out; the cloud file is taken away.
fn configured(cloud: &Cloud) {
    let port = environment()["mariadb"]["port"].as_u64().expect("a port");
    let url = |database: &str| {
        format!("mysql+pymysql://{0}:{1}@127.0.0.1:{port}/{0}_{database}?charset=utf8", cloud.name, cloud.password)
    };
    for (service, file, lines) in [
        ("barbican", "barbican.conf", format!("[DEFAULT]\nsql_connection = {}\n", url("barbican"))),
        ("cinder", "cinder.conf", format!("[database]\nconnection = {}\n", url("cinder"))),
        ("glance", "glance-api.conf", format!("[database]\nconnection = {}\n", url("glance"))),
        ("keystone", "keystone.conf", format!("[database]\nconnection = {}\n", url("keystone"))),
        ("neutron", "neutron.conf", format!("[database]\nconnection = {}\n", url("neutron"))),
        // As the installation guide has it: the cell's database; cell0's follows from it.
        (
            "nova",
            "nova.conf",
            format!("[api_database]\nconnection = {}\n[database]\nconnection = {}\n", url("nova_api"), url("nova")),
        ),
        ("placement", "placement.conf", format!("[placement_database]\nconnection = {}\n", url("placement"))),
    ] {
        let directory = cloud.directory.path().join("root/etc").join(service);
        fs::create_dir_all(&directory).expect("made");
        fs::write(directory.join(file), lines).expect("written");
        fs::set_permissions(directory.join(file), PermissionsExt::from_mode(0o640)).expect("set");
    }
    fs::remove_file(cloud.config()).expect("removed");
}

/// All that a server holds of a cloud, as far as its schema and its row counts tell, and the names of its databases.
fn held(cloud: &Cloud) -> String {
    let query = format!(
        "SELECT table_schema, table_name, create_time, update_time FROM information_schema.tables WHERE table_schema \
         LIKE '{0}\\_%' OR table_schema LIKE 'leapfrog\\_scratch%' ORDER BY 1, 2; SHOW DATABASES LIKE '{0}\\_%'",
        cloud.name
    );
    testbed(&["sql", "information_schema"], &query)
}

#[test]
#[ignore = "needs the test bed: make test"]
fn the_services_own_configuration_leads_to_a_leap_and_the_doctor_touches_nothing_on_the_way() {
    let cloud = Cloud::new("contact", 10);
    configured(&cloud);
    let root = cloud.directory.path().join("root");
    let image = environment()["image"].as_str().expect("the image's name").to_owned() + ":{series}";
    let told = cloud
        .leapfrog(&["init", "--root", root.to_str().expect("UTF-8"), "--name", "contact", "--images", &image, "--yes"])
        .ended(0)
        .said(&["cell0 is taken to be"]);
    assert!(told.stdout.contains("7 services, 8 databases"), "{}", told.stdout);
    // The file says nothing of a network: commands of a leap are on the host's, where 127.0.0.1 is the database server.
    let text = fs::read_to_string(cloud.config()).expect("readable");
    assert!(!text.contains("network"), "{text}");
    assert!(!text.contains(&cloud.password), "{text}");
    cloud.edit("name: contact\n", "name: contact\nstate: state\n");
    if let Some(socket) = environment()["docker_host"].as_str() {
        cloud.edit("    images:\n", &format!("    socket: \"{socket}\"\n    images:\n"));
    }
    let told = cloud.leapfrog(&["detect"]).ended(0);
    assert!(
        told.stdout.contains("nova.cells.cell1") && told.stdout.contains("The cloud stands at 2023.1."),
        "{}",
        told.stdout
    );

    let before = held(&cloud);
    // A right that a restore point's proof needs is asked for, not tried.
    let told = cloud.leapfrog(&["doctor"]).ended(3);
    let grant = format!("GRANT ALL ON `leapfrog\\_scratch\\_%`.* TO '{}'@'%';", cloud.name);
    let words = told.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("failed to make a scratch database") && words.contains(&grant), "{}", told.stdout);
    testbed(&["sql", "mysql"], &grant);
    let told = cloud.leapfrog(&["doctor", "--from", "auto", "--to", "+1", "-o", "json"]).ended(0);
    assert_eq!(held(&cloud), before, "the doctor changed something on the server");
    assert!(cloud.state().is_empty(), "the doctor wrote into the state directory");
    let report: Value = serde_json::from_str(&told.stdout).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    for (about, words) in [
        ("engine", "Docker Engine"),
        ("databases", "MariaDB"),
        ("restore points", "can be taken with"),
        ("leap", "2023.1 → 2023.2 can be planned"),
        ("images", "of the leap can be had"),
    ] {
        let found = findings.iter().any(|finding| {
            finding["state"] == "ok"
                && finding["about"] == about
                && finding["what"].as_str().is_some_and(|what| what.contains(words))
        });
        assert!(found, "no {words:?} about {about} in {report:#}");
    }
    assert!(!told.stdout.contains(&cloud.password) && !told.stderr.contains(&cloud.password));

    let only = "keystone,placement";
    cloud.leapfrog(&["--from", "2023.1", "--to", "+1", "--only", only, "--yes"]).ended(0);
    cloud.leapfrog(&["verify", "--at", "2023.2", "--only", only]).ended(0);
    let written: Vec<_> = cloud.state().into_iter().filter(|(_, bytes)| contains(bytes, &cloud.password)).collect();
    assert!(written.is_empty(), "the password is in {:?}", written.iter().map(|(path, _)| path).collect::<Vec<_>>());
}

#[test]
#[ignore = "needs the test bed: make test"]
fn the_doctor_names_the_registry_that_does_not_answer_and_the_one_that_wants_a_login() {
    let cloud = Cloud::new("doctor", 10);
    let environment = environment();
    let of = |name: &str| environment[name].as_str().expect("an address");
    cloud.edit(of("registry"), "127.0.0.1:1");
    let told = cloud.leapfrog(&["doctor"]).ended(3);
    let words = told.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("FAILURE images registry 127.0.0.1:1 cannot be reached"), "{}", told.stdout);
    cloud.edit("127.0.0.1:1/", &format!("{}/", of("private_registry")));
    let told = cloud.leapfrog(&["doctor"]).ended(3);
    assert!(told.stdout.contains("docker login"), "{}", told.stdout);
    assert!(told.stdout.contains("warning  restore points"), "{}", told.stdout);
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
