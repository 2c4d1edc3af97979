//! A column goes and another comes in its place: it is renamed, in two steps.

use std::collections::BTreeSet;

use super::{Concerns, Find, Phases, Rule, Surroundings, W, table_of, widening};
use crate::lint::operation::{Change, Column, Operation, Verb};
use crate::lint::read::Declared;

pub(super) const RULE: Rule = Rule {
    id: "LF-C20",
    name: "replaced-column",
    detects: "A column is dropped, and in the same release another one is added to its table that is like it: of the same name or one with the same words; or of the same type, with rows updated in between.",
    phases: Phases::WhileOldCodeRuns,
    concerns: Concerns::WhatWasThere,
    why: "It is renamed in two steps: no release works with both names. What the release before writes after the rows were copied is lost, and where none are copied, every value.",
    mend: "Add the new column, write both, move the rows online, stop reading the old one, drop it a release later.",
    decides: "Which services of either release run; rows that have to be copied. That it is a rename follows from names and types alone: look whether it is one.",
    sources: &[
        "cinder, contributor/rolling.upgrades: a column is moved over three releases",
        "pgroll: a rename is an added column and, later, a dropped one",
    ],
    severities: [W, W, W, W],
    hit: "# in 2024.1: class Port: __tablename__ = 'ports'; mac = sa.Column(sa.String(32))\nop.add_column('ports', sa.Column('mac_address', sa.String(32)))\nop.execute('UPDATE ports SET mac_address = mac')\nop.drop_column('ports', 'mac')",
    near_miss: "# in 2024.1: class Port: __tablename__ = 'ports'; mac = sa.Column(sa.String(32))\nop.add_column('ports', sa.Column('vendor', sa.String(32)))\nop.drop_column('ports', 'mac')",
    find: Find::InOperation(find),
};

/// Words of names that say nothing of what a column is.
const GENERAL: [&str; 9] = ["at", "id", "is", "key", "name", "type", "uuid", "value", "data"];

/// What is known of a column that goes.
struct Dropped<'a> {
    name: &'a str,
    declared: Option<&'a Declared>,
}

fn find(operation: &Operation, surroundings: &Surroundings<'_>) -> Option<String> {
    let table = operation.table.as_deref()?;
    let engine = surroundings.target.server.engine();
    let release = &surroundings.before[surroundings.since..];
    let mut earlier = release
        .iter()
        .enumerate()
        .filter(|(_, one)| one.table.as_deref() == Some(table) && one.engines.contains(engine));
    let (dropped, added) = match &operation.change {
        Change::DropColumn { column: Some(name) } => {
            let dropped = of(surroundings, table, name, surroundings.before)?;
            let added = earlier.find_map(|(at, one)| match &one.change {
                Change::AddColumn(column) if is_in_its_place(&dropped, column, is_copied(release, at, table)) => {
                    Some(column)
                }
                _ => None,
            });
            (dropped, added?)
        }
        Change::AddColumn(column) => {
            let dropped = earlier.find_map(|(at, one)| match &one.change {
                Change::DropColumn { column: Some(name) } => {
                    let before = &surroundings.before[..surroundings.since + at];
                    // What is gone cannot be copied any more.
                    of(surroundings, table, name, before).filter(|dropped| is_in_its_place(dropped, column, false))
                }
                _ => None,
            });
            (dropped?, column)
        }
        _ => return None,
    };
    let (name, table) = (dropped.name, table_of(operation));
    Some(match added.name.as_deref()? {
        new if new == name => format!("drops column {name} of {table} and adds it anew, without its values"),
        new => format!("puts column {new} of {table} in the place of {name}, as if it were renamed"),
    })
}

/// What is known of a column that goes; nothing where nobody can miss it: the scripts added it themselves, or the release
/// before does not map it.
fn of<'a>(surroundings: &Surroundings<'a>, table: &str, name: &'a str, before: &[&Operation]) -> Option<Dropped<'a>> {
    let added = |one: &&Operation| {
        one.table.as_deref() == Some(table)
            && matches!(one.change, Change::AddColumn(_))
            && one.change.column() == Some(name)
    };
    if before.iter().any(added) {
        return None;
    }
    let models = surroundings.old_code.map(|code| &code.models);
    let mapped = models.and_then(|models| models.has_column(table, name));
    (mapped != Some(false)).then(|| Dropped { name, declared: models.and_then(|models| models.declared(table, name)) })
}

/// Whether rows of a table are updated after an operation.
fn is_copied(release: &[&Operation], after: usize, table: &str) -> bool {
    release[after..].iter().any(|one| one.change == Change::Rows(Verb::Update) && one.table.as_deref() == Some(table))
}

fn is_in_its_place(dropped: &Dropped<'_>, added: &Column, copied: bool) -> bool {
    let Some(name) = added.name.as_deref() else { return false };
    if name == dropped.name {
        return true;
    }
    let types = dropped.declared.and_then(|declared| declared.kind.as_ref()).zip(added.kind.as_ref());
    if types.is_some_and(|(old, new)| !widening::alike(old, new)) {
        return false;
    }
    let nullable = dropped.declared.and_then(|declared| declared.nullable);
    let same = types.is_some_and(|(old, new)| old == new) && nullable.is_none_or(|nullable| nullable == added.nullable);
    is_nearly(dropped.name, name) || same && copied
}

