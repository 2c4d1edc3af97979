//! The command line.

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::exit::Exit;
use crate::model::{RunId, Service, StepId};
use crate::report::ColorChoice;

/// Takes the databases of an OpenStack cloud through several releases, each with its own code.
///
/// For each release on the way, leapfrog gets that release's image, runs its schema migrations, then its
/// online data migrations until the databases show that they are complete, and only then goes on to the
/// next one. It asks before it begins, can be stopped at any time, and the same command continues.
#[derive(Debug, Parser)]
#[command(
    name = "leapfrog",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_long_help = Exit::table(),
    override_usage = "leapfrog --from SERIES --to SERIES [OPTIONS]\n       leapfrog COMMAND [OPTIONS]"
)]
pub struct Arguments {
    /// What to do; without a command: the leap itself.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The leap.
    #[command(flatten)]
    pub leap: LeapArguments,

    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Common {
    /// The cloud file: databases, images, limits
    #[arg(long, short, global = true, value_name = "FILE", default_value = "leapfrog.yaml", env = "LEAPFROG_CONFIG")]
    pub config: Utf8PathBuf,

    /// A directory with `releases` and `playbooks` that replace or add to the built-in ones
    #[arg(long, global = true, value_name = "DIR", env = "LEAPFROG_CATALOG")]
    pub catalog: Option<Utf8PathBuf>,

    /// The form of what is printed
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,

    /// When to use colour; NO_COLOR is respected
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
}

/// The form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON document, for commands that show something.
    Json,
    /// JSON Lines: an event a line while a leap works.
    Jsonl,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

/// Which leap.
#[derive(Debug, Clone, Args)]
pub struct Selection {
    /// Where the databases stand: 2023.1, antelope, or `auto` to find out
    #[arg(long, value_name = "SERIES")]
    pub from: String,

    /// Where they are to stand: 2024.2, dalmatian, or `+3` for three releases further
    #[arg(long, value_name = "SERIES")]
    pub to: String,

    /// Only these services, separated by commas
    #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
    pub only: Vec<Service>,
}

/// The leap itself.
#[derive(Debug, Clone, Args)]
pub struct LeapArguments {
    /// Where the databases stand: 2023.1, antelope, or `auto` to find out
    #[arg(long, value_name = "SERIES", requires = "to")]
    pub from: Option<String>,

    /// Where they are to stand: 2024.2, dalmatian, or `+3` for three releases further
    #[arg(long, value_name = "SERIES", requires = "from")]
    pub to: Option<String>,

    /// Only these services, separated by commas
    #[arg(long, value_name = "SERVICES", value_delimiter = ',', requires = "from")]
    pub only: Vec<Service>,

    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short)]
    pub yes: bool,

    /// Services side by side; default: `limits.jobs` of the cloud file, else the number of cores
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,

    /// When images are pulled; default: as the cloud file says, else `next`
    #[arg(long, value_enum, value_name = "WHEN")]
    pub prefetch: Option<Prefetch>,

    /// Begin a new run although another one is unfinished
    #[arg(long)]
    pub fresh: bool,
}

impl LeapArguments {
    /// Which leap; none if none was asked for.
    pub fn selection(&self) -> Option<Selection> {
        let (from, to) = self.from.clone().zip(self.to.clone())?;
        Some(Selection { from, to, only: self.only.clone() })
    }
}

/// When images are pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Prefetch {
    /// Those of a release while the one before works.
    Next,
    /// All of them before the first database is touched.
    All,
}

/// What to do besides leaping.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what a leap would do and why, touching nothing
    Plan(Selection),
    /// Show at which release each database stands
    Detect,
    /// Pull and check every image of a leap beforehand, touching no database
    Pull(Selection),
    /// Show how far the latest run is, or RUN
    Status {
        /// Which run; see `leapfrog runs`
        run: Option<RunId>,
    },
    /// List the runs on this cloud
    Runs,
    /// Show what a step's commands printed
    Logs {
        /// Which step, such as 2023.2/nova/db-sync@cell1; a part of it is enough if it fits one step
        step: String,
        /// Which run; default: the latest
        #[arg(long)]
        run: Option<RunId>,
    },
    /// List the releases that are known
    Releases,
    /// List the playbooks, or show one
    Playbooks {
        /// What to show.
        #[command(subcommand)]
        command: Option<PlaybooksCommand>,
    },
    /// Check a catalogue of your own
    Catalog {
        /// What to do.
        #[command(subcommand)]
        command: CatalogCommand,
    },
    /// Print a JSON Schema, for editors and for tools
    Schema {
        /// Of which document.
        #[arg(value_enum)]
        document: Document,
    },
    /// Print a completion script for a shell
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// What to do with playbooks.
#[derive(Debug, Subcommand)]
pub enum PlaybooksCommand {
    /// Show how a service is taken through a release
    Show {
        /// Which service.
        service: Service,
    },
}

/// What to do with a catalogue.
#[derive(Debug, Subcommand)]
pub enum CatalogCommand {
    /// Report every mistake in every file of DIR
    Check {
        /// The directory with `releases` and `playbooks`.
        directory: Utf8PathBuf,
    },
}

/// Documents that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// The cloud file.
    Cloud,
    /// A release of the catalogue.
    Release,
    /// A playbook of the catalogue.
    Playbook,
    /// What `leapfrog plan --output json` prints.
    Plan,
    /// A line of `--output jsonl`.
    Events,
}

/// A part of a step's name.
pub(super) fn matches_step(step: &StepId, part: &str) -> bool {
    let name = step.to_string();
    name == part || name.ends_with(&format!("/{part}")) || name.contains(part)
}
