//! What is to be read of an image, and what was found.

use std::collections::{BTreeMap, BTreeSet};

/// How the names of scripts end.
pub(super) const READ: [&str; 2] = [".py", ".sql"];

/// What is to be read of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadRequest {
    /// Programs that must be there.
    pub programs: BTreeSet<String>,
    /// What is to be read of Python packages.
    pub packages: Vec<PackageRequest>,
}

/// What is to be read of the Python package that a program belongs to. Paths are relative to where the
/// program's interpreter looks for packages (`site-packages`), with `/` between their parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageRequest {
    /// The program.
    pub program: String,
    /// Directories whose scripts ([`READ`]) are read, with those of the directories below them.
    pub directories: BTreeSet<String>,
    /// Files.
    pub files: BTreeSet<String>,
    /// Paths of which the first that is there is named; they are not read.
    pub candidates: Vec<String>,
}

/// What was read of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadFiles {
    /// Programs of the request that are not there.
    pub lacking: BTreeSet<String>,
    /// What was read of each package, in the order of the request.
    pub packages: Vec<PackageFiles>,
}

/// What was read of one Python package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageFiles {
    /// Where the program's interpreter looks for packages; absent where that was not found, and then nothing
    /// was read.
    pub place: Option<String>,
    /// Texts by path, bytes that are no text replaced.
    pub texts: BTreeMap<String, String>,
    /// Directories and files of the request that are not there.
    pub missing: BTreeSet<String>,
    /// Python files that are there and could not be read, with the reason.
    pub unread: BTreeMap<String, String>,
    /// The first of the candidates that is there.
    pub candidate: Option<String>,
}
