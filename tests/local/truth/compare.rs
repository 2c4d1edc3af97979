//! What was run, held against what was said of it.

use leapfrog::lint::{Alteration, Certainty, Change, Constraint, Operation, Verb};
use leapfrog::model::Engine;
use serde::{Deserialize, Serialize};

use super::executed::Executed;

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// It was said and run; in brackets how certain it was called.
    Seen(String),
    /// It was run, and of what was said only that it is not understood: the words.
    Flagged(String),
    /// It was run, and nothing was said.
    Missed,
    /// It was said without any doubt, and not run.
    NotRun,
    /// It was run by a command, beside all scripts.
    Outside,
}

/// What an operation of the lint is called in the words of what is run; the column, index or constraint that it names.
fn called(change: &Change) -> Option<(&'static str, Option<&str>)> {
    Some(match change {
        Change::CreateTable { .. } => ("create table", None),
        Change::DropTable => ("drop table", None),
        Change::RenameTable { to } => ("rename table", to.as_deref()),
        Change::AddColumn(column) => ("add column", column.name.as_deref()),
        Change::DropColumn { column } => ("drop column", column.as_deref()),
        Change::AlterColumn { column, alteration } if is_default_alone(alteration) => {
            ("alter default", column.as_deref())
        }
        Change::AlterColumn { column, .. } => ("alter column", column.as_deref()),
        Change::CreateIndex { name, .. } => ("create index", name.as_deref()),
        Change::DropIndex { name } => ("drop index", name.as_deref()),
        Change::AddConstraint { name, kind, .. } => {
            let kind = match kind {
                Constraint::Unique => "add unique",
                Constraint::ForeignKey => "add foreign key",
                Constraint::Check => "add check",
                Constraint::PrimaryKey => "add primary key",
            };
            (kind, name.as_deref())
        }
        Change::DropConstraint { name, kind } => {
            let kind = match kind {
                // MySQL's family has an index for it.
                Some(Constraint::Unique) => "drop index",
                Some(Constraint::ForeignKey) => "drop foreign key",
                Some(Constraint::PrimaryKey) => return Some(("drop primary key", None)),
                Some(Constraint::Check) | None => "drop constraint",
            };
            (kind, name.as_deref())
        }
        Change::CharacterSet { convert: true } => ("convert", None),
        Change::CharacterSet { convert: false } => ("charset", None),
        Change::Rows(Verb::Insert) => ("insert", None),
        Change::Rows(Verb::Update) => ("update", None),
        Change::Rows(Verb::Delete) => ("delete", None),
        Change::Nothing => ("other", None),
        _ => return None,
    })
}

/// Whether a default is all that is altered: without a type or a nullability MySQL's family needs no `MODIFY` for it.
fn is_default_alone(alteration: &Alteration) -> bool {
    let Alteration { new_name, retyped, nullable, drops_default, sets_default, .. } = alteration;
    (*drops_default || *sets_default) && new_name.is_none() && !retyped && nullable.is_none()
}

/// Whether what was said is what was run: the kind, the table, and what is named where both name it.
fn is(said: &Operation, run: &Executed) -> bool {
    let Some((kind, name)) = called(&said.change) else { return false };
    let named = match (name, &run.name) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    kind == run.kind && named && said.table == run.table && said.certainty != Certainty::Opaque
}

/// What was said without knowing what exactly, of operations like this one or of anything.
fn flag(said: &[&Operation], run: &Executed) -> Option<String> {
    let mut vague = said.iter().filter(|one| one.certainty == Certainty::Opaque);
    let alike = vague.clone().find(|one| called(&one.change).is_some_and(|(kind, _)| kind == run.kind));
    alike.or_else(|| vague.find(|one| one.change.is_opaque())).map(|one| match &one.change {
        Change::NotUnderstood { why } => why.clone(),
        change => format!("{} {}", change.verb(), one.table.as_deref().unwrap_or("a table that is not known")),
    })
}

