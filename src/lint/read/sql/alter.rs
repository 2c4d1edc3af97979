//! What `ALTER TABLE` does, and columns as SQL declares them.

use super::{Found, Words};
use crate::lint::operation::{Alteration, Change, Column, Constraint, Type};
use crate::lint::read::value::is_constant;

impl Words<'_> {
    /// What follows `ALTER TABLE`.
    pub(super) fn alter(mut self) -> Vec<Found> {
        let _ = self.take("IF EXISTS");
        let _ = self.take("ONLY");
        let table = self.name();
        let mut found = Vec::new();
        while self.at < self.tokens.len() {
            let begin = self.at;
            let change = self.action();
            let added = matches!(change, Change::AddColumn(_));
            found.push((table.clone(), change));
            if added {
                found.extend(self.declared().into_iter().map(|change| (table.clone(), change)));
            }
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
        let kinds = ["FOREIGN", "UNIQUE", "PRIMARY", "CHECK"];
        // A constraint may have no name, the word for it all the same.
        let named = self.take("CONSTRAINT") && !kinds.iter().any(|kind| self.peek().eq_ignore_ascii_case(kind));
        let name = if named { self.name() } else { None };
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
        let special = ["FULLTEXT", "SPATIAL"]
            .into_iter()
            .any(|kind| self.take(&format!("{kind} INDEX")) || self.take(&format!("{kind} KEY")));
        if special || self.take("INDEX") || self.take("KEY") {
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

    /// What a column that was just declared brings along: keys and constraints among its words, up to the next comma.
    fn declared(&self) -> Vec<Change> {
        let rest = &self.tokens[self.at.min(self.tokens.len())..];
        let end = rest.iter().position(|word| word == ",").unwrap_or(rest.len());
        let mut changes = Vec::new();
        let mut added = |kind, referent| changes.push(Change::AddConstraint { name: None, kind, referent });
        for (at, word) in rest[..end].iter().enumerate() {
            match word.to_ascii_uppercase().as_str() {
                "UNIQUE" => added(Constraint::Unique, None),
                "PRIMARY" => added(Constraint::PrimaryKey, None),
                "CHECK" => added(Constraint::Check, None),
                "REFERENCES" => added(Constraint::ForeignKey, Words { tokens: rest, at: at + 1 }.name()),
                _ => {}
            }
        }
        changes
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
