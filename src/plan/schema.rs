//! What the plan says of schemas and of rows that several steps meet on.

use std::collections::BTreeSet;

use super::build::{Brief, databases_in};
use super::document::{Action, CommonRows, SchemaMove, SchemaTarget, Step, Unless};
use super::sorted::Sorted;
use crate::catalog::{Besides, Drain, Playbook, Release, Run};
use crate::model::{DatabaseId, Service};

/// What the schemas that a command migrates must show after it.
pub(super) fn schema_move(
    brief: &Brief<'_>,
    release: &Release,
    playbook: &Playbook,
    run: &Run,
    unless: Option<&Unless>,
    target: Option<&DatabaseId>,
) -> Option<SchemaMove> {
    let service = &playbook.service;
    let facts = release.services.get(service)?;
    let mut databases = Vec::new();
    for slot in playbook.databases.iter().filter(|slot| run.schema.contains(&slot.slot)) {
        let Some(heads) = facts.heads.get(&slot.schema) else { continue };
        // Which heads belong to one branch, the release file does not say; the image does.
        let reaches = || if run.branch.is_none() { heads.alembic.clone() } else { BTreeSet::new() };
        let entry = |id: &DatabaseId| {
            let (heads, reaches, no_triggers) = (heads.clone(), reaches(), BTreeSet::new());
            (id.clone(), SchemaTarget { heads, reaches, may_drop: None, no_triggers })
        };
        match target {
            Some(target) => databases.extend((target.slot == slot.slot).then(|| entry(target))),
            None => databases.extend(databases_in(brief, service, &slot.slot).map(entry)),
        }
    }
    // What is done besides and cannot be asked for is always done.
    let skippable = !brief.no_skip && (unless.is_some() || besides(brief, release, run).is_none());
    let unless = unless.filter(|_| skippable).cloned();
    let databases: Sorted<DatabaseId, SchemaTarget> = databases.into_iter().collect();
    (!databases.is_empty()).then_some(SchemaMove { databases, branch: run.branch, skippable, unless })
}

/// What a command does besides in a release: what matters in the last one alone is nothing in the others.
fn besides<'r>(brief: &Brief<'_>, release: &Release, run: &'r Run) -> Option<&'r Besides> {
    run.besides.as_ref().filter(|besides| release.series == brief.to || !besides.only_last)
}

/// What a schema migration is not skipped for in a release.
pub(super) fn unless(brief: &Brief<'_>, release: &Release, run: &Run) -> Option<Unless> {
    let besides = besides(brief, release, run)?;
    let query = besides.query.as_deref()?;
    Some(Unless { what: besides.what.trim().into(), query: query.into() })
}

/// After the last schema migration of a database, all of its heads must be there, whichever branch it takes, and none of
/// the triggers that an earlier one made.
pub(super) fn prove_all_at_last(playbook: &Playbook, steps: &mut [Step]) {
    let mut seen: BTreeSet<DatabaseId> = BTreeSet::new();
    for step in steps.iter_mut().rev() {
        let Action::Run(run) = &mut step.action else { continue };
        for (database, target) in run.schema.iter_mut().flat_map(|schema| &mut schema.databases) {
            if seen.insert(database.clone()) {
                target.reaches.clone_from(&target.heads.alembic);
                let passing = playbook.triggers.iter().filter(|passing| passing.databases.contains(&database.slot));
                target.no_triggers = passing.flat_map(|passing| passing.names.iter().cloned()).collect();
            }
        }
    }
}

/// Rows that the rounds of a data migration meet on, and where they are counted.
pub(super) fn common_rows(brief: &Brief<'_>, release: &Release, service: &Service, drain: &Drain) -> Vec<CommonRows> {
    let common = drain.alone_while.iter().filter(|common| common.series.contains(&release.series));
    common
        .map(|common| CommonRows {
            what: common.what.clone(),
            databases: common.databases.iter().flat_map(|slot| databases_in(brief, service, slot)).cloned().collect(),
            query: common.query.clone(),
        })
        .collect()
}
