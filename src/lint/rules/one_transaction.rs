//! A release's scripts run in one transaction, which holds each lock until the last of them is done.

use super::{Concerns, Find, N, Phases, Rule, W, done};
use crate::lint::chain::{Chain, Link, Outlasts};
use crate::lint::cost::{Way, cost};
use crate::lint::locks::locks;
use crate::lint::operation::{Change, Operation, Verb};
use crate::lint::read::Transactions;
use crate::lint::server::Target;

pub(super) const RULE: Rule = Rule {
    id: "LF-L07",
    name: "one-transaction",
    detects: "A script locks a table that is there, and a later one of the same release and branch goes over rows in the same transaction; found over a range of releases, and with --diff.",
    phases: Phases::All,
    concerns: Concerns::WhatWasThere,
    why: "Unless env.py says otherwise, alembic runs on PostgreSQL all that one command runs in one transaction. A lock that a script needs for a moment is held until the last one is done; what comes after it decides for how long. MySQL and MariaDB commit each change of a schema. An SQLite file has one writer at a time anyway, and alembic commits there after each script unless the command began a transaction itself.",
    mend: "Give context.configure in env.py `transaction_per_migration=True`, and begin no transaction around it. Operators: take each release by its own scripts, and stop what uses these tables first.",
    decides: "How many scripts the release has, and what those after the lock go over: rows, bytes.",
    sources: &[
        "alembic, runtime/migration.py: MigrationContext.begin_transaction",
        "designate, storage/sqlalchemy/alembic/env.py: transaction_per_migration",
        "nova, db/migration.py: engine.begin() around the upgrade",
        "PostgreSQL, explicit locking: a lock is held until the end of the transaction",
    ],
    severities: [N, N, W, N],
    hit: "# env.py\ncontext.configure(connection=connection)\n# 1a.py\nop.add_column('ports', sa.Column('hint', sa.Text))\n# 2b.py\nop.create_index('ix_agents_host', 'agents', ['host'])",
    near_miss: "# env.py\ncontext.configure(connection=connection, transaction_per_migration=True)\n# 1a.py\nop.add_column('ports', sa.Column('hint', sa.Text))\n# 2b.py\nop.create_index('ix_agents_host', 'agents', ['host'])",
    find: Find::InChain(find),
};

/// How many tables are named.
const NAMED: usize = 3;

fn find(chain: &Chain<'_>, target: Target) -> Option<Outlasts> {
    if chain.transactions == Transactions::Each {
        return None;
    }
    let held: Vec<Vec<(usize, &str)>> = chain.links.iter().map(|link| held(chain, link, target)).collect();
    let slow: Vec<Option<&Operation>> = chain.links.iter().map(|link| slow(chain, link, target)).collect();
    // Locks that outlast their script, with what goes over rows after them in the same transaction.
    let outlasting = (0..chain.links.len()).filter_map(|first| {
        let (operation, _) = *held[first].first()?;
        let end = end(chain, first);
        let after = (first + 1..end).find_map(|link| Some((link, slow[link]?)));
        (first + 1 < end).then_some((first, operation, end, after))
    });
    let outlasting: Vec<_> = outlasting.collect();
    let gravest = outlasting.iter().find(|(.., after)| after.is_some()).or(outlasting.first());
    let (first, operation, end, after) = *gravest?;
    let until = after.map_or(end - 1, |(link, _)| link);
    let mut tables: Vec<&str> = Vec::new();
    for (_, table) in held[first..until].iter().flatten() {
        if !tables.contains(table) {
            tables.push(table);
        }
    }
    let softened = match (chain.transactions, after) {
        (Transactions::Unknown, _) => Some("how env.py has scripts run is not understood"),
        (_, None) => Some("no script after it goes over rows"),
        _ => None,
    };
    let meanwhile =
        after.map(|(link, operation)| format!("; {} {} meanwhile", chain.links[link].name, done(operation)));
    let what = format!(
        "locks {} until the last of {} scripts is done, which run in one transaction{}",
        named(&tables),
        end - first,
        meanwhile.unwrap_or_default()
    );
    Some(Outlasts { link: first, operation, what, softened })
}

/// The link before which the transaction ends in which a link runs.
fn end(chain: &Chain<'_>, first: usize) -> usize {
    let after = first + 1;
    chain.links.iter().skip(after).position(|link| link.ends_transaction).map_or(chain.links.len(), |at| after + at)
}

/// The tables that were there and that a link locks, each with the operation that does it.
fn held<'a>(chain: &Chain<'a>, link: &Link<'a>, target: Target) -> Vec<(usize, &'a str)> {
    let mut held = Vec::new();
    for (at, operation) in on(link.operations, target) {
        let there = locks(operation).into_iter().filter(|(table, _)| !chain.is_new(link, at, Some(table)));
        held.extend(there.map(|(table, _)| (at, table)));
    }
    held
}

