//! What the seven services' commands see of the machine that they run on: none of its configuration.

use std::process::Command;

use serde_json::Value;

use crate::bed::environments;
use crate::cloud::Cloud;
use crate::leaps::{at_home, local};
use crate::machine::compiler;

/// Each service with the command that migrates its schema.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("barbican", "barbican-manage", "db version"),
    ("cinder", "cinder-manage", "db version"),
    ("glance", "glance-manage", "db version"),
    ("keystone", "keystone-manage", "db_version"),
    ("neutron", "neutron-db-manage", "current"),
    ("nova", "nova-manage", "db version"),
    ("placement", "placement-manage", "db version"),
];

/// A shell script that gives the rest of itself a copy of `/etc` full of configurations that no command survives: for
/// every service, by every name that is looked for. Only this process and its children see it.
fn trapped(then: &str) -> String {
    let mut script = "set -e\netc=$(mktemp -d)\nmount -t tmpfs none $etc\ncp -a /etc/. $etc\n".to_owned();
    for (service, program, _) in COMMANDS {
        let mut names = vec![service.to_string(), program.to_string()];
        if *service == "glance" {
            names.extend(["glance-api".to_owned(), "glance-registry".to_owned()]);
        }
        script.push_str(&format!("mkdir -p $etc/{service}\n"));
        for name in names {
            script.push_str(&format!(
                "mkdir -p $etc/{service}/{name}.conf.d $etc/{name}.conf.d\n\
                 for file in $etc/{service}/{name}.conf $etc/{service}/{name}.conf.d/a.conf $etc/{name}.conf $etc/{name}.conf.d/a.conf; \
                 do echo 'trap without a section' > $file; done\n"
            ));
        }
    }
    script.push_str(&format!("mount --bind $etc /etc\n{then}\n"));
    script
}

/// Runs a script in a mount namespace of its own.
fn in_namespace(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !rustix::process::getuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["sh", "-c", script]);
    command
}

#[test]
#[ignore = "needs the test bed: make test"]
fn no_configuration_of_the_machine_is_read_by_any_of_the_seven() {
    compiler();
    let cloud = Cloud::new("trapped", 20);
    local(&cloud);
    at_home(&cloud, &["pull", "--from", "2023.1", "--to", "2023.2"]).ended(0);

    // The traps are traps: each command that does look there dies of them.
    let list = at_home(&cloud, &["env", "list", "--output", "json"]).ended(0).stdout;
    let list: Value = serde_json::from_str(&list).unwrap();
    let bin = |series: &str| {
        let all = list.as_array().unwrap().iter();
        let mut of_series = all.filter(|one| {
            one["series"] == series && one["services"].as_array().unwrap().len() == 7 && one["trouble"].is_null()
        });
        format!("{}/bin", of_series.next().unwrap()["directory"].as_str().unwrap())
    };
    for series in ["2023.1", "2023.2"] {
        for (service, program, command) in COMMANDS {
            let line = format!("cd / && HOME=/nowhere exec {}/{program} {command}", bin(series));
            let output = in_namespace(&trapped(&line)).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
            let known = std::fs::read_dir(bin(series)).map(Iterator::count);
            assert!(
                !output.status.success() && said.contains("trap without a section"),
                "{service} {series}: {said}; {known:?} programs are there; {list:#}"
            );
        }
    }

    let leap = format!(
        "exec '{}' --from 2023.1 --to 2023.2 --yes --no-skip --config '{}'",
        env!("CARGO_BIN_EXE_leapfrog"),
        cloud.config().display()
    );
    let output = in_namespace(&trapped(&leap)).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let ran: Vec<String> =
        cloud.journal().iter().filter_map(|record| record["step"].as_str().map(str::to_owned)).collect();
    for (service, ..) in COMMANDS {
        assert!(ran.iter().any(|step| step.starts_with(&format!("2023.2/{service}/"))), "{service} ran nothing");
    }
    assert!(environments().exists());
}
