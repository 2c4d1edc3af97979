//! Every rule, as its findings are shown: one that it finds, one that it passes.

use crate::lint::rules::Phases;
use std::rc::Rc;

use crate::lint::{
    Before, Find, Models, RULES, Report, Rule, Scope, Script, Server, Target, example, judge, read::read,
};
use crate::model::Branch;
use crate::report::{Look, Paper};

/// What is found in the body of an `upgrade`, on every server.
fn report(rule: &Rule, body: &str) -> Report {
    let targets = Server::ALL.map(Target::usual);
    let scripts = if let Find::InChain(_) = rule.find { example(body) } else { vec![script(rule, body)] };
    Report::new(&scripts, &targets, &judge(&scripts, &targets, Scope::Together))
}

/// A script with such an `upgrade`.
fn script(rule: &Rule, body: &str) -> Script {
    let text = format!(
        "from alembic import op\nimport sqlalchemy as sa\n\n\ndef upgrade():\n    {}\n",
        body.replace('\n', "\n    ")
    );
    // What examples take for granted of the release before: every table and column that they name.
    let models = Models::read([
        "class Port(object):\n    __tablename__ = 'ports'\n    mac = sa.Column(sa.String(32))\n",
        "class Subnet(object):\n    __tablename__ = 'subnets'\n    in_use = sa.Column(sa.Boolean)\n",
        "class Counter(object):\n    __tablename__ = 'alarm_counter'\n    id = sa.Column(sa.Integer)\n",
    ]);
    let branch = if rule.phases == Phases::Contract { Branch::Contract } else { Branch::Expand };
    Script {
        series: None,
        service: None,
        schema: "versions".into(),
        file: "versions/1f2e.py".into(),
        operations: read(&text),
        text,
        revision: Some("1f2e".into()),
        branch: Some(branch),
        remarks: Vec::new(),
        models: Some(Rc::new(Before { series: "2024.1".parse().expect("a series"), models })),
        transactions: None,
    }
}

#[test]
fn each_rule_is_shown_with_its_example_and_without_what_is_like_it() {
    for rule in RULES.iter().filter(|rule| rule.find.needs_scripts_alone()) {
        let mut hit = report(rule, rule.hit);
        hit.findings.retain(|found| found.rule == rule.id);
        let mut miss = report(rule, rule.near_miss);
        assert!(!hit.findings.is_empty(), "{}: its example is not found", rule.id);
        miss.findings.retain(|found| found.rule == rule.id);
        assert!(miss.findings.is_empty(), "{}: {}", rule.id, miss.findings[0].what);
        let paper = Paper { look: Look::PLAIN, columns: 100 };
        let shown = super::text::render(&hit, paper, true);
        let annotated = super::github::annotations(&hit, true);
        let passed = rule.near_miss;
        insta::with_settings!({ snapshot_path => "snapshots", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("{}-{}", rule.id, rule.name), format!("{shown}\n{annotated}\nPassed:\n{passed}\n"));
        });
    }
}

#[test]
fn a_document_for_code_review_names_every_rule_and_place() {
    let rule = Rule::named("drop-column").expect("a rule");
    let report = report(rule, rule.hit);
    let document = super::sarif::document(&report);
    let run = &document["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"].as_array().map(Vec::len), Some(RULES.len()));
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), report.findings.len());
    for (result, found) in results.iter().zip(&report.findings) {
        let index = result["ruleIndex"].as_u64().and_then(|index| usize::try_from(index).ok()).expect("an index");
        assert_eq!(RULES[index].id, found.rule);
        assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], found.at.start.line);
    }
}
