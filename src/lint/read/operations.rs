//! What alembic's operations do: `op.…` and the same within `batch_alter_table`.

use tree_sitter::Node;

use super::calls::Arguments;
use super::value::{GAP, Value};
use super::walk::{Frame, Walker};
use crate::lint::operation::{Alteration, Certainty, Change, Column, Constraint, Verb};
use crate::migrations::python::children;

/// The parameters of an operation by place, the table's called `table_name` (alembic 1.16, `alembic/operations/ops.py`).
pub(super) fn signature(operation: &str) -> Option<&'static [&'static str]> {
    Some(match operation {
        "create_table" | "drop_table" | "create_table_comment" | "drop_table_comment" | "bulk_insert" => {
            &["table_name"]
        }
        "rename_table" => &["table_name", "new_table_name"],
        "add_column" => &["table_name", "column"],
        "drop_column" => &["table_name", "column_name"],
        "alter_column" => &["table_name", "column_name", "type_"],
        "create_index" => &["index_name", "table_name", "columns"],
        "drop_index" => &["index_name", "table_name"],
        "create_unique_constraint" | "create_primary_key" => &["constraint_name", "table_name", "columns"],
        "create_check_constraint" => &["constraint_name", "table_name", "condition"],
        "create_exclude_constraint" => &["constraint_name", "table_name"],
        "create_foreign_key" => &["constraint_name", "table_name", "referent_table", "local_cols", "remote_cols"],
        "drop_constraint" => &["constraint_name", "table_name", "type_"],
        _ => return None,
    })
}

/// An operation's arguments by name.
struct Given<'a, 'm> {
    arguments: &'a Arguments<'m>,
    places: Vec<&'static str>,
}

impl<'m> Given<'_, 'm> {
    fn get(&self, name: &str) -> Option<&Value<'m>> {
        let place = self.places.iter().position(|known| *known == name).unwrap_or(usize::MAX);
        self.arguments.get(name, place).map(|(value, _)| value)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(Value::text).map(str::to_owned)
    }

    fn truth(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Value::Bool(truth)) => Some(*truth),
            _ => None,
        }
    }

    /// Whether the words of an argument stand in the call itself: a text, or a column whose name is one.
    fn is_plain(&self, name: &str) -> bool {
        let place = self.places.iter().position(|known| *known == name).unwrap_or(usize::MAX);
        let Some((_, node)) = self.arguments.get(name, place) else { return true };
        let node = match node.kind() {
            "call" => node.child_by_field_name("arguments").and_then(|list| children(list).first().copied()),
            _ => Some(node),
        };
        node.is_some_and(|node| matches!(node.kind(), "string" | "concatenated_string" | "none"))
    }
}

