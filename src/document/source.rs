//! The text of a file and places in it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use miette::NamedSource;

use super::{Mistake, Place};

/// A file's name and text. Cheap to clone: every mistake carries it to show its lines.
///
/// A document with secrets in it is made [`discreet`](Source::discreet): mistakes show another text in
/// the place of its own, and do not repeat what they found.
#[derive(Debug, Clone)]
pub struct Source(Arc<Inner>);

struct Inner {
    file: Utf8PathBuf,
    /// What mistakes show.
    shown: NamedSource<String>,
    /// What was read, if that is something else.
    hidden: Option<String>,
}

/// Without the text.
impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Source {
    /// The most bytes a document may have: the largest shipped one has 5 KiB.
    pub const LIMIT: usize = 1024 * 1024;

    /// A file's text.
    pub fn new(file: impl Into<Utf8PathBuf>, text: impl Into<String>) -> Self {
        let file = file.into();
        let shown = NamedSource::new(file.as_str(), text.into());
        Self(Arc::new(Inner { file, shown, hidden: None }))
    }

    /// The same text, of which mistakes show `shown` and repeat nothing but keys. Both texts have to
    /// have their characters at the same bytes.
    #[must_use]
    pub fn discreet(&self, shown: String) -> Self {
        let file = self.0.file.clone();
        let shown = NamedSource::new(file.as_str(), shown);
        Self(Arc::new(Inner { file, shown, hidden: Some(self.text().to_owned()) }))
    }

    /// Whether mistakes must not repeat what they found.
    pub(super) fn is_discreet(&self) -> bool {
        self.0.hidden.is_some()
    }

    /// A file's bytes.
    ///
    /// # Errors
    ///
    /// Bytes that are not UTF-8, and too many of them.
    pub fn from_bytes(file: impl Into<Utf8PathBuf>, bytes: Vec<u8>) -> Result<Self, Mistake> {
        let file = file.into();
        if bytes.len() > Self::LIMIT {
            return Err(Mistake::of_file(file, Self::too_large(bytes.len() as u64)));
        }
        String::from_utf8(bytes).map(|text| Self::new(file.clone(), text)).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            Mistake::of_file(file, format!("line {line} is not UTF-8 text (byte {at})"))
        })
    }

    /// What is said of a file of so many bytes.
    pub(crate) fn too_large(bytes: u64) -> String {
        format!("the file has {bytes} bytes, more than {}", Self::LIMIT)
    }

    /// The file's name.
    pub fn file(&self) -> &Utf8Path {
        &self.0.file
    }

    /// The file's text.
    pub fn text(&self) -> &str {
        self.0.hidden.as_deref().unwrap_or_else(|| self.0.shown.inner())
    }

    pub(super) fn named(&self) -> &NamedSource<String> {
        &self.0.shown
    }

    /// The place of the bytes in `range`, moved to where characters begin and cut at the end of the
    /// first line.
    pub(super) fn place(&self, range: &Range<usize>) -> Place {
        let text = self.text();
        let start = text.floor_char_boundary(range.start.min(text.len()));
        let line_end = text[start..].find(['\n', '\r']).map_or(text.len(), |length| start + length);
        let end = text.floor_char_boundary(range.end.min(text.len())).clamp(start, line_end);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            offset: start,
            length: end - start,
        }
    }
}
