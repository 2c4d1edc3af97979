//! One migration script: which revision it is, and what it comes after.

use std::collections::BTreeSet;

use super::drops::drops;
use super::python::{Module, Modules, Value};
use super::tree::Revision;

/// Reads the script `module` in the file `file`.
///
/// # Errors
/// Why it is not understood.
pub(super) fn revision(file: &str, module: &Module, modules: &Modules) -> Result<Revision, String> {
    if let Some(line) = module.broken_line() {
        return Err(format!("line {line} is no Python that is understood here"));
    }
    let value = |name: &str| -> Result<Option<Value>, String> {
        if module.assigned_in_a_block(name) {
            return Err(format!("{name} is assigned under a condition or in a loop"));
        }
        let Some(node) = module.assigned(name) else { return Ok(None) };
        module.value(node, modules).map(Some).map_err(|why| format!("{name} is not known: {why}"))
    };
    let many = |name: &str| -> Result<BTreeSet<String>, String> {
        let texts = value(name)?.map_or(Some(BTreeSet::new()), texts);
        texts.ok_or_else(|| format!("{name} is neither None nor names"))
    };
    let id = match value("revision")? {
        Some(Value::Text(id)) if !id.is_empty() => id,
        Some(_) => return Err("revision is no name".to_owned()),
        None => return Err("it assigns no `revision`: it is not a migration script of alembic".to_owned()),
    };
    if module.assigned("down_revision").is_none() && !module.assigned_in_a_block("down_revision") {
        return Err("it assigns no `down_revision`".to_owned());
    }
    Ok(Revision {
        id,
        down: many("down_revision")?,
        depends_on: many("depends_on")?,
        labels: many("branch_labels")?,
        file: file.to_owned(),
        drops: drops(module),
    })
}

/// The names in a value: none, one or many.
fn texts(value: Value) -> Option<BTreeSet<String>> {
    match value {
        Value::None => Some(BTreeSet::new()),
        Value::Text(text) => Some(BTreeSet::from([text])),
        Value::Many(values) => values
            .into_iter()
            .map(|value| match value {
                Value::Text(text) => Some(text),
                Value::None | Value::Many(_) => None,
            })
            .collect(),
    }
}
