//! The cloud file as it is written: `leapfrog.yaml`.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{PointPolicy, PointProof, Secret, Service, Slot};

use super::settings::{Prefetch, Pull};

/// An operator's cloud: where its databases are and what runs the commands of each release.
///
/// What runs the commands is checked when the document is resolved: an absent runner hides no mistake.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "leapfrog cloud file",
    description = "An operator's cloud: where its databases are and what runs the commands of each release.",
    extend("required" = ["format", "name", "runner", "services"])
)]
pub(super) struct Contents {
    /// The version of this document's format: 1.
    #[schemars(range(min = 1, max = 1))]
    #[expect(dead_code, reason = "compared before anything else is read; here for the schema")]
    pub(super) format: u32,
    /// The cloud's name: a lower-case word.
    #[schemars(with = "String", regex(pattern = r"^[a-z][a-z0-9_-]{0,62}$"))]
    pub(super) name: Slot,
    /// The directory of plans and journals, relative to this file; absent: `leapfrog-state` beside it.
    #[schemars(with = "Option<String>")]
    pub(super) state: Option<Utf8PathBuf>,
    /// What runs the commands.
    #[serde(default)]
    pub(super) runner: RunnerSection,
    /// The services, by name.
    #[schemars(with = "BTreeMap<String, ServiceSection>")]
    pub(super) services: BTreeMap<Service, ServiceSection>,
    /// How much at once, and how long to wait.
    #[serde(default)]
    pub(super) limits: LimitsSection,
    /// The way back: dumps of the databases before each release. Absent: taken, kept and proved by the rules
    /// of each key below.
    #[serde(default)]
    pub(super) restore_points: RestorePointsSection,
    /// A table of how far each database is, in a database of leapfrog's own on the same server; absent: none is kept.
    pub(super) stages: Option<StagesSection>,
}

/// The table `leapfrog_state`. Every key has a default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StagesSection {
    /// The database's name on the server of each service's databases, made where it is not there; for SQLite the file's
    /// beside the service's, without `.sqlite`. Absent: `leapfrog`.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_]{0,47}$"))]
    pub(super) database: Option<String>,
}

/// What runs the commands: exactly one of `containers` and `local`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["containers"] }, { "required": ["local"] }]))]
pub(super) struct RunnerSection {
    /// Containers: Docker or Podman.
    pub(super) containers: Option<ContainersSection>,
    /// Python environments on this machine, made by leapfrog.
    pub(super) local: Option<LocalSection>,
}

/// How environments are made. Every key has a default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LocalSection {
    /// Where environments are kept, relative to this file; absent: `leapfrog/environments` in the user's cache
    /// (`XDG_CACHE_HOME`, or `~/.cache`). Clouds may share it.
    #[schemars(with = "Option<String>")]
    pub(super) directory: Option<Utf8PathBuf>,
    /// The address of the package index; absent: as uv, or else pip, is configured on this machine.
    pub(super) index: Option<Hidden>,
    /// A directory with every package, relative to this file, in the place of an index.
    #[schemars(with = "Option<String>")]
    pub(super) wheels: Option<Utf8PathBuf>,
    /// A list of constraints for each release (OpenStack's upper-constraints), with `{series}` or `{codename}` in it:
    /// a file, relative to this file, or an address. It takes the place of the release's own ranges and of its last day.
    pub(super) constraints: Option<Hidden>,
    /// Whether each service has an environment of its own in each release; absent: false, one for all.
    pub(super) separate: Option<bool>,
    /// The uv to use; absent: the one in the `PATH`, or one that leapfrog fetches with pip.
    #[schemars(with = "Option<String>")]
    pub(super) uv: Option<Utf8PathBuf>,
    /// Where interpreters are, the likeliest first: names or paths with `{series}` and `{version}` (such as 3.11) in them;
    /// absent: in the `PATH`, among pyenv's and where uv finds some.
    #[serde(default)]
    pub(super) python: Vec<String>,
    /// When environments are made.
    #[serde(default)]
    pub(super) prefetch: Prefetch,
}

/// How containers are run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["images"]))]
pub(super) struct ContainersSection {
    /// The engine's socket, such as `unix:///var/run/docker.sock`; absent: where the engine listens
    /// by its own rules.
    pub(super) socket: Option<String>,
    /// The network containers join; it must reach the databases. Absent: `host`.
    pub(super) network: Option<String>,
    /// The user commands run as; absent: the image's own.
    pub(super) user: Option<String>,
    /// Whether images are pulled.
    #[serde(default)]
    pub(super) pull: Pull,
    /// When images are pulled.
    #[serde(default)]
    pub(super) prefetch: Prefetch,
    /// Whether images are read before anything runs in them: do they hold their release's migrations?
    /// Absent: true.
    pub(super) read_images: Option<bool>,
    /// Where images are.
    #[serde(default)]
    pub(super) images: ImagesSection,
}

