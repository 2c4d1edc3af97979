//! Which tables have row triggers, and which of them can be walked through.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::key::Column;
use super::ledger::{self, LEDGER};
use super::statements::Sql;
use crate::database::{Connection, Keyed, QueryError, RowTrigger};
use crate::model::Engine;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only these tables; none: all that have triggers.
    pub tables: BTreeSet<String>,
    /// What counts the rows of a table that its trigger has still to work on.
    pub remainders: BTreeMap<String, String>,
    /// Whether nobody inserts rows meanwhile.
    pub no_inserts: bool,
    /// Whether a playbook's step asks, whose words the mends are in; otherwise a command line.
    pub step: bool,
}

/// A table that can be walked through.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The triggers that run for updates.
    pub triggers: Vec<String>,
    /// How many rows it has, as the server knows it.
    pub rows: u64,
    /// How many bytes, where the server knows it.
    pub bytes: Option<u64>,
    /// What counts the rows that are left.
    pub remainder: Option<String>,
    pub(super) sql: Sql,
    /// Says whether triggers and key are still those that a walk began with.
    pub(super) mark: String,
}

/// Why a table cannot be walked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The table.
    pub table: String,
    /// What is wrong.
    pub what: String,
    /// What to do next.
    pub next: String,
}

/// What was found in a database.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    /// Tables that can be walked through.
    pub tables: Vec<Table>,
    /// Tables with triggers that cannot.
    pub flaws: Vec<Flaw>,
}

/// Looks which tables have row triggers for updates.
///
/// # Errors
/// The database does not tell.
pub async fn survey(connection: &mut Connection, choice: &Choice) -> Result<Survey, QueryError> {
    let mut by_table: BTreeMap<String, Vec<RowTrigger>> = BTreeMap::new();
    for trigger in connection.row_triggers().await? {
        by_table.entry(trigger.table.clone()).or_default().push(trigger);
    }
    by_table.retain(|table, triggers| {
        triggers.iter().any(|trigger| trigger.update)
            && table != LEDGER
            && (choice.tables.is_empty() || choice.tables.contains(table))
    });
    let mut survey = Survey::default();
    if by_table.is_empty() {
        return Ok(survey);
    }
    let sizes = connection.table_sizes().await?;
    for (name, triggers) in by_table {
        let keyed = connection.keyed(&name).await?;
        match judge(connection.engine(), &name, &triggers, keyed, choice) {
            Err(flaw) => survey.flaws.push(flaw),
            Ok((sql, mark)) => {
                let size = sizes.get(&name);
                survey.tables.push(Table {
                    triggers: triggers.iter().filter(|one| one.update).map(|one| one.name.clone()).collect(),
                    rows: size.map_or(0, |size| size.rows),
                    bytes: size.and_then(|size| size.bytes),
                    remainder: choice.remainders.get(&name).cloned(),
                    name,
                    sql,
                    mark,
                });
            }
        }
    }
    Ok(survey)
}

/// Whether named tables could be walked through, whatever triggers they have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suited {
    /// Those that are not there.
    pub absent: Vec<String>,
    /// Those that could not.
    pub flaws: Vec<Flaw>,
}

/// Looks whether these tables could be walked through, before there are triggers.
///
/// # Errors
/// The database does not tell.
pub async fn suited(connection: &mut Connection, tables: &BTreeSet<&str>) -> Result<Suited, QueryError> {
    let mut suited = Suited::default();
    for table in tables {
        let engine = connection.engine();
        match connection.rows(&format!("SELECT 1 FROM {} WHERE 1 = 0", crate::database::name(engine, table))).await {
            Err(QueryError::NoTable { .. }) => suited.absent.push((*table).to_owned()),
            Err(error) => return Err(error),
            Ok(_) => {
                let keyed = connection.keyed(table).await?;
                suited.flaws.extend(walkable(engine, table, &keyed, true).err());
            }
        }
    }
    Ok(suited)
}

/// The key that the table's rows are found along, or why they cannot be.
fn walkable(engine: Engine, table: &str, keyed: &Keyed, step: bool) -> Result<Vec<Column>, Flaw> {
    let leave = if step { "" } else { ", or name the other tables with --table" };
    let flaw = |what: &str, next: &str| Flaw {
        table: table.to_owned(),
        what: what.to_owned(),
        next: format!("{next}{leave}"),
    };
    if keyed.key.is_empty() {
        return Err(flaw("it has no primary key, along which its rows could be found", "give it one"));
    }
    if engine == Engine::Mysql && !keyed.storage.eq_ignore_ascii_case("InnoDB") {
        let what = format!("its storage engine is {}, which has no transactions", keyed.storage);
        return Err(flaw(&what, "ALTER TABLE … ENGINE=InnoDB"));
    }
    let mut key = Vec::new();
    for column in &keyed.key {
        let Some(carried) = Column::of(engine, column) else {
            let cut = if column.cut { ", of which only the beginning is in the key" } else { "" };
            let what = format!(
                "the column `{}` of its primary key is {}{cut}: rows cannot be found along it without loss",
                column.name, column.kind
            );
            let next = if step {
                "touch its rows by hand, and leave it out in a copy of the playbook"
            } else {
                "touch its rows by hand"
            };
            return Err(flaw(&what, next));
        };
        key.push(carried);
    }
    Ok(key)
}

/// How far earlier walks of a table came since its triggers appeared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// There was none.
    Nothing,
    /// So many rows were touched, and others were not.
    Rows(u64),
    /// Every row was.
    All,
}

