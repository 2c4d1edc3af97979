//! What was found, as SARIF 2.1.0 (OASIS): what code review takes from tools.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::lint::{Found, RULES, Report, Rule, Severity};

/// The document.
pub(super) fn document(report: &Report) -> Value {
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "leapfrog lint",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": RULES.iter().map(|rule| described(rule)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": report.findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn described(rule: &Rule) -> Value {
    let gravest = rule.severities.iter().flatten().max().copied().unwrap_or(Severity::Information);
    json!({
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.detects},
        "fullDescription": {"text": rule.why},
        "help": {"text": format!("{} {} What decides: {}", rule.why, rule.mend, rule.decides)},
        "defaultConfiguration": {"level": level(gravest)},
    })
}

fn result(found: &Found) -> Value {
    let at = &found.at;
    let suppressions: Vec<Value> = found
        .accepted
        .iter()
        .map(|note| json!({"kind": "external", "status": "accepted", "justification": format!("{} ({}, until {})", note.why, note.by, note.until)}))
        .collect();
    json!({
        "ruleId": found.rule,
        "ruleIndex": RULES.iter().position(|rule| rule.id == found.rule),
        "level": level(found.severity),
        "message": {"text": format!("{}. Instead: {}", found.what, found.mend)},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri(&at.file)},
                "region": {
                    "startLine": at.start.line,
                    "startColumn": at.start.character,
                    "endLine": at.end.line,
                    "endColumn": at.end.character,
                },
            },
        }],
        "suppressions": suppressions,
        "partialFingerprints": {"leapfrogLint/v1": fingerprint(found)},
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Information => "note",
    }
}

/// What stays the same where lines of the script move.
fn fingerprint(found: &Found) -> String {
    let at = &found.at;
    let text = format!("{}\0{:?}\0{:?}\0{:?}\0{}", found.rule, at.revision, at.table, at.column, found.what);
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A path as a reference of a URI.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
