//! What a statement that a server ran does: its operations, one for each clause.
//!
//! By the first words alone, with a list of the forms that migrations have, and by nothing that the lint has: a mistake in
//! how it reads SQL is not to be made twice. A form that is not in the list ends the test.

use std::iter::once;

/// An operation that was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Executed {
    /// What it does: the second column of [`FORMS`].
    pub(crate) kind: &'static str,
    pub(crate) table: Option<String>,
    /// The column, index or constraint that it names.
    pub(crate) name: Option<String>,
    /// The words that say it, without values.
    pub(crate) shown: String,
    /// Whether it is an index that SQLAlchemy makes right after the table that it made.
    pub(crate) of_new_table: bool,
}

/// How statements begin, and what those do. `T` is a table, `N` another name; the first that fits counts.
const FORMS: &[(&str, &str)] = &[
    ("CREATE TABLE IF NOT EXISTS T", "create table"),
    ("CREATE TABLE T", "create table"),
    ("DROP TABLE IF EXISTS T", "drop table"),
    ("DROP TABLE T", "drop table"),
    ("RENAME TABLE T", "rename table"),
    ("CREATE INDEX N ON T", "create index"),
    ("CREATE UNIQUE INDEX N ON T", "create index"),
    ("DROP INDEX N ON T", "drop index"),
    ("ALTER TABLE T ADD COLUMN N", "add column"),
    ("ALTER TABLE T ADD CONSTRAINT N FOREIGN KEY", "add foreign key"),
    ("ALTER TABLE T ADD CONSTRAINT N UNIQUE", "add unique"),
    ("ALTER TABLE T ADD CONSTRAINT N PRIMARY KEY", "add primary key"),
    ("ALTER TABLE T ADD CONSTRAINT N CHECK", "add check"),
    ("ALTER TABLE T ADD FOREIGN KEY", "add foreign key"),
    ("ALTER TABLE T ADD UNIQUE", "add unique"),
    ("ALTER TABLE T ADD PRIMARY KEY", "add primary key"),
    ("ALTER TABLE T ADD CHECK", "add check"),
    ("ALTER TABLE T ADD INDEX N", "create index"),
    ("ALTER TABLE T DROP COLUMN N", "drop column"),
    ("ALTER TABLE T DROP FOREIGN KEY N", "drop foreign key"),
    ("ALTER TABLE T DROP PRIMARY KEY", "drop primary key"),
    ("ALTER TABLE T DROP INDEX N", "drop index"),
    ("ALTER TABLE T DROP KEY N", "drop index"),
    ("ALTER TABLE T DROP CONSTRAINT N", "drop constraint"),
    ("ALTER TABLE T MODIFY COLUMN N", "alter column"),
    ("ALTER TABLE T MODIFY N", "alter column"),
    ("ALTER TABLE T CHANGE COLUMN N", "alter column"),
    ("ALTER TABLE T CHANGE N", "alter column"),
    ("ALTER TABLE T ALTER COLUMN N SET DEFAULT", "alter default"),
    ("ALTER TABLE T ALTER COLUMN N DROP DEFAULT", "alter default"),
    ("ALTER TABLE T RENAME TO N", "rename table"),
    ("ALTER TABLE T CONVERT TO CHARACTER SET", "convert"),
    ("ALTER TABLE T CHARACTER SET", "charset"),
    ("ALTER TABLE T DEFAULT CHARACTER SET", "charset"),
    ("ALTER DATABASE", "other"),
    ("ALTER TABLE T COMMENT", "other"),
    ("INSERT INTO T", "insert"),
    ("INSERT IGNORE INTO T", "insert"),
    ("UPDATE T", "update"),
    ("DELETE FROM T", "delete"),
];

/// Those that lose what was there, or beside which writes may have to wait: on a table that was there before, with rows.
const GRAVE: [&str; 12] = [
    "drop table",
    "drop column",
    "delete",
    "update",
    "alter column",
    "convert",
    "add foreign key",
    "add check",
    "add primary key",
    "drop primary key",
    "rename table",
    "add unique",
];

impl Executed {
    /// Whether it is about tables and columns, not about rows.
    pub(crate) fn is_of_schema(&self) -> bool {
        !matches!(self.kind, "insert" | "update" | "delete")
    }

    /// Whether it loses something, or writes may have to wait for it.
    pub(crate) fn is_grave(&self) -> bool {
        GRAVE.contains(&self.kind)
    }
}

/// What statements of one revision do, in order.
pub(crate) fn operations(statements: &[String]) -> Vec<Executed> {
    let mut found: Vec<Executed> = Vec::new();
    for statement in statements {
        for clause in clauses(&words(statement)) {
            let mut one = recognized(&clause, statement);
            let made = found.iter().rev().find(|before| !before.of_new_table);
            one.of_new_table = one.kind == "create index"
                && made.is_some_and(|made| made.kind == "create table" && made.table == one.table);
            found.push(one);
        }
    }
    // SQLAlchemy keeps those of a table in no order.
    for made in found.chunk_by_mut(|_, next| next.of_new_table) {
        made[1..].sort_by(|one, other| one.shown.cmp(&other.shown));
    }
    found
}

