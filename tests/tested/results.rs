//! What real leaps of the tests ran, as lines of JSON: written below `target/` by whoever ran them, committed in
//! `tests/tested/results.jsonl`, rendered in `docs/tested.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A service that a leap of a test took through releases.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Ran {
    /// The test.
    pub(crate) test: String,
    pub(crate) service: String,
    /// Every release whose commands were run, in their order.
    pub(crate) series: Vec<String>,
    /// `mysql`, `postgresql` or `sqlite`, as leapfrog names it, and the server that it was.
    pub(crate) engine: String,
    pub(crate) server: String,
    /// `local` or `containers`.
    pub(crate) runner: String,
    /// How the run ended, as its journal says.
    pub(crate) result: String,
}

/// Where the committed results are.
pub(crate) fn committed_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tested/results.jsonl")
}

/// Where tests leave what they ran.
pub(crate) fn fresh_directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("tested")
}

/// The lines of a file; none where there is no file.
pub(crate) fn read(path: &Path) -> BTreeSet<Ran> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// Writes lines into a file, sorted.
pub(crate) fn write(path: &Path, lines: &BTreeSet<Ran>) {
    let text: String = lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
