//! Restore points of real databases with whatever data is odd: taken, proved, and gone back to.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use camino::Utf8Path;
use leapfrog::database::{Depth, Fingerprint, MARKER, Scratch, ScratchUse, chain, connect, scratch_name};
use leapfrog::model::{ConnectionUrl, PointProof};
use leapfrog::restore::{Means, Name, Order, Point, RestoreError, Setting, Snapshots, Way, bring_back, lacks, save};
use tempfile::TempDir;

use super::mariadb::{Database, Server};
use super::postgresql::Cluster;
use super::{PASSWORD, TIMEOUT, run, url, wait};

/// A directory for restore points and how they are taken.
struct Place {
    directory: TempDir,
    setting: Setting,
    name: Name,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let path = Utf8Path::from_path(directory.path()).expect("UTF-8").join("points");
        let setting = Setting { directory: path, keep: 3, snapshots: None, timeout: TIMEOUT };
        let name = "20261122-031502-7f3a/2023.2/keystone.main.1".parse().expect("a name");
        Self { directory, setting, name }
    }

    fn save(&self, url: &ConnectionUrl, proof: PointProof) -> Result<Point, RestoreError> {
        let order = Order { cloud: "ewr1".into(), name: self.name.clone(), proof };
        wait(save(&order, url, &self.setting, &|_| {}))
    }

    fn back(&self, url: &ConnectionUrl) -> Result<(), RestoreError> {
        wait(bring_back(&self.name, url, &self.setting, &|_| {})).map(drop)
    }

    fn dump(&self, point: &Point) -> std::path::PathBuf {
        let file = point.file.as_ref().expect("a dump");
        self.setting.directory.join("20261122-031502-7f3a/2023.2").join(file).into()
    }
}

fn print(url: &ConnectionUrl) -> Fingerprint {
    wait(async {
        let mut connection = connect(url, TIMEOUT).await.expect("a connection");
        let print =
            connection.fingerprint(Depth::Contents, None).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
        connection.close().await;
        print
    })
}

fn cells(url: &ConnectionUrl, query: &str) -> Vec<Option<String>> {
    wait(async {
        let mut connection = connect(url, TIMEOUT).await.expect("a connection");
        let rows = connection.rows(query).await.unwrap_or_else(|error| panic!("{query}: {}", chain(&error)));
        connection.close().await;
        rows.concat()
    })
}

fn told(result: Result<impl Sized, RestoreError>) -> String {
    result.map(drop).map_err(|error| format!("{}. {}", error.line(), error.advice())).expect_err("an error")
}

/// Saves, changes, brings back: the database is what it was, nothing else is there, and the files are private.
fn there_and_back(url: &ConnectionUrl, changes: &[&str]) -> (Place, Point) {
    let place = Place::new();
    let before = print(url);
    let point =
        place.save(url, PointProof::Full).unwrap_or_else(|error| panic!("{}: {}", error.line(), error.advice()));
    assert_eq!(point.fingerprint.differences(&before), Vec::<String>::new());
    assert_eq!((point.proof, point.means), (PointProof::Full, Means::Dump));
    assert!(point.bytes > 0 && point.bytes < point.plain, "{} of {}", point.bytes, point.plain);
    files(place.directory.path(), &mut |path, mode, bytes| {
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode & 0o777, wanted, "{}", path.display());
        let secret = bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
        assert!(!secret, "the password is in {}", path.display());
        let name = path.display().to_string();
        assert!(!name.contains("part") && !name.ends_with(".sqlite"), "{name} was left over");
    });
    wait(run(url, changes));
    assert_ne!(before.differences(&print(url)), Vec::<String>::new(), "the changes change nothing");
    place.back(url).unwrap_or_else(|error| panic!("{}: {}", error.line(), error.advice()));
    assert_eq!(before.differences(&print(url)), Vec::<String>::new());
    assert_eq!(before, print(url));
    (place, point)
}

fn files(directory: &Path, see: &mut impl FnMut(&Path, u32, &[u8])) {
    for entry in std::fs::read_dir(directory).expect("readable") {
        let path = entry.expect("an entry").path();
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        let bytes = if path.is_dir() { Vec::new() } else { std::fs::read(&path).expect("readable") };
        see(&path, mode, &bytes);
        if path.is_dir() {
            files(&path, see);
        }
    }
}

