//! Environments on this machine, as the cloud file has them.

use super::{Machine, PASSWORD};
use crate::cloud::{PackageSource, RunnerSettings};

const LOCAL: &str = "services: {keystone: {database: {url: 'sqlite:////var/lib/k.db'}}}\n";

#[test]
fn environments_on_this_machine_need_no_word_and_lie_in_the_users_cache() {
    let mut machine = Machine::new();
    machine.env.insert("HOME", "/home/op".into());
    let cloud = machine.cloud(&format!("format: 1\nname: small\nrunner: {{local: {{}}}}\n{LOCAL}"));
    let RunnerSettings::Local(local) = &cloud.runner else { panic!("{:?}", cloud.runner) };
    assert_eq!(local.directory, "/home/op/.cache/leapfrog/environments");
    assert_eq!((&local.source, local.separate), (&PackageSource::Configured, false));
    let (keystone, series) = ("keystone".parse().expect("a service"), "2023.1".parse().expect("a series"));
    assert_eq!(cloud.image(&keystone, &series, "antelope").expect("one").to_string(), "local/2023.1");
    machine.env.insert("XDG_CACHE_HOME", "/var/cache/op".into());
    let text = format!(
        "format: 1\nname: small\nrunner: {{local: {{separate: true, constraints: 'uc/{{series}}.txt', python: ['py/{{version}}/bin/python', python3]}}}}\n{LOCAL}"
    );
    let cloud = machine.cloud(&text);
    let RunnerSettings::Local(local) = &cloud.runner else { panic!("{:?}", cloud.runner) };
    assert_eq!(local.directory, "/var/cache/op/leapfrog/environments");
    assert_eq!(local.python, [machine.path("py/{version}/bin/python").as_str(), "python3"]);
    let list = local.constraints.as_ref().expect("a list").of(&series, "antelope");
    assert_eq!(list, machine.path("uc/2023.1.txt").as_str());
    assert_eq!(cloud.image(&keystone, &series, "antelope").expect("one").to_string(), "local/2023.1/keystone");
}

#[test]
fn mistakes_about_environments_come_in_one_go_and_repeat_no_address() {
    let machine = Machine::new();
    let mistakes = machine.mistakes(&format!(
        r#"format: 1
name: small
runner:
  local:
    directry: x
    index: "{PASSWORD}@wheels.example"
    wheels: no-such-directory
    constraints: "https://me:{PASSWORD}@lists.example/upper.txt"
    python: ["python{{minor}}", "/opt/{{series"]
{LOCAL}"#
    ));
    assert!(!mistakes.contains(PASSWORD), "{mistakes}");
    insta::assert_snapshot!(mistakes);
    let both = machine.mistakes(&format!(
        "format: 1\nname: small\nrunner: {{containers: {{images: {{default: 'r.example/os:{{series}}'}}}}, local: {{directory: /x}}}}\n{LOCAL}"
    ));
    assert!(both.contains("only one of `containers` and `local`"), "{both}");
    let none = machine.mistakes(&format!("format: 1\nname: small\nrunner: {{}}\n{LOCAL}"));
    assert!(none.contains("nothing is said of what runs the commands"), "{none}");
}
