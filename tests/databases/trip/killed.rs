//! Killed five times on the way, while a writer goes on: no row is missed, none is counted twice.
//!
//! 200,000 rows; `LEAPFROG_TRIP_ROWS=2000000` for more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use leapfrog::database::{Connection, Purpose, QueryError, chain, connect_for};
use leapfrog::model::{ConnectionUrl, Engine};

use super::super::{TIMEOUT, wait};
use super::server::Server;
use super::{Site, follow, say};

/// How often leapfrog is killed.
const KILLS: u64 = 5;

fn rows() -> u64 {
    std::env::var("LEAPFROG_TRIP_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(200_000)
}

/// The table, `rows` rows without the new column's value, and the triggers that keep it.
///
/// `touched` counts only what changes nothing else, so that it tells leapfrog's work from the writer's.
fn prepare(site: &Site, rows: u64, uuid: bool) {
    let kind = if uuid { "VARCHAR(64)" } else { "BIGINT" };
    let table = format!(
        "CREATE TABLE account (id {kind} NOT NULL PRIMARY KEY, name VARCHAR(64), writes INT NOT NULL, touched INT NOT \
         NULL, origin INT NOT NULL, new_name VARCHAR(80))"
    );
    let columns = "(id, name, writes, touched, origin)";
    // Integer keys leave room between them, so that a writer can insert behind and ahead of any place.
    let number = if uuid { "left(sha2(n, 256), 32)".to_owned() } else { "n * 10".to_owned() };
    let values = |number: &str, name: &str| format!("SELECT {number}, {name}, 0, 0, 0");
    let (fill, triggers): (String, Vec<&str>) = match site.engine() {
        Engine::Mysql => {
            let digits = "(SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION \
                          SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)";
            let numbers: Vec<String> = (0..7).map(|place| format!("{digits} d{place}")).collect();
            let sum: Vec<String> = (0..7).map(|place| format!("d{place}.d * {}", 10u64.pow(place))).collect();
            let from = format!("(SELECT 1 + {} AS n FROM {}) s WHERE n <= {rows}", sum.join(" + "), numbers.join(", "));
            (
                format!("INSERT INTO account {columns} {} FROM {from}", values(&number, "concat('name', n)")),
                vec![
                    "CREATE TRIGGER account_insert BEFORE INSERT ON account FOR EACH ROW SET NEW.new_name = \
                     concat('v:', NEW.name)",
                    "CREATE TRIGGER account_update BEFORE UPDATE ON account FOR EACH ROW SET NEW.new_name = \
                     concat('v:', NEW.name), NEW.touched = OLD.touched + (NEW.writes = OLD.writes)",
                ],
            )
        }
        Engine::Postgresql => (
            format!(
                "INSERT INTO account {columns} {} FROM generate_series(1, {rows}) n",
                values(&if uuid { "md5(n::text)".to_owned() } else { number }, "'name' || n")
            ),
            vec![
                "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.new_name := 'v:' || NEW.name; \
                 IF TG_OP = 'UPDATE' AND NEW.writes = OLD.writes THEN NEW.touched := OLD.touched + 1; END IF; \
                 RETURN NEW; END $$",
                "CREATE TRIGGER account_keep BEFORE INSERT OR UPDATE ON account FOR EACH ROW EXECUTE FUNCTION keep()",
            ],
        ),
        Engine::Sqlite => (
            format!(
                "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) \
                 INSERT INTO account {columns} {} FROM s",
                values(&if uuid { "hex(n * 2654435761 % 4294967296) || n".to_owned() } else { number }, "'name' || n")
            ),
            vec![
                "CREATE TRIGGER account_insert AFTER INSERT ON account BEGIN UPDATE account SET new_name = 'v:' || \
                 NEW.name, touched = 0 WHERE id = NEW.id; END",
                "CREATE TRIGGER account_update AFTER UPDATE OF id, writes ON account BEGIN UPDATE account SET new_name = \
                 'v:' || NEW.name, touched = OLD.touched + (NEW.writes = OLD.writes) WHERE id = NEW.id; END",
            ],
        ),
    };
    let mut statements = vec![table.as_str()];
    if site.engine() == Engine::Sqlite {
        statements.insert(0, "PRAGMA journal_mode = wal");
    }
    statements.push(&fill);
    statements.extend(triggers);
    site.run(&statements);
    assert_eq!(site.number("SELECT count(*) FROM account WHERE new_name IS NULL"), rows);
}

/// Somebody who writes 200 rows a second: inserts anywhere, and changes of rows that are there.
struct Writer {
    stop: Arc<AtomicBool>,
    writing: JoinHandle<(u64, Duration, Vec<Duration>)>,
}

impl Writer {
    fn begin(url: &ConnectionUrl, rows: u64, uuid: bool) -> Self {
        let (url, stop) = (url.clone(), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&stop);
        let writing = std::thread::spawn(move || wait(Self::write(&url, rows, uuid, &told)));
        Self { stop, writing }
    }

    async fn write(url: &ConnectionUrl, rows: u64, uuid: bool, stop: &AtomicBool) -> (u64, Duration, Vec<Duration>) {
        let mut connection = connect_for(url, Purpose::Change, TIMEOUT).await.expect("a connection");
        if url.engine() == Engine::Sqlite {
            connection.change("PRAGMA busy_timeout = 10000").await.expect("patience");
        }
        let (mut clock, began) = (tokio::time::interval(Duration::from_millis(5)), Instant::now());
        let (mut written, mut times, mut seed) = (0, Vec::new(), 7u64);
        while !stop.load(Ordering::Relaxed) {
            clock.tick().await;
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = Instant::now();
            Self::one(&mut connection, seed >> 16, rows, uuid).await;
            times.push(at.elapsed());
            written += 1;
        }
        connection.close().await;
        (written, began.elapsed(), times)
    }

    /// One row: half of them are new ones.
    async fn one(connection: &mut Connection, random: u64, rows: u64, uuid: bool) {
        let key = match (uuid, random.is_multiple_of(2), connection.engine()) {
            (false, true, _) => format!("{}", (random / 2 % rows) * 10 + 1 + random % 9),
            (false, false, _) => format!("{}", (1 + random / 2 % rows) * 10),
            (true, true, _) => format!("'{random:032x}'"),
            (true, false, Engine::Sqlite) => {
                let n = 1 + random / 2 % rows;
                format!("hex({n} * 2654435761 % 4294967296) || {n}")
            }
            (true, false, Engine::Postgresql) => format!("md5('{}')", 1 + random / 2 % rows),
            (true, false, Engine::Mysql) => format!("left(sha2('{}', 256), 32)", 1 + random / 2 % rows),
        };
        let statement = if random.is_multiple_of(2) {
            format!("INSERT INTO account (id, name, writes, touched, origin) VALUES ({key}, 'new{random}', 0, 0, 1)")
        } else {
            format!("UPDATE account SET writes = writes + 1 WHERE id = {key}")
        };
        loop {
            match connection.change(&statement).await {
                Ok(_) => return,
                Err(QueryError::Contended { .. }) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(error) if chain(&error).to_lowercase().contains("unique") => return,
                Err(error) if chain(&error).contains("Duplicate entry") => return,
                Err(error) => panic!("{statement}: {}", chain(&error)),
            }
        }
    }

    /// Stops it. Returns how many rows it wrote, and how long 99 of 100 took at most.
    fn end(self) -> (u64, f64, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let (written, time, mut times) = self.writing.join().expect("the writer ends");
        times.sort();
        (written, written as f64 / time.as_secs_f64(), times[times.len() * 99 / 100])
    }
}

/// The whole story on one engine.
fn story(site: &Site, uuid: bool, workers: &str) {
    let rows = rows();
    prepare(site, rows, uuid);
    let writer = Writer::begin(&site.url, rows, uuid);
    let began = Instant::now();
    let mut reached = 0;
    for kill in 1..=KILLS {
        // Small batches, so that there is a way on which to be killed.
        let mut running = site.begin(&["--workers", workers, "--batch-time", "10", "--max-lock-waits", "1000"]);
        let begun = running.next("begin").expect("it begins");
        assert!(begun["touched"].as_u64() >= Some(reached), "what was counted was durable: {begun} after {reached}");
        reached = site.reaches("SELECT sum(touched) FROM leapfrog_trip", (rows * kill / (KILLS + 2)).max(reached + 1));
        running.kill();
    }
    let (code, lines) = site.begin(&["--workers", workers, "--max-lock-waits", "1000"]).end();
    let took = began.elapsed();
    let (written, rate, slowest) = writer.end();
    assert_eq!(code, 0, "{:?}", lines.last());
    follow(&lines);
    let proof = &lines.iter().find_map(|line| line.get("done")).expect("a proof");
    let counted = proof["touched"].as_u64().expect("a number");
    say(&format!(
        "{} uuid={uuid} workers={workers}: {rows} rows in {:.1} s with {KILLS} kills, {counted} counted; the writer \
         wrote {written} rows, {rate:.0} a second, 99 of 100 within {} ms",
        site.engine(),
        took.as_secs_f64(),
        slowest.as_millis()
    ));
    assert_eq!(site.number("SELECT count(*) FROM account WHERE origin = 0 AND touched <> 1"), 0, "each old row once");
    assert_eq!(site.number("SELECT count(*) FROM account WHERE touched > 1"), 0, "no row twice");
    assert_eq!(site.number("SELECT count(*) FROM account WHERE new_name IS NULL"), 0, "no row missed");
    assert_eq!(site.number("SELECT sum(touched) FROM account"), counted, "what is counted is what was touched");
    assert_eq!(site.number("SELECT sum(touched) FROM leapfrog_trip"), counted, "and what the ledger says");
    // Of the 200 that it tries to write. The machine may be busy with something else; and an SQLite file has one writer at a
    // time, and who waits for it sleeps longer and longer.
    assert!(rate > 100.0, "the writer was held up: {rate:.0} rows a second");
    // Nothing is left to do.
    let (code, lines, _) = site.trip(&[]);
    assert_eq!(code, 0);
    assert_eq!(lines.iter().find_map(|line| line.get("done")).expect("a proof")["touched"], counted);
    assert_eq!(site.number("SELECT count(*) FROM account WHERE touched > 1"), 0, "a finished table is left alone");
}

#[test]
#[ignore = "needs MariaDB's programs"]
fn a_trip_on_mariadb_outlives_five_kills() {
    let server = Server::mariadb(&[]);
    story(&Site::new(&server.database("whole")), false, "1");
    story(&Site::new(&server.database("uuids")), true, "2");
}

#[test]
#[ignore = "needs PostgreSQL's programs"]
fn a_trip_on_postgresql_outlives_five_kills() {
    let server = Server::postgresql(&[]);
    story(&Site::new(&server.database("whole")), false, "1");
    story(&Site::new(&server.database("uuids")), true, "2");
}

#[test]
#[ignore = "minutes with many rows"]
fn a_trip_on_sqlite_outlives_five_kills() {
    let (_directory, site) = Site::sqlite();
    story(&site, false, "1");
    let (_directory, site) = Site::sqlite();
    story(&site, true, "1");
}

#[test]
#[ignore = "needs MySQL, named by LEAPFROG_MYSQLD"]
fn a_trip_on_mysql_outlives_five_kills() {
    let Some(server) = Server::mysql(&[]) else {
        say("LEAPFROG_MYSQLD names no MySQL: not tried");
        return;
    };
    story(&Site::new(&server.database("whole")), false, "1");
    story(&Site::new(&server.database("uuids")), true, "2");
}
