//! The leap that goes well, from 2023.1 to 2024.2.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use leapfrog::catalog::Catalog;
use serde_json::Value;

use crate::bed::{Cloud, Told, docker, environment};

/// Tables that must hold as many rows after the leap as before, and hold some, by database.
const KEPT: &[(&str, &[&str])] = &[
    ("keystone", &["project", "user", "local_user", "password", "role", "assignment"]),
    ("nova_api", &["flavors", "key_pairs", "host_mappings", "instance_mappings", "cell_mappings"]),
    ("nova_cell0", &["instances"]),
    ("nova", &["services", "compute_nodes", "instances", "migrations"]),
    ("nova_cell2", &["services", "compute_nodes", "instances", "migrations"]),
    ("nova_cell3", &["services", "compute_nodes", "instances", "migrations"]),
    ("placement", &["resource_providers", "inventories", "allocations"]),
    ("neutron", &["networks", "networksegments", "subnets", "ports", "ipallocations", "quotas"]),
    ("cinder", &["volumes", "snapshots"]),
    ("glance", &["images", "image_properties", "image_locations"]),
    ("barbican", &["projects", "kek_data", "secrets", "encrypted_data"]),
];

/// The heads of 2024.2 (the releases' own migration trees).
const HEADS: &[(&str, &[&str])] = &[
    ("keystone", &["47147121", "c88cdce8f248"]),
    ("nova_api", &["cdeec0c85668"]),
    ("nova_cell0", &["13863f4e1612"]),
    ("nova", &["13863f4e1612"]),
    ("nova_cell2", &["13863f4e1612"]),
    ("nova_cell3", &["13863f4e1612"]),
    ("placement", &["a082b8bb98d0"]),
    ("neutron", &["5bcb7b31ec7d", "5c85685d616d"]),
    ("cinder", &["9c74c1c6971f"]),
    ("glance", &["2024_1_contract01"]),
    ("barbican", &["8c74e2d7f1ff"]),
];

/// nova's cells besides cell0, with their databases. The last one is disabled.
const CELLS: &[(&str, &str)] = &[("cell1", "nova"), ("cell2", "nova_cell2"), ("cell3", "nova_cell3")];
const INSTANCES: u64 = 2000;

/// Instances of cell2 that sit on no host, put before all others, and the rows of a round: fewer than
/// those, so that a round without foresight would see nothing else, move nothing, and be told that it is
/// done.
const HOSTLESS: u64 = 250;
const BATCH: u64 = 200;

/// nova adds one instance of its own to each cell: a marker, with the all-zero uuid.
const MARKER: &str = "uuid = '00000000-0000-0000-0000-000000000000'";

/// How many rows every table of every database has, nova's markers left out.
fn rows(cloud: &Cloud) -> BTreeMap<(&'static str, String), u64> {
    let mut all = BTreeMap::new();
    for (database, _) in KEPT {
        let mut tables = cloud.rows(database);
        if let Some(instances) = tables.get_mut("instances") {
            *instances -= cloud.number(database, &format!("SELECT COUNT(*) FROM instances WHERE {MARKER}"));
        }
        all.extend(tables.into_iter().map(|(table, rows)| ((*database, table), rows)));
    }
    all
}

/// Watches what any user of the machine can see while leapfrog works: argument lists of processes, and
/// what the engine tells about containers.
fn watch_for(password: String, done: Arc<AtomicBool>) -> std::thread::JoinHandle<(usize, Vec<String>)> {
    std::thread::spawn(move || {
        let mut looks = 0;
        let mut leaks = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let containers = docker().args(["ps", "-aq"]).output().expect("docker runs").stdout;
            let containers = String::from_utf8_lossy(&containers).into_owned();
            let ids: Vec<&str> = containers.lines().collect();
            let processes = Command::new("ps").args(["-eo", "args"]).output().expect("ps runs").stdout;
            let mut seen = String::from_utf8_lossy(&processes).into_owned();
            if !ids.is_empty() {
                let inspected = docker().arg("inspect").args(&ids).output().expect("docker runs").stdout;
                seen.push_str(&String::from_utf8_lossy(&inspected));
                looks += 1;
            }
            leaks.extend(seen.lines().filter(|line| line.contains(&password)).map(str::to_owned));
            std::thread::sleep(Duration::from_millis(400));
        }
        (looks, leaks)
    })
}

