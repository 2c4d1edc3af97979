//! JSON Schemas of the documents, for editors and for whoever writes one.

use super::{Playbook, Release};

/// The schemas by name: `release` is that of `releases/*.yaml`, `playbook` that of `playbooks/*.yaml`.
///
/// They say what the types say. What a document must mean besides (names that are known, ranges that
/// do not meet) is checked when a catalogue is loaded.
pub fn schemas() -> Vec<(&'static str, serde_json::Value)> {
    vec![
        ("release", schemars::schema_for!(Release).to_value()),
        ("playbook", schemars::schema_for!(Playbook).to_value()),
    ]
}
