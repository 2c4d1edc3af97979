//! Mistakes in the cloud file: all of them at once, with their lines, and without any password.

use std::os::unix::fs::PermissionsExt;

use crate::lab::{CLOSED, Lab, PASSWORD, antelope, project};

/// A cloud file with these lines after its head.
fn file(lines: &str) -> Lab {
    let lab = Lab::new();
    lab.file(
        "leapfrog.yaml",
        format!(
            "format: 1\nname: lab\nrunner: {{containers: {{images: {{default: \"registry.example/os:{{series}}\"}}}}}}\n{lines}\n"
        ),
    );
    lab
}

#[test]
fn broken_yaml_is_shown_where_it_breaks_with_its_values_hidden() {
    let lab = file(&format!("services:\n  keystone: {{database: {{url: \"mysql://k:{PASSWORD}@h/k\"}}\n  glance: ["));
    insta::assert_snapshot!(lab.tell(&["detect"]));
}

#[test]
fn several_mistakes_are_told_at_once() {
    let lab = file(
        "nmae: other
limits: {jobs: 0, batch: 99999999, stall: 5, connect: 100d}
services:
  sahara: {database: {url: \"mysql://u:Zwetschgenknoedel@h/d\"}}
  keystone: {database: {url: \"mysql://u:Zwetschgenknoedel@h\"}}
  glance: {database: {url: \"oracle://u:Zwetschgenknoedel@h/d\"}}
  placement: {database: {url: \"sqlite:///relative.db\"}}
  cinder: {database: {url: \"mysql://u@h/d\", password_file: empty}}
  barbican: {database: {url: \"mysql://u@h/d\", password_env: NOT_SET}}
  nova: {database: {url: \"mysql://u@h/d\"}}",
    );
    lab.file("empty", "");
    insta::assert_snapshot!(lab.tell(&["plan --from 2023.1 --to +1"]));
}

#[test]
fn limits_that_make_no_sense_are_refused_with_the_ones_that_do() {
    for (limit, says) in [
        ("jobs: 0", "1 to 256"),
        ("jobs: 99999", "1 to 256"),
        ("jobs: -1", "number"),
        ("batch: 0", "1 to 1000000"),
        ("batch: 1000001", "1 to 1000000"),
        ("stall: 0s", "longer than nothing"),
        ("connect: 31d", "at most 30 days"),
        ("connect: soon", "a length of time"),
    ] {
        let lab =
            file(&format!("limits: {{{limit}}}\nservices: {{keystone: {{database: {{url: \"mysql://k@h/k\"}}}}}}"));
        lab.run(&["detect"]).fails(2, &["leapfrog.yaml:4:", says]);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    let lab = Lab::new();
    lab.file("latin", b"name: caf\xe9");
    std::fs::create_dir(lab.path("directory")).expect("made");
    insta::assert_snapshot!(lab.tell(&[
        "detect",
        "detect --config missing.yaml",
        "detect --config directory",
        "detect --config latin",
    ]));
    lab.run(&["detect", "--config", ""]).fails(2, &["--config <FILE>"]);
}

#[test]
fn a_file_that_may_not_be_read_is_named_with_the_reason() {
    let lab = Lab::at_antelope(&["glance"]).ready();
    std::fs::set_permissions(lab.path("leapfrog.yaml"), PermissionsExt::from_mode(0o000)).expect("set");
    if std::fs::read(lab.path("leapfrog.yaml")).is_ok() {
        return; // root may read everything
    }
    lab.run(&["detect"]).fails(2, &["leapfrog.yaml", "Permission denied"]);
}

#[test]
fn a_password_file_that_everybody_can_read_is_warned_of_once_and_stops_nothing() {
    let lab = Lab::new()
        .service_like("keystone", &format!("{{url: \"mysql://k@{CLOSED}/k\", password_file: secret}}"))
        .service_like("glance", &format!("{{url: \"mysql://g@{CLOSED}/g\", password_file: secret}}"))
        .ready();
    lab.file("secret", PASSWORD);
    std::fs::set_permissions(lab.path("secret"), PermissionsExt::from_mode(0o644)).expect("set");
    let done = lab.run(&["detect"]);
    done.fails(3, &["warning: leapfrog.yaml:", "every user of this machine can read it", "chmod o= "]);
    assert_eq!(done.err.matches("warning").count(), 1, "{}", done.err);
    std::fs::set_permissions(lab.path("secret"), PermissionsExt::from_mode(0o600)).expect("set");
    assert!(!lab.run(&["detect"]).err.contains("warning"));
}

#[test]
fn a_percent_sign_that_keystone_cannot_read_is_refused_with_what_to_do() {
    // A database that answers is needed, and no SQLite file has a password: here the sign is in the path.
    let lab = Lab::new();
    let url = lab.database("100%", antelope("keystone")).replace('%', "%25");
    let lab = lab.service_like("keystone", &format!("{{url: \"{url}\"}}")).ready();
    insta::assert_snapshot!(lab.tell(&["plan --from 2023.1 --to +1"]));
}

#[test]
fn the_cloud_files_that_are_shown_as_examples_lack_nothing_but_their_secrets() {
    let readme = std::fs::read_to_string(project().join("README.md")).expect("a README");
    let readme = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let example = std::fs::read_to_string(project().join("leapfrog.example.yaml")).expect("an example");
    for text in readme.into_iter().map(str::to_owned).chain([example]) {
        let lab = Lab::new();
        lab.file("leapfrog.yaml", text);
        let done = lab.run(&["detect"]);
        done.fails(2, &["mistake"]);
        for line in done.err.lines().filter(|line| line.contains('×')) {
            assert!(line.contains("is not set") || line.contains("cannot be read"), "{line}");
        }
    }
}