/// Whether two names are nearly the same: the words of one are all among those of the other, and say something.
fn is_nearly(one: &str, other: &str) -> bool {
    let words = |name: &'_ str| -> BTreeSet<String> {
        name.split('_').filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    let (first, second) = (words(one), words(other));
    let says = |words: &BTreeSet<String>| words.iter().any(|word| !GENERAL.contains(&word.as_str()));
    first.is_subset(&second) && says(&first) || second.is_subset(&first) && says(&second)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::lint::read::{Models, read};
    use crate::lint::{Before, Scope, Script, Server, Target, judge};
    use crate::model::Branch;

    fn script(series: &str, branch: Option<Branch>, body: &str) -> Script {
        let models = "class P(object):\n    __tablename__ = 'ports'\n    mac = Column(String(32))\n    owner = Column(String(36))\n    status = Column(Boolean)\n";
        let text = format!(
            "from alembic import op\nimport sqlalchemy as sa\ndef upgrade():\n    {}\n",
            body.replace('\n', "\n    ")
        );
        Script {
            series: Some(series.parse().expect("a series")),
            service: None,
            schema: "s".into(),
            file: "a.py".into(),
            operations: read(&text),
            text,
            revision: None,
            branch,
            remarks: Vec::new(),
            models: Some(Rc::new(Before {
                series: "2023.1".parse().expect("a series"),
                models: Models::read([models]),
            })),
            transactions: None,
        }
    }

    fn told(scripts: &[Script]) -> Vec<String> {
        let found = judge(scripts, &[Target::usual(Server::Mariadb)], Scope::Together);
        let here = found.into_iter().filter(|finding| finding.rule.id == RULE.id);
        here.map(|finding| format!("{} {}", finding.severity.word(), finding.what)).collect()
    }

    fn in_one(body: &str) -> Vec<String> {
        told(&[script("2023.2", None, body)])
    }

    const ADD: &str = "op.add_column('ports', sa.Column('mac_address', sa.String(32)))";
    const DROP: &str = "op.drop_column('ports', 'mac')";

    #[test]
    fn a_column_that_takes_another_s_place_is_found_in_either_order() {
        let expected = ["warning puts column mac_address of table ports in the place of mac, as if it were renamed"];
        assert_eq!(in_one(&format!("{ADD}\n{DROP}")), expected);
        assert_eq!(in_one(&format!("{DROP}\n{ADD}")), expected);
        assert_eq!(told(&[script("2023.2", None, ADD), script("2023.2", None, DROP)]), expected, "of one release");
        assert_eq!(
            in_one("op.drop_column('ports', 'mac')\nop.add_column('ports', sa.Column('mac', sa.Integer))"),
            ["warning drops column mac of table ports and adds it anew, without its values"]
        );
        assert_eq!(
            in_one(
                "op.add_column('ports', sa.Column('project', sa.String(36)))\nop.execute('UPDATE ports SET project = owner')\nop.drop_column('ports', 'owner')"
            ),
            ["warning puts column project of table ports in the place of owner, as if it were renamed"]
        );
    }

    #[test]
    fn what_only_happens_together_is_passed() {
        for body in [
            // Nothing but the type is the same, and nothing is copied.
            "op.add_column('ports', sa.Column('project', sa.String(36)))\nop.drop_column('ports', 'owner')",
            // Copied, and longer.
            "op.add_column('ports', sa.Column('project', sa.String(64)))\nop.execute('UPDATE ports SET x = 1')\nop.drop_column('ports', 'owner')",
            // What was true or false is a text.
            "op.add_column('ports', sa.Column('admin_status', sa.String(36)))\nop.drop_column('ports', 'status')",
            // Another table.
            "op.add_column('links', sa.Column('mac_address', sa.String(32)))\nop.drop_column('ports', 'mac')",
            // Nobody reads it any more.
            "op.add_column('ports', sa.Column('vendor_name', sa.String(32)))\nop.drop_column('ports', 'vendor')",
            // They added it themselves.
            "op.add_column('ports', sa.Column('hint', sa.Text))\nop.drop_column('ports', 'hint')\nop.add_column('ports', sa.Column('hints', sa.Text))",
            // Elsewhere.
            "op.add_column('ports', sa.Column('mac_address', sa.String(32)))\nif op.get_bind().dialect.name == 'sqlite':\n    op.drop_column('ports', 'mac')",
        ] {
            assert_eq!(in_one(body), [""; 0], "{body}");
        }
        // As it is to be done: a release later; and where no code of the release before runs any more.
        assert_eq!(told(&[script("2023.2", None, ADD), script("2024.1", None, DROP)]), [""; 0]);
        let contract = script("2023.2", Some(Branch::Contract), DROP);
        assert_eq!(told(&[script("2023.2", Some(Branch::Expand), ADD), contract]), [""; 0]);
    }

    #[test]
    fn names_are_nearly_the_same_where_the_words_of_one_are_among_those_of_the_other() {
        for (one, other) in [("size", "size_gb"), ("is_public", "public"), ("host_id", "id_host"), ("Status", "status")]
        {
            assert!(is_nearly(one, other) && is_nearly(other, one), "{one} {other}");
        }
        for (one, other) in
            [("id", "project_id"), ("tenant_id", "project_id"), ("name", "display_name"), ("mode", "model")]
        {
            assert!(!is_nearly(one, other) && !is_nearly(other, one), "{one} {other}");
        }
    }
}
