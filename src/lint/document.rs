//! What is told of scripts: the document of `leapfrog lint --output json`, and what every other form is made of.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cost::cost;
use super::execute::Ran;
use super::heavy::Heavy;
use super::judge::Finding;
use super::operation::{Certainty, Change, Operation, Place};
use super::rules::Severity;
use super::script::Script;
use super::server::{Server, Target};
use crate::model::{Branch, Series, Service};

/// How much of a script is shown with what stands in it: lines, and characters of each.
const EXCERPT: (usize, usize) = (12, 400);

/// What the scripts do, and what the rules find in them.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// The version of this document's format: 1.
    pub format: u32,
    /// The servers that operations were judged for.
    pub servers: Vec<Against>,
    /// How many scripts were read.
    pub scripts: usize,
    /// What they do, in the order in which they do it.
    pub operations: Vec<Told>,
    /// What the rules find, in the same order.
    pub findings: Vec<Found>,
    /// Tables on which something takes as long as they are large, the heaviest first; only where databases were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heavy: Vec<Heavy>,
    /// What was run on copies without rows; only with `--execute`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub executed: Vec<Ran>,
    /// How many findings are errors that nobody accepted.
    pub errors: usize,
    /// How many are such warnings.
    pub warnings: usize,
    /// How many are such information.
    pub information: usize,
    /// How many were accepted, whatever they are.
    pub accepted: usize,
}

/// A server that operations were judged for.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Against {
    /// The kind of server.
    pub server: Server,
    /// Its version.
    pub version: String,
}

/// One operation.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Told {
    /// Where it stands.
    #[serde(flatten)]
    pub at: At,
    /// What it does: `drops a column of`.
    pub does: String,
    /// Whether it is done only under a condition that a run decides.
    pub guarded: bool,
    /// The engines on which it is done, where these are not all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_on: Vec<String>,
    /// What it costs on each server, in words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub costs: BTreeMap<Server, String>,
}

/// Something that a rule found.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Found {
    /// The rule: `LF-C01`.
    pub rule: &'static str,
    /// Its name: `drop-column`.
    pub name: &'static str,
    /// How grave it is, on the server where it is gravest.
    pub severity: Severity,
    /// How grave it is on each server on which it is found.
    pub severities: BTreeMap<Server, Severity>,
    /// What was found, in a sentence without its subject.
    pub what: String,
    /// Why it is less grave than the rule says, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub softened: Option<&'static str>,
    /// The note with which somebody accepted it, if somebody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
    /// Why the rule takes it for a fault.
    pub why: &'static str,
    /// What to do in its place.
    pub mend: &'static str,
    /// What decides how long it takes, or how much it breaks.
    pub decides: &'static str,
    /// Where it stands.
    #[serde(flatten)]
    pub at: At,
}

/// The note with which somebody accepted a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Accepted {
    /// What changes.
    pub changes: String,
    /// Why.
    pub why: String,
    /// How data is migrated.
    pub data: String,
    /// What decides the downtime.
    pub downtime: String,
    /// What an operator should do.
    pub operator: String,
    /// Who accepted it.
    pub by: String,
    /// The last day on which that counts, `YYYY-MM-DD`.
    pub until: String,
}

/// Where something stands.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct At {
    /// The release that brings the script, where a range of releases is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
    /// The service it belongs to, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// The schema: its name in the playbooks, or the directory of its scripts.
    pub schema: String,
    /// The revision; absent where the script does not say it in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The branch; absent where the schema has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<Branch>,
    /// The table, where it is about one that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The column, where it is about one that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// How certain it is what is done; absent where it is about the whole script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certainty: Option<Certainty>,
    /// The script's file.
    pub file: String,
    /// Where it begins.
    pub start: Point,
    /// Where it ends: the character after it.
    pub end: Point,
    /// The script's lines that it stands in, the first dozen of them, each as far as 400 characters.
    pub excerpt: Vec<String>,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Point {
    /// The line, from 1.
    pub line: usize,
    /// The character in it, from 1.
    pub character: usize,
}