/// A database of the test bed with odd data, its user, and the right to make scratch databases.
fn odd_mariadb(story: &str) -> (Database, ConnectionUrl) {
    let database = Server::find().database(story);
    let url = database.allowed();
    database.grant("ALL ON `leapfrog\\_scratch\\_%`.*");
    let all_bytes: String = (0..=255).map(|byte| format!("{byte:02x}")).collect();
    let statements = [
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)".to_owned(),
        "INSERT INTO alembic_version VALUES ('960aac0e09ea')".to_owned(),
        "CREATE TABLE `odd ``name``, \"quoted\"` (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, b VARBINARY(300), \
         l LONGBLOB, j JSON, t TEXT CHARACTER SET utf8mb4, n VARCHAR(10) NULL, e ENUM('a','b''c') NULL, \
         d DECIMAL(30,10), f FLOAT, g DOUBLE, s TIMESTAMP(6) NULL, m DATETIME(6) NULL, z BIT(9), \
         v INT GENERATED ALWAYS AS (length(t)) VIRTUAL, p INT GENERATED ALWAYS AS (length(b)) STORED) CHARACTER SET utf8mb4"
            .to_owned(),
        format!(
            "INSERT INTO `odd ``name``, \"quoted\"` (b, l, j, t, n, e, d, f, g, s, m, z) VALUES \
             (x'{all_bytes}', REPEAT(x'{all_bytes}', 32768), '{{\"a\": [1, null, \"x\\\\u0000\\\\n''\"]}}', \
             'Straße \u{1f438} \\\\ \\0 \\r\\n \\t '' \" ; -- DROP', NULL, 'b''c', 12345678901234567890.0123456789, \
             1.1, 0.1, '2024-03-31 01:30:00.123456', '0001-01-01 00:00:00.000001', b'101010101')"
        ),
        "INSERT INTO `odd ``name``, \"quoted\"` (t) VALUES (NULL), (''), ('NULL'), ('\\\\N')".to_owned(),
        "CREATE TABLE chicken (id INT PRIMARY KEY, egg INT)".to_owned(),
        "CREATE TABLE egg (id INT PRIMARY KEY, chicken INT, FOREIGN KEY (chicken) REFERENCES chicken (id))".to_owned(),
        "INSERT INTO chicken VALUES (1, 1)".to_owned(),
        "INSERT INTO egg VALUES (1, 1)".to_owned(),
        "ALTER TABLE chicken ADD FOREIGN KEY (egg) REFERENCES egg (id)".to_owned(),
        "CREATE VIEW eggs AS SELECT c.id, e.id AS egg FROM chicken c JOIN egg e ON e.chicken = c.id".to_owned(),
        "CREATE TRIGGER no_more BEFORE INSERT ON egg FOR EACH ROW SET NEW.chicken = NULL".to_owned(),
        "CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC RETURN 2 * x".to_owned(),
        "CREATE TABLE empty_one (a INT)".to_owned(),
    ];
    wait(run(&url, &statements.each_ref().map(String::as_str)));
    (database, url)
}

