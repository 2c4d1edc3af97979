//! How fast `leapfrog trip` touches a table, against one statement for all of it and against the loops that one writes by
//! hand; how long its slowest batch takes, and what somebody notices who writes meanwhile: `make bench-trip`.
//!
//! Servers of its own with the durability that they have by default, and with logs that hold a whole walk;
//! `LEAPFROG_TRIP_ENGINES=mariadb-usual` measures one with the log that it has by default, which has to flush again and again.
//! Every round does all ways, one after the other, on the same table, and begins with another way; the trigger is made anew
//! before each, so that every row is rewritten at the same length. MySQL is measured where `LEAPFROG_MYSQLD` names one
//! (`tests/testbed/mysql`). `LEAPFROG_TRIP_ROWS` and `LEAPFROG_TRIP_ROUNDS` change how much,
//! `LEAPFROG_TRIP_ENGINES=mariadb,postgresql` and `LEAPFROG_TRIP_KEYS=uuid` on what. Fails where a target is missed.

#[path = "../databases/programs.rs"]
mod programs;
#[path = "../databases/trip/server.rs"]
mod server;

use std::future::Future;
use std::io::{BufRead, BufReader, Write, stdout};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use leapfrog::database::{Connection, Purpose, chain, connect_for};
use leapfrog::model::{ConnectionUrl, Engine};
use serde_json::Value;
use server::Server;

const TIMEOUT: Duration = Duration::from_secs(10);
/// The loops by hand: the rows of a batch, and the column that is set to itself. One sets the key's (`SET id = id`): the
/// faster of these is the one that leapfrog has to come up to. Another column's, which leapfrog sets, makes MySQL and
/// MariaDB look for each row once instead of twice: what leapfrog is beside that one is shown.
const BY_HAND: [(u64, &str); 4] = [(5_000, KEY), (10_000, KEY), (5_000, "state"), (10_000, "state")];
const KEY: &str = "id";

/// What one way came to.
#[derive(Debug, Clone, Default)]
struct Ran {
    /// Rows a second.
    rate: f64,
    /// The slowest batch, in milliseconds.
    slowest: f64,
    /// What 99 of 100 writes of somebody else took at most, in milliseconds.
    writer: f64,
    /// Rows a second in the last tenth of the table over those in the first.
    steady: Option<f64>,
}

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn say(text: &str) {
    let mut out = stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).expect("standard output");
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

async fn open(url: &ConnectionUrl) -> Connection {
    connect_for(url, Purpose::Change, TIMEOUT).await.unwrap_or_else(|error| panic!("{}", chain(&error)))
}

async fn change(connection: &mut Connection, statement: &str) -> u64 {
    let changed = connection.change(statement).await.unwrap_or_else(|error| panic!("{statement}: {}", chain(&error)));
    changed.last().copied().unwrap_or_default()
}

/// 32 hexadecimal digits for a number, as uuids are: MySQL 9.7 has no `md5` any more.
fn digest(engine: Engine, number: &str) -> String {
    match engine {
        Engine::Postgresql => format!("md5(({number})::text)"),
        _ => format!("left(sha2({number}, 256), 32)"),
    }
}

/// A table of some 170 bytes a row, as those of OpenStack are.
async fn prepare(url: &ConnectionUrl, rows: u64, uuid: bool) {
    let mut connection = open(url).await;
    let kind = if uuid { "VARCHAR(64)" } else { "BIGINT" };
    change(&mut connection, &format!(
        "CREATE TABLE t (id {kind} NOT NULL PRIMARY KEY, name VARCHAR(64), host VARCHAR(255), extra VARCHAR(255), state INT, \
         new_name VARCHAR(80))"
    ))
    .await;
    let some = "0, concat('name', n), concat('compute', n % 100, '.example.org'), repeat('x', 80)";
    let key = if uuid { digest(url.engine(), "n") } else { "n".to_owned() };
    if url.engine() == Engine::Postgresql {
        let fill = format!(
            "INSERT INTO t (state, name, host, extra, id, new_name) SELECT {some}, {key}, 'v0:' || 'name' || n \
                            FROM generate_series(1, {rows}) n"
        );
        change(&mut connection, &fill).await;
        change(&mut connection, "VACUUM ANALYZE t").await;
    } else {
        let digits = "(SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 \
                      UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)";
        let numbers: Vec<String> = (0..7).map(|place| format!("{digits} d{place}")).collect();
        let sum: Vec<String> = (0..7).map(|place| format!("d{place}.d * {}", 10u64.pow(place))).collect();
        let fill = format!(
            "INSERT INTO t (state, name, host, extra, id, new_name) SELECT {some}, {key}, concat('v0:', 'name', n) \
             FROM (SELECT 1 + {} AS n FROM {}) s WHERE n <= {rows}",
            sum.join(" + "),
            numbers.join(", ")
        );
        change(&mut connection, &fill).await;
    }
    connection.close().await;
}

