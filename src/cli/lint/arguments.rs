//! What `leapfrog lint` takes.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};

use crate::cli::arguments::{Form, Selection, StopsAt, Until, path};
use crate::lint::{Server, Severity, Version};
use crate::model::Service;

/// What to look at, and for whom.
#[derive(Debug, Clone, Args)]
pub struct LintArguments {
    /// A service's source tree, or a part of it: every directory of migration scripts below it is read
    #[arg(value_name = "DIR", value_parser = path())]
    pub directory: Option<Utf8PathBuf>,

    /// In the place of DIR: where a leap starts, as for a leap; read are the images or environments of the cloud file
    #[arg(long, value_name = "SERIES", allow_negative_numbers = true, requires = "to", conflicts_with = "directory")]
    pub from: Option<String>,

    /// Where the leap ends: 2024.2, dalmatian, or +1 for the next release
    #[arg(long, value_name = "SERIES", allow_negative_numbers = true, requires = "from")]
    pub to: Option<String>,

    /// Only these services, separated by commas
    #[arg(long, alias = "service", value_name = "SERVICES", value_delimiter = ',', requires = "from")]
    pub only: Vec<Service>,

    /// At which releases the leap stops: every one (the default), or slurp
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = StopsAt::Every, hide_possible_values = true, hide_default_value = true)]
    pub stops: StopsAt,

    /// Only scripts that are new or changed since this commit, branch or tag of git
    #[arg(long, value_name = "BASE", requires = "directory")]
    pub diff: Option<String>,

    /// Ask the databases how large their tables are, and tell what will take long on them
    #[arg(long, requires = "from")]
    pub sizes: bool,

    /// Run the migrations on copies of the databases without rows, and tell what your servers take for each change
    #[arg(long, requires = "from", conflicts_with = "engine")]
    pub execute: bool,

    /// For these servers, separated by commas: mysql, mariadb, postgresql, sqlite; default: the cloud file's, or mysql
    /// and mariadb
    #[arg(long, value_name = "ENGINES", value_delimiter = ',')]
    pub engine: Vec<Server>,

    /// The server's version, such as 10.6 or 8.0.35, where --engine names one; default: the one that was measured
    #[arg(long, value_name = "VERSION", requires = "engine")]
    pub engine_version: Option<Version>,

    /// From which severity on a finding makes the command fail: error, warning or never
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = Deny::Error, hide_possible_values = true)]
    pub deny: Deny,

    /// Findings that were accepted, each with a note; may be given more than once
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub exceptions: Vec<Utf8PathBuf>,

    /// Judge as if releases had no notes: what they accept is denied like the rest
    #[arg(long, requires = "from")]
    pub no_notes: bool,

    /// Show information and what was accepted, too
    #[arg(long, short)]
    pub verbose: bool,

    /// Explain a rule, such as LF-C01 or drop-column
    #[arg(long, value_name = "RULE", conflicts_with_all = ["directory", "diff", "from", "exceptions"])]
    pub explain: Option<String>,

    /// Form: text, json (one document), jsonl (the same on one line), sarif, or github (annotations)
    #[arg(
        long,
        short,
        value_enum,
        default_value_t = Form::Text,
        value_name = "FORM",
        hide_possible_values = true,
        help_heading = crate::cli::arguments::COMMON
    )]
    pub output: Form,
}

impl LintArguments {
    /// The leap that is asked for, if one is.
    pub(super) fn selection(&self) -> Option<Selection> {
        Some(Selection {
            from: self.from.clone()?,
            to: self.to.clone()?,
            only: self.only.clone(),
            stops: self.stops,
            until: Until::default(),
            no_skip: false,
        })
    }
}

/// From which severity on a finding makes the command fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    /// Errors.
    Error,
    /// Errors and warnings.
    Warning,
    /// Nothing.
    Never,
}

impl Deny {
    /// Whether a finding of this severity makes the command fail.
    pub(super) fn denies(self, severity: Severity) -> bool {
        match self {
            Self::Error => severity == Severity::Error,
            Self::Warning => severity >= Severity::Warning,
            Self::Never => false,
        }
    }
}