#[test]
#[ignore = "needs the test bed: make test"]
fn databases_at_2023_1_with_work_pending_are_taken_to_2024_2() {
    let cloud = Cloud::with("whole", INSTANCES, &["--cells", "3", "--disabled-cell"]);
    cloud.sql(
        "nova_cell2",
        &format!(
            "UPDATE instances SET id = id + 100000 ORDER BY id DESC;
             INSERT INTO instances (id, created_at, uuid, user_id, project_id, vm_state, power_state, deleted, hostname,
                 display_name, memory_mb, vcpus, root_gb, ephemeral_gb, cleaned, hidden, availability_zone)
             SELECT seq, now(), uuid(), 'u', 'p', 'shelved_offloaded', 4, 0, concat('shelved', seq), concat('shelved', seq),
                 512, 1, 1, 0, 0, 0, 'nova' FROM seq_1_to_{HOSTLESS}"
        ),
    );
    cloud.edit("services:\n", &format!("limits: {{batch: {BATCH}, jobs: 3}}\nservices:\n"));
    // A compute that was last started with Yoga: 2024.2 does not accept it.
    cloud.sql("nova_cell2", "UPDATE services SET version = 61, forced_down = 0 WHERE `binary` = 'nova-compute'");
    cloud.sql("nova", "UPDATE services SET forced_down = 0 WHERE `binary` = 'nova-compute'");
    let before = rows(&cloud);

    let done = Arc::new(AtomicBool::new(false));
    let watching = watch_for(cloud.password.clone(), Arc::clone(&done));
    let leap = ["--from", "2023.1", "--to", "2024.2", "--yes", "--output", "jsonl"];
    let told = cloud.leapfrog(&leap).ended(0);
    done.store(true, Ordering::Relaxed);
    let (looks, leaks) = watching.join().expect("watched");
    assert!(looks > 10, "containers were looked at {looks} times only");
    assert_eq!(leaks, Vec::<String>::new(), "the password could be seen");

    for (database, heads) in HEADS {
        assert_eq!(cloud.heads(database), *heads, "{database}");
    }
    no_row_is_lost(&before, &rows(&cloud));
    data_migrations_are_complete(&cloud);
    the_journal_shows_hops_one_after_the_other(&cloud);
    the_journal_accounts_for_the_rows_of_every_cell(&cloud);
    the_stream_follows_its_schema_and_is_the_journal(&told, &cloud.journal());
    nothing_that_was_written_holds_the_password(&cloud, &told);
    a_compute_that_the_release_does_not_accept_is_told(&cloud);
    the_oldest_computes_that_are_accepted_are_those_of_the_images_own_code(&cloud);
    assert_eq!(cloud.containers(), 0, "containers are left over");
    a_second_run_does_nothing(&cloud);
}

fn no_row_is_lost(before: &BTreeMap<(&str, String), u64>, after: &BTreeMap<(&str, String), u64>) {
    for (table, rows) in before {
        let now = after.get(table).copied().unwrap_or(0);
        assert!(now >= *rows, "{table:?} had {rows} rows and has {now}");
    }
    for (database, tables) in KEPT {
        for table in *tables {
            let table = (*database, (*table).to_owned());
            assert!(before[&table] > 0, "{table:?} without rows proves nothing");
            assert_eq!(after[&table], before[&table], "rows of {table:?}");
        }
    }
}

