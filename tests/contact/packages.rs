//! Configurations where packages put them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::machine::{Machine, PASSWORD, filled, url};

#[test]
fn a_controller_s_own_configuration_makes_a_cloud_file_that_leads_to_its_databases_and_holds_no_password() {
    let machine = Machine::with_packages();
    let done = machine.init(&[]);
    insta::assert_snapshot!("packages", machine.told(&done));
    let text = machine.read("leapfrog.yaml");
    assert!(!text.contains(PASSWORD), "{text}");
    insta::assert_snapshot!("packages-file", machine.plain(&text));
    let names = ["barbican", "cinder", "glance", "keystone", "neutron", "nova_api", "nova_cell0", "placement"];
    let urls: Vec<String> = machine.databases().into_iter().map(|(_, url)| url).collect();
    assert_eq!(urls, names.map(url));
}

#[test]
fn detect_reads_the_file_that_init_wrote_and_a_plan_asks_for_images() {
    let machine =
        Machine::with("keystone", "keystone.conf", "[database]\nconnection = mysql://k@127.0.0.1:1/keystone\n");
    assert_eq!(machine.init(&[]).code, 0);
    let detect = machine.run(&["detect"]);
    assert!(detect.code == 3 && detect.err.contains("could not read keystone"), "{}", detect.err);
    let plan = machine.run(&["plan", "--from", "2023.1", "--to", "+1"]);
    assert_eq!(plan.code, 2);
    assert!(plan.err.contains("does not say yet where images are"), "{}", plan.err);
    assert_eq!(machine.init(&["--overwrite", "--images", "r.example/os:{series}"]).code, 0);
    let plan = machine.run(&["plan", "--from", "2023.1", "--to", "+1"]);
    assert_eq!(plan.code, 3, "{}", plan.err);
    let wrong = machine.init(&["--overwrite", "--images", "r.example/os:latest"]);
    assert!(wrong.code == 2 && wrong.err.contains("the same image for every release"), "{}", wrong.err);
}

#[test]
fn what_is_there_is_not_written_over_unless_somebody_says_so() {
    let machine = Machine::with_packages();
    machine.write("leapfrog.yaml", "mine");
    let done = machine.init(&[]);
    assert!(done.code == 2 && done.err.contains("--overwrite"), "{}", done.err);
    assert_eq!(machine.read("leapfrog.yaml"), "mine");
    assert_eq!(machine.init(&["--overwrite"]).code, 0);
    assert!(machine.read("leapfrog.yaml").contains("url_from"));
    let left: Vec<_> =
        fs::read_dir(machine.path("")).expect("readable").map(|entry| entry.expect("one").file_name()).collect();
    assert!(left.iter().all(|name| name == "etc" || name == "leapfrog.yaml"), "{left:?}");
}

#[test]
fn without_a_terminal_somebody_has_to_say_yes() {
    let machine = Machine::with_packages();
    let done = machine.run(&["init", "--root", "."]);
    assert!(done.code == 2 && done.err.contains("--yes"), "{}", done.err);
    assert!(!machine.path("leapfrog.yaml").exists());
}

#[test]
fn passwords_are_written_only_on_request_and_for_nobody_else_to_read() {
    let machine = Machine::with_packages();
    assert_eq!(machine.init(&["--with-secrets"]).code, 0);
    assert!(machine.read("leapfrog.yaml").contains(&url("nova_api")));
    let mode = fs::metadata(machine.path("leapfrog.yaml")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(machine.databases().iter().any(|(id, at)| id == "nova.cell0" && *at == url("nova_cell0")));
}

#[test]
fn a_service_that_moved_its_database_is_followed_without_a_change_of_the_cloud_file() {
    let machine = Machine::with_packages();
    assert_eq!(machine.init(&[]).code, 0);
    machine
        .write("etc/keystone/keystone.conf.d/50-moved.conf", "[database]\nconnection = mysql://k@10.0.0.9/keystone\n");
    let keystone = machine.databases().into_iter().find(|(id, _)| id == "keystone").expect("keystone");
    assert_eq!(keystone.1, "mysql+pymysql://k@10.0.0.9/keystone");
}

#[test]
fn where_nova_s_file_names_a_cell_cell0_is_the_one_beside_it_and_that_is_said_to_be_a_guess() {
    let machine = Machine::new();
    machine.write("etc/nova/nova.conf", filled("nova.conf").replace("nova_cell0?", "nova?"));
    let done = machine.init(&[]);
    insta::assert_snapshot!("guess", machine.told(&done));
    let databases = machine.databases();
    assert_eq!(databases[1], ("nova.cell0".to_owned(), url("nova_cell0")));
}

#[test]
fn what_a_programme_is_told_is_json_without_a_password() {
    let machine = Machine::with_packages();
    let done = machine.init(&["-o", "json", "--only", "keystone,nova"]);
    let told: serde_json::Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!(told["written"], true);
    assert_eq!(told["services"][1]["databases"][1]["database"], "nova.cell0");
    assert!(told["services"][1]["databases"][1]["place"].as_str().is_some_and(|at| at.contains("nova.conf:")));
    assert_eq!(told["next"], "leapfrog detect");
}

#[test]
fn a_machine_without_services_is_told_so_with_where_it_was_looked() {
    let machine = Machine::new();
    let done = machine.init(&[]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("/etc/keystone/keystone.conf") && done.err.contains("--from-kolla"), "{}", done.err);
    let done = machine.run(&["init", "--root", "nowhere", "--yes"]);
    assert!(done.code == 2 && done.err.contains("--root nowhere"), "{}", done.err);
    let done = machine.init(&["--only", "keyston"]);
    assert!(done.code == 2 && done.err.contains("did you mean keystone?"), "{}", done.err);
}
