//! The same table, read by oslo.config itself out of a release's image: what leapfrog takes it takes with the same
//! value, and what leapfrog refuses to read it refuses too.

use std::process::Command;

use camino::Utf8Path;
use leapfrog::oslo::{Configuration, Name};

use crate::broken::CASES;

/// Reads every file of `/cases` as keystone's commands would, and prints what [database] connection is, as JSON.
const READER: &str = r#"
import json, os, sys
from oslo_config import cfg
said = {}
for name in sorted(os.listdir('/cases')):
    path = '/cases/' + name
    conf = cfg.ConfigOpts()
    old = [cfg.DeprecatedOpt('sql_connection', group='DEFAULT')]
    conf.register_opts([cfg.StrOpt('connection', deprecated_opts=old)], group='database')
    try:
        # A service knows its options; here they are those that stand in the file.
        sections = {}
        cfg.ConfigParser(path, sections).parse()
        for group, options in sections.items():
            known = [cfg.StrOpt(option) for option in options if option not in ('connection', 'sql_connection')]
            conf.register_opts(known, group=None if group == 'DEFAULT' else group)
        conf(['--config-file', path], project='none')
        said[name] = {'value': conf.database.connection}
    except BaseException as error:
        said[name] = {'error': type(error).__name__}
json.dump(said, sys.stdout)
"#;

#[test]
#[ignore = "needs the test bed's images"]
fn oslo_config_itself_reads_every_file_of_the_table_as_leapfrog_does() {
    let testbed = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/testbed");
    let env = Command::new(&testbed).arg("env").output().expect("the test bed");
    let env: serde_json::Value = serde_json::from_slice(&env.stdout).expect("the test bed is up: `make testbed`");
    for series in ["2023.1", "2024.2"] {
        let image = image(&env, series);
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
        for (at, case) in CASES.iter().enumerate() {
            std::fs::write(directory.path().join(format!("{at:03}")), case.1).expect("written");
        }
        let mount = format!("{}:/cases:ro", directory.path().display());
        let said = docker(&env)
            .args([
                "run",
                "--rm",
                "--network",
                "none",
                "-e",
                "PYTHONUTF8=1",
                "-v",
                &mount,
                &image,
                "python3",
                "-c",
                READER,
            ])
            .output()
            .expect("docker");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let said: serde_json::Value = serde_json::from_slice(&said.stdout).expect("JSON");
        for (at, case) in CASES.iter().enumerate() {
            let said = &said[format!("{at:03}")];
            let mut configuration = Configuration::default();
            let names = [Name::new("database", "connection"), Name::new("DEFAULT", "sql_connection")];
            let ours = configuration
                .take(Utf8Path::new("keystone.conf"), case.1)
                .and_then(|()| configuration.value(&names))
                .map(|found| found.map(|setting| setting.value.expose().to_owned()));
            match ours {
                Ok(value) => assert_eq!(said["value"], serde_json::json!(value), "{series}: {}: {said}", case.0),
                Err(error) => assert!(said["error"].is_string(), "{series}: {}: {error}, but {said}", case.0),
            }
        }
    }
}

/// docker, of the test bed's engine.
fn docker(env: &serde_json::Value) -> Command {
    let mut command = Command::new("docker");
    command.envs(env["docker_host"].as_str().map(|host| ("DOCKER_HOST", host)));
    command
}

/// The image of a release on this machine, pulled if need be.
fn image(env: &serde_json::Value, series: &str) -> String {
    let image = format!("{}:{series}", env["image"].as_str().expect("the image's name"));
    let pulled = docker(env).args(["pull", "--quiet", &image]).output().expect("docker");
    assert!(pulled.status.success(), "{image}: {}", String::from_utf8_lossy(&pulled.stderr));
    image
}
