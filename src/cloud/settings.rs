//! The parts of a checked cloud that are no databases: how commands are run, and limits.

use std::time::Duration;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{Points, Secret, Series};

/// What runs the commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunnerSettings {
    /// Containers: Docker or Podman.
    Containers(ContainerSettings),
    /// Python environments on this machine.
    Local(LocalSettings),
}

impl RunnerSettings {
    /// When what holds the releases' code is brought here.
    pub fn prefetch(&self) -> Prefetch {
        match self {
            Self::Containers(containers) => containers.prefetch,
            Self::Local(local) => local.prefetch,
        }
    }

    /// Whether what holds the releases' code is read before anything runs in it.
    pub fn read_images(&self) -> bool {
        match self {
            Self::Containers(containers) => containers.read_images,
            Self::Local(_) => true,
        }
    }
}

/// How environments on this machine are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSettings {
    /// Where they are kept.
    pub directory: Utf8PathBuf,
    /// Where packages come from.
    pub source: PackageSource,
    /// A list of constraints for each release.
    pub constraints: Option<ConstraintsPattern>,
    /// Whether each service has an environment of its own.
    pub separate: bool,
    /// The uv to use.
    pub uv: Option<Utf8PathBuf>,
    /// Where interpreters are, with `{series}` and `{version}` in it.
    pub python: Vec<String>,
    /// When environments are made.
    pub prefetch: Prefetch,
}

impl LocalSettings {
    /// Where environments are kept that nobody gave a place: in the user's cache. Nothing where there is none.
    pub fn usual_directory(env: &dyn Fn(&str) -> Option<String>) -> Option<Utf8PathBuf> {
        let absolute = |name: &str| env(name).map(Utf8PathBuf::from).filter(|path| path.is_absolute());
        let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        cache.map(|cache| cache.join("leapfrog/environments"))
    }
}

/// Where packages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageSource {
    /// As uv, or else pip, is configured on this machine.
    Configured,
    /// The index at this address.
    Index(Secret),
    /// This directory and nothing else.
    Wheels(Utf8PathBuf),
}

/// A file or an address with `{series}` or `{codename}` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConstraintsPattern(pub(super) Secret);

impl ConstraintsPattern {
    /// The list of a release.
    pub fn of(&self, series: &Series, codename: &str) -> String {
        self.0.expose().replace("{series}", series.as_str()).replace("{codename}", codename)
    }
}

/// How containers are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSettings {
    /// The engine's socket as the operator wrote it; absent: where the engine listens by its own rules.
    pub socket: Option<String>,
    /// The network containers join; absent: the host's.
    pub network: Option<String>,
    /// The user commands run as; absent: the image's own.
    pub user: Option<String>,
    /// Whether images are pulled.
    pub pull: Pull,
    /// When images are pulled.
    pub prefetch: Prefetch,
    /// Whether images are read before anything runs in them.
    pub read_images: bool,
}

/// Whether images are pulled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pull {
    /// Where the engine does not have them yet.
    #[default]
    Auto,
    /// Never: they must be there.
    Never,
}

/// When images are pulled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Prefetch {
    /// All of them before anything is touched.
    #[default]
    All,
    /// Each hop's while the hop before it works.
    Next,
}

/// How much at once, and how long to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How many commands run side by side, 1 to 256.
    pub jobs: usize,
    /// The most rows of a round of data migrations, 1 to 1,000,000; absent: what the playbooks say in the
    /// first round, afterwards as many as `round` has time for.
    pub batch: Option<u64>,
    /// How long a round of data migrations should take. At most 30 days.
    pub round: Duration,
    /// After how long without output or moved rows a step is reported. At most 30 days.
    pub stall: Duration,
    /// How long connecting to a database may take. At most 30 days.
    pub connect: Duration,
    /// How long a container engine, a registry or a database server may be away until a run that needs it
    /// stops. At most 30 days.
    pub outage: Duration,
}

impl Limits {
    /// The most commands side by side.
    pub(super) const MOST_JOBS: u32 = 256;
    /// The most rows of a round.
    pub(super) const MOST_ROWS: u64 = 1_000_000;
    /// The longest time to wait for anything.
    pub(super) const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
}

impl Default for Limits {
    /// As many lanes as cores, rounds of 30 seconds, 30 minutes of silence, 10 seconds to connect, outages of 10
    /// minutes.
    fn default() -> Self {
        Self {
            jobs: std::thread::available_parallelism().map_or(1, usize::from).min(Self::MOST_JOBS as usize),
            batch: None,
            round: Duration::from_secs(30),
            stall: Duration::from_secs(30 * 60),
            connect: Duration::from_secs(10),
            outage: Duration::from_secs(10 * 60),
        }
    }
}

/// Restore points: which are taken, where they are kept, how they are proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestorePoints {
    /// Before which hops, and how they are proved.
    pub points: Points,
    /// Where they are kept.
    pub directory: Utf8PathBuf,
    /// How many of each database are kept, besides the first one of a run, 1 to 1,000.
    pub keep: usize,
    /// The operator's own commands, in the place of dumps.
    pub commands: Option<SnapshotCommands>,
}

impl RestorePoints {
    /// How many are kept unless the file says so.
    pub(super) const KEPT: u32 = 3;
    /// The most that are kept.
    pub(super) const MOST: u32 = 1000;
}

/// Commands of the operator's own that take snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotCommands {
    /// Takes one of a database.
    pub save: Vec<String>,
    /// Brings a database back to one.
    pub restore: Vec<String>,
    /// Removes one.
    pub remove: Option<Vec<String>>,
}
