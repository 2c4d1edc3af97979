//! `leapfrog lint` on source trees: what is read, what is found in which form, how it ends, and what it says when it cannot.

use serde_json::Value;

use crate::lab::{Lab, follows};

/// A script.
fn script(revision: &str, down: &str, upgrade: &str) -> String {
    format!(
        "\"\"\"A change\n\nRevises: something else\n\"\"\"\n\nfrom alembic import op\nimport sqlalchemy as sa\n\nrevision = \
         '{revision}'\ndown_revision = {down}\n\n\ndef upgrade():\n    {upgrade}\n\n\ndef downgrade():\n    op.drop_table('a')\n"
    )
}

/// A tree with two schemas, one of them with branches whose label is a constant of another module.
fn tree() -> Lab {
    let lab = Lab::new();
    lab.file("tree/setup.py", "# not read");
    lab.file("tree/net/__init__.py", "");
    lab.file("tree/net/cli.py", "EXPAND = 'expand'\n");
    let main = "tree/net/db/migrations";
    lab.file(&format!("{main}/env.py"), "revision = 1\ndown_revision = 1\n".replace('=', "=="));
    lab.file(
        &format!("{main}/versions/aa_begin.py"),
        script("aa", "None", "op.create_table('ports', sa.Column('id'))"),
    );
    let expand = script("bb", "'aa'", "op.drop_column('ports', 'in_use')");
    let expand = expand.replace("import sqlalchemy as sa", "import sqlalchemy as sa\n\nfrom net import cli");
    lab.file(
        &format!("{main}/versions/2024.1/expand/bb_drop.py"),
        expand.replace("down_revision", "branch_labels = (cli.EXPAND,)\ndown_revision"),
    );
    let api = "tree/net/api/alembic";
    lab.file(&format!("{api}/env.py"), "");
    lab.file(&format!("{api}/versions/cc.py"), script("cc", "None", "op.execute(unknown())"));
    lab.file("tree/.tox/x/dd.py", script("dd", "None", "op.drop_table('hidden')"));
    lab
}

fn json(lab: &Lab, arguments: &[&str], code: i32) -> Value {
    let done = lab.run(&[&["lint"], arguments, &["-o", "json"]].concat());
    assert_eq!(done.code, code, "{}", done.err);
    let report = done.json();
    follows("lint", &report);
    report
}

fn rules(report: &Value) -> Vec<String> {
    let found = report["findings"].as_array().expect("findings").iter();
    found
        .map(|one| format!("{} {}", one["severity"].as_str().expect("a word"), one["rule"].as_str().expect("a rule")))
        .collect()
}

