//! The outcome of `leapfrog catalog check DIR`.

use serde::Serialize;

use super::text::{count, list, paragraph};
use crate::catalog::{Catalog, CatalogError, Overlay};
use crate::document::Mistake;

/// What `leapfrog catalog check DIR --output json` says.
#[derive(Debug, Serialize)]
pub struct CheckResult<'c> {
    /// Whether the catalogue can be used.
    pub usable: bool,
    /// Every mistake of every file.
    pub mistakes: &'c [Mistake],
    /// What the directory changes; absent where there are mistakes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay: Option<&'c Overlay>,
}

impl<'c> CheckResult<'c> {
    /// The outcome of loading a catalogue.
    pub fn new(outcome: &'c Result<Catalog, CatalogError>) -> Self {
        match outcome {
            Ok(catalog) => Self { usable: true, mistakes: &[], overlay: Some(&catalog.overlay) },
            Err(error) => Self { usable: false, mistakes: &error.mistakes, overlay: None },
        }
    }
}

/// The outcome in words. Mistakes are one a line, in the form that editors understand; a terminal is
/// better served by the `miette` report of the [`CatalogError`].
pub fn check(outcome: &Result<Catalog, CatalogError>) -> String {
    match outcome {
        Ok(catalog) => {
            let mut text = format!(
                "no mistakes: {} and {}\n",
                count(catalog.releases().len(), "release", "releases"),
                count(catalog.playbooks().len(), "playbook", "playbooks"),
            );
            if catalog.overlay == Overlay::default() {
                text.push_str("nothing was replaced or added\n");
            }
            for (lead, files) in [("replaced: ", &catalog.overlay.replaced), ("added: ", &catalog.overlay.added)] {
                if !files.is_empty() {
                    text.push_str(&paragraph(0, lead, &list(files)));
                }
            }
            text
        }
        Err(error) => {
            let mut text = String::new();
            for mistake in &error.mistakes {
                text.push_str(&mistake.one_line());
                text.push('\n');
                if let Some(help) = mistake.help() {
                    text.push_str(&paragraph(4, "help: ", help));
                }
            }
            text.push_str(&count(error.mistakes.len(), "mistake\n", "mistakes\n"));
            text
        }
    }
}
