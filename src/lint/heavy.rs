//! What will take long here: the operations that read, rebuild or copy a table, or change its rows, joined with how large
//! the operator's own tables are.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cost::{Way, cost};
use super::operation::{Change, Operation, Verb};
use super::script::Script;
use super::server::{Server, Target};
use crate::model::{Series, Service};

/// A database of the operator.
#[derive(Debug, Clone)]
pub struct Sized {
    /// Its name: `nova.cells.cell1`.
    pub name: String,
    /// The service that it is of.
    pub service: Service,
    /// Its schema.
    pub schema: String,
    /// Rows, and bytes where they are known, by table.
    pub tables: BTreeMap<String, (u64, Option<u64>)>,
}

/// A table on which something takes as long as it is large.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Heavy {
    /// Its database.
    pub database: String,
    /// Its name.
    pub table: String,
    /// Its rows now, as the server estimates them.
    pub rows: u64,
    /// Its bytes now, with its indexes; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// What is done to it, in this order.
    pub done: Vec<Pass>,
}

/// One operation on such a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Pass {
    /// The release that does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
    /// What it does: `adds a foreign key to`.
    pub does: String,
    /// What it costs on each server, in words.
    pub costs: BTreeMap<Server, String>,
}

/// The tables of these databases that scripts go over, the heaviest first: by bytes (rows, where nobody knows them) times
/// how often.
pub fn heavy(scripts: &[Script], targets: &[Target], databases: &[Sized]) -> Vec<Heavy> {
    let mut found: Vec<Heavy> = Vec::new();
    for database in databases {
        let own =
            |script: &&Script| script.service.as_ref() == Some(&database.service) && script.schema == database.schema;
        for script in scripts.iter().filter(own) {
            for operation in &script.operations {
                let Some((table, (rows, bytes))) =
                    operation.table.as_ref().and_then(|table| database.tables.get_key_value(table))
                else {
                    continue;
                };
                let Some(pass) = pass(script, operation, targets) else { continue };
                let known = found.iter_mut().find(|heavy| heavy.database == database.name && heavy.table == *table);
                match known {
                    Some(heavy) => heavy.done.push(pass),
                    None => found.push(Heavy {
                        database: database.name.clone(),
                        table: table.clone(),
                        rows: *rows,
                        bytes: *bytes,
                        done: vec![pass],
                    }),
                }
            }
        }
    }
    let weight = |heavy: &Heavy| {
        let passes = u64::try_from(heavy.done.len()).unwrap_or(u64::MAX);
        heavy.bytes.unwrap_or(heavy.rows).saturating_mul(passes)
    };
    found.sort_by(|one, two| {
        weight(two).cmp(&weight(one)).then_with(|| (&one.database, &one.table).cmp(&(&two.database, &two.table)))
    });
    found
}

/// What an operation does that takes as long as the table is large; nothing where it does not, on any server.
fn pass(script: &Script, operation: &Operation, targets: &[Target]) -> Option<Pass> {
    let on = targets.iter().filter(|target| operation.engines.contains(target.server.engine()));
    let mut costs: BTreeMap<Server, String> = BTreeMap::new();
    for target in on {
        let words = match (&operation.change, cost(operation, *target)) {
            (Change::Rows(Verb::Update | Verb::Delete), _) if operation.for_each_row => {
                "a statement for each row".to_owned()
            }
            (Change::Rows(Verb::Update | Verb::Delete), _) => "the rows that match, in one statement".to_owned(),
            (_, Some(cost)) if cost.way != Way::Instant => cost.words(),
            _ => continue,
        };
        costs.insert(target.server, words);
    }
    let does = operation.change.verb().to_owned();
    (!costs.is_empty()).then(|| Pass { series: script.series.clone(), does, costs })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::read::read;

    #[test]
    fn tables_are_ranked_by_their_size_and_by_how_often_they_are_gone_over() {
        let text = "from alembic import op\nimport sqlalchemy as sa\ndef upgrade():\n    op.create_index('i', 'small', ['c'])\n    op.create_index('i', 'large', ['c'])\n    op.add_column('huge', sa.Column('c', sa.Integer))\n    op.execute('DELETE FROM small')\n    op.create_foreign_key('f', 'small', 'large', ['c'], ['id'])\n    op.create_index('i', 'absent', ['c'])\n";
        let service: Service = "nova".parse().expect("a service");
        let script = Script {
            series: None,
            service: Some(service.clone()),
            schema: "nova".into(),
            file: "a.py".into(),
            text: text.into(),
            revision: None,
            branch: None,
            operations: read(text),
            remarks: Vec::new(),
            models: None,
            transactions: None,
        };
        let tables = [("small", 40), ("large", 100), ("huge", 100_000)];
        let tables: BTreeMap<_, _> = tables.map(|(name, bytes)| (name.to_owned(), (1, Some(bytes)))).into();
        let other =
            Sized { name: "api".into(), service: service.clone(), schema: "nova_api".into(), tables: tables.clone() };
        let cell = Sized { name: "cell1".into(), service, schema: "nova".into(), tables };
        let found = heavy(&[script], &[Target::usual(Server::Mariadb)], &[other, cell]);
        let told: Vec<String> = found
            .iter()
            .map(|heavy| {
                let done: Vec<String> =
                    heavy.done.iter().map(|pass| format!("{}: {}", pass.does, pass.costs[&Server::Mariadb])).collect();
                format!("{} {}: {}", heavy.database, heavy.table, done.join("; "))
            })
            .collect();
        assert_eq!(
            told,
            [
                "cell1 small: creates an index on: reads the table, reads and writes go on; deletes rows of: the rows that \
                 match, in one statement; adds a foreign key to: copies the table, writes wait",
                "cell1 large: creates an index on: reads the table, reads and writes go on",
            ]
        );
    }
}
