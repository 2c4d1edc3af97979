//! Green only for the triggers that are there, and never where rows may be missed.

use leapfrog::database::{chain, connect};
use leapfrog::model::Engine;
use serde_json::Value;

use super::super::postgresql::Cluster;
use super::super::{TIMEOUT, wait};
use super::server::Server;
use super::{Site, follow, say};

/// A table of `rows` rows with a trigger for updates.
fn prepare(site: &Site, rows: u64) {
    site.run(&[
        "CREATE TABLE t (id VARCHAR(40) NOT NULL PRIMARY KEY, n INT, touched INT NOT NULL DEFAULT 0)",
        "CREATE TABLE other (id INT)",
    ]);
    let values: Vec<String> = (0..rows).map(|n| format!("('k{:05}', {n}, 0)", n * 7919 % 100_003)).collect();
    site.run(&[&format!("INSERT INTO t VALUES {}", values.join(", "))]);
    trigger(site, "");
}

/// Makes the trigger, or makes it anew in another way.
fn trigger(site: &Site, more: &str) {
    match site.engine() {
        Engine::Mysql => site.run(&[
            "DROP TRIGGER IF EXISTS u",
            &format!("CREATE TRIGGER u BEFORE UPDATE ON t FOR EACH ROW SET NEW.touched = OLD.touched + 1{more}"),
        ]),
        Engine::Postgresql => site.run(&[
            &format!(
                "CREATE OR REPLACE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.touched := \
                 OLD.touched + 1{more}; RETURN NEW; END $$"
            ),
            "DROP TRIGGER IF EXISTS u ON t",
            "CREATE TRIGGER u BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION counts()",
        ]),
        Engine::Sqlite => site.run(&[
            "DROP TRIGGER IF EXISTS u",
            &format!(
                "CREATE TRIGGER u AFTER UPDATE OF id ON t BEGIN UPDATE t SET touched = touched + 1{more} WHERE id = \
                 NEW.id; END"
            ),
        ]),
    }
}

fn found<'l>(lines: &'l [Value], event: &str) -> Vec<&'l Value> {
    lines.iter().filter_map(|line| line.get(event)).collect()
}