/// Image references with `{series}`, `{codename}` and `{service}` in them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImagesSection {
    /// For every service without one of its own.
    pub(super) default: Option<String>,
    /// By service.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) services: BTreeMap<Service, String>,
}

/// A service's databases.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceSection {
    /// The one database of a service that has one.
    pub(super) database: Option<Access>,
    /// The databases of a service that has several, by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Access>")]
    pub(super) databases: BTreeMap<Slot, Access>,
    /// Databases that a service may have any number of, by the operator's names: nova's cells. Absent or the
    /// word `mapped`: those that the service's own database names (nova's cell mappings).
    #[serde(default)]
    pub(super) cells: Cells,
    /// How single mapped cells are reached, by the name of their mapping.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Override>")]
    pub(super) cell_overrides: BTreeMap<Slot, Override>,
    /// Servers that mapped cells may be on besides those of `databases`, such as `10.0.0.6` or
    /// `db.example:3307`.
    #[serde(default)]
    pub(super) cell_servers: Vec<String>,
    /// Whether database URLs that a database of the service stores are compared with this file.
    #[serde(default)]
    pub(super) stored_urls: StoredUrlPolicy,
}

/// Databases that a service may have any number of.
#[derive(Debug, Default)]
pub(super) enum Cells {
    /// Those that the service's own database names.
    #[default]
    Mapped,
    /// These, by the operator's names.
    Listed(BTreeMap<Slot, Access>),
}

impl Cells {
    /// Those that the file lists.
    pub(super) fn listed(&self) -> impl Iterator<Item = (&Slot, &Access)> {
        let listed = match self {
            Self::Mapped => None,
            Self::Listed(cells) => Some(cells),
        };
        listed.into_iter().flatten()
    }
}

impl<'de> Deserialize<'de> for Cells {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellsVisitor)
    }
}

/// Reads the word or the mapping.
struct CellsVisitor;

impl<'de> serde::de::Visitor<'de> for CellsVisitor {
    type Value = Cells;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cells by name, or the word `mapped`")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Cells, E> {
        // The word is not repeated: a URL may stand where it belongs.
        if word == "mapped" {
            Ok(Cells::Mapped)
        } else {
            Err(E::custom("expected cells by name, or the word `mapped`"))
        }
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Cells, A::Error> {
        BTreeMap::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Cells::Listed)
    }
}

impl JsonSchema for Cells {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cells".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let listed = generator.subschema_for::<BTreeMap<String, Access>>();
        schemars::json_schema!({ "oneOf": [{ "const": "mapped" }, listed] })
    }
}

/// How a mapped cell is reached: by a URL of its own, or with other credentials than its mapping's.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Override {
    /// An SQLAlchemy URL; it must lead to the database that the mapping leads to.
    pub(super) url: Option<Hidden>,
    /// The environment variable that holds the URL.
    pub(super) url_env: Option<String>,
    /// The file that holds the URL, relative to this file.
    #[schemars(with = "Option<String>")]
    pub(super) url_file: Option<Utf8PathBuf>,
    /// The service's own configuration, which holds the URL.
    pub(super) url_from: Option<UrlFrom>,
    /// The user, in the place of the mapping's.
    pub(super) user: Option<String>,
    /// The environment variable that holds the password.
    pub(super) password_env: Option<String>,
    /// The file that holds the password, relative to this file.
    #[schemars(with = "Option<String>")]
    pub(super) password_file: Option<Utf8PathBuf>,
}

/// What is done about database URLs that are stored in databases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StoredUrlPolicy {
    /// They must lead to the databases of this file.
    #[default]
    Check,
    /// They are not looked at.
    Trust,
}

/// Where a database is and how to get in: exactly one of `url`, `url_env`, `url_file` and `url_from`; at most one
/// of `password_env` and `password_file`, and then no password in the URL.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Access {
    /// An SQLAlchemy URL, such as `mysql+pymysql://keystone@10.0.0.5/keystone`.
    pub(super) url: Option<Hidden>,
    /// The environment variable that holds the URL.
    pub(super) url_env: Option<String>,
    /// The file that holds the URL, relative to this file.
    #[schemars(with = "Option<String>")]
    pub(super) url_file: Option<Utf8PathBuf>,
    /// The service's own configuration, which holds the URL.
    pub(super) url_from: Option<UrlFrom>,
    /// The environment variable that holds the password.
    pub(super) password_env: Option<String>,
    /// The file that holds the password, relative to this file.
    #[schemars(with = "Option<String>")]
    pub(super) password_file: Option<Utf8PathBuf>,
}

