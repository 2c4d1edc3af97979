//! Expressions: constants are folded, and what a call does on the way is noted.

use tree_sitter::Node;

use super::calls::PYTHON;
use super::value::{GAP, LONGEST_TEXT, Part, Value};
use super::walk::{Frame, Walker};
use crate::lint::operation::Constraint;
use crate::migrations::python::{children, children_all};

/// The most entries of a list that is made of others.
const LONGEST: usize = 10_000;

impl<'m> Walker<'m> {
    /// The value of an expression.
    pub(super) fn value(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Value<'m> {
        if !self.step(node, frame) {
            return Value::Unknown;
        }
        let value = self.evaluate(node, frame);
        self.out();
        self.carry(value.weight());
        value
    }

    fn evaluate(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Value<'m> {
        match node.kind() {
            "none" => Value::None,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "integer" => self.module.source(node).replace('_', "").parse().map_or(Value::Unknown, Value::Number),
            "string" => Value::put_together(self.string(node, frame)),
            "concatenated_string" => {
                Value::put_together(children(node).into_iter().map(|part| self.value(part, frame).piece()).collect())
            }
            "parenthesized_expression" => match children(node).first() {
                Some(inner) => self.value(*inner, frame),
                None => Value::Unknown,
            },
            "list" | "tuple" | "set" | "expression_list" => self.list(node, frame),
            "dictionary" => self.map(node, frame),
            "identifier" => self.named(self.module.source(node), frame),
            "attribute" => self.attribute(node, frame),
            "call" => self.call(node, frame),
            "lambda" => Value::Function(node),
            "binary_operator" => self.operator(node, frame),
            "comparison_operator" | "not_operator" | "boolean_operator" => match self.condition(node, frame) {
                super::condition::Condition::Known(truth) => Value::Bool(truth),
                super::condition::Condition::On(engines) => Value::On(engines),
                _ => Value::Unknown,
            },
            "conditional_expression" => self.either(node, frame),
            "subscript" => self.entry(node, frame),
            "list_comprehension" | "generator_expression" | "set_comprehension" => self.comprehension(node, frame),
            "named_expression" => {
                let value = node.child_by_field_name("value").map_or(Value::Unknown, |value| self.value(value, frame));
                if let Some(name) = node.child_by_field_name("name") {
                    self.bind(name, value.clone(), frame);
                }
                value
            }
            _ => {
                for child in children(node) {
                    self.value(child, frame);
                }
                Value::Unknown
            }
        }
    }

    /// A literal; what is not known of it, and every escape that is none of the usual ones, becomes a gap.
    fn string(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> String {
        let mut text = String::new();
        let parts = children_all(node);
        let start =
            parts.iter().find(|part| part.kind() == "string_start").map_or("", |part| self.module.source(*part));
        let raw = start.to_ascii_lowercase().contains('r');
        for part in parts {
            if text.len() > LONGEST_TEXT {
                break;
            }
            match part.kind() {
                "string_content" if raw => text.push_str(self.module.source(part)),
                "string_content" => {
                    // Between escapes and doubled braces the content is plain.
                    let mut at = part.start_byte();
                    for inner in children(part) {
                        text.push_str(self.module.text_at(at..inner.start_byte()));
                        text.push(match self.module.source(inner) {
                            "\\n" => '\n',
                            "\\t" => '\t',
                            "\\'" => '\'',
                            "\\\"" => '"',
                            "\\\\" => '\\',
                            "{{" => '{',
                            "}}" => '}',
                            _ => GAP,
                        });
                        at = inner.end_byte();
                    }
                    text.push_str(self.module.text_at(at..part.end_byte()));
                }
                "interpolation" => {
                    let inner = part.child_by_field_name("expression");
                    let piece = inner.map_or_else(|| GAP.to_string(), |inner| self.value(inner, frame).piece());
                    text.push_str(&piece);
                }
                _ => {}
            }
        }
        text
    }

    fn list(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Value<'m> {
        let mut items = Vec::new();
        let mut whole = true;
        for item in children(node) {
            if item.kind() != "list_splat" {
                items.push(self.value(item, frame));
                continue;
            }
            match children(item).first().map(|inner| self.value(*inner, frame)) {
                Some(Value::List(inner)) if items.len() + inner.len() <= LONGEST => items.extend(inner),
                _ => whole = false,
            }
        }
        if whole { Value::List(items) } else { Value::Unknown }
    }

    fn map(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Value<'m> {
        let mut entries = Vec::new();
        for pair in children(node) {
            let (Some(key), Some(value)) = (pair.child_by_field_name("key"), pair.child_by_field_name("value")) else {
                return Value::Unknown;
            };
            let key = self.value(key, frame);
            entries.push((key, self.value(value, frame)));
        }
        Value::Map(entries)
    }

    /// A name: of the function, of the module, imported, or Python's own.
    pub(super) fn named(&mut self, name: &'m str, frame: &mut Frame<'m>) -> Value<'m> {
        if let Some(value) = frame.names.get(name) {
            return value.on(frame.engines);
        }
        if let Some(function) = self.functions.get(name) {
            return Value::Function(*function);
        }
        if let Some(assigned) = self.module.assigned(name) {
            if self.module.assigned_in_a_block(name) || !self.open.insert(name) {
                return Value::Unknown;
            }
            let mut outside = Frame { names: Default::default(), ..frame.clone() };
            let value = self.value(assigned, &mut outside);
            self.open.remove(name);
            return value;
        }
        let known = self.module.imported(name).or_else(|| {
            // `from sqlalchemy import *`.
            let everything = self.module.imported("*").filter(|_| !PYTHON.contains(&name))?;
            Some(everything.strip_suffix('*')?.to_owned() + name)
        });
        Value::Name(known.unwrap_or_else(|| name.to_owned()))
    }

