//! SQL in a script: what its statements do, told from their words.
//!
//! Read are the statements that migrations have. A statement that begins otherwise is not understood, and says so. `words`
//! takes a text apart, `alter` has what `ALTER TABLE` does.

mod alter;
#[cfg(test)]
mod tests;
mod words;

use self::words::{Words, tokens};
use crate::lint::operation::{Change, Verb};

/// A statement: the table that it is about, and what it does to it.
pub(super) type Found = (Option<String>, Change);

/// What the statements of a text do; nothing where they only read.
pub(super) fn read(text: &str) -> Vec<Found> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut rest = &tokens[..];
    while !rest.is_empty() {
        let end = rest.iter().position(|word| word == ";").unwrap_or(rest.len());
        let (statement, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        // The body of a trigger or a routine has semicolons of its own, and ends with the text.
        let has_body = statement.iter().any(|word| word.eq_ignore_ascii_case("BEGIN"));
        match made_to_be_called(statement) {
            Some(made) => {
                found.push(made);
                rest = if has_body { &[] } else { rest };
            }
            None if statement.is_empty() => {}
            None => found.extend(Words { tokens: statement, at: 0 }.statement()),
        }
    }
    found
}

/// The trigger, the procedure or the function that a statement makes.
fn made_to_be_called(statement: &[String]) -> Option<Found> {
    if !statement.first()?.eq_ignore_ascii_case("CREATE") {
        return None;
    }
    let names = |word: &str| statement.iter().take(6).any(|token| token.eq_ignore_ascii_case(word));
    if names("TRIGGER") {
        let on = statement.iter().position(|word| word.eq_ignore_ascii_case("ON"));
        let table = on.and_then(|on| Words { tokens: statement, at: on + 1 }.name());
        return Some((table, Change::Trigger { create: true }));
    }
    (names("PROCEDURE") || names("FUNCTION")).then_some((None, Change::Routine { create: true }))
}

impl Words<'_> {
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
            "COMMIT" | "BEGIN" | "UNLOCK" | "COMMENT" | "USE" => one(None, Change::Nothing),
            "ALTER" if self.take("ALTER DATABASE") || self.take("ALTER SCHEMA") => one(None, Change::Nothing),
            "ALTER" if self.take("ALTER TABLE") => self.alter(),
            "CREATE" => self.create(),
            "DROP" => self.drop(),
            "RENAME" if self.take("RENAME TABLE") => {
                let mut found = Vec::new();
                loop {
                    let table = self.name();
                    let to = if self.take("TO") { self.name() } else { None };
                    found.push((table, Change::RenameTable { to }));
                    if !self.take(",") {
                        break found;
                    }
                }
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

    fn create(mut self) -> Vec<Found> {
        self.at += 1;
        let _ = self.take("OR REPLACE");
        let unique = self.take("UNIQUE");
        let _ = self.take("TEMPORARY") || self.take("FULLTEXT") || self.take("SPATIAL");
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
}
