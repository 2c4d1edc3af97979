//! `leapfrog trip` on an SQLite file; `tests/databases` has it on servers, with kills and writers.

use crate::lab::{Lab, antelope, follows};

/// A cloud with a table of `rows` rows and triggers that appeared after them.
fn lab(rows: usize) -> Lab {
    let lab = Lab::new().service("keystone", antelope("keystone")).ready();
    let mut statements = vec!["CREATE TABLE user (id TEXT NOT NULL PRIMARY KEY, name TEXT, new TEXT)".to_owned()];
    let values: Vec<String> = (0..rows).map(|n| format!("('u{n:05}', 'n{n}', NULL)")).collect();
    statements.push(format!("INSERT INTO user VALUES {}", values.join(", ")));
    statements.extend(["INSERT", "UPDATE OF id"].map(|event| {
        format!(
            "CREATE TRIGGER on_{} AFTER {event} ON user BEGIN UPDATE user SET new = NEW.name WHERE id = NEW.id; END",
            &event[..6]
        )
    }));
    lab.sql("keystone", &statements);
    lab
}

#[test]
fn every_row_is_touched_and_told_in_words() {
    let lab = lab(2_500);
    let told = lab.run(&["trip", "--yes"]);
    assert_eq!(told.code, 0, "{}", told.err);
    for words in ["lab: rows that are set to themselves", "about 2,500 rows", "keystone user: 2,500 rows\n"] {
        assert!(told.err.contains(words), "{words}: {}", told.err);
    }
    let last = "keystone user: every row touched since on_UPDATE appeared: 2,500 rows in ";
    assert!(told.err.contains(last) && told.out.is_empty(), "{}", told.err);
}

#[test]
fn how_far_a_table_is_stands_in_the_list_before_the_question() {
    let lab = lab(2_500);
    let list = || {
        let told = lab.run(&["trip", "--yes"]);
        assert_eq!(told.code, 0, "{}", told.err);
        told.err.lines().find(|line| line.contains("about 2,500 rows")).expect("a list").trim_end().to_owned()
    };
    assert!(list().ends_with("on_UPDATE"));
    assert!(list().ends_with("on_UPDATE  all touched already"));
    lab.sql("keystone", &["UPDATE leapfrog_trip SET finished = 0".to_owned()]);
    assert!(list().ends_with("on_UPDATE  2,500 touched already"));
    lab.sql("keystone", &["DROP TRIGGER on_UPDATE".to_owned()]);
    let anew =
        "CREATE TRIGGER on_UPDATE AFTER UPDATE OF id ON user BEGIN UPDATE user SET new = 'x' WHERE id = NEW.id; END";
    lab.sql("keystone", &[anew.to_owned()]);
    assert!(list().ends_with("on_UPDATE"));
}

#[test]
fn a_program_is_told_the_same_as_lines_that_follow_their_schema() {
    let lab = lab(2_500);
    let done = lab.run(&["trip", "--yes", "-o", "jsonl"]);
    let lines: Vec<serde_json::Value> =
        done.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    lines.iter().for_each(|line| follows("trip", line));
    assert_eq!(lines[0]["begin"]["rows"], 2_500);
    let proof = &lines.last().expect("lines")["done"];
    assert_eq!((proof["touched"].as_u64(), proof["triggers"][0].as_str()), (Some(2_500), Some("on_UPDATE")));
    // As one document: the same table is finished, and left alone.
    let list = lab.run(&["trip", "--yes", "-o", "json"]).json();
    assert_eq!(list.as_array().expect("a list").last().expect("one")["done"]["batches"], proof["batches"]);
}

