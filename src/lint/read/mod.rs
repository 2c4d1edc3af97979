//! What a migration script does, read without running Python.
//!
//! A walk through `upgrade`, as Python would take it: `walk` has the statements, `compound` those that hold others,
//! `condition` what is known of conditions, `evaluate` expressions, `value` what they are worth, `calls` what is called,
//! `operations` what alembic's operations do, `migrate` what SQLAlchemy's own objects do, `sql` what SQL does, `known` what
//! functions of other modules do. `models` is about the service's own code: which tables and columns it maps; `environment`
//! is about its `env.py`: how its scripts are run.
//!
//! Invariants:
//! * `downgrade` is never walked. What a script would do on an engine alone is found for that engine alone.
//! * Nothing is passed over in silence: what is not understood is an operation of its own
//!   ([`Change::NotUnderstood`](super::Change::NotUnderstood)), and so is every call of `op` that the walk did not reach.
//! * No text makes this code panic, or take long or much room: places, operations and what is put together are counted.

mod calls;
mod compound;
mod condition;
mod environment;
mod evaluate;
mod known;
mod migrate;
mod models;
mod operations;
mod sql;
#[cfg(test)]
mod tests;
mod value;
mod walk;

pub use self::environment::Transactions;
pub(super) use self::environment::ends_transaction;
pub use self::models::{Declared, Models};
use self::walk::{Walker, place};
use super::operation::{Certainty, Change, Engines, Operation, Place};
use crate::migrations::python::{Module, children, children_all};

/// What a script's `upgrade` does, in the order in which it does it.
pub fn read(text: &str) -> Vec<Operation> {
    let Some(module) = Module::parse("script", text) else {
        return vec![not_understood(Place { offset: 0, length: 0, line: 1 }, "it could not be parsed")];
    };
    if let Some(line) = module.broken_line() {
        let offset = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let length = text[offset..].lines().next().map_or(0, str::len);
        return vec![not_understood(Place { offset, length, line }, "this is no Python that is understood here")];
    }
    let mut walker = Walker::new(&module);
    let Some(upgrade) = walker.functions.get("upgrade").copied() else {
        return vec![not_understood(place(module.root()), "it has no function `upgrade`")];
    };
    walker.walk(upgrade);
    walker.left_over();
    walker.operations
}

/// What a file of SQL does on these engines. A statement has no place of its own in it.
pub fn read_sql(text: &str, engines: Engines) -> Vec<Operation> {
    let first = text.lines().next().unwrap_or_default();
    let place = Place { offset: 0, length: first.len(), line: 1 };
    let found = sql::read(text).into_iter().map(|(table, change)| {
        let opaque = change.is_opaque() || table.is_none() && change.is_of_table();
        let certainty = if opaque { Certainty::Opaque } else { Certainty::Folded };
        Operation { change, table, engines, certainty, ..not_understood(place, "") }
    });
    found.collect()
}

/// What a script imports, by its full name, wherever the statement stands.
pub fn imports(text: &str) -> Vec<(String, Place)> {
    let Some(module) = Module::parse("script", text) else { return Vec::new() };
    let mut found = Vec::new();
    let mut open = vec![module.root()];
    while let Some(node) = open.pop() {
        let parts = children(node);
        let name = |part: &tree_sitter::Node<'_>| {
            let part = part.child_by_field_name("name").unwrap_or(*part);
            module.source(part).to_owned()
        };
        match (node.kind(), &parts[..]) {
            ("import_statement", names) => found.extend(names.iter().map(|part| (name(part), place(node)))),
            ("import_from_statement", [from, names @ ..]) => {
                let from = module.source(*from);
                found.extend(names.iter().map(|part| (format!("{from}.{}", name(part)), place(node))));
            }
            _ => open.extend(parts.into_iter().rev()),
        }
    }
    found
}

/// A script's words without comments, texts that stand alone and the way it is laid out: what is the same for two scripts
/// that do the same in the same words.
pub fn shape(text: &str) -> String {
    let Some(module) = Module::parse("script", text) else { return text.to_owned() };
    let mut words = String::new();
    let mut open = vec![module.root()];
    while let Some(node) = open.pop() {
        let alone = node.kind() == "expression_statement"
            && matches!(&children(node)[..], [only] if matches!(only.kind(), "string" | "concatenated_string"));
        if alone || node.kind() == "comment" {
            continue;
        }
        let parts = children_all(node);
        if parts.is_empty() {
            words.push_str(module.source(node));
            words.push(' ');
        }
        open.extend(parts.into_iter().rev());
    }
    words
}

fn not_understood(place: Place, why: &str) -> Operation {
    Operation {
        change: Change::NotUnderstood { why: why.to_owned() },
        table: None,
        engines: Engines::ALL,
        certainty: Certainty::Opaque,
        guarded: false,
        for_each_row: false,
        swallowed: false,
        place,
    }
}
