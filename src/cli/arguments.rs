//! The command line.

use camino::Utf8PathBuf;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, ValueEnum};

use super::commands::Command;
use super::examples::EXAMPLES;
use super::exit::Exit;
use super::leap::LeapArguments;
use crate::model::{ImageReference, Service, Slot, StepId};
use crate::plan::{Part, Stops};
use crate::report::ColorChoice;

/// The heading of the options that every command has.
pub(super) const COMMON: &str = "Options of every command";

/// Takes the databases of an OpenStack cloud through several releases, each with its own code.
///
/// For each release on the way, leapfrog gets that release's image, runs its schema migrations, then its
/// online data migrations until the databases show that they are complete, and only then goes on to the
/// next one. It asks before it begins, can be stopped at any time, and the same command continues.
#[derive(Debug, Parser)]
#[command(
    name = "leapfrog",
    version = super::version::LONG,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    max_term_width = 100,
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{}", Exit::table()),
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

/// A path, which is never empty.
pub(super) fn path() -> impl TypedValueParser<Value = Utf8PathBuf> {
    NonEmptyStringValueParser::new().map(Utf8PathBuf::from)
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = COMMON)]
pub struct Common {
    /// The cloud file
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        default_value = "leapfrog.yaml",
        env = "LEAPFROG_CONFIG",
        hide_env_values = true,
        value_parser = path()
    )]
    pub config: Utf8PathBuf,

    /// Releases and playbooks of your own
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "LEAPFROG_CATALOG",
        hide_env_values = true,
        value_parser = path()
    )]
    pub catalog: Option<Utf8PathBuf>,

    /// Form: text, json (one document) or jsonl (an event a line)
    #[arg(
        long,
        short,
        global = true,
        default_value = "text",
        value_parser = forms(),
        value_name = "FORM",
        hide_possible_values = true
    )]
    pub output: Form,

    /// Colour: auto, always or never; NO_COLOR is respected
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = Color::Auto,
        value_name = "WHEN",
        hide_possible_values = true
    )]
    pub color: Color,
}

/// The forms that every command has; `lint` has more.
fn forms() -> impl TypedValueParser<Value = Form> {
    PossibleValuesParser::new(["text", "json", "jsonl"]).try_map(|form| <Form as ValueEnum>::from_str(&form, false))
}

/// The form that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people.
    Text,
    /// One JSON document, for commands that show something.
    Json,
    /// JSON Lines: an event a line while a leap works.
    Jsonl,
    /// SARIF, for code review.
    Sarif,
    /// Annotations of GitHub.
    Github,
}

/// The form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// For people.
    Text,
    /// One JSON document, for commands that show something.
    Json,
    /// JSON Lines: an event a line while a leap works.
    Jsonl,
}

impl From<Form> for Output {
    fn from(form: Form) -> Self {
        match form {
            Form::Text | Form::Github => Self::Text,
            Form::Json | Form::Sarif => Self::Json,
            Form::Jsonl => Self::Jsonl,
        }
    }
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
    /// Where the databases stand: 2023.1, antelope, or auto to find out
    #[arg(long, value_name = "SERIES", allow_negative_numbers = true)]
    pub from: String,

    /// Where they shall stand: 2024.2, dalmatian, or +1 for the next release
    #[arg(long, value_name = "SERIES", allow_negative_numbers = true)]
    pub to: String,

    /// Only these services, separated by commas
    #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
    pub only: Vec<Service>,

    /// At which releases to stop: every one (the default), or slurp: from a SLURP release straight to the next one
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = StopsAt::Every, hide_possible_values = true, hide_default_value = true)]
    pub stops: StopsAt,

    /// Whether schema migrations are run even where nothing is to do: an option of those commands that run or
    /// show them.
    #[arg(skip)]
    pub no_skip: bool,

    /// Where to end in the last release: an option of the same commands.
    #[arg(skip)]
    pub until: Until,
}

