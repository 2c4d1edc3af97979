//! What sqlalchemy-migrate's scripts do by SQLAlchemy's own objects: tables, columns, indexes and constraints that make,
//! alter and drop themselves.
//!
//! A metadata knows one table of a name, so what a script declares is kept by that ([`Walker::declared`]). What is made by
//! `create_all` may be there already, and is guarded.

use std::rc::Rc;

use tree_sitter::Node;

use super::calls::Arguments;
use super::operations::beside;
use super::value::{Call, GAP, Part, Value};
use super::walk::{Frame, Walker};
use crate::lint::operation::{Alteration, Certainty, Change, Column, Constraint, Verb};

/// A table as a script declares it.
#[derive(Debug, Clone, Default)]
pub(super) struct Declared {
    columns: Vec<Column>,
    references: Vec<String>,
}

impl Declared {
    fn change(&self) -> Change {
        Change::CreateTable { columns: self.columns.clone(), references: self.references.clone() }
    }
}

impl<'m> Walker<'m> {
    /// `Table('name', metadata, …)`.
    pub(super) fn table(&mut self, arguments: &Arguments<'m>) -> Value<'m> {
        let name = arguments.first().and_then(Value::text).map(str::to_owned);
        if let Some(name) = &name {
            let parts = arguments.positional.iter().skip(1).map(|(value, _)| value);
            let columns: Vec<Column> = parts.clone().filter_map(Value::column).collect();
            if !columns.is_empty() {
                let references = parts.filter_map(Value::references).collect();
                self.declared.insert(name.clone(), Declared { columns, references });
            }
        }
        Value::Table(name)
    }

    /// A method of one of SQLAlchemy's own objects; nothing where it is none that is known here.
    pub(super) fn changeset(
        &mut self,
        node: Node<'m>,
        called: Node<'m>,
        (object, name): (&Value<'m>, &str),
        arguments: &Arguments<'m>,
        frame: &mut Frame<'m>,
    ) -> Option<Value<'m>> {
        match object {
            Value::Table(table) => return self.of_table(node, called, (table, name), arguments, frame),
            Value::ColumnOf(table, column) => self.of_column(node, (table, column), name, arguments, frame)?,
            Value::PartOf(table, part) => {
                let change = match (name, part) {
                    ("drop", Part::Index) => Change::DropIndex { name: None },
                    ("drop", Part::Constraint(kind)) => Change::DropConstraint { name: None, kind: *kind },
                    ("create", _) => return None,
                    _ => return Some(Value::Unknown),
                };
                self.changes(node, table.clone(), change, &Frame { guarded: true, ..frame.clone() });
            }
            Value::Parts(table, part) if matches!(name, "values" | "copy" | "union") => {
                return Some(Value::Parts(table.clone(), *part));
            }
            Value::Call(call) if call.name == "MetaData" => match name {
                "create_all" => self.create_all(node, arguments, frame),
                "drop_all" => return None,
                _ => {}
            },
            Value::Call(call) => self.of_call(node, call, name, arguments, frame)?,
            Value::Tables => {
                let table = arguments.first().and_then(Value::text).map(str::to_owned);
                return Some(if name == "get" { Value::Table(table) } else { Value::Unknown });
            }
            Value::Statement(verb, table) if matches!(name, "execute" | "scalar") => {
                return Some(match verb {
                    Some(verb) => {
                        self.changes(node, table.clone(), Change::Rows(*verb), frame);
                        Value::Unknown
                    }
                    None => Value::Rows(table.clone()),
                });
            }
            // `DDL('…').execute(engine)`.
            Value::Text(_) if name == "execute" => return Some(self.execute(node, Some(object), frame)),
            _ => return None,
        }
        Some(Value::None)
    }

    fn of_table(
        &mut self,
        node: Node<'m>,
        called: Node<'m>,
        (table, name): (&Option<String>, &str),
        arguments: &Arguments<'m>,
        frame: &mut Frame<'m>,
    ) -> Option<Value<'m>> {
        match name {
            "create" | "drop" => {
                let change = match (name, table.as_ref().and_then(|table| self.declared.get(table))) {
                    ("drop", _) => Change::DropTable,
                    (_, Some(declared)) => declared.change(),
                    (_, None) => Declared::default().change(),
                };
                let looks = matches!(arguments.get("checkfirst", 1), Some((Value::Bool(true), _)));
                let frame = Frame { guarded: frame.guarded || looks, ..frame.clone() };
                self.changes(node, table.clone(), change, &frame);
            }
            "rename" => {
                let to = arguments.first().and_then(Value::text).map(str::to_owned);
                self.changes(node, table.clone(), Change::RenameTable { to: to.clone() }, frame);
                self.rename(called, Value::Table(to), frame);
            }
            "create_column" => {
                let column = arguments.first().and_then(Value::column).unwrap_or_default();
                self.add_column(node, table.clone(), column, arguments, frame);
            }
            "drop_column" => {
                let column = arguments.first().and_then(column_name);
                self.changes(node, table.clone(), Change::DropColumn { column }, frame);
            }
            // The object alone is another one then; its table in the database is not.
            "append_column" | "append_constraint" => {}
            "tometadata" | "to_metadata" => return Some(Value::Table(table.clone())),
            _ => return None,
        }
        Some(Value::None)
    }

