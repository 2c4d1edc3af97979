//! What the plan says of schemas and of rows that several steps meet on.

use std::collections::{BTreeMap, BTreeSet};

use super::build::{Brief, databases_in};
use super::document::{Action, CommonRows, SchemaMove, SchemaTarget, Step, Unless};
use crate::catalog::{Drain, Playbook, Release, Run};
use crate::model::{DatabaseId, Service};

/// What the schemas that a command migrates must show after it.
pub(super) fn schema_move(
    brief: &Brief<'_>,
    release: &Release,
    playbook: &Playbook,
    run: &Run,
    target: Option<&DatabaseId>,
) -> Option<SchemaMove> {
    let service = &playbook.service;
    let facts = release.services.get(service)?;
    let mut databases = BTreeMap::new();
    for slot in playbook.databases.iter().filter(|slot| run.schema.contains(&slot.slot)) {
        let Some(heads) = facts.heads.get(&slot.schema) else { continue };
        let own = databases_in(brief, service, &slot.slot).filter(|id| target.is_none_or(|target| *id == target));
        for id in own {
            // Which heads belong to one branch, the release file does not say; the image does.
            let reaches = if run.branch.is_none() { heads.alembic.clone() } else { BTreeSet::new() };
            databases.insert(id.clone(), SchemaTarget { heads: heads.clone(), reaches, may_drop: None });
        }
    }
    // What matters in the last release alone is nothing that is done besides in the others.
    let besides = run.besides.as_ref().filter(|besides| release.series == brief.to || !besides.only_last);
    let unless = besides.and_then(|besides| {
        besides.query.as_ref().map(|query| Unless { what: besides.what.trim().to_owned(), query: query.clone() })
    });
    let skippable = !brief.no_skip && (besides.is_none() || unless.is_some());
    let unless = unless.filter(|_| skippable);
    (!databases.is_empty()).then_some(SchemaMove { databases, branch: run.branch, skippable, unless })
}

/// After the last schema migration of a database, all of its heads must be there, whichever branch it takes.
pub(super) fn prove_all_at_last(steps: &mut [Step]) {
    let mut seen: BTreeSet<DatabaseId> = BTreeSet::new();
    for step in steps.iter_mut().rev() {
        let Action::Run(run) = &mut step.action else { continue };
        for (database, target) in run.schema.iter_mut().flat_map(|schema| &mut schema.databases) {
            if seen.insert(database.clone()) {
                target.reaches.clone_from(&target.heads.alembic);
            }
        }
    }
}

/// Rows that the rounds of a data migration meet on, and where they are counted.
pub(super) fn alone_while(brief: &Brief<'_>, release: &Release, service: &Service, drain: &Drain) -> Vec<CommonRows> {
    let common = drain.alone_while.iter().filter(|common| common.series.contains(&release.series));
    common
        .map(|common| CommonRows {
            what: common.what.clone(),
            databases: common.databases.iter().flat_map(|slot| databases_in(brief, service, slot)).cloned().collect(),
            query: common.query.clone(),
        })
        .collect()
}
