//! Several files in their order.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::OsloError;
use super::parse::{Entry, normal, parse};
use crate::model::Secret;

/// The most bytes of a file: nova's sample with every option has half a megabyte.
const LIMIT: u64 = 8 * 1024 * 1024;

/// An option's place: its group and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The section, such as `database`.
    pub group: String,
    /// The option, such as `connection`.
    pub option: String,
}

impl Name {
    /// The option `option` in the section `group`.
    pub fn new(group: impl Into<String>, option: impl Into<String>) -> Self {
        Self { group: group.into(), option: option.into() }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}] {}", self.group, self.option)
    }
}

/// What an option is set to, and where.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The value, as it is written or with everything substituted.
    pub value: Secret,
    /// Under which name it was found.
    pub name: Name,
    /// The file that counts.
    pub file: Utf8PathBuf,
    /// The line that it begins in, from 1.
    pub line: usize,
    /// Other places that set it and do not count, such as `/etc/nova/nova.conf:12`.
    pub others: Vec<String>,
}

impl Setting {
    /// Where it stands: `/etc/nova/nova.conf:12`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// A file that was read.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: Utf8PathBuf,
    pub(super) entries: Vec<Entry>,
}

/// What a service's files say, in the order in which it reads them.
#[derive(Debug, Default)]
pub struct Configuration {
    pub(super) files: Vec<File>,
}

impl Configuration {
    /// Reads files in this order. A path that ends in a slash is a directory: every `*.conf` in it by name, nothing
    /// where it does not exist.
    ///
    /// # Errors
    /// Everything that keeps one of them from being read; of each file its first unreadable line.
    pub fn read(paths: &[Utf8PathBuf]) -> Result<Self, Vec<OsloError>> {
        let (mut configuration, mut errors) = (Self::default(), Vec::new());
        for path in paths {
            match files_at(path) {
                Ok(files) => {
                    for file in files {
                        match read(&file) {
                            Ok(file) => configuration.files.push(file),
                            Err(error) => errors.push(error),
                        }
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(configuration) } else { Err(errors) }
    }

    /// Takes one more file's bytes, as if it were read last.
    ///
    /// # Errors
    /// The first line that a service could not read.
    pub fn take(&mut self, path: &Utf8Path, bytes: &[u8]) -> Result<(), OsloError> {
        self.files.push(parsed(path, bytes)?);
        Ok(())
    }

    /// The files that were read.
    pub fn files(&self) -> impl Iterator<Item = &Utf8Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// What is written for an option that goes by several names, the present one first: in the last file that has one
    /// of them, under the first name that it has there, in the last line.
    pub fn written(&self, names: &[Name]) -> Option<Setting> {
        let (mut found, mut others): (Option<Setting>, Vec<String>) = (None, Vec::new());
        for file in self.files.iter().rev() {
            for name in names {
                let group = normal(&name.group);
                let fitting = |entry: &&Entry| entry.group == group && entry.option == name.option;
                for entry in file.entries.iter().filter(fitting).rev() {
                    if found.is_some() {
                        others.push(format!("{}:{}", file.path, entry.line));
                        continue;
                    }
                    found = Some(Setting {
                        value: entry.value.clone(),
                        name: name.clone(),
                        file: file.path.clone(),
                        line: entry.line,
                        others: Vec::new(),
                    });
                }
            }
        }
        found.map(|setting| Setting { others, ..setting })
    }
}

/// The files that a path of a list means.
fn files_at(path: &Utf8Path) -> Result<Vec<Utf8PathBuf>, OsloError> {
    if !path.as_str().ends_with('/') {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |source| OsloError::Unreadable { file: path.to_owned(), source };
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        // What the system says of `file/`.
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return Err(OsloError::Kind { file: path.to_owned(), found: "no directory" });
        }
        Err(error) => return Err(unreadable(error)),
        Ok(_) => {}
    }
    let mut files = Vec::new();
    for entry in path.read_dir_utf8().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        if name.ends_with(".conf") && !name.starts_with('.') {
            files.push(path.join(name));
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Utf8Path) -> Result<File, OsloError> {
    let unreadable = |source| OsloError::Unreadable { file: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(OsloError::Kind { file: path.to_owned(), found: "a directory" });
    }
    // A pipe would never end.
    if !metadata.is_file() {
        return Err(OsloError::Kind { file: path.to_owned(), found: "no file" });
    }
    if metadata.len() > LIMIT {
        return Err(OsloError::TooLarge { file: path.to_owned(), bytes: metadata.len() });
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    parsed(path, &bytes)
}

fn parsed(path: &Utf8Path, bytes: &[u8]) -> Result<File, OsloError> {
    match parse(bytes) {
        Ok(entries) => Ok(File { path: path.to_owned(), entries }),
        Err(fault) => Err(OsloError::Malformed { file: path.to_owned(), line: fault.line, what: fault.what }),
    }
}
