//! SQLite files.

use leapfrog::database::{ConnectError, connect};
use leapfrog::model::ConnectionUrl;
use tempfile::TempDir;

use super::{LONG_LIFE, TIMEOUT, change, refusal, run, seen, url, wait};

fn file(directory: &TempDir, name: &str) -> ConnectionUrl {
    url(&format!("sqlite:///{}", directory.path().join(name).display()))
}

/// An empty database, which is an empty file.
fn empty() -> (TempDir, ConnectionUrl) {
    let directory = TempDir::new().expect("a directory");
    std::fs::write(directory.path().join("k.db"), "").expect("a file");
    let url = file(&directory, "k.db");
    (directory, url)
}

#[test]
fn both_version_tables_are_read_and_look_alikes_are_not() {
    let (_directory, url) = empty();
    assert_eq!(wait(seen(&url)), ("none / ".to_owned(), 0));
    wait(run(&url, &LONG_LIFE));
    assert_eq!(wait(seen(&url)), ("960aac0e09ea / nova=422".to_owned(), 5));
}

#[test]
fn a_file_is_only_read_and_never_made() {
    let (directory, url) = empty();
    wait(run(&url, &["CREATE TABLE t (i INT)"]));
    let (error, text) = wait(refusal(&file(&directory, "missing.db"), TIMEOUT));
    assert!(matches!(error, ConnectError::File { .. }), "{text}");
    assert!(text.contains("No such file") && !directory.path().join("missing.db").exists(), "{text}");
    wait(async {
        let mut connection = connect(&url, TIMEOUT).await.expect("a connection");
        assert!(change(&mut connection, "INSERT INTO t VALUES (1)").await.contains("readonly"));
        let rows = connection.rows("SELECT 7, NULL, 'é', 1.5").await.expect("a row");
        let row: Vec<Option<&str>> = rows[0].iter().map(Option::as_deref).collect();
        assert_eq!(row, [Some("7"), None, Some("é"), Some("1.5")]);
    });
}

#[test]
fn a_file_that_is_no_database_says_so() {
    let (directory, url) = empty();
    std::fs::write(directory.path().join("k.db"), "a".repeat(4096)).expect("a file");
    let error = wait(async {
        let mut connection = match connect(&url, TIMEOUT).await {
            Ok(connection) => connection,
            Err(error) => return leapfrog::database::chain(&error),
        };
        leapfrog::database::chain(&leapfrog::observe::heads(&mut connection).await.expect_err("no database"))
    });
    assert!(error.contains("file is not a database"), "{error}");
}
