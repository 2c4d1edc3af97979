//! Calls: of functions of the script, of alembic, of SQLAlchemy, of Python, and of other modules.

use std::rc::Rc;

use tree_sitter::Node;

use super::known::{Known, known};
use super::value::{Call, GAP, LONGEST_TEXT, Value};
use super::walk::{Frame, Walker};
use crate::lint::operation::{Certainty, Change, Verb};
use crate::migrations::python::children;

/// Python's own functions, but for those that run what they are given: they change no schema.
pub(super) const PYTHON: [&str; 39] = [
    "abs",
    "all",
    "any",
    "bool",
    "bytes",
    "callable",
    "chr",
    "dict",
    "divmod",
    "enumerate",
    "filter",
    "float",
    "format",
    "frozenset",
    "getattr",
    "hasattr",
    "hash",
    "id",
    "int",
    "isinstance",
    "issubclass",
    "iter",
    "len",
    "list",
    "map",
    "max",
    "min",
    "next",
    "ord",
    "print",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "sorted",
    "str",
    "sum",
    "tuple",
];

/// The arguments of a call.
#[derive(Clone)]
pub(super) struct Arguments<'m> {
    pub(super) positional: Vec<(Value<'m>, Node<'m>)>,
    pub(super) keywords: Vec<(String, Value<'m>, Node<'m>)>,
    /// Whether there are others that are not known: `*columns` of a list that is not.
    pub(super) more: bool,
}

impl<'m> Arguments<'m> {
    /// The argument that has this name or this place.
    pub(super) fn get(&self, name: &str, place: usize) -> Option<(&Value<'m>, Node<'m>)> {
        let named = self.keywords.iter().find(|(known, ..)| known == name).map(|(_, value, node)| (value, *node));
        named.or_else(|| self.positional.get(place).map(|(value, node)| (value, *node)))
    }

    pub(super) fn first(&self) -> Option<&Value<'m>> {
        self.positional.first().map(|(value, _)| value)
    }

    fn into_call(self, name: &str) -> Value<'m> {
        Value::Call(Rc::new(Call {
            name: name.rsplit('.').next().unwrap_or(name).to_owned(),
            positional: self.positional.into_iter().map(|(value, _)| value).collect(),
            keywords: self.keywords.into_iter().map(|(name, value, _)| (name, value)).collect(),
        }))
    }
}

impl<'m> Walker<'m> {
    pub(super) fn call(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Value<'m> {
        self.seen.insert(node.id());
        let Some(called) = node.child_by_field_name("function") else { return Value::Unknown };
        let (object, name) = match called.kind() {
            "attribute" => {
                let object = called.child_by_field_name("object").map(|object| self.value(object, frame));
                let name = called.child_by_field_name("attribute").map_or("", |name| self.module.source(name));
                (object.unwrap_or(Value::Unknown), name)
            }
            _ => (self.value(called, frame), ""),
        };
        let arguments = self.arguments(node, frame);
        self.invoke(node, called, (object, name), arguments, frame)
    }

