//! Environments on this machine: what the cloud file says of them.

use camino::Utf8PathBuf;

use super::document::{Hidden, LocalSection};
use super::resolve::Resolver;
use super::settings::{ConstraintsPattern, LocalSettings, PackageSource};
use crate::model::Secret;

/// Where the section is.
const PATH: &str = "runner/local";

impl Resolver<'_> {
    pub(super) fn local(&mut self, section: LocalSection) -> LocalSettings {
        let LocalSection { directory, index, wheels, constraints, separate, uv, python, prefetch } = section;
        for (index, pattern) in python.iter().enumerate() {
            if let Some(wrong) = wrong_placeholder(pattern, &["series", "version"]) {
                self.flaw(format!("{PATH}/python/{index}"), wrong, "there are {series} and {version}");
            } else if pattern.trim().is_empty() {
                self.flaw(format!("{PATH}/python/{index}"), "an interpreter has a name or a path", "");
            }
        }
        LocalSettings {
            directory: directory.map(|path| self.directory().join(path)).unwrap_or_else(|| self.cache()),
            source: self.source(index, wheels),
            constraints: constraints.and_then(|list| self.constraints(&list)),
            separate: separate.unwrap_or(false),
            uv: uv.map(|path| self.directory().join(path)),
            python: python.into_iter().map(|pattern| self.beside(pattern)).collect(),
            prefetch,
        }
    }

    /// A pattern with a slash in it as a path; a name without one is looked for.
    fn beside(&self, pattern: String) -> String {
        if pattern.contains('/') { self.directory().join(pattern).into_string() } else { pattern }
    }

    /// Where environments are kept that nobody gave a place.
    fn cache(&mut self) -> Utf8PathBuf {
        let Some(usual) = LocalSettings::usual_directory(self.surroundings.env) else {
            let message = "there is no place for environments: neither XDG_CACHE_HOME nor HOME is set";
            self.flaw(PATH, message, "name one with `directory`");
            return Utf8PathBuf::default();
        };
        usual
    }

    fn source(&mut self, index: Option<Hidden>, wheels: Option<Utf8PathBuf>) -> PackageSource {
        match (index, wheels) {
            (Some(_), Some(_)) => {
                self.flaw(
                    format!("{PATH}/wheels"),
                    "packages come from an index or from a directory, not from both",
                    "leave out `index` or `wheels`",
                );
                PackageSource::Configured
            }
            (Some(Hidden(index)), None) => {
                if !["https://", "http://", "file://"].iter().any(|scheme| index.expose().starts_with(scheme)) {
                    self.flaw(format!("{PATH}/index"), "an index has an address that begins with https://", "");
                }
                PackageSource::Index(index)
            }
            (None, Some(wheels)) => {
                let wheels = self.directory().join(wheels);
                if !wheels.is_dir() {
                    let advice = "relative paths are relative to the cloud file";
                    self.flaw(format!("{PATH}/wheels"), format!("there is no directory {wheels}"), advice);
                }
                PackageSource::Wheels(wheels)
            }
            (None, None) => PackageSource::Configured,
        }
    }

    fn constraints(&mut self, list: &Hidden) -> Option<ConstraintsPattern> {
        let text = list.0.expose();
        let path = format!("{PATH}/constraints");
        if let Some(wrong) = wrong_placeholder(text, &["series", "codename"]) {
            self.flaw(path, wrong, "there are {series} and {codename}");
            return None;
        }
        if !text.contains('{') {
            self.flaw(path, "the list would be the same for every release", "put {series} or {codename} in it");
            return None;
        }
        let address = text.contains("://");
        let text = if address { text.to_owned() } else { self.directory().join(text).into_string() };
        Some(ConstraintsPattern(Secret::new(text)))
    }
}

/// What is wrong with the braces of a pattern. The placeholder is not repeated: anything may stand there.
fn wrong_placeholder(text: &str, known: &[&str]) -> Option<&'static str> {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}').filter(|_| !before.contains('}')) else {
            return Some("a brace has no other half");
        };
        if !known.contains(&name) {
            return Some("there is no such placeholder");
        }
        rest = behind;
    }
    rest.contains('}').then_some("a brace has no other half")
}