/// The service's own configuration (oslo.config), read each time and never copied.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UrlFrom {
    /// Its files in the order in which the service reads them: what comes later wins. A path that ends in `/` is a
    /// directory: every `*.conf` in it, nothing where it does not exist. Relative to this file.
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub(super) files: Vec<Utf8PathBuf>,
    /// The section of the option; absent: `database`.
    pub(super) section: Option<String>,
    /// The option that holds the URL; absent: `connection`.
    pub(super) option: Option<String>,
    /// The name of another database on the same server, with the same login; absent: the URL's.
    pub(super) database: Option<String>,
}

/// The way back: which restore points are taken, where they are kept, how they are proved.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RestorePointsSection {
    /// Before which releases; absent: `every-hop`. `none` needs `accept_no_way_back: true`.
    #[serde(default)]
    pub(super) policy: PointPolicy,
    /// That `policy: none` is meant: after a failure nothing brings the databases back but what you have yourself.
    pub(super) accept_no_way_back: Option<bool>,
    /// Where they are kept, relative to this file; absent: `restore-points` in the state directory.
    #[schemars(with = "Option<String>")]
    pub(super) directory: Option<Utf8PathBuf>,
    /// How many of each database are kept, 1 to 1000, besides the first one of a run; absent: 3.
    #[schemars(range(min = 1, max = 1000))]
    pub(super) keep: Option<u32>,
    /// How a dump is proved; absent: `full`.
    #[serde(default)]
    pub(super) verify: PointProof,
    /// Commands of your own, in the place of dumps.
    pub(super) commands: Option<CommandsSection>,
}

/// Commands of the operator's own that take snapshots of databases. They are told what is wanted in environment
/// variables (`LEAPFROG_POINT`, `LEAPFROG_DATABASE`, `LEAPFROG_HOST` and others), and no password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandsSection {
    /// Takes a snapshot of a database.
    pub(super) save: Vec<String>,
    /// Brings a database back to one.
    pub(super) restore: Vec<String>,
    /// Removes one; absent: they are kept.
    pub(super) remove: Option<Vec<String>>,
}

/// A text of the document that must not be shown.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(from = "String")]
#[schemars(with = "String")]
pub(super) struct Hidden(pub(super) Secret);

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

/// How much at once, and how long to wait.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsSection {
    /// Commands side by side, 1 to 256; absent: the number of cores.
    #[schemars(range(min = 1, max = 256))]
    pub(super) jobs: Option<u32>,
    /// The most rows of a round of data migrations, 1 to 1000000; absent: what the playbooks say
    /// in the first round, afterwards as many as `round` has time for.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) batch: Option<u64>,
    /// How long a round of data migrations should take, such as `30s`; it decides how many rows later
    /// rounds may move, unless `batch` does.
    pub(super) round: Option<Pause>,
    /// After how long without output or moved rows a step is reported, such as `30m`.
    pub(super) stall: Option<Pause>,
    /// How long connecting to a database may take, such as `10s`.
    pub(super) connect: Option<Pause>,
    /// How long a container engine, a registry or a database server that went away is waited for, such as
    /// `10m`; then the run stops, and the same command continues it.
    pub(super) outage: Option<Pause>,
}

/// A length of time, written like `10s`, `30m` or `1h 30m`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(super) struct Pause(pub(super) Duration);

impl FromStr for Pause {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // jiff also reads ISO 8601 (`PT10S`), which nobody should have to write.
        let friendly = text.trim().starts_with(|c: char| c.is_ascii_digit());
        let span = text.trim().parse::<jiff::Span>().ok().filter(|_| friendly);
        span.and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok())
            .and_then(|length| Duration::try_from(length).ok())
            .map(Self)
            .ok_or("a length of time belongs here, like 10s, 30m or 1h 30m")
    }
}

impl TryFrom<String> for Pause {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_needs_its_unit() {
        for (text, seconds) in
            [("10s", 10), ("30m", 1800), ("1h 30m", 5400), ("1h30m", 5400), ("2 minutes", 120), ("1d", 86_400)]
        {
            assert_eq!(text.parse::<Pause>().map(|pause| pause.0.as_secs()), Ok(seconds), "{text}");
        }
        for text in ["", "30", "m", "-5m", "PT10S", "5 parsecs", "1y", "99999999999999999999h"] {
            assert!(text.parse::<Pause>().is_err(), "{text} was taken for a length of time");
        }
    }
}
