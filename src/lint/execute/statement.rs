//! What is done with a statement when it is run once more, and in which words a server says what it costs.

use serde::Serialize;

use super::heard::words;
use crate::lint::cost::{Waits, Way};
use crate::lint::operation::{Change, Engines, Operation};
use crate::lint::read::read_sql;
use crate::lint::server::{Server, Target};
use crate::model::Engine;

/// How MySQL or MariaDB changes a table, the cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Algorithm {
    /// Its description alone.
    Instant,
    /// Without writing its rows anew; MariaDB alone says so.
    Nocopy,
    /// In place: rows are written anew, or an index is built, or neither.
    Inplace,
    /// Copied row by row.
    Copy,
}

/// What MySQL or MariaDB lets go on meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Lock {
    /// Reads and writes.
    None,
    /// Reads.
    Shared,
    /// Nothing.
    Exclusive,
}

impl Algorithm {
    /// The word of the clause.
    pub fn word(self) -> &'static str {
        match self {
            Self::Instant => "INSTANT",
            Self::Nocopy => "NOCOPY",
            Self::Inplace => "INPLACE",
            Self::Copy => "COPY",
        }
    }
}

impl Lock {
    /// The word of the clause.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Shared => "SHARED",
            Self::Exclusive => "EXCLUSIVE",
        }
    }
}

/// One way to ask for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// How the table is to be changed.
    pub algorithm: Algorithm,
    /// What is to go on; INSTANT is asked for without.
    pub lock: Option<Lock>,
    /// The statement.
    pub statement: String,
}

/// What is done with a statement that is run once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// Nothing: it is about rows, and there are none.
    Not,
    /// It is run as it is.
    AsItIs,
    /// It is asked for in these ways, the cheapest first, and run as it is if all are refused.
    Cheapest(Vec<Attempt>),
}

/// Whether a statement changes a schema.
pub(super) fn changes_schema(statement: &str) -> bool {
    matches!(words(statement).next().unwrap_or_default().as_str(), "ALTER" | "CREATE" | "DROP" | "RENAME" | "COMMENT")
}

/// What the statement does, in the words of the lint.
pub(super) fn operations(statement: &str, engine: Engine) -> Vec<Operation> {
    read_sql(statement, Engines::only(engine))
}

/// What is done with a statement on a server.
pub fn again(statement: &str, target: Target) -> Again {
    let said: Vec<String> = words(statement).take(3).collect();
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    let is_of_mysql = target.server.engine() == Engine::Mysql;
    if said.first() == Some(&"SET") {
        // What decides whether and how a table is changed.
        let decides = ["FOREIGN_KEY_CHECKS", "SQL_MODE"];
        let matters = is_of_mysql && words(statement).any(|word| decides.contains(&word.as_str()));
        return if matters { Again::AsItIs } else { Again::Not };
    }
    if !changes_schema(statement) {
        return Again::Not;
    }
    if !is_of_mysql {
        return Again::AsItIs;
    }
    let statement = statement.trim().trim_end_matches(';');
    match said[..] {
        ["ALTER", "TABLE", ..] => Again::Cheapest(attempts(statement, ", ", target)),
        ["CREATE", "INDEX", ..] | ["CREATE", "UNIQUE", "INDEX"] => Again::Cheapest(attempts(statement, " ", target)),
        // It takes no such clauses everywhere.
        ["DROP", "INDEX", ..] => match &operations(statement, Engine::Mysql)[..] {
            [Operation { change: Change::DropIndex { name: Some(name) }, table: Some(table), .. }] => {
                let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
                let statement = format!("ALTER TABLE {} DROP INDEX {}", quoted(table), quoted(name));
                Again::Cheapest(attempts(&statement, ", ", target))
            }
            _ => Again::AsItIs,
        },
        _ => Again::AsItIs,
    }
}

fn attempts(statement: &str, joint: &str, target: Target) -> Vec<Attempt> {
    use {Algorithm as A, Lock as L};
    let mut ways = vec![(A::Instant, None)];
    let others: &[A] =
        if target.server == Server::Mariadb { &[A::Nocopy, A::Inplace, A::Copy] } else { &[A::Inplace, A::Copy] };
    ways.extend(others.iter().flat_map(|algorithm| [L::None, L::Shared].map(|lock| (*algorithm, Some(lock)))));
    let attempt = |(algorithm, lock): (A, Option<L>)| {
        let lock_clause = lock.map(|lock| format!("{joint}LOCK={}", lock.word())).unwrap_or_default();
        let statement = format!("{statement}{joint}ALGORITHM={}{lock_clause}", algorithm.word());
        Attempt { algorithm, lock, statement }
    };
    ways.into_iter().map(attempt).collect()
}

