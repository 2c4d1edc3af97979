//! The statements of a script's `upgrade`, in the order in which Python would come to them.
//!
//! Functions of the script are entered; statements that hold others are `compound`'s. What is not walked at all, because
//! no rule here reaches it, is reported in the end: [`Walker::left_over`].

use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::Node;

use super::migrate::Declared;
use super::value::Value;
use crate::lint::operation::{Certainty, Change, Engines, Operation, Place};
use crate::migrations::python::{Module, children};

/// How deep calls, blocks and expressions may lie in one another.
const DEEPEST: usize = 80;
/// The most places of a script that are looked at.
const MOST: u32 = 200_000;
/// The most operations of a script: those of a release that makes its whole schema in one are some hundreds.
const MOST_OPERATIONS: usize = 2_000;
/// What is said where a script is not followed to its end.
const TOO_LONG: &str = "the script is too long or too deep to be followed to its end";
/// How many functions of the script may be entered from within one another.
const CALLS: usize = 8;

/// A walk through one script.
pub(super) struct Walker<'m> {
    pub(super) module: &'m Module,
    pub(super) functions: BTreeMap<&'m str, Node<'m>>,
    /// What was found.
    pub(super) operations: Vec<Operation>,
    /// What each function that was entered gave back last.
    pub(super) returned: Value<'m>,
    /// Names of the module that are being looked up: one that needs itself has no value.
    pub(super) open: BTreeSet<&'m str>,
    /// The tables that the script declares.
    pub(super) declared: BTreeMap<String, Declared>,
    /// Calls that were come to.
    pub(super) seen: BTreeSet<usize>,
    /// Bodies that were entered.
    entered: Vec<Node<'m>>,
    left: u32,
    depth: usize,
}

/// What holds at a place of the walk.
#[derive(Clone)]
pub(super) struct Frame<'m> {
    pub(super) names: BTreeMap<String, Value<'m>>,
    pub(super) engines: Engines,
    pub(super) guarded: bool,
    pub(super) for_each_row: bool,
    /// Whether a failure is caught and passed over.
    pub(super) swallowed: bool,
    /// Whether words that stand in a call are there by themselves: not in a loop, not in another function.
    pub(super) literal: bool,
    /// The functions that were entered on the way here.
    pub(super) calls: usize,
}

/// How a statement ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// With the next one.
    On,
    /// With the end of the function, of a turn of the loop, or of everything.
    Away,
}

impl<'m> Walker<'m> {
    pub(super) fn new(module: &'m Module) -> Self {
        let definitions = children(module.root()).into_iter().filter_map(|statement| match statement.kind() {
            "decorated_definition" => statement.child_by_field_name("definition"),
            "function_definition" => Some(statement),
            _ => None,
        });
        let functions = definitions.filter_map(|node| Some((module.source(node.child_by_field_name("name")?), node)));
        Self {
            module,
            functions: functions.collect(),
            operations: Vec::new(),
            returned: Value::None,
            open: BTreeSet::new(),
            declared: BTreeMap::new(),
            seen: BTreeSet::new(),
            entered: Vec::new(),
            left: MOST,
            depth: 0,
        }
    }

    /// Walks a function as alembic calls it, or as sqlalchemy-migrate does, which hands it a connection.
    pub(super) fn walk(&mut self, function: Node<'m>) {
        let parameters = function.child_by_field_name("parameters").map(children).unwrap_or_default();
        let handed = parameters.first().filter(|parameter| parameter.kind() == "identifier");
        let frame = Frame {
            names: handed.map(|name| (self.module.source(*name).to_owned(), Value::Bind)).into_iter().collect(),
            engines: Engines::ALL,
            guarded: false,
            for_each_row: false,
            swallowed: false,
            literal: true,
            calls: 0,
        };
        self.body(function, frame);
    }

