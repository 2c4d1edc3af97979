//! What became of columns and keys that nobody asked for.

use super::heard::{parts, words};
use super::statement::operations;
use crate::lint::operation::{Alteration, Certainty, Change, Constraint, Operation};
use crate::model::{ColumnShape, Engine, Shape};

/// A change that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Silent {
    pub(super) table: String,
    pub(super) column: Option<String>,
    pub(super) what: String,
}

/// What is known of what was asked for.
pub(super) struct Asked<'a> {
    /// What the scripts say.
    pub(super) said: &'a [&'a Operation],
    /// What was run; nothing where nobody could hear it.
    pub(super) statements: &'a [&'a str],
    /// On which engine.
    pub(super) engine: Engine,
}

/// The changes from one shape to the other that nobody asked for.
pub(super) fn silent(before: &Shape, after: &Shape, asked: &Asked<'_>) -> Vec<Silent> {
    let ran: Vec<Operation> = asked.statements.iter().flat_map(|text| operations(text, asked.engine)).collect();
    let all: Vec<&Operation> = asked.said.iter().copied().chain(&ran).collect();
    let mut found = Vec::new();
    for (old_name, old) in &before.tables {
        let name = all.iter().find_map(|one| match &one.change {
            Change::RenameTable { to: Some(to) } if one.table.as_ref() == Some(old_name) => Some(to),
            _ => None,
        });
        let name = name.unwrap_or(old_name);
        let is_made =
            |one: &&Operation| matches!(one.change, Change::CreateTable { .. }) && one.table.as_ref() == Some(name);
        let Some(new) = after.tables.get(name).filter(|_| !all.iter().any(is_made)) else { continue };
        let of_table: Vec<&Operation> =
            all.iter().copied().filter(|one| [old_name, name].iter().any(|n| one.table.as_ref() == Some(n))).collect();
        let texts = texts(asked.statements, &[old_name, name]);
        for (column, was) in &old.columns {
            let renamed = of_table.iter().find_map(|one| match &one.change {
                Change::AlterColumn { column: Some(from), alteration } if from == column => {
                    alteration.new_name.as_ref()
                }
                _ => None,
            });
            let now_called = renamed.unwrap_or(column);
            let Some(is) = new.columns.get(now_called) else { continue };
            let of_column = Attributes::new(asked, &of_table, &texts, [column, now_called]);
            found.extend(of_column.silent(was, is).into_iter().map(|what| Silent {
                table: name.clone(),
                column: Some(column.clone()),
                what,
            }));
        }
        let dropped = |column: &String| !new.columns.contains_key(column);
        let is_replaced = of_table.iter().any(|one| matches!(one.change, Change::DropTable));
        for (key, was) in old.keys.iter().filter(|_| !is_replaced) {
            let plain = key.rsplit(' ').next().unwrap_or(key).to_uppercase();
            if texts.iter().any(|words| words.contains(&plain)) || asked.statements.is_empty() {
                continue;
            }
            let what = match new.keys.get(key) {
                None if was.columns.iter().all(dropped) || is_lost_with(&of_table, key) => continue,
                None => format!("{key} of table {name} is gone"),
                Some(is) if is.columns == was.columns || was.columns.iter().all(|one| !dropped(one)) => continue,
                Some(is) => format!(
                    "{key} of table {name} is on ({}) alone, no longer on ({})",
                    is.columns.join(", "),
                    was.columns.join(", ")
                ),
            };
            found.push(Silent { table: name.clone(), column: None, what });
        }
    }
    found
}

/// Whether a key goes with what is dropped or made without its name: the primary key, constraints that were never named.
fn is_lost_with(of_table: &[&Operation], key: &str) -> bool {
    of_table.iter().any(|one| match &one.change {
        Change::DropConstraint { name: None, .. } | Change::DropIndex { name: None } => true,
        Change::DropConstraint { kind: Some(Constraint::PrimaryKey), .. } => {
            key.ends_with("PRIMARY") || key.ends_with("_pkey")
        }
        _ => false,
    })
}

/// The words of every clause that is about a table of these names.
fn texts(statements: &[&str], names: &[&String]) -> Vec<Vec<String>> {
    let names: Vec<String> = names.iter().map(|name| name.to_uppercase()).collect();
    let about = statements.iter().filter(|text| words(text).any(|word| names.contains(&word)));
    about.flat_map(|text| parts(text, ',')).map(|clause| words(clause).collect()).collect()
}

