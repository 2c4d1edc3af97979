//! Whatever the key is: texts that a collation folds, bytes, composites, values that only look like others.

use leapfrog::database::connect;
use leapfrog::model::Engine;

use super::super::postgresql::Cluster;
use super::super::{TIMEOUT, wait};
use super::server::Server;
use super::{Site, say};

/// Texts that are hard to carry, or that sort in a way no client would guess.
const TEXTS: [&str; 12] = ["", "a", "A", "é", "e", "'", "\\", "\"", "ß", "z z", "%_", "日本"];

/// Touches the rows of `t`, whose trigger counts in `touched`, and sees that each was touched once.
fn touched_once(site: &Site, what: &str) {
    let rows = site.number("SELECT count(*) FROM t");
    assert!(rows > 2_500, "{what}: {rows} rows are no more than two batches");
    let (code, lines, told) = site.trip(&["--no-inserts", "--workers", "2", "--table", "t"]);
    assert_eq!(code, 0, "{what}: {told} {:?}", lines.last());
    assert_eq!(site.number("SELECT count(*) FROM t WHERE touched <> 1"), 0, "{what}");
    let done = lines.iter().find_map(|line| line.get("done")).expect("a proof");
    assert_eq!((done["touched"].as_u64(), done["batches"].as_u64() >= Some(2)), (Some(rows), true), "{what}: {done}");
}

/// A table with this key and a trigger, filled by `fill`, which inserts columns named in `key`.
fn case(site: &Site, what: &str, columns: &str, key: &str, fill: &[String]) {
    site.run(&["DROP TABLE IF EXISTS t", "DROP TABLE IF EXISTS leapfrog_trip"]);
    site.run(&[&format!("CREATE TABLE t ({columns}, touched INT NOT NULL DEFAULT 0, PRIMARY KEY ({key}))")]);
    site.run(&fill.iter().map(String::as_str).collect::<Vec<_>>());
    let trigger: &[&str] = match site.engine() {
        Engine::Mysql => &["CREATE TRIGGER u BEFORE UPDATE ON t FOR EACH ROW SET NEW.touched = OLD.touched + 1"],
        Engine::Postgresql => &[
            "CREATE OR REPLACE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.touched := \
             OLD.touched + 1; RETURN NEW; END $$",
            "CREATE TRIGGER u BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION counts()",
        ],
        Engine::Sqlite => {
            // Values of any type: the row's own number may not be there, so its key is compared as it is.
            let same: Vec<String> = key.split(", ").map(|name| format!("{name} IS NEW.{name}")).collect();
            let first = key.split(", ").next().expect("a column");
            let trigger = format!(
                "CREATE TRIGGER u AFTER UPDATE OF {first} ON t BEGIN UPDATE t SET touched = touched + 1 WHERE {}; END",
                same.join(" AND ")
            );
            site.run(&[&trigger]);
            &[]
        }
    };
    site.run(trigger);
    touched_once(site, what);
}

/// The column of a table that is set to itself.
fn set_to_itself(site: &Site, columns: &str) -> String {
    site.run(&["DROP TABLE IF EXISTS k", &format!("CREATE TABLE k ({columns})")]);
    wait(async {
        let mut connection = connect(&site.url, TIMEOUT).await.expect("a connection");
        let keyed = connection.keyed("k").await.expect("a table");
        connection.close().await;
        keyed.settable
    })
}

/// Inserts of texts with numbers behind them: `count` of each.
fn texts(count: usize, row: impl Fn(&str, usize) -> String) -> Vec<String> {
    let rows: Vec<String> =
        TEXTS.iter().flat_map(|text| (0..count).map(|number| row(text, number)).collect::<Vec<_>>()).collect();
    vec![format!("INSERT INTO t VALUES {}", rows.join(", "))]
}

/// A text as a literal of every engine.
fn literal(engine: Engine, text: &str) -> String {
    leapfrog::database::text(engine, text)
}