    /// Calls a method of a value, or the value itself where it has no name.
    fn invoke(
        &mut self,
        node: Node<'m>,
        called: Node<'m>,
        (object, name): (Value<'m>, &'m str),
        arguments: Arguments<'m>,
        frame: &mut Frame<'m>,
    ) -> Value<'m> {
        match object {
            Value::ByEngine(values) => {
                for (engines, value) in values {
                    let mut inner = Frame { engines: frame.engines.and(engines), ..frame.clone() };
                    self.invoke(node, called, (value, name), arguments.clone(), &mut inner);
                }
                Value::Unknown
            }
            Value::Function(function) if name.is_empty() => self.own(function, arguments, frame),
            Value::Name(module) if name.is_empty() => self.outside(node, &module, arguments, frame),
            Value::Name(module) => self.outside(node, &format!("{module}.{name}"), arguments, frame),
            Value::Batch(table, literal) => self.operation(node, name, Some((table, literal)), &arguments, frame),
            object => self.method(node, called, object, name, arguments, frame),
        }
    }

    fn arguments(&mut self, call: Node<'m>, frame: &mut Frame<'m>) -> Arguments<'m> {
        let mut arguments = Arguments { positional: Vec::new(), keywords: Vec::new(), more: false };
        let Some(list) = call.child_by_field_name("arguments") else { return arguments };
        if list.kind() == "generator_expression" {
            let value = self.value(list, frame);
            arguments.positional.push((value, list));
            return arguments;
        }
        for argument in children(list) {
            match argument.kind() {
                "keyword_argument" => {
                    let field = |field| argument.child_by_field_name(field);
                    let (Some(name), Some(value)) = (field("name"), field("value")) else { continue };
                    let evaluated = self.value(value, frame);
                    arguments.keywords.push((self.module.source(name).to_owned(), evaluated, value));
                }
                "list_splat" => match children(argument).first().map(|inner| self.value(*inner, frame)) {
                    Some(Value::List(items)) => {
                        arguments.positional.extend(items.into_iter().map(|item| (item, argument)));
                    }
                    _ => arguments.more = true,
                },
                "dictionary_splat" => {
                    let given = children(argument).first().map(|inner| self.value(*inner, frame));
                    let Some(Value::Map(entries)) = given else {
                        arguments.more = true;
                        continue;
                    };
                    for (key, value) in entries {
                        match key.text() {
                            Some(key) => arguments.keywords.push((key.to_owned(), value, argument)),
                            None => arguments.more = true,
                        }
                    }
                }
                _ => {
                    let value = self.value(argument, frame);
                    arguments.positional.push((value, argument));
                }
            }
        }
        arguments
    }

    /// A function or a lambda of the script.
    fn own(&mut self, function: Node<'m>, arguments: Arguments<'m>, frame: &mut Frame<'m>) -> Value<'m> {
        let mut given = Vec::new();
        let parameters = function.child_by_field_name("parameters").map(children).unwrap_or_default();
        for (place, parameter) in parameters.into_iter().enumerate() {
            let (name, default) = match parameter.kind() {
                "identifier" => (Some(parameter), None),
                "default_parameter" | "typed_default_parameter" => {
                    (parameter.child_by_field_name("name"), parameter.child_by_field_name("value"))
                }
                "typed_parameter" => (children(parameter).first().copied(), None),
                _ => continue,
            };
            let Some(name) = name.map(|name| self.module.source(name).to_owned()) else { continue };
            let value = match arguments.get(&name, place) {
                Some((value, _)) => value.clone(),
                None => default.map_or(Value::Unknown, |default| self.value(default, frame)),
            };
            given.push((name, value));
        }
        self.enter(function, frame, given)
    }

    /// Something of another module, or of Python itself.
    fn outside(&mut self, node: Node<'m>, name: &str, arguments: Arguments<'m>, frame: &mut Frame<'m>) -> Value<'m> {
        if let Some(operation) = name.strip_prefix("alembic.op.") {
            return self.operation(node, operation, None, &arguments, frame);
        }
        let handed = arguments.positional.iter().map(|(value, _)| value).find_map(|value| match value {
            Value::Name(given) if given.starts_with("alembic.op.") => Some(given),
            _ => None,
        });
        if let Some(handed) = handed {
            self.not_understood(node, frame, &format!("it hands {handed} to {name}"));
            return Value::Unknown;
        }
        let last = name.rsplit('.').next().unwrap_or(name);
        if matches!(name, "alembic.context.get_bind" | "alembic.context.get_context") {
            return Value::Bind;
        }
        if name.starts_with("sqlalchemy.") {
            return if matches!(last, "Table" | "table") {
                self.table(&arguments)
            } else {
                sqlalchemy(last, arguments)
            };
        }
        match known(name) {
            Some(Known::Harmless) => Value::Unknown,
            Some(Known::Table) => Value::Table(arguments.first().and_then(Value::text).map(str::to_owned)),
            Some(Known::Creates) => self.create_each(node, &arguments, frame),
            Some(Known::Does(operation, names)) => self.helper(node, operation, names, &arguments, frame),
            None if PYTHON.contains(&name) => python(name, arguments),
            None if name.starts_with("itertools.chain") => {
                let lists = arguments.positional.into_iter().map(|(value, _)| match value {
                    Value::List(items) => Some(items),
                    _ => None,
                });
                lists.collect::<Option<Vec<_>>>().map_or(Value::Unknown, |lists| Value::List(lists.concat()))
            }
            // Types of columns are made everywhere.
            None if last.starts_with(|c: char| c.is_ascii_uppercase()) => arguments.into_call(last),
            None => {
                let why = match name.contains('.') {
                    true => format!("it calls {name}, of another module, which is not read"),
                    false => format!("it calls {name}, which neither the script nor Python has"),
                };
                self.not_understood(node, frame, &why);
                Value::Unknown
            }
        }
    }

    /// A method of a value.
    fn method(
        &mut self,
        node: Node<'m>,
        called: Node<'m>,
        object: Value<'m>,
        name: &str,
        arguments: Arguments<'m>,
        frame: &mut Frame<'m>,
    ) -> Value<'m> {
        if let Some(value) = self.changeset(node, called, (&object, name), &arguments, frame) {
            return value;
        }
        match (object, name) {
            (_, "execute" | "exec_driver_sql" | "scalar" | "scalars")
                if !arguments.positional.is_empty() || !arguments.keywords.is_empty() =>
            {
                self.execute(node, arguments.get("statement", 0).map(|(value, _)| value), frame)
            }
            (Value::Table(table), "insert" | "update" | "delete" | "select") => Value::Statement(verb(name), table),
            (Value::Statement(verb, table), _) => Value::Statement(verb, table),
            (Value::Session, "begin" | "") => Value::Session,
            (Value::Session, "add" | "add_all" | "merge" | "bulk_save_objects" | "bulk_insert_mappings") => {
                self.found(node, frame, (None, Change::Rows(Verb::Insert)), Certainty::Opaque);
                Value::None
            }
            (Value::Session, "bulk_update_mappings") => {
                self.found(node, frame, (None, Change::Rows(Verb::Update)), Certainty::Opaque);
                Value::None
            }
            (Value::Session, "delete") => {
                self.found(node, frame, (None, Change::Rows(Verb::Delete)), Certainty::Opaque);
                Value::None
            }
            (_, "query") => Value::Rows(match arguments.first() {
                Some(Value::Table(table)) => table.clone(),
                _ => None,
            }),
            (Value::Rows(table), "update" | "delete") => {
                let verb = if name == "update" { Verb::Update } else { Verb::Delete };
                let certainty = if table.is_some() { Certainty::Folded } else { Certainty::Opaque };
                self.found(node, frame, (table, Change::Rows(verb)), certainty);
                Value::None
            }
            (Value::Rows(_), "scalar" | "count" | "one" | "first" | "one_or_none") => Value::Unknown,
            (Value::Rows(table), _) => Value::Rows(table),
            (Value::Bind, name)
                if matches!(name, "executemany" | "run_callable") || super::operations::signature(name).is_some() =>
            {
                self.not_understood(node, frame, &format!("`{name}` of a connection is not followed"));
                Value::Unknown
            }
            (Value::Bind, _) => Value::Bind,
            // An index, a type or a constraint that is made by itself, outside of alembic.
            (Value::Call(call), "create" | "drop" | "alter") => {
                self.not_understood(node, frame, &format!("`{name}` of {} is not followed", call.name));
                Value::Unknown
            }
            // `String(36).with_variant(…)` is a string still.
            (Value::Call(call), _) => Value::Call(call),
            (Value::Text(text), _) => text_method(&text, name, &arguments),
            (Value::Map(entries), "items") => {
                Value::List(entries.into_iter().map(|(key, value)| Value::List(vec![key, value])).collect())
            }
            (Value::Map(entries), "keys") => Value::List(entries.into_iter().map(|(key, _)| key).collect()),
            (Value::Map(entries), "values") => Value::List(entries.into_iter().map(|(_, value)| value).collect()),
            (Value::List(mut items), "append" | "extend" | "add") => {
                let added = arguments.positional.into_iter().next().map_or(Value::Unknown, |(value, _)| value);
                match (name, added) {
                    // As long as there are rows: whoever walks it does so once for each.
                    _ if frame.for_each_row => return self.rename(called, Value::Rows(None), frame),
                    ("extend", Value::List(more)) => items.extend(more),
                    ("extend", _) => return self.forget(called, frame),
                    (_, one) => items.push(one),
                }
                self.rename(called, Value::List(items), frame)
            }
            (Value::List(_), "pop" | "remove" | "clear" | "insert" | "sort" | "reverse") => self.forget(called, frame),
            (Value::Map(_), "update" | "pop" | "setdefault" | "clear") => self.forget(called, frame),
            (Value::Unknown, "") => {
                self.not_understood(node, frame, "it calls something that is not known");
                Value::Unknown
            }
            // What changes schemas wherever SQLAlchemy, alembic and sqlalchemy-migrate have it.
            (_, "create" | "drop" | "create_all" | "drop_all") => {
                self.not_understood(node, frame, &format!("`{name}` of something that is not known"));
                Value::Unknown
            }
            (_, name) if super::operations::signature(name).is_some() => {
                self.not_understood(node, frame, &format!("`{name}` of something that is not known"));
                Value::Unknown
            }
            _ => Value::Unknown,
        }
    }

    /// Gives the name on which a method is called another value.
    pub(super) fn rename(&mut self, called: Node<'m>, value: Value<'m>, frame: &mut Frame<'m>) -> Value<'m> {
        if let Some(object) = called.child_by_field_name("object").filter(|object| object.kind() == "identifier") {
            self.bind(object, value, frame);
        }
        Value::None
    }

    fn forget(&mut self, called: Node<'m>, frame: &mut Frame<'m>) -> Value<'m> {
        self.rename(called, Value::Unknown, frame);
        Value::Unknown
    }

    /// A statement that is run.
    pub(super) fn execute(&mut self, node: Node<'m>, what: Option<&Value<'m>>, frame: &mut Frame<'m>) -> Value<'m> {
        match what {
            Some(Value::Text(text)) => {
                let found = super::sql::read(text);
                let reads = found.is_empty();
                let certainty = match (text.contains(GAP), frame.literal) {
                    (false, true) => Certainty::Literal,
                    _ => Certainty::Folded,
                };
                for what in found {
                    let opaque = what.1.is_opaque() || what.0.is_none() && what.1.is_of_table();
                    self.found(node, frame, what, if opaque { Certainty::Opaque } else { certainty });
                }
                if reads { Value::Rows(None) } else { Value::Unknown }
            }
            Some(Value::Statement(Some(verb), table)) => {
                let certainty = if table.is_some() { Certainty::Folded } else { Certainty::Opaque };
                self.found(node, frame, (table.clone(), Change::Rows(*verb)), certainty);
                Value::Unknown
            }
            Some(Value::Statement(None, table)) => Value::Rows(table.clone()),
            Some(Value::ByEngine(values)) => {
                for (engines, value) in values {
                    let mut inner = Frame { engines: frame.engines.and(*engines), ..frame.clone() };
                    self.execute(node, Some(value), &mut inner);
                }
                Value::Unknown
            }
            _ => {
                self.not_understood(node, frame, "it runs a statement whose text is not known");
                Value::Unknown
            }
        }
    }
}

/// What SQLAlchemy makes of a call.
fn sqlalchemy<'m>(name: &str, arguments: Arguments<'m>) -> Value<'m> {
    match name {
        "text" | "DDL" => arguments.first().cloned().unwrap_or(Value::Unknown),
        "insert" | "update" | "delete" | "select" => {
            let table = match arguments.first() {
                Some(Value::Table(table)) => table.clone(),
                _ => None,
            };
            Value::Statement(verb(name), table)
        }
        "Session" | "sessionmaker" => Value::Session,
        "inspect" | "from_engine" | "Inspector" => Value::Unknown,
        _ => arguments.into_call(name),
    }
}

