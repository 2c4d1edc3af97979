//! What the test bed's MariaDB was told: its general log, for as long as a test wants it.
//!
//! Other tests use the server meanwhile. Their records are told apart by the user; a thread's database stands in the
//! record of its connection.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cloud::testbed;

/// The log, switched on. It is off and empty again when this goes, as the test bed's server has it, also where a test ends by
/// a panic.
pub(crate) struct Log {
    _one: MutexGuard<'static, ()>,
}

/// One at a time has it: whoever switches it off does that for all.
static ONE: Mutex<()> = Mutex::new(());

/// What one thread of the server was told between two notes of where the schema stands.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// The revision that was noted at its end; none where the connection ended without.
    pub(crate) revision: Option<String>,
    /// All statements but those that only read.
    pub(crate) statements: Vec<String>,
}

/// A record of the log.
struct Record {
    thread: u64,
    kind: String,
    text: String,
}

const OFF: &str = "SET GLOBAL general_log = OFF; SET GLOBAL log_output = 'FILE'; TRUNCATE TABLE general_log;";

impl Log {
    pub(crate) fn begin() -> Self {
        // It is there before anything is switched on: what fails after that switches it off.
        let log = Self { _one: ONE.lock().unwrap_or_else(PoisonError::into_inner) };
        testbed(&["sql", "mysql"], &format!("{OFF} SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = ON;"));
        log
    }

    /// What a user's connections told each database, in order.
    pub(crate) fn of(&self, user: &str) -> BTreeMap<String, Vec<Stretch>> {
        let query = "SELECT thread_id, command_type, HEX(argument) FROM general_log";
        let told = testbed(&["sql", "mysql"], &format!("{query} WHERE user_host LIKE '%[{user}] @%';"));
        stretches(told.lines().map(record))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What failed is told already; a second panic would hide it.
            let _ = std::panic::catch_unwind(|| testbed(&["sql", "mysql"], OFF));
        } else {
            testbed(&["sql", "mysql"], OFF);
        }
    }
}

fn record(line: &str) -> Record {
    let parts: Vec<&str> = line.split('\t').collect();
    let [thread, kind, hex] = parts[..] else { panic!("not three columns: {line}") };
    let digits: Vec<u8> = hex.bytes().map(|digit| char::from(digit).to_digit(16).unwrap() as u8).collect();
    let bytes = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    Record { thread: thread.parse().unwrap(), kind: kind.to_owned(), text: String::from_utf8(bytes).unwrap() }
}

fn stretches(records: impl Iterator<Item = Record>) -> BTreeMap<String, Vec<Stretch>> {
    let mut found: BTreeMap<String, Vec<Stretch>> = BTreeMap::new();
    let mut open: BTreeMap<u64, (String, Vec<String>)> = BTreeMap::new();
    for Record { thread, kind, text } in records {
        let (database, statements) = open.entry(thread).or_default();
        match kind.as_str() {
            "Connect" => {
                let named = text.split_once(" on ").map_or("", |(_, after)| after);
                *database = named.split(" using ").next().unwrap_or_default().to_owned();
            }
            "Init DB" => *database = text,
            "Query" | "Execute" if reads(&text) => {}
            "Query" | "Execute" => match noted(&text) {
                Some(Some(revision)) => {
                    let statements = std::mem::take(statements);
                    found.entry(database.clone()).or_default().push(Stretch { revision: Some(revision), statements });
                }
                Some(None) => {}
                None => statements.push(text),
            },
            "Quit" | "Prepare" | "Close stmt" | "Reset stmt" | "Reset connection" | "Ping" => {}
            other => panic!("the server's log has {other:?} with {text:?}: nobody knows what that does"),
        }
    }
    for (database, statements) in open.into_values().filter(|(_, statements)| !statements.is_empty()) {
        found.entry(database).or_default().push(Stretch { revision: None, statements });
    }
    found
}

/// Whether a statement changes nothing but the connection's own state.
fn reads(text: &str) -> bool {
    const READS: [&str; 12] = [
        "SELECT",
        "SHOW",
        "DESCRIBE",
        "DESC",
        "EXPLAIN",
        "SET",
        "COMMIT",
        "ROLLBACK",
        "BEGIN",
        "START",
        "SAVEPOINT",
        "RELEASE",
    ];
    let first = text.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
    let first = first.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let global = text.to_ascii_uppercase().contains("GLOBAL");
    READS.contains(&first.to_ascii_uppercase().as_str()) && !(first.eq_ignore_ascii_case("SET") && global)
}

/// Whether a statement is alembic's own note of where the schema stands, and where that is.
fn noted(text: &str) -> Option<Option<String>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match &words[..] {
        ["DELETE", "FROM", "alembic_version", ..] => Some(None),
        ["UPDATE", "alembic_version", ..] | ["INSERT", "INTO", "alembic_version", ..] => {
            Some(Some(text.split('\'').nth(1).unwrap_or_else(|| panic!("no revision in {text}")).to_owned()))
        }
        _ => None,
    }
}

#[test]
fn a_statement_belongs_to_the_revision_that_its_connection_notes_next() {
    let lines = [
        (1, "Connect", "me@127.0.0.1 on me_nova using TCP/IP"),
        (2, "Connect", "me@127.0.0.1 on me_glance using TCP/IP"),
        (1, "Query", "ALTER TABLE a DROP COLUMN b"),
        (2, "Query", "DROP TABLE c"),
        (1, "Query", "(SELECT 1)"),
        (1, "Query", "SET NAMES utf8"),
        (1, "Query", "UPDATE alembic_version SET version_num='x2' WHERE alembic_version.version_num = 'x1'"),
        (2, "Query", "INSERT INTO alembic_version (version_num) VALUES ('y1')"),
        (1, "Query", "DELETE FROM a"),
        (1, "Query", "SET GLOBAL x = 1"),
        (1, "Quit", ""),
    ];
    let records =
        lines.map(|(thread, kind, text)| Record { thread, kind: kind.to_owned(), text: text.to_owned() }).into_iter();
    let stretch = |revision: Option<&str>, statements: &[&str]| Stretch {
        revision: revision.map(str::to_owned),
        statements: statements.iter().map(|one| (*one).to_owned()).collect(),
    };
    let expected = BTreeMap::from([
        ("me_glance".to_owned(), vec![stretch(Some("y1"), &["DROP TABLE c"])]),
        (
            "me_nova".to_owned(),
            vec![
                stretch(Some("x2"), &["ALTER TABLE a DROP COLUMN b"]),
                stretch(None, &["DELETE FROM a", "SET GLOBAL x = 1"]),
            ],
        ),
    ]);
    assert_eq!(stretches(records), expected);
    assert_eq!(record("7\tQuery\t415F").text, "A_");
}

#[test]
#[ignore = "needs the test bed: make test"]
fn a_test_that_ends_by_a_panic_leaves_the_log_off() {
    let switched = || testbed(&["sql", "mysql"], "SELECT @@GLOBAL.general_log, @@GLOBAL.log_output;").trim().to_owned();
    let ended: Result<(), _> = std::panic::catch_unwind(|| {
        let _log = Log::begin();
        std::panic::resume_unwind(Box::new(switched()))
    });
    let was: Box<String> = ended.expect_err("it ends so").downcast().expect("words");
    assert_eq!(*was, "1\tTABLE");
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(switched(), "0\tFILE");
}
