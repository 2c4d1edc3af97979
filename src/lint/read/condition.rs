//! Conditions: what is known of them, and on which engines they hold.

use tree_sitter::Node;

use super::value::Value;
use super::walk::{Frame, Walker};
use crate::lint::operation::Engines;
use crate::migrations::python::children;

/// What is known of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// It is always so.
    Known(bool),
    /// It holds on these engines, and on no other.
    On(Engines),
    /// It may hold on these engines, and on no other.
    MaybeOn(Engines),
    /// It holds on all but these engines, and may hold on these.
    UnlessOn(Engines),
}

impl Condition {
    const UNKNOWN: Self = Self::MaybeOn(Engines::ALL);

    /// The engines on which it may hold.
    pub(super) fn possible(self) -> Engines {
        match self {
            Self::Known(true) | Self::UnlessOn(_) => Engines::ALL,
            Self::Known(false) => Engines::NONE,
            Self::On(engines) | Self::MaybeOn(engines) => engines,
        }
    }

    /// The engines on which it may not hold.
    pub(super) fn otherwise(self) -> Engines {
        self.not().possible()
    }

    /// Whether an engine alone does not decide it.
    pub(super) fn is_unsure(self) -> bool {
        matches!(self, Self::MaybeOn(_) | Self::UnlessOn(_))
    }

    fn not(self) -> Self {
        match self {
            Self::Known(truth) => Self::Known(!truth),
            Self::On(engines) => Self::On(engines.others()),
            Self::MaybeOn(engines) => Self::UnlessOn(engines),
            Self::UnlessOn(engines) => Self::MaybeOn(engines),
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Known(false), _) | (_, Self::Known(false)) => Self::Known(false),
            (Self::Known(true), one) | (one, Self::Known(true)) => one,
            (Self::On(one), Self::On(two)) => Self::On(one.and(two)),
            (one, two) => Self::MaybeOn(one.possible().and(two.possible())),
        }
    }
}

impl<'m> Walker<'m> {
    /// What is known of a condition.
    pub(super) fn condition(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Condition {
        if !self.step(node, frame) {
            return Condition::UNKNOWN;
        }
        let found = self.judge(node, frame);
        self.out();
        found
    }

    fn judge(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Condition {
        match node.kind() {
            "parenthesized_expression" => {
                children(node).first().map_or(Condition::UNKNOWN, |inner| self.condition(*inner, frame))
            }
            "not_operator" => {
                let inner = node.child_by_field_name("argument");
                inner.map_or(Condition::UNKNOWN, |inner| self.condition(inner, frame).not())
            }
            "boolean_operator" => {
                let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right"))
                else {
                    return Condition::UNKNOWN;
                };
                let (left, right) = (self.condition(left, frame), self.condition(right, frame));
                let operator = node.child_by_field_name("operator").map_or("", |node| self.module.source(node));
                if operator == "and" { left.and(right) } else { left.not().and(right.not()).not() }
            }
            "comparison_operator" => self.comparison(node, frame),
            _ => {
                let value = self.value(node, frame);
                match (&value, value.truth()) {
                    (Value::On(engines), _) => Condition::On(*engines),
                    (_, Some(truth)) => Condition::Known(truth),
                    (_, None) => Condition::UNKNOWN,
                }
            }
        }
    }

    fn comparison(&mut self, node: Node<'m>, frame: &mut Frame<'m>) -> Condition {
        let parts = children(node);
        let values: Vec<Value<'m>> = parts.iter().map(|part| self.value(*part, frame)).collect();
        let [left, right] = &values[..] else { return Condition::UNKNOWN };
        let between = parts[0].end_byte()..parts[1].start_byte();
        let operator = self.module.text_at(between).split_whitespace().collect::<Vec<_>>().join(" ");
        let found = match (&operator[..], left, right) {
            ("==" | "!=" | "is" | "is not", Value::Dialect, other) | ("==" | "!=", other, Value::Dialect) => {
                other.text().map(|name| Condition::On(Engines::named(name)))
            }
            ("in" | "not in", Value::Dialect, Value::List(names)) => {
                let names: Option<Vec<&str>> = names.iter().map(Value::text).collect();
                names.map(|names| Condition::On(names.into_iter().map(Engines::named).fold(Engines::NONE, Engines::or)))
            }
            ("==" | "!=" | "is" | "is not", one, two) => one.equals(two).map(Condition::Known),
            ("in" | "not in", one, Value::List(list)) => {
                let same: Option<Vec<bool>> = list.iter().map(|item| item.equals(one)).collect();
                same.map(|same| Condition::Known(same.contains(&true)))
            }
            _ => None,
        };
        match found {
            Some(found) if matches!(&operator[..], "!=" | "is not" | "not in") => found.not(),
            Some(found) => found,
            None => Condition::UNKNOWN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Engine;

    #[test]
    fn what_is_known_of_parts_is_known_of_the_whole() {
        let mysql = Engines::only(Engine::Mysql);
        let on = Condition::On(mysql);
        assert_eq!(on.not(), Condition::On(mysql.others()));
        assert_eq!(on.and(Condition::Known(true)), on);
        assert_eq!(on.and(Condition::UNKNOWN), Condition::MaybeOn(mysql));
        assert_eq!(on.and(Condition::UNKNOWN).not().possible(), Engines::ALL);
        assert_eq!(Condition::UNKNOWN.not().possible(), Engines::ALL);
        assert_eq!(Condition::UNKNOWN.not().otherwise(), Engines::ALL);
        assert_eq!(on.otherwise(), mysql.others());
    }
}
