//! The database fails over in the middle of a leap: a real MariaDB with a real replica, which takes its place.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::bed::{Cloud, Told, environment};
use crate::dumps::server;
use crate::relay::Relay;

const LEAP: [&str; 7] = ["--from", "2023.1", "--to", "2023.2", "--yes", "--only", "cinder,placement"];

/// A MariaDB of the test's own; it ends with the value.
struct Server {
    directory: tempfile::TempDir,
    port: u16,
    process: Child,
}

impl Server {
    /// Makes and starts one that replicates, or may be replicated.
    fn start(number: u16) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path().join("data");
        let made = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--user=root", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", data.display()))
            .output()
            .expect("mariadb-install-db runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let mariadbd = ["/usr/sbin/mariadbd", "mariadbd"].into_iter().find(|path| PathBuf::from(path).exists());
        let process = Command::new(mariadbd.unwrap_or("mariadbd"))
            .args(["--no-defaults", "--user=root", "--bind-address=127.0.0.1", "--skip-name-resolve", "--log-bin=log"])
            .args(["--innodb-flush-method=nosync", "--debug-no-sync", "--max-connections=300", "--binlog-format=ROW"])
            .args(["--character-set-server=utf8mb3", "--innodb-buffer-pool-size=128M", "--gtid-strict-mode=ON"])
            .args(["--log-slave-updates", "--skip-slave-start", "--innodb-flush-log-at-trx-commit=2"])
            .arg(format!("--server-id={number}"))
            .arg(format!("--port={port}"))
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", directory.path().join("socket").display()))
            .arg(format!("--pid-file={}", directory.path().join("pid").display()))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(directory.path().join("log")).expect("a log"))
            .spawn()
            .expect("mariadbd runs");
        let server = Self { directory, port, process };
        let deadline = Instant::now() + Duration::from_secs(90);
        while server.ask("SELECT 1").is_err() {
            let log = std::fs::read_to_string(server.directory.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "it does not start:\n{log}");
            std::thread::sleep(Duration::from_millis(100));
        }
        // Whoever has no name must not be taken for the cloud's user.
        server.sql("SET sql_log_bin = 0; DELETE FROM mysql.global_priv WHERE user = ''; FLUSH PRIVILEGES");
        server
    }

    fn client(&self) -> Command {
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "--user=root", "--batch", "--skip-column-names"]);
        client.arg(format!("--socket={}", self.directory.path().join("socket").display()));
        client
    }

    fn ask(&self, sql: &str) -> Result<String, String> {
        let output = self.client().args(["--execute", sql]).output().expect("mariadb runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(String::from_utf8(output.stdout).expect("UTF-8")) } else { Err(said) }
    }

    fn sql(&self, sql: &str) -> String {
        self.ask(sql).unwrap_or_else(|said| panic!("{sql}: {said}"))
    }

    /// Follows `primary` from its beginning.
    fn follow(&self, primary: &Self) {
        self.sql(&format!(
            "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = 'copies', MASTER_PASSWORD = 'copies', \
             MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1; START SLAVE",
            primary.port
        ));
    }

    /// Waits until it has all that `primary` has.
    fn has_all_of(&self, primary: &Self) {
        let position = primary.sql("SELECT @@gtid_binlog_pos").trim().to_owned();
        let reached = self.sql(&format!("SELECT MASTER_GTID_WAIT('{position}', 120)"));
        assert_eq!(reached.trim(), "0", "the replica stays behind: {}", self.sql("SHOW SLAVE STATUS"));
    }

    /// Takes its primary's place.
    fn is_promoted(&self) {
        self.sql("STOP SLAVE; RESET SLAVE ALL");
    }

    fn dies(&mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("ended");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A cloud on a server of its own with a replica, reached through an address that can fail over.
struct Pair {
    cloud: Cloud,
    primary: Server,
    replica: Server,
    relay: Relay,
}

impl Pair {
    fn new(name: &str) -> Self {
        let cloud = Cloud::new(name, 10);
        let (primary, replica) = (Server::start(11), Server::start(12));
        primary.sql("GRANT REPLICATION SLAVE ON *.* TO 'copies'@'127.0.0.1' IDENTIFIED BY 'copies'");
        for database in ["cinder", "placement"] {
            let name = format!("{}_{database}", cloud.name);
            primary.sql(&format!(
                "CREATE DATABASE `{name}` CHARACTER SET utf8mb3; GRANT ALL ON `{name}`.* TO '{0}'@'%' IDENTIFIED BY '{1}'",
                cloud.name, cloud.password
            ));
            let mut dump = Command::new("mariadb-dump")
                .args(["--no-defaults", "--single-transaction", "--routines", "--triggers"])
                .args(server())
                .arg(&name)
                .stdout(Stdio::piped())
                .spawn()
                .expect("mariadb-dump runs");
            let from = dump.stdout.take().expect("a pipe");
            let loaded = primary.client().arg(&name).stdin(from).status().expect("mariadb runs");
            assert!(loaded.success() && dump.wait().expect("ended").success());
        }
        replica.follow(&primary);
        replica.has_all_of(&primary);
        let (relay, own) = Relay::to_port(primary.port);
        let port = &environment()["mariadb"]["port"];
        cloud.edit(&format!("@127.0.0.1:{port}/"), &format!("@127.0.0.1:{own}/"));
        Self { cloud, primary, replica, relay }
    }

    fn leap(&self) -> Child {
        let mut command = self.cloud.command(&LEAP);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("leapfrog runs")
    }

    /// Waits until the journal has a record that holds all of these texts.
    fn wait_for(&self, texts: &[&str]) {
        let deadline = Instant::now() + Duration::from_secs(240);
        loop {
            let journals = self.cloud.state().into_iter().filter(|(path, _)| path.ends_with("journal.jsonl"));
            let text: String = journals.map(|(_, text)| String::from_utf8_lossy(&text).into_owned()).collect();
            if text.lines().any(|line| texts.iter().all(|text| line.contains(text))) {
                return;
            }
            assert!(Instant::now() < deadline, "{texts:?} were waited for in vain");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// The heads of a database on the replica.
    fn heads(&self, database: &str) -> String {
        let name = format!("{}_{database}", self.cloud.name);
        self.replica.sql(&format!("SELECT version_num FROM `{name}`.alembic_version")).trim().to_owned()
    }
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_replica_that_takes_over_with_all_there_was_is_locked_compared_and_the_leap_goes_on_there() {
    let mut pair = Pair::new("failover");
    let child = pair.leap();
    pair.wait_for(&["\"step-started\"", "2023.2/cinder/db-sync"]);
    // What is cut writes no more, so the replica can have all of it.
    pair.relay.cut();
    pair.replica.has_all_of(&pair.primary);
    pair.primary.dies();
    pair.replica.is_promoted();
    pair.relay.lead_to(pair.replica.port);
    // At once: the first server that leapfrog meets again is the other one, which has been running all the time.
    pair.relay.mend();
    let told = Told::from(child.wait_with_output().expect("ended")).ended(0);
    let _ = told.said(&["the lock in database", "is lost", "every database answers again"]);
    let resumed = pair.cloud.journal().iter().filter(|record| record["event"] == "run-resumed").count();
    assert_eq!(resumed, 1, "it did not go on as the same command would");
    assert_eq!(pair.heads("placement"), "a082b8bb98d0");
    let left = format!("SELECT COUNT(*) FROM `{}_cinder`.volumes WHERE use_quota IS NULL", pair.cloud.name);
    assert_eq!(pair.replica.sql(&left).trim(), "0");
    let _ = pair.cloud.leapfrog(&["verify", "--at", "2023.2", "--only", "cinder,placement"]).ended(0);
    assert_eq!(pair.cloud.containers(), 0);
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_replica_that_was_behind_contradicts_the_journal_and_is_refused() {
    let mut pair = Pair::new("behind");
    let child = pair.leap();
    pair.wait_for(&["\"hop-started\"", "2023.2"]);
    // From here on it gets nothing.
    pair.replica.sql("STOP SLAVE");
    pair.wait_for(&["\"step-ended\"", "2023.2/placement/db-sync", "\"done\""]);
    pair.relay.cut();
    pair.primary.dies();
    pair.replica.is_promoted();
    pair.relay.lead_to(pair.replica.port);
    pair.relay.mend();
    let told = Told::from(child.wait_with_output().expect("ended")).ended(3);
    let _ = told.said(&["database placement does not stand where the interrupted run left it"]);
    let begun = |cloud: &Cloud| cloud.journal().iter().filter(|record| record["event"] == "step-started").count();
    let before = begun(&pair.cloud);
    let _ = pair.cloud.leapfrog(&LEAP).ended(3).said(&["does not stand where the interrupted run left it"]);
    assert_eq!(begun(&pair.cloud), before, "something was begun on it");
    assert_eq!(pair.cloud.containers(), 0);
}
