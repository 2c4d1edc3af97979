//! Scripts held against the rules.

use std::collections::BTreeMap;

use super::chain::in_chains;
use super::operation::{Change, Operation, Place};
use super::rules::{Concerns, Find, RULES, Rule, Severity, Surroundings};
use super::script::Script;
use super::server::{Server, Target};
use crate::model::Series;

/// What was there before the scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All that came before each of them: what one makes, the next may find full of rows.
    Each,
    /// All that came before the first of them: what one makes holds nothing that was there, and no older code knows it.
    Together,
}

/// Something that a rule found.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// How grave it is, on the server where it is gravest.
    pub severity: Severity,
    /// How grave it is on each server on which it is found.
    pub servers: BTreeMap<Server, Severity>,
    /// What was found.
    pub what: String,
    /// Why it is less grave than the rule says, if it is.
    pub softened: Option<&'static str>,
    /// The script, by its place among those that were given.
    pub script: usize,
    /// The operation, by its place in the script; absent where it is about the whole script.
    pub operation: Option<usize>,
    /// Where it stands.
    pub place: Place,
}

/// What the rules find in scripts that come after one another, schema by schema. The findings come in the order of the
/// scripts, of their operations and of the rules.
pub fn judge(scripts: &[Script], targets: &[Target], scope: Scope) -> Vec<Finding> {
    let mut findings = Vec::new();
    // What was done to a schema, and where in that a release begins.
    let mut done: BTreeMap<&str, (Vec<&Operation>, Option<&Series>, usize)> = BTreeMap::new();
    for (number, script) in scripts.iter().enumerate() {
        findings.extend(script.remarks.iter().map(|remark| Finding {
            rule: remark.rule,
            severity: remark.severity,
            servers: targets.iter().map(|target| (target.server, remark.severity)).collect(),
            what: remark.what.clone(),
            softened: None,
            script: number,
            operation: None,
            place: script.whole(),
        }));
        // What a script is made of matters where it is run, and not where releases are compared.
        let compared = script.remarks.iter().any(|remark| matches!(remark.rule.find, Find::InHistory));
        if !compared || !script.operations.is_empty() {
            let texts = RULES.iter().filter(|rule| rule.phases.contain(script.branch));
            findings.extend(
                texts.flat_map(|rule| of_text(rule, script, targets)).map(|found| Finding { script: number, ..found }),
            );
        }
        let (before, release, since) = done.entry(&script.schema).or_default();
        if scope == Scope::Each {
            before.clear();
        } else if *release != script.series.as_ref() {
            (*release, *since) = (script.series.as_ref(), before.len());
        }
        for (at, operation) in script.operations.iter().enumerate() {
            let found = RULES.iter().filter(|rule| rule.phases.contain(script.branch)).filter_map(|rule| {
                let found = of_rule(rule, script, at, (before, *since), targets)?;
                Some(Finding { script: number, operation: Some(at), place: operation.place, ..found })
            });
            findings.extend(found);
            before.push(operation);
        }
    }
    if scope == Scope::Together {
        findings.extend(in_chains(scripts, targets));
        // Those of one place stay in the order of the rules.
        findings.sort_by_key(|finding| (finding.script, finding.operation));
    }
    findings
}

/// What one rule finds in the text of a script.
fn of_text(rule: &'static Rule, script: &Script, targets: &[Target]) -> Vec<Finding> {
    let Find::InScript(find) = rule.find else { return Vec::new() };
    let severities = targets.iter().filter_map(|target| Some((target.server, rule.severity(target.server)?)));
    let servers: BTreeMap<Server, Severity> = severities.collect();
    let Some(severity) = servers.values().copied().max() else { return Vec::new() };
    let found = find(&script.text).into_iter().map(|(place, what)| Finding {
        rule,
        severity,
        servers: servers.clone(),
        what,
        softened: None,
        script: 0,
        operation: None,
        place,
    });
    found.collect()
}

