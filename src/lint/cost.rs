//! What an operation costs on a server: how the table is changed, and who waits meanwhile.
//!
//! Row-independent: measured with ALGORITHM and LOCK clauses on MariaDB 10.11.19 and MySQL 9.7.4, and by the locks and
//! the files that PostgreSQL 15.18 held; versions before and after from the vendors' manuals. What a script does not say
//! (whether a column has an index, how wide its characters are) is taken for the dearer of both where it matters.

use super::operation::{Alteration, Change, Constraint, Operation, Type};
use super::server::{Server, Target};

/// How a table is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Its description alone, whatever it holds.
    Instant,
    /// It is read, or an index of it built.
    Read,
    /// It is written anew, beside what goes on.
    Rebuilt,
    /// It is copied.
    Copied,
}

/// What waits meanwhile, but for the moment in which the description changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waits {
    /// Nothing.
    Nothing,
    /// Writes.
    Writes,
    /// Reads and writes.
    All,
}

/// What an operation costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// How the table is changed.
    pub way: Way,
    /// What waits meanwhile.
    pub waits: Waits,
    /// Whether it depends on something that the script does not say.
    pub unsure: bool,
}

const INSTANT: Cost = Cost { way: Way::Instant, waits: Waits::Nothing, unsure: false };
const REBUILT: Cost = Cost { way: Way::Rebuilt, waits: Waits::Nothing, unsure: false };
const COPIED: Cost = Cost { way: Way::Copied, waits: Waits::Writes, unsure: false };

impl Cost {
    fn read(waits: Waits) -> Self {
        Self { way: Way::Read, waits, unsure: false }
    }

    fn unsure(self) -> Self {
        Self { unsure: true, ..self }
    }

    /// In words.
    pub fn words(self) -> String {
        let way = match self.way {
            Way::Instant => "instant",
            Way::Read => "reads the table",
            Way::Rebuilt => "rebuilds the table",
            Way::Copied => "copies the table",
        };
        let waits = match (self.way, self.waits) {
            (Way::Instant, _) => "",
            (_, Waits::Nothing) => ", reads and writes go on",
            (_, Waits::Writes) => ", writes wait",
            (_, Waits::All) => ", reads and writes wait",
        };
        format!("{}{way}{waits}", if self.unsure { "at worst " } else { "" })
    }
}

/// What an operation costs on a server; nothing where it changes no table, or is not understood.
pub fn cost(operation: &Operation, target: Target) -> Option<Cost> {
    if !operation.change.is_of_table()
        || matches!(operation.change, Change::Rows(_) | Change::Trigger { .. } | Change::NotUnderstood { .. })
    {
        return None;
    }
    Some(match target.server {
        Server::Mysql | Server::Mariadb => mysql(&operation.change, target),
        Server::Postgresql => postgresql(&operation.change, target),
        Server::Sqlite => sqlite(&operation.change),
    })
}

/// A copy, beside which MariaDB lets writes go on since 11.2 (MDEV-16329); not where foreign keys of the table cascade
/// (MDEV-29068).
fn copied(target: Target) -> Cost {
    if target.is_since(Server::Mariadb, [11, 2, 0]) { Cost { waits: Waits::Nothing, ..COPIED } } else { COPIED }
}

fn mysql(change: &Change, target: Target) -> Cost {
    let since = |mysql, mariadb| target.is_since(Server::Mysql, mysql) || target.is_since(Server::Mariadb, mariadb);
    let instant = |mysql, mariadb| if since(mysql, mariadb) { INSTANT } else { REBUILT };
    match change {
        Change::AddColumn(column) if column.computed_default => copied(target).unsure(),
        Change::AddColumn(_) => instant([8, 0, 12], [10, 3, 2]),
        // Of a column with an index MySQL rebuilds the table; MariaDB drops the index with it.
        Change::DropColumn { .. } if target.server == Server::Mysql => {
            Cost { unsure: target.is_since(Server::Mysql, [8, 0, 29]), ..REBUILT }
        }
        Change::DropColumn { .. } => instant([8, 0, 29], [10, 4, 0]),
        Change::AlterColumn { alteration, .. } => altered_mysql(alteration, target),
        Change::CreateIndex { .. } | Change::AddConstraint { kind: Constraint::Unique, .. } => {
            Cost::read(Waits::Nothing)
        }
        Change::AddConstraint { kind: Constraint::ForeignKey | Constraint::Check, .. }
        | Change::CharacterSet { convert: true }
        | Change::StorageEngine => copied(target),
        Change::AddConstraint { kind: Constraint::PrimaryKey, .. }
        | Change::DropConstraint { kind: Some(Constraint::PrimaryKey), .. } => REBUILT,
        _ => INSTANT,
    }
}

