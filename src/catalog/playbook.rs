//! How one service is taken through a release: the document `playbooks/<service>.yaml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::{
    Check, Drain, Heartbeats, Known, PassingTriggers, PlaybookCheck, Precondition, RecordedVersions, Release, Triggers,
    TripStep,
};
use crate::model::{
    Branch, Command, Effect, Engine, ExitTable, Phase, Schema, Series, SeriesRange, Service, Slot, Verdict,
};

/// How a service is taken through a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// The version of this document's format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub format: u32,
    /// The service's name.
    pub service: Service,
    /// What the service is, in a few words.
    pub title: String,
    /// The service's databases.
    pub databases: Vec<DatabaseSlot>,
    /// The configuration files that tell its commands where the databases are. In a range of series
    /// exactly one file applies.
    pub configuration: Vec<ConfigurationFile>,
    /// Looked at before anything is touched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<PlaybookCheck>,
    /// What a release's migrations cannot work with: asked before a leap, while there is time to mend it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preconditions: Vec<Precondition>,
    /// Rows by which running services show that they live.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heartbeats: Vec<Heartbeats>,
    /// Versions that its services record of themselves, and which of them a release does not accept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recorded_versions: Vec<RecordedVersions>,
    /// Triggers that an expand step makes and a contract step removes: none of them may be left at the end of a release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<PassingTriggers>,
    /// The files of the service's code that have the options of its commands: in each release every option
    /// (a word that begins with `--`) of every step must stand in one of them. Absent: that is not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options_in: Vec<CodeFile>,
    /// The Python files, and directories of them, that say which tables and columns the service's code maps, relative to
    /// where the Python packages are; those of all releases, since a release need not have each. Absent: that is not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// The steps of a lane, in order; phases never go backwards.
    pub steps: Vec<PlaybookStep>,
    /// From where all of this is known, by release; absent: it was read, and not run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<Known>,
    /// Where the facts of this document come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
}

impl Playbook {
    /// The configuration file that tells a release's commands where the databases are.
    pub fn configuration(&self, series: &Series) -> Option<&ConfigurationFile> {
        self.configuration.iter().find(|file| file.series.contains(series))
    }

    /// Where the migration scripts of each schema are in a release's image.
    pub fn scripts(&self, series: &Series) -> BTreeMap<&Schema, &Scripts> {
        let mut found = BTreeMap::new();
        for slot in &self.databases {
            if let Some(scripts) = slot.scripts.iter().find(|scripts| scripts.series.contains(series)) {
                found.entry(&slot.schema).or_insert(scripts);
            }
        }
        found
    }

    /// Where the scripts of each schema's repositories of sqlalchemy-migrate are, in a release whose heads have them.
    pub fn repositories(&self, release: &Release) -> BTreeMap<&Schema, Vec<&NumberedScripts>> {
        let mut found: BTreeMap<&Schema, Vec<&NumberedScripts>> = BTreeMap::new();
        let Some(facts) = release.services.get(&self.service) else { return found };
        for slot in &self.databases {
            let Some(heads) = facts.heads.get(&slot.schema) else { continue };
            let here = slot
                .repositories
                .iter()
                .filter(|one| one.series.contains(&release.series) && heads.migrate.contains_key(&one.name));
            found.entry(&slot.schema).or_default().extend(here);
        }
        found.retain(|_, here| !here.is_empty());
        found
    }

    /// The steps that hold for a release on an engine, in order.
    pub fn steps(&self, series: &Series, engine: Engine) -> impl Iterator<Item = &PlaybookStep> {
        self.steps.iter().filter(move |step| step.applies(series, engine))
    }

    /// Whether the service supports an engine in a release: something is done there. A look at the
    /// databases is nothing done.
    pub fn supports(&self, series: &Series, engine: Engine) -> bool {
        self.steps(series, engine).any(|step| !matches!(step, PlaybookStep::Check(_)))
    }
}

/// A database of a service, or a set of alike ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSlot {
    /// The slot's name: `main` for a service with one database.
    pub slot: Slot,
    /// The schema whose heads the release files name.
    pub schema: Schema,
    /// Whether the operator's cloud file lists any number of such databases, each with a name
    /// (nova's cells).
    #[serde(default)]
    pub many: bool,
    /// Where the migration scripts of its schema are in an image; absent: they are not read. Slots with the
    /// same schema have the same scripts, and one of them says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scripts: Vec<Scripts>,
    /// Where the scripts of releases from before alembic are, which only `leapfrog lint` reads, in the order in which they
    /// are run. Slots with the same schema have the same, and one of them says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<NumberedScripts>,
    /// The numbers that sqlalchemy-migrate's repositories end at, where a release writes alembic's first revision beside
    /// whatever number it finds: a database under alembic that has kept another one was never migrated.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub numbers_end: BTreeMap<String, u32>,
}

