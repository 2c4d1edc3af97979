//! `leapfrog schema`: the JSON Schemas of what leapfrog reads and writes.

use super::commands::Document;
use super::exit::Exit;
use super::look::Show;
use super::stop::Stop;

/// Every document with a schema: its name and the schema.
pub fn documents() -> Vec<(&'static str, serde_json::Value)> {
    let mut documents = vec![
        ("cloud", crate::cloud::schema().to_value()),
        ("plan", schemars::schema_for!(crate::plan::Plan).to_value()),
        ("verify", schemars::schema_for!(crate::plan::proof::Proof).to_value()),
        ("doctor", schemars::schema_for!(super::doctor::Report).to_value()),
        ("check", schemars::schema_for!(super::check::Report).to_value()),
        ("lint", schemars::schema_for!(crate::lint::Report).to_value()),
        ("lint-exceptions", schemars::schema_for!(crate::catalog::Exceptions).to_value()),
        ("stages", schemars::schema_for!(super::stages::Report).to_value()),
        ("trip", schemars::schema_for!(super::trip::Line).to_value()),
        ("events", crate::report::jsonl::schema().to_value()),
    ];
    documents.extend(crate::catalog::schemas());
    documents
}

/// Prints the schema of `document`.
pub(super) fn show(document: Document, show: &Show) -> Result<Exit, Stop> {
    let name = match document {
        Document::Cloud => "cloud",
        Document::Release => "release",
        Document::Playbook => "playbook",
        Document::Plan => "plan",
        Document::Verify => "verify",
        Document::Doctor => "doctor",
        Document::Check => "check",
        Document::Lint => "lint",
        Document::LintExceptions => "lint-exceptions",
        Document::Events => "events",
        Document::Stages => "stages",
        Document::Trip => "trip",
    };
    let found = documents().into_iter().find(|(known, _)| *known == name);
    let (_, schema) = found.ok_or_else(|| Stop::internal(anyhow::anyhow!("no schema of {name}")))?;
    show.print_json(&schema)?;
    Ok(Exit::Done)
}