fn altered_mysql(alteration: &Alteration, target: Target) -> Cost {
    let flips = match (alteration.nullable, alteration.was_nullable) {
        (Some(now), Some(before)) => now != before,
        (Some(_), None) => true,
        (None, _) => false,
    };
    let rest = if flips { Cost { unsure: alteration.was_nullable.is_none(), ..REBUILT } } else { INSTANT };
    if !alteration.retyped
        || alteration.kind.is_some() && alteration.kind == alteration.existing && !is_enum(alteration)
    {
        return rest;
    }
    match (&alteration.existing, &alteration.kind) {
        (Some(old), Some(new)) if old.name.eq_ignore_ascii_case(&new.name) => match (old.length, new.length) {
            // VARCHAR keeps its length in one byte up to 255 bytes; 3 or 4 bytes a character.
            (Some(old), Some(new)) if old <= new => match (crosses(old, new, 3), crosses(old, new, 4)) {
                (false, false) => rest,
                (true, true) => copied(target),
                _ => copied(target).unsure(),
            },
            // An enumeration that gets values at its end stays as it is; else it is copied.
            _ if is_enum(alteration) => copied(target).unsure(),
            _ => copied(target),
        },
        (Some(_), Some(_)) => copied(target),
        // Nobody says what it was.
        _ => copied(target).unsure(),
    }
}

fn is_enum(alteration: &Alteration) -> bool {
    let named = |kind: &Option<Type>| kind.as_ref().is_some_and(|kind| kind.name.eq_ignore_ascii_case("enum"));
    named(&alteration.kind) && named(&alteration.existing)
}

fn crosses(old: u64, new: u64, width: u64) -> bool {
    old.saturating_mul(width) < 256 && new.saturating_mul(width) >= 256
}

fn postgresql(change: &Change, target: Target) -> Cost {
    let rewritten = Cost { way: Way::Copied, waits: Waits::All, unsure: false };
    match change {
        Change::AddColumn(column) if column.computed_default => rewritten.unsure(),
        Change::AddColumn(column) if column.server_default && !target.is_since(Server::Postgresql, [11, 0, 0]) => {
            rewritten
        }
        Change::AlterColumn { alteration, .. } => {
            if alteration.retyped
                && let Some(cost) = retyped_postgresql(alteration)
            {
                return cost;
            }
            match (alteration.nullable, alteration.was_nullable) {
                (Some(false), Some(false)) => INSTANT,
                (Some(false), _) => Cost::read(Waits::All),
                _ => INSTANT,
            }
        }
        Change::CreateIndex { .. } => Cost::read(Waits::Writes),
        Change::AddConstraint { kind: Constraint::ForeignKey, .. } => Cost::read(Waits::Writes),
        Change::AddConstraint { .. } => Cost::read(Waits::All),
        _ => INSTANT,
    }
}

/// What another type costs on PostgreSQL; nothing where the table stays as it is.
fn retyped_postgresql(alteration: &Alteration) -> Option<Cost> {
    const TEXTS: [&str; 6] = ["String", "Unicode", "Text", "UnicodeText", "MediumText", "LongText"];
    let rewritten = Cost { way: Way::Copied, waits: Waits::All, unsure: false };
    let (Some(old), Some(new)) = (&alteration.existing, &alteration.kind) else { return Some(rewritten.unsure()) };
    let text = |kind: &Type| TEXTS.iter().any(|name| name.eq_ignore_ascii_case(&kind.name));
    let shorter = matches!((old.length, new.length), (Some(old), Some(new)) if new < old)
        || old.length.is_none() && new.length.is_some();
    if old == new || text(old) && text(new) && !shorter {
        return None;
    }
    // A type of PostgreSQL's own: values are added to it by a statement of their own.
    (!is_enum(alteration)).then_some(rewritten)
}

