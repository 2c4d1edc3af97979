//! The cloud file as operators write it, rightly and wrongly.

mod access;
mod local;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use miette::{GraphicalReportHandler, GraphicalTheme};
use proptest::prelude::*;
use tempfile::TempDir;

use super::{Cloud, CloudError};
use crate::catalog::{DatabaseSlot, Playbook};
use crate::document::Mistake;
use crate::model::{DatabaseId, Secret};

const EXAMPLE: &str = include_str!("../../leapfrog.example.yaml");
const PASSWORD: &str = "Zq7-Tadpole";

fn playbook(service: &str, slots: &[(&str, bool)]) -> Playbook {
    let slots = slots.iter().map(|(slot, many)| DatabaseSlot {
        slot: slot.parse().expect("a slot"),
        schema: service.parse().expect("a schema"),
        many: *many,
        scripts: Vec::new(),
        repositories: Vec::new(),
        numbers_end: BTreeMap::new(),
    });
    Playbook {
        format: 1,
        service: service.parse().expect("a service"),
        title: String::new(),
        databases: slots.collect(),
        configuration: Vec::new(),
        triggers: Vec::new(),
        heartbeats: Vec::new(),
        recorded_versions: Vec::new(),
        checks: Vec::new(),
        preconditions: Vec::new(),
        options_in: Vec::new(),
        models: Vec::new(),
        steps: Vec::new(),
        known: Vec::new(),
        sources: Vec::new(),
    }
}

/// A machine with a cloud file, secrets beside it, and an environment.
struct Machine {
    directory: TempDir,
    env: BTreeMap<&'static str, String>,
    playbooks: Vec<Playbook>,
}

impl Machine {
    fn new() -> Self {
        let machine = Self {
            directory: TempDir::new().expect("a directory"),
            env: BTreeMap::from([
                ("KEYSTONE_DB_PASSWORD", PASSWORD.to_owned()),
                ("NOVA_API_URL", format!("mysql+pymysql://nova:{PASSWORD}@10.0.0.6/nova_api")),
            ]),
            playbooks: vec![
                playbook("glance", &[("main", false)]),
                playbook("keystone", &[("main", false)]),
                playbook("nova", &[("api", false), ("cell0", false), ("cells", true)]),
            ],
        };
        fs::create_dir(machine.path("secrets")).expect("a directory");
        machine.secret("secrets/glance.password", &format!("{PASSWORD}\n"));
        machine.secret("secrets/nova.password", PASSWORD);
        machine.secret("secrets/nova-cell0.url", &format!("mysql://nova:{PASSWORD}@10.0.0.6/nova_cell0\n"));
        machine
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.directory.path()).expect("UTF-8").join(name)
    }

    fn secret(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).expect("permissions");
    }

    fn read(&self, text: &str) -> Result<Cloud, CloudError> {
        let file = self.path("leapfrog.yaml");
        fs::write(&file, text).expect("a file");
        let playbooks: Vec<&Playbook> = self.playbooks.iter().collect();
        Cloud::read(&file, &playbooks, &|name| self.env.get(name).cloned())
    }

    fn cloud(&self, text: &str) -> Cloud {
        self.read(text).unwrap_or_else(|error| panic!("{error:#?}"))
    }

    /// Every mistake as `line:column: message (advice)`, the directory taken out.
    fn mistakes(&self, text: &str) -> String {
        told(&self.read(text).expect_err("a mistake").mistakes)
            .replace(&format!("{}/", self.path("")).replace("//", "/"), "")
    }
}

