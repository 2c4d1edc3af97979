//! From files to a checked catalogue.

use std::collections::BTreeMap;
use std::fmt;

use camino::Utf8Path;
use serde::de::DeserializeOwned;

use super::files::{Files, Overlay};
use super::{Exceptions, Playbook, Release, check};
use crate::document::{Document, Mistake, Source};
use crate::model::{Series, Service};

/// The releases and the playbooks, consistent with each other.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub(super) releases: BTreeMap<Series, Release>,
    pub(super) playbooks: BTreeMap<Service, Playbook>,
    /// What the operator's directory changed.
    pub overlay: Overlay,
}

/// A catalogue that cannot be used: every mistake of every file, by file and place. Rendered by
/// `miette` it shows the lines.
#[derive(Debug, Clone)]
pub struct CatalogError {
    /// The mistakes, at least one.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mistakes.len() {
            1 => f.write_str("the catalogue has a mistake"),
            count => write!(f, "the catalogue has {count} mistakes"),
        }
    }
}

impl std::error::Error for CatalogError {}

impl miette::Diagnostic for CatalogError {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        Some(Box::new(self.mistakes.iter().map(|mistake| mistake as &dyn miette::Diagnostic)))
    }
}

impl Catalog {
    /// The version of the format of releases and playbooks.
    pub const FORMAT: u32 = 1;

    /// The catalogue that leapfrog brings along.
    ///
    /// # Errors
    ///
    /// None in a program that passed its tests.
    pub fn embedded() -> Result<Self, CatalogError> {
        let mut mistakes = Vec::new();
        let files = Files::embedded(&mut mistakes);
        Self::read(files, mistakes)
    }

    /// The catalogue that leapfrog brings along with the files of a directory laid over it: a file in
    /// its `releases/` or `playbooks/` takes the place of the one of the same name, others are added.
    ///
    /// # Errors
    ///
    /// Every mistake of every file, and files that cannot be read.
    pub fn load(directory: &Utf8Path) -> Result<Self, CatalogError> {
        let mut mistakes = Vec::new();
        let mut files = Files::embedded(&mut mistakes);
        files.lay_over(directory, &mut mistakes);
        Self::read(files, mistakes)
    }

    fn read(files: Files, mut mistakes: Vec<Mistake>) -> Result<Self, CatalogError> {
        let releases = read_all::<Release>(&files.releases, &mut mistakes);
        let playbooks = read_all::<Playbook>(&files.playbooks, &mut mistakes);
        let notes = read_all::<Exceptions>(&files.notes, &mut mistakes);
        let complete = mistakes.is_empty();
        for (name, release) in &releases {
            check::release(name, release, &mut mistakes);
        }
        for (name, playbook) in &playbooks {
            check::playbook(name, playbook, &mut mistakes);
        }
        let mut releases: Vec<_> = releases.into_iter().map(|(_, document)| document).collect();
        let playbooks: Vec<_> = playbooks.into_iter().map(|(_, document)| document).collect();
        check::together(&releases, &playbooks, complete, &mut mistakes);
        for (series, document) in notes {
            let found = releases.iter_mut().find(|release| release.value.series.as_str() == series);
            check::exceptions(&series, &document, found.as_ref().map(|release| &release.value), &mut mistakes);
            if let Some(release) = found {
                release.value.exceptions = document.value.exceptions;
            }
        }
        if !mistakes.is_empty() {
            Mistake::sort(&mut mistakes);
            return Err(CatalogError { mistakes });
        }
        Ok(Self {
            releases: releases.into_iter().map(|document| (document.value.series.clone(), document.value)).collect(),
            playbooks: playbooks.into_iter().map(|document| (document.value.service.clone(), document.value)).collect(),
            overlay: files.overlay,
        })
    }

    #[cfg(test)]
    pub(super) fn from_texts(releases: &[(&str, &str)], playbooks: &[(&str, &str)]) -> Result<Self, CatalogError> {
        let sources = |directory: &str, texts: &[(&str, &str)]| {
            texts
                .iter()
                .map(|(name, text)| ((*name).to_owned(), Source::new(format!("{directory}/{name}.yaml"), *text)))
                .collect()
        };
        let files = Files {
            releases: sources("releases", releases),
            playbooks: sources("playbooks", playbooks),
            ..Files::default()
        };
        Self::read(files, Vec::new())
    }
}

/// Reads every file that can be read, with its name.
fn read_all<T: DeserializeOwned>(
    files: &BTreeMap<String, Source>,
    mistakes: &mut Vec<Mistake>,
) -> Vec<(String, Document<T>)> {
    let mut documents = Vec::new();
    for (name, source) in files {
        match Document::read(source, Catalog::FORMAT) {
            Ok(document) => documents.push((name.clone(), document)),
            Err(found) => mistakes.extend(found),
        }
    }
    documents
}