/// Where the migration scripts (alembic) of a schema are. In a series at most one of them applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scripts {
    /// The series this holds for; absent: all.
    #[serde(default)]
    pub series: SeriesRange,
    /// The directory of the versions, relative to where the Python packages are (`site-packages`).
    pub path: String,
    /// Files with constants that the scripts take into their identifiers and branch labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constants: Vec<String>,
}

/// Where the scripts of a repository of sqlalchemy-migrate are. In a series at most one of a name applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberedScripts {
    /// The series this holds for; absent: all whose heads have the repository.
    #[serde(default)]
    pub series: SeriesRange,
    /// The repository's name, as `migrate_version` and the release files have it.
    pub name: String,
    /// The directory of the versions, relative to where the Python packages are (`site-packages`).
    pub path: String,
    /// Its branch; absent where the schema has none, and for scripts that move data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<Branch>,
}

/// A file of a service's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeFile {
    /// The series this holds for; absent: all.
    #[serde(default)]
    pub series: SeriesRange,
    /// Its path, relative to where the Python packages are (`site-packages`).
    pub path: String,
}

/// A configuration file (oslo.config, INI) that is made for the time of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigurationFile {
    /// The series this holds for; absent: all.
    #[serde(default)]
    pub series: SeriesRange,
    /// Its absolute path in the utility environment, where the commands look without being told.
    #[schemars(with = "String")]
    pub path: camino::Utf8PathBuf,
    /// What it says.
    pub options: Vec<ConfigurationOption>,
    /// The option that names this file to a command, such as `--config-file`, right after the program. Set where the
    /// commands look for it in no home directory: in a local environment they are told where their private copy is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed_with: Option<String>,
    /// Set where the release cannot read a database URL with a percent sign (an escaped character in
    /// user or password): the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses_percent: Option<String>,
}

/// One option of a configuration file: either the URL of a database or a plain value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigurationOption {
    /// The INI section, such as `database` or `DEFAULT`.
    pub group: String,
    /// The option's name, such as `connection`.
    pub option: String,
    /// The slots whose database's URL is the value: the step's own database where a step is taken
    /// for each database and its slot is named here; else the database of the one slot named here;
    /// else (several slots, or one with many databases) the option is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub url_of: Vec<Slot>,
    /// The value itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// One step of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PlaybookStep {
    /// A command that is run once.
    Run(Run),
    /// A command that is run again and again until its work is done.
    Drain(Drain),
    /// Rows that are set to themselves, so that row triggers work on them.
    Trip(TripStep),
    /// The release's own checks, before its schema is touched.
    Check(Check),
}

/// What an exit code means where no command is run.
static NO_EXITS: LazyLock<ExitTable> = LazyLock::new(ExitTable::default);

/// What the exit codes of a release's checks mean (oslo.upgradecheck, nova-status): the gravest result;
/// 255 is an exception.
static CHECK_EXITS: LazyLock<ExitTable> =
    LazyLock::new(|| ExitTable([(0, Verdict::Done), (1, Verdict::Warning), (2, Verdict::Stuck)].into()));

impl PlaybookStep {
    /// The step's name.
    pub fn name(&self) -> &Slot {
        match self {
            Self::Run(run) => &run.name,
            Self::Drain(drain) => &drain.name,
            Self::Trip(trip) => &trip.name,
            Self::Check(check) => &check.name,
        }
    }