/// How far a table is, as far as the ledger says.
///
/// # Errors
/// The database does not tell.
pub async fn reached(connection: &mut Connection, table: &Table) -> Result<Reached, QueryError> {
    let parts = match ledger::read(connection, &table.name).await {
        Ok(parts) => parts.unwrap_or_default(),
        Err(QueryError::NoTable { .. }) => return Ok(Reached::Nothing),
        Err(error) => return Err(error),
    };
    Ok(if parts.is_empty() || parts.iter().any(|part| part.mark != table.mark) {
        Reached::Nothing
    } else if parts.iter().all(|part| part.finished) {
        Reached::All
    } else {
        Reached::Rows(parts.iter().map(|part| part.touched).sum())
    })
}

/// The table's SQL and mark, or why it cannot be walked through.
fn judge(
    engine: Engine,
    table: &str,
    triggers: &[RowTrigger],
    keyed: Keyed,
    choice: &Choice,
) -> Result<(Sql, String), Flaw> {
    let key = walkable(engine, table, &keyed, choice.step)?;
    if !triggers.iter().any(|trigger| trigger.insert) && !choice.remainders.contains_key(table) && !choice.no_inserts {
        let given = if choice.step {
            "as the table's `remainder` in the playbook".to_owned()
        } else {
            format!("--remainder '{table}=SELECT …'; or say that nobody inserts rows, --no-inserts")
        };
        return Err(Flaw {
            table: table.to_owned(),
            what: "no trigger runs for rows that are inserted meanwhile, so that some may be missed".to_owned(),
            next: format!("create one for inserts; or give a query that counts what is left, {given}"),
        });
    }
    let mut wanted: Vec<String> = Vec::new();
    let named = triggers.iter().filter(|trigger| trigger.update).flat_map(|trigger| &trigger.columns);
    for column in named.chain(&keyed.clocks) {
        if !wanted.contains(column) {
            wanted.push(column.clone());
        }
    }
    let mut digest = Sha256::new();
    // Which column is set besides those makes no difference to the triggers: it may become another one, by a new index.
    let parts = key.iter().map(Column::identity).chain(wanted.iter().cloned());
    for part in parts.chain(triggers.iter().map(|trigger| format!("{}|{}", trigger.name, trigger.identity))) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let set = if wanted.contains(&keyed.settable) { wanted } else { [vec![keyed.settable], wanted].concat() };
    let mark = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((Sql { engine, table: table.to_owned(), alone: keyed.alone, key, set }, mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::KeyColumn;

    fn trigger(name: &str, insert: bool, identity: &str) -> RowTrigger {
        let columns = if insert { Vec::new() } else { vec!["b".to_owned()] };
        let (table, name, identity) = ("t".to_owned(), name.to_owned(), identity.to_owned());
        RowTrigger { table, name, insert, update: !insert, columns, identity }
    }

    fn keyed(kind: &str) -> Keyed {
        let [charset, collation] = [String::new(), String::new()];
        let key = vec![KeyColumn { name: "id".to_owned(), kind: kind.to_owned(), charset, collation, cut: false }];
        Keyed {
            key,
            storage: "InnoDB".to_owned(),
            settable: "id".to_owned(),
            clocks: vec!["updated_at".to_owned()],
            alone: false,
        }
    }

    fn told(triggers: &[RowTrigger], keyed: Keyed, choice: &Choice) -> Result<(Sql, String), String> {
        judge(Engine::Mysql, "t", triggers, keyed, choice).map_err(|flaw| format!("{}; {}", flaw.what, flaw.next))
    }

    #[test]
    fn a_table_that_cannot_be_walked_through_is_refused_with_the_mend() {
        let both = [trigger("u", false, "1"), trigger("i", true, "1")];
        let choice = Choice::default();
        assert!(told(&both, Keyed::default(), &choice).expect_err("no key").contains("no primary key"));
        assert!(told(&both, keyed("float"), &choice).expect_err("a float").contains("`id`"));
        let old = Keyed { storage: "MyISAM".to_owned(), ..keyed("int") };
        assert!(told(&both, old, &choice).expect_err("MyISAM").contains("ENGINE=InnoDB"));
        let uncovered = told(&both[..1], keyed("int"), &choice).expect_err("no trigger for inserts");
        assert!(uncovered.contains("--remainder") && uncovered.contains("--no-inserts"), "{uncovered}");
        assert!(told(&both[..1], keyed("int"), &Choice { no_inserts: true, ..Choice::default() }).is_ok());
    }

    #[test]
    fn columns_are_set_that_a_trigger_waits_for_or_that_would_change_by_themselves() {
        let (sql, _) = told(&[trigger("u", false, "1"), trigger("i", true, "1")], keyed("int"), &Choice::default())
            .expect("a table");
        assert_eq!(sql.set, ["id", "b", "updated_at"]);
    }

    #[test]
    fn a_trigger_that_is_made_anew_is_another_one() {
        let mark = |identity: &str, kind: &str| {
            let triggers = [trigger("u", false, identity), trigger("i", true, "1")];
            told(&triggers, keyed(kind), &Choice::default()).expect("a table").1
        };
        assert_eq!(mark("1", "int"), mark("1", "int"));
        let other = Keyed { settable: "name".to_owned(), ..keyed("int") };
        let (sql, same) =
            told(&[trigger("u", false, "1"), trigger("i", true, "1")], other, &Choice::default()).expect("a table");
        assert_eq!((sql.set, same), (["name", "b", "updated_at"].map(str::to_owned).to_vec(), mark("1", "int")));
        assert_ne!(mark("1", "int"), mark("2", "int"));
        assert_ne!(mark("1", "int"), mark("1", "varchar"));
    }
}
