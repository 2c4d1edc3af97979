//! The rules about what was run, on their own examples.
//!
//! An example is the body of an `upgrade`, then what was run (`ran SQL => what it took`), then what became of a column
//! (`column t.c type [NOT NULL] [DEFAULT x] => …`).

use super::*;
use crate::lint::execute::silent::table;
use crate::lint::execute::{Algorithm, Lock, Measure};
use crate::lint::rules::{Find, RULES};
use crate::lint::server::{Server, Target};
use crate::lint::{Report, read::read};
use crate::model::ColumnShape;

fn column(text: &str) -> ColumnShape {
    let default = text.split_once("DEFAULT ").map(|(_, value)| value.to_owned());
    let kind = text.split_whitespace().next().unwrap_or_default().to_owned();
    ColumnShape { kind, nullable: !text.contains("NOT NULL"), default, ..ColumnShape::default() }
}

fn measure(text: &str) -> Measure {
    let algorithm = [Algorithm::Instant, Algorithm::Nocopy, Algorithm::Inplace, Algorithm::Copy];
    let lock = [Lock::None, Lock::Shared, Lock::Exclusive];
    Measure {
        algorithm: algorithm.into_iter().find(|one| text.contains(one.word())),
        lock: lock.into_iter().find(|one| text.contains(&format!("LOCK={}", one.word()))),
        ..Measure::default()
    }
}

/// A script and its course on MariaDB, as an example tells them.
fn example(text: &str) -> (Script, Course) {
    let (mut body, mut statements, mut was, mut is) = (Vec::new(), Vec::new(), Shape::default(), Shape::default());
    for line in text.lines() {
        if let Some(ran) = line.strip_prefix("ran     ") {
            let (text, took) = ran.split_once(" => ").unwrap_or((ran, ""));
            statements.push(Statement { text: text.to_owned(), measure: measure(took) });
        } else if let Some(said) = line.strip_prefix("column  ") {
            let (name, shapes) = said.split_once(' ').expect("a column");
            let ((of, name), (before, after)) =
                (name.split_once('.').expect("a table"), shapes.split_once(" => ").expect("two shapes"));
            was.tables.extend(table(of, &[(name, column(before))]).tables);
            is.tables.extend(table(of, &[(name, column(after))]).tables);
        } else {
            body.push(line);
        }
    }
    for table in ["t", "volumes"] {
        was.tables.entry(table.to_owned()).or_default();
        is.tables.entry(table.to_owned()).or_default();
    }
    let text =
        format!("from alembic import op\nimport sqlalchemy as sa\n\n\ndef upgrade():\n    {}\n", body.join("\n    "));
    let series: crate::model::Series = "2024.1".parse().expect("a series");
    let service: crate::model::Service = "cinder".parse().expect("a service");
    let script = Script {
        series: Some(series.clone()),
        service: Some(service.clone()),
        schema: "cinder".into(),
        file: "versions/1f2e.py".into(),
        operations: read(&text),
        text,
        revision: Some("1f2e".into()),
        branch: None,
        remarks: Vec::new(),
        models: None,
        transactions: None,
    };
    let stretch =
        Stretch { series, step: "sync".into(), revision: Some("1f2e".into()), statements, before: was, after: is };
    let target = Target::usual(Server::Mariadb);
    (script, Course { database: "cinder".into(), service, schema: "cinder".into(), target, stretches: vec![stretch] })
}

#[test]
fn each_rule_about_what_was_run_finds_its_example_and_passes_what_is_like_it() {
    let mut rules = 0;
    for rule in RULES.iter().filter(|rule| matches!(rule.find, Find::InExecution)) {
        rules += 1;
        let found = |text: &str| -> Vec<String> {
            let (script, course) = example(text);
            let confronted = confront(&[script], &[course]);
            assert!(!confronted.ran.is_empty(), "{}: nothing was run", rule.id);
            confronted.findings.into_iter().map(|found| format!("{} {}", found.rule, found.what)).collect()
        };
        let hit = found(rule.hit);
        assert!(hit.len() == 1 && hit[0].starts_with(rule.id), "{}: {hit:?}", rule.id);
        assert_eq!(found(rule.near_miss), [""; 0], "{}", rule.id);
    }
    assert_eq!(rules, 3);
}

#[test]
fn a_gap_where_something_is_not_understood_is_information_and_one_of_a_command_has_its_own_place() {
    let (script, mut course) = example("helper(op)\nran     ALTER TABLE t DROP COLUMN c => ALGORITHM=INSTANT");
    let scripts = [script];
    let found = confront(&scripts, std::slice::from_ref(&course)).findings;
    assert_eq!((found.len(), found[0].severity.word()), (1, "information"));
    assert!(found[0].softened.is_some() && found[0].at.file == "versions/1f2e.py");
    course.stretches[0].revision = None;
    let found = confront(&scripts, std::slice::from_ref(&course)).findings;
    assert_eq!((found.len(), found[0].severity.word()), (1, "warning"));
    assert_eq!((found[0].at.file.as_str(), found[0].at.revision.as_ref()), ("cinder sync", None));
    // A report counts them like others.
    let mut report = Report::new(&scripts, &[course.target], &[]);
    report.findings.extend(found);
    report.count();
    assert_eq!((report.errors, report.warnings), (0, 1));
}

#[test]
fn numbers_are_of_the_repository_s_script_and_keys_of_a_new_table_of_its_call() {
    let (mut script, mut course) = example(
        "op.create_table('n', sa.Column('c', sa.Integer, index=True))\nran     CREATE TABLE n (c INTEGER)\nran     CREATE INDEX ix_n_c ON n (c)",
    );
    script.revision = Some("cinder 133".into());
    course.stretches[0].revision = Some("133".into());
    let confronted = confront(&[script], &[course]);
    assert!(confronted.findings.is_empty(), "{:?}", confronted.findings);
    assert_eq!(confronted.ran.len(), 2);
    assert!(!confronted.ran[0].was_there);
}