    /// The phase it belongs to.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Run(run) => run.phase,
            Self::Drain(drain) => drain.phase,
            Self::Trip(trip) => trip.phase,
            Self::Check(_) => Phase::Check,
        }
    }

    /// The series it holds for.
    pub fn series(&self) -> &SeriesRange {
        match self {
            Self::Run(run) => &run.series,
            Self::Drain(drain) => &drain.series,
            Self::Trip(trip) => &trip.series,
            Self::Check(check) => &check.series,
        }
    }

    /// How a release must be taken for the step to be part of it; none: either way.
    pub fn taken(&self) -> Option<Taken> {
        match self {
            Self::Run(run) => run.taken,
            Self::Trip(trip) => trip.taken,
            Self::Drain(_) | Self::Check(_) => None,
        }
    }

    /// The engines it holds for; empty: all.
    pub fn engines(&self) -> &[Engine] {
        match self {
            Self::Run(run) => &run.engines,
            Self::Drain(drain) => &drain.engines,
            Self::Trip(trip) => &trip.engines,
            Self::Check(check) => &check.engines,
        }
    }

    /// What it runs; nothing for what leapfrog does by itself.
    pub fn command(&self) -> Option<&Command> {
        match self {
            Self::Run(run) => Some(&run.command),
            Self::Drain(drain) => Some(&drain.command),
            Self::Trip(_) => None,
            Self::Check(check) => Some(&check.command),
        }
    }

    /// The slots it is taken for one by one; empty: once for all.
    pub fn for_each(&self) -> &[Slot] {
        match self {
            Self::Run(run) => &run.for_each,
            Self::Drain(drain) => &drain.for_each,
            Self::Trip(trip) => &trip.for_each,
            Self::Check(_) => &[],
        }
    }

    /// Whether its commands for several databases may run at the same time.
    pub fn side_by_side(&self) -> bool {
        match self {
            Self::Run(run) => run.side_by_side,
            Self::Drain(drain) => drain.side_by_side,
            Self::Trip(_) | Self::Check(_) => false,
        }
    }

    /// What may be done if its end was not seen.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Run(run) => run.effect,
            Self::Drain(drain) => drain.effect,
            Self::Trip(_) => Effect::Idempotent,
            Self::Check(_) => Effect::ReadOnly,
        }
    }

    /// What its exit codes mean.
    pub fn exits(&self) -> &ExitTable {
        match self {
            Self::Run(run) => &run.exits,
            Self::Drain(drain) => &drain.exits,
            Self::Trip(_) => &NO_EXITS,
            Self::Check(_) => &CHECK_EXITS,
        }
    }

    /// Texts in its output that mean failure.
    pub fn failure_texts(&self) -> &[String] {
        match self {
            Self::Run(run) => &run.failure_texts,
            Self::Drain(drain) => &drain.failure_texts,
            Self::Trip(_) | Self::Check(_) => &[],
        }
    }

    /// Why it is there.
    pub fn why(&self) -> &str {
        match self {
            Self::Run(run) => &run.why,
            Self::Drain(drain) => &drain.why,
            Self::Trip(trip) => &trip.why,
            Self::Check(check) => &check.why,
        }
    }

    /// Whether it holds for a release on an engine.
    pub fn applies(&self, series: &Series, engine: Engine) -> bool {
        self.series().contains(series) && (self.engines().is_empty() || self.engines().contains(&engine))
    }
}

/// A command that is run once, such as a schema migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The step's name.
    pub name: Slot,
    /// The phase it belongs to.
    pub phase: Phase,
    /// The series this holds for; absent: all.
    #[serde(default)]
    pub series: SeriesRange,
    /// The engines this holds for; absent: all. What counts is the engine of the database the step
    /// is taken for, or of the service's first database where it is taken once for all of them. An
    /// engine for which a release has no steps at all is one that the service does not support there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<Engine>,
    /// Whether it is a step only of a leap that does all of a release at once, or only where the release is taken in parts
    /// (`expand`, `migrate`, `contract`, the last release with `--until migrated`). Absent: of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Taken>,
    /// The command.
    pub command: Command,
    /// The slots the step is taken for, once for each database in them. Absent: once, for all of the
    /// service's databases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub for_each: Vec<Slot>,
    /// Whether the commands for the databases in `for_each` may run at the same time; absent: one after the
    /// other.
    #[serde(default, skip_serializing_if = "is_false")]
    pub side_by_side: bool,
    /// What may be done if its end was not seen.
    pub effect: Effect,
    /// What its exit codes mean; absent: 0 is done, all else failed.
    #[serde(default)]
    pub exits: ExitTable,
    /// Texts in the output that mean failure whatever the exit code says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failure_texts: Vec<String>,
    /// The slots whose schema the command brings to the release's heads; with `for_each`, the step's own
    /// database where its slot is named. Such a step is proved by the heads that the databases show, and is
    /// skipped where every one of them stands at the release's heads before it begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schema: Vec<Slot>,
    /// The one branch of the schema that must stand at its head when the command has ended; absent: all of
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<Branch>,
    /// What the command does besides migrating these schemas. Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub besides: Option<Besides>,
    /// The triggers that it creates, on databases of the release before. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub triggers: Option<Triggers>,
    /// Why the step is there.
    pub why: String,
}

/// How a release is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Taken {
    /// All of it, with no service beside it.
    AtOnce,
    /// Part by part, beside services.
    InParts,
}

/// What a command does besides migrating schemas, and when that matters: until then it is not skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Besides {
    /// What it does, in a few words.
    pub what: String,
    /// Counts what that is done to, in each of the step's databases: where every one holds none, nothing is
    /// done. Absent: nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Whether it matters only in the last release of a leap, the one that services will start on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub only_last: bool,
}

pub(super) fn is_false(value: &bool) -> bool {
    !value
}