/// Words; names without their quotes, texts as one, brackets and commas.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut escaped = false;
    for c in text.chars() {
        let word = words.last_mut().unwrap();
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(end), c) if c == end => quote = None,
            (Some('\''), _) => {}
            (Some(_), c) => word.push(c),
            (None, '\'') => {
                word.push('…');
                quote = Some(c);
            }
            (None, '`' | '"') => quote = Some(c),
            (None, c) if c.is_whitespace() => words.push(String::new()),
            (None, '(' | ')' | ',' | ';') => words.extend([c.to_string(), String::new()]),
            (None, c) => word.push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A statement as often as an `ALTER TABLE` has clauses, each time with one of them.
fn clauses(words: &[String]) -> Vec<Vec<String>> {
    let is = |at: usize, word: &str| words.get(at).is_some_and(|found| found.eq_ignore_ascii_case(word));
    if !(is(0, "ALTER") && is(1, "TABLE")) {
        return vec![words.to_vec()];
    }
    let (head, rest) = words.split_at(3);
    let mut depth = 0_usize;
    let mut parts = vec![head.to_vec()];
    for word in rest {
        match word.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            "," if depth == 0 => {
                parts.push(head.to_vec());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(word.clone());
    }
    parts
}

fn recognized(clause: &[String], statement: &str) -> Executed {
    for (form, kind) in FORMS {
        let form: Vec<&str> = form.split(' ').collect();
        let fits = clause.len() >= form.len()
            && form.iter().zip(clause).all(|(part, word)| match *part {
                "T" | "N" => !matches!(word.as_str(), "(" | ")" | ","),
                part => part.eq_ignore_ascii_case(word),
            });
        if !fits {
            continue;
        }
        let named = |wanted: &str| form.iter().zip(clause).find(|(part, _)| **part == wanted).map(|(_, word)| word);
        // Several tables in one would be several operations.
        assert!(*kind != "drop table" || clause.len() == form.len(), "not taken apart: {statement}");
        let of_schema = !matches!(*kind, "create table" | "insert" | "update" | "delete" | "other");
        let end = if of_schema { clause.len() } else { form.len() };
        return Executed {
            kind,
            table: named("T").map(|word| word.rsplit('.').next().unwrap().to_owned()),
            name: named("N").cloned(),
            shown: shown(&clause[..end]),
            of_new_table: false,
        };
    }
    panic!("no form is known of what was run: {statement}")
}

/// Words as one would write them, not too many.
fn shown(words: &[String]) -> String {
    let mut text = String::new();
    let spaced = once("(").chain(words.iter().map(String::as_str)).zip(words);
    for (before, word) in spaced {
        if before != "(" && !matches!(word.as_str(), ")" | ",") {
            text.push(' ');
        }
        text.push_str(word);
    }
    if text.chars().count() > 160 { text.chars().take(159).chain(once('…')).collect() } else { text }
}

#[test]
fn statements_are_taken_apart_clause_by_clause() {
    let told = |statements: &[&str]| -> Vec<String> {
        let statements: Vec<String> = statements.iter().map(|one| (*one).to_owned()).collect();
        let name = |name: Option<String>| name.unwrap_or_else(|| "-".to_owned());
        let line = |one: Executed| format!("{} {} {} {}", one.kind, name(one.table), name(one.name), one.of_new_table);
        operations(&statements).into_iter().map(line).collect()
    };
    assert_eq!(
        told(&[
            "\nCREATE TABLE `a` (\n\tid INTEGER NOT NULL, \n\tPRIMARY KEY (id)\n)ENGINE=InnoDB\n\n",
            "CREATE INDEX ix_a ON a (id)",
            "CREATE INDEX ix_a2 ON a (id)",
            "CREATE INDEX ix_b ON b (id)",
            "ALTER TABLE a ADD COLUMN c DECIMAL(1, 2) DEFAULT 'x, DROP COLUMN y', ADD UNIQUE (c, id), DROP COLUMN d",
            "UPDATE a SET b='DROP TABLE c; it\\'s'",
            "ALTER DATABASE d CHARACTER SET utf8mb4",
        ]),
        [
            "create table a - false",
            "create index a ix_a true",
            "create index a ix_a2 true",
            "create index b ix_b false",
            "add column a c false",
            "add unique a - false",
            "drop column a d false",
            "update a - false",
            "other - - false",
        ]
    );
    let one = operations(&["ALTER TABLE t MODIFY c ENUM('a','b') NOT NULL COMMENT 'why'".to_owned()]).remove(0);
    assert_eq!(one.shown, "ALTER TABLE t MODIFY c ENUM (…, …) NOT NULL COMMENT …");
    assert!(std::panic::catch_unwind(|| operations(&["TRUNCATE a".to_owned()])).is_err());
    assert!(std::panic::catch_unwind(|| operations(&["DROP TABLE a, b".to_owned()])).is_err());
}