fn verb(name: &str) -> Option<Verb> {
    match name {
        "insert" => Some(Verb::Insert),
        "update" => Some(Verb::Update),
        "delete" => Some(Verb::Delete),
        _ => None,
    }
}

/// What Python's own functions make of their arguments, as far as scripts use them on constants.
fn python<'m>(name: &str, arguments: Arguments<'m>) -> Value<'m> {
    match (name, arguments.first()) {
        ("list" | "tuple" | "set" | "sorted" | "reversed" | "frozenset" | "iter", Some(value)) => match value {
            Value::Map(entries) => Value::List(entries.iter().map(|(key, _)| key.clone()).collect()),
            Value::List(_) | Value::Rows(_) => value.clone(),
            Value::Parts(..) | Value::Columns(_) => value.clone(),
            _ => Value::Unknown,
        },
        ("list" | "tuple" | "set", None) => Value::List(Vec::new()),
        ("dict", None) if arguments.keywords.is_empty() => Value::Map(Vec::new()),
        ("enumerate", Some(Value::List(items))) => {
            let numbered = items.iter().zip(0..).map(|(item, at)| Value::List(vec![Value::Number(at), item.clone()]));
            Value::List(numbered.collect())
        }
        ("enumerate", Some(Value::Rows(table))) => Value::Rows(table.clone()),
        ("getattr", Some(Value::Columns(table))) => {
            let column = arguments.positional.get(1).and_then(|(name, _)| name.text());
            Value::ColumnOf(table.clone(), column.map(str::to_owned))
        }
        ("str", Some(value)) => Value::Text(value.piece()),
        _ => Value::Unknown,
    }
}