/// Makes the triggers anew, which write something else of the same length.
async fn renew(url: &ConnectionUrl, round: u64) {
    let mut connection = open(url).await;
    let mark = format!("v{}:", round % 10);
    if url.engine() == Engine::Postgresql {
        let function = format!(
            "CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.new_name := '{mark}' || \
             NEW.name; RETURN NEW; END $$"
        );
        change(&mut connection, &function).await;
        let trigger = "CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION keep()";
        change(&mut connection, &format!("DROP TRIGGER IF EXISTS keep ON t; {trigger}")).await;
        // What the round before left is there to be used again. VACUUM writes the whole pages to the log that are to be
        // written once after a checkpoint: otherwise the first rows of a walk pay for it, and the last ones do not.
        change(&mut connection, "CHECKPOINT").await;
        change(&mut connection, "VACUUM t").await;
    } else {
        for event in ["INSERT", "UPDATE"] {
            change(&mut connection, &format!("DROP TRIGGER IF EXISTS on_{event}")).await;
            let body = format!("SET NEW.new_name = concat('{mark}', NEW.name)");
            change(&mut connection, &format!("CREATE TRIGGER on_{event} BEFORE {event} ON t FOR EACH ROW {body}"))
                .await;
        }
    }
    // Pages that are still to be written are not the next way's to write.
    if url.engine() == Engine::Mysql {
        flushed(&mut connection).await;
    }
    connection.close().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
}

/// Has InnoDB write the pages that are still to be written, as a checkpoint of PostgreSQL does.
async fn flushed(connection: &mut Connection) {
    // MariaDB writes 200 pages a second unless it is told that the disk can do more.
    let settings = ["max_dirty_pages_pct_lwm", "max_dirty_pages_pct", "io_capacity_max", "io_capacity"];
    let names = settings.map(|name| format!("@@innodb_{name}")).join(", ");
    let usual = connection.rows(&format!("SELECT {names}")).await;
    let usual = usual.unwrap_or_else(|error| panic!("{}", chain(&error))).concat();
    let set = |name: &str, value: &str| format!("SET GLOBAL innodb_{name} = {value}");
    let quick = settings.iter().zip(["0", "0", "20000", "20000"]).map(|(name, value)| set(name, value));
    change(connection, &quick.collect::<Vec<_>>().join("; ")).await;
    let left = "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'";
    let began = Instant::now();
    loop {
        let rows = connection.rows(left).await.unwrap_or_else(|error| panic!("{}", chain(&error))).concat();
        let left = rows.last().cloned().flatten().and_then(|text| text.parse::<u64>().ok()).expect("a number of pages");
        if left < 500 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{left} pages are still to be written");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // The other way round: neither may be above the one that limits it.
    let restore = settings.iter().zip(usual).rev().map(|(name, value)| set(name, &value.expect("a number")));
    change(connection, &restore.collect::<Vec<_>>().join("; ")).await;
}

/// Somebody who changes a row every 10 ms until told to stop; what 99 of 100 took at most.
async fn writer(url: ConnectionUrl, rows: u64, uuid: bool, stop: Arc<AtomicBool>) -> f64 {
    let mut connection = open(&url).await;
    let (mut clock, mut times, mut seed) = (tokio::time::interval(Duration::from_millis(10)), Vec::new(), 7u64);
    while !stop.load(Ordering::Relaxed) {
        clock.tick().await;
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = 1 + (seed >> 16) % rows;
        let key = if uuid { digest(url.engine(), &number.to_string()) } else { number.to_string() };
        let at = Instant::now();
        // A row that one statement for all holds may be waited for until that ends.
        let _ = connection.change(&format!("UPDATE t SET state = state + 1 WHERE id = {key}")).await;
        times.push(at.elapsed());
    }
    connection.close().await;
    times.sort();
    times[times.len() * 99 / 100].as_secs_f64() * 1e3
}

/// One statement for all rows.
async fn giant(url: &ConnectionUrl, rows: u64) -> Ran {
    let mut connection = open(url).await;
    let began = Instant::now();
    assert!(change(&mut connection, "UPDATE t SET id = id").await >= rows);
    let took = began.elapsed().as_secs_f64();
    connection.close().await;
    Ran { rate: rows as f64 / took, slowest: took * 1e3, ..Ran::default() }
}

/// The loop that one writes by hand for a key of one column: where the next batch ends, then the batch, and nothing kept.
async fn by_hand(url: &ConnectionUrl, rows: u64, uuid: bool, (batch, column): (u64, &str)) -> Ran {
    let mut connection = open(url).await;
    let quoted = |key: &str| if uuid { format!("'{key}'") } else { key.to_owned() };
    let (mut last, mut touched, mut slowest) = (None::<String>, 0, Duration::ZERO);
    let mut progress = vec![(0.0, 0.0)];
    let began = Instant::now();
    loop {
        let at = Instant::now();
        let after = last.as_deref().map_or("1 = 1".to_owned(), |key| format!("id > {}", quoted(key)));
        let boundary = format!("SELECT id FROM t WHERE {after} ORDER BY id LIMIT 1 OFFSET {}", batch - 1);
        let found = connection.rows(&boundary).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
        let next = found.into_iter().next().and_then(|row| row.into_iter().next()).flatten();
        let end = next.as_deref().map_or(String::new(), |key| format!(" AND id <= {}", quoted(key)));
        touched += change(&mut connection, &format!("UPDATE t SET {column} = {column} WHERE {after}{end}")).await;
        slowest = slowest.max(at.elapsed());
        progress.push((began.elapsed().as_secs_f64(), touched as f64));
        last = next;
        if last.is_none() {
            break;
        }
    }
    let took = began.elapsed().as_secs_f64();
    assert_eq!(touched, rows);
    connection.close().await;
    let steady = Some(steady(&progress, rows as f64));
    Ran { rate: rows as f64 / took, slowest: slowest.as_secs_f64() * 1e3, steady, ..Ran::default() }
}

/// `leapfrog trip`, from its start to the green light. The lock, which nobody by hand has, is given back after that.
fn trip(url: &ConnectionUrl, rows: u64, workers: &str) -> Ran {
    let directory = tempfile::tempdir().expect("a directory");
    let text = format!(
        "format: 1\nname: bench\nrestore_points: {{policy: none, accept_no_way_back: true}}\nrunner:\n  containers: {{images: \
         {{default: \"localhost/none:{{series}}\"}}}}\nservices:\n  keystone: {{database: {{url: \"{url}\"}}}}\n"
    );
    std::fs::write(directory.path().join("leapfrog.yaml"), text).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_leapfrog"));
    command.args(["trip", "--yes", "-o", "jsonl", "--workers", workers]).current_dir(directory.path());
    let began = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("leapfrog runs");
    let mut progress: Vec<(f64, f64)> = vec![(0.0, 0.0)];
    let (mut done, mut took) = (None, 0.0);
    for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
        let line: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        if let Some(seen) = line.get("progress") {
            progress.push((began.elapsed().as_secs_f64(), seen["touched"].as_f64().expect("a number")));
        }
        if let Some(proof) = line.get("done") {
            (done, took) = (Some(proof.clone()), began.elapsed().as_secs_f64());
        }
    }
    assert!(child.wait().expect("its end").success(), "leapfrog trip failed");
    let done = done.expect("a proof");
    assert_eq!(done["touched"].as_u64(), Some(rows), "{done}");
    progress.push((took, rows as f64));
    Ran {
        rate: rows as f64 / took,
        slowest: done["slowest"].as_f64().expect("a number"),
        steady: (workers == "1").then(|| steady(&progress, rows as f64)),
        ..Ran::default()
    }
}