fn data_migrations_are_complete(cloud: &Cloud) {
    let mut instances = 0;
    let mut migrations = 0;
    for (cell, database) in CELLS {
        let placed = "SELECT COUNT(*) FROM instances WHERE host IS NOT NULL AND compute_id IS NOT NULL";
        instances += cloud.number(database, placed);
        let missed = "SELECT COUNT(*) FROM instances WHERE host IS NOT NULL AND compute_id IS NULL";
        assert_eq!(cloud.number(database, missed), 0, "instances of {cell} on a host and without a compute_id");
        let wrong = "SELECT COUNT(*) FROM instances i LEFT JOIN compute_nodes c ON c.id = i.compute_id
                     WHERE i.host IS NOT NULL AND (c.host <> i.host OR c.hypervisor_hostname <> i.node)";
        assert_eq!(cloud.number(database, wrong), 0, "instances of {cell} that name another's compute node");
        migrations += cloud.number(database, "SELECT COUNT(*) FROM migrations WHERE uuid IS NOT NULL");
        let ratios = "SELECT COUNT(*) FROM compute_nodes WHERE cpu_allocation_ratio IS NULL";
        assert_eq!(cloud.number(database, ratios), 0, "compute nodes of {cell} without allocation ratios");
    }
    assert_eq!(instances, INSTANCES, "instances with a compute_id in all cells");
    assert_eq!(migrations, 120, "migrations with a uuid in all cells");
    let hostless = "SELECT COUNT(*) FROM instances WHERE host IS NULL AND compute_id IS NULL AND id <= 100000";
    assert_eq!(cloud.number("nova_cell2", hostless), HOSTLESS, "instances on no host stay as they were");
    let disabled = "SELECT GROUP_CONCAT(name) FROM cell_mappings WHERE disabled";
    assert_eq!(cloud.sql("nova_api", disabled).trim(), "cell3", "cells that are disabled, after the leap as before");
    for table in ["volumes", "snapshots"] {
        let unset = format!("SELECT COUNT(*) FROM {table} WHERE use_quota IS NULL OR use_quota <> 1");
        assert_eq!(cloud.number("cinder", &unset), 0, "use_quota of {table}");
    }
    let consumers = "SELECT COUNT(*) FROM consumers c JOIN allocations a ON a.consumer_id = c.uuid";
    assert_eq!(cloud.number("placement", consumers), 120, "consumers of allocations");
}

/// No step of a hop begins before every lane of the hop before is complete; digests are there.
fn the_journal_shows_hops_one_after_the_other(cloud: &Cloud) {
    let journal = cloud.journal();
    let event = |record: &Value| record["event"].as_str().expect("an event").to_owned();
    let began = |record: &Value| match (event(record).as_str(), record["step"].as_str()) {
        ("step-started", Some(step)) => Some(step.to_owned()),
        _ => None,
    };
    let images = journal[0]["images"].as_object().expect("images");
    assert_eq!(images.len(), 4, "{images:?}");
    assert!(images.values().all(|digest| digest.as_str().is_some_and(|d| d.starts_with("sha256:") && d.len() == 71)));
    assert_eq!(images.values().collect::<Vec<_>>().len(), images.len());
    let mut open: BTreeSet<String> = BTreeSet::new();
    let mut hops = Vec::new();
    let mut ended = Vec::new();
    for record in &journal {
        if let Some(step) = began(record) {
            let series = step.split('/').next().expect("a series").to_owned();
            if hops.last() != Some(&series) {
                assert!(open.is_empty(), "{step} began while {open:?} ran");
                assert!(!hops.contains(&series), "hop {series} began twice");
                hops.push(series);
            }
            open.insert(step);
        } else if event(record) == "step-ended" {
            assert!(["done", "skipped"].contains(&record["outcome"].as_str().expect("an outcome")), "{record}");
            assert!(!record["evidence"].as_array().expect("evidence").is_empty(), "no evidence: {record}");
            let step = record["step"].as_str().expect("a step");
            open.remove(step);
            ended.push(step.to_owned());
        }
    }
    assert_eq!(hops, ["2023.1", "2023.2", "2024.1", "2024.2"]);
    let mut planned: Vec<String> = Vec::new();
    for hop in cloud.plan()["hops"].as_array().expect("hops") {
        for lane in hop["lanes"].as_array().expect("lanes") {
            let steps = lane["steps"].as_array().expect("steps").iter();
            planned.extend(steps.map(|step| step["id"].as_str().expect("an id").to_owned()));
        }
    }
    planned.sort();
    ended.sort();
    assert_eq!(ended, planned, "each step of the plan ends once");
    for (cell, _) in [&("cell0", ""), &CELLS[0], &CELLS[1], &CELLS[2]] {
        for step in ["db-sync", "online-data-migrations"] {
            let id = format!("2024.2/nova/{step}@{cell}");
            assert!(planned.contains(&id), "{id} is not in {planned:?}");
        }
    }
    // Between the last end of one hop and the first beginning of the next, every lane was verified.
    for hop in &hops {
        let verified = journal.iter().filter(|record| {
            event(record) == "step-ended"
                && record["step"].as_str().is_some_and(|s| s.starts_with(hop.as_str()) && s.ends_with("verify-heads"))
        });
        assert_eq!(verified.count(), 7, "lanes of {hop} whose heads were compared");
    }
}

