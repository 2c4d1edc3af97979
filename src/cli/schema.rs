//! `leapfrog schema`: the JSON Schemas of what leapfrog reads and writes.

use super::arguments::Document;
use super::exit::Exit;
use super::look::Show;
use super::stop::Stop;

/// Every document with a schema: its name and the schema.
pub fn documents() -> Vec<(&'static str, schemars::Schema)> {
    let mut documents = vec![
        ("cloud", crate::cloud::schema()),
        ("plan", schemars::schema_for!(crate::plan::Plan)),
        ("events", crate::report::jsonl::schema()),
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
        Document::Events => "events",
    };
    let found = documents().into_iter().find(|(known, _)| *known == name);
    let (_, schema) = found.ok_or_else(|| Stop::internal(anyhow::anyhow!("no schema of {name}")))?;
    show.print_json(&schema)?;
    Ok(Exit::Done)
}