/// What SQLite cannot alter, alembic's batches copy.
fn sqlite(change: &Change) -> Cost {
    match change {
        Change::DropColumn { .. }
        | Change::AlterColumn { .. }
        | Change::AddConstraint { .. }
        | Change::DropConstraint { .. } => COPIED,
        Change::CreateIndex { .. } => Cost::read(Waits::Writes),
        _ => INSTANT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::read::read;

    fn words(body: &str, server: Server, version: &str) -> String {
        let operations =
            read(&format!("from alembic import op\nimport sqlalchemy as sa\ndef upgrade():\n    {body}\n"));
        let target = Target { server, version: version.parse().expect("a version") };
        cost(&operations[0], target).map(Cost::words).unwrap_or_default()
    }

    #[test]
    fn operations_cost_what_was_measured() {
        use Server::{Mariadb, Mysql, Postgresql, Sqlite};
        const COPY: &str = "copies the table, writes wait";
        const FREE: &str = "copies the table, reads and writes go on";
        let shorten =
            "op.alter_column('t', 'c', existing_type=sa.String(64), type_=sa.String(32), existing_nullable=True)";
        let widen = |old, new| {
            format!(
                "op.alter_column('t', 'c', existing_type=sa.String({old}), type_=sa.String({new}), existing_nullable=True)"
            )
        };
        for (body, server, version, expected) in [
            ("op.add_column('t', sa.Column('c', sa.Integer))", Mysql, "8.0.35", "instant"),
            (
                "op.add_column('t', sa.Column('c', sa.Integer))",
                Mysql,
                "5.7.44",
                "rebuilds the table, reads and writes go on",
            ),
            (
                "op.add_column('t', sa.Column('c', sa.String(36), server_default=sa.text('uuid()')))",
                Mysql,
                "9.7.4",
                &format!("at worst {COPY}"),
            ),
            (
                "op.execute('ALTER TABLE t ADD COLUMN c CHAR(36) DEFAULT (uuid())')",
                Mariadb,
                "10.11",
                &format!("at worst {COPY}"),
            ),
            ("op.add_column('t', sa.Column('c', sa.Integer, server_default=sa.text('0')))", Mysql, "9.7.4", "instant"),
            (
                "op.add_column('t', sa.Column('c', sa.DateTime, server_default=sa.func.now()))",
                Postgresql,
                "15",
                "instant",
            ),
            (
                "op.add_column('t', sa.Column('c', sa.String(36), server_default=sa.func.gen_random_uuid()))",
                Postgresql,
                "15",
                "at worst copies the table, reads and writes wait",
            ),
            ("op.drop_column('t', 'c')", Mysql, "8.0.28", "rebuilds the table, reads and writes go on"),
            ("op.drop_column('t', 'c')", Mysql, "8.0.29", "at worst rebuilds the table, reads and writes go on"),
            ("op.drop_column('t', 'c')", Mariadb, "10.11", "instant"),
            ("op.drop_column('t', 'c')", Sqlite, "3.40", COPY),
            (shorten, Mysql, "9.7.4", COPY),
            (shorten, Mariadb, "10.11", COPY),
            (shorten, Mariadb, "11.4", FREE),
            (shorten, Postgresql, "15", "copies the table, reads and writes wait"),
            (&widen(64, 255), Mysql, "9.7.4", &format!("at worst {COPY}")),
            (&widen(32, 255), Mysql, "9.7.4", COPY),
            (&widen(255, 1024), Mariadb, "10.11", "instant"),
            (&widen(32, 60), Mysql, "9.7.4", "instant"),
            (&widen(32, 255), Postgresql, "15", "instant"),
            (
                "op.alter_column('t', 'c', nullable=False)",
                Mysql,
                "9.7.4",
                "at worst rebuilds the table, reads and writes go on",
            ),
            (
                "op.alter_column('t', 'c', nullable=False, existing_nullable=True)",
                Mysql,
                "9.7.4",
                "rebuilds the table, reads and writes go on",
            ),
            ("op.alter_column('t', 'c', nullable=False)", Postgresql, "15", "reads the table, reads and writes wait"),
            ("op.alter_column('t', 'c', server_default='x')", Mysql, "9.7.4", "instant"),
            ("op.create_index('i', 't', ['c'])", Mysql, "9.7.4", "reads the table, reads and writes go on"),
            ("op.create_index('i', 't', ['c'])", Postgresql, "15", "reads the table, writes wait"),
            (
                "op.create_unique_constraint('u', 't', ['c'])",
                Postgresql,
                "15",
                "reads the table, reads and writes wait",
            ),
            ("op.create_foreign_key('f', 't', 'p', ['c'], ['id'])", Mariadb, "10.11", COPY),
            ("op.create_foreign_key('f', 't', 'p', ['c'], ['id'])", Mysql, "8.4", COPY),
            ("op.execute('ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4')", Mysql, "9.7.4", COPY),
            ("op.create_table('t', sa.Column('c', sa.Integer))", Mysql, "9.7.4", "instant"),
            ("op.execute('UPDATE t SET c = 1')", Mysql, "9.7.4", ""),
        ] {
            assert_eq!(words(body, server, version), expected, "{body} on {} {version}", server.name());
        }
    }
}