/// What each cell's data migrations moved, and what they left: no more than is found there, and with a
/// reason.
fn the_journal_accounts_for_the_rows_of_every_cell(cloud: &Cloud) {
    let journal = cloud.journal();
    let end = |step: &str| {
        let ended = journal.iter().find(|record| record["event"] == "step-ended" && record["step"] == step);
        ended.unwrap_or_else(|| panic!("{step} ended")).clone()
    };
    let mut moved = 0;
    for (cell, database) in [&("cell0", "nova_cell0"), &CELLS[0], &CELLS[1], &CELLS[2]] {
        moved += end(&format!("2023.2/nova/online-data-migrations@{cell}"))["rows"].as_u64().expect("rows");
        let left = cloud.number(database, "SELECT COUNT(*) FROM instances WHERE compute_id IS NULL");
        for series in ["2023.2", "2024.1", "2024.2"] {
            let end = end(&format!("{series}/nova/online-data-migrations@{cell}"));
            let evidence = end["evidence"].as_array().expect("evidence").iter();
            let residues: Vec<_> = evidence.filter_map(|one| one.get("residue")).collect();
            assert_eq!(residues.len(), 1, "residues of {cell} in {series}: {end}");
            assert_eq!(residues[0]["migration"], "populate_instance_compute_id", "{end}");
            assert_eq!(residues[0]["rows"], left, "{end}");
            let why = residues[0]["why"].as_str().expect("a reason");
            assert!(why.contains("never placed") && why.contains("shelved") && why.contains("marker"), "{why}");
        }
    }
    assert_eq!(moved, INSTANCES, "rows that 2023.2's data migrations moved in all cells");
    let left = cloud
        .number("nova_cell2", &format!("SELECT COUNT(*) FROM instances WHERE compute_id IS NULL AND NOT {MARKER}"));
    assert_eq!(left, HOSTLESS, "what stays in cell2, nova's marker left out");
}

fn the_stream_follows_its_schema_and_is_the_journal(told: &Told, journal: &[Value]) {
    let schema: Value = serde_json::from_str(include_str!("../../schemas/events.json")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let lines: Vec<Value> = told.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for line in &lines {
        let mistakes: Vec<String> = validator.iter_errors(line).map(|error| error.to_string()).collect();
        assert!(mistakes.is_empty(), "{line}: {mistakes:?}");
    }
    let records: Vec<&Value> = lines.iter().filter(|line| line.get("event").is_some()).collect();
    assert_eq!(records, journal.iter().collect::<Vec<_>>(), "the stream and the journal differ");
    assert!(lines.iter().any(|line| line.get("output").is_some()), "no output was streamed");
    assert!(lines.iter().any(|line| line["progress"] == "rows"), "no rows were reported");
}

/// The leap is complete all the same, and so says the proof.
fn a_compute_that_the_release_does_not_accept_is_told(cloud: &Cloud) {
    let journal = cloud.journal();
    let verified = journal.iter().find(|one| one["event"] == "step-ended" && one["step"] == "2024.2/nova/verify-heads");
    let evidence = verified.expect("verified")["evidence"].as_array().expect("evidence").clone();
    let old: Vec<&Value> = evidence.iter().filter_map(|one| one.get("old-services")).collect();
    assert_eq!(old.len(), 1, "{evidence:?}");
    assert_eq!((&old[0]["database"], &old[0]["oldest"]), (&"nova.cells.cell2".into(), &"66".into()), "{old:?}");
    assert_eq!(old[0]["services"][0]["version"], "61", "{old:?}");
    let told = cloud.leapfrog(&["verify", "--at", "2024.2", "--only", "nova", "--output", "json"]).ended(0);
    let proof: Value = serde_json::from_str(&told.stdout).expect("JSON");
    assert_eq!((&proof["answer"], proof["services"].as_array().map(Vec::len)), (&"yes".into(), Some(1)), "{proof}");
    let told = cloud.leapfrog(&["status"]).ended(0);
    let words = told.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("compute services older than 2024.2 accepts (66, Caracal)"), "{}", told.stdout);
    assert!(words.contains("disable_compute_service_check_for_ffu"), "{}", told.stdout);
}

