//! Releases that are not left at once: expand, migrate, and contract once nobody uses what goes; on the real keystone and
//! glance.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use leapfrog::database::{Connection, connect};
use leapfrog::model::{ConnectionUrl, Secret};
use serde_json::Value;

use crate::bed::{Cloud, docker, environment};

const ONLY: [&str; 2] = ["--only", "keystone,glance"];

/// A cloud whose user sees everybody's sessions.
fn cloud(name: &str) -> Cloud {
    let cloud = Cloud::new(name, 10);
    let users = cloud.sql("keystone", &format!("SELECT Host FROM mysql.user WHERE User = '{}'", cloud.name));
    for host in users.lines() {
        cloud.sql("keystone", &format!("GRANT PROCESS ON *.* TO '{}'@'{host}'", cloud.name));
    }
    cloud
}

/// Where one of the cloud's databases is, as its own user.
fn url(cloud: &Cloud, database: &str) -> ConnectionUrl {
    let facts = environment();
    let fact = |name: &str| facts["mariadb"][name].to_string().trim_matches('"').to_owned();
    let url = format!("mysql://{}@{}:{}/{}_{database}", cloud.name, fact("host"), fact("port"), cloud.name);
    url.parse::<ConnectionUrl>().expect("a URL").with_password(Secret::new(cloud.password.as_str()))
}

async fn session(cloud: &Cloud, database: &str) -> Connection {
    connect(&url(cloud, database), Duration::from_secs(5)).await.expect("a session")
}

fn keystone(heads: &[&str]) -> Vec<String> {
    heads.iter().map(|head| (*head).to_owned()).collect()
}

fn with<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [words, more].concat()
}

