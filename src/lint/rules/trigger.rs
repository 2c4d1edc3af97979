//! A trigger, a view or a routine is made.

use super::{Concerns, Find, N, Phases, Rule, Surroundings, W, table_of};
use crate::lint::operation::{Change, Operation};

pub(super) const RULE: Rule = Rule {
    id: "LF-P06",
    name: "trigger",
    detects: "A trigger, a view, a procedure or a function is created.",
    phases: Phases::All,
    concerns: Concerns::TheScript,
    why: "With a binary log a trigger or a function needs SUPER, or log_bin_trust_function_creators. It stays until a contract script of the same release drops it.",
    mend: "Drop it in the contract script of the same release.",
    decides: "Writes to the table while it is there.",
    sources: &["keystone, contributor/database-migrations", "MySQL reference manual, stored program binary logging"],
    severities: [W, W, W, N],
    hit: "op.execute('CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW SET @x = 1')",
    near_miss: "op.execute('DROP TRIGGER t')",
    find: Find::InOperation(find),
};

fn find(operation: &Operation, _: &Surroundings<'_>) -> Option<String> {
    match operation.change {
        Change::Trigger { create: true } => Some(format!("creates a trigger on {}", table_of(operation))),
        Change::Routine { create: true } => Some("creates a view, a procedure or a function".to_owned()),
        _ => None,
    }
}
