//! Statements that hold others: conditions, loops, attempts, contexts.
//!
//! Loops over known lists are walked once for each entry. Where a condition is not known, both ways are walked and what is
//! done there is guarded.

use std::rc::Rc;

use tree_sitter::Node;

use super::condition::Condition;
use super::value::Value;
use super::walk::{Flow, Frame, Walker};
use crate::lint::operation::Engines;
use crate::migrations::python::children;

/// Methods that change a list, a set or a dictionary.
const CHANGING: [&str; 13] = [
    "add",
    "append",
    "clear",
    "discard",
    "extend",
    "insert",
    "pop",
    "popitem",
    "remove",
    "reverse",
    "setdefault",
    "sort",
    "update",
];

impl<'m> Walker<'m> {
    /// Walks a block that may or may not be come to, or more than once.
    pub(super) fn maybe(&mut self, block: Option<Node<'m>>, frame: &mut Frame<'m>) {
        let Some(block) = block else { return };
        let mut inner = Frame { guarded: true, ..frame.clone() };
        self.block(block, &mut inner);
        frame.names.extend(inner.names);
    }

    /// The arms of an `if`, each on the engines on which it is come to.
    pub(super) fn choice(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Flow {
        let mut rest = frame.clone();
        let mut arms = vec![node];
        arms.extend(children(node).into_iter().filter(|child| matches!(child.kind(), "elif_clause" | "else_clause")));
        let mut on = false;
        let mut before_unsure = false;
        let mut away = Engines::NONE;
        let mut unsure = false;
        for arm in arms {
            let block = arm.child_by_field_name("consequence").or_else(|| arm.child_by_field_name("body"));
            let condition = match arm.child_by_field_name("condition") {
                Some(condition) => self.condition(condition, &mut rest),
                None => Condition::Known(true),
            };
            let mut inner = rest.clone();
            inner.engines = inner.engines.and(condition.possible());
            inner.guarded |= condition.is_unsure();
            if let Some(block) = block.filter(|_| !inner.engines.is_empty()) {
                let flow = self.block(block, &mut inner);
                on |= flow == Flow::On;
                if flow == Flow::Away {
                    unsure |= condition.is_unsure();
                    if !condition.is_unsure() {
                        away = away.or(inner.engines);
                    }
                }
                let unsure = condition.is_unsure() || before_unsure;
                before_unsure |= condition.is_unsure() && flow == Flow::On;
                match inner.engines == frame.engines {
                    true => merge(frame, &inner, unsure),
                    false => split(frame, &inner, unsure),
                }
            }
            rest.engines = rest.engines.and(condition.otherwise());
            rest.guarded |= condition.is_unsure();
            if rest.engines.is_empty() {
                break;
            }
        }
        // What is left goes on after the `if`.
        on |= !rest.engines.is_empty();
        frame.engines = frame.engines.and(away.others());
        frame.guarded |= unsure;
        if on && !frame.engines.is_empty() { Flow::On } else { Flow::Away }
    }

    pub(super) fn loop_over(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Flow {
        let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right")) else {
            return Flow::On;
        };
        let over = self.value(right, frame);
        let body = node.child_by_field_name("body");
        let outside = (frame.literal, frame.guarded, frame.for_each_row);
        frame.literal = false;
        let lists = match over {
            Value::ByEngine(values) => values,
            one => vec![(frame.engines, one)],
        };
        let engines = frame.engines;
        for (own, over) in lists {
            frame.engines = engines.and(own);
            self.turns(body, left, over, frame);
        }
        frame.engines = engines;
        (frame.literal, frame.guarded, frame.for_each_row) = outside;
        for alternative in children(node).into_iter().filter(|child| child.kind() == "else_clause") {
            self.maybe(alternative.child_by_field_name("body"), frame);
        }
        Flow::On
    }

    /// The turns of a loop.
    fn turns(&mut self, body: Option<Node<'m>>, left: Node<'m>, over: Value<'m>, frame: &mut Frame<'m>) {
        let (guarded, engines) = (frame.guarded, frame.engines);
        match over {
            Value::List(items) => {
                for item in items {
                    self.bind(left, item, frame);
                    // What ends one turn says nothing of the next.
                    if let Some(body) = body {
                        self.block(body, frame);
                        (frame.guarded, frame.engines) = (guarded, engines);
                    }
                }
            }
            other => {
                let rows = matches!(other, Value::Rows(_));
                frame.guarded = true;
                frame.for_each_row |= rows;
                self.bind(left, other.each(), frame);
                if let Some(body) = body {
                    let many = if rows { Value::Rows(None) } else { Value::Unknown };
                    self.unsettle(body, frame, |value| match value {
                        Value::List(_) => Some(many.clone()),
                        _ => Some(Value::Unknown),
                    });
                    self.block(body, frame);
                }
            }
        }
    }

    /// A `while`: its body may be done, and more than once. What a list holds is taken for what it holds the first time.
    pub(super) fn repeated(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Flow {
        let body = node.child_by_field_name("body");
        if let Some(condition) = node.child_by_field_name("condition") {
            self.value(condition, frame);
        }
        if let Some(body) = body {
            self.unsettle(body, frame, |value| match value {
                Value::List(items) if !items.is_empty() => None,
                _ => Some(Value::Unknown),
            });
        }
        self.maybe(body, frame);
        Flow::On
    }

    /// Gives what the body of a loop changes the values that `other` says: it is walked once and run many times, and what
    /// holds the first time need not hold the next.
    fn unsettle(&mut self, body: Node<'m>, frame: &mut Frame<'m>, other: impl Fn(Value<'m>) -> Option<Value<'m>>) {
        let mut open = vec![body];
        while let Some(node) = open.pop() {
            self.carry(1);
            let field = |field| node.child_by_field_name(field);
            let changed = match node.kind() {
                "assignment" | "augmented_assignment" => field("left"),
                "named_expression" => field("name"),
                "call" => field("function").filter(|called| {
                    let method = called.child_by_field_name("attribute").map_or("", |name| self.module.source(name));
                    CHANGING.contains(&method)
                }),
                _ => None,
            };
            open.extend(children(node));
            let mut targets: Vec<Node<'m>> = changed.into_iter().collect();
            while let Some(target) = targets.pop() {
                match target.kind() {
                    "identifier" => {
                        let name = self.module.source(target);
                        let value = self.named(name, frame);
                        // `op.add(…)` changes no value.
                        let kept = node.kind() == "call" && !matches!(value, Value::List(_) | Value::Map(_));
                        if let Some(value) = other(value).filter(|_| !kept) {
                            frame.names.insert(name.to_owned(), value);
                        }
                    }
                    "attribute" => targets.extend(target.child_by_field_name("object")),
                    "subscript" => targets.extend(target.child_by_field_name("value")),
                    "pattern_list" | "tuple_pattern" | "list_pattern" => targets.extend(children(target)),
                    _ => {}
                }
            }
        }
    }

    /// A `try`: its body is done; what follows on a mistake may be.
    pub(super) fn attempt(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Flow {
        let clauses = children(node);
        let before = frame.swallowed;
        let handlers = clauses.iter().filter(|clause| matches!(clause.kind(), "except_clause" | "except_group_clause"));
        frame.swallowed |= handlers.clone().any(|clause| !raises(*clause));
        let mut flow = node.child_by_field_name("body").map_or(Flow::On, |body| self.block(body, frame));
        frame.swallowed = before;
        for clause in clauses {
            let block = children(clause).into_iter().find(|child| child.kind() == "block");
            match clause.kind() {
                "except_clause" | "except_group_clause" => self.maybe(block, frame),
                "else_clause" | "finally_clause" if flow == Flow::On => {
                    flow = block.map_or(Flow::On, |block| self.block(block, frame));
                }
                "finally_clause" => self.maybe(block, frame),
                _ => {}
            }
        }
        flow
    }

    pub(super) fn contexts(&mut self, clause: Node<'m>, frame: &mut Frame<'m>) {
        for item in children(clause) {
            let Some(value) = item.child_by_field_name("value").or_else(|| children(item).first().copied()) else {
                continue;
            };
            if value.kind() != "as_pattern" {
                self.value(value, frame);
                continue;
            }
            let parts = children(value);
            let Some(context) = parts.first() else { continue };
            let made = self.value(*context, frame);
            let name = value.child_by_field_name("alias").and_then(|alias| children(alias).first().copied());
            if let Some(name) = name {
                self.bind(name, made, frame);
            }
        }
    }
}

/// Whether something in a clause raises an exception.
fn raises(clause: Node<'_>) -> bool {
    let mut open = vec![clause];
    while let Some(node) = open.pop() {
        if node.kind() == "raise_statement" {
            return true;
        }
        open.extend(children(node));
    }
    false
}

/// What a frame knows after an arm that may not have been come to.
fn merge<'m>(frame: &mut Frame<'m>, inner: &Frame<'m>, unsure: bool) {
    for (name, value) in &inner.names {
        let known = frame.names.get(name);
        let same = known.is_some_and(|known| known.equals(value) == Some(true));
        let value = if unsure && !same && changed(known, value) { Value::Unknown } else { value.clone() };
        frame.names.insert(name.clone(), value);
    }
}

/// What a frame knows after an arm that is come to on some of its engines alone.
fn split<'m>(frame: &mut Frame<'m>, inner: &Frame<'m>, unsure: bool) {
    for (name, value) in &inner.names {
        let known = frame.names.get(name).cloned();
        if !changed(known.as_ref(), value) {
            continue;
        }
        let value = if unsure { Value::Unknown } else { value.clone() };
        let mut values = match known {
            Some(Value::ByEngine(values)) => values,
            Some(known) => vec![(frame.engines, known)],
            None => Vec::new(),
        };
        for (own, _) in &mut values {
            *own = own.and(inner.engines.others());
        }
        values.retain(|(own, _)| !own.is_empty());
        // No two share an engine, so there are as many as engines at most.
        match value.on(inner.engines) {
            Value::ByEngine(several) => values.extend(several),
            one => values.push((inner.engines, one)),
        }
        frame.names.insert(name.clone(), Value::ByEngine(values));
    }
}

/// Whether an arm gave a name another value than it had.
fn changed(known: Option<&Value<'_>>, value: &Value<'_>) -> bool {
    match (known, value) {
        (None, _) => true,
        (Some(Value::Text(one)), Value::Text(two)) => one != two,
        (Some(Value::List(one)), Value::List(two)) => one.len() != two.len(),
        (Some(Value::Table(one)), Value::Table(two)) => one != two,
        (Some(Value::Call(one)), Value::Call(two)) => !Rc::ptr_eq(one, two),
        (Some(Value::ByEngine(_)), Value::ByEngine(_)) => true,
        (Some(known), value) => std::mem::discriminant(known) != std::mem::discriminant(value),
    }
}
