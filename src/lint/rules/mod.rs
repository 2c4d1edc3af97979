//! The rules: what in a migration script is a fault, where, and how grave on each engine.
//!
//! One file a rule. Each has an example that it finds and one that it passes, which are its tests, a part of what
//! `leapfrog lint --explain` says, and of its place in `docs/lint-rules.md`. A rule looks at operations, never at text, so that a
//! loop, a helper function and SQL are all the same to it.

mod added_constraint;
mod added_unique;
mod additive_in_contract;
mod bulk_rows;
mod changed_type;
mod character_set;
mod data_in_expand;
mod data_loss;
mod dearer;
mod destructive_in_expand;
mod divergence;
mod dropped_column;
mod dropped_constraint;
mod dropped_default;
mod dropped_index;
mod dropped_table;
mod exclusive_lock;
mod extended_enum;
mod guessed_name;
mod history_edited;
mod index_build;
mod inspected;
mod live_code;
mod not_rerunnable;
mod not_understood;
mod one_transaction;
mod parent_lock;
mod python_default;
mod recreated_table;
mod refuses_rows;
mod renamed;
mod repeated_alter;
mod replaced_column;
mod required_column;
mod row_loop;
mod rule;
mod set_not_null;
mod silent_change;
mod still_mapped;
mod storage_engine;
mod table_copy;
mod table_rebuild;
mod trigger;
mod unreachable;
mod unseen;
mod unstated_attributes;
mod variable;
mod widened_type;
mod widening;

pub(super) use self::rule::is_new;
pub use self::rule::{Concerns, Find, Phases, Rule, Severity, Surroundings};
use super::operation::Operation;

/// Every rule, by its number.
pub const RULES: &[&Rule] = &[
    &dropped_column::RULE,
    &dropped_table::RULE,
    &renamed::RULE,
    &required_column::RULE,
    &python_default::RULE,
    &set_not_null::RULE,
    &changed_type::RULE,
    &widened_type::RULE,
    &extended_enum::RULE,
    &dropped_default::RULE,
    &added_unique::RULE,
    &added_constraint::RULE,
    &dropped_constraint::RULE,
    &dropped_index::RULE,
    &character_set::RULE,
    &recreated_table::RULE,
    &still_mapped::RULE,
    &unstated_attributes::RULE,
    &storage_engine::RULE,
    &replaced_column::RULE,
    &table_copy::RULE,
    &table_rebuild::RULE,
    &index_build::RULE,
    &exclusive_lock::RULE,
    &parent_lock::RULE,
    &repeated_alter::RULE,
    &one_transaction::RULE,
    &bulk_rows::RULE,
    &row_loop::RULE,
    &data_loss::RULE,
    &destructive_in_expand::RULE,
    &additive_in_contract::RULE,
    &data_in_expand::RULE,
    &refuses_rows::RULE,
    &trigger::RULE,
    &not_rerunnable::RULE,
    &inspected::RULE,
    &guessed_name::RULE,
    &not_understood::RULE,
    &live_code::RULE,
    &history_edited::RULE,
    &unreachable::RULE,
    &divergence::RULE,
    &variable::RULE,
    &unseen::RULE,
    &silent_change::RULE,
    &dearer::RULE,
];

/// What finds revisions that another release has otherwise.
pub(super) const HISTORY_EDITED: &Rule = &history_edited::RULE;

/// What finds scripts that no head needs.
pub(super) const UNREACHABLE: &Rule = &unreachable::RULE;

/// What finds scripts, and parts of them, that are not understood.
pub(super) const NOT_UNDERSTOOD: &Rule = &not_understood::RULE;

/// What finds changes that were run and not read.
pub(super) const UNSEEN: &Rule = &unseen::RULE;

/// What finds changes that nobody asked for.
pub(super) const SILENT_CHANGE: &Rule = &silent_change::RULE;

/// What finds changes that cost more than was read.
pub(super) const DEARER: &Rule = &dearer::RULE;

impl Rule {
    /// The rule of an identifier or a name.
    pub fn named(text: &str) -> Option<&'static Self> {
        RULES.iter().copied().find(|rule| rule.id.eq_ignore_ascii_case(text) || rule.name == text)
    }
}

const E: Option<Severity> = Some(Severity::Error);
const W: Option<Severity> = Some(Severity::Warning);
const I: Option<Severity> = Some(Severity::Information);
const N: Option<Severity> = None;

/// `column c of table t`, as far as both are known.
fn column_of(operation: &Operation) -> String {
    let column = operation.change.column().map_or("a column".to_owned(), |column| format!("column {column}"));
    format!("{column} of {}", table_of(operation))
}