/// The rate in the last tenth over that in the first, after the start.
fn steady(progress: &[(f64, f64)], rows: f64) -> f64 {
    let at = |wanted: f64| {
        let place = progress.iter().position(|(_, touched)| *touched >= wanted).expect("it gets there").max(1);
        let ((t0, r0), (t1, r1)) = (progress[place - 1], progress[place]);
        t0 + (t1 - t0) * (wanted - r0) / (r1 - r0).max(1.0)
    };
    // The first and the last two hundredths are batches that grow, and the proof.
    (at(0.12 * rows) - at(0.02 * rows)) / (at(0.98 * rows) - at(0.88 * rows))
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// One engine and one kind of key. Returns what missed its target.
fn measure(name: &str, server: &Server, uuid: bool) -> Vec<String> {
    let (rows, rounds) = (setting("LEAPFROG_TRIP_ROWS", 2_000_000), setting("LEAPFROG_TRIP_ROUNDS", 3));
    let url = server.database(if uuid { "uuids" } else { "numbers" });
    wait(prepare(&url, rows, uuid));
    let mut ways = vec!["one UPDATE".to_owned()];
    ways.extend(BY_HAND.map(|(batch, column)| format!("by hand, {column}, {batch}")));
    ways.extend(["trip, 1 worker".to_owned(), "trip, 2 workers".to_owned()]);
    let mut ran: Vec<Vec<Ran>> = vec![Vec::new(); ways.len()];
    let mut mark = 0;
    for round in 0..rounds as usize {
        // Each way begins a round in turn: what the one before leaves for the server to do is not always the same way's.
        for step in 0..ways.len() {
            let place = (round + step) % ways.len();
            mark += 1;
            wait(renew(&url, mark));
            let stop = Arc::new(AtomicBool::new(false));
            let writing = {
                let (url, stop) = (url.clone(), Arc::clone(&stop));
                std::thread::spawn(move || wait(writer(url, rows, uuid, stop)))
            };
            let mut one = match place {
                0 => wait(giant(&url, rows)),
                place if place <= BY_HAND.len() => wait(by_hand(&url, rows, uuid, BY_HAND[place - 1])),
                place => trip(&url, rows, if place == BY_HAND.len() + 1 { "1" } else { "2" }),
            };
            stop.store(true, Ordering::Relaxed);
            one.writer = writing.join().expect("the writer ends");
            say(&format!("  {name}, round {}: {} {:.0} rows/s", round + 1, ways[place], one.rate));
            ran[place].push(one);
        }
    }
    say(&format!("\n{name}, {} key, {rows} rows, medians of {rounds}:", if uuid { "uuid" } else { "integer" }));
    let of = |place: usize, what: fn(&Ran) -> f64| median(ran[place].iter().map(what).collect());
    for (place, way) in ways.iter().enumerate() {
        let steady = ran[place].iter().filter_map(|one| one.steady).collect::<Vec<_>>();
        let steady =
            if steady.is_empty() { String::new() } else { format!("  last tenth / first {:.2}", median(steady)) };
        say(&format!(
            "  {way:<20} {:>8.0} rows/s  slowest {:>6.0} ms  writer's p99 {:>7.1} ms{steady}",
            of(place, |one| one.rate),
            of(place, |one| one.slowest),
            of(place, |one| one.writer),
        ));
    }
    let fastest = |loops: fn(&str) -> bool| {
        let chosen = (1..).zip(BY_HAND).filter(|(_, (_, column))| loops(column));
        chosen.map(|(place, _)| of(place, |one| one.rate)).fold(0.0, f64::max)
    };
    let (usual, best) = (fastest(|column| column == KEY), fastest(|_| true));
    let (first, second) = (BY_HAND.len() + 1, BY_HAND.len() + 2);
    let mut missed = Vec::new();
    let mut target = |what: &str, value: f64, held: bool| {
        say(&format!("  {what}: {value:.2}{}", if held { "" } else { "  MISSED" }));
        if !held {
            missed.push(format!("{name}, {}: {what} {value:.2}", if uuid { "uuid" } else { "integer" }));
        }
    };
    for (place, workers, least) in [(first, "one worker", 0.95), (second, "two workers", 1.2)] {
        let rate = of(place, |one| one.rate);
        let over = rate / usual;
        target(&format!("{workers} over the fastest loop that sets the key (at least {least})"), over, over >= least);
        say(&format!("  {workers} over the fastest of all loops: {:.2}", rate / best));
        let slowest = of(place, |one| one.slowest);
        target(&format!("{workers}: slowest batch in ms (below 250)"), slowest, slowest < 250.0);
        let writer = of(place, |one| one.writer);
        target(&format!("{workers}: writer's p99 in ms (below 50)"), writer, writer < 50.0);
    }
    let steady = median(ran[first].iter().filter_map(|one| one.steady).collect());
    target("last tenth over first (at least 0.9)", steady, steady >= 0.9);
    missed
}

fn main() -> ExitCode {
    // `cargo test --benches` only wants to know whether it runs.
    if std::env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    let wanted = std::env::var("LEAPFROG_TRIP_ENGINES").unwrap_or_else(|_| "mariadb,mysql,postgresql".to_owned());
    let keys = std::env::var("LEAPFROG_TRIP_KEYS").unwrap_or_else(|_| "integer,uuid".to_owned());
    let mut missed = Vec::new();
    for name in wanted.split(',') {
        let server = match name {
            "mariadb" => Some(Server::mariadb(&["--innodb-log-file-size=1G"])),
            "mariadb-usual" => Some(Server::mariadb(&[])),
            "mysql" => Server::mysql(&["--innodb-redo-log-capacity=1G", "--innodb-buffer-pool-size=2G"]),
            "mysql-usual" => Server::mysql(&[]),
            "postgresql" => Some(Server::postgresql(&["-cmax_wal_size=8GB"])),
            "postgresql-usual" => Some(Server::postgresql(&[])),
            other => panic!("{other} is none of mariadb, mysql and postgresql, nor one of them with -usual"),
        };
        let Some(server) = server else {
            say("\nMySQL is not measured: LEAPFROG_MYSQLD names none (see tests/testbed/mysql)");
            continue;
        };
        for uuid in [false, true].into_iter().filter(|uuid| keys.contains(if *uuid { "uuid" } else { "integer" })) {
            missed.extend(measure(name, &server, uuid));
        }
    }
    for target in &missed {
        say(&format!("missed: {target}"));
    }
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
