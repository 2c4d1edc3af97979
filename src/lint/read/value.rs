//! What an expression of a script is worth, as far as that can be told.

use std::rc::Rc;

use tree_sitter::Node;

use crate::lint::operation::{Column, Constraint, Engines, Type, Verb};

/// What stands in a text in the place of something that is not known.
pub(super) const GAP: char = '\u{fffd}';

/// The longest text that is put together, in bytes; a longer one is not known.
pub(super) const LONGEST_TEXT: usize = 64 << 10;

/// The value of an expression.
#[derive(Debug, Clone)]
pub(super) enum Value<'m> {
    /// `None`.
    None,
    Bool(bool),
    Number(i64),
    /// A text; a [`GAP`] stands for each part that is not known.
    Text(String),
    List(Vec<Value<'m>>),
    Map(Vec<(Value<'m>, Value<'m>)>),
    /// Something of another module, or of Python itself, by its full name: `sqlalchemy.String`.
    Name(String),
    /// A call that makes a value: `sa.Column('a', sa.String(36))`.
    Call(Rc<Call<'m>>),
    /// What `batch_alter_table` gives: the table's name, and whether it stands there in words.
    Batch(Option<String>, bool),
    /// A table of SQLAlchemy's core.
    Table(Option<String>),
    /// The columns of a table: `table.c`.
    Columns(Option<String>),
    /// A column of a table that is there: `table.c.name`.
    ColumnOf(Option<String>, Option<String>),
    /// Indexes or constraints of a table that is there: `table.indexes`.
    Parts(Option<String>, Part),
    /// One of them.
    PartOf(Option<String>, Part),
    /// The tables of a metadata by their names.
    Tables,
    /// A statement of SQLAlchemy's core: what it does to rows, nothing where it reads.
    Statement(Option<Verb>, Option<String>),
    /// Rows that a query finds, of this table.
    Rows(Option<String>),
    /// A session of SQLAlchemy's ORM.
    Session,
    /// A connection, a context, an engine: what leads to the dialect.
    Bind,
    /// The dialect's name.
    Dialect,
    /// True on these engines, and on no other.
    On(Engines),
    /// A function of the script.
    Function(Node<'m>),
    /// Another one on each of these engines, of which no two share one.
    ByEngine(Vec<(Engines, Value<'m>)>),
    /// Not known.
    Unknown,
}

/// What a table has besides its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Index,
    Constraint(Option<Constraint>),
}

/// A call that makes a value.
#[derive(Debug, Clone)]
pub(super) struct Call<'m> {
    /// The last part of what is called: `Column`.
    pub(super) name: String,
    pub(super) positional: Vec<Value<'m>>,
    pub(super) keywords: Vec<(String, Value<'m>)>,
}

impl<'m> Call<'m> {
    pub(super) fn keyword(&self, name: &str) -> Option<&Value<'m>> {
        self.keywords.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl<'m> Value<'m> {
    /// The text, if all of it is known.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.contains(GAP) => Some(text),
            _ => None,
        }
    }

    /// What each entry is of something whose entries are not known.
    pub(super) fn each(&self) -> Self {
        match self {
            Self::Parts(table, part) => Self::PartOf(table.clone(), *part),
            Self::Columns(table) => Self::ColumnOf(table.clone(), None),
            _ => Self::Unknown,
        }
    }

    /// What it is where only these engines are.
    pub(super) fn on(&self, engines: Engines) -> Self {
        let Self::ByEngine(values) = self else { return self.clone() };
        let shared = values.iter().map(|(own, value)| (own.and(engines), value)).filter(|(own, _)| !own.is_empty());
        match shared.collect::<Vec<_>>()[..] {
            [] => Self::Unknown,
            [(own, value)] if own == engines => value.clone(),
            ref several => Self::ByEngine(several.iter().map(|(own, value)| (*own, (*value).clone())).collect()),
        }
    }

    /// How much it is to carry about: one for what is small.
    pub(super) fn weight(&self) -> u32 {
        let sum = |weights: &mut dyn Iterator<Item = u32>| weights.fold(1, u32::saturating_add);
        match self {
            Self::Text(text) => 1 + u32::try_from(text.len() / 64).unwrap_or(u32::MAX - 1),
            Self::List(items) => sum(&mut items.iter().map(Self::weight)),
            Self::ByEngine(values) => sum(&mut values.iter().map(|(_, value)| value.weight())),
            Self::Map(entries) => {
                sum(&mut entries.iter().map(|(key, value)| key.weight().saturating_add(value.weight())))
            }
            _ => 1,
        }
    }

    /// A text that was put together, if it is not too long.
    pub(super) fn put_together(text: String) -> Self {
        if text.len() > LONGEST_TEXT { Self::Unknown } else { Self::Text(text) }
    }

    /// The text as a part of another one.
    pub(super) fn piece(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::None => "None".to_owned(),
            Self::Bool(truth) => if *truth { "True" } else { "False" }.to_owned(),
            Self::Table(Some(name)) => name.clone(),
            _ => GAP.to_string(),
        }
    }

    /// Whether Python takes it for true, where that is known.
    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Self::None => Some(false),
            Self::Bool(truth) => Some(*truth),
            Self::Number(number) => Some(*number != 0),
            Self::Text(text) if text.contains(GAP) => None,
            Self::Text(text) => Some(!text.is_empty()),
            Self::List(list) => Some(!list.is_empty()),
            Self::Map(map) => Some(!map.is_empty()),
            Self::Function(_) | Self::Batch(..) => Some(true),
            _ => None,
        }
    }

    /// Whether both are the same, where that is known.
    pub(super) fn equals(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::None, Self::None) => Some(true),
            (Self::Bool(one), Self::Bool(two)) => Some(one == two),
            (Self::Number(one), Self::Number(two)) => Some(one == two),
            (Self::Text(_), Self::Text(_)) => Some(self.text()? == other.text()?),
            (Self::None, Self::Text(_) | Self::Number(_) | Self::List(_) | Self::Map(_))
            | (Self::Text(_) | Self::Number(_) | Self::List(_) | Self::Map(_), Self::None) => Some(false),
            _ => None,
        }
    }

    /// The call, if it is one of something called `name`.
    pub(super) fn call(&self, name: &str) -> Option<&Call<'m>> {
        match self {
            Self::Call(call) if call.name == name => Some(call),
            _ => None,
        }
    }

    /// The column that it declares.
    pub(super) fn column(&self) -> Option<Column> {
        let call = self.call("Column")?;
        let is = |name: &str| matches!(call.keyword(name), Some(Self::Bool(true)));
        let given = |name: &str| call.keyword(name).is_some_and(|value| !matches!(value, Self::None));
        let name = call.positional.first().and_then(Self::text).or_else(|| call.keyword("name").and_then(Self::text));
        let rest = call.positional.iter().skip(usize::from(name.is_some()));
        // `Computed` and `Identity` are values that the server makes.
        let made = call.positional.iter().any(|part| part.call("Computed").or(part.call("Identity")).is_some());
        Some(Column {
            name: name.map(str::to_owned),
            kind: rest.chain(call.keyword("type_")).find_map(Self::kind),
            nullable: match call.keyword("nullable") {
                Some(Self::Bool(nullable)) => *nullable,
                _ => !is("primary_key"),
            },
            server_default: given("server_default") || made,
            computed_default: made || call.keyword("server_default").is_some_and(Self::is_computed),
            python_default: given("default"),
            unique: is("unique"),
            index: is("index"),
            references: call.positional.iter().find_map(Self::foreign_key),
        })
    }

    /// Whether a server default has to be computed: an expression that is not the same for every row of a statement.
    fn is_computed(&self) -> bool {
        match self {
            Self::Text(text) => text.split_once('(').is_some_and(|(name, _)| !is_constant(name)),
            Self::Call(call) => !is_constant(&call.name),
            _ => false,
        }
    }

    /// The table that a `ForeignKey` leads to.
    fn foreign_key(&self) -> Option<String> {
        Some(referent(self.call("ForeignKey")?.positional.first()))
    }

    /// The tables that a part of a table's declaration leads to.
    pub(super) fn references(&self) -> Option<String> {
        if let Some(column) = self.column() {
            return column.references;
        }
        let call = self.call("ForeignKeyConstraint")?;
        let Some(Self::List(to)) = call.positional.get(1).or_else(|| call.keyword("refcolumns")) else {
            return Some(GAP.to_string());
        };
        Some(referent(to.first()))
    }

    /// The type that it is, with or without brackets behind it.
    pub(super) fn kind(&self) -> Option<Type> {
        const OTHERS: [&str; 6] = ["ForeignKey", "Sequence", "Identity", "Computed", "Column", "CheckConstraint"];
        match self {
            Self::Name(name) => Some(Type { name: name.rsplit('.').next().unwrap_or(name).to_owned(), length: None }),
            Self::Call(call) if !OTHERS.contains(&call.name.as_str()) => {
                let length = call.keyword("length").or(call.positional.first());
                let length = match length {
                    Some(Self::Number(number)) => u64::try_from(*number).ok(),
                    _ => None,
                };
                Some(Type { name: call.name.clone(), length })
            }
            _ => None,
        }
    }
}

/// Whether a function of SQL is the same for every row of a statement.
pub(super) fn is_constant(function: &str) -> bool {
    const CONSTANT: [&str; 6] = ["now", "current_timestamp", "localtimestamp", "true", "false", "null"];
    CONSTANT.iter().any(|known| known.eq_ignore_ascii_case(function.trim()))
}

/// The table that a foreign key leads to by this column; a [`GAP`] where it is not known.
fn referent(column: Option<&Value<'_>>) -> String {
    let known = match column {
        Some(Value::ColumnOf(table, _)) => table.clone(),
        column => column.and_then(Value::text).map(table_of),
    };
    known.unwrap_or_else(|| GAP.to_string())
}

/// The table of a column that is named with it: `nodes.id`, `schema.nodes.id`.
fn table_of(column: &str) -> String {
    let mut parts = column.rsplit('.').skip(1);
    parts.next().unwrap_or(column).to_owned()
}
