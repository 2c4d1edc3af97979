//! How a database file is known that a command wrote beside the database it was told of.

use camino::Utf8Path;

/// How the names of database files end: keystone.db, barbican.sqlite, and what else is usual.
const ENDINGS: [&str; 6] = ["db", "db3", "s3db", "sdb", "sqlite", "sqlite3"];

/// What a SQLite file begins with.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";

/// Whether a file has the name of a database.
pub(super) fn may_be_database(path: &Utf8Path) -> bool {
    path.extension().is_some_and(|ending| ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
}
