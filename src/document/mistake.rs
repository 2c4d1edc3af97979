//! One mistake in a document.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use miette::{LabeledSpan, SourceCode};
use serde::ser::SerializeMap;

use super::Source;

/// A mistake in a file: what is wrong, where, and what helps.
///
/// `miette` renders it with the lines it is in, and so shows its place; `Display` therefore names the
/// file only where there is no place. [`one_line`](Mistake::one_line) always says where.
#[derive(Debug, Clone)]
pub struct Mistake {
    file: Utf8PathBuf,
    place: Option<(Place, Source)>,
    message: String,
    help: Option<String>,
}

/// Where in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The byte the place begins at.
    pub offset: usize,
    /// How many bytes it has, all in one line.
    pub length: usize,
}

impl Mistake {
    /// A mistake of a file as a whole: it cannot be read, or should not be there.
    pub fn of_file(file: impl Into<Utf8PathBuf>, message: impl Into<String>) -> Self {
        Self { file: file.into(), place: None, message: message.into(), help: None }
    }

    /// A mistake at some bytes of a document.
    pub(super) fn at(source: &Source, range: &std::ops::Range<usize>, message: impl Into<String>) -> Self {
        Self {
            file: source.file().to_owned(),
            place: Some((source.place(range), source.clone())),
            message: message.into(),
            help: None,
        }
    }

    /// The same mistake, showing its lines as `source` does.
    pub(super) fn shown_by(self, source: &Source) -> Self {
        Self { place: self.place.map(|(place, _)| (place, source.clone())), ..self }
    }

    /// The same mistake with advice.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The file it is in.
    pub fn file(&self) -> &Utf8Path {
        &self.file
    }

    /// Where in the file, unless it is about the file as a whole.
    pub fn place(&self) -> Option<Place> {
        self.place.as_ref().map(|(place, _)| *place)
    }

    /// The line, from 1.
    pub fn line(&self) -> Option<usize> {
        self.place().map(|place| place.line)
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> Option<usize> {
        self.place().map(|place| place.column)
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What helps.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Where and what, in the form that editors and terminals make a link of:
    /// `playbooks/nova.yaml:12:5: unknown key …`.
    pub fn one_line(&self) -> String {
        match self.place() {
            Some(Place { line, column, .. }) => format!("{}:{line}:{column}: {}", self.file, self.message),
            None => format!("{}: {}", self.file, self.message),
        }
    }

    /// By file, then by place, then what has none.
    pub(crate) fn sort(mistakes: &mut [Self]) {
        mistakes.sort_by(|one, two| {
            let key = |mistake: &Self| mistake.place().map_or(usize::MAX, |place| place.offset);
            one.file.cmp(&two.file).then(key(one).cmp(&key(two)))
        });
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(_) => f.write_str(&self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for Mistake {}

impl miette::Diagnostic for Mistake {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|(_, source)| source.named() as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place()?;
        let label = LabeledSpan::new_with_span(None, (place.offset, place.length));
        Some(Box::new(std::iter::once(label)))
    }
}

/// For `--output json`: `file`, `line`, `column`, `message`, `help`; absent where there is none.
impl serde::Serialize for Mistake {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("file", &self.file)?;
        if let Some(place) = self.place() {
            map.serialize_entry("line", &place.line)?;
            map.serialize_entry("column", &place.column)?;
        }
        map.serialize_entry("message", &self.message)?;
        if let Some(help) = &self.help {
            map.serialize_entry("help", help)?;
        }
        map.end()
    }
}
