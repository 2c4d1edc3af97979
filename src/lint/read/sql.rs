//! SQL in a script: what its statements do, told from their words.
//!
//! Read are the statements that migrations have. A statement that begins otherwise is not understood, and says so.

use super::value::{GAP, is_constant};
use crate::lint::operation::{Alteration, Change, Column, Constraint, Type, Verb};

/// A statement: the table that it is about, and what it does to it.
pub(super) type Found = (Option<String>, Change);

/// What the statements of a text do; nothing where they only read.
pub(super) fn read(text: &str) -> Vec<Found> {
    let tokens = tokens(text);
    // The body of a trigger or a routine has semicolons of its own.
    if tokens.first().is_some_and(|word| word.eq_ignore_ascii_case("CREATE")) {
        let names = |word: &str| tokens.iter().take(6).any(|token| token.eq_ignore_ascii_case(word));
        if names("TRIGGER") {
            let on = tokens.iter().position(|word| word.eq_ignore_ascii_case("ON"));
            let table = on.and_then(|on| Words { tokens: &tokens, at: on + 1 }.name());
            return vec![(table, Change::Trigger { create: true })];
        }
        if names("PROCEDURE") || names("FUNCTION") {
            return vec![(None, Change::Routine { create: true })];
        }
    }
    let statements = tokens.split(|token| token == ";").filter(|statement| !statement.is_empty());
    statements.flat_map(|statement| Words { tokens: statement, at: 0 }.statement()).collect()
}

/// Words, names without their quotes, texts with one, brackets, commas and semicolons; no comments.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        match first {
            '\'' => {
                let mut quoted = String::from('\'');
                while let Some(next) = chars.next() {
                    match next {
                        '\\' => quoted.extend(chars.next()),
                        '\'' if chars.peek() == Some(&'\'') => quoted.extend(chars.next()),
                        '\'' => break,
                        _ => quoted.push(next),
                    }
                }
                tokens.push(quoted);
            }
            '`' | '"' => tokens.push(chars.by_ref().take_while(|next| *next != first).collect()),
            '-' if chars.peek() == Some(&'-') => while chars.next().is_some_and(|next| next != '\n') {},
            '/' if chars.peek() == Some(&'*') => {
                let mut last = ' ';
                chars.next();
                for next in chars.by_ref() {
                    if last == '*' && next == '/' {
                        break;
                    }
                    last = next;
                }
            }
            '(' | ')' | ',' | ';' | '=' | '.' => tokens.push(first.to_string()),
            _ if is_word(first) => {
                let mut word = String::from(first);
                while let Some(next) = chars.next_if(|next| is_word(*next)) {
                    word.push(next);
                }
                tokens.push(word);
            }
            _ => {}
        }
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | ':' | GAP)
}

/// The words of a statement, from a place on.
struct Words<'w> {
    tokens: &'w [String],
    at: usize,
}