impl Report {
    /// What is told of `scripts` and of what was found in them.
    pub fn new(scripts: &[Script], targets: &[Target], findings: &[Finding]) -> Self {
        let operations = scripts.iter().flat_map(|script| {
            let told = |operation: &Operation| Told::new(script, operation, targets);
            script
                .operations
                .iter()
                .filter(|operation| operation.change != Change::Nothing)
                .map(told)
                .collect::<Vec<_>>()
        });
        let findings = findings.iter().map(|finding| Found::new(&scripts[finding.script], finding));
        let mut report = Self {
            format: 1,
            servers: targets.iter().map(Against::new).collect(),
            scripts: scripts.len(),
            operations: operations.collect(),
            findings: findings.collect(),
            heavy: Vec::new(),
            executed: Vec::new(),
            errors: 0,
            warnings: 0,
            information: 0,
            accepted: 0,
        };
        report.count();
        report
    }

    /// Counts the findings.
    pub fn count(&mut self) {
        let count = |severity: Severity| {
            self.findings.iter().filter(|found| found.severity == severity && found.accepted.is_none()).count()
        };
        self.errors = count(Severity::Error);
        self.warnings = count(Severity::Warning);
        self.information = count(Severity::Information);
        self.accepted = self.findings.iter().filter(|found| found.accepted.is_some()).count();
    }
}

impl Against {
    fn new(target: &Target) -> Self {
        Self { server: target.server, version: target.version.to_string() }
    }
}

impl Told {
    fn new(script: &Script, operation: &Operation, targets: &[Target]) -> Self {
        let on = targets.iter().filter(|target| operation.engines.contains(target.server.engine()));
        let costs = on.filter_map(|target| Some((target.server, cost(operation, *target)?.words())));
        let only_on = match operation.engines {
            super::Engines::ALL => Vec::new(),
            engines => engines.words().split(", ").map(str::to_owned).collect(),
        };
        Self {
            does: operation.change.verb().to_owned(),
            guarded: operation.guarded,
            only_on,
            costs: costs.collect(),
            at: At::new(script, Some(operation), operation.place),
        }
    }
}

impl Found {
    /// A finding at its place in a script.
    pub(super) fn new(script: &Script, finding: &Finding) -> Self {
        let operation = finding.operation.and_then(|at| script.operations.get(at));
        Self::at(finding, At::new(script, operation, finding.place))
    }

    /// A finding at a place.
    pub(super) fn at(finding: &Finding, at: At) -> Self {
        Self {
            rule: finding.rule.id,
            name: finding.rule.name,
            severity: finding.severity,
            severities: finding.servers.clone(),
            what: finding.what.clone(),
            softened: finding.softened,
            accepted: None,
            why: finding.rule.why,
            mend: finding.rule.mend,
            decides: finding.rule.decides,
            at,
        }
    }
}

impl At {
    fn new(script: &Script, operation: Option<&Operation>, place: Place) -> Self {
        let (start, end) = (point(&script.text, place.offset), point(&script.text, place.offset + place.length));
        let lines = script.text.lines().skip(start.line - 1).take((end.line - start.line + 1).min(EXCERPT.0));
        Self {
            series: script.series.clone(),
            service: script.service.clone(),
            schema: script.schema.clone(),
            revision: script.revision.clone(),
            branch: script.branch,
            table: operation.and_then(|operation| operation.table.clone()),
            column: operation.and_then(|operation| operation.change.column()).map(str::to_owned),
            certainty: operation.map(|operation| operation.certainty),
            file: script.file.clone(),
            start,
            end,
            excerpt: lines.map(|line| line.chars().take(EXCERPT.1).collect()).collect(),
        }
    }
}

/// The line and the character of a byte.
fn point(text: &str, offset: usize) -> Point {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    Point { line, character: before[start..].chars().count() + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_lines_and_characters() {
        let text = "a\nüb\n";
        assert_eq!(point(text, 0), Point { line: 1, character: 1 });
        assert_eq!(point(text, 2), Point { line: 2, character: 1 });
        assert_eq!(point(text, 4), Point { line: 2, character: 2 });
        assert_eq!(point(text, 99), Point { line: 3, character: 1 });
    }
}
