//! Which tables PostgreSQL keeps locked for an operation until its transaction ends.
//!
//! Locks on rows are none of these, nor are those of a table that is dropped: nobody who waits for it gets anything. (Nor, which
//! callers look after, are those of a table that the same transaction made: nobody else knows it.)

use super::cost::Waits;
use super::operation::{Change, Constraint, Operation};

/// The tables that an operation locks on PostgreSQL, with what waits for them.
pub(super) fn locks(operation: &Operation) -> Vec<(&str, Waits)> {
    let own = |waits| operation.table.as_deref().map(|table| (table, waits));
    let mut held: Vec<(&str, Waits)> = match &operation.change {
        // The tables that foreign keys lead to: SHARE ROW EXCLUSIVE.
        Change::CreateTable { references, .. } => {
            references.iter().map(|table| (table.as_str(), Waits::Writes)).collect()
        }
        Change::AddConstraint { kind: Constraint::ForeignKey, referent, .. } => {
            own(Waits::Writes).into_iter().chain(referent.as_deref().map(|table| (table, Waits::Writes))).collect()
        }
        // SHARE, and SHARE ROW EXCLUSIVE.
        Change::CreateIndex { .. } | Change::Trigger { create: true } => own(Waits::Writes).into_iter().collect(),
        // ACCESS EXCLUSIVE.
        Change::RenameTable { .. }
        | Change::AddColumn(_)
        | Change::DropColumn { .. }
        | Change::AlterColumn { .. }
        | Change::DropIndex { .. }
        | Change::AddConstraint { .. }
        | Change::DropConstraint { .. }
        | Change::Trigger { create: false } => own(Waits::All).into_iter().collect(),
        Change::DropTable
        | Change::CharacterSet { .. }
        | Change::StorageEngine
        | Change::Rows(_)
        | Change::Routine { .. }
        | Change::Variable { .. }
        | Change::Raises
        | Change::Nothing
        | Change::NotUnderstood { .. } => Vec::new(),
    };
    // A table of which only a part of the name is known.
    held.retain(|(table, _)| !table.contains('\u{fffd}'));
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::read::read;

    #[test]
    fn a_table_is_locked_that_is_altered_and_so_is_one_that_a_foreign_key_leads_to() {
        for (body, expected) in [
            ("op.add_column('t', sa.Column('c', sa.Integer))", "t All"),
            ("op.create_index('i', 't', ['c'])", "t Writes"),
            ("op.create_foreign_key('f', 't', 'p', ['c'], ['id'])", "t Writes, p Writes"),
            ("op.create_table('t', sa.Column('c', sa.Integer, sa.ForeignKey('p.id')))", "p Writes"),
            ("op.drop_index('i', 't')", "t All"),
            ("op.drop_table('t')", ""),
            ("op.execute('UPDATE t SET c = 1')", ""),
        ] {
            let text = format!("from alembic import op\nimport sqlalchemy as sa\ndef upgrade():\n    {body}\n");
            let operations = read(&text);
            let told: Vec<String> =
                locks(&operations[0]).into_iter().map(|(table, waits)| format!("{table} {waits:?}")).collect();
            assert_eq!(told.join(", "), expected, "{body}");
        }
    }
}
