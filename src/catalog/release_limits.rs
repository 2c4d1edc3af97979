//! What a release cannot do: start from anywhere, work with any server, find tables that lie elsewhere.

use serde::{Deserialize, Serialize};

use crate::model::{Series, Service};

/// The oldest release at which a service's databases may stand for a release, and those after it, to go on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// That release. Its migrations, the data migrations among them, must have been completed.
    pub from: Series,
    /// Why nothing older will do, as it goes on after `nova of 2023.2 and later`: `cannot start from sqlalchemy-migrate`.
    pub why: String,
}

/// The oldest servers of the MySQL family that a service works with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Servers {
    /// The oldest MariaDB, such as `10.3`; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mariadb: Option<String>,
    /// The oldest MySQL, such as `8.0`; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mysql: Option<String>,
    /// Why an older one will not do.
    pub why: String,
}

/// A service that was a part of another one: from this release on its tables are in a database of its own, and
/// nobody but the operator puts them there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The service that became one of its own.
    pub service: Service,
    /// The service it was a part of.
    pub of: Service,
    /// What is lost where it was not moved.
    pub why: String,
    /// What to do in the release before.
    pub mend: String,
}

/// The numbers of a version: `10.11.14` of `10.11.14-MariaDB-0+deb12u2`, `8.0.36` of `8.0.36-28`. Nothing where there is
/// none.
fn numbers(version: &str) -> Vec<u64> {
    let digits = version.split(|c: char| !(c.is_ascii_digit() || c == '.')).next().unwrap_or_default();
    digits.split('.').map_while(|part| part.parse().ok()).collect()
}

impl Servers {
    /// What a server of the MySQL family lacks, by the text with which it tells its version: the oldest that would do.
    /// Nothing where it is recent enough, or says nothing that can be read.
    pub fn lacking(&self, version: &str) -> Option<String> {
        let maria = version.contains("MariaDB");
        // Old replication clients expect a MySQL, so MariaDB may say `5.5.5-10.11.14-MariaDB`.
        let version = version.strip_prefix("5.5.5-").filter(|_| maria).unwrap_or(version);
        let (name, oldest) = if maria { ("MariaDB", &self.mariadb) } else { ("MySQL", &self.mysql) };
        let oldest = oldest.as_ref()?;
        let found = numbers(version);
        (!found.is_empty() && found < numbers(oldest)).then(|| format!("{name} {oldest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_judged_by_its_own_kind_and_by_what_it_says_of_itself() {
        let servers = Servers { mariadb: Some("10.3".into()), mysql: Some("8.0".into()), why: "utf8mb4".into() };
        let cases = [
            ("10.11.14-MariaDB-0+deb12u2", None),
            ("5.5.5-10.11.14-MariaDB", None),
            ("5.5.68-MariaDB", Some("MariaDB 10.3")),
            ("10.2.44-MariaDB", Some("MariaDB 10.3")),
            ("8.0.36-28", None),
            ("5.7.44-log", Some("MySQL 8.0")),
            ("soon", None),
        ];
        for (version, lacking) in cases {
            assert_eq!(servers.lacking(version).as_deref(), lacking, "{version}");
        }
    }
}
