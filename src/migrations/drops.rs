//! How many tables a script's `upgrade` drops at most.
//!
//! Counted are `op.drop_table`, calls of `drop` on a table, functions whose name begins with `drop_table`,
//! `DROP TABLE` in texts that the function holds or names, and the same in functions of the script that it
//! calls. A loop counts as often as the list it walks is long. Both sides of a condition count. Where a number
//! cannot be told, the answer is that it is not known. What functions of other modules do is not seen.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::Node;

use super::python::{Module, children};

/// How deep blocks and calls may lie in one another.
const DEEPEST: usize = 60;

/// The most places of a script that are looked at: a script that needs more has no number.
const MOST: u32 = 200_000;

/// How many tables the module's `upgrade` drops at most, where that can be told.
pub(super) fn drops(module: &Module) -> Option<u64> {
    let functions = functions(module);
    let upgrade = *functions.get("upgrade")?;
    if !module.source(module.root()).to_ascii_lowercase().contains("drop") {
        return Some(0);
    }
    let left = Cell::new(MOST);
    let counter = Counter { module, functions: &functions, left: &left, function: upgrade, open: ["upgrade"].into() };
    counter.within(body(upgrade)?, DEEPEST)
}

/// The functions of the module's top level.
fn functions(module: &Module) -> BTreeMap<&str, Node<'_>> {
    let statements = children(module.root()).into_iter();
    let definitions = statements.filter_map(|statement| match statement.kind() {
        "decorated_definition" => statement.child_by_field_name("definition"),
        _ => Some(statement),
    });
    definitions
        .filter(|node| node.kind() == "function_definition")
        .filter_map(|node| Some((module.source(node.child_by_field_name("name")?), node)))
        .collect()
}

fn body(function: Node<'_>) -> Option<Node<'_>> {
    function.child_by_field_name("body")
}

/// Counts within one function.
struct Counter<'m, 'c> {
    module: &'m Module,
    functions: &'c BTreeMap<&'m str, Node<'m>>,
    /// How many places may still be looked at.
    left: &'c Cell<u32>,
    function: Node<'m>,
    /// The functions that are being counted: one that calls itself has no number.
    open: BTreeSet<&'m str>,
}

impl<'m> Counter<'m, '_> {
    /// What a node drops, with everything in it.
    fn within(&self, node: Node<'m>, depth: usize) -> Option<u64> {
        let depth = depth.checked_sub(1)?;
        self.left.set(self.left.get().checked_sub(1)?);
        match node.kind() {
            // Counted where they are called; a class is none of a migration's business.
            "function_definition" | "lambda" | "class_definition" | "decorated_definition" => Some(0),
            "for_statement" => {
                let inner = node.child_by_field_name("body").map_or(Some(0), |body| self.within(body, depth))?;
                let over = node.child_by_field_name("right");
                self.times(inner, over, depth)
            }
            "list_comprehension" | "generator_expression" | "set_comprehension" => {
                let inner = node.child_by_field_name("body").map_or(Some(0), |body| self.within(body, depth))?;
                self.times(inner, walked(node), depth)
            }
            "call" => {
                let own = self.call(node, depth)?;
                let arguments = node.child_by_field_name("arguments");
                own.checked_add(arguments.map_or(Some(0), |arguments| self.sum(arguments, depth))?)
            }
            "string" => Some(dropped_in(self.module.source(node))),
            "identifier" => {
                let assigned = self.module.assigned(self.module.source(node));
                let text = assigned.filter(|node| matches!(node.kind(), "string" | "concatenated_string"));
                Some(text.map_or(0, |text| dropped_in(self.module.source(text))))
            }
            _ => self.sum(node, depth),
        }
    }

    fn sum(&self, node: Node<'m>, depth: usize) -> Option<u64> {
        children(node).into_iter().try_fold(0_u64, |sum, child| sum.checked_add(self.within(child, depth)?))
    }

    /// What a call itself drops, its arguments apart.
    fn call(&self, node: Node<'m>, depth: usize) -> Option<u64> {
        let Some(called) = node.child_by_field_name("function") else { return Some(0) };
        let text = self.module.source(called);
        let name = text.rsplit('.').next().unwrap_or_default().trim();
        if text == name
            && let Some((name, function)) = self.functions.get_key_value(name)
        {
            if self.open.contains(name) {
                return None;
            }
            let mut open = self.open.clone();
            open.insert(name);
            return Counter { function: *function, open, ..*self }.within(body(*function)?, depth);
        }
        match name {
            "drop_all" => None,
            "drop" if text != name => Some(1),
            _ if name.starts_with("drop_table") => Some(1),
            _ => Some(0),
        }
    }

    /// `count` for each thing in `over`.
    fn times(&self, count: u64, over: Option<Node<'m>>, depth: usize) -> Option<u64> {
        if count == 0 {
            return Some(0);
        }
        count.checked_mul(self.length(over?, depth)?)
    }

    /// How many things a loop over `node` sees at most.
    fn length(&self, node: Node<'m>, depth: usize) -> Option<u64> {
        let depth = depth.checked_sub(1)?;
        self.left.set(self.left.get().checked_sub(50)?);
        match node.kind() {
            "list" | "tuple" | "set" | "dictionary" => u64::try_from(children(node).len()).ok(),
            "parenthesized_expression" => self.length(*children(node).first()?, depth),
            "list_comprehension" | "generator_expression" | "set_comprehension" => self.length(walked(node)?, depth),
            "binary_operator" => {
                let side = |field| node.child_by_field_name(field).and_then(|side| self.length(side, depth));
                side("left")?.checked_add(side("right")?)
            }
            "call" => {
                let name = self.module.source(node.child_by_field_name("function")?);
                let arguments = children(node.child_by_field_name("arguments")?);
                match name.rsplit('.').next()? {
                    "chain" => {
                        arguments.into_iter().try_fold(0_u64, |sum, part| sum.checked_add(self.length(part, depth)?))
                    }
                    "list" | "tuple" | "set" | "sorted" | "reversed" | "enumerate" | "iter" => {
                        self.length(*arguments.first()?, depth)
                    }
                    _ => None,
                }
            }
            "identifier" => {
                let name = self.module.source(node);
                let mut sum = None;
                for assigned in self.assignments(name) {
                    sum = Some(sum.unwrap_or(0_u64).max(self.length(assigned, depth)?));
                }
                match sum {
                    Some(sum) => sum.checked_add(self.appended(name)),
                    None => self.length(self.module.assigned(name)?, depth),
                }
            }
            _ => None,
        }
    }

    /// What the function assigns to `name`.
    fn assignments(&self, name: &str) -> Vec<Node<'m>> {
        let found = self.inside().into_iter().filter(|node| node.kind() == "assignment");
        let named = found.filter(|node| self.module.source(node.child_by_field_name("left").unwrap_or(*node)) == name);
        named.filter_map(|node| node.child_by_field_name("right")).collect()
    }

    /// How often the function appends to `name`.
    fn appended(&self, name: &str) -> u64 {
        let wanted = format!("{name}.append");
        let calls = self.inside().into_iter().filter(|node| node.kind() == "call");
        let named =
            calls.filter(|node| node.child_by_field_name("function").is_some_and(|f| self.module.source(f) == wanted));
        u64::try_from(named.count()).unwrap_or(u64::MAX)
    }

    /// Every node of the function.
    fn inside(&self) -> Vec<Node<'m>> {
        let mut all = Vec::new();
        let mut open = vec![self.function];
        while let Some(node) = open.pop() {
            all.push(node);
            open.extend(children(node));
        }
        all
    }
}