/// What an operation does to which table: `adds a column to table t`.
fn done(operation: &Operation) -> String {
    let verb = operation.change.verb();
    // `creates table table t` nobody says.
    format!("{} {}", verb.strip_suffix(" table").unwrap_or(verb), table_of(operation))
}

/// `table t`, or that it is not known.
fn table_of(operation: &Operation) -> String {
    operation.table.as_ref().map_or("a table that is not known".to_owned(), |table| format!("table {table}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::read::{Models, read};
    use crate::lint::script::Before;
    use crate::lint::server::{Server, Target};
    use crate::lint::{Scope, example, judge};
    use crate::model::Branch;

    /// What a rule finds in the body of an `upgrade` of an expand script.
    fn found(rule: &Rule, body: &str) -> Vec<String> {
        if let Find::InChain(_) = rule.find {
            let found = judge(&example(body), &Server::ALL.map(Target::usual), Scope::Together);
            return found
                .into_iter()
                .filter(|finding| finding.rule.id == rule.id)
                .map(|finding| finding.what)
                .collect();
        }
        let body = body.replace('\n', "\n    ");
        let text = format!("from alembic import op\nimport sqlalchemy as sa\ndef upgrade():\n    {body}\n");
        if let Find::InScript(find) = rule.find {
            return find(&text).into_iter().map(|(_, what)| what).collect();
        }
        let operations = read(&text);
        // What examples take for granted of the release before.
        let models =
            Models::read(["class Port(object):\n    __tablename__ = 'ports'\n    mac = sa.Column(sa.String(32))\n"]);
        let old = Before { series: "2024.1".parse().expect("a series"), models };
        let each = operations.iter().enumerate();
        each.filter_map(|(at, operation)| {
            let before: Vec<&Operation> = operations[..at].iter().collect();
            // On the first server on which it is a fault.
            let server = Server::ALL.into_iter().find(|server| rule.severity(*server).is_some());
            let target = Target::usual(server.expect("a fault somewhere"));
            let surroundings = Surroundings {
                branch: Some(Branch::Expand),
                before: &before,
                since: 0,
                script: &operations,
                at,
                target,
                old_code: Some(&old),
            };
            let Find::InOperation(find) = rule.find else { return None };
            find(operation, &surroundings)
        })
        .collect()
    }

    #[test]
    fn each_rule_finds_its_example_and_passes_what_is_like_it() {
        for rule in RULES.iter().filter(|rule| rule.find.needs_scripts_alone()) {
            assert_eq!(found(rule, rule.hit).len(), 1, "{}: {:?}", rule.id, found(rule, rule.hit));
            assert_eq!(found(rule, rule.near_miss), [""; 0], "{}", rule.id);
        }
    }

    #[test]
    fn rules_are_told_apart_by_identifier_and_name_and_are_faults_somewhere() {
        for rule in RULES {
            assert_eq!(Rule::named(rule.id).expect("known").name, rule.name);
            assert_eq!(Rule::named(rule.name).expect("known").id, rule.id);
            assert!(rule.severities.iter().any(Option::is_some) && !rule.sources.is_empty(), "{}", rule.id);
        }
    }

    #[test]
    fn what_happened_to_the_rows_of_a_table_that_is_new_is_no_fault() {
        let operations = read(
            "from alembic import op\ndef upgrade():\n    op.create_table('a')\n    op.drop_table('b')\n    op.create_table('b')\n    \
             op.rename_table('a', 'c')\n    op.rename_table('d', 'e')\n",
        );
        let before: Vec<&Operation> = operations.iter().collect();
        let target = Target::usual(Server::Mysql);
        let surroundings = Surroundings {
            branch: None,
            before: &before,
            since: 0,
            script: &operations,
            at: 0,
            target,
            old_code: None,
        };
        assert!(surroundings.is_new(Some("a")) && surroundings.is_new(Some("c")));
        assert!(!surroundings.is_new(Some("b")) && !surroundings.is_new(Some("e")) && !surroundings.is_new(None));
        let there_and_back = read(
            "from alembic import op\ndef upgrade():\n    op.rename_table('a', 'b')\n    op.rename_table('b', 'a')\n    \
             op.create_table('n')\n    op.rename_table('n', 'm')\n    op.rename_table('m', 'n')\n",
        );
        let before: Vec<&Operation> = there_and_back.iter().collect();
        let surroundings = Surroundings { before: &before, script: &there_and_back, ..surroundings };
        assert!(!surroundings.is_new(Some("a")) && !surroundings.is_new(Some("b")) && surroundings.is_new(Some("n")));
    }
}