#[test]
#[ignore = "needs MariaDB's programs"]
fn every_key_of_mariadb_is_walked_along() {
    let server = Server::mariadb(&[]);
    mysql_keys(&Site::new(&server.database("walked")));
    let site = Site::new(&server.database("own"));
    case(&site, "uuid", "id UUID NOT NULL", "id", &["INSERT INTO t (id) SELECT uuid() FROM seq_1_to_3000".to_owned()]);
    case(
        &site,
        "inet6",
        "id INET6 NOT NULL",
        "id",
        &["INSERT INTO t (id) SELECT concat('2001:db8::', hex(seq)) FROM seq_1_to_3000".to_owned()],
    );
}

#[test]
#[ignore = "needs MySQL, named by LEAPFROG_MYSQLD"]
fn every_key_of_mysql_is_walked_along() {
    match Server::mysql(&[]) {
        Some(server) => mysql_keys(&Site::new(&server.database("walked"))),
        None => say("LEAPFROG_MYSQLD names no MySQL: not tried"),
    }
}

fn mysql_keys(site: &Site) {
    for (columns, column) in [
        ("id INT PRIMARY KEY, name VARCHAR(9), n INT, state INT, INDEX (n)", "state"),
        ("id INT PRIMARY KEY, n INT UNIQUE, name VARCHAR(9)", "name"),
        ("id INT PRIMARY KEY, other INT, n INT, UNIQUE (n, other)", "other"),
        ("n INT, id INT, PRIMARY KEY (id, n)", "id"),
        // Nothing else, or nothing that a strict server surely takes.
        ("id INT PRIMARY KEY", "id"),
        ("id INT PRIMARY KEY, twice INT AS (id * 2) STORED, half INT AS (id / 2) VIRTUAL", "id"),
        ("id INT PRIMARY KEY, born DATE, kind ENUM('a', 'b'), kinds SET('a'), raw BLOB, b BIT(1), f FLOAT", "id"),
    ] {
        assert_eq!(set_to_itself(site, columns), column, "{columns}");
    }
    let my = |text: &str| literal(Engine::Mysql, text);
    for collation in ["utf8mb3_general_ci", "utf8mb3_bin", "utf8mb4_unicode_ci", "latin1_swedish_ci"] {
        let charset = collation.split('_').next().expect("a character set");
        let columns = format!("id VARCHAR(60) CHARACTER SET {charset} COLLATE {collation} NOT NULL");
        let known = |text: &&&str| charset != "latin1" || **text != "日本";
        // What a collation takes for the same is told apart by the number; so are NUL and blanks at the end.
        let rows: Vec<String> = TEXTS
            .iter()
            .filter(known)
            .enumerate()
            .flat_map(|(place, text)| (0..300).map(move |number| (place, *text, number)))
            .map(|(place, text, number)| format!("({}, 0)", my(&format!("{text}\0{}", place * 1000 + number))))
            .collect();
        case(site, collation, &columns, "id", &[format!("INSERT INTO t VALUES {}", rows.join(", "))]);
    }
    let assignment = "type ENUM('UserProject', 'GroupProject', 'UserDomain') NOT NULL, actor VARCHAR(64) CHARACTER SET utf8mb3 \
                      NOT NULL, inherited TINYINT(1) NOT NULL";
    // As keystone's `assignment`: the list's order is not that of its texts.
    let fill = texts(300, |text, number| {
        let kind = ["UserProject", "GroupProject", "UserDomain"][number % 3];
        format!(
            "('{kind}', {}, {}, 0)",
            my(&format!("{text}{}", number + if text == "A" || text == "é" { 5000 } else { 0 })),
            number % 2
        )
    });
    case(site, "composite", assignment, "type, actor, inherited", &fill);
    let number =
        "(SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6)";
    let numbers = format!(
        "FROM (SELECT a.d + 7 * b.d + 49 * c.d + 343 * e.d + 2401 * f.d AS n FROM {number} a, {number} b, {number} c, {number} e, \
         {number} f) s"
    );
    for (what, kind, value) in [
        ("bytes", "BINARY(16)", "unhex(left(sha2(n, 256), 32))"),
        ("varying bytes", "VARBINARY(40)", "concat(char(n % 256), unhex(left(sha2(n, 256), 32)))"),
        ("negative", "BIGINT", "n * 1000003 - 8000000000"),
        ("unsigned", "BIGINT UNSIGNED", "18446744073709551615 - n"),
        ("decimal", "DECIMAL(30,10)", "n / 7"),
        ("time", "DATETIME(6)", "'2024-03-31 01:59:59.999' + INTERVAL n * 777 MICROSECOND"),
    ] {
        case(
            site,
            what,
            &format!("id {kind} NOT NULL"),
            "id",
            &[format!("INSERT INTO t (id) SELECT {value} {numbers}")],
        );
    }
}