/// What was asked of one column.
struct Attributes<'a> {
    /// What the script says of it; nothing where that is not understood.
    said: Vec<&'a Alteration>,
    /// The clauses that name it.
    clauses: Vec<&'a Vec<String>>,
    /// Whether something is done to all columns of the table.
    converted: bool,
    /// Whether a primary key is made or dropped.
    primary: bool,
}

impl<'a> Attributes<'a> {
    fn new(asked: &Asked<'a>, of_table: &[&Operation], texts: &'a [Vec<String>], names: [&String; 2]) -> Self {
        let is_this = |one: &&&'a Operation| {
            let tables = of_table.iter().any(|other| other.table == one.table);
            let known = matches!(one.certainty, Certainty::Literal | Certainty::Folded);
            tables && known && one.engines.contains(asked.engine)
        };
        let said = asked.said.iter().filter(is_this).filter_map(|one| match &one.change {
            Change::AlterColumn { column: Some(column), alteration } if names.contains(&column) => Some(&**alteration),
            _ => None,
        });
        let upper = names.map(|name| name.to_uppercase());
        let is = |wanted: fn(&Change) -> bool| of_table.iter().any(|one| wanted(&one.change));
        Self {
            said: said.collect(),
            clauses: texts.iter().filter(|clause| upper.iter().any(|name| clause.contains(name))).collect(),
            converted: is(|change| matches!(change, Change::CharacterSet { convert: true })),
            primary: is(|change| {
                matches!(
                    change,
                    Change::AddConstraint { kind: Constraint::PrimaryKey, .. }
                        | Change::DropConstraint { kind: Some(Constraint::PrimaryKey), .. }
                )
            }),
        }
    }

    /// Whether a clause has one of these words.
    fn has(&self, wanted: &[&str]) -> bool {
        self.clauses.iter().any(|clause| wanted.iter().any(|word| clause.iter().any(|one| one == word)))
    }

    /// Whether the script asks for something; where it is not understood, whether a clause has one of these words.
    fn asks(&self, wanted: impl Fn(&Alteration) -> bool, instead: &[&str]) -> bool {
        if self.said.is_empty() { self.has(instead) } else { self.said.iter().any(|one| wanted(one)) }
    }

    fn silent(&self, was: &ColumnShape, is: &ColumnShape) -> Vec<String> {
        let mut found = Vec::new();
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let asks_type = self.converted
            || if self.said.is_empty() { !self.clauses.is_empty() } else { self.said.iter().any(|one| one.retyped) };
        if was.kind != is.kind && !asks_type {
            found.push(format!("its type becomes {}, no longer {}", is.kind, was.kind));
        }
        if was.nullable != is.nullable && !self.primary && !self.asks(|one| one.nullable.is_some(), &["NULL"]) {
            found.push(if is.nullable { "it loses NOT NULL".to_owned() } else { "it becomes NOT NULL".to_owned() });
        }
        let asks_default = self.asks(|one| one.sets_default || one.drops_default, &["DEFAULT"]);
        if plain(&was.default) != plain(&is.default) && !asks_default {
            found.push(match (&was.default, &is.default) {
                (Some(was), None) => format!("it loses its default {was}"),
                (was, is) => format!("its default becomes {}, no longer {}", shown(is), shown(was)),
            });
        }
        let both = was.collation.is_some() && is.collation.is_some();
        if both && was.collation != is.collation && !self.converted && !self.has(&["COLLATE", "CHARACTER", "CHARSET"]) {
            found.push(format!("its collation becomes {}, no longer {}", shown(&is.collation), shown(&was.collation)));
        }
        if was.comment != is.comment && !self.has(&["COMMENT"]) {
            let kept = if is.comment.is_empty() { "it loses its comment" } else { "its comment becomes another" };
            found.push(kept.to_owned());
        }
        if was.extra != is.extra && !self.has(&["AUTO_INCREMENT", "UPDATE", "IDENTITY", "GENERATED"]) {
            let none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
            found.push(format!("its attribute `{}` becomes `{}`", none(&was.extra), none(&is.extra)));
        }
        found
    }
}

/// A default without the type that PostgreSQL writes behind it, which changes with the column's.
fn plain(default: &Option<String>) -> Option<&str> {
    default.as_deref().map(|text| text.split("::").next().unwrap_or(text))
}