/// How the demo is made.
#[derive(Debug, Clone, Args)]
pub struct DemoArguments {
    /// The release that the cloud begins with
    #[arg(long, value_name = "SERIES", default_value = "2023.1")]
    pub from: String,

    /// The release that it is taken to
    #[arg(long, value_name = "SERIES", default_value = "2024.2")]
    pub to: String,

    /// Leave everything there to look around
    #[arg(long)]
    pub keep: bool,

    /// What runs the commands: local (Python environments that are made here) or docker (images; needs --database)
    #[arg(long, value_enum, value_name = "RUNNER", default_value_t = DemoRunner::Local, hide_possible_values = true)]
    pub runner: DemoRunner,

    /// The images for --runner docker, such as registry.example/openstack:{series}; default: leapfrog makes them
    #[arg(long, value_name = "PATTERN")]
    pub images: Option<String>,

    /// A server for the databases in the place of files: mysql+pymysql://USER@HOST:PORT
    #[arg(long, value_name = "URL", env = "LEAPFROG_DEMO_DATABASE", hide_env_values = true)]
    pub database: Option<String>,

    /// The file with the password for --database
    #[arg(long, value_name = "FILE", requires = "database", value_parser = path())]
    pub password_file: Option<Utf8PathBuf>,

    /// Drop what an earlier demo left on the server first
    #[arg(long, requires = "database")]
    pub replace: bool,

    /// Where environments are kept; default: the user's cache
    #[arg(long, value_name = "DIR", value_parser = path())]
    pub environments: Option<Utf8PathBuf>,
}

/// What runs the demo's commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DemoRunner {
    /// Python environments on this machine.
    Local,
    /// Containers.
    Docker,
}

/// What to write a cloud file from.
#[derive(Debug, Clone, Args)]
pub struct InitArguments {
    /// Where the configuration is: this directory stands for /
    #[arg(long, value_name = "DIR", default_value = "/", value_parser = path())]
    pub root: Utf8PathBuf,

    /// kolla-ansible's directory, such as /etc/kolla; default: etc/kolla below --root, if services are in it
    #[arg(long, value_name = "DIR", conflicts_with = "from_etc", value_parser = path())]
    pub from_kolla: Option<Utf8PathBuf>,

    /// /etc/SERVICE below --root, even if there is an etc/kolla
    #[arg(long)]
    pub from_etc: bool,

    /// The cloud's name; default: this machine's name
    #[arg(long, value_name = "NAME")]
    pub name: Option<Slot>,

    /// Where each release's images are, such as registry.example:5000/openstack:{series}
    #[arg(long, value_name = "PATTERN")]
    pub images: Option<String>,

    /// Only these services, separated by commas
    #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
    pub only: Vec<Service>,

    /// Write passwords into the cloud file, for only you to read; default: it refers to the services' own files
    #[arg(long)]
    pub with_secrets: bool,

    /// Write over a cloud file that is there
    #[arg(long)]
    pub overwrite: bool,

    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short)]
    pub yes: bool,
}

/// Which image to make.
#[derive(Debug, Clone, Args)]
pub struct BuildArguments {
    /// The release: 2024.1, caracal
    #[arg(long, value_name = "SERIES")]
    pub series: String,

    /// Only these services, separated by commas; default: all of the release
    #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
    pub service: Vec<Service>,

    /// An image with a Python to stand on, pulled unless it is here; default: a Debian that mmdebstrap makes
    #[arg(long, value_name = "IMAGE")]
    pub base: Option<ImageReference>,

    /// Make that Debian anew, of today's packages; default: the one that was made first is kept
    #[arg(long, conflicts_with = "base")]
    pub new_base: bool,

    /// Push it, too, below this registry and path: registry.example:5000/cloud
    #[arg(long, value_name = "REGISTRY")]
    pub push: Option<String>,

