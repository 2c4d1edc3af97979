//! The files of a catalogue: the embedded ones and those that an operator lays over them.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use camino::Utf8Path;
use include_dir::{Dir, include_dir};

use crate::document::{Mistake, Source};

/// What the names of embedded files begin with.
pub(super) const BUILT_IN: &str = "built-in";

static RELEASES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/releases");
static PLAYBOOKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/playbooks");

/// The files of an operator's directory that were laid over the embedded ones, such as
/// `releases/2025.2.yaml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Overlay {
    /// Those that took the place of an embedded file.
    pub replaced: Vec<String>,
    /// Those that were added.
    pub added: Vec<String>,
}

/// What the names of files of notes end with, before `.yaml`; they stand beside their releases.
const NOTES: &str = ".notes";

/// The three kinds of files, by name without its ending: notes by that of their release.
#[derive(Default)]
pub(super) struct Files {
    pub(super) releases: BTreeMap<String, Source>,
    pub(super) playbooks: BTreeMap<String, Source>,
    pub(super) notes: BTreeMap<String, Source>,
    pub(super) overlay: Overlay,
}

impl Files {
    /// The files in the binary.
    pub(super) fn embedded(mistakes: &mut Vec<Mistake>) -> Self {
        let mut files = Self::default();
        for (directory, embedded) in [("releases", &RELEASES), ("playbooks", &PLAYBOOKS)] {
            for file in embedded.files() {
                let Some(name) = file.path().file_name().and_then(|name| name.to_str()) else { continue };
                let Some(stem) = name.strip_suffix(".yaml") else { continue };
                match Source::from_bytes(format!("{BUILT_IN}/{directory}/{name}"), file.contents().to_vec()) {
                    Ok(source) => drop(files.put(directory, stem, source)),
                    Err(mistake) => mistakes.push(mistake),
                }
            }
        }
        files
    }

    /// Puts a file of this directory where it belongs, and returns the one that was there.
    fn put(&mut self, directory: &str, stem: &str, source: Source) -> Option<Source> {
        let (kind, name) = match (directory, stem.strip_suffix(NOTES)) {
            ("playbooks", _) => (&mut self.playbooks, stem),
            (_, Some(series)) => (&mut self.notes, series),
            (_, None) => (&mut self.releases, stem),
        };
        kind.insert(name.to_owned(), source)
    }

    /// The files of a directory, over those there are.
    pub(super) fn lay_over(&mut self, directory: &Utf8Path, mistakes: &mut Vec<Mistake>) {
        let mut found = false;
        for name in ["releases", "playbooks"] {
            let path = directory.join(name);
            let sources = match sources(&path) {
                Ok(sources) => sources,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => vec![Err(Mistake::of_file(&path, format!("cannot be listed: {error}")))],
            };
            found = true;
            for source in sources {
                match source {
                    Ok((stem, source)) => {
                        let file = format!("{name}/{stem}.yaml");
                        match self.put(name, &stem, source) {
                            Some(_) => self.overlay.replaced.push(file),
                            None => self.overlay.added.push(file),
                        }
                    }
                    Err(mistake) => mistakes.push(mistake),
                }
            }
        }
        self.overlay.replaced.sort();
        self.overlay.added.sort();
        if !found {
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

/// The documents of one directory, or why one of them cannot be read.
type Sources = Vec<Result<(String, Source), Mistake>>;

fn sources(directory: &Utf8Path) -> std::io::Result<Sources> {
    let mut sources = Vec::new();
    for entry in directory.read_dir_utf8()? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        // Hidden files and other kinds of files are the operator's own business.
        if name.starts_with('.') {
            continue;
        }
        if let Some(stem) = name.strip_suffix(".yaml") {
            sources.push(source(path).map(|source| (stem.to_owned(), source)));
        } else if name.ends_with(".yml") {
            sources.push(Err(Mistake::of_file(path, "the name must end in .yaml")));
        }
    }
    Ok(sources)
}

fn source(path: &Utf8Path) -> Result<Source, Mistake> {
    let unreadable = |error: std::io::Error| Mistake::of_file(path, format!("cannot be read: {error}"));
    let metadata = path.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Mistake::of_file(path, "this is not a regular file"));
    }
    if metadata.len() > Source::LIMIT as u64 {
        return Err(Mistake::of_file(path, Source::too_large(metadata.len())));
    }
    Source::from_bytes(path, std::fs::read(path).map_err(unreadable)?)
}
