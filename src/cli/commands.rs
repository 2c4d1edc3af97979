//! The commands besides the leap, and what they take.

use camino::Utf8PathBuf;
use clap::{Subcommand, ValueEnum};

use super::arguments::{
    BuildArguments, CheckArguments, DemoArguments, DoctorArguments, InitArguments, ResolveArguments, RestoreArguments,
    Selection, Until, VerifyArguments, path,
};
use super::examples::{
    BUILD_EXAMPLES, CHECK_EXAMPLES, COMPLETIONS_EXAMPLES, CONTRACT_EXAMPLES, DEMO_EXAMPLES, DETECT_EXAMPLES,
    DOCTOR_EXAMPLES, ENV_EXAMPLES, EXPAND_EXAMPLES, EXPLAIN_EXAMPLES, INIT_EXAMPLES, LINT_EXAMPLES, LOAD_EXAMPLES,
    LOGS_EXAMPLES, MIGRATE_EXAMPLES, PLAN_EXAMPLES, PRECONDITION_EXAMPLES, PULL_EXAMPLES, RESOLVE_EXAMPLES,
    RESTORE_EXAMPLES, SCHEMA_EXAMPLES, STATUS_EXAMPLES, SWEEP_EXAMPLES, TRIP_EXAMPLES, VERIFY_EXAMPLES,
};
use super::lint::LintArguments;
use super::parts::{ContractArguments, PartArguments};
use super::trip::TripArguments;
use crate::model::{RunId, Service, StepId};

/// What to do besides leaping.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take a small cloud of its own through four releases; needs only Python
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArguments),
    /// Write a cloud file from the configuration of the services on this machine
    #[command(after_help = INIT_EXAMPLES)]
    Init(InitArguments),
    /// Look whether everything is here that a leap needs, changing nothing
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArguments),
    /// Ask the databases for what a leap's migrations would fail on, changing nothing
    #[command(after_help = PRECONDITION_EXAMPLES)]
    Check(CheckArguments),
    /// Find what in migration scripts breaks older code, loses data or locks tables, running none of them
    #[command(after_help = LINT_EXAMPLES)]
    Lint(LintArguments),
    /// Show at which release each database stands
    #[command(after_help = DETECT_EXAMPLES)]
    Detect {
        /// Only these services, separated by commas
        #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
        only: Vec<Service>,
        /// Show, too, which numbers are left from before alembic, and which look-alike tables are not read
        #[arg(long, short)]
        verbose: bool,
    },
    /// Show what a leap would do and why, touching nothing
    #[command(after_help = PLAN_EXAMPLES)]
    Plan {
        /// Which leap.
        #[command(flatten)]
        selection: Selection,
        /// Run schema migrations even where the databases show that nothing is to do
        #[arg(long)]
        no_skip: bool,
        /// Where to end in the last release: complete (the default), or migrated: before it removes what older programs use
        #[arg(long, value_enum, value_name = "STAGE", default_value_t = Until::Complete, hide_possible_values = true, hide_default_value = true)]
        until: Until,
    },
    /// Do what one release adds, beside the services of the release before
    #[command(after_help = EXPAND_EXAMPLES)]
    Expand(PartArguments),
    /// Do what one release moves, beside its services
    #[command(after_help = MIGRATE_EXAMPLES)]
    Migrate(PartArguments),
    /// Remove what one release removes, once nothing of an older release uses it
    #[command(after_help = CONTRACT_EXAMPLES)]
    Contract(ContractArguments),
    /// Get and check every image or environment of a leap beforehand, touching no database
    #[command(after_help = PULL_EXAMPLES)]
    Pull(Selection),
    /// Prove that the databases stand complete at a release, changing nothing
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArguments),
    /// Show how far a run is: the latest, or RUN
    #[command(after_help = STATUS_EXAMPLES)]
    Status {
        /// Which run, as `leapfrog runs` lists it; default: the latest
        run: Option<RunId>,
        /// Show how far into a release each database is, and whether its heads show that
        #[arg(long, conflicts_with = "run")]
        stages: bool,
        /// Have the table of stages forget what it says of databases that show something else
        #[arg(long, requires = "stages")]
        accept: bool,
    },
    /// Show what a step's commands printed
    #[command(after_help = LOGS_EXAMPLES)]
    Logs {
        /// Which step, such as 2023.2/nova/db-sync@cell1; a part of it is enough if it fits one step
        step: String,
        /// Which run, as `leapfrog runs` lists it; default: the latest
        #[arg(long)]
        run: Option<RunId>,
    },
    /// List the runs on this cloud, the oldest first
    Runs,
    /// Bring databases back to where they stood before a release, or list the restore points
    #[command(after_help = RESTORE_EXAMPLES)]
    Restore(RestoreArguments),
    /// Say how a step ended that must not be run twice and whose end nobody saw
    #[command(after_help = RESOLVE_EXAMPLES)]
    Resolve(ResolveArguments),
    /// Touch every row of tables with row triggers, in batches, so that the triggers do their work; services go on
    #[command(after_help = TRIP_EXAMPLES)]
    Trip(TripArguments),
    /// Have a trip wait before its next batch
    Pause,
    /// Let a trip go on that was paused
    Resume,
    /// Remove what finished steps left over; what runs or is still to be read stays
    #[command(after_help = SWEEP_EXAMPLES)]
    Sweep {
        /// Only list them
        #[arg(long)]
        dry_run: bool,
    },
    /// Make utility images; list or remove the Python environments on this machine
    #[command(after_help = ENV_EXAMPLES)]
    Env {
        /// What to do.
        #[command(subcommand)]
        command: EnvCommand,
    },
    /// List the releases that leapfrog knows, or show one: versions, heads, what to read before it
    Releases {
        /// What to show.
        #[command(subcommand)]
        command: Option<ReleasesCommand>,
    },
    /// List the playbooks, or show one: how a service is taken through a release
    Playbooks {
        /// What to show.
        #[command(subcommand)]
        command: Option<PlaybooksCommand>,
    },
    /// Explain a step: what it does, why it is there, what to read before it, what proves it
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain {
        /// Which step of which release, such as 2023.2/nova/db-sync
        step: StepId,
    },
    /// Check a catalogue of your own
    Catalog {
        /// What to do.
        #[command(subcommand)]
        command: CatalogCommand,
    },
    /// Print a JSON Schema, for editors and for tools
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema {
        /// Of which document: cloud, release, playbook, plan, verify, doctor, check, lint, lint-exceptions, events, stages or trip
        #[arg(value_enum, hide_possible_values = true)]
        document: Document,
    },
    /// Begin the command of a task and write down how it ends; leapfrog calls itself with it
    #[command(hide = true, name = crate::runner::local::SUPERVISE)]
    SuperviseTask {
        /// The task's directory.
        directory: Utf8PathBuf,
    },
    /// Become the command of a task; leapfrog calls itself with it
    #[command(hide = true, name = crate::runner::local::BECOME)]
    BecomeTask {
        /// The task's directory.
        directory: Utf8PathBuf,
    },
    /// Write the man pages
    #[command(hide = true)]
    Man {
        /// The directory that they are written into
        #[arg(value_name = "DIR", value_parser = path())]
        directory: Utf8PathBuf,
    },
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

