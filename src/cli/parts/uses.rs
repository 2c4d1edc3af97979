//! What in a database still uses the tables and columns that a contract step removes: views, triggers, foreign keys. Pure.

use std::collections::BTreeSet;

use super::removed::Removal;
use crate::database::{Definition, ForeignKey};
use crate::lint::Change;

/// What is left without its tables and columns, a phrase each. `passing` are triggers that go with them.
pub(super) fn uses(
    removals: &[&Removal],
    definitions: &[Definition],
    keys: &[ForeignKey],
    passing: &BTreeSet<&str>,
) -> Vec<String> {
    let mut found = BTreeSet::new();
    let dropped: BTreeSet<&str> = removals
        .iter()
        .filter(|removal| removal.change == Change::DropTable)
        .filter_map(|removal| removal.table.as_deref())
        .collect();
    let loosened: BTreeSet<&str> = removals
        .iter()
        .filter(|removal| matches!(removal.change, Change::DropConstraint { .. }))
        .filter_map(|removal| removal.table.as_deref())
        .collect();
    for removal in removals {
        let Some(table) = removal.table.as_deref() else { continue };
        let column = match &removal.change {
            Change::DropTable => None,
            Change::DropColumn { column: Some(column) } => Some(column.as_str()),
            _ => continue,
        };
        let thing = column.map_or_else(|| table.to_owned(), |column| format!("{table}.{column}"));
        for definition in definitions.iter().filter(|definition| !passing.contains(definition.name.as_str())) {
            if names(&definition.text, table) && column.is_none_or(|column| names(&definition.text, column)) {
                found.insert(format!("{} {} uses {thing}", definition.kind, definition.name));
            }
        }
        let goes_along =
            |key: &&ForeignKey| dropped.contains(key.table.as_str()) || loosened.contains(key.table.as_str());
        for key in keys.iter().filter(|key| key.referenced == table && !goes_along(key)) {
            if column.is_none_or(|column| key.column.as_deref() == Some(column)) {
                found.insert(format!("foreign key {} of {} leads to {thing}", key.name, key.table));
            }
        }
    }
    found.into_iter().collect()
}

/// Whether a text names something, as a word of its own.
fn names(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + name.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removal(table: &str, change: Change) -> Removal {
        Removal {
            database: "glance".parse().expect("an id"),
            what: String::new(),
            file: String::new(),
            table: Some(table.to_owned()),
            change,
        }
    }

    fn definition(kind: &'static str, name: &str, text: &str) -> Definition {
        Definition { kind, name: name.into(), text: text.into() }
    }

    fn key(table: &str, referenced: &str, column: &str) -> ForeignKey {
        let (table, referenced, column) = (table.into(), referenced.into(), Some(column.into()));
        ForeignKey { name: "fk".into(), table, referenced, column }
    }

    #[test]
    fn what_names_a_removed_table_or_column_is_found_and_what_goes_with_it_is_not() {
        let is_public = removal("images", Change::DropColumn { column: Some("is_public".into()) });
        let tasks = removal("old_tasks", Change::DropTable);
        let definitions = [
            definition("view", "public_images", "select `images`.`id` from `images` where `images`.`is_public` = 1"),
            definition("view", "names", "select name from images"),
            definition("trigger", "insert_visibility", "images SET NEW.is_public = 1"),
            definition("trigger", "audit", "old_tasks insert into log values (1)"),
            definition("view", "cold_tasks", "select 1 from cold_tasks"),
        ];
        let keys = [key("members", "old_tasks", "id"), key("members", "images", "id"), key("x", "images", "is_public")];
        let found = uses(&[&is_public, &tasks], &definitions, &keys, &BTreeSet::from(["insert_visibility"]));
        assert_eq!(
            found,
            [
                "foreign key fk of members leads to old_tasks",
                "foreign key fk of x leads to images.is_public",
                "trigger audit uses old_tasks",
                "view public_images uses images.is_public",
            ]
        );
        let loosened = removal("members", Change::DropConstraint { name: None, kind: None });
        let x = removal("x", Change::DropTable);
        let found = uses(&[&tasks, &is_public, &loosened, &x], &[], &keys, &BTreeSet::new());
        assert!(found.is_empty(), "the script takes them away itself: {found:?}");
    }
}