#[test]
#[ignore = "needs PostgreSQL's programs"]
fn every_key_of_postgresql_is_walked_along() {
    let cluster = Cluster::shared();
    let site = Site::new(&cluster.database("trip_keys"));
    let number = "FROM generate_series(1, 3000) n";
    for (what, kind, value) in [
        ("uuid", "UUID", "gen_random_uuid()"),
        ("bytes", "BYTEA", "decode(md5(n::text), 'hex')"),
        ("time", "TIMESTAMPTZ", "'2024-03-31 00:59:59+00'::timestamptz + n * interval '777 microseconds'"),
        ("numeric", "NUMERIC", "n / 7.0"),
        ("float", "DOUBLE PRECISION", "n / 7.0::float8"),
        ("fixed", "CHAR(40)", "md5(n::text)"),
        ("identity", "BIGINT GENERATED BY DEFAULT AS IDENTITY", "n"),
    ] {
        case(
            &site,
            what,
            &format!("id {kind} NOT NULL"),
            "id",
            &[format!("INSERT INTO t (id) SELECT {value} {number}")],
        );
    }
    // Values that only the server makes: another column is set to itself.
    case(
        &site,
        "always",
        "id BIGINT GENERATED ALWAYS AS IDENTITY, name TEXT",
        "id",
        &[format!("INSERT INTO t (name) SELECT 'x' {number}")],
    );
    let pg = |text: &str| literal(Engine::Postgresql, text);
    for collation in ["C", "ucs_basic", "und-x-icu"] {
        let columns = format!("kind VARCHAR(20) COLLATE \"{collation}\" NOT NULL, n INT NOT NULL");
        case(&site, collation, &columns, "kind, n", &texts(300, |text, number| format!("({}, {number}, 0)", pg(text))));
    }
}

#[test]
#[ignore = "with the other real databases"]
fn every_key_of_sqlite_is_walked_along() {
    let (_directory, site) = Site::sqlite();
    for (columns, column) in [
        ("id TEXT PRIMARY KEY, n INT UNIQUE, name TEXT, state INT", "name"),
        ("id TEXT PRIMARY KEY, n INT UNIQUE", "n"),
        ("n INT, id INT, PRIMARY KEY (id, n)", "id"),
        ("id INTEGER PRIMARY KEY, twice INT AS (id * 2) STORED, half INT AS (id / 2)", "id"),
    ] {
        assert_eq!(set_to_itself(&site, columns), column, "{columns}");
    }
    let numbers = "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 3000)";
    let lite = |text: &str| literal(Engine::Sqlite, text);
    for collation in ["NOCASE", "BINARY", "RTRIM"] {
        let columns = format!("kind TEXT COLLATE {collation} NOT NULL, n INT NOT NULL");
        // What a collation takes for the same must have other numbers.
        let fill =
            texts(300, |text, number| format!("({}, {}, 0)", lite(text), number + if text == "A" { 1000 } else { 0 }));
        case(&site, collation, &columns, "kind, n", &fill);
    }
    for (what, columns, value) in [
        (
            "mixed",
            "id NOT NULL",
            "CASE n % 4 WHEN 0 THEN n WHEN 1 THEN n / 7.0 WHEN 2 THEN 'x' || char(0) || n ELSE \
                                  randomblob(8) END",
        ),
        ("negative", "id INTEGER NOT NULL", "n - 1500"),
        ("numbers as texts", "id TEXT NOT NULL", "n"),
    ] {
        case(&site, what, columns, "id", &[format!("INSERT INTO t (id) {numbers} SELECT {value} FROM s")]);
    }
}