    fn of_column(
        &mut self,
        node: Node<'m>,
        (table, column): (&Option<String>, &Option<String>),
        name: &str,
        arguments: &Arguments<'m>,
        frame: &Frame<'m>,
    ) -> Option<()> {
        let change = match name {
            "drop" => Change::DropColumn { column: column.clone() },
            "alter" => Change::AlterColumn {
                column: column.clone(),
                alteration: Box::new(altered(column.as_deref(), arguments)),
            },
            "create" => return None,
            _ => return Some(()),
        };
        self.changes(node, table.clone(), change, frame);
        Some(())
    }

    /// A method of a column, an index or a constraint that the script makes.
    fn of_call(
        &mut self,
        node: Node<'m>,
        call: &Rc<Call<'m>>,
        name: &str,
        arguments: &Arguments<'m>,
        frame: &Frame<'m>,
    ) -> Option<()> {
        let make = match name {
            "create" => true,
            "drop" => false,
            _ => return None,
        };
        let own_name = call.keyword("name").and_then(Value::text).map(str::to_owned);
        let change = match (&call.name[..], make) {
            ("Column", _) => {
                let table = arguments.get("table", 0).and_then(|(value, _)| table_of(value));
                let column = Value::Call(call.clone()).column().unwrap_or_default();
                match make {
                    true => self.add_column(node, table, column, arguments, frame),
                    false => self.changes(node, table, Change::DropColumn { column: column.name }, frame),
                }
                return Some(());
            }
            ("Index", make) => {
                let name = call.positional.first().and_then(Value::text).map(str::to_owned).or(own_name);
                match make {
                    true => {
                        let unique = matches!(call.keyword("unique"), Some(Value::Bool(true)));
                        Change::CreateIndex { name, unique }
                    }
                    false => Change::DropIndex { name },
                }
            }
            (constraint, make) => {
                let kind = match constraint {
                    "UniqueConstraint" => Constraint::Unique,
                    "ForeignKeyConstraint" => Constraint::ForeignKey,
                    "PrimaryKeyConstraint" => Constraint::PrimaryKey,
                    "CheckConstraint" => Constraint::Check,
                    _ => return None,
                };
                let to = match kind {
                    Constraint::ForeignKey => Value::Call(call.clone()).references(),
                    _ => None,
                };
                let referent = to.filter(|to| !to.contains(GAP));
                match make {
                    true => Change::AddConstraint { name: own_name, kind, referent },
                    false => Change::DropConstraint { name: own_name, kind: Some(kind) },
                }
            }
        };
        let named = call.keyword("table").and_then(table_of).or_else(|| call.keyword("_table").and_then(table_of));
        let columns = call.positional.iter().chain(call.keyword("columns"));
        let table = named.or_else(|| columns.into_iter().find_map(table_of_columns));
        self.changes(node, table, change, frame);
        Some(())
    }