/// Each mistake in a line.
fn told(mistakes: &[Mistake]) -> String {
    let lines = mistakes.iter().map(|mistake| {
        let help = mistake.help().map(|help| format!(" ({help})"));
        mistake.one_line() + &help.unwrap_or_default()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn shown(error: &CloudError) -> String {
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor());
    handler.render_report(&mut text, error).expect("renders");
    text
}

#[test]
fn stages_are_kept_only_where_that_is_said_and_in_no_database_of_a_service() {
    let machine = Machine::new();
    let section = EXAMPLE.split("\nstages:\n").nth(1).expect("the example has it");
    let without = EXAMPLE.replace(&format!("\nstages:\n{section}"), "\n");
    assert_eq!(machine.cloud(&without).stages, None);
    assert_eq!(machine.cloud(&format!("{without}stages: {{}}\n")).stages.as_deref(), Some("leapfrog"));
    for (name, told) in [("nova_api", "this is the database of nova.api"), ("Leap-Frog", "no name for a database")] {
        let mistakes = machine.mistakes(&format!("{without}stages: {{database: {name}}}\n"));
        assert!(mistakes.contains(told), "{mistakes}");
    }
}

#[test]
fn the_example_is_a_sound_cloud_with_every_password_in_its_place() {
    let machine = Machine::new();
    let cloud = machine.cloud(EXAMPLE);
    let found: Vec<String> = cloud.databases.iter().map(|(id, url)| format!("{id} {url}")).collect();
    insta::assert_snapshot!(found.join("\n"), @r"
    glance mysql+pymysql://glance@10.0.0.5/glance
    keystone mysql+pymysql://keystone@10.0.0.5/keystone
    nova.api mysql+pymysql://nova@10.0.0.6/nova_api
    nova.cell0 mysql://nova@10.0.0.6/nova_cell0
    nova.cells.cell1 mysql+pymysql://nova@10.0.0.6/nova
    ");
    assert!(cloud.databases.values().all(|url| url.password().map(Secret::expose) == Some(PASSWORD)));
    assert!(cloud.warnings.is_empty(), "{:?}", cloud.warnings);
    assert_eq!((cloud.limits.jobs, cloud.limits.batch, cloud.limits.round.as_secs()), (4, None, 30));
    assert_eq!((cloud.limits.stall.as_secs(), cloud.limits.connect.as_secs()), (1800, 10));
    let nova = "nova".parse().expect("a service");
    let image = cloud.image(&nova, &"2023.2".parse().expect("a series"), "bobcat").expect("an image");
    assert_eq!(image.to_string(), "quay.io/openstack.kolla/nova-api:2023.2-ubuntu-jammy");
    assert!(!cloud.trusts_stored_urls(&nova));
}

#[test]
fn what_is_left_out_has_its_default() {
    let machine = Machine::new();
    let cloud = machine.cloud(
        "format: 1\nname: small\nrunner: {containers: {images: {default: 'r.example/os:{series}'}}}\n\
         services: {keystone: {database: {url: 'sqlite:////var/lib/k.db'}, stored_urls: trust}}\n",
    );
    assert_eq!(cloud.state_dir, machine.path("leapfrog-state"));
    assert_eq!(cloud.limits, super::Limits::default());
    let super::RunnerSettings::Containers(containers) = &cloud.runner else { panic!("{:?}", cloud.runner) };
    assert_eq!((containers.pull, containers.prefetch), (super::Pull::Auto, super::Prefetch::All));
    assert!(cloud.trusts_stored_urls(&"keystone".parse().expect("a service")));
    assert_eq!(cloud.services().count(), 1);
    assert_eq!(cloud.databases.keys().next().map(DatabaseId::to_string).as_deref(), Some("keystone"));
}

#[test]
fn mistakes_of_shape_and_of_meaning_come_in_one_go() {
    let machine = Machine::new();
    let mistakes = machine.mistakes(
        r#"format: 1
name: Production
runner:
  containers:
    pul: never
    prefetch: sometimes
    images: {default: "registry.example/openstack:{release}", services: {heat: "heat:{series}"}}
services:
  keystone:
    database: {url: "mysql://keystone@h/keystone", password_env: UNSET}
    databases: {api: {url: "mysql://k@h/k"}}
  glance:
    database: {url: "oracle://g@h/g", url_env: GLANCE}
    cells: {one: {url: "glance"}}
  heat:
    database: {url_file: missing.url}
  nova:
    databases: {api: {url: "mysql://n@h/keystone"}, cell_0: {url: "mysql://n@h/c"}}
limits: {jobs: 0, batch: 2000000, stall: 0s, connect: 31d, retries: 3}
"#,
    );
    insta::assert_snapshot!(mistakes, @r"
    leapfrog.yaml:2:7: `(hidden)` is not a name: it needs a lower-case letter first, then letters, digits, `-` or `_`
    leapfrog.yaml:5:5: unknown key `pul` (did you mean `pull`? known are: `socket`, `network`, `user`, `pull`, `prefetch`, `read_images`, `images`)
    leapfrog.yaml:6:15: unknown word (known are: `all`, `next`)
    leapfrog.yaml:7:23: `{release}` is no placeholder: there are {series}, {codename} and {service}
    leapfrog.yaml:7:80: the pattern makes no image reference: `heat:2024.1` names no registry: write it in full, like quay.io/openstack.kolla/keystone:2024.1-ubuntu-jammy
    leapfrog.yaml:10:66: the environment variable `UNSET` is not set (set it and run leapfrog again)
    leapfrog.yaml:11:17: `keystone` has no database `api` (the playbook of `keystone` has database)
    leapfrog.yaml:13:5: exactly one of `url`, `url_env`, `url_file` and `url_from` has to say where the database is
    leapfrog.yaml:14:5: `glance` has no cells (the playbook of `glance` has database)
    leapfrog.yaml:15:3: no playbook for `heat` (there are playbooks for glance, keystone, nova)
    leapfrog.yaml:16:26: the file missing.url cannot be read: No such file or directory (os error 2) (relative paths are relative to the cloud file)
    leapfrog.yaml:17:3: `nova` lists no cell (list every cell but cell0 under `cells`, by any name)
    leapfrog.yaml:18:5: `nova` lacks `databases.cell0` (every database of the service has to be listed)
    leapfrog.yaml:18:53: `nova` has no database `cell_0` (the playbook of `nova` has databases.api, databases.cell0, cells)
    leapfrog.yaml:19:16: commands side by side: 1 to 256
    leapfrog.yaml:19:26: rows of a round: 1 to 1000000
    leapfrog.yaml:19:42: the time has to be longer than nothing and at most 30 days
    leapfrog.yaml:19:55: the time has to be longer than nothing and at most 30 days
    leapfrog.yaml:19:60: unknown key `retries` (known are: `jobs`, `batch`, `round`, `stall`, `connect`, `outage`)
    ");
}

#[test]
fn of_another_format_nothing_else_is_said() {
    let mistakes = Machine::new().mistakes("format: 2\nclouds: [a, b]\n");
    assert_eq!(mistakes, "leapfrog.yaml:1:9: format 2 was written for a newer leapfrog; this one reads format 1");
}

#[test]
fn what_has_to_be_there_is_missed() {
    insta::assert_snapshot!(Machine::new().mistakes("format: 1\nlimits: {jobs: 0}\n"), @r"
    leapfrog.yaml:1:1: nothing is said of what runs the commands (write `containers` with its `images`, or `local: {}` for Python environments on this machine, under `runner`)
    leapfrog.yaml:1:1: `name` is missing
    leapfrog.yaml:1:1: `services` is missing
    leapfrog.yaml:2:16: commands side by side: 1 to 256
    ");
    insta::assert_snapshot!(Machine::new().mistakes("format: 1\nname: x\nservices: {nova: {}}\n"), @r"
    leapfrog.yaml:1:1: nothing is said of what runs the commands (write `containers` with its `images`, or `local: {}` for Python environments on this machine, under `runner`)
    leapfrog.yaml:3:12: `nova` lacks `databases.api` (every database of the service has to be listed)
    leapfrog.yaml:3:12: `nova` lacks `databases.cell0` (every database of the service has to be listed)
    leapfrog.yaml:3:12: `nova` lists no cell (list every cell but cell0 under `cells`, by any name)
    ");
}

#[test]
fn one_database_under_two_names_is_a_mistake() {
    let machine = Machine::new();
    let text = EXAMPLE.replace("nova@10.0.0.6/nova?", "nova@10.0.0.6:3306/nova_cell0?");
    insta::assert_snapshot!(machine.mistakes(&text), @"leapfrog.yaml:70:7: `nova.cells.cell1` is the same database as `nova.cell0`: mysql+pymysql://nova@10.0.0.6:3306/nova_cell0 (every database has one place in this file)");
}

#[test]
fn a_mistake_is_shown_with_its_lines_and_without_the_passwords_in_them() {
    let machine = Machine::new();
    let text = EXAMPLE
        .replace("keystone@10.0.0.5", &format!("keystone:{PASSWORD}@10.0.0.5"))
        .replace("password_env:", "pasword_env:");
    let error = machine.read(&text).expect_err("a mistake");
    insta::assert_snapshot!(shown(&error).replace(machine.path("").as_str(), "/"), @r#"
      × the cloud file has a mistake

    Error: 
      × unknown key `pasword_env`
        ╭─[/leapfrog.yaml:50:7]
     49 │       url: "*************:**********:***-**************************************"
     50 │       pasword_env: ********************
        ·       ───────────
     51 │ 
        ╰────
      help: did you mean `password_env`? known are: `url`, `url_env`, `url_file`, `url_from`, `password_env`, `password_file`
    "#);
}

#[test]
fn a_secret_that_everybody_can_read_is_doubted() {
    let machine = Machine::new();
    fs::set_permissions(machine.path("secrets/nova.password"), fs::Permissions::from_mode(0o644)).expect("permissions");
    let text = EXAMPLE
        .replace("keystone@10.0.0.5", &format!("keystone:{PASSWORD}@10.0.0.5"))
        .replace("      password_env: KEYSTONE_DB_PASSWORD\n", "");
    let cloud = machine.cloud(&text);
    insta::assert_snapshot!(told(&cloud.warnings).replace(machine.path("").as_str(), ""), @r"
    leapfrog.yaml:49:12: the file leapfrog.yaml holds a password and every user of this machine can read it (chmod o= leapfrog.yaml)
    leapfrog.yaml:71:24: the file secrets/nova.password holds a password and every user of this machine can read it (chmod o= secrets/nova.password)
    ");
}

#[test]
fn a_file_that_is_not_there_or_not_yaml_says_so() {
    let machine = Machine::new();
    let playbooks: Vec<&Playbook> = machine.playbooks.iter().collect();
    let error = Cloud::read(&machine.path("none.yaml"), &playbooks, &|_| None).expect_err("no file");
    assert!(told(&error.mistakes).contains("none.yaml: the cloud file cannot be read: No such file"));
    let text = EXAMPLE.replace("keystone@10.0.0.5/keystone?charset=utf8\"", &format!("keystone:{PASSWORD}@10.0.0.5/k"));
    let error = machine.read(&text).expect_err("no YAML");
    insta::assert_snapshot!(shown(&error).replace(machine.path("").as_str(), "/"), @r#"
      × the cloud file has a mistake

    Error: 
      × this is not YAML: invalid indentation in multiline quoted scalar
        ╭─[/leapfrog.yaml:50:7]
     49 │       url: "*************:**keystone:***-******************
     50 │       password_env: ********************
        ·       ─
     51 │ 
        ╰────
    "#);
}

#[test]
fn the_schema_knows_the_example_and_refuses_an_unknown_key() {
    let schema = serde_json::to_value(super::schema()).expect("a schema");
    let validator = jsonschema::validator_for(&schema).expect("a valid schema");
    let mut example: serde_json::Value = serde_saphyr::from_str(EXAMPLE).expect("YAML");
    assert!(validator.is_valid(&example), "{:?}", validator.iter_errors(&example).collect::<Vec<_>>());
    example["limits"]["retries"] = 3.into();
    assert!(!validator.is_valid(&example));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_edit_makes_the_reader_panic_or_show_a_password(
        edits in proptest::collection::vec((0usize..4000, 0usize..4000, "[ :{}\"'\\n#@/a-f*&\\-\\[\\],?é]{0,3}"), 0..4),
    ) {
        thread_local! { static MACHINE: Machine = Machine::new(); }
        MACHINE.with(|machine| {
            let mut text = EXAMPLE.replace("nova@10.0.0.6", &format!("nova:{PASSWORD}@10.0.0.6"));
            for (from, length, put) in edits {
                let length = length % 12;
                let from = (0..=from % text.len()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                let to = (from + length..).find(|at| *at >= text.len() || text.is_char_boundary(*at)).unwrap_or(from);
                let to = to.min(text.len());
                // An edit inside the password would make it another text.
                let near = text.as_bytes()[from.saturating_sub(12)..(to + 12).min(text.len())].windows(3);
                if near.into_iter().any(|window| window == b"Tad") {
                    continue;
                }
                text.replace_range(from..to, &put);
            }
            let told = match machine.read(&text) {
                Ok(cloud) => format!("{cloud:?} {:?}", cloud.warnings),
                Err(error) => format!("{error} {error:?} {}", shown(&error)),
            };
            assert!(!told.contains("Tadpole"), "{told}");
        });
    }
}