/// The first operation of a link that goes over the rows of a table that was there.
fn slow<'a>(chain: &Chain<'a>, link: &Link<'a>, target: Target) -> Option<&'a Operation> {
    let rows = |operation: &Operation| {
        matches!(operation.change, Change::Rows(Verb::Update | Verb::Delete))
            || cost(operation, target).is_some_and(|cost| cost.way != Way::Instant)
    };
    let mut there = on(link.operations, target)
        .filter(|(at, operation)| rows(operation) && !chain.is_new(link, *at, operation.table.as_deref()));
    there.next().map(|(_, operation)| operation)
}

/// The operations that are done on a server, with their places.
fn on(operations: &[Operation], target: Target) -> impl Iterator<Item = (usize, &Operation)> {
    operations.iter().enumerate().filter(move |(_, operation)| operation.engines.contains(target.server.engine()))
}

/// `table a`, `tables a, b and c`, `tables a, b, c and 2 more`.
fn named(tables: &[&str]) -> String {
    match tables {
        [one] => format!("table {one}"),
        [first @ .., last] if tables.len() <= NAMED => format!("tables {} and {last}", first.join(", ")),
        _ => format!("tables {} and {} more", tables[..NAMED].join(", "), tables.len() - NAMED),
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::lint::{Scope, Server, Target, example, judge};

    fn told(text: &str, scope: Scope) -> Vec<String> {
        let targets = Server::ALL.map(Target::usual);
        let found = judge(&example(text), &targets, scope);
        let here = found.into_iter().filter(|finding| finding.rule.id == RULE.id);
        here.map(|finding| {
            let softened = finding.softened.map(|why| format!(" ({why})")).unwrap_or_default();
            let servers: Vec<&str> = finding.servers.keys().map(|server| server.name()).collect();
            format!("{} {} {}{softened}", servers.join(","), finding.severity.word(), finding.what)
        })
        .collect()
    }

    fn together(scripts: &[&str]) -> Vec<String> {
        let mut text = "# env.py\ncontext.configure(connection=connection)\n".to_owned();
        for (number, body) in scripts.iter().enumerate() {
            text.push_str(&format!("# r{}.py\n{body}\n", number + 1));
        }
        told(&text, Scope::Together)
    }

    const ADD: &str = "op.add_column('t', sa.Column('c', sa.Integer))";
    const INDEX: &str = "op.create_index('i', 'u', ['c'])";
    const NEW: &str = "op.create_table('n', sa.Column('c', sa.Integer))";

    #[test]
    fn a_lock_that_outlasts_its_script_is_told_once_with_what_holds_it() {
        assert_eq!(
            together(&[ADD, "op.drop_column('v', 'c')", INDEX, "op.execute('UPDATE w SET c = 1')"]),
            [
                "postgresql warning locks tables t and v until the last of 4 scripts is done, which run in one transaction; r3 \
                 creates an index on table u meanwhile"
            ]
        );
        assert_eq!(
            together(&[
                NEW,
                "op.create_table('m', sa.Column('p', sa.Integer, sa.ForeignKey('p.id')))",
                "op.execute('DELETE FROM w')"
            ]),
            [
                "postgresql warning locks table p until the last of 2 scripts is done, which run in one transaction; r3 deletes \
                 rows of table w meanwhile"
            ]
        );
    }

    #[test]
    fn a_lock_after_which_nothing_goes_over_rows_is_information() {
        let short = "(no script after it goes over rows)";
        assert_eq!(
            together(&[ADD, "op.add_column('u', sa.Column('c', sa.Integer))"]),
            [format!(
                "postgresql information locks table t until the last of 2 scripts is done, which run in one transaction {short}"
            )]
        );
        // What goes over rows comes first.
        assert_eq!(
            together(&["op.execute('UPDATE w SET c = 1')", ADD, NEW]),
            [format!(
                "postgresql information locks table t until the last of 2 scripts is done, which run in one transaction {short}"
            )]
        );
    }

    #[test]
    fn what_holds_no_lock_for_longer_than_its_script_is_passed() {
        let alone = format!("{ADD}\n{INDEX}");
        for scripts in [
            &[alone.as_str()][..],
            &[NEW, ADD],
            &[NEW, "op.add_column('n', sa.Column('d', sa.Integer))", INDEX],
            &["op.execute('UPDATE w SET c = 1')", "op.execute('UPDATE t SET c = 1')"],
            // It is done elsewhere.
            &["if op.get_bind().dialect.name == 'mysql':\n    op.drop_column('t', 'c')", INDEX],
            // The transaction ends in between.
            &[ADD, "with op.get_context().autocommit_block():\n    op.execute('UPDATE w SET c = 1')"],
        ] {
            assert_eq!(together(scripts), [""; 0], "{scripts:?}");
        }
        // Each is looked at by itself: nobody says which are run together.
        assert_eq!(told(RULE.hit, Scope::Each), [""; 0]);
    }

    #[test]
    fn where_env_py_is_not_understood_it_is_information_that_says_so() {
        let text =
            RULE.hit.replace("connection=connection", "connection=connection, transaction_per_migration=conf.each");
        let found = told(&text, Scope::Together);
        assert!(
            found[0].starts_with("postgresql information") && found[0].contains("how env.py has scripts run"),
            "{found:?}"
        );
    }
}