/// The records of the newest run with this event.
fn events(cloud: &Cloud, event: &str) -> Vec<Value> {
    let mut runs: Vec<_> = cloud.state().into_iter().filter(|(path, _)| path.ends_with("journal.jsonl")).collect();
    runs.sort();
    let (_, newest) = runs.pop().expect("a run");
    let records = String::from_utf8(newest).expect("UTF-8");
    let records = records.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    records.filter(|record| record["event"] == event).collect()
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_leap_until_migrated_leaves_what_goes_until_nobody_uses_it() {
    let cloud = cloud("until");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    // From SLURP to SLURP keystone has something to remove at the end; the release that is passed over does it else.
    let until = ["--from", "2023.1", "--to", "2024.1", "--stops", "slurp", "--until", "migrated", "--yes"];
    let leap = with(&until, &ONLY);
    cloud.leapfrog(&leap).ended(0).said(&["migrated to 2024.1, not contracted", "leapfrog contract --at 2024.1"]);
    assert_eq!(cloud.heads("glance"), ["2023_1_contract01", "2024_1_expand01"]);
    let expanded = cloud.heads("keystone");
    cloud.leapfrog(&leap).ended(0).said(&["already migrated to 2024.1"]);
    cloud.leapfrog(&with(&["--from", "auto", "--to", "2024.2", "--yes"], &ONLY)).ended(3).said(&["leapfrog contract"]);

    // A program of some release is still there, on one of the two databases.
    let contract = ["contract", "--yes", "--quiet-for", "2"];
    let old = runtime.block_on(session(&cloud, "glance"));
    let who = format!("{} from 127.0.0.1 in glance", cloud.name);
    cloud.leapfrog(&contract).ended(3).said(&[
        "somebody is connected who may be of an older release",
        &who,
        "--waive REASON",
    ]);
    assert_eq!(cloud.heads("glance"), ["2023_1_contract01", "2024_1_expand01"], "a database was touched");
    assert_eq!(cloud.heads("keystone"), expanded, "a database was touched");
    // It is one of the new release's, if the operator says so.
    let new = format!("{}@127.0.0.*", cloud.name);
    cloud.leapfrog(&["contract", "--dry-run", "--quiet-for", "1", "--new", &new]).ended(0);
    cloud.leapfrog(&["contract", "--dry-run", "--quiet-for", "1"]).ended(3);
    runtime.block_on(old.close());

    // Nobody is there any more.
    let told = cloud.leapfrog(&["contract", "--dry-run", "--quiet-for", "1"]).ended(0);
    assert!(told.stdout.contains("\nready\n"), "{}", told.stdout);
    assert!(told.stdout.contains("c88cdce8f248") && !told.stdout.contains("keystone: nothing"), "{}", told.stdout);
    cloud.leapfrog(&contract).ended(0).said(&["c88cdce8f248", "nothing is left of what 2024.1 removes"]);
    assert_eq!(cloud.heads("glance"), ["2024_1_contract01"]);
    assert_eq!(
        (expanded, cloud.heads("keystone")),
        (keystone(&["47147121", "e25ffa003242"]), keystone(&["47147121", "c88cdce8f248"]))
    );
    let readiness = events(&cloud, "readiness");
    assert_eq!(readiness.len(), 1);
    assert!(readiness[0]["unmet"].is_null() && readiness[0]["waiver"].is_null(), "{}", readiness[0]);
    assert!(readiness[0]["met"].as_array().expect("a list").len() >= 2, "{}", readiness[0]);
    cloud.leapfrog(&contract).ended(0).said(&["already contracted, at 2024.1"]);
    cloud.leapfrog(&with(&["verify", "--at", "2024.1"], &ONLY)).ended(0);
    cloud.leapfrog(&with(&["--from", "2024.1", "--to", "2024.2", "--yes"], &ONLY)).ended(0);
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_release_is_taken_part_by_part_each_refused_before_the_one_that_it_needs() {
    let cloud = cloud("rolling");
    let stages = Stages::of(&cloud);
    let part = |command: &'static str| with(&[command, "--at", "2023.2", "--yes"], &ONLY);
    let contract = with(&part("contract"), &["--quiet-for", "1"]);
    cloud
        .leapfrog(&part("migrate"))
        .ended(3)
        .said(&["does not show that 2023.2/keystone/db-expand is done", "leapfrog expand --at 2023.2"]);
    cloud.leapfrog(&contract).ended(3).said(&["leapfrog expand --at 2023.2"]);
    cloud
        .leapfrog(&with(&["expand", "--at", "2024.2", "--yes"], &ONLY))
        .ended(3)
        .said(&["does not stand where 2024.2 is entered from"]);
    // Stages are wanted, and nobody may keep them yet.
    cloud.leapfrog(&part("expand")).ended(3).said(&[
        "stages cannot be kept",
        "CREATE DATABASE IF NOT EXISTS",
        "GRANT ALL ON",
    ]);
    stages.grant(&cloud);
    assert_eq!(stages.seen(&cloud, "keystone"), ["2023.1 contracted heads"]);
    cloud.leapfrog(&part("expand")).ended(0).said(&["expanded to 2023.2"]);
    cloud.leapfrog(&part("expand")).ended(0).said(&["already expanded to 2023.2"]);
    assert_eq!(stages.seen(&cloud, "keystone"), ["2023.2 expanded table"]);
    cloud.leapfrog(&part("migrate")).ended(0);
    assert_eq!(stages.seen(&cloud, "keystone"), ["2023.2 migrated table"]);
    // Somebody is there, and the operator takes the responsibility, for whoever reads of it.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let reader = runtime.block_on(session(&cloud, "keystone"));
    cloud.leapfrog(&contract).ended(3);
    let waived = with(&contract, &["--waive", "a report that only reads"]);
    cloud.leapfrog(&waived).ended(0).said(&["waived", "a report that only reads"]);
    runtime.block_on(reader.close());
    let waiver = &events(&cloud, "readiness")[0]["waiver"];
    assert_eq!(waiver["reason"], "a report that only reads");
    assert!(waiver["by"].is_string() && waiver["host"].is_string() && waiver["until"].is_string(), "{waiver}");
    cloud.leapfrog(&with(&["verify", "--at", "2023.2"], &ONLY)).ended(0);

    // Another machine, which has no journal, sees it, and does not begin over a database that was brought back.
    let state = cloud.directory.path().join("state").display().to_string();
    cloud.edit(&state, &format!("{state}-elsewhere"));
    assert_eq!(stages.seen(&cloud, "keystone"), ["2023.2 contracted table"]);
    assert_eq!(stages.seen(&cloud, "glance"), ["2023.2 contracted table"]);
    let heads = |add: &str, remove: &str| {
        format!("DELETE FROM alembic_version; INSERT INTO alembic_version VALUES ('{add}'), ('{remove}')")
    };
    cloud.sql("keystone", &heads("29e87d24a316", "e25ffa003242"));
    let told = cloud.leapfrog(&part("expand")).ended(3);
    told.said(&["keystone shows less than the table of stages says", "2023.2 contracted", "--stages --accept"]);
    let shown = cloud.leapfrog(&["status", "--stages"]).ended(3);
    assert!(
        shown.stdout.contains("keystone: shows less than is noted: the heads show zed … 2023.1"),
        "{}",
        shown.stdout
    );
    cloud
        .leapfrog(&["status", "--stages", "--accept"])
        .ended(0)
        .said(&["keystone: forgotten that it was at 2023.2 contracted"]);
    assert_eq!(stages.seen(&cloud, "keystone"), ["2023.1 contracted heads"]);
    assert_eq!(stages.seen(&cloud, "glance"), ["2023.2 contracted table"], "it shows what is noted");
}

/// The database of leapfrog's own that a cloud's stages are kept in, gone with the value.
struct Stages {
    database: String,
}

impl Stages {
    fn of(cloud: &Cloud) -> Self {
        let database = format!("{}_stages", cloud.name);
        cloud.edit("format: 1\n", &format!("format: 1\nstages: {{database: {database}}}\n"));
        Self { database }
    }

    /// What an administrator is told to run.
    fn grant(&self, cloud: &Cloud) {
        let name = self.database.replace('_', "\\_");
        cloud.sql("keystone", &format!("GRANT ALL ON `{name}`.* TO '{}'@'%'", cloud.name));
    }

    /// Release, stage and source of a service's databases.
    fn seen(&self, cloud: &Cloud, service: &str) -> Vec<String> {
        let told = cloud.leapfrog(&["status", "--stages", "-o", "json"]).ended(0);
        let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
        let lines = told["databases"].as_array().expect("a list").iter().filter(|line| line["service"] == service);
        let words = |line: &Value| {
            let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
            // Heads may be those of several releases: the last of them.
            let series = line["series"].as_array().and_then(|series| series.last()).expect("a release");
            format!("{} {} {}", word(series), word(&line["stage"]), word(&line["source"]))
        };
        lines.map(words).collect()
    }
}

impl Drop for Stages {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            crate::bed::testbed(&["sql", "mysql"], &format!("DROP DATABASE IF EXISTS {}", self.database));
        }
    }
}