    fn add_column(
        &mut self,
        node: Node<'m>,
        table: Option<String>,
        column: Column,
        arguments: &Arguments<'m>,
        frame: &Frame<'m>,
    ) {
        let fills = column.python_default
            && arguments.keywords.iter().any(|(name, value, _)| {
                name == "populate_default" && !matches!(value, Value::Bool(false) | Value::None)
            });
        let besides = beside(&column);
        self.changes(node, table.clone(), Change::AddColumn(column), frame);
        for change in besides {
            self.changes(node, table.clone(), change, frame);
        }
        if fills {
            self.changes(node, table, Change::Rows(Verb::Update), frame);
        }
    }

    /// The tables of a list, made one after the other by a function of another module.
    pub(super) fn create_each(&mut self, node: Node<'m>, arguments: &Arguments<'m>, frame: &Frame<'m>) -> Value<'m> {
        let Some(Value::List(tables)) = arguments.first() else {
            self.not_understood(node, frame, "which tables it makes is not known");
            return Value::None;
        };
        for table in tables.iter().map(table_of) {
            let declared = table.as_ref().and_then(|table| self.declared.get(table)).cloned().unwrap_or_default();
            self.changes(node, table, declared.change(), frame);
        }
        Value::None
    }

    /// Every table that the script declares, or those that are named.
    fn create_all(&mut self, node: Node<'m>, arguments: &Arguments<'m>, frame: &Frame<'m>) {
        let frame = Frame { guarded: true, ..frame.clone() };
        let named = match arguments.get("tables", 1) {
            None => Some(self.declared.keys().cloned().map(Some).collect::<Vec<_>>()),
            Some((Value::List(tables), _)) => Some(tables.iter().map(table_of).collect()),
            Some(_) => None,
        };
        let Some(named) = named.filter(|named| !named.is_empty()) else {
            self.not_understood(node, &frame, "which tables `create_all` makes is not known");
            return;
        };
        for table in named {
            let declared = table.as_ref().and_then(|table| self.declared.get(table)).cloned().unwrap_or_default();
            self.changes(node, table, declared.change(), &frame);
        }
    }

    /// Notes a change of a table, opaque where it is not known which, or which column of it.
    fn changes(&mut self, node: Node<'m>, table: Option<String>, change: Change, frame: &Frame<'m>) {
        let of_column = matches!(change, Change::AddColumn(_) | Change::DropColumn { .. } | Change::AlterColumn { .. });
        let whole = table.is_some() && (!of_column || change.column().is_some());
        let certainty = if whole { Certainty::Folded } else { Certainty::Opaque };
        self.found(node, frame, (table, change), certainty);
    }
}

/// The name of a column that is told by it, by its declaration, or as one of a table.
fn column_name(value: &Value<'_>) -> Option<String> {
    match value {
        Value::ColumnOf(_, column) => column.clone(),
        Value::Call(_) => value.column()?.name,
        value => value.text().map(str::to_owned),
    }
}

fn table_of(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Table(table) | Value::ColumnOf(table, _) => table.clone(),
        _ => None,
    }
}

/// The table that columns are of, alone or in a list.
fn table_of_columns(value: &Value<'_>) -> Option<String> {
    match value {
        Value::List(columns) => columns.iter().find_map(table_of_columns),
        Value::ColumnOf(table, _) => table.clone(),
        _ => None,
    }
}

/// `alter(…)` of a column. It defines the column anew from what was found in the database, so that nothing is lost.
fn altered(column: Option<&str>, arguments: &Arguments<'_>) -> Alteration {
    let whole = arguments.first().and_then(Value::column);
    let get = |name: &str| arguments.keywords.iter().find(|(known, ..)| known == name).map(|(_, value, _)| value);
    let name = get("name").and_then(Value::text).or_else(|| arguments.first().and_then(Value::text));
    let kind = get("type").or_else(|| get("type_"));
    let default = get("server_default");
    Alteration {
        new_name: name.filter(|name| column != Some(*name)).map(str::to_owned),
        retyped: kind.is_some() || whole.is_some(),
        kind: kind.and_then(Value::kind).or_else(|| whole.as_ref().and_then(|column| column.kind.clone())),
        nullable: match get("nullable") {
            Some(Value::Bool(nullable)) => Some(*nullable),
            _ => whole.map(|column| column.nullable),
        },
        drops_default: matches!(default, Some(Value::None)),
        sets_default: default.is_some_and(|default| !matches!(default, Value::None | Value::Bool(false))),
        states_nullable: true,
        states_default: true,
        ..Alteration::default()
    }
}
