//! How a schema's `env.py` has alembic run the scripts.
//!
//! `context.configure(…)` says it. Where there are several calls, those with a connection count: the others write SQL and
//! run nothing.

use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use super::shape;
use crate::migrations::python::{Module, children};

/// The option that gives each script a transaction of its own.
const OPTION: &str = "transaction_per_migration";

/// The most calls that are looked at.
const MOST: usize = 50;

/// In how many transactions alembic runs what one command runs, on a server where a transaction holds changes of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transactions {
    /// One for all scripts: what alembic does unless it is told otherwise.
    One,
    /// One for each script.
    Each,
    /// That is said in a way that is not understood.
    Unknown,
}

impl Transactions {
    /// What the text of an `env.py` says.
    pub fn read(text: &str) -> Self {
        let Some(module) = Module::parse("env", text) else { return Self::Unknown };
        let mut calls = Vec::new();
        let mut open = vec![module.root()];
        while let Some(node) = open.pop() {
            if calls.len() < MOST
                && let Some(arguments) = configures(&module, node)
            {
                calls.push(arguments);
            }
            open.extend(children(node));
        }
        let connected = |call: &&Vec<Node<'_>>| {
            let offline = ["url", "dialect_name", "dialect"];
            named(&module, call, "connection").is_some()
                || !offline.iter().any(|key| named(&module, call, key).is_some())
        };
        let mentioned = text.contains(OPTION) && shape(text).contains(OPTION);
        let told = calls.iter().filter(connected).map(|call| of_call(&module, call, mentioned));
        let told: Vec<Self> = told.collect();
        // Which of several is run, a run decides.
        match &told[..] {
            [] => Self::Unknown,
            _ if told.contains(&Self::One) => Self::One,
            _ if told.contains(&Self::Unknown) => Self::Unknown,
            _ => Self::Each,
        }
    }
}

/// Whether a script ends the transaction that it runs in, by itself: `with op.get_context().autocommit_block():`.
pub(in crate::lint) fn ends_transaction(text: &str) -> bool {
    text.contains("autocommit_block") && shape(text).contains("autocommit_block (")
}

/// The arguments of a node that is a call of alembic's `configure`.
fn configures<'m>(module: &'m Module, node: Node<'m>) -> Option<Vec<Node<'m>>> {
    let called = node.child_by_field_name("function").filter(|called| called.kind() == "attribute")?;
    let is = |field, text: &str| called.child_by_field_name(field).is_some_and(|part| module.source(part) == text);
    let of = module.source(called.child_by_field_name("object")?);
    let alembic = match module.imported(of) {
        Some(name) => name == "alembic.context",
        None => of.rsplit('.').next().is_some_and(|last| last.ends_with("context")),
    };
    (alembic && is("attribute", "configure")).then(|| node.child_by_field_name("arguments").map(children)).flatten()
}

/// The value of an argument with a name.
fn named<'m>(module: &Module, call: &[Node<'m>], name: &str) -> Option<Node<'m>> {
    let is = |argument: &&Node<'m>| {
        argument.kind() == "keyword_argument"
            && argument.child_by_field_name("name").is_some_and(|given| module.source(given) == name)
    };
    call.iter().find(is)?.child_by_field_name("value")
}

/// What one call says; `mentioned` is whether the option is named anywhere in the module.
fn of_call(module: &Module, call: &[Node<'_>], mentioned: bool) -> Transactions {
    // As if the server could not undo changes of a schema: then alembic commits after each script.
    if named(module, call, "transactional_ddl").and_then(|value| truth(module, value)) == Some(false) {
        return Transactions::Each;
    }
    let whole = || call.iter().any(|argument| argument.kind() == "dictionary_splat");
    match named(module, call, OPTION).map(|value| truth(module, value)) {
        Some(Some(true)) => Transactions::Each,
        Some(Some(false)) => Transactions::One,
        Some(None) => Transactions::Unknown,
        // It may be among what is handed over as a whole.
        None if mentioned && whole() => Transactions::Unknown,
        None => Transactions::One,
    }
}

/// Whether a value is true: it says so itself, or is a constant of the module that does.
fn truth(module: &Module, value: Node<'_>) -> Option<bool> {
    let constant = if value.kind() == "identifier" { module.assigned(module.source(value)) } else { None };
    match constant.unwrap_or(value).kind() {
        "true" => Some(true),
        "false" | "none" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Transactions::{Each, One, Unknown};
    use super::*;

    #[test]
    fn an_environment_says_in_how_many_transactions_scripts_run() {
        let online = |more: &str| {
            format!(
                "from alembic import context\n\ndef online():\n    with x.connect() as connection:\n        context.configure(connection=connection, {more})\n"
            )
        };
        let offline = "context.configure(url=url, literal_binds=True, transaction_per_migration=True)\n";
        for (text, expected) in [
            (online("target_metadata=None"), One),
            (online("transaction_per_migration=True"), Each),
            (online("transactional_ddl=True, transaction_per_migration=True"), Each),
            (online("transaction_per_migration=False"), One),
            (online("transactional_ddl=False"), Each),
            (online("transaction_per_migration=conf.each"), Unknown),
            (online("transaction_per_migration=EACH") + "EACH = True\n", Each),
            // What writes SQL runs nothing.
            (online("target_metadata=None") + offline, One),
            (offline.to_owned(), Unknown),
            // Of two ways to run, one is enough.
            (online("transaction_per_migration=True") + "context.configure(connection=other)\n", One),
            // As neutron has it: what is handed over as a whole names nothing of the kind.
            (online("**arguments"), One),
            (online("**arguments") + "arguments['transaction_per_migration'] = True\n", Unknown),
            (online("**arguments") + "# transaction_per_migration\n", One),
            (
                "import alembic.context as c\nc.configure(connection=x, transaction_per_migration=True)\n".to_owned(),
                Each,
            ),
            // As placement has it: the configuration of something else.
            ("import placement\nplacement.configure(config)\n".to_owned(), Unknown),
            ("def online(:\n".to_owned(), Unknown),
            (String::new(), Unknown),
        ] {
            assert_eq!(Transactions::read(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_script_ends_the_transaction_where_it_says_so_and_not_where_it_tells_of_it() {
        let script = "def upgrade():\n    with op.get_context().autocommit_block():\n        op.execute('x')\n";
        assert!(ends_transaction(script));
        assert!(!ends_transaction(
            "def upgrade():\n    \"\"\"No autocommit_block().\"\"\"\n    pass  # autocommit_block()\n"
        ));
    }
}