/// A shape of one table, for tests.
#[cfg(test)]
pub(super) fn table(name: &str, columns: &[(&str, ColumnShape)]) -> Shape {
    let columns = columns.iter().map(|(name, column)| ((*name).to_owned(), column.clone())).collect();
    Shape { tables: [(name.to_owned(), crate::model::TableShape { columns, ..Default::default() })].into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::read::read;
    use crate::model::KeyShape;

    fn column(kind: &str, nullable: bool, default: Option<&str>, comment: &str) -> ColumnShape {
        let default = default.map(str::to_owned);
        ColumnShape { kind: kind.into(), nullable, default, comment: comment.into(), ..ColumnShape::default() }
    }

    fn told(script: &str, statements: &[&str], was: ColumnShape, is: ColumnShape) -> Vec<String> {
        let said = read(&format!("from alembic import op\nimport sqlalchemy as sa\ndef upgrade():\n    {script}\n"));
        let said: Vec<&Operation> = said.iter().collect();
        let asked = Asked { said: &said, statements, engine: Engine::Mysql };
        silent(&table("t", &[("c", was)]), &table("t", &[("c", is)]), &asked).into_iter().map(|one| one.what).collect()
    }

    #[test]
    fn what_a_modify_does_not_restate_is_lost_in_silence() {
        let was = column("varchar(64)", false, Some("'a'"), "why");
        let is = column("varchar(255)", true, None, "");
        let widen = "op.alter_column('t', 'c', type_=sa.String(255), existing_type=sa.String(64))";
        let found = told(widen, &["ALTER TABLE t MODIFY c VARCHAR(255) NULL"], was.clone(), is.clone());
        assert_eq!(found, ["it loses NOT NULL", "it loses its default 'a'", "it loses its comment"]);
        // What the script asks for is its own business.
        let asks = "op.alter_column('t', 'c', type_=sa.String(255), nullable=True, server_default=None, comment=None)";
        let found = told(asks, &["ALTER TABLE t MODIFY c VARCHAR(255) NULL COMMENT ''"], was.clone(), is.clone());
        assert_eq!(found, [""; 0]);
        // Where nobody understands the script, the statement counts.
        let found = told("helper(op)", &["ALTER TABLE t MODIFY c VARCHAR(255) NULL"], was, is);
        assert_eq!(found, ["it loses its default 'a'", "it loses its comment"]);
    }

    #[test]
    fn a_column_that_is_renamed_is_followed() {
        let was = column("int(11)", false, None, "");
        let is = column("int(11)", true, None, "");
        let after = table("t", &[("d", is)]);
        let asked = Asked { said: &[], statements: &["ALTER TABLE t CHANGE c d INTEGER"], engine: Engine::Mysql };
        let found = silent(&table("t", &[("c", was)]), &after, &asked);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].column.as_deref(), found[0].what.as_str()), (Some("c"), "it loses NOT NULL"));
    }

    #[test]
    fn an_index_that_shrinks_with_a_dropped_column_is_told_and_one_that_goes_with_it_is_not() {
        let key = |columns: &[&str]| KeyShape {
            columns: columns.iter().map(|one| (*one).to_owned()).collect(),
            definition: "index".into(),
        };
        let int = column("int(11)", true, None, "");
        let (mut before, mut after) =
            (table("t", &[("a", int.clone()), ("b", int.clone())]), table("t", &[("a", int)]));
        let keys = |shape: &mut Shape, keys: &[(&str, KeyShape)]| {
            let table = shape.tables.get_mut("t").expect("a table");
            table.keys = keys.iter().map(|(name, key)| ((*name).to_owned(), key.clone())).collect();
        };
        keys(&mut before, &[("index both", key(&["a", "b"])), ("index one", key(&["b"])), ("index kept", key(&["a"]))]);
        keys(&mut after, &[("index both", key(&["a"])), ("index kept", key(&["a"]))]);
        let asked = Asked { said: &[], statements: &["ALTER TABLE t DROP COLUMN b"], engine: Engine::Mysql };
        let found: Vec<String> = silent(&before, &after, &asked).into_iter().map(|one| one.what).collect();
        assert_eq!(found, ["index both of table t is on (a) alone, no longer on (a, b)"]);
    }
}