/// What became of each operation that a revision ran, in order, then of those that were only said.
pub(crate) fn compare(run: Vec<Executed>, said: &[Operation]) -> Vec<(Executed, Outcome)> {
    let said: Vec<&Operation> = said.iter().filter(|one| one.engines.contains(Engine::Mysql)).collect();
    let mut used = vec![0_usize; said.len()];
    let mut found = Vec::new();
    let mut new_table: Option<Outcome> = None;
    for one in run {
        // Its index is made by the same call as a table.
        if one.of_new_table {
            let of_call = (0..said.len()).find(|at| used[*at] == 0 && is(said[*at], &one));
            of_call.into_iter().for_each(|at| used[at] += 1);
            let outcome = new_table.clone().unwrap();
            found.push((one, outcome));
            continue;
        }
        // A loop over rows runs it as often as there are some.
        let mut fitting = (0..said.len()).filter(|at| is(said[*at], &one));
        let at = fitting.clone().find(|at| used[*at] == 0).or_else(|| fitting.find(|at| said[*at].for_each_row));
        let outcome = match at {
            Some(at) => {
                used[at] += 1;
                let sure = if said[at].guarded { ", perhaps" } else { "" };
                Outcome::Seen(format!("{}{sure}", said[at].certainty.word()))
            }
            None => flag(&said, &one).map_or(Outcome::Missed, Outcome::Flagged),
        };
        if one.kind == "create table" {
            new_table = Some(outcome.clone());
        }
        found.push((one, outcome));
    }
    let left = said.iter().zip(&used).filter(|(one, used)| {
        **used == 0
            && !one.guarded
            && !one.swallowed
            && !one.for_each_row
            && one.certainty != Certainty::Opaque
            && !matches!(one.change, Change::Nothing)
    });
    for (one, _) in left {
        let Some((kind, name)) = called(&one.change) else { continue };
        let table = one.table.clone();
        let name = name.map(str::to_owned);
        let shown = [Some(kind), table.as_deref(), name.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        found.push((Executed { kind, table, name, shown, of_new_table: false }, Outcome::NotRun));
    }
    found
}

#[test]
fn what_is_run_is_seen_flagged_or_missed() {
    let said = leapfrog::lint::read::read(
        "from alembic import op\nimport sqlalchemy as sa\ndef upgrade():\n    op.drop_table('a')\n    \
         op.drop_column('b', 'c')\n    op.create_index('i', 'b', ['d'])\n    \
         for row in op.get_bind().execute('SELECT 1'):\n        op.execute('UPDATE e SET f = 1')\n    op.execute(magic())\n",
    );
    let run = |statements: &[&str]| {
        super::executed::operations(&statements.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>())
    };
    let told = |found: Vec<(Executed, Outcome)>| -> Vec<String> {
        found
            .into_iter()
            .map(|(one, outcome)| match outcome {
                Outcome::Seen(how) => format!("{}: seen, {how}", one.shown),
                Outcome::Flagged(why) => format!("{}: flagged, {why}", one.shown),
                other => format!("{}: {other:?}", one.shown),
            })
            .collect()
    };
    let found = told(compare(
        run(&[
            "DROP TABLE a",
            "ALTER TABLE b DROP COLUMN z",
            "UPDATE e SET f = 1",
            "UPDATE e SET f = 1",
            "DROP TABLE a",
        ]),
        &said,
    ));
    assert_eq!(found.len(), 7, "{found:?}");
    assert_eq!(found[0], "DROP TABLE a: seen, literal");
    assert!(found[1].starts_with("ALTER TABLE b DROP COLUMN z: flagged, it calls magic"), "{found:?}");
    assert_eq!(found[2..4], ["UPDATE e: seen, folded, perhaps", "UPDATE e: seen, folded, perhaps"]);
    assert!(found[4].starts_with("DROP TABLE a: flagged"), "{found:?}");
    assert_eq!(found[5..], ["drop column b c: NotRun", "create index b i: NotRun"]);
    let missed = compare(run(&["ALTER TABLE b DROP COLUMN z"]), &said[..3]);
    assert_eq!(missed[0].1, Outcome::Missed);
}