    fn attribute(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Value<'m> {
        let (Some(object), Some(name)) = (node.child_by_field_name("object"), node.child_by_field_name("attribute"))
        else {
            return Value::Unknown;
        };
        let name = self.module.source(name);
        let holder = object.child_by_field_name("attribute").map_or("", |holder| self.module.source(holder));
        match self.value(object, frame) {
            _ if name == "name" && matches!(holder, "dialect" | "engine") => Value::Dialect,
            Value::Name(module) => Value::Name(format!("{module}.{name}")),
            Value::Bind if name == "name" => Value::Dialect,
            Value::Bind => Value::Bind,
            Value::Table(table) => match name {
                "name" => table.map_or(Value::Unknown, Value::Text),
                "c" | "columns" => Value::Columns(table),
                "indexes" => Value::Parts(table, Part::Index),
                "constraints" => Value::Parts(table, Part::Constraint(None)),
                "foreign_key_constraints" => Value::Parts(table, Part::Constraint(Some(Constraint::ForeignKey))),
                _ => Value::Unknown,
            },
            Value::Columns(table) => Value::ColumnOf(table, Some(name.to_owned())),
            Value::ColumnOf(_, column) if name == "name" => column.map_or(Value::Unknown, Value::Text),
            Value::ColumnOf(table, _) if name == "table" => Value::Table(table),
            Value::Call(call) if call.name == "MetaData" => match name {
                "bind" => Value::Bind,
                "tables" => Value::Tables,
                _ => Value::Unknown,
            },
            // What a column, an index or a constraint that the script makes is called.
            Value::Call(call) if name == "name" => call
                .keyword("name")
                .or_else(|| call.positional.first().filter(|_| matches!(&call.name[..], "Column" | "Index")))
                .cloned()
                .unwrap_or(Value::Unknown),
            _ => Value::Unknown,
        }
    }