/// What to do with environments.
#[derive(Debug, Subcommand)]
pub enum EnvCommand {
    /// Make a small image with a release's commands, and give it to the container engine
    #[command(after_help = BUILD_EXAMPLES)]
    Build(BuildArguments),
    /// Take an image from a file that `env build --archive` wrote
    #[command(after_help = LOAD_EXAMPLES)]
    Load {
        /// The file
        #[arg(value_name = "FILE", value_parser = path())]
        file: Utf8PathBuf,
    },
    /// List them: what each is for, its lock, size and interpreter, and whether it can be used
    List {
        /// Where they are; default: as the cloud file says, or the user's cache
        #[arg(long, value_name = "DIR", value_parser = path())]
        directory: Option<Utf8PathBuf>,
    },
    /// Remove some; what a leapfrog makes or runs a command in stays
    Remove {
        /// Which: a release, or the beginning of a digest
        #[arg(value_name = "SERIES|DIGEST", required_unless_present = "unused", conflicts_with = "unused")]
        which: Option<String>,
        /// Those that were not used for 30 days, and those that cannot be used
        #[arg(long)]
        unused: bool,
        /// Where they are; default: as the cloud file says, or the user's cache
        #[arg(long, value_name = "DIR", value_parser = path())]
        directory: Option<Utf8PathBuf>,
    },
}

/// What to do with releases.
#[derive(Debug, Subcommand)]
pub enum ReleasesCommand {
    /// Show a release: versions, heads, what it needs, what to read before it
    Show {
        /// Which release, such as 2023.2 or bobcat
        series: String,
    },
}

/// What to do with playbooks.
#[derive(Debug, Subcommand)]
pub enum PlaybooksCommand {
    /// Show how a service is taken through a release
    Show {
        /// Which service, such as nova
        service: Service,
    },
}

/// What to do with a catalogue.
#[derive(Debug, Subcommand)]
pub enum CatalogCommand {
    /// Report every mistake in every file of DIR
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        /// The directory with the directories `releases` and `playbooks`
        #[arg(value_name = "DIR")]
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
    /// What `leapfrog verify --output json` prints.
    Verify,
    /// What `leapfrog doctor --output json` prints.
    Doctor,
    /// What `leapfrog check --output json` prints.
    Check,
    /// What `leapfrog lint --output json` prints.
    Lint,
    /// Findings of `leapfrog lint` that were accepted.
    LintExceptions,
    /// A line of `--output jsonl`.
    Events,
    /// What `leapfrog status --stages --output json` prints.
    Stages,
    /// A line of `leapfrog trip --output jsonl`.
    Trip,
}
