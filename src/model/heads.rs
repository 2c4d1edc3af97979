//! The schema version that a database stores.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// The heads of a schema: alembic's revisions (`alembic_version`), or sqlalchemy-migrate's numbers by
/// repository (`migrate_version`). Where a database holds both, alembic's count and the numbers are
/// what is left of the time before.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heads {
    /// Revision identifiers in `alembic_version`, several where a schema has branches.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub alembic: BTreeSet<String>,
    /// `repository_id` and `version` in `migrate_version`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub migrate: BTreeMap<String, u32>,
}

impl Heads {
    /// Heads of these alembic revisions.
    pub fn alembic<I: IntoIterator<Item = S>, S: Into<String>>(revisions: I) -> Self {
        Self { alembic: revisions.into_iter().map(Into::into).collect(), migrate: BTreeMap::new() }
    }

    /// Whether no version is stored: an empty database, or one that something else made.
    pub fn is_empty(&self) -> bool {
        self.alembic.is_empty() && self.migrate.is_empty()
    }

    /// Whether a database with these heads stands where `expected` says: alembic's revisions agree,
    /// or, without any, the numbers of every expected repository.
    pub fn stand_at(&self, expected: &Self) -> bool {
        if expected.alembic.is_empty() {
            self.alembic.is_empty()
                && !expected.migrate.is_empty()
                && expected.migrate.iter().all(|(repository, version)| self.migrate.get(repository) == Some(version))
        } else {
            self.alembic == expected.alembic
        }
    }
}

impl fmt::Display for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if !self.alembic.is_empty() {
            self.alembic.iter().map(String::as_str).collect::<Vec<_>>().join(" + ")
        } else if !self.migrate.is_empty() {
            self.migrate.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(" + ")
        } else {
            "none".to_owned()
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftover_numbers_do_not_count_where_alembic_speaks() {
        let mut found = Heads::alembic(["c6214ca60943"]);
        found.migrate.insert("heat".into(), 86);
        assert!(found.stand_at(&Heads::alembic(["c6214ca60943"])));
        let legacy = Heads { migrate: [("heat".to_owned(), 86)].into(), ..Heads::default() };
        assert!(!found.stand_at(&legacy), "a database under alembic was taken for a legacy one");
        assert!(!Heads::default().stand_at(&Heads::default()), "an empty database stands nowhere");
    }

    #[test]
    fn half_of_the_branches_is_not_the_heads() {
        let expected = Heads::alembic(["11c3b243b4cb", "c88cdce8f248"]);
        assert!(!Heads::alembic(["11c3b243b4cb", "e25ffa003242"]).stand_at(&expected));
        assert_eq!(expected.to_string(), "11c3b243b4cb + c88cdce8f248");
    }
}