#[test]
fn nothing_is_begun_without_a_yes_nor_for_what_is_not_there() {
    let lab = lab(10);
    lab.run(&["trip"]).fails(2, &["--yes"]);
    lab.run(&["trip", "--yes", "--table", "users"]).fails(2, &["`users`"]);
    lab.run(&["trip", "--yes", "--database", "nova.api"]).fails(2, &["nova.api", "there are keystone"]);
    lab.run(&["trip", "--yes", "--remainder", "user"]).fails(2, &["TABLE=QUERY"]);
    lab.run(&["trip", "--yes", "--replica", "root@db2"]).fails(2, &["HOST:PORT"]);
    lab.sql("keystone", &["DROP TRIGGER on_INSERT".to_owned()]);
    lab.run(&["trip", "--yes"]).fails(3, &["`user`", "--no-inserts", "--remainder 'user=SELECT"]);
    lab.sql("keystone", &["DROP TRIGGER on_UPDATE".to_owned()]);
    let nothing = lab.run(&["trip", "--yes"]);
    assert!(nothing.code == 0 && nothing.err.contains("nothing to do"), "{}", nothing.err);
}

#[test]
fn a_pause_is_a_file_in_the_state_directory() {
    let lab = lab(10);
    for (command, words) in [
        ("pause", "`leapfrog resume`"),
        ("pause", "paused already"),
        ("resume", "go on"),
        ("resume", "nothing is paused"),
    ] {
        let done = lab.run(&[command]);
        assert!(done.code == 0 && done.err.contains(words), "{command}: {}", done.err);
    }
}

/// A catalog whose keystone has the rows of `table` touched in 2023.2.
fn catalog(lab: &Lab, table: &str) {
    let book = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks/keystone.yaml");
    let contract = "  - run:\n      name: db-contract\n      phase: contract\n      series: {from: zed}\n";
    let step = format!(
        "  - trip:\n      name: touch-rows\n      phase: migrate\n      series: {{from: '2023.2', to: '2023.2'}}\n      \
         tables:\n        - name: {table}\n      why: Rows from before the triggers.\n"
    );
    let text = std::fs::read_to_string(book).expect("readable").replacen(contract, &format!("{step}{contract}"), 1);
    assert!(text.contains("touch-rows"), "the playbook has no such step any more");
    lab.file("catalog/playbooks/keystone.yaml", text);
}

#[test]
fn a_step_that_touches_rows_is_planned_explained_and_asked_for_before_the_leap() {
    let lab = lab(10);
    catalog(&lab, "user");
    let run = |words: &[&str]| lab.run(&[words, &["--catalog", "catalog"]].concat());
    let plan = run(&["plan", "--from", "2023.1", "--to", "2023.2"]);
    let words = "migrate   touch-rows";
    assert!(plan.out.contains(words) && plan.out.contains("every row of user is set to itself"), "{}", plan.out);
    assert_eq!(lab.run(&["catalog", "check", "catalog"]).code, 0);
    let shown = run(&["playbooks", "show", "keystone"]);
    assert!(shown.out.contains("goes on after the last batch"), "{}", shown.out);
    let told = run(&["explain", "2023.2/keystone/touch-rows"]);
    assert!(told.out.contains("every row touched since the triggers appeared"), "{}", told.out);
    let asked = |words: &str| {
        let found = run(&["check", "--from", "2023.1", "--to", "2023.2", "-o", "json"]).json();
        let rows = found["checks"].as_array().expect("checks").iter().filter(|one| one["check"] == "trip");
        let rows: Vec<&serde_json::Value> = rows.collect();
        assert_eq!((rows.len(), rows[0]["state"].as_str()), (1, Some(words)), "{rows:#?}");
    };
    asked("ok");
    catalog(&lab, "nobodys");
    asked("later");
    lab.sql("keystone", &["CREATE TABLE nobodys (id TEXT)".to_owned()]);
    asked("failure");
    let refused = run(&["--from", "2023.1", "--to", "2023.2", "--yes"]);
    refused.fails(
        3,
        &["`nobodys` of keystone cannot be walked through, as 2023.2/keystone/touch-rows has to", "primary key"],
    );
}
