//! The plan as a document: what `leapfrog plan --output json` prints and what lies beside a journal.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::part::Part;
use super::path::Stops;
use super::recorded::VersionQuestion;
use super::shared::{Shared, Text};
use super::sorted::Sorted;
use crate::catalog::{Allowance, CheckFormat, Exception, Knowledge, OutputFormat, Remainder, Residue, TrippedTable};
use crate::model::{
    Branch, Command, DatabaseId, Effect, ExitTable, Heads, ImageReference, Phase, PointProof, Series, Service, StepId,
};

/// Everything a run will do. Holds no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Plan {
    /// The version of this document's format: 1.
    pub format: u32,
    /// The cloud's name in the cloud file.
    pub cloud: String,
    /// Where the databases stand.
    pub from: Series,
    /// Where they are to stand.
    pub to: Series,
    /// At which releases it stops on the way.
    #[serde(default, skip_serializing_if = "Stops::is_every")]
    pub stops: Stops,
    /// Which part of the leap it is; absent: all of it.
    #[serde(default, skip_serializing_if = "Part::is_whole")]
    pub part: Part,
    /// Why it starts where it starts and takes the path it takes, a sentence each.
    pub reasons: Vec<String>,
    /// The hops, in order, the first of them at `from`: its data migrations may be unfinished.
    pub hops: Vec<Hop>,
}

/// The work of one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Hop {
    /// The release.
    pub series: Series,
    /// Why the path leads through it.
    pub reason: String,
    /// What the operator should have read before.
    pub notes: Vec<String>,
    /// What its schema migrations do that an operator should know of, with what decides the downtime.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Exception>,
    /// One lane a service; they run side by side.
    pub lanes: Vec<Lane>,
}

/// One service's part of a hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Lane {
    /// The service.
    pub service: Service,
    /// The image whose code does the work.
    pub image: ImageReference,
    /// The version of the service's package in the image; absent where the image was not read, or is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// From where it is known what the lane does: from this project's tests where it does not say.
    #[serde(default, skip_serializing_if = "Knowledge::is_tested")]
    pub known: Knowledge,
    /// What the hop means for each of the service's databases.
    pub standing: BTreeMap<DatabaseId, Standing>,
    /// Rows that a data migration moves whichever database it is taken for: while there are any, one round of those that
    /// take turns runs at a time.
    pub common_rows: Vec<CommonRows>,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// What a hop means for a database's schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// The database stands at the release's heads already (seen, or reached in the hop before).
    AtHeads {
        /// The heads.
        heads: Heads,
    },
    /// The schema moves.
    Moves {
        /// From these heads.
        from: Heads,
        /// To these.
        to: Heads,
    },
}

/// One step of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Step {
    /// Which step this is; unique in the plan.
    pub id: StepId,
    /// Its phase.
    pub phase: Phase,
    /// Why it is there.
    pub why: Text,
    /// What may be done if its end was not seen.
    pub effect: Effect,
    /// Whether it may run beside the step before it in the lane: they begin together. Else it begins when
    /// every step before it is complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub beside: bool,
    /// What is done.
    pub action: Action,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Takes a restore point of a database: dumps it, and proves the dump.
    Save(SavedDatabase),
    /// Runs a command once.
    Run(Box<CommandRun>),
    /// Runs a command until its work is done.
    Drain(Box<DataMigration>),
    /// Touches every row of tables with row triggers; leapfrog does it by itself.
    Trip(Box<Touching>),
    /// Reads heads and compares them; runs no command.
    Verify(Verification),
    /// Runs a release's own checks: those of the next release end a lane, and with it the hop.
    Check(Box<ReleaseChecks>),
}

/// A database of which a restore point is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SavedDatabase {
    /// The database.
    pub database: DatabaseId,
    /// How the dump is proved.
    pub proof: PointProof,
}

/// A command that is run once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CommandRun {
    /// The command.
    pub command: Command,
    /// What its exit codes mean.
    pub exits: ExitTable,
    /// Texts in its output that mean failure.
    #[schemars(with = "Vec<String>")]
    pub failure_texts: Shared<String>,
    /// The file that tells it where the databases are.
    pub configuration: StepConfiguration,
    /// The schema it migrates, where it is a schema migration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaMove>,
}

/// What a schema migration does to the schema of its databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SchemaMove {
    /// By database.
    pub databases: Sorted<DatabaseId, SchemaTarget>,
    /// The one branch of the schema that must stand at its head after the step; absent: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<Branch>,
    /// Whether the step is skipped where every one of these databases stands at the release's heads, or at
    /// those of its branch, already, because the command does nothing else.
    pub skippable: bool,
    /// What must not be there for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<Unless>,
}

/// What a schema migration is not skipped for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Unless {
    /// What the command does besides.
    pub what: Text,
    /// Counts what that is done to, in each of the step's databases.
    pub query: Text,
}

/// What one database must show after a schema migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SchemaTarget {
    /// Where the hop takes the database in the end.
    pub heads: Heads,
    /// Alembic heads that must be among the database's after this step: all of them, or those of the
    /// branch that the step takes. Empty where that is not known.
    pub reaches: BTreeSet<String>,
    /// How many tables the revisions on the way drop; absent where the image was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_drop: Option<u64>,
    /// Triggers of which none may be left in the database after this step.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub no_triggers: BTreeSet<String>,
}