/// What one rule finds in one operation.
fn of_rule(
    rule: &'static Rule,
    script: &Script,
    at: usize,
    (before, since): (&[&Operation], usize),
    targets: &[Target],
) -> Option<Finding> {
    let Find::InOperation(find) = rule.find else { return None };
    let operation = &script.operations[at];
    let mut servers = BTreeMap::new();
    let mut said: Option<(Severity, String)> = None;
    let mut softened = None;
    for target in targets.iter().filter(|target| operation.engines.contains(target.server.engine())) {
        let surroundings = Surroundings {
            branch: script.branch,
            before,
            since,
            script: &script.operations,
            at,
            target: *target,
            old_code: script.models.as_deref(),
        };
        let Some(severity) = rule.severity(target.server) else { continue };
        let Some(what) = find(operation, &surroundings) else { continue };
        softened = match rule.concerns {
            Concerns::TheScript => None,
            Concerns::WhatWasThere | Concerns::OldCode => surroundings.is_made_here(operation),
        };
        if rule.concerns == Concerns::OldCode && softened.is_none() && surroundings.maps(operation) == Some(false) {
            softened = Some("no model of the release before maps it");
        }
        let severity = if softened.is_some() { Severity::Information } else { severity };
        servers.insert(target.server, severity);
        // Where servers differ, what is said is what the gravest does.
        if said.as_ref().is_none_or(|(gravest, _)| *gravest < severity) {
            said = Some((severity, what));
        }
    }
    let (severity, what) = said?;
    Some(Finding { rule, severity, servers, what, softened, script: 0, operation: None, place: operation.place })
}