    /// Enters a function or a lambda with the names that it was given.
    pub(super) fn enter(
        &mut self,
        function: Node<'m>,
        frame: &Frame<'m>,
        given: Vec<(String, Value<'m>)>,
    ) -> Value<'m> {
        if frame.calls >= CALLS {
            self.not_understood(function, frame, "functions call one another too deeply to be followed");
            return Value::Unknown;
        }
        let mut inner = Frame { literal: false, calls: frame.calls + 1, ..frame.clone() };
        inner.names.extend(given);
        let before = std::mem::replace(&mut self.returned, Value::None);
        self.body(function, inner);
        std::mem::replace(&mut self.returned, before)
    }

    fn body(&mut self, function: Node<'m>, mut frame: Frame<'m>) {
        let Some(body) = function.child_by_field_name("body") else { return };
        self.entered.push(body);
        if body.kind() == "block" {
            self.block(body, &mut frame);
        } else {
            self.returned = self.value(body, &mut frame);
        }
    }

    /// Whether one more place may be looked at, one level deeper; [`Walker::out`] goes with each that may.
    pub(super) fn step(&mut self, node: Node<'m>, frame: &Frame<'m>) -> bool {
        if self.depth < DEEPEST && self.left > 1 {
            self.left -= 1;
            self.depth += 1;
            return true;
        }
        if self.left > 0 {
            // Said once: what follows is not looked at either.
            self.left = 0;
            self.push(node, frame, (None, Change::NotUnderstood { why: TOO_LONG.to_owned() }), Certainty::Opaque);
        }
        false
    }

    /// Counts what is carried about as if it were places.
    pub(super) fn carry(&mut self, weight: u32) {
        if self.left > 1 {
            self.left = self.left.saturating_sub(weight).max(1);
        }
    }

