//! JSON Schemas of the documents, for editors and for whoever writes one.

use super::{Playbook, Release};

/// The schemas by name: `release` is that of `releases/*.yaml`, `playbook` that of `playbooks/*.yaml`.
pub fn schemas() -> Vec<(&'static str, schemars::Schema)> {
    vec![("release", schemars::schema_for!(Release)), ("playbook", schemars::schema_for!(Playbook))]
}