impl Surroundings<'_> {
    /// Why nothing that was there is touched by an operation, if that is so.
    fn is_made_here(&self, operation: &Operation) -> Option<&'static str> {
        let table = operation.table.as_deref();
        if self.is_new(table) {
            return Some("the table is made by these scripts themselves");
        }
        let same_table = |other: &&&Operation| table.is_some() && other.table.as_deref() == table;
        let earlier = || self.before.iter().rev().filter(same_table);
        if let Some(column) = operation.change.column().filter(|_| !matches!(operation.change, Change::AddColumn(_))) {
            let last = earlier().find(|other| {
                other.change.column() == Some(column)
                    && matches!(other.change, Change::AddColumn(_) | Change::DropColumn { .. })
            });
            return last
                .is_some_and(|last| matches!(last.change, Change::AddColumn(_)))
                .then_some("the column is added by these scripts themselves");
        }
        let name = match &operation.change {
            Change::DropIndex { name } | Change::DropConstraint { name, .. } => name.as_deref()?,
            _ => return None,
        };
        let last = earlier().find_map(|other| match &other.change {
            Change::CreateIndex { name: Some(made), .. } | Change::AddConstraint { name: Some(made), .. }
                if made == name =>
            {
                Some(true)
            }
            Change::DropIndex { name: Some(gone) } | Change::DropConstraint { name: Some(gone), .. }
                if gone == name =>
            {
                Some(false)
            }
            _ => None,
        });
        (last == Some(true)).then_some("it is made by these scripts themselves")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    use crate::lint::read::{Models, read};
    use crate::lint::rules::NOT_UNDERSTOOD;
    use crate::lint::script::{Before, Remark};
    use crate::model::Branch;

    fn script(body: &str, branch: Option<Branch>) -> Script {
        let text = format!(
            "from alembic import op\nimport sqlalchemy as sa\ndef upgrade():\n    {}\n",
            body.replace('\n', "\n    ")
        );
        Script {
            series: None,
            service: None,
            schema: "s".into(),
            file: "a.py".into(),
            operations: read(&text),
            text,
            revision: Some("a".into()),
            branch,
            remarks: Vec::new(),
            models: None,
            transactions: None,
        }
    }

    fn told(scripts: &[Script], servers: &[Server], scope: Scope) -> Vec<String> {
        let targets: Vec<Target> = servers.iter().copied().map(Target::usual).collect();
        let line = |found: Finding| format!("{} {} {}", found.severity.word(), found.rule.id, found.what);
        judge(scripts, &targets, scope).into_iter().map(line).collect()
    }

    #[test]
    fn what_is_made_within_the_range_and_dropped_again_is_information_and_the_same_across_its_start_an_error() {
        let makes = script("op.create_table('a', sa.Column('x', sa.Integer))", None);
        let drops = script("op.drop_table('a')", None);
        let within = told(&[makes, drops.clone()], &[Server::Mariadb], Scope::Together);
        assert!(within.iter().any(|line| line == "information LF-C02 drops table a"), "{within:?}");
        assert!(!within.iter().any(|line| line.starts_with("error")), "{within:?}");
        let across = told(&[drops], &[Server::Mariadb], Scope::Together);
        assert!(across.iter().any(|line| line == "error LF-C02 drops table a"), "{across:?}");
    }

    #[test]
    fn scripts_that_are_looked_at_one_by_one_find_what_the_others_made() {
        let makes = script("op.create_table('a', sa.Column('x', sa.Integer))", None);
        let drops = script("op.drop_table('a')", None);
        let found = told(&[makes, drops], &[Server::Mariadb], Scope::Each);
        assert!(found.iter().any(|line| line == "error LF-C02 drops table a"), "{found:?}");
    }

    #[test]
    fn a_column_or_an_index_of_the_range_is_no_loss_either_unless_it_is_another_one() {
        let column = script(
            "op.add_column('a', sa.Column('x', sa.Integer))\nop.drop_column('a', 'x')\nop.drop_column('a', 'x')",
            None,
        );
        let found = told(&[column], &[Server::Mysql], Scope::Together);
        let drops: Vec<_> = found.iter().filter(|line| line.contains("LF-C01")).collect();
        assert_eq!(drops, ["information LF-C01 drops column x of table a", "error LF-C01 drops column x of table a"]);
        let index = script(
            "op.create_index('i', 'a', ['x'])\nop.drop_index('i', 'a')\nop.drop_index('j', 'a')",
            Some(Branch::Expand),
        );
        let found = told(&[index], &[Server::Mysql], Scope::Together);
        let drops: Vec<_> = found.iter().filter(|line| line.contains("LF-C14")).collect();
        assert_eq!(
            drops,
            ["information LF-C14 drops the index i of table a", "warning LF-C14 drops the index j of table a"]
        );
    }

    #[test]
    fn an_operation_of_one_engine_is_a_finding_on_its_servers_alone() {
        let one = script("if op.get_bind().dialect.name == 'sqlite':\n    op.drop_table('a')", None);
        assert!(told(std::slice::from_ref(&one), &[Server::Mysql, Server::Postgresql], Scope::Each).is_empty());
        let found = told(&[one], &[Server::Sqlite], Scope::Each);
        assert!(found.iter().any(|line| line == "error LF-C02 drops table a"), "{found:?}");
    }

    #[test]
    fn what_no_code_of_the_release_before_maps_may_go_and_what_it_maps_may_not_even_in_a_contract_script() {
        let models = Models::read(["class A(object):\n    __tablename__ = 'a'\n    x = Column()\n"]);
        let before = Some(Rc::new(Before { series: "2024.1".parse().expect("a series"), models }));
        let one =
            script("op.drop_column('a', 'x')\nop.drop_column('a', 'y')\nop.drop_table('b')\nop.drop_table('a')", None);
        let found = told(&[Script { models: before.clone(), ..one }], &[Server::Mysql], Scope::Each);
        let about: Vec<&String> =
            found.iter().filter(|line| ["C01", "C02", "C17"].iter().any(|id| line.contains(id))).collect();
        assert_eq!(
            about,
            [
                "error LF-C01 drops column x of table a",
                "error LF-C17 drops column x of table a, which the code of 2024.1 maps",
                "information LF-C01 drops column y of table a",
                "information LF-C02 drops table b",
                "error LF-C02 drops table a",
                "error LF-C17 drops table a, which the code of 2024.1 maps",
            ]
        );
        let contract = script("op.drop_column('a', 'x')", Some(Branch::Contract));
        let found = told(&[Script { models: before, ..contract }], &[Server::Mysql], Scope::Each);
        assert!(found.iter().any(|line| line.contains("LF-C17")) && !found.iter().any(|line| line.contains("LF-C01")));
    }

    #[test]
    fn in_a_contract_script_what_old_code_needs_may_go() {
        let found = told(&[script("op.drop_column('a', 'x')", Some(Branch::Contract))], &[Server::Mysql], Scope::Each);
        assert!(!found.iter().any(|line| line.contains("LF-C01")), "{found:?}");
    }

    #[test]
    fn a_script_without_a_place_is_not_passed_over() {
        let mut one = script("pass", None);
        let what = "its place among the scripts is not known: it assigns no `down_revision`".to_owned();
        one.remarks.push(Remark { rule: NOT_UNDERSTOOD, severity: Severity::Warning, what });
        assert_eq!(
            told(&[one], &[Server::Mysql], Scope::Each),
            ["warning LF-S04 its place among the scripts is not known: it assigns no `down_revision`"]
        );
    }
}