fn story(site: &Site) {
    prepare(site, 4_000);
    // Refused: rows that are inserted meanwhile might be missed.
    let (code, _, told) = site.trip(&[]);
    assert_eq!(code, 3, "{told}");
    assert!(
        told.contains("`t`") && told.contains("--no-inserts") && told.contains("no database was touched"),
        "{told}"
    );
    assert_eq!(site.number("SELECT max(touched) FROM t"), 0);
    let (code, lines, told) = site.trip(&["--no-inserts"]);
    assert_eq!(code, 0, "{told}");
    follow(&lines);
    assert_eq!(site.number("SELECT count(*) FROM t WHERE touched <> 1"), 0);
    // The same trigger: nothing is done twice. Another one: all of it is.
    assert_eq!(site.trip(&["--no-inserts"]).0, 0);
    assert_eq!(site.number("SELECT count(*) FROM t WHERE touched <> 1"), 0);
    trigger(site, " + 0");
    let (code, lines, _) = site.trip(&["--no-inserts"]);
    assert_eq!((code, found(&lines, "again").len()), (0, 1), "{lines:?}");
    follow(&lines);
    assert_eq!(site.number("SELECT count(*) FROM t WHERE touched <> 2"), 0);
    // Made anew as it was: it was away for a while, so rows may have been written without it.
    if site.engine() == Engine::Mysql {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    trigger(site, " + 0");
    assert_eq!(site.trip(&["--no-inserts"]).0, 0);
    assert_eq!(site.number("SELECT count(*) FROM t WHERE touched <> 3"), 0);
    // Rows that came behind a walk's back are found by the remainder query, and another walk reaches them.
    site.run(&["INSERT INTO t VALUES ('a', 1, 0), ('zz', 2, 0)"]);
    let left = "t=SELECT count(*) FROM t WHERE touched = 0";
    let (code, lines, told) = site.trip(&["--remainder", left]);
    assert_eq!(code, 0, "{told} {lines:?}");
    assert_eq!(site.number("SELECT count(*) FROM t WHERE touched = 0"), 0);
    assert_eq!(found(&lines, "done")[0]["remainder"], 0);
    // Rows that the trigger leaves as they are: no green light, and no walk without end.
    let (code, lines, _) = site.trip(&["--remainder", "t=SELECT count(*) FROM t WHERE n < 10"]);
    assert_eq!((code, found(&lines, "stuck")[0]["left"].as_u64(), found(&lines, "done").len()), (5, Some(12), 0));
    follow(&lines);
    // A query that changes something is refused by the session.
    let (code, _, told) = site.trip(&["--remainder", "t=DELETE FROM t"]);
    assert!(code == 4 && site.number("SELECT count(*) FROM t") == 4_002, "{code} {told}");
    // What is not there, and what cannot be walked through.
    let (code, _, told) = site.trip(&["--table", "nowhere", "--no-inserts"]);
    assert!(code == 2 && told.contains("`nowhere`"), "{code} {told}");
    assert_eq!(site.trip(&["--forget"]).0, 0);
    let forgotten = site.command(&["trip", "--forget", "--yes"]).output().expect("it runs");
    assert!(forgotten.status.success() && forgotten.stderr.is_empty(), "nothing is left to forget");
    if site.engine() != Engine::Sqlite {
        let body = if site.engine() == Engine::Mysql { "SET NEW.id = NEW.id" } else { "EXECUTE FUNCTION counts()" };
        site.run(&[&format!("CREATE TRIGGER o BEFORE UPDATE ON other FOR EACH ROW {body}")]);
        let (code, _, told) = site.trip(&["--no-inserts"]);
        assert!(code == 3 && told.contains("`other`") && told.contains("no primary key"), "{code} {told}");
    }
}

#[test]
#[ignore = "needs MariaDB's programs"]
fn a_green_light_of_mariadb_is_for_the_triggers_that_are_there() {
    let server = Server::mariadb(&[]);
    story(&Site::new(&server.database("triggers")));
}

/// A user without the privilege TRIGGER, to whom MariaDB shows triggers without what they do, and MySQL none.
fn blind(server: &Server, shown: bool) {
    let site = Site::new(&server.database("unseen"));
    prepare(&site, 100);
    site.run(&["CREATE VIEW v AS SELECT n FROM t", "CREATE USER blind@'%'"]);
    site.run(&["GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON unseen.* TO blind@'%'"]);
    let blind = Site::new(&site.url.to_string().replace("trip@", "blind@").parse().expect("a URL"));
    let definitions = || {
        wait(async {
            let mut connection = connect(&blind.url, TIMEOUT).await.expect("a connection");
            let found = connection.definitions().await;
            connection.close().await;
            found.map(|found| found.len()).map_err(|error| chain(&error))
        })
    };
    let unseen = definitions().expect_err("what uses a table is not known then");
    assert!(unseen.contains("the view v") && unseen.contains("SHOW VIEW"), "{unseen}");
    site.run(&["GRANT SHOW VIEW ON unseen.* TO blind@'%'"]);
    let (code, _, told) = blind.trip(&["--no-inserts"]);
    if shown {
        assert_eq!(code, 0, "{told}");
        assert!(definitions().expect_err("nor this").contains("TRIGGER"));
    } else {
        assert!(code == 3 && told.contains("no privilege TRIGGER"), "{code} {told}");
        assert_eq!(site.number("SELECT max(touched) FROM t"), 0);
        site.run(&["GRANT TRIGGER ON unseen.* TO blind@'%'"]);
        assert_eq!(blind.trip(&["--no-inserts"]).0, 0);
        assert_eq!(definitions(), Ok(2));
    }
    assert_eq!(site.number("SELECT count(*) FROM t WHERE touched <> 1"), 0);
}

#[test]
#[ignore = "needs MariaDB's programs"]
fn a_user_of_mariadb_that_sees_half_of_a_trigger_is_told() {
    blind(&Server::mariadb(&[]), true);
}

#[test]
#[ignore = "needs MySQL, named by LEAPFROG_MYSQLD"]
fn a_user_of_mysql_that_is_shown_no_triggers_gets_no_green_light() {
    match Server::mysql(&[]) {
        Some(server) => blind(&server, false),
        None => say("LEAPFROG_MYSQLD names no MySQL: not tried"),
    }
}

#[test]
#[ignore = "needs MySQL, named by LEAPFROG_MYSQLD"]
fn a_green_light_of_mysql_is_for_the_triggers_that_are_there() {
    match Server::mysql(&[]) {
        Some(server) => story(&Site::new(&server.database("triggers"))),
        None => say("LEAPFROG_MYSQLD names no MySQL: not tried"),
    }
}

#[test]
#[ignore = "needs PostgreSQL's programs"]
fn a_green_light_of_postgresql_is_for_the_triggers_that_are_there() {
    let cluster = Cluster::shared();
    story(&Site::new(&cluster.database("trip_triggers")));
}

#[test]
#[ignore = "with the other real databases"]
fn a_green_light_of_sqlite_is_for_the_triggers_that_are_there() {
    let (_directory, site) = Site::sqlite();
    story(&site);
}