impl Words<'_> {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    fn next(&mut self) -> String {
        let word = self.peek().to_owned();
        self.at += 1;
        word
    }

    /// Takes these words, if they come next.
    fn take(&mut self, words: &str) -> bool {
        let wanted: Vec<&str> = words.split(' ').collect();
        let there = self.tokens.iter().skip(self.at).take(wanted.len());
        let same = there.clone().count() == wanted.len()
            && there.zip(&wanted).all(|(token, word)| token.eq_ignore_ascii_case(word));
        if same {
            self.at += wanted.len();
        }
        same
    }

    /// Takes a name, the last part of one with dots; none where it is not known.
    fn name(&mut self) -> Option<String> {
        let mut name = self.next();
        while self.take(".") {
            name = self.next();
        }
        (!name.is_empty() && !name.contains(GAP) && !name.starts_with('\'')).then_some(name)
    }

    fn statement(mut self) -> Vec<Found> {
        let first = self.peek().to_ascii_uppercase();
        let one = |table, change| vec![(table, change)];
        match first.as_str() {
            "SELECT" | "SHOW" | "PRAGMA" | "ANALYZE" | "DESCRIBE" | "EXPLAIN" => Vec::new(),
            "SET" => {
                let global = self
                    .tokens
                    .iter()
                    .any(|word| word.eq_ignore_ascii_case("GLOBAL") || word.eq_ignore_ascii_case("PERSIST"));
                one(None, Change::Variable { global })
            }
            "COMMIT" | "BEGIN" | "LOCK" | "UNLOCK" | "COMMENT" | "USE" => one(None, Change::Nothing),
            "ALTER" if self.take("ALTER DATABASE") || self.take("ALTER SCHEMA") => one(None, Change::Nothing),
            "ALTER" if self.take("ALTER TABLE") => self.alter(),
            "CREATE" => self.create(),
            "DROP" => self.drop(),
            "RENAME" if self.take("RENAME TABLE") => {
                let table = self.name();
                let to = if self.take("TO") { self.name() } else { None };
                one(table, Change::RenameTable { to })
            }
            "UPDATE" => {
                self.at += 1;
                let _ = self.take("IGNORE") || self.take("LOW_PRIORITY");
                one(self.name(), Change::Rows(Verb::Update))
            }
            "DELETE" | "TRUNCATE" => {
                self.at += 1;
                let _ = self.take("FROM") || self.take("TABLE");
                one(self.name(), Change::Rows(Verb::Delete))
            }
            "INSERT" | "REPLACE" => {
                self.at += 1;
                let _ = self.take("IGNORE");
                let _ = self.take("INTO");
                one(self.name(), Change::Rows(Verb::Insert))
            }
            _ => one(None, self.unknown()),
        }
    }

    fn unknown(&self) -> Change {
        let words = self.tokens.iter().take(4).map(String::as_str).collect::<Vec<_>>().join(" ");
        Change::NotUnderstood { why: format!("it runs SQL that is not understood: `{words}`") }
    }

    fn create(mut self) -> Vec<Found> {
        self.at += 1;
        let _ = self.take("OR REPLACE");
        let unique = self.take("UNIQUE");
        let _ = self.take("TEMPORARY");
        if self.take("INDEX") || self.take("KEY") {
            let _ = self.take("CONCURRENTLY");
            let _ = self.take("IF NOT EXISTS");
            let name = self.name();
            let table = if self.take("ON") { self.name() } else { None };
            return vec![(table, Change::CreateIndex { name, unique })];
        }
        if self.take("TABLE") {
            let _ = self.take("IF NOT EXISTS");
            let table = self.name();
            let places = self.tokens.iter().enumerate().filter(|(_, word)| word.eq_ignore_ascii_case("REFERENCES"));
            let references = places.filter_map(|(at, _)| Words { tokens: self.tokens, at: at + 1 }.name()).collect();
            return vec![(table, Change::CreateTable { columns: Vec::new(), references })];
        }
        if self.take("VIEW") {
            return vec![(None, Change::Routine { create: true })];
        }
        if self.take("TYPE") || self.take("SEQUENCE") {
            return vec![(None, Change::Nothing)];
        }
        vec![(None, self.unknown())]
    }

    fn drop(mut self) -> Vec<Found> {
        self.at += 1;
        let _ = self.take("TEMPORARY");
        if self.take("TABLE") {
            let _ = self.take("IF EXISTS");
            let mut found = vec![(self.name(), Change::DropTable)];
            while self.take(",") {
                found.push((self.name(), Change::DropTable));
            }
            return found;
        }
        if self.take("INDEX") {
            let _ = self.take("CONCURRENTLY");
            let _ = self.take("IF EXISTS");
            let name = self.name();
            let table = if self.take("ON") { self.name() } else { None };
            return vec![(table, Change::DropIndex { name })];
        }
        if self.take("TRIGGER") {
            return vec![(None, Change::Trigger { create: false })];
        }
        if self.take("VIEW") || self.take("PROCEDURE") || self.take("FUNCTION") {
            return vec![(None, Change::Routine { create: false })];
        }
        if self.take("TYPE") || self.take("SEQUENCE") {
            return vec![(None, Change::Nothing)];
        }
        vec![(None, self.unknown())]
    }

    /// What follows `ALTER TABLE`.
    fn alter(mut self) -> Vec<Found> {
        let _ = self.take("IF EXISTS");
        let _ = self.take("ONLY");
        let table = self.name();
        let mut found = Vec::new();
        while self.at < self.tokens.len() {
            let begin = self.at;
            found.push((table.clone(), self.action()));
            // To the comma that is in no brackets.
            let mut depth = 0_usize;
            self.at = self.at.max(begin);
            while self.at < self.tokens.len() {
                match self.next().as_str() {
                    "(" => depth += 1,
                    ")" => depth = depth.saturating_sub(1),
                    "," if depth == 0 => break,
                    _ => {}
                }
            }
        }
        if found.is_empty() {
            found.push((table, self.unknown()));
        }
        found
    }

    /// One thing that an `ALTER TABLE` does.
    fn action(&mut self) -> Change {
        if self.take("ADD") {
            return self.add();
        }
        if self.take("DROP") {
            return self.drop_of_table();
        }
        if self.take("MODIFY") {
            let _ = self.take("COLUMN");
            let column = self.name();
            return self.redefined(column, None);
        }
        if self.take("CHANGE") {
            let _ = self.take("COLUMN");
            let column = self.name();
            let new_name = self.name();
            let new_name = new_name.filter(|name| column.as_ref() != Some(name));
            return self.redefined(column, new_name);
        }
        if self.take("RENAME") {
            if self.take("COLUMN") {
                let column = self.name();
                let new_name = if self.take("TO") { self.name() } else { None };
                let alteration = Alteration { new_name, ..Alteration::default() };
                return Change::AlterColumn { column, alteration: Box::new(alteration) };
            }
            if self.take("INDEX") || self.take("KEY") || self.take("CONSTRAINT") {
                return Change::Nothing;
            }
            let _ = self.take("TO") || self.take("AS");
            return Change::RenameTable { to: self.name() };
        }
        if self.take("ALTER") {
            return self.alter_column();
        }
        if self.take("CONVERT TO") {
            return Change::CharacterSet { convert: true };
        }
        if self.take("DEFAULT CHARACTER SET")
            || self.take("CHARACTER SET")
            || self.take("DEFAULT CHARSET")
            || self.take("CHARSET")
            || self.take("COLLATE")
            || self.take("DEFAULT COLLATE")
        {
            return Change::CharacterSet { convert: false };
        }
        if self.take("ENGINE") {
            return Change::StorageEngine;
        }
        if self.take("COMMENT") || self.take("AUTO_INCREMENT") || self.take("OWNER") {
            return Change::Nothing;
        }
        self.unknown()
    }

    fn add(&mut self) -> Change {
        let name = if self.take("CONSTRAINT") { self.name() } else { None };
        let added = |kind, referent| Change::AddConstraint { name: name.clone(), kind, referent };
        if self.take("FOREIGN KEY") {
            let rest = &self.tokens[self.at.min(self.tokens.len())..];
            let to = rest.iter().position(|word| word.eq_ignore_ascii_case("REFERENCES"));
            let referent = to.and_then(|to| Words { tokens: rest, at: to + 1 }.name());
            return added(Constraint::ForeignKey, referent);
        }
        if self.take("UNIQUE") {
            let _ = self.take("INDEX") || self.take("KEY");
            return added(Constraint::Unique, None);
        }
        if self.take("PRIMARY KEY") {
            return added(Constraint::PrimaryKey, None);
        }
        if self.take("CHECK") {
            return added(Constraint::Check, None);
        }
        if self.take("INDEX") || self.take("KEY") || self.take("FULLTEXT INDEX") {
            return Change::CreateIndex { name: self.name(), unique: false };
        }
        let _ = self.take("COLUMN");
        let _ = self.take("IF NOT EXISTS");
        let name = self.name();
        let computed_default = self.computes();
        let defined = self.defined();
        Change::AddColumn(Column {
            name,
            kind: defined.kind,
            nullable: defined.nullable.unwrap_or(true),
            server_default: defined.sets_default,
            computed_default,
            ..Column::default()
        })
    }

    fn drop_of_table(&mut self) -> Change {
        let kind = if self.take("FOREIGN KEY") {
            Some(Constraint::ForeignKey)
        } else if self.take("PRIMARY KEY") {
            return Change::DropConstraint { name: None, kind: Some(Constraint::PrimaryKey) };
        } else if self.take("CHECK") {
            Some(Constraint::Check)
        } else if self.take("CONSTRAINT") {
            None
        } else {
            let _ = self.take("IF EXISTS");
            if self.take("INDEX") || self.take("KEY") {
                return Change::DropIndex { name: self.name() };
            }
            let _ = self.take("COLUMN");
            let _ = self.take("IF EXISTS");
            return Change::DropColumn { column: self.name() };
        };
        let _ = self.take("IF EXISTS");
        Change::DropConstraint { name: self.name(), kind }
    }

    /// What follows `ALTER TABLE t ALTER`.
    fn alter_column(&mut self) -> Change {
        let _ = self.take("COLUMN");
        let column = self.name();
        let mut alteration = Alteration::default();
        if self.take("SET NOT NULL") {
            alteration.nullable = Some(false);
        } else if self.take("DROP NOT NULL") {
            alteration.nullable = Some(true);
        } else if self.take("SET DEFAULT") {
            alteration.sets_default = true;
        } else if self.take("DROP DEFAULT") {
            alteration.drops_default = true;
        } else if self.take("SET DATA TYPE") || self.take("TYPE") {
            alteration.kind = self.kind();
            alteration.retyped = true;
        } else {
            return self.unknown();
        }
        Change::AlterColumn { column, alteration: Box::new(alteration) }
    }

    /// A column that is defined anew, as `MODIFY` does: what is not said is gone.
    fn redefined(&mut self, column: Option<String>, new_name: Option<String>) -> Change {
        let defined = Alteration { new_name, states_nullable: true, states_default: true, ..self.defined() };
        Change::AlterColumn { column, alteration: Box::new(defined) }
    }

    /// A column's type and what follows it, up to the next comma.
    fn defined(&mut self) -> Alteration {
        let kind = self.kind();
        let rest = &self.tokens[self.at.min(self.tokens.len())..];
        let end = rest.iter().position(|word| word == ",").unwrap_or(rest.len());
        let has = |words: &[&str]| {
            rest[..end]
                .windows(words.len())
                .any(|found| found.iter().zip(words).all(|(found, word)| found.eq_ignore_ascii_case(word)))
        };
        let nullable = if has(&["NOT", "NULL"]) { Some(false) } else { has(&["NULL"]).then_some(true) };
        Alteration { retyped: kind.is_some(), kind, nullable, sets_default: has(&["DEFAULT"]), ..Alteration::default() }
    }

    /// Whether the default of a column that is declared here has to be computed.
    fn computes(&self) -> bool {
        let rest = self.tokens.iter().skip(self.at).take_while(|word| *word != ",");
        let mut default = rest.skip_while(|word| !word.eq_ignore_ascii_case("DEFAULT")).skip(1);
        match (default.next(), default.next()) {
            (Some(first), _) if first == "(" => true,
            (Some(function), Some(next)) if next == "(" => !is_constant(function),
            _ => false,
        }
    }

    /// A type as SQLAlchemy calls it.
    fn kind(&mut self) -> Option<Type> {
        let word = self.next().to_ascii_uppercase();
        let name = match word.as_str() {
            "" => return None,
            "VARCHAR" | "CHAR" | "CHARACTER" => "String",
            "INT" | "INTEGER" => "Integer",
            "BIGINT" => "BigInteger",
            "SMALLINT" => "SmallInteger",
            "BOOL" | "BOOLEAN" | "TINYINT" => "Boolean",
            "ENUM" => "Enum",
            "TEXT" => "Text",
            _ => word.as_str(),
        };
        let mut length = None;
        if self.take("(") {
            length = self.next().parse().ok();
            while self.at < self.tokens.len() && self.next() != ")" {}
        }
        Some(Type { name: name.to_owned(), length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let found = read(text).into_iter();
        found
            .map(|(table, change)| {
                let column = change.column().map(|column| format!(" {column}")).unwrap_or_default();
                format!("{} {}{column}", change.verb(), table.unwrap_or_else(|| "?".to_owned()))
            })
            .collect()
    }

    #[test]
    fn statements_say_what_they_do_and_to_which_table() {
        for (text, expected) in [
            ("SELECT 1", &[][..]),
            ("SET foreign_key_checks = 0;", &["sets a variable, not changing ?"]),
            (
                "ALTER TABLE a ENGINE = InnoDB, COMMENT 'x'",
                &["changes the storage engine of a", "changes neither columns nor rows of a"],
            ),
            (
                "CREATE VIEW v AS SELECT 1; DROP VIEW v",
                &["creates a view or a routine, not changing ?", "drops a view or a routine, not changing ?"],
            ),
            ("CREATE PROCEDURE p() BEGIN DELETE FROM a; END", &["creates a view or a routine, not changing ?"]),
            (
                "ALTER TABLE `tags` CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                &["converts the character set of tags"],
            ),
            ("alter table tags character set utf8mb4", &["sets the character set of tags"]),
            (
                "ALTER TABLE a ADD COLUMN b DECIMAL(1,2) NOT NULL, DROP COLUMN c; DROP TABLE IF EXISTS d, e",
                &["adds a column to a b", "drops a column of a c", "drops table d", "drops table e"],
            ),
            ("ALTER TABLE a ADD CONSTRAINT x FOREIGN KEY (b) REFERENCES c (id)", &["adds a foreign key to a"]),
            (
                "ALTER TABLE a MODIFY COLUMN b TEXT NOT NULL, MODIFY c INT",
                &["alters a column of a b", "alters a column of a c"],
            ),
            ("UPDATE \"a\" SET b = 'x; DROP TABLE c' -- DROP TABLE d", &["updates rows of a"]),
            ("INSERT INTO a.b SELECT * FROM c", &["inserts rows into b"]),
            ("CREATE UNIQUE INDEX i ON a (b)", &["creates an index on a"]),
            ("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW x", &["creates a trigger on a"]),
            (
                "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET x = 1; ELSEIF y; END",
                &["creates a trigger on a"],
            ),
            ("DROP TRIGGER t", &["drops a trigger of ?"]),
            ("CALL p()", &["does something to ?"]),
            ("ALTER TABLE \u{fffd} DROP COLUMN b", &["drops a column of ? b"]),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }
}
