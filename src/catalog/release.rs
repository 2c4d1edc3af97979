//! One release series: the document `releases/<series>.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Exception, Floor, Servers, Split};
use crate::model::{Heads, Schema, Series, Service};

/// A release series and what its services' databases look like after its migrations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The version of this document's format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub format: u32,
    /// The series, such as `2024.1`.
    pub series: Series,
    /// Its codename, such as `caracal`; equal to the series for named releases.
    pub codename: String,
    /// The day of the coordinated release, `YYYY-MM-DD`.
    #[schemars(with = "String")]
    pub released: jiff::civil::Date,
    /// Its place in the life of a release.
    pub status: Status,
    /// The day the upstream project ended it, where that day is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ended: Option<jiff::civil::Date>,
    /// Whether it is a SLURP release: one that may be reached from the SLURP release before it.
    pub slurp: bool,
    /// The Python versions its services declare.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub python: Vec<String>,
    /// Where the facts of this document come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// The services, by name.
    pub services: BTreeMap<Service, ReleaseService>,
    /// Services with a playbook that the release does not have, each with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub absent: BTreeMap<Service, String>,
    /// Services whose tables must have left another service's database before this release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<Split>,
    /// What a Python environment with the release's code is made of; absent: it can be run in containers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// What an operator should have read before this hop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// What its schema migrations do that is dangerous and wanted: of the file beside it, `<series>.notes.yaml`.
    #[serde(skip_deserializing, skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub exceptions: Vec<Exception>,
}

/// What a Python environment with a release's code is made of, where it runs without a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The Python versions that it was seen to work with, the best first, such as `3.11`.
    pub python: Vec<String>,
    /// The last day whose packages count, `YYYY-MM-DD`: later ones of what the services need did not exist when the
    /// release was tested. It does not hold where the operator has a list of constraints.
    #[schemars(with = "String")]
    pub exclude_newer: jiff::civil::Date,
    /// The packages of each service with their ranges, such as `nova>=27,<28`.
    pub services: BTreeMap<Service, Vec<String>>,
    /// The services of a utility image for which none are named; absent: all of `services`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub usual: BTreeSet<Service>,
    /// Packages besides: database drivers, and what packages need without saying so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// Ranges for what all of them need in turn, such as `sqlalchemy<2`. They do not hold where the operator has a list
    /// of constraints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<String>,
    /// Packages that are left out although others ask for them: they would have to be compiled, and the services do
    /// without them or with another of `packages`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
}

impl Environment {
    /// The services of a utility image for which none are named.
    pub fn usual(&self) -> BTreeSet<Service> {
        if self.usual.is_empty() { self.services.keys().cloned().collect() } else { self.usual.clone() }
    }
}

/// A release's place in the life of a release (openstack/releases `series_status.yaml`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Fixes are released.
    Maintained,
    /// Fixes are merged by volunteers and not released.
    Unmaintained,
    /// Nothing is merged any more.
    EndOfLife,
}

/// One service in a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseService {
    /// The Python package that holds the service's code.
    pub package: String,
    /// The versions that belong to the release.
    pub versions: Versions,
    /// What each schema's heads are after all of the release's migrations.
    pub heads: BTreeMap<Schema, Heads>,
    /// Other heads at which a database stands at the release: those of earlier point releases, or of another of its
    /// commands. The release's own migrations take it from there to `heads`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub also: BTreeMap<Schema, Vec<Heads>>,
    /// The oldest release from which this one, and those after it, can go on; absent: as for the release before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Floor>,
    /// The oldest database servers that this release, and those after it, work with; absent: as for the release before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers: Option<Servers>,
}

/// The first and the last version of a service in a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// The version of the coordinated release.
    pub first: String,
    /// The last point release known when the document was written.
    pub last: String,
}

/// Something an operator should know before a hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The service it is about; absent: the whole release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// What happens and why, in a sentence or three.
    pub text: String,
    /// What to look at before the window, where something can be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// What decides how long it takes, where it takes long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downtime: Option<String>,
}

impl Note {
    /// The note in one paragraph, beginning with the service it is about.
    pub fn told(&self) -> String {
        let mut text = match &self.service {
            Some(service) => format!("{service}: {}", self.text.trim()),
            None => self.text.trim().to_owned(),
        };
        for (lead, more) in [("To check", &self.check), ("Downtime", &self.downtime)] {
            if let Some(more) = more {
                text.push_str(&format!(" {lead}: {}", more.trim()));
            }
        }
        text
    }
}