/// Runs a command of a release's own glance on the cloud's database, as the server's root.
fn glance(cloud: &Cloud, words: &[&str]) {
    let facts = environment();
    let configuration = cloud.directory.path().join("glance-api.conf");
    let url = url(cloud, "glance").for_service();
    std::fs::write(&configuration, format!("[database]\nconnection = {}\n", url.expose())).expect("written");
    let mount = format!("{}:/etc/glance/glance-api.conf:ro", configuration.display());
    let image = format!("{}:2023.1", facts["image"].as_str().expect("a name"));
    let mut command = docker();
    command.args(["run", "--rm", "--network", "host", "--volume", &mount, &image]).args(words);
    let output = command.output().expect("docker runs");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// How many rows the table of the test's own has.
const READINGS: u64 = 200_000;

/// A table of the test's own beside glance's, whose triggers appear after its rows, and a catalog whose glance has all of
/// them touched between expand and contract.
fn readings(cloud: &Cloud) {
    let rows = format!("INSERT INTO readings (value) SELECT seq FROM seq_1_to_{READINGS};");
    cloud.sql(
        "glance",
        &[
            "CREATE TABLE readings (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, value INT, doubled INT, touched INT \
             NOT NULL DEFAULT 0);",
            &rows,
            "CREATE TRIGGER readings_insert BEFORE INSERT ON readings FOR EACH ROW SET NEW.doubled = 2 * NEW.value;",
            "CREATE TRIGGER readings_update BEFORE UPDATE ON readings FOR EACH ROW SET NEW.doubled = 2 * NEW.value, \
             NEW.touched = OLD.touched + 1;",
        ]
        .concat(),
    );
    let book = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks/glance.yaml");
    let contract = "  - run:\n      name: db-contract\n";
    let step = "  - trip:\n      name: touch-readings\n      phase: migrate\n      tables:\n        - name: readings\n          \
                remainder: SELECT COUNT(*) FROM readings WHERE doubled IS NULL\n      why: Rows from before the triggers \
                lack doubled.\n";
    let text = std::fs::read_to_string(book).expect("readable");
    let text = text.replacen(contract, &format!("{step}{contract}"), 1);
    assert!(text.contains("touch-readings"), "the playbook has no such step any more");
    let directory = cloud.directory.path().join("catalog/playbooks");
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join("glance.yaml"), text).expect("written");
}

