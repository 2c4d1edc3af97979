//! Chains: the scripts of a schema that one command of a release runs, one after the other.
//!
//! A chain has the scripts of one release and one branch; where no releases are told apart, those that are looked at
//! together. What is wrong with a chain is told once for a schema and a release, at the operation where it begins.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::judge::Finding;
use super::operation::Operation;
use super::read::{Transactions, ends_transaction};
use super::rules::{Find, RULES, Severity, is_new};
use super::script::Script;
use super::server::{Server, Target};
use crate::model::{Branch, Series, Service};

/// Scripts that one command runs, one after the other.
#[derive(Debug)]
pub struct Chain<'a> {
    /// In how many transactions alembic runs them.
    pub transactions: Transactions,
    /// Those that do something, in their order.
    pub links: Vec<Link<'a>>,
    /// Everything that is done to the schema, also by scripts that are none of these.
    done: &'a [&'a Operation],
}

/// A script of a chain.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// What it is called: its revision, or its file where that is not known.
    pub name: &'a str,
    /// What it does.
    pub operations: &'a [Operation],
    /// Whether it ends the transaction in which it begins.
    pub ends_transaction: bool,
    /// Its place among all scripts.
    script: usize,
    /// How much was done to the schema before it.
    before: usize,
}

/// Something that lasts longer than the script in which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlasts {
    /// The place of the script in its chain.
    pub link: usize,
    /// The place of the operation in its script.
    pub operation: usize,
    /// What is said of it.
    pub what: String,
    /// Why it is less grave than the rule says, if it is.
    pub softened: Option<&'static str>,
}

impl Chain<'_> {
    /// Whether a table was made by what is looked at, before an operation of a link: nobody else knows it yet.
    pub fn is_new(&self, link: &Link<'_>, operation: usize, table: Option<&str>) -> bool {
        is_new(&self.done[..link.before + operation], table)
    }
}

/// What tells chains apart within a schema and a release.
type Key<'a> = (Option<&'a Service>, &'a str, Option<&'a Series>);

/// What the rules find in chains: for each schema and release the gravest of a rule.
pub(super) fn in_chains(scripts: &[Script], targets: &[Target]) -> Vec<Finding> {
    let mut done: BTreeMap<(Option<&Service>, &str), Vec<&Operation>> = BTreeMap::new();
    let mut links: BTreeMap<Key<'_>, Vec<(Option<Branch>, Transactions, Link<'_>)>> = BTreeMap::new();
    for (number, script) in scripts.iter().enumerate().filter(|(_, script)| !script.operations.is_empty()) {
        let (service, schema) = (script.service.as_ref(), script.schema.as_str());
        let before = done.entry((service, schema)).or_default();
        if let Some(transactions) = script.transactions {
            let link = Link {
                name: script.revision.as_deref().unwrap_or(&script.file),
                operations: &script.operations,
                ends_transaction: ends_transaction(&script.text),
                script: number,
                before: before.len(),
            };
            let here = links.entry((service, schema, script.series.as_ref())).or_default();
            here.push((script.branch, transactions, link));
        }
        before.extend(&script.operations);
    }
    let found = links.into_iter().flat_map(|((service, schema, _), links)| {
        let chains = chains(links, &done[&(service, schema)]);
        let rules = RULES.iter().filter_map(|rule| {
            let found = chains.iter().filter_map(|chain| of_rule(rule, chain, scripts, targets));
            found.max_by_key(|finding| (finding.severity, Reverse(finding.script)))
        });
        rules.collect::<Vec<_>>()
    });
    found.collect()
}

/// The chains of a schema in a release: one for each branch.
fn chains<'a>(links: Vec<(Option<Branch>, Transactions, Link<'a>)>, done: &'a [&'a Operation]) -> Vec<Chain<'a>> {
    let mut chains: BTreeMap<Option<Branch>, Chain<'a>> = BTreeMap::new();
    for (branch, transactions, link) in links {
        let chain = chains.entry(branch).or_insert(Chain { transactions, links: Vec::new(), done });
        chain.links.push(link);
    }
    chains.into_values().collect()
}

/// What one rule finds in one chain.
fn of_rule(rule: &'static super::Rule, chain: &Chain<'_>, scripts: &[Script], targets: &[Target]) -> Option<Finding> {
    let Find::InChain(find) = rule.find else { return None };
    let mut servers: BTreeMap<Server, Severity> = BTreeMap::new();
    let mut gravest: Option<(Severity, Outlasts)> = None;
    for target in targets {
        let Some(severity) = rule.severity(target.server) else { continue };
        let Some(found) = find(chain, *target) else { continue };
        let severity = if found.softened.is_some() { Severity::Information } else { severity };
        servers.insert(target.server, severity);
        if gravest.as_ref().is_none_or(|(known, _)| *known < severity) {
            gravest = Some((severity, found));
        }
    }
    let (severity, Outlasts { link, operation, what, softened }) = gravest?;
    let link = chain.links.get(link)?;
    let place = link.operations.get(operation).map_or_else(|| scripts[link.script].whole(), |one| one.place);
    let (script, operation) = (link.script, Some(operation));
    Some(Finding { rule, severity, servers, what, softened, script, operation, place })
}

/// The scripts of an example: bodies of `upgrade`, each below its file's name, the first of them `env.py`.
#[cfg(test)]
pub(crate) fn example(text: &str) -> Vec<Script> {
    use super::read::read;

    let mut files: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("# ").filter(|name| name.ends_with(".py")) {
            Some(name) => files.push((name, String::new())),
            None => files.last_mut().expect("a file's name first").1.push_str(&format!("{line}\n")),
        }
    }
    let environment = files.iter().find(|(name, _)| *name == "env.py").expect("an env.py");
    let transactions = Some(Transactions::read(&format!("from alembic import context\n{}", environment.1)));
    let scripts = files.iter().filter(|(name, _)| *name != "env.py").map(|(name, body)| {
        let body = body.trim_end().replace('\n', "\n    ");
        let text = format!("from alembic import op\nimport sqlalchemy as sa\n\n\ndef upgrade():\n    {body}\n");
        Script {
            series: None,
            service: None,
            schema: "versions".into(),
            file: format!("versions/{name}"),
            operations: read(&text),
            text,
            revision: Some(name.trim_end_matches(".py").to_owned()),
            branch: Some(Branch::Expand),
            remarks: Vec::new(),
            models: None,
            transactions,
        }
    });
    scripts.collect()
}
