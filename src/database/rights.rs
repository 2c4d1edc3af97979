//! What a migration needs of its user and of its database: rights, and one character set throughout.

use std::collections::{BTreeMap, BTreeSet};

use super::asked::{Granted, Right, granted};
use super::connection::{Connection, QueryError};
use crate::model::{ConnectionUrl, Engine};

/// What migrations of every service do.
const NEEDED: [&str; 8] = ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX"];

/// Rights that a user lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lacking {
    /// What it may not do, as the server calls it, or in words.
    pub rights: Vec<String>,
    /// Whether a role may give them, which is not looked into.
    pub unclear: bool,
}

/// Character sets of a database, by the names that MySQL gives them now: `utf8mb3`, never `utf8`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CharacterSets {
    /// What new tables get that name none.
    pub default: String,
    /// How many tables have which.
    pub tables: BTreeMap<String, u64>,
}

impl Connection {
    /// What this user lacks of the rights that migrations need in the database of `url`; with `triggers`, that of
    /// creating some, too.
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn lacking(&mut self, url: &ConnectionUrl, triggers: bool) -> Result<Lacking, QueryError> {
        match self.engine() {
            Engine::Mysql => Ok(lacking(&self.grants().await?, url.name(), triggers)),
            Engine::Postgresql => {
                let mut rights = Vec::new();
                if self.number("SELECT has_schema_privilege(current_schema(), 'CREATE')::int").await? < 1.0 {
                    rights.push("CREATE in the schema".to_owned());
                }
                let owned = "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = \
                             c.relnamespace WHERE c.relkind IN ('r', 'p') AND n.nspname = current_schema() AND NOT \
                             pg_has_role(current_user, c.relowner, 'USAGE')";
                let foreign = self.number(owned).await?;
                if foreign > 0.0 {
                    rights.push(format!("ownership of {foreign} of its tables"));
                }
                Ok(Lacking { rights, unclear: false })
            }
            Engine::Sqlite => {
                let access = rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK;
                let path = std::path::Path::new(url.name());
                let beside = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                let beside = beside.unwrap_or(std::path::Path::new("."));
                let mut rights = Vec::new();
                for (part, name) in [(path, "the file"), (beside, "its directory, where SQLite keeps its journal")] {
                    if rustix::fs::access(part, access).is_err() {
                        rights.push(format!("writing to {name}"));
                    }
                }
                Ok(Lacking { rights, unclear: false })
            }
        }
    }

    /// Whether this user may create triggers in its database, and so sees what those do that are there (MySQL, MariaDB), as far as
    /// its grants tell. PostgreSQL and SQLite show them to everybody.
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn may_trigger(&mut self) -> Result<Right, QueryError> {
        if self.engine() != Engine::Mysql {
            return Ok(Right::Held);
        }
        let name: String = self.rows("SELECT DATABASE()").await?.concat().into_iter().flatten().collect();
        Ok(may_trigger(&self.grants().await?, &name))
    }

    /// The character sets of this database. SQLite has none.
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn character_sets(&mut self) -> Result<CharacterSets, QueryError> {
        let (default, tables) = match self.engine() {
            Engine::Sqlite => return Ok(CharacterSets::default()),
            Engine::Postgresql => ("SHOW server_encoding", None),
            Engine::Mysql => (
                "SELECT @@character_set_database",
                Some(
                    "SELECT SUBSTRING_INDEX(table_collation, '_', 1), COUNT(*) FROM information_schema.tables WHERE \
                     table_schema = DATABASE() AND table_type = 'BASE TABLE' GROUP BY 1",
                ),
            ),
        };
        let mut sets = CharacterSets { default: modern(&self.value(default).await?), ..CharacterSets::default() };
        for row in match tables {
            Some(tables) => self.rows(tables).await?,
            None => Vec::new(),
        } {
            let [Some(set), Some(number)] = &row[..] else { continue };
            *sets.tables.entry(modern(set)).or_default() += number.parse::<u64>().unwrap_or_default();
        }
        Ok(sets)
    }
}

/// The name that a character set has in newer servers: `utf8` once meant three bytes a character.
fn modern(set: &str) -> String {
    if set == "utf8" { "utf8mb3".to_owned() } else { set.to_owned() }
}

/// What `SHOW GRANTS` leaves out of what migrations need in the database `name`.
fn lacking(grants: &[String], name: &str, triggers: bool) -> Lacking {
    let mut held = BTreeSet::new();
    let mut unclear = false;
    for grant in grants {
        match granted(grant, name) {
            Granted::All => return Lacking::default(),
            Granted::These(privileges) => held.extend(privileges),
            Granted::Role => unclear = true,
            Granted::Elsewhere => {}
        }
    }
    let needed = NEEDED.into_iter().chain(["REFERENCES"]).chain(triggers.then_some("TRIGGER"));
    let rights: Vec<String> = needed.filter(|right| !held.contains(right)).map(str::to_owned).collect();
    let unclear = unclear && !rights.is_empty();
    Lacking { rights, unclear }
}

/// Whether `SHOW GRANTS` gives the right to create triggers in the whole database `name`.
fn may_trigger(grants: &[String], name: &str) -> Right {
    let Lacking { rights, unclear } = lacking(grants, name, true);
    match rights.iter().any(|right| right == "TRIGGER") {
        false => Right::Held,
        true if unclear => Right::Unclear,
        true => Right::Lacking,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_tell_whether_triggers_can_be_made_and_seen() {
        let right = |grants: &[&str]| {
            may_trigger(&grants.iter().map(|grant| (*grant).to_owned()).collect::<Vec<_>>(), "keystone")
        };
        let some = "GRANT SELECT, UPDATE ON `keystone`.* TO `k`@`%`";
        assert_eq!(right(&["GRANT ALL PRIVILEGES ON `keystone`.* TO `k`@`%`"]), Right::Held);
        assert_eq!(right(&[some, "GRANT TRIGGER ON *.* TO `k`@`%`"]), Right::Held);
        assert_eq!(right(&[some]), Right::Lacking);
        assert_eq!(right(&[some, "GRANT ALL PRIVILEGES ON `glance`.* TO `k`@`%`"]), Right::Lacking);
        assert_eq!(right(&[some, "GRANT `dba` TO `k`@`%`"]), Right::Unclear);
    }

    #[test]
    fn grants_of_several_lines_are_added_up_and_what_is_left_out_is_named() {
        let lacks = |grants: &[&str], triggers: bool| {
            let grants: Vec<String> = grants.iter().map(|grant| (*grant).to_owned()).collect();
            lacking(&grants, "nova", triggers)
        };
        let most = "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX ON `nova`.* TO `n`@`%`";
        assert_eq!(lacks(&["GRANT ALL PRIVILEGES ON `nova`.* TO `n`@`%`"], true), Lacking::default());
        assert_eq!(lacks(&[most], false).rights, ["ALTER"]);
        assert_eq!(lacks(&[most, "GRANT ALTER ON *.* TO `n`@`%`"], true).rights, ["TRIGGER"]);
        assert_eq!(lacks(&[most, "GRANT ALTER ON *.* TO `n`@`%`"], false), Lacking::default());
        let elsewhere = lacks(&["GRANT ALL PRIVILEGES ON `glance`.* TO `n`@`%`", "GRANT `dba` TO `n`@`%`"], false);
        assert_eq!((elsewhere.rights.len(), elsewhere.unclear), (9, true));
        assert_eq!(modern("utf8"), "utf8mb3");
    }
}