    /// Write it into this file, too: an OCI archive, for `leapfrog env load` and `docker load`
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub archive: Option<Utf8PathBuf>,

    /// Where environments, locks and layers are kept; default: as the cloud file says, or the user's cache
    #[arg(long, value_name = "DIR", value_parser = path())]
    pub directory: Option<Utf8PathBuf>,
}

/// Which leap to be ready for.
#[derive(Debug, Clone, Args)]
pub struct DoctorArguments {
    /// Where the databases stand: 2023.1, antelope, or auto to find out
    #[arg(long, value_name = "SERIES", requires = "to", allow_negative_numbers = true)]
    pub from: Option<String>,

    /// Where they shall stand; with both the leap's images are looked up at their registry
    #[arg(long, value_name = "SERIES", requires = "from", allow_negative_numbers = true)]
    pub to: Option<String>,

    /// Only these services, separated by commas
    #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
    pub only: Vec<Service>,
}

/// Which leap to check for.
#[derive(Debug, Clone, Args)]
pub struct CheckArguments {
    /// Which leap.
    #[command(flatten)]
    pub selection: Selection,

    /// Show every query, also of what is in order
    #[arg(long, short)]
    pub verbose: bool,
}

/// What to prove.
#[derive(Debug, Clone, Args)]
pub struct VerifyArguments {
    /// Which release; default: the newest that fits the heads of all databases
    #[arg(long, value_name = "SERIES")]
    pub at: Option<String>,

    /// Only these services, separated by commas
    #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
    pub only: Vec<Service>,

    /// Ask the release's own checks, too: needs what runs its commands
    #[arg(long)]
    pub checks: bool,
}

/// Where to go back to.
#[derive(Debug, Clone, Args)]
pub struct RestoreArguments {
    /// The release before which the databases shall stand again
    #[arg(long, value_name = "SERIES", required_unless_present = "list", conflicts_with = "list")]
    pub to: Option<String>,

    /// Only these services, separated by commas; default: all of the run
    #[arg(long, value_name = "SERVICES", value_delimiter = ',', conflicts_with = "list")]
    pub service: Vec<Service>,

    /// Do not ask; needed where there is no terminal to ask on
    #[arg(long, short, conflicts_with = "list")]
    pub yes: bool,

    /// List the restore points: size, age, how they were proved
    #[arg(long)]
    pub list: bool,
}

/// What somebody says of a step.
#[derive(Debug, Clone, Args)]
pub struct ResolveArguments {
    /// Which step, such as 2023.2/nova/db-sync@cell1; a part of it is enough if it fits one step
    pub step: String,

    /// done: it was complete. failed: it was not, what it did is undone, and it may be run again
    #[arg(long = "as", value_enum, value_name = "HOW", hide_possible_values = true)]
    pub word: Word,

    /// Why, for whoever reads the journal
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

/// How a step ended, as somebody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Word {
    /// It was complete.
    Done,
    /// It was not.
    Failed,
}

/// At which releases a leap stops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum StopsAt {
    /// At every release on the way.
    #[default]
    Every,
    /// From a SLURP release straight to the next one where that is on the way.
    Slurp,
}

/// Where a leap ends in its last release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// When everything of it is done.
    #[default]
    Complete,
    /// Before it removes what programs of an older release may still use.
    Migrated,
}

impl From<Until> for Part {
    fn from(until: Until) -> Self {
        match until {
            Until::Complete => Self::Whole,
            Until::Migrated => Self::UntilMigrated,
        }
    }
}

impl From<StopsAt> for Stops {
    fn from(stops: StopsAt) -> Self {
        match stops {
            StopsAt::Every => Self::Every,
            StopsAt::Slurp => Self::Slurp,
        }
    }
}

/// A part of a step's name.
pub(super) fn matches_step(step: &StepId, part: &str) -> bool {
    let name = step.to_string();
    name == part || name.ends_with(&format!("/{part}")) || name.contains(part)
}
