//! Mistakes in the cloud file, each with its place, shown with the lines around it.

use std::fmt;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};

/// A place in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The offset in bytes.
    pub offset: usize,
    /// The length in bytes.
    pub length: usize,
}

impl Place {
    /// The beginning of a document.
    pub const START: Self = Self { line: 1, column: 1, offset: 0, length: 0 };
}

/// One mistake of a document, or one thing in it that deserves a second look.
#[derive(Clone)]
pub struct Mistake {
    /// The document.
    pub file: Utf8PathBuf,
    /// Where in it.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where the message does not say it all.
    pub advice: Option<String>,
    /// The document's text with everything masked that may be a password.
    source: NamedSource<Arc<str>>,
}

impl Mistake {
    /// A mistake in `file`, whose text (`masked`) is fit to be shown.
    pub(super) fn new(
        file: &Utf8Path,
        masked: &Arc<str>,
        place: Place,
        message: String,
        advice: Option<String>,
    ) -> Self {
        let source = NamedSource::new(file, masked.clone()).with_language("yaml");
        Self { file: file.to_owned(), place, message, advice, source }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.place.line, self.place.column, self.message)?;
        self.advice.iter().try_for_each(|advice| write!(f, " ({advice})"))
    }
}

impl std::error::Error for Mistake {}

impl Diagnostic for Mistake {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.advice.as_ref().map(|advice| Box::new(advice) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = SourceSpan::new(self.place.offset.into(), self.place.length);
        Some(Box::new(std::iter::once(LabeledSpan::underline(span))))
    }
}

/// Every mistake that was found in a document, in the order of its lines. Never empty.
#[derive(Debug, Clone)]
pub struct Mistakes {
    file: Utf8PathBuf,
    mistakes: Vec<Mistake>,
}

impl Mistakes {
    pub(super) fn new(file: &Utf8Path, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| mistake.place);
        Self { file: file.to_owned(), mistakes }
    }

    /// The mistakes, by line.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.mistakes.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.mistakes.len();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        write!(f, "use the cloud file {}: it has {count} {noun}", self.file)
    }
}

impl std::error::Error for Mistakes {}

impl Diagnostic for Mistakes {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.mistakes.iter().map(|mistake| mistake as &dyn Diagnostic)))
    }
}

/// Why there is no cloud to work with.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum CloudError {
    /// The file cannot be read.
    #[error("read the cloud file {path}")]
    #[diagnostic(help(
        "name the file that describes your cloud with --cloud, or write one: see leapfrog.example.yaml"
    ))]
    Unreadable {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file can be read and is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Mistakes(Mistakes),
}
