//! What keeps a configuration from being read, with its place and without its values.

use camino::Utf8PathBuf;

/// Why a configuration cannot be read as its service would. None of the texts holds a value.
#[derive(Debug, thiserror::Error)]
pub enum OsloError {
    /// The system does not let it be read.
    #[error("{file}: cannot be read: {source}")]
    Unreadable {
        /// The file or directory.
        file: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A directory stands where a file belongs, or the other way round.
    #[error("{file}: is {found}")]
    Kind {
        /// The path.
        file: Utf8PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// More than any configuration has.
    #[error("{file}: has {bytes} bytes, more than any configuration")]
    TooLarge {
        /// The file.
        file: Utf8PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// A line that no service could read.
    #[error("{file}:{line}: {what}")]
    Malformed {
        /// The file.
        file: Utf8PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: Malformation,
    },
    /// A `$` leads to an option that is set nowhere.
    #[error("{file}:{line}: `${name}` leads to an option that none of the files sets")]
    Undefined {
        /// The file with the `$`.
        file: Utf8PathBuf,
        /// The line that its option begins in.
        line: usize,
        /// What stands after the `$`.
        name: String,
    },
    /// A `$` leads back to itself.
    #[error("{file}:{line}: `${name}` leads back to itself")]
    Circle {
        /// The file with the `$`.
        file: Utf8PathBuf,
        /// The line that its option begins in.
        line: usize,
        /// What stands after the `$`.
        name: String,
    },
    /// Substitutions make more of a value than anybody can have meant.
    #[error("{file}:{line}: its `$` substitutions make a text without end")]
    Endless {
        /// The file.
        file: Utf8PathBuf,
        /// The line that the option begins in.
        line: usize,
    },
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformation {
    /// Bytes that are no UTF-8.
    #[error("is not UTF-8 text")]
    Encoding,
    /// A zero byte.
    #[error("holds a NUL byte: the file is damaged")]
    Nul,
    /// A byte order mark, which services take for a part of the first word.
    #[error("begins with a byte order mark, which no service can read")]
    ByteOrderMark,
    /// A section without its end.
    #[error("a section must end with `]`, and nothing may follow it")]
    Bracket,
    /// `[]`.
    #[error("a section without a name")]
    NoName,
    /// Neither `=` nor `:`.
    #[error("neither a section nor an option: there is no `=` and no `:`")]
    NoAssignment,
    /// Nothing before the `=`.
    #[error("an option without a name")]
    NoKey,
    /// An indented line that continues nothing.
    #[error("an indented line, and there is no option that it could continue")]
    Continuation,
    /// An option before the first section.
    #[error("an option before the first section, such as `[DEFAULT]`")]
    NoSection,
}

impl OsloError {
    /// What to do next.
    pub fn advice(&self) -> String {
        match self {
            Self::Unreadable { file, source } => match source.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    format!("run leapfrog as root, or as a member of the group that may read {file}")
                }
                std::io::ErrorKind::NotFound => "check the path; relative ones are relative to the cloud file".into(),
                _ => "look at the disk and at the path".into(),
            },
            Self::Kind { file, found } if *found == "a directory" => {
                format!("name it {file}/ if every *.conf in it is meant, or move it away")
            }
            Self::Kind { .. } => "name it without the slash at its end, or move it away".into(),
            Self::TooLarge { .. } => "look what it is".into(),
            Self::Malformed { what: Malformation::Encoding, .. } => {
                "write the line in UTF-8: the service cannot read it either".into()
            }
            Self::Malformed { what: Malformation::ByteOrderMark, .. } => {
                "write the file without it: the service cannot read it either".into()
            }
            Self::Malformed { what: Malformation::Continuation, .. } => {
                "begin the line in the first column: the service cannot read it either".into()
            }
            Self::Malformed { what: Malformation::Nul, .. } => "write the file anew from what it was made of".into(),
            Self::Malformed { .. } => "mend the line: the service cannot read it either".into(),
            Self::Undefined { name, .. } => {
                format!("write out what `${name}` stands for, or `$$` where a dollar sign is meant")
            }
            Self::Circle { .. } | Self::Endless { .. } => "write out what is meant".into(),
        }
    }

    /// The file that it is about.
    pub fn file(&self) -> &camino::Utf8Path {
        match self {
            Self::Unreadable { file, .. }
            | Self::Kind { file, .. }
            | Self::TooLarge { file, .. }
            | Self::Malformed { file, .. }
            | Self::Undefined { file, .. }
            | Self::Circle { file, .. }
            | Self::Endless { file, .. } => file,
        }
    }
}