/// git, in the tree.
fn git(lab: &Lab, arguments: &[&str]) {
    let done = std::process::Command::new("git")
        .args(["-c", "user.name=x", "-c", "user.email=x@example.org", "-C"])
        .arg(lab.path("tree"))
        .args(arguments)
        .output()
        .expect("git");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_source_tree_is_told_with_its_lines_and_what_is_denied() {
    let lab = tree();
    let told = lab.tell(&[
        "lint tree",
        "lint tree/net/api --deny warning",
        "lint tree --deny never --engine postgresql --engine-version 13.2 -v",
        "lint tree -o github",
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn every_schema_below_a_directory_is_read_with_its_branches_and_nothing_that_tools_keep() {
    let report = json(&tree(), &["tree"], 8);
    assert_eq!(report["scripts"], 3);
    let operations = report["operations"].as_array().expect("operations");
    let told: Vec<String> = operations
        .iter()
        .map(|one| {
            let word = |key: &str| one[key].as_str().unwrap_or("-").to_owned();
            format!("{} {} {} {} {}", word("schema"), word("revision"), word("branch"), word("does"), word("table"))
        })
        .collect();
    assert_eq!(
        told,
        [
            "tree/net/api/alembic cc - does something to -",
            "tree/net/api/alembic cc - does something to -",
            "tree/net/db/migrations aa - creates table ports",
            "tree/net/db/migrations bb expand drops a column of ports"
        ]
    );
    let drop = report["findings"].as_array().expect("findings").iter().find(|one| one["rule"] == "LF-C01");
    let drop = drop.expect("the dropped column");
    assert_eq!((&drop["start"]["line"], &drop["start"]["character"]), (&17.into(), &5.into()));
    assert_eq!(drop["excerpt"][0], "    op.drop_column('ports', 'in_use')");
    assert_eq!(operations[3]["costs"]["mariadb"], "instant");
    assert_eq!(operations[3]["costs"]["mysql"], "at worst rebuilds the table, reads and writes go on");
}

#[test]
fn with_a_base_only_what_is_new_or_changed_since_is_judged_and_what_it_makes_holds_nothing() {
    let lab = tree();
    let git = |arguments: &[&str]| git(&lab, arguments);
    git(&["init", "--quiet"]);
    git(&["add", "net"]);
    git(&["commit", "--quiet", "--message", "first"]);
    let report = json(&lab, &["tree", "--diff", "HEAD"], 0);
    assert_eq!((&report["scripts"], rules(&report).len()), (&0.into(), 0));
    // One that is committed, one that git does not know yet.
    let versions = "tree/net/db/migrations/versions";
    lab.file(&format!("{versions}/ee.py"), script("ee", "'bb'", "op.create_table('new', sa.Column('id'))"));
    git(&["add", "net"]);
    git(&["commit", "--quiet", "--message", "second"]);
    lab.file(&format!("{versions}/ff.py"), script("ff", "'ee'", "op.drop_table('new')"));
    let report = json(&lab, &["tree", "--diff", "HEAD~1"], 0);
    assert_eq!(report["scripts"], 2);
    let rules = rules(&report);
    assert!(rules.contains(&"information LF-C02".to_owned()), "{rules:?}");
    let report = json(&lab, &["tree", "--diff", "HEAD"], 8);
    assert!(self::rules(&report).contains(&"error LF-C02".to_owned()), "{report:#}");
    let inner = lab.run(&["lint", "tree/net", "--diff", "HEAD~1", "-o", "json"]).json();
    assert_eq!(inner["scripts"], 2, "a directory below the repository's own");
}

#[test]
fn new_scripts_of_one_transaction_are_told_once_unless_env_py_gives_each_its_own() {
    let lab = Lab::new();
    let environment = |more: &str| {
        let text = format!("from alembic import context\ncontext.configure(connection=connection{more})\n");
        lab.file("tree/db/env.py", text);
    };
    environment("");
    lab.file("tree/db/versions/aa.py", script("aa", "None", "op.create_table('ports', sa.Column('id'))"));
    git(&lab, &["init", "--quiet"]);
    git(&lab, &["add", "db"]);
    git(&lab, &["commit", "--quiet", "--message", "first"]);
    lab.file("tree/db/versions/bb.py", script("bb", "'aa'", "op.add_column('ports', sa.Column('hint', sa.Text))"));
    lab.file("tree/db/versions/cc.py", script("cc", "'bb'", "op.execute('UPDATE agents SET at = 1')"));
    let told = |engine: &str| {
        let report = json(&lab, &["tree", "--diff", "HEAD", "--deny", "never", "--engine", engine], 0);
        let found = report["findings"].as_array().expect("findings").clone().into_iter();
        let here = found.filter(|one| one["rule"] == "LF-L07");
        here.map(|one| format!("{} {} {}: {}", one["severity"], one["revision"], one["table"], one["what"]))
            .collect::<Vec<_>>()
    };
    let what = "locks table ports until the last of 2 scripts is done, which run in one transaction; cc updates rows of table \
                agents meanwhile";
    assert_eq!(told("postgresql"), [format!("\"warning\" \"bb\" \"ports\": {what:?}")]);
    assert_eq!((told("mariadb"), told("sqlite")), (Vec::new(), Vec::new()), "they commit after each");
    environment(", transaction_per_migration=True");
    assert_eq!(told("postgresql"), [""; 0]);
    // Of a tree nobody says what is run together.
    environment("");
    let report = json(&lab, &["tree", "--deny", "never", "--engine", "postgresql"], 0);
    assert!(rules(&report).iter().all(|one| !one.ends_with("LF-L07")), "{report:#}");
}

#[test]
fn a_script_that_cannot_be_understood_is_a_finding_and_no_silence() {
    let lab = Lab::new();
    lab.file("v/a.py", "revision = 'a'\ndown_revision = None\ndef upgrade(:\n    op.drop_table('x')\n");
    lab.file(
        "v/b.py",
        "from alembic import op\nrevision = str(1)\ndown_revision = None\ndef upgrade():\n    op.drop_table('y')\n",
    );
    let report = json(&lab, &["v", "--deny", "warning"], 8);
    let said: Vec<&str> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter(|one| one["rule"] == "LF-S04")
        .map(|one| one["what"].as_str().expect("a sentence"))
        .collect();
    assert_eq!(
        said,
        [
            "its place among the scripts is not known: line 3 is no Python that is understood here",
            "this is no Python that is understood here",
            "its place among the scripts is not known: revision is not known: `str(1)` is no plain constant"
        ]
    );
}

#[test]
fn what_a_script_names_cannot_move_the_cursor_of_whoever_reads_it() {
    let lab = tree();
    let script = "revision = 'e'\ndown_revision = None\nfrom alembic import op\ndef upgrade():\n    op.drop_table('a\x1b[31mred')\n";
    std::fs::create_dir(lab.path("escapes")).expect("made");
    std::fs::write(lab.path("escapes/e.py"), script).expect("written");
    for form in ["text", "github"] {
        let done = lab.run(&["lint", "escapes", "-o", form]);
        assert!(done.out.contains("drops table ared") && !done.out.contains('\x1b'), "{}", done.out);
    }
}

#[test]
fn sarif_is_written_for_code_review() {
    let done = tree().run(&["lint", "tree", "-o", "sarif"]);
    assert_eq!(done.code, 8);
    let document = done.json();
    assert_eq!(document["version"], "2.1.0");
    let results = document["runs"][0]["results"].as_array().expect("results");
    let drop = results.iter().find(|result| result["ruleId"] == "LF-C01").expect("the dropped column");
    assert_eq!(
        drop["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "tree/net/db/migrations/versions/2024.1/expand/bb_drop.py"
    );
}

#[test]
fn what_cannot_be_linted_is_said_with_what_to_do() {
    let lab = tree();
    lab.file("empty/a.py", "x = 1\n");
    insta::assert_snapshot!(lab.tell(&[
        "lint",
        "lint nowhere",
        "lint empty",
        "lint tree --engine oracle",
        "lint tree --engine mysql,sqlite --engine-version 8.4",
        "lint tree --engine mysql --engine-version new",
        "lint tree --diff HEAD",
        "lint tree --diff=-x",
        "lint --explain drop-colum",
        "lint --explain LF-C01 -o sarif",
        "plan --from 2023.1 --to 2024.1 -o sarif",
    ]));
}

#[test]
fn what_is_wrong_with_a_range_is_said_before_anything_is_read() {
    let lab = Lab::at_antelope(&["keystone", "nova"]).ready();
    insta::assert_snapshot!(lab.tell(&[
        "lint --from 2023.1",
        "lint tree --from 2023.1 --to 2024.1",
        "lint --only nova --explain LF-C01",
        "lint --from 2024.1 --to 2023.1",
        "lint --from 2023.1 --to +99",
        "lint --from 2023.1 --to 2024.1 --only cinder",
        "lint --from 2023.1 --to 2024.1 --config nowhere.yaml",
        "lint --from 2023.1 --to +1 --service keystone",
    ]));
}

#[test]
fn a_finding_is_accepted_only_with_every_answer_and_for_as_long_as_it_is_there() {
    let lab = tree();
    let exception = |rule: &str, until: &str| {
        format!(
            "  - rules: [{rule}]\n    revision: bb\n    tables: [ports]\n    changes: ports.in_use goes.\n    why: Nobody reads it since \
             zed.\n    data: None.\n    downtime: Nothing, it is instant.\n    operator: Nothing.\n    accepted_by: Jo\n    until: \
             {until}\n"
        )
    };
    let file = |name: &str, exceptions: &str| lab.file(name, format!("format: 1\nexceptions:\n{exceptions}"));
    file("good.yaml", &(exception("LF-C01", "2999-12-31") + &exception("destructive-in-expand", "2999-12-31")));
    file("over.yaml", &exception("LF-C01", "2020-01-31"));
    file("gone.yaml", &exception("LF-C02", "2999-12-31"));
    file("lacking.yaml", &exception("LF-C01", "2999-12-31").replace("    downtime: Nothing, it is instant.\n", ""));
    file("empty.yaml", &exception("LF-C01", "2999-12-31").replace("why: Nobody reads it since zed.", "why: ' '"));
    file("unknown.yaml", &exception("LF-C99", "2999-12-31"));
    let report = json(&lab, &["tree", "--exceptions", "good.yaml"], 0);
    assert_eq!((&report["errors"], &report["accepted"]), (&0.into(), &2.into()));
    let one = report["findings"].as_array().expect("findings").iter().find(|one| one["rule"] == "LF-C01");
    assert_eq!(one.expect("it is still there")["accepted"]["by"], "Jo");
    insta::assert_snapshot!(lab.tell(&[
        "lint tree/net/db --exceptions good.yaml",
        "lint tree/net/db --exceptions good.yaml --verbose",
        "lint tree/net/db --exceptions over.yaml",
        "lint tree/net/db --exceptions gone.yaml",
        "lint tree/net/db --exceptions lacking.yaml",
        "lint tree/net/db --exceptions empty.yaml",
        "lint tree/net/db --exceptions unknown.yaml",
        "lint tree/net/db --exceptions nowhere.yaml",
    ]));
    // Where only a part is looked at, that nothing matches says nothing.
    let other = lab.run(&["lint", "tree", "--exceptions", "good.yaml", "-o", "sarif"]).json();
    let suppressed = other["runs"][0]["results"].as_array().expect("results").iter();
    assert_eq!(suppressed.filter(|one| !one["suppressions"].as_array().expect("a list").is_empty()).count(), 2);
}

#[test]
fn a_rule_is_explained_by_its_identifier_or_its_name() {
    let lab = Lab::new();
    insta::assert_snapshot!(lab.tell(&["lint --explain LF-C06"]));
    assert_eq!(lab.run(&["lint", "--explain", "set-not-null"]).out, lab.run(&["lint", "--explain", "lf-c06"]).out);
    let explained = lab.run(&["lint", "--explain", "LF-C06", "-o", "json"]).json();
    assert_eq!(explained["name"], "set-not-null");
}