/// What a server showed of a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measure {
    /// The first algorithm that MySQL or MariaDB accepted; absent where none was asked for, or none accepted.
    pub algorithm: Option<Algorithm>,
    /// What it let go on.
    pub lock: Option<Lock>,
    /// The locks that PostgreSQL held, the strongest of each table: `AccessExclusiveLock`.
    pub held: std::collections::BTreeMap<String, String>,
    /// The tables that PostgreSQL wrote anew.
    pub rewritten: std::collections::BTreeSet<String>,
    /// Why it was not run once more: what the server said.
    pub failed: Option<String>,
}

impl Measure {
    /// What is known of how the table is changed, and of who waits: each absent where that says nothing.
    pub(super) fn cost(&self, table: Option<&str>, server: Server) -> (Option<Way>, Option<Waits>) {
        if server == Server::Postgresql {
            let rewritten = table.is_some_and(|table| self.rewritten.contains(table));
            return (rewritten.then_some(Way::Copied), None);
        }
        let way = match self.algorithm {
            Some(Algorithm::Instant) => Some(Way::Instant),
            Some(Algorithm::Nocopy) => Some(Way::Read),
            // What can be done without writing rows anew, MariaDB would have done so.
            Some(Algorithm::Inplace) => (server == Server::Mariadb).then_some(Way::Rebuilt),
            Some(Algorithm::Copy) => Some(Way::Copied),
            None => None,
        };
        let waits = self.lock.map(|lock| match lock {
            Lock::None => Waits::Nothing,
            Lock::Shared => Waits::Writes,
            Lock::Exclusive => Waits::All,
        });
        (way, waits)
    }

    /// In words: `ALGORITHM=COPY, LOCK=SHARED`, `AccessExclusiveLock on t, rewrites t`. Nothing where nothing was seen.
    pub fn words(&self) -> String {
        let held = |(table, mode): (&String, &String)| format!("{mode} on {table}");
        let algorithm = self.algorithm.map(|algorithm| format!("ALGORITHM={}", algorithm.word()));
        let lock = self.lock.map(|lock| format!("LOCK={}", lock.word()));
        let rewritten = self.rewritten.iter().map(|table| format!("rewrites {table}"));
        let failed = self.failed.iter().map(|why| format!("not run again: {why}"));
        let parts = algorithm.into_iter().chain(lock).chain(self.held.iter().map(held)).chain(rewritten).chain(failed);
        parts.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(statement: &str, server: Server) -> Vec<String> {
        match again(statement, Target::usual(server)) {
            Again::Not => vec!["not".to_owned()],
            Again::AsItIs => vec!["as it is".to_owned()],
            Again::Cheapest(attempts) => attempts.into_iter().map(|attempt| attempt.statement).collect(),
        }
    }

    #[test]
    fn a_change_is_asked_for_the_cheapest_way_first() {
        let found = told("ALTER TABLE a MODIFY b INT;", Server::Mariadb);
        assert_eq!(found.len(), 7);
        assert_eq!(found[0], "ALTER TABLE a MODIFY b INT, ALGORITHM=INSTANT");
        assert_eq!(found[1], "ALTER TABLE a MODIFY b INT, ALGORITHM=NOCOPY, LOCK=NONE");
        assert_eq!(found[6], "ALTER TABLE a MODIFY b INT, ALGORITHM=COPY, LOCK=SHARED");
        let found = told("CREATE UNIQUE INDEX i ON a (b)", Server::Mysql);
        assert_eq!(found.len(), 5);
        assert_eq!(found[1], "CREATE UNIQUE INDEX i ON a (b) ALGORITHM=INPLACE LOCK=NONE");
        assert_eq!(told("DROP INDEX i ON a", Server::Mariadb)[0], "ALTER TABLE `a` DROP INDEX `i`, ALGORITHM=INSTANT");
    }

    #[test]
    fn rows_are_left_alone_and_what_takes_no_algorithm_is_run_as_it_is() {
        for (statement, expected) in [
            ("UPDATE a SET b = 1", "not"),
            ("SET NAMES utf8", "not"),
            ("SET SESSION sql_mode = 'TRADITIONAL'", "as it is"),
            ("SET foreign_key_checks = 0", "as it is"),
            ("CREATE TABLE a (b INT)", "as it is"),
            ("DROP TABLE a", "as it is"),
        ] {
            assert_eq!(told(statement, Server::Mysql), [expected], "{statement}");
        }
        assert_eq!(told("ALTER TABLE a ADD b INT", Server::Postgresql), ["as it is"]);
        assert_eq!(told("SET sql_mode = ''", Server::Postgresql), ["not"]);
    }
}