const MARIADB_CHANGES: &[&str] = &[
    "DELETE FROM `odd ``name``, \"quoted\"` WHERE id = 1",
    "UPDATE alembic_version SET version_num = 'ffffffffffff'",
    "DROP VIEW eggs",
    "SET FOREIGN_KEY_CHECKS = 0",
    "DROP TABLE egg",
    "ALTER TABLE chicken ADD COLUMN later INT",
    "CREATE TABLE later (id INT PRIMARY KEY, chicken INT, FOREIGN KEY (chicken) REFERENCES chicken (id))",
    "CREATE VIEW later_view AS SELECT * FROM later",
];

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_mariadb_with_odd_data_comes_back_as_it_was() {
    let (database, url) = odd_mariadb("odd");
    let (place, point) = there_and_back(&url, MARIADB_CHANGES);
    assert_eq!(point.heads.to_string(), "960aac0e09ea");
    let odd = "SELECT LENGTH(l), HEX(LEFT(l, 3)), HEX(t), f, v FROM `odd ``name``, \"quoted\"` WHERE id = 1";
    let text = "Straße \u{1f438} \\ \0 \r\n \t ' \" ; -- DROP";
    let hex: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
    let length = text.len().to_string();
    assert_eq!(cells(&url, odd), ["8388608", "000102", &hex, "1.1", &length].map(|cell| Some(cell.to_owned())));
    // The scratch database is gone.
    let query = format!("SHOW DATABASES LIKE '{}'", scratch_name(&url).replace('_', "\\_"));
    assert_eq!(cells(&database.root(), &query), []);
    // It is this database's and no other's: a copy's must not replace the original.
    let other = Server::find().database("odd_other");
    other.run(&["CREATE TABLE theirs (a INT)"]);
    let text = told(place.back(&other.root()));
    assert!(text.contains("find the database that was dumped") && text.contains(&other.name), "{text}");
    assert_eq!(cells(&other.root(), "SHOW TABLES"), [Some("theirs".to_owned())]);
    // A dump that was touched is noticed before anything is removed.
    let dump = place.dump(&point);
    let mut bytes = std::fs::read(&dump).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&dump, &bytes).expect("written");
    let text = told(place.back(&url));
    assert!(text.contains("its sum is not") || text.contains("cannot be expanded"), "{text}");
    assert_eq!(cells(&url, "SELECT COUNT(*) FROM egg"), [Some("1".to_owned())]);
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn on_mariadb_a_missing_privilege_is_said_beforehand_with_what_mends_it() {
    let database = Server::find().database("scratchless");
    let allowed = database.allowed();
    wait(run(&allowed, &["CREATE TABLE a (b INT)"]));
    let place = Place::new();
    let databases = [("keystone".parse().expect("valid"), allowed.clone())].into();
    let lacking = wait(lacks(&databases, PointProof::Full, &place.setting, Way::Try));
    let [lack] = &lacking[..] else { panic!("{lacking:?}") };
    let advice = lack.error.advice();
    // Who only asks hears the same.
    let asked = wait(lacks(&databases, PointProof::Full, &place.setting, Way::Ask));
    assert!(matches!(&asked[..], [lack] if lack.error.advice() == advice), "{asked:?}");
    let grant = format!("GRANT ALL ON `leapfrog\\_scratch\\_%`.* TO '{}'@'%';", database.name);
    assert!(advice.contains(&grant), "{advice}");
    assert!(
        wait(lacks(&databases, PointProof::Off, &place.setting, Way::Try)).is_empty(),
        "without proof none is needed"
    );
    let point = place.save(&allowed, PointProof::Off).expect("saved");
    assert_eq!(point.proof, PointProof::Off);
    database.grant("ALL ON `leapfrog\\_scratch\\_%`.*");
    assert!(wait(lacks(&databases, PointProof::Full, &place.setting, Way::Try)).is_empty());
    assert!(wait(lacks(&databases, PointProof::Full, &place.setting, Way::Ask)).is_empty());
    // Somebody else's database of that name is left alone.
    let scratch = scratch_name(&allowed);
    database.run(&[&format!("CREATE DATABASE {scratch}"), &format!("CREATE TABLE {scratch}.theirs (a INT)")]);
    let text = told(place.save(&allowed, PointProof::Full));
    database.run(&[&format!("DROP DATABASE {scratch}")]);
    assert!(text.contains("there is one already, with tables that leapfrog did not make"), "{text}");
    // One that a dead leapfrog left is dropped.
    database.run(&[&format!("CREATE DATABASE {scratch}"), &format!("CREATE TABLE {scratch}.leapfrog_scratch (a INT)")]);
    place.save(&allowed, PointProof::Full).unwrap_or_else(|error| panic!("{}", error.line()));
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_scratch_database_is_known_as_ours_until_nothing_is_left_of_it() {
    let database = Server::find().database("halfdropped");
    let url = database.allowed();
    database.grant("ALL ON `leapfrog\\_scratch\\_%`.*");
    let name = scratch_name(&url);
    let scratch = url.clone().with_name(name.clone());
    database.run(&[
        &format!("CREATE DATABASE {name}"),
        &format!("CREATE TABLE {name}.{MARKER} (made INTEGER)"),
        &format!("CREATE TABLE {name}.a (id INTEGER PRIMARY KEY)"),
        &format!("CREATE TABLE {name}.z (a INTEGER, FOREIGN KEY (a) REFERENCES {name}.a (id))"),
        &format!("CREATE VIEW {name}.v AS SELECT * FROM {name}.a"),
    ]);
    wait(async {
        // Whoever reads the marker holds up its removal, and nothing else's: here a server could die.
        let mut reader = connect(&scratch, TIMEOUT).await.expect("a connection");
        reader.rows("START TRANSACTION").await.expect("a transaction");
        reader.rows(&format!("SELECT * FROM {MARKER}")).await.expect("the marker");
        let released = async {
            let query = format!("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{name}'");
            let mut seen = Vec::new();
            for _ in 0..100 {
                seen = reader.rows(&query).await.expect("tables").into_iter().flatten().flatten().collect::<Vec<_>>();
                if seen.len() < 2 {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            reader.close().await;
            seen
        };
        let (made, seen) = tokio::join!(Scratch::make(&url, ScratchUse::Proof, TIMEOUT), released);
        assert_eq!(seen, [MARKER]);
        made.expect("the old one is dropped").drop().await.expect("dropped");
    });
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn a_postgresql_with_odd_data_comes_back_as_it_was() {
    let cluster = Cluster::shared();
    let url = cluster.database("odd_points");
    wait(run(
        &url,
        &[
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
            "INSERT INTO alembic_version VALUES ('960aac0e09ea')",
            "CREATE TYPE mood AS ENUM ('sad', 'o''k', 'happy')",
            "CREATE TABLE \"odd \"\"name\"\"\" (id BIGSERIAL PRIMARY KEY, b BYTEA, j JSON, jb JSONB, t TEXT, a INT[], m mood, \
             n NUMERIC, f REAL, g DOUBLE PRECISION, s TIMESTAMPTZ, u UUID, v INT GENERATED ALWAYS AS (length(t)) STORED)",
            "INSERT INTO \"odd \"\"name\"\"\" (b, j, jb, t, a, m, n, f, g, s, u) VALUES \
             (decode(repeat('00ff5c27', 2000000), 'hex'), '{\"a\":  [1, null]}', '{\"b\": \"\u{1f438}\"}', \
             E'Straße \u{1f438} \\\\. \\r\\n \\t '' \" ; -- DROP', '{1,NULL,3}', 'o''k', 12345678901234567890.0123456789, \
             1.1, 0.1, '2024-03-31 01:30:00.123456+02', '00000000-0000-0000-0000-000000000001')",
            "INSERT INTO \"odd \"\"name\"\"\" (t) VALUES (NULL), (''), ('NULL'), (E'\\\\N'), (E'\\\\.')",
            "CREATE TABLE chicken (id INT PRIMARY KEY, egg INT)",
            "CREATE TABLE egg (id INT PRIMARY KEY, chicken INT REFERENCES chicken (id))",
            "INSERT INTO chicken VALUES (1, 1); INSERT INTO egg VALUES (1, 1)",
            "ALTER TABLE chicken ADD FOREIGN KEY (egg) REFERENCES egg (id) DEFERRABLE",
            "CREATE VIEW eggs AS SELECT c.id, e.id AS egg FROM chicken c JOIN egg e ON e.chicken = c.id",
            "CREATE FUNCTION no_more() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "CREATE TRIGGER no_more BEFORE INSERT ON egg FOR EACH ROW EXECUTE FUNCTION no_more()",
            "CREATE INDEX odd_index ON chicken (egg) WHERE egg > 1",
        ],
    ));
    let changes = [
        "DELETE FROM \"odd \"\"name\"\"\" WHERE id = 1",
        "UPDATE alembic_version SET version_num = 'ffffffffffff'",
        "ALTER TYPE mood ADD VALUE 'later'",
        "DROP VIEW eggs",
        "DROP TABLE egg CASCADE",
        "CREATE TABLE later (id SERIAL PRIMARY KEY, chicken INT REFERENCES chicken (id))",
        "CREATE VIEW later_view AS SELECT * FROM later",
    ];
    let (place, point) = there_and_back(&url, &changes);
    assert_eq!(point.heads.to_string(), "960aac0e09ea");
    let found = cells(&url, "SELECT length(b), t, f FROM \"odd \"\"name\"\"\" WHERE id = 1");
    let text = "Straße \u{1f438} \\. \r\n \t ' \" ; -- DROP";
    assert_eq!(found, ["8000000", text, "1.1"].map(|cell| Some(cell.to_owned())));
    let left = format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", scratch_name(&url));
    assert_eq!(cells(&url, &left), [Some("0".to_owned())]);
    // A dump that was touched changes nothing.
    let dump = place.dump(&point);
    let bytes = std::fs::read(&dump).expect("readable");
    std::fs::write(&dump, &bytes[..bytes.len() / 2]).expect("written");
    let text = told(place.back(&url));
    assert!(text.contains("cannot be expanded"), "{text}");
    assert_eq!(cells(&url, "SELECT count(*) FROM egg"), [Some("1".to_owned())]);
}

/// An SQLite file with odd data.
fn odd_sqlite() -> (TempDir, ConnectionUrl) {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("keystone.db");
    std::fs::write(&path, "").expect("a file");
    let url = url(&format!("sqlite:///{}", path.display()));
    wait(run(
        &url,
        &[
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
            "INSERT INTO alembic_version VALUES ('960aac0e09ea')",
            "CREATE TABLE \"odd \"\"name\"\"\" (id INTEGER PRIMARY KEY, b BLOB, t TEXT, r REAL)",
            "INSERT INTO \"odd \"\"name\"\"\" (b, t, r) VALUES (zeroblob(3000000), 'Straße \u{1f438} '' \" ; --', 0.1)",
            "INSERT INTO \"odd \"\"name\"\"\" (b, t) VALUES (x'00ff27', CAST(x'ff00fe' AS TEXT)), (NULL, NULL)",
            "CREATE TABLE chicken (id INTEGER PRIMARY KEY, egg INTEGER REFERENCES egg (id))",
            "CREATE TABLE egg (id INTEGER PRIMARY KEY, chicken INTEGER REFERENCES chicken (id))",
            "CREATE VIEW eggs AS SELECT id FROM egg",
            "CREATE TRIGGER no_more AFTER INSERT ON egg BEGIN DELETE FROM egg WHERE id = NEW.id; END",
        ],
    ));
    (directory, url)
}

#[test]
fn an_sqlite_file_with_odd_data_comes_back_as_it_was() {
    let (directory, url) = odd_sqlite();
    std::fs::set_permissions(directory.path().join("keystone.db"), PermissionsExt::from_mode(0o640)).expect("set");
    let changes = [
        "DELETE FROM \"odd \"\"name\"\"\" WHERE id = 1",
        "UPDATE alembic_version SET version_num = 'ffffffffffff'",
        "DROP TABLE chicken",
        "CREATE TABLE later (id INTEGER)",
    ];
    let (place, point) = there_and_back(&url, &changes);
    let mode = std::fs::metadata(directory.path().join("keystone.db")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "the file keeps its mode");
    let dump = place.dump(&point);
    std::fs::write(&dump, b"no dump").expect("written");
    let text = told(place.back(&url));
    assert!(text.contains("cannot be expanded"), "{text}");
    assert_eq!(cells(&url, "SELECT count(*) FROM chicken"), [Some("0".to_owned())]);
    let names: Vec<_> =
        std::fs::read_dir(directory.path()).expect("readable").flatten().map(|e| e.file_name()).collect();
    assert!(names.iter().all(|name| name == "keystone.db" || name == "keystone.db.leapfrog-restore"), "{names:?}");
}

#[test]
fn commands_of_the_operator_take_the_place_of_dumps() {
    let (directory, url) = odd_sqlite();
    let mut place = Place::new();
    let script = |text: &str| -> Vec<String> { ["/bin/sh", "-c", text].map(str::to_owned).into() };
    let copy = directory.path().join("copy");
    place.setting.snapshots = Some(Snapshots {
        save: script(&format!("test -n \"$LEAPFROG_POINT\" && cp \"$LEAPFROG_NAME\" {}", copy.display())),
        restore: script(&format!("cp {} \"$LEAPFROG_NAME\"", copy.display())),
        remove: None,
    });
    let before = print(&url);
    let point = place.save(&url, PointProof::Full).unwrap_or_else(|error| panic!("{}", error.line()));
    assert_eq!((point.means, point.proof, point.file), (Means::Snapshot, PointProof::Off, None));
    wait(run(&url, &["CREATE TABLE later (id INTEGER)"]));
    place.back(&url).unwrap_or_else(|error| panic!("{}", error.line()));
    assert_eq!(print(&url), before);
    // What says that it restored and did not is not believed.
    wait(run(&url, &["CREATE TABLE later (id INTEGER)"]));
    let lying = script("true");
    place.setting.snapshots.as_mut().expect("there").restore = lying;
    let text = told(place.back(&url));
    assert!(text.contains("table later should not be there"), "{text}");
    let failing = script("echo no space left >&2; exit 3");
    place.setting.snapshots.as_mut().expect("there").save = failing;
    let text = told(place.save(&url, PointProof::Full));
    assert!(text.contains("take a snapshot") && text.contains("no space left"), "{text}");
}