impl<'m> Walker<'m> {
    /// An operation of alembic, in a batch or not.
    pub(super) fn operation(
        &mut self,
        node: Node<'m>,
        name: &str,
        batch: Option<(Option<String>, bool)>,
        arguments: &Arguments<'m>,
        frame: &mut Frame<'m>,
    ) -> Value<'m> {
        match name {
            "get_bind" | "get_context" => return Value::Bind,
            "f" | "inline_literal" => return arguments.first().cloned().unwrap_or(Value::Unknown),
            "execute" => return self.execute(node, arguments.get("sqltext", 0).map(|(value, _)| value), frame),
            "batch_alter_table" => {
                let table = arguments.get("table_name", 0);
                let plain = table.is_some_and(|(_, node)| node.kind() == "string");
                return Value::Batch(table.and_then(|(value, _)| value.text()).map(str::to_owned), plain);
            }
            _ => {}
        }
        let Some(places) = signature(name) else {
            self.not_understood(node, frame, &format!("`{name}` is no operation of alembic that is known"));
            return Value::Unknown;
        };
        if arguments.more {
            self.not_understood(node, frame, &format!("not all that `{name}` is given is known"));
        }
        let mut places = places.to_vec();
        if batch.is_some() {
            places.retain(|place| *place != "table_name");
        }
        let given = Given { arguments, places };
        let column = if name == "add_column" { "column" } else { "column_name" };
        let plain =
            given.is_plain(column) && batch.as_ref().map_or_else(|| table_is_plain(&given), |(_, plain)| *plain);
        let certainty = if frame.literal && plain { Certainty::Literal } else { Certainty::Folded };
        self.note(node, name, batch.map(|(table, _)| table), &given, certainty, frame)
    }

    /// What a function of another module does in the place of an operation.
    pub(super) fn helper(
        &mut self,
        node: Node<'m>,
        operation: &str,
        names: Option<&'static str>,
        arguments: &Arguments<'m>,
        frame: &mut Frame<'m>,
    ) -> Value<'m> {
        let places = match names {
            Some(names) => names.split(',').map(str::trim).collect(),
            None => signature(operation).unwrap_or_default().to_vec(),
        };
        self.note(node, operation, None, &Given { arguments, places }, Certainty::Helper, frame)
    }

    /// Notes what an operation does to `table`, or to that which it names.
    fn note(
        &mut self,
        node: Node<'m>,
        name: &str,
        batch: Option<Option<String>>,
        given: &Given<'_, 'm>,
        certainty: Certainty,
        frame: &Frame<'m>,
    ) -> Value<'m> {
        let table = batch.unwrap_or_else(|| table(given));
        let mut made = Value::None;
        let mut besides = Vec::new();
        let change = match name {
            "create_table" => {
                made = Value::Table(table.clone());
                let parts = given.arguments.positional.iter().skip(1).map(|(value, _)| value);
                let columns = parts.clone().filter_map(Value::column).collect();
                Change::CreateTable { columns, references: parts.filter_map(Value::references).collect() }
            }
            "drop_table" => Change::DropTable,
            "rename_table" => Change::RenameTable { to: given.text("new_table_name") },
            "add_column" => {
                let column = given.get("column").and_then(Value::column).unwrap_or_default();
                besides.extend(beside(&column));
                Change::AddColumn(column)
            }
            "drop_column" => Change::DropColumn { column: given.text("column_name") },
            "alter_column" => {
                Change::AlterColumn { column: given.text("column_name"), alteration: Box::new(alteration(given)) }
            }
            "create_index" => {
                Change::CreateIndex { name: given.text("index_name"), unique: given.truth("unique") == Some(true) }
            }
            "drop_index" => Change::DropIndex { name: given.text("index_name") },
            "create_unique_constraint" => added(given, Constraint::Unique),
            "create_primary_key" => added(given, Constraint::PrimaryKey),
            "create_check_constraint" | "create_exclude_constraint" => added(given, Constraint::Check),
            "create_foreign_key" => added(given, Constraint::ForeignKey),
            "drop_constraint" => {
                Change::DropConstraint { name: given.text("constraint_name"), kind: constraint(given.get("type_")) }
            }
            "bulk_insert" => Change::Rows(Verb::Insert),
            _ => Change::Nothing,
        };
        let column = matches!(name, "add_column" | "drop_column" | "alter_column");
        let whole = table.is_some() && (!column || change.column().is_some());
        let certainty = if whole { certainty } else { Certainty::Opaque };
        self.found(node, frame, (table.clone(), change), certainty);
        for change in besides {
            self.found(node, frame, (table.clone(), change), certainty);
        }
        made
    }
}

/// What is done to a table besides where a column is added to it.
pub(super) fn beside(column: &Column) -> Vec<Change> {
    let mut besides = Vec::new();
    if let Some(referent) = &column.references {
        let referent = Some(referent.clone()).filter(|referent| !referent.contains(GAP));
        besides.push(Change::AddConstraint { name: None, kind: Constraint::ForeignKey, referent });
    }
    // SQLAlchemy makes a unique index where a column has both.
    if column.index {
        besides.push(Change::CreateIndex { name: None, unique: column.unique });
    } else if column.unique {
        besides.push(Change::AddConstraint { name: None, kind: Constraint::Unique, referent: None });
    }
    besides
}

/// The table that an operation names. Scripts from before alembic 0.8 have other names for it.
fn table(given: &Given<'_, '_>) -> Option<String> {
    match given.get("table_name").or_else(|| given.get("source_table")).or_else(|| given.get("table"))? {
        Value::Table(name) => name.clone(),
        value => value.text().map(str::to_owned),
    }
}

fn table_is_plain(given: &Given<'_, '_>) -> bool {
    given.is_plain("table_name") && given.is_plain("source_table")
}

fn added(given: &Given<'_, '_>, kind: Constraint) -> Change {
    Change::AddConstraint { name: given.text("constraint_name"), kind, referent: given.text("referent_table") }
}

fn constraint(kind: Option<&Value<'_>>) -> Option<Constraint> {
    match kind?.text()? {
        "unique" => Some(Constraint::Unique),
        "foreignkey" => Some(Constraint::ForeignKey),
        "check" => Some(Constraint::Check),
        "primary" => Some(Constraint::PrimaryKey),
        _ => None,
    }
}

fn alteration(given: &Given<'_, '_>) -> Alteration {
    let new_name = given.text("new_column_name").filter(|name| given.text("column_name").as_ref() != Some(name));
    let default = given.get("server_default");
    Alteration {
        new_name,
        kind: given.get("type_").and_then(Value::kind),
        retyped: given.get("type_").is_some_and(|kind| !matches!(kind, Value::None)),
        existing: given.get("existing_type").and_then(Value::kind),
        nullable: given.truth("nullable"),
        was_nullable: given.truth("existing_nullable"),
        drops_default: matches!(default, Some(Value::None)),
        sets_default: default.is_some_and(|default| !matches!(default, Value::None | Value::Bool(false))),
        states_nullable: given.get("existing_nullable").is_some() || given.get("nullable").is_some(),
        states_default: given.get("existing_server_default").is_some() || default.is_some(),
    }
}