/// Begins a run and kills leapfrog once rows are touched.
fn killed_while_it_touches(cloud: &Cloud, words: &[&str]) {
    let mut command = cloud.command(words);
    command.args(["-o", "jsonl"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("leapfrog runs");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let moved = |line: String| {
        let line: Value = serde_json::from_str(&line).expect("JSON");
        line["progress"] == "rows" && line["step"] == "2023.1/glance/touch-readings" && line["moved"].as_u64() > Some(0)
    };
    assert!(lines.map(|line| line.expect("text")).any(moved), "no rows were ever told of");
    child.kill().expect("killed");
    child.wait().expect("ended");
}

/// Rows of a table with triggers are touched as a step of the release's part, over a death in the middle.
fn touches(cloud: &Cloud, migrate: &[&str]) {
    readings(cloud);
    let catalog = ["--catalog", "catalog"];
    let migrate = with(migrate, &catalog);
    let contract = ["contract", "--at", "2023.1", "--only", "glance", "--yes", "--dry-run", "--quiet-for", "1"];
    let contract = with(&contract, &catalog);
    let told = cloud.leapfrog(&contract).ended(3);
    assert!(told.stdout.contains("not every row of `readings` in glance was touched"), "{}", told.stdout);

    killed_while_it_touches(cloud, &migrate);
    let touched = cloud.number("glance", "SELECT COUNT(*) FROM readings WHERE touched = 1");
    assert!(0 < touched && touched < READINGS, "{touched}");
    cloud.leapfrog(&migrate).ended(0);
    assert_eq!(
        cloud.number("glance", "SELECT COUNT(*) FROM readings WHERE touched = 1 AND doubled = 2 * value"),
        READINGS
    );
    let ended = events(cloud, "step-ended");
    let touching: Vec<&Value> = ended.iter().filter(|one| one["step"] == "2023.1/glance/touch-readings").collect();
    let proof = &touching.last().expect("an end")["evidence"][0]["touched"];
    assert_eq!((proof["rows"].as_u64(), proof["remainder"].as_u64()), (Some(READINGS), Some(0)), "{touching:#?}");
    assert_eq!(proof["triggers"][0], "readings_update");
    let told = cloud.leapfrog(&contract).ended(0);
    assert!(told.stdout.contains("every row of `readings` in glance was touched"), "{}", told.stdout);
    cloud.sql("glance", "DROP TABLE readings; DROP TABLE leapfrog_trip");
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_fresh_expand_of_glance_leaves_its_two_triggers_and_the_contract_none() {
    let cloud = cloud("triggers");
    let name = format!("{}_glance", cloud.name);
    cloud.sql("keystone", &format!("DROP DATABASE {name}; CREATE DATABASE {name} CHARACTER SET utf8mb3"));
    // Where changes are logged, nobody else may make a trigger.
    let users = cloud.sql("keystone", &format!("SELECT Host FROM mysql.user WHERE User = '{}'", cloud.name));
    for host in users.lines() {
        cloud.sql("keystone", &format!("GRANT SUPER ON *.* TO '{}'@'{host}'", cloud.name));
    }
    glance(&cloud, &["glance-manage", "db", "expand"]);
    let triggers = "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()";
    assert_eq!(cloud.number("glance", triggers), 2);
    let only = ["--at", "2023.1", "--only", "glance", "--yes"];
    touches(&cloud, &with(&["migrate"], &only));
    let contract = with(&with(&["contract"], &only), &["--quiet-for", "2"]);

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let writer = runtime.block_on(session(&cloud, "glance"));
    cloud.leapfrog(&contract).ended(3).said(&[
        "insert_visibility (BEFORE INSERT on images), update_visibility (BEFORE UPDATE on images): Writes to images fail",
        "drops column images.is_public",
        "somebody is connected who may be of an older release",
    ]);
    assert_eq!(cloud.number("glance", triggers), 2, "the database was touched");
    runtime.block_on(writer.close());
    // A view of somebody else's, which the column's end would break.
    cloud.sql("glance", "CREATE VIEW published AS SELECT id FROM images WHERE is_public = 1");
    cloud.leapfrog(&contract).ended(3).said(&["glance still uses what goes: view published uses images.is_public"]);
    cloud.sql("glance", "DROP VIEW published");
    cloud.leapfrog(&contract).ended(0);
    assert_eq!(cloud.number("glance", triggers), 0);
    assert_eq!(cloud.heads("glance"), ["2023_1_contract01"]);
    // One that is left all the same is named with what it does and the statement that removes it.
    let verify = ["verify", "--at", "2023.1", "--only", "glance"];
    cloud.leapfrog(&verify).ended(0);
    cloud.sql("glance", "CREATE TRIGGER insert_visibility BEFORE INSERT ON images FOR EACH ROW SET @seen = 1");
    let told = cloud.leapfrog(&verify).ended(4);
    for words in
        ["insert_visibility (BEFORE INSERT on images)", "Writes to images fail", "DROP TRIGGER insert_visibility"]
    {
        assert!(told.stdout.contains(words), "{words}: {}", told.stdout);
    }
    cloud.sql("glance", "DROP TRIGGER insert_visibility");
    let ended = events(&cloud, "step-ended");
    let gone: Vec<&Value> = ended
        .iter()
        .flat_map(|record| record["evidence"].as_array().expect("a list"))
        .filter_map(|piece| piece["triggers"]["gone"].as_array())
        .flatten()
        .collect();
    let names: Vec<&str> = gone.iter().filter_map(|trigger| trigger["name"].as_str()).collect();
    assert_eq!(names, ["insert_visibility", "update_visibility"], "{ended:#?}");
}