fn text_method<'m>(text: &str, name: &str, arguments: &Arguments<'m>) -> Value<'m> {
    match (name, arguments.first()) {
        ("join", Some(Value::List(items))) => {
            let long = items.len().saturating_mul(text.len()) > LONGEST_TEXT;
            if long {
                Value::Unknown
            } else {
                Value::put_together(items.iter().map(Value::piece).collect::<Vec<_>>().join(text))
            }
        }
        ("join", _) => Value::Text(GAP.to_string()),
        ("lower", _) => Value::Text(text.to_lowercase()),
        ("upper", _) => Value::Text(text.to_uppercase()),
        ("strip", None) => Value::Text(text.trim().to_owned()),
        ("format", _) => Value::put_together(formatted(text, arguments)),
        _ => Value::Unknown,
    }
}

/// `'{} {name}'.format(…)`.
fn formatted(pattern: &str, arguments: &Arguments<'_>) -> String {
    let mut text = String::new();
    let mut next = 0_usize;
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{').filter(|_| text.len() <= LONGEST_TEXT) {
        text.push_str(before);
        let Some((name, after)) = after.split_once('}') else { break };
        let place = if name.is_empty() { Some(next) } else { name.parse().ok() };
        next += usize::from(name.is_empty());
        let found = arguments.get(name, place.unwrap_or(usize::MAX));
        text.push_str(&found.map_or_else(|| GAP.to_string(), |(value, _)| value.piece()));
        rest = after;
    }
    text + rest
}
