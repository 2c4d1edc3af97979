//! Versions that services record of themselves in their databases, and which of them a release does not accept.

use serde::{Deserialize, Serialize};

use super::{DatabaseId, Series};

/// A service as a row of a database has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordedService {
    /// The program, such as `nova-compute`.
    pub program: String,
    /// The host it runs on, as it says.
    pub host: String,
    /// The version that it recorded; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The release that the version is known by; absent where it has no such name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    /// When it last reported, UTC; absent where it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// What else its row says of it, such as `disabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// Services of one database whose recorded version is older than a release accepts: the databases are right, and the
/// release's programs will not work until somebody does something about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OldServices {
    /// The database.
    pub database: DatabaseId,
    /// The name that the playbook gives the question.
    pub question: String,
    /// What they are, as it follows a number: `compute services`.
    pub what: String,
    /// The release that does not accept them.
    pub release: Series,
    /// The oldest version that it accepts.
    pub oldest: String,
    /// The release that this version is known by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    /// How many there are.
    pub count: u64,
    /// The first of them, 20 at most, the oldest versions first.
    pub services: Vec<RecordedService>,
    /// What happens, in the service's own words where it has some.
    pub means: String,
    /// What to do about it, a sentence each, with the versions that have the means for it.
    pub mends: Vec<String>,
    /// Where this is known from.
    pub source: String,
}

/// How many services a text names.
const NAMED: usize = 3;

impl OldServices {
    /// Which services they are, in a line.
    pub fn told(&self) -> String {
        let named = self.services.iter().take(NAMED).map(RecordedService::told).collect::<Vec<_>>().join("; ");
        let rest = self.count.saturating_sub(self.services.len().min(NAMED) as u64);
        let rest = if rest == 0 { String::new() } else { format!("; and {rest} more") };
        format!("{}: {} {} {named}{rest}", self.database, self.count, self.refused())
    }

    /// `compute services older than 2024.1 accepts (66, Antelope):`
    fn refused(&self) -> String {
        let named = self.named.as_ref().map(|named| format!(", {named}")).unwrap_or_default();
        format!("{} older than {} accepts ({}{named}):", self.what, self.release, self.oldest)
    }
}

impl RecordedService {
    fn told(&self) -> String {
        let version = self.version.as_deref().unwrap_or("no version recorded");
        let named = self.named.as_ref().map(|named| format!(" ({named})")).unwrap_or_default();
        let seen = match &self.seen {
            Some(seen) => format!(", last report {seen} UTC"),
            None => ", never reported".to_owned(),
        };
        let state = self.state.as_ref().map(|state| format!(", {state}")).unwrap_or_default();
        format!("{} on {}, {version}{named}{seen}{state}", self.program, self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_services_are_counted_and_the_first_of_them_are_named() {
        let service = |host: &str, version: Option<&str>| RecordedService {
            program: "nova-compute".into(),
            host: host.into(),
            version: version.map(str::to_owned),
            named: version.map(|_| "Yoga".to_owned()),
            seen: version.map(|_| "2026-11-22 03:15:02".to_owned()),
            state: (host == "cmp2").then(|| "disabled".to_owned()),
        };
        let mut old = OldServices {
            database: "nova.cells.cell1".parse().expect("valid"),
            question: "computes".into(),
            what: "compute services".into(),
            release: "2024.1".parse().expect("valid"),
            oldest: "66".into(),
            named: Some("Antelope".into()),
            count: 2,
            services: vec![service("cmp1", None), service("cmp2", Some("61"))],
            means: String::new(),
            mends: Vec::new(),
            source: String::new(),
        };
        insta::assert_snapshot!(old.told(), @"nova.cells.cell1: 2 compute services older than 2024.1 accepts (66, Antelope): nova-compute on cmp1, no version recorded, never reported; nova-compute on cmp2, 61 (Yoga), last report 2026-11-22 03:15:02 UTC, disabled");
        old.count = 300;
        old.services = vec![service("cmp1", Some("61")); 20];
        assert!(old.told().ends_with("; and 297 more"), "{}", old.told());
    }
}
