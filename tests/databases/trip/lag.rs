//! What a trip gives way to: a replica that is behind, a pause, rows that somebody holds; and what it warns of.

use std::os::unix::fs::chown;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use leapfrog::database::{Lag, Purpose, connect_for};
use leapfrog::model::ConnectionUrl;
use tempfile::TempDir;

use super::super::programs::{output, postgres, program};
use super::super::{TIMEOUT, wait};
use super::server::{Server, free_port};
use super::{Site, follow, say};

/// A table of `rows` rows with triggers.
fn prepare(site: &Site, rows: u64) {
    let fill = format!("INSERT INTO t (id, name) SELECT seq, concat('name', seq) FROM seq_1_to_{rows}");
    site.run(&[
        "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(64), new_name VARCHAR(80))",
        &fill,
        "CREATE TRIGGER i BEFORE INSERT ON t FOR EACH ROW SET NEW.new_name = NEW.name",
        "CREATE TRIGGER u BEFORE UPDATE ON t FOR EACH ROW SET NEW.new_name = concat('v:', NEW.name)",
    ]);
}

fn done(site: &Site) -> u64 {
    site.number("SELECT count(*) FROM t WHERE new_name IS NOT NULL")
}

/// How far the replica is behind.
async fn lag(url: &ConnectionUrl) -> Lag {
    let mut connection = connect_for(url, Purpose::Read, TIMEOUT).await.expect("a connection");
    let lag = connection.lag().await.expect("an answer");
    connection.close().await;
    lag
}

fn behind(url: &ConnectionUrl, limit: f64) -> bool {
    matches!(wait(lag(url)), Lag::Seconds(seconds) if seconds > limit)
}

#[test]
#[ignore = "needs MariaDB's programs"]
fn a_replica_that_falls_behind_is_waited_for_within_two_seconds() {
    let source = Server::mariadb(&["--server-id=1", "--log-bin=log", "--binlog-format=ROW"]);
    let replica = Server::mariadb(&["--server-id=2", "--read-only=ON"]);
    // The users that each server has already are in no log.
    Site::new(&source.url("information_schema")).run(&["RESET MASTER"]);
    let site = Site::new(&source.database("lagging"));
    prepare(&site, 400_000);
    let there = replica.url("information_schema");
    let follow = format!(
        "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = 'trip', MASTER_LOG_FILE = \
         'log.000001', MASTER_LOG_POS = 4; START SLAVE",
        source.port
    );
    let second = Site::new(&there);
    second.run(&[&follow]);
    let began = Instant::now();
    let copy = Site::new(&replica.url("lagging"));
    let copied = || {
        let rows = wait(async {
            let Ok(mut connection) = leapfrog::database::connect(&copy.url, TIMEOUT).await else { return None };
            let rows = connection.rows("SELECT count(*) FROM t").await.ok()?;
            connection.close().await;
            rows[0][0].clone()
        });
        rows.as_deref() == Some("400000") && matches!(wait(lag(&there)), Lag::Seconds(seconds) if seconds == 0.0)
    };
    while !copied() {
        assert!(began.elapsed() < Duration::from_secs(120), "the replica never followed: {:?}", wait(lag(&there)));
        std::thread::sleep(Duration::from_millis(200));
    }
    let name = format!("127.0.0.1:{}", replica.port);
    let mut running = site.begin(&["--replica", &name, "--max-lag", "1", "--batch-time", "10"]);
    running.touched(5_000).expect("it works");
    // Nothing can be written on the replica as long as this session holds it.
    let (hold, held) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let holding = {
        let (url, hold, held) = (there.clone(), Arc::clone(&hold), Arc::clone(&held));
        std::thread::spawn(move || {
            wait(async {
                let mut connection = connect_for(&url, Purpose::Change, TIMEOUT).await.expect("a connection");
                connection.change("FLUSH TABLES WITH READ LOCK").await.expect("held");
                held.store(true, Ordering::Relaxed);
                while hold.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                connection.change("UNLOCK TABLES").await.expect("let go");
                connection.close().await;
            });
        })
    };
    let limit = {
        let there = there.clone();
        std::thread::spawn(move || {
            while !behind(&there, 1.0) {
                std::thread::sleep(Duration::from_millis(20));
            }
            Instant::now()
        })
    };
    let waits = running.next("waits").expect("it waits");
    let paused = Instant::now();
    let above = limit.join().expect("above the limit");
    let late = paused.saturating_duration_since(above);
    say(&format!("paused {} ms after the lag was above its limit: {}", late.as_millis(), waits["why"]));
    assert!(late < Duration::from_secs(2), "{late:?}");
    let why = waits["why"].as_str().expect("a reason");
    assert!(why.contains(&name) && why.contains("behind") && why.contains("1 s are allowed"), "{why}");
    assert!(held.load(Ordering::Relaxed));
    // The batch that was at work when it was told may end.
    std::thread::sleep(Duration::from_millis(500));
    let (before, after) = (done(&site), {
        std::thread::sleep(Duration::from_secs(2));
        done(&site)
    });
    assert!(before == after && after < 400_000, "{before} and {after}: it goes on while the replica is behind");
    hold.store(false, Ordering::Relaxed);
    holding.join().expect("let go");
    running.next("goes-on").expect("it goes on");
    let (code, lines) = running.end();
    assert_eq!((code, done(&site)), (0, 400_000), "{:?}", lines.last());
    // One that does not replicate at all is waited for as well.
    second.run(&["STOP SLAVE"]);
    site.run(&["DROP TRIGGER u", "CREATE TRIGGER u BEFORE UPDATE ON t FOR EACH ROW SET NEW.new_name = NEW.name"]);
    let mut running = site.begin(&["--replica", &name]);
    let why = running.next("waits").expect("it waits")["why"].clone();
    assert!(why.as_str().expect("a reason").contains("does not replicate"), "{why}");
    running.kill();
}