    fn operator(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Value<'m> {
        let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right")) else {
            return Value::Unknown;
        };
        let operator = node.child_by_field_name("operator").map_or("", |operator| self.module.source(operator));
        let (left, right) = (self.value(left, frame), self.value(right, frame));
        match (operator, left, right) {
            ("+", Value::Text(left), Value::Text(right)) => Value::put_together(left + &right),
            ("+", Value::Text(left), Value::Unknown) => Value::Text(left + &GAP.to_string()),
            ("+", Value::Unknown, Value::Text(right)) => Value::Text(GAP.to_string() + &right),
            ("+", Value::List(left), Value::List(right)) if left.len() + right.len() <= LONGEST => {
                Value::List(left.into_iter().chain(right).collect())
            }
            ("%", Value::Text(pattern), value) => Value::put_together(filled(&pattern, &value)),
            _ => Value::Unknown,
        }
    }

    /// `one if condition else other`.
    fn either(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Value<'m> {
        let parts = children(node);
        let [one, condition, other] = parts[..] else { return Value::Unknown };
        let condition = self.condition(condition, frame);
        if condition == super::condition::Condition::Known(true) {
            return self.value(one, frame);
        }
        if condition == super::condition::Condition::Known(false) {
            return self.value(other, frame);
        }
        let (one, other) = (self.value(one, frame), self.value(other, frame));
        if one.equals(&other) == Some(true) { one } else { Value::Unknown }
    }

    fn entry(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Value<'m> {
        let (Some(value), Some(key)) = (node.child_by_field_name("value"), node.child_by_field_name("subscript"))
        else {
            return Value::Unknown;
        };
        let (value, key) = (self.value(value, frame), self.value(key, frame));
        match (value, key) {
            (Value::Map(entries), key) => {
                let found = entries.into_iter().find(|(known, _)| known.equals(&key) == Some(true));
                found.map_or(Value::Unknown, |(_, value)| value)
            }
            (Value::Columns(table), key) => Value::ColumnOf(table, key.text().map(str::to_owned)),
            (Value::Tables, key) => Value::Table(key.text().map(str::to_owned)),
            (Value::List(items), Value::Number(at)) => {
                let found = usize::try_from(at).ok().and_then(|at| items.into_iter().nth(at));
                found.unwrap_or(Value::Unknown)
            }
            _ => Value::Unknown,
        }
    }

    /// The entries of a list that is made of another one. A condition that is not known lets every entry pass.
    fn comprehension(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Value<'m> {
        let parts = children(node);
        let clauses: Vec<Node<'m>> = parts.iter().copied().filter(|part| part.kind() == "for_in_clause").collect();
        let (Some(body), [clause]) = (node.child_by_field_name("body"), &clauses[..]) else { return Value::Unknown };
        let (Some(left), Some(right)) = (clause.child_by_field_name("left"), clause.child_by_field_name("right"))
        else {
            return Value::Unknown;
        };
        let filters: Vec<Node<'m>> = parts.iter().copied().filter(|part| part.kind() == "if_clause").collect();
        let over = self.value(right, frame);
        let mut inner = Frame { literal: false, ..frame.clone() };
        let Value::List(items) = over else {
            let rows = matches!(over, Value::Rows(_));
            inner.for_each_row |= rows;
            inner.guarded = true;
            self.bind(left, over.each(), &mut inner);
            self.value(body, &mut inner);
            return if rows { Value::Rows(None) } else { Value::Unknown };
        };
        let mut made = Vec::new();
        for item in items {
            self.bind(left, item, &mut inner);
            let kept = filters.iter().all(|filter| {
                let condition = children(*filter).first().copied();
                let judged = condition.map(|condition| self.condition(condition, &mut inner));
                judged != Some(super::condition::Condition::Known(false))
            });
            if kept {
                made.push(self.value(body, &mut inner));
            }
        }
        Value::List(made)
    }
}

/// A text with `%s`, `%d` and `%(name)s` filled in.
pub(super) fn filled(pattern: &str, value: &Value<'_>) -> String {
    let mut positional = match value {
        Value::List(values) => values.clone(),
        other => vec![other.clone()],
    }
    .into_iter();
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find('%').filter(|_| text.len() <= LONGEST_TEXT) {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            text.push('%');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|named| named.split_once(')')) {
            let found = match value {
                Value::Map(entries) => entries.iter().find(|(key, _)| key.text() == Some(name)),
                _ => None,
            };
            text.push_str(&found.map_or_else(|| GAP.to_string(), |(_, value)| value.piece()));
            rest = after.strip_prefix(['s', 'd']).unwrap_or(after);
        } else if let Some(after) = rest.strip_prefix(['s', 'd']) {
            text.push_str(&positional.next().map_or_else(|| GAP.to_string(), |value| value.piece()));
            rest = after;
        } else {
            text.push(GAP);
        }
    }
    text + rest
}