/// A data migration that is repeated until done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DataMigration {
    /// The command; `{count}` stands for the most rows of a round.
    pub command: Command,
    /// The most rows of a round.
    pub count: u64,
    /// What its exit codes mean.
    pub exits: ExitTable,
    /// Texts in its output that mean failure.
    #[schemars(with = "Vec<String>")]
    pub failure_texts: Shared<String>,
    /// How its output says what was moved.
    pub output: OutputFormat,
    /// The database whose rows it moves, and in which rows are counted.
    pub database: DatabaseId,
    /// Rows that are found, never moved, and harmless.
    #[schemars(with = "Vec<Residue>")]
    pub residues: Shared<Residue>,
    /// Rows that must be gone at the end.
    #[schemars(with = "Vec<Remainder>")]
    pub remainders: Shared<Remainder>,
    /// Whether its rounds run one at a time while there are any of the lane's common rows.
    pub takes_turns: bool,
    /// The file that tells it where the databases are.
    pub configuration: StepConfiguration,
}

/// Tables of which every row is set to itself, so that row triggers that appeared work on them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Touching {
    /// The database.
    pub database: DatabaseId,
    /// Its tables, in order.
    #[schemars(with = "Vec<TrippedTable>")]
    pub tables: Shared<TrippedTable>,
    /// The release's heads, where a later step of the lane takes the database to them and the triggers away: at these heads
    /// a table without triggers has nothing to touch any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Heads>,
}

/// Rows that data migrations of a lane move whichever database they are taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CommonRows {
    /// What is counted, as it follows a number.
    pub what: String,
    /// Where.
    pub databases: BTreeSet<DatabaseId>,
    /// Counts them.
    pub query: String,
}

/// The heads that a lane must have reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Verification {
    /// By database.
    pub heads: BTreeMap<DatabaseId, Heads>,
    /// At the end of a leap: which services recorded a version that its last release does not accept. No answer fails
    /// the step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<VersionQuestion>,
}

/// A release's own checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReleaseChecks {
    /// The release that is asked.
    pub release: Series,
    /// The image with its code.
    pub image: ImageReference,
    /// The command.
    pub command: Command,
    /// How its output says how each check ended.
    pub output: CheckFormat,
    /// Checks that may end with something else than success.
    pub allow: Vec<Allowance>,
    /// The database in which the queries of `allow` count.
    pub database: DatabaseId,
    /// The file that tells it where the databases are.
    pub configuration: StepConfiguration,
}

/// A configuration file for one step, with the names of databases in the place of their URLs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StepConfiguration {
    /// Its path in the environment.
    #[schemars(with = "String")]
    pub path: camino::Utf8PathBuf,
    /// The option that names the file to a command of a local environment, where it would not be found in its home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed_with: Option<Text>,
    /// By section and option.
    pub options: Sorted<Text, Sorted<Text, OptionValue>>,
}

impl StepConfiguration {
    /// The databases whose URLs the file holds.
    pub fn databases(&self) -> BTreeSet<&DatabaseId> {
        let values = self.options.values().flat_map(Sorted::values);
        values
            .filter_map(|value| match value {
                OptionValue::UrlOf(database) => Some(database),
                OptionValue::Text(_) => None,
            })
            .collect()
    }
}

/// The value of a configuration option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OptionValue {
    /// The URL of a database, put in when the step begins.
    UrlOf(DatabaseId),
    /// This text.
    Text(Text),
}

impl Action {
    /// The words of the command, with `batch` or the playbook's own number for the rows of a round.
    pub fn command(&self, batch: Option<u64>) -> Option<String> {
        match self {
            Self::Run(run) => Some(run.command.to_string()),
            Self::Drain(migration) => Some(migration.command.words(batch.or(Some(migration.count))).join(" ")),
            Self::Trip(_) | Self::Verify(_) | Self::Save(_) => None,
            Self::Check(checks) => Some(checks.command.to_string()),
        }
    }

    /// The program the step needs in its image.
    pub fn program(&self) -> Option<&str> {
        match self {
            Self::Run(run) => Some(run.command.program()),
            Self::Drain(migration) => Some(migration.command.program()),
            Self::Trip(_) | Self::Verify(_) | Self::Save(_) => None,
            Self::Check(checks) => Some(checks.command.program()),
        }
    }
}

impl Plan {
    /// The version of the document that this program writes.
    pub const FORMAT: u32 = 1;

    /// Every step with the hop and lane it belongs to, in order.
    pub fn steps(&self) -> impl Iterator<Item = (&Hop, &Lane, &Step)> {
        self.hops
            .iter()
            .flat_map(|hop| hop.lanes.iter().flat_map(move |lane| lane.steps.iter().map(move |step| (hop, lane, step))))
    }

    /// Every image the plan needs, with the programs it must have.
    pub fn images(&self) -> BTreeMap<&ImageReference, BTreeSet<String>> {
        let mut images: BTreeMap<&ImageReference, BTreeSet<String>> = BTreeMap::new();
        for (_, lane, step) in self.steps() {
            images.entry(lane.image_of(step)).or_default().extend(step.action.program().map(str::to_owned));
        }
        images
    }
}
