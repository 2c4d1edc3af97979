//! From files to a checked catalogue.

use std::collections::BTreeMap;
use std::fmt;

use camino::{Utf8DirEntry, Utf8Path};
use include_dir::{Dir, include_dir};
use serde::de::DeserializeOwned;

use super::{Playbook, Release, check};
use crate::document::{Document, Mistake, Source};
use crate::model::{Series, Service};

static RELEASES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/releases");
static PLAYBOOKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/playbooks");

/// The releases and the playbooks, consistent with each other.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub(super) releases: BTreeMap<Series, Release>,
    pub(super) playbooks: BTreeMap<Service, Playbook>,
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
            1 => f.write_str("the catalog has a mistake"),
            count => write!(f, "the catalog has {count} mistakes"),
        }
    }
}

impl std::error::Error for CatalogError {}

impl miette::Diagnostic for CatalogError {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        Some(Box::new(self.mistakes.iter().map(|mistake| mistake as &dyn miette::Diagnostic)))
    }
}

/// The two kinds of files, by file name.
#[derive(Default)]
struct Files {
    releases: BTreeMap<String, Source>,
    playbooks: BTreeMap<String, Source>,
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
        Self::read(&files, mistakes)
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
        Self::read(&files, mistakes)
    }

    fn read(files: &Files, mut mistakes: Vec<Mistake>) -> Result<Self, CatalogError> {
        let releases = read_all::<Release>(&files.releases, &mut mistakes);
        let playbooks = read_all::<Playbook>(&files.playbooks, &mut mistakes);
        let complete = mistakes.is_empty();
        for (name, release) in &releases {
            check::release(name, release, &mut mistakes);
        }
        for (name, playbook) in &playbooks {
            check::playbook(name, playbook, &mut mistakes);
        }
        let releases: Vec<_> = releases.into_iter().map(|(_, document)| document).collect();
        let playbooks: Vec<_> = playbooks.into_iter().map(|(_, document)| document).collect();
        check::together(&releases, &playbooks, complete, &mut mistakes);
        if !mistakes.is_empty() {
            Mistake::sort(&mut mistakes);
            return Err(CatalogError { mistakes });
        }
        Ok(Self {
            releases: releases.into_iter().map(|document| (document.value.series.clone(), document.value)).collect(),
            playbooks: playbooks.into_iter().map(|document| (document.value.service.clone(), document.value)).collect(),
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
        let files = Files { releases: sources("releases", releases), playbooks: sources("playbooks", playbooks) };
        Self::read(&files, Vec::new())
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

impl Files {
    fn embedded(mistakes: &mut Vec<Mistake>) -> Self {
        let mut files = Self::default();
        for (directory, embedded, into) in
            [("releases", &RELEASES, &mut files.releases), ("playbooks", &PLAYBOOKS, &mut files.playbooks)]
        {
            for file in embedded.files() {
                let Some(name) = file.path().file_name().and_then(|name| name.to_str()) else { continue };
                let Some(stem) = name.strip_suffix(".yaml") else { continue };
                match Source::from_bytes(format!("built-in/{directory}/{name}"), file.contents().to_vec()) {
                    Ok(source) => drop(into.insert(stem.to_owned(), source)),
                    Err(mistake) => mistakes.push(mistake),
                }
            }
        }
        files
    }

    fn lay_over(&mut self, directory: &Utf8Path, mistakes: &mut Vec<Mistake>) {
        let mut found = false;
        for (name, into) in [("releases", &mut self.releases), ("playbooks", &mut self.playbooks)] {
            let path = directory.join(name);
            match path.read_dir_utf8() {
                Ok(entries) => {
                    found = true;
                    for entry in entries {
                        match entry {
                            Ok(entry) => lay_over(&entry, into, mistakes),
                            Err(error) => mistakes.push(Mistake::of_file(&path, format!("cannot be listed: {error}"))),
                        }
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => mistakes.push(Mistake::of_file(&path, format!("cannot be listed: {error}"))),
            }
        }
        if !found && mistakes.is_empty() {
            let message = if directory.is_dir() {
                "the directory has neither a releases nor a playbooks directory in it"
            } else {
                "there is no such directory"
            };
            mistakes.push(
                Mistake::of_file(directory, message)
                    .with_help("put release files in DIR/releases and playbooks in DIR/playbooks"),
            );
        }
    }
}

/// Takes one file of the operator's directory; hidden files and other kinds of files are not looked at.
fn lay_over(entry: &Utf8DirEntry, into: &mut BTreeMap<String, Source>, mistakes: &mut Vec<Mistake>) {
    let (path, name) = (entry.path(), entry.file_name());
    if name.starts_with('.') {
        return;
    }
    if name.ends_with(".yml") {
        mistakes.push(Mistake::of_file(path, "the name must end in .yaml"));
        return;
    }
    let Some(stem) = name.strip_suffix(".yaml") else { return };
    let read = path.metadata().and_then(|metadata| {
        if !metadata.is_file() {
            return Ok(Err(Mistake::of_file(path, "this is not a regular file")));
        }
        if metadata.len() > Source::LIMIT as u64 {
            let message = format!("the file has {} bytes, more than {}", metadata.len(), Source::LIMIT);
            return Ok(Err(Mistake::of_file(path, message)));
        }
        Ok(Source::from_bytes(path, std::fs::read(path)?))
    });
    match read {
        Ok(Ok(source)) => drop(into.insert(stem.to_owned(), source)),
        Ok(Err(mistake)) => mistakes.push(mistake),
        Err(error) => mistakes.push(Mistake::of_file(path, format!("cannot be read: {error}"))),
    }
}