/// What a comprehension walks over.
fn walked(node: Node<'_>) -> Option<Node<'_>> {
    let mut clauses = children(node).into_iter().filter(|child| child.kind() == "for_in_clause");
    let only = clauses.next()?;
    if clauses.next().is_some() { None } else { only.child_by_field_name("right") }
}

/// How many tables the SQL in a text drops.
fn dropped_in(text: &str) -> u64 {
    let words: Vec<String> = text
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`'))
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_uppercase)
        .collect();
    let mut count = 0;
    for at in 0..words.len() {
        if words[at] != "DROP" {
            continue;
        }
        let rest = &words[at + 1..];
        let rest = rest.strip_prefix(&["TEMPORARY".to_owned()]).unwrap_or(rest);
        let Some(("TABLE", rest)) = rest.split_first().map(|(word, rest)| (word.as_str(), rest)) else { continue };
        // A list of names goes on after each comma.
        let names = rest.join(" ");
        let statement = names.split(';').next().unwrap_or_default();
        count += 1 + statement.matches(',').count() as u64;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Option<u64> {
        drops(&Module::parse("m", text).expect("parsed"))
    }

    #[test]
    fn tables_are_counted_however_a_script_drops_them() {
        for (text, expected) in [
            ("def upgrade():\n    pass\n", Some(0)),
            ("def upgrade():\n    op.drop_table('a')\n    if x:\n        op.drop_table('b')\n", Some(2)),
            ("T = ['a', 'b', 'c']\ndef upgrade():\n    for t in T:\n        op.drop_table(t)\n", Some(3)),
            ("def upgrade():\n    op.execute('DROP TABLE IF EXISTS a, b; DROP TABLE c')\n", Some(3)),
            ("SQL = 'drop table a'\ndef upgrade():\n    op.execute(SQL)\n", Some(1)),
            ("def gone(t):\n    op.drop_table(t)\ndef upgrade():\n    gone('a')\n    gone('b')\n", Some(2)),
            ("def upgrade():\n    migration.drop_table_if_exists('a')\n", Some(1)),
            (
                "def upgrade():\n    t = []\n    t.append('a')\n    t.append('b')\n    for x in t:\n        op.drop_table(x)\n",
                Some(2),
            ),
            (
                "T = itertools.chain(['a'], ['b', 'c'])\ndef upgrade():\n    left = list(T)\n    while left:\n        for t in (t for t in left if t in known):\n            op.drop_table(t)\n",
                Some(3),
            ),
            ("def upgrade():\n    for t in inspector.get_table_names():\n        op.drop_table(t)\n", None),
            ("def upgrade():\n    op.drop_table('a')\n    upgrade()\n", None),
            ("from other import upgrade\n", None),
            (
                "def upgrade():\n    op.drop_column('a', 'b')\n    op.drop_index('c')\ndef downgrade():\n    op.drop_table('d')\n",
                Some(0),
            ),
        ] {
            assert_eq!(count(text), expected, "{text}");
        }
    }
}