    pub(super) fn out(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn block(&mut self, block: Node<'m>, frame: &mut Frame<'m>) -> Flow {
        for statement in children(block) {
            if !self.step(statement, frame) {
                return Flow::Away;
            }
            let flow = self.statement(statement, frame);
            self.out();
            if flow == Flow::Away {
                return flow;
            }
        }
        Flow::On
    }

    fn statement(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Flow {
        match node.kind() {
            "expression_statement" => {
                for part in children(node) {
                    self.expression(part, frame);
                }
                Flow::On
            }
            "return_statement" => {
                if let Some(value) = children(node).first() {
                    self.returned = self.value(*value, frame);
                }
                Flow::Away
            }
            "raise_statement" => {
                let parts = children(node);
                for part in &parts {
                    self.value(*part, frame);
                }
                // Without one it passes on what was raised elsewhere.
                if !parts.is_empty() {
                    self.found(node, frame, (None, Change::Raises), Certainty::Literal);
                }
                Flow::Away
            }
            "continue_statement" | "break_statement" => Flow::Away,
            "if_statement" => self.choice(node, frame),
            "for_statement" => self.loop_over(node, frame),
            "while_statement" => self.repeated(node, frame),
            "try_statement" => self.attempt(node, frame),
            "with_statement" => {
                for clause in children(node).into_iter().filter(|child| child.kind() == "with_clause") {
                    self.contexts(clause, frame);
                }
                node.child_by_field_name("body").map_or(Flow::On, |body| self.block(body, frame))
            }
            "function_definition" => {
                if let Some(name) = node.child_by_field_name("name") {
                    frame.names.insert(self.module.source(name).to_owned(), Value::Function(node));
                }
                Flow::On
            }
            "assert_statement" => {
                for part in children(node) {
                    self.value(part, frame);
                }
                Flow::On
            }
            "pass_statement"
            | "import_statement"
            | "import_from_statement"
            | "future_import_statement"
            | "global_statement"
            | "nonlocal_statement"
            | "delete_statement"
            | "class_definition" => Flow::On,
            kind => {
                let why = format!("a {} is not followed", kind.replace('_', " "));
                self.not_understood(node, frame, &why);
                Flow::On
            }
        }
    }

    /// An expression that stands alone, or an assignment.
    fn expression(&mut self, node: Node<'m>, frame: &mut Frame<'m>) {
        match node.kind() {
            "assignment" => {
                let Some(right) = node.child_by_field_name("right") else { return };
                let value = self.value(right, frame);
                if let Some(left) = node.child_by_field_name("left") {
                    self.bind(left, value, frame);
                }
            }
            "augmented_assignment" => {
                if let Some(right) = node.child_by_field_name("right") {
                    self.value(right, frame);
                }
                if let Some(left) = node.child_by_field_name("left") {
                    self.bind(left, Value::Unknown, frame);
                }
            }
            _ => {
                self.value(node, frame);
            }
        }
    }

    /// Gives a name, or several, to a value.
    pub(super) fn bind(&mut self, target: Node<'m>, value: Value<'m>, frame: &mut Frame<'m>) {
        match target.kind() {
            "identifier" => {
                frame.names.insert(self.module.source(target).to_owned(), value);
            }
            "pattern_list" | "tuple_pattern" | "list_pattern" => {
                let parts = children(target);
                let values = match value {
                    Value::List(values) if values.len() == parts.len() => values,
                    _ => vec![Value::Unknown; parts.len()],
                };
                for (part, value) in parts.into_iter().zip(values) {
                    self.bind(part, value, frame);
                }
            }
            _ => {}
        }
    }

    /// Notes an operation, as long as there are not too many.
    pub(super) fn found(
        &mut self,
        node: Node<'m>,
        frame: &Frame<'m>,
        what: (Option<String>, Change),
        certainty: Certainty,
    ) {
        if self.operations.len() < MOST_OPERATIONS {
            self.push(node, frame, what, certainty);
        } else if self.left > 0 {
            self.left = 0;
            self.push(node, frame, (None, Change::NotUnderstood { why: TOO_LONG.to_owned() }), Certainty::Opaque);
        }
    }

    fn push(&mut self, node: Node<'m>, frame: &Frame<'m>, what: (Option<String>, Change), certainty: Certainty) {
        let (table, change) = what;
        self.operations.push(Operation {
            change,
            table,
            engines: frame.engines,
            certainty,
            guarded: frame.guarded,
            for_each_row: frame.for_each_row,
            swallowed: frame.swallowed,
            place: place(node),
        });
    }

    /// Notes that something is not understood.
    pub(super) fn not_understood(&mut self, node: Node<'m>, frame: &Frame<'m>, why: &str) {
        self.found(node, frame, (None, Change::NotUnderstood { why: why.to_owned() }), Certainty::Opaque);
    }

    /// Reports what was entered and not come to, though it calls alembic.
    pub(super) fn left_over(&mut self) {
        let mut open = std::mem::take(&mut self.entered);
        // Methods are entered by nothing here.
        open.extend(children(self.module.root()).into_iter().filter(|node| node.kind() == "class_definition"));
        let mut found = BTreeSet::new();
        while let Some(node) = open.pop() {
            let called = node.child_by_field_name("function").map_or("", |called| self.module.source(called));
            // What is called on the result of another call is that one's.
            let of_alembic = called.starts_with("op.") && !called.contains('(');
            if node.kind() == "call" && of_alembic && !self.seen.contains(&node.id()) {
                found.insert((place(node), called));
            }
            open.extend(children(node));
        }
        for (place, called) in found.into_iter().take(MOST_OPERATIONS) {
            self.operations.push(Operation {
                change: Change::NotUnderstood { why: format!("when `{called}` is called was not found out") },
                table: None,
                engines: Engines::ALL,
                certainty: Certainty::Opaque,
                guarded: true,
                for_each_row: false,
                swallowed: false,
                place,
            });
        }
    }
}

pub(super) fn place(node: Node<'_>) -> Place {
    let range = node.byte_range();
    Place { offset: range.start, length: range.len(), line: node.start_position().row + 1 }
}