/// A standby of PostgreSQL, gone afterwards.
struct Standby {
    _directory: TempDir,
    url: ConnectionUrl,
    process: Child,
}

impl Standby {
    fn of(primary: &Server) -> Self {
        let directory = TempDir::new().expect("a directory");
        if let Some((user, group)) = postgres() {
            chown(directory.path(), Some(user), Some(group)).expect("the directory given away");
        }
        let data = directory.path().join("data").display().to_string();
        let (from, port) = (primary.port.to_string(), free_port());
        let copy = ["--host=127.0.0.1", "--username=trip", "--write-recovery-conf", "--checkpoint=fast", "--pgdata"];
        let made = output(program("pg_basebackup").args(["--port", &from]).args(copy).arg(&data));
        assert!(made.status.success(), "pg_basebackup failed: {}", String::from_utf8_lossy(&made.stderr));
        let mut command = program("postgres");
        command.args(["-D", &data, "-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-k"]);
        command.arg(directory.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("the server starts");
        let url = format!("postgresql://trip@127.0.0.1:{port}/postgres").parse().expect("a URL");
        Self { _directory: directory, url, process }
    }

    /// How far it is behind, once it answers.
    fn lag(&self) -> Option<Lag> {
        wait(async {
            let mut connection = connect_for(&self.url, Purpose::Read, TIMEOUT).await.ok()?;
            let lag = connection.lag().await.expect("an answer");
            connection.close().await;
            Some(lag)
        })
    }

    fn comes_to(&self, what: impl Fn(&Lag) -> bool) {
        let began = Instant::now();
        loop {
            let lag = self.lag();
            if lag.as_ref().is_some_and(&what) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{lag:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "needs PostgreSQL's programs"]
fn a_standby_without_its_primary_does_not_count_as_one_that_has_caught_up() {
    let primary = Server::postgresql(&[]);
    let standby = Standby::of(&primary);
    standby.comes_to(|lag| matches!(lag, Lag::Seconds(seconds) if *seconds < 5.0));
    drop(primary);
    standby.comes_to(|lag| matches!(lag, Lag::Stopped(why) if why.contains("primary")));
}

#[test]
#[ignore = "needs MariaDB's programs"]
fn a_pause_holds_and_a_stop_goes_on_where_it_was() {
    let server = Server::mariadb(&[]);
    let site = Site::new(&server.database("paused"));
    prepare(&site, 200_000);
    let arguments = ["--batch-time", "10", "--pause-file", "hold"];
    let tell = |words: &[&str]| {
        let output = site.command(words).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let still = || {
        std::thread::sleep(Duration::from_millis(300));
        let before = done(&site);
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!(before, done(&site), "it is paused");
    };
    let mut running = site.begin(&arguments);
    running.touched(1).expect("it works");
    // In three ways: the command, a file, a signal.
    assert!(tell(&["pause"]).contains("leapfrog resume"));
    assert!(running.next("waits").expect("it waits")["why"].as_str().expect("why").contains("trip.pause"));
    still();
    tell(&["resume"]);
    running.next("goes-on").expect("it goes on");
    let hold = site.command(&[]).get_current_dir().expect("a directory").join("hold");
    std::fs::write(&hold, "").expect("a file");
    running.next("waits").expect("it waits");
    still();
    std::fs::remove_file(&hold).expect("removed");
    running.next("goes-on").expect("it goes on");
    let signal =
        |name: &str, id: &str| assert!(Command::new("kill").args([name, id]).status().expect("kill").success());
    signal("-USR1", &running.id());
    assert!(running.next("waits").expect("it waits")["why"].as_str().expect("why").contains("SIGUSR2"));
    still();
    // It can be stopped while it waits, and after a batch.
    signal("-INT", &running.id());
    let (code, _) = running.end();
    let first = done(&site);
    assert!(code == 7 && first < 200_000, "{code}, {first} rows");
    let (code, lines, _) = site.trip(&[]);
    assert_eq!((code, done(&site)), (0, 200_000));
    let begin = lines.iter().find_map(|line| line.get("begin")).expect("a beginning");
    assert_eq!(begin["touched"].as_u64(), Some(first), "it goes on where it was");
    assert!(tell(&["resume"]).contains("nothing is paused"));
}

#[test]
#[ignore = "needs MariaDB's programs"]
fn a_redo_log_without_room_is_told_and_what_it_says_helps() {
    let server = Server::mariadb(&["--innodb-log-file-size=10M"]);
    let site = Site::new(&server.database("small"));
    prepare(&site, 100_000);
    let told = || {
        let (code, lines, errors) = site.trip(&[]);
        assert_eq!(code, 0, "{errors}");
        follow(&lines);
        lines.iter().filter_map(|line| line.get("small-log").cloned()).collect::<Vec<_>>()
    };
    let wanted = 1 << 30;
    assert_eq!(told(), [serde_json::json!({"table": "t", "bytes": 10 << 20, "wanted": wanted})]);
    // A table that is finished fills nothing.
    assert_eq!(told(), [] as [serde_json::Value; 0]);
    site.run(&[&format!("SET GLOBAL innodb_log_file_size = {wanted}")]);
    assert!(site.command(&["trip", "--yes", "--forget"]).output().expect("it runs").status.success());
    assert_eq!(told(), [] as [serde_json::Value; 0]);
    assert_eq!(done(&site), 100_000);
}

#[test]
#[ignore = "needs MariaDB's programs"]
fn rows_that_somebody_holds_are_tried_again_and_nobody_is_locked_out() {
    let server = Server::mariadb(&[]);
    let site = Site::new(&server.database("held"));
    prepare(&site, 20_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let holder = connect_for(&site.url, Purpose::Change, TIMEOUT);
    let mut holder = runtime.block_on(holder).expect("a connection");
    runtime.block_on(holder.change("BEGIN; UPDATE t SET name = 'mine' WHERE id = 500")).expect("held");
    let mut running = site.begin(&[]);
    let retry = running.next("retry").expect("it tries again");
    assert!(retry["why"].as_str().expect("why").contains("Lock wait timeout"), "{retry}");
    // Other rows can be written meanwhile, and the table can be read.
    let began = Instant::now();
    site.run(&["UPDATE t SET name = 'other' WHERE id = 15000", "INSERT INTO t (id, name) VALUES (30000, 'new')"]);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    runtime.block_on(holder.change("COMMIT")).expect("let go");
    runtime.block_on(holder.close());
    let (code, lines) = running.end();
    assert_eq!(code, 0, "{:?}", lines.last());
    assert_eq!(site.number("SELECT count(*) FROM t WHERE new_name IS NULL"), 0);
    assert_eq!(site.number("SELECT count(*) FROM t WHERE id = 500 AND new_name = 'v:mine'"), 1);
}