/// What the playbook says of each release is what nova's code in its image says.
fn the_oldest_computes_that_are_accepted_are_those_of_the_images_own_code(cloud: &Cloud) {
    let catalog = Catalog::embedded().expect("a catalogue");
    let playbook = catalog.playbook(&"nova".parse().expect("a service")).expect("a playbook");
    let [computes] = &playbook.recorded_versions[..] else { panic!("one question") };
    let journal = cloud.journal();
    for (reference, digest) in journal[0]["images"].as_object().expect("images") {
        let (name, series) = reference.rsplit_once(':').expect("a tag");
        let image = format!("{name}@{}", digest.as_str().expect("a digest"));
        let code = "cat /opt/openstack/lib/python3*/site-packages/nova/objects/service.py";
        let output = docker().args(["run", "--rm", "--network", "none", &image, "sh", "-c", code]).output();
        let code = String::from_utf8(output.expect("docker runs").stdout).expect("UTF-8");
        let after = |text: &str| {
            let found =
                code.lines().find_map(|line| line.trim().strip_prefix(text)).unwrap_or_else(|| panic!("{text}"));
            found.trim_matches([' ', '\'', ',']).to_owned()
        };
        let named = after("OLDEST_SUPPORTED_SERVICE_VERSION = ");
        let oldest = computes.oldest(&series.parse().expect("a series")).expect("a version");
        assert_eq!(
            (oldest.named.as_ref(), &oldest.version),
            (Some(&named), &after(&format!("'{named}': "))),
            "{series}"
        );
        let own = after("SERVICE_VERSION = ");
        assert!(computes.names.get(&own).is_some_and(|name| name.contains(series)), "{series} records {own}");
    }
}

fn nothing_that_was_written_holds_the_password(cloud: &Cloud, told: &Told) {
    let files = cloud.state();
    assert!(files.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "log")).count() >= 40, "logs");
    let password = cloud.password.as_bytes();
    for (path, content) in &files {
        assert!(!content.windows(password.len()).any(|window| window == password), "{} holds it", path.display());
    }
    assert!(!told.stdout.contains(&cloud.password) && !told.stderr.contains(&cloud.password));
}

fn a_second_run_does_nothing(cloud: &Cloud) {
    let events = docker()
        .args(["events", "--filter", "type=container", "--format", "{{.Action}} {{.Actor.Attributes}}"])
        .stdout(Stdio::piped())
        .spawn();
    let mut events = events.expect("docker runs");
    let records = cloud.journal().len();
    let began = Instant::now();
    let again = ["--from", "2023.1", "--to", "2024.2", "--yes"];
    cloud.leapfrog(&again).ended(0).said(&["already at 2024.2"]);
    assert!(began.elapsed() < Duration::from_secs(20), "doing nothing took {:?}", began.elapsed());
    std::thread::sleep(Duration::from_millis(500));
    events.kill().expect("ours");
    let seen = events.wait_with_output().expect("ended").stdout;
    let seen = String::from_utf8_lossy(&seen).into_owned();
    let label = format!("leapfrog.cloud:{}", cloud.name);
    let own: Vec<&str> = seen.lines().filter(|line| line.contains(&label)).collect();
    assert_eq!(own, Vec::<&str>::new(), "a container was started");
    assert_eq!(cloud.journal().len(), records, "a record was written");
    assert!(environment()["image"].is_string());
}
