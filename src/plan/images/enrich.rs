//! What only an image's scripts know, written into the plan.

use std::collections::{BTreeMap, BTreeSet};

use super::{Expected, Held, tree};
use crate::migrations::Tree;
use crate::model::{Branch, DatabaseId};
use crate::plan::document::{Action, Plan, SchemaTarget, Standing};

/// Fills in what the images say: the version of each lane's package, which heads each schema step reaches, and how
/// many tables the revisions on its way drop. Where an image was not read, the plan stays as it is.
pub fn enrich(plan: &mut Plan, held: &Held, expected: Expected<'_>) {
    for hop in &mut plan.hops {
        for lane in &mut hop.lanes {
            let Some(facts) = held.service(&hop.series, &lane.image, &lane.service) else { continue };
            lane.package.clone_from(&facts.package);
            let trees = lane.standing.keys().filter_map(|id| Some((id, tree(facts, expected.schema(id)?)?)));
            let trees: BTreeMap<DatabaseId, &Tree> = trees.map(|(id, tree)| (id.clone(), tree)).collect();
            // What is applied to each database when the next step begins.
            let mut applied: BTreeMap<DatabaseId, BTreeSet<String>> = BTreeMap::new();
            for (id, tree) in &trees {
                let from = match &lane.standing[id] {
                    Standing::AtHeads { heads } => heads,
                    Standing::Moves { from, .. } => from,
                };
                applied.insert(id.clone(), tree.applied(&from.alembic));
            }
            for step in &mut lane.steps {
                let Action::Run(run) = &mut step.action else { continue };
                let Some(schema) = &mut run.schema else { continue };
                for (id, target) in &mut schema.databases {
                    if let Some((tree, applied)) = trees.get(id).zip(applied.get_mut(id)) {
                        take(tree, schema.branch, applied, target);
                    }
                }
            }
        }
    }
}

/// Takes a database with `applied` revisions through a step.
fn take(tree: &Tree, branch: Option<Branch>, applied: &mut BTreeSet<String>, target: &mut SchemaTarget) {
    let ends = match branch {
        Some(branch) => tree.ends_of(branch),
        None => tree.heads(),
    };
    if ends.is_empty() {
        return;
    }
    let way = tree.applied(&ends);
    let pending: Vec<_> =
        tree.revisions().filter(|revision| way.contains(&revision.id) && !applied.contains(&revision.id)).collect();
    target.may_drop = pending.iter().try_fold(0_u64, |sum, revision| sum.checked_add(revision.drops?));
    applied.extend(way);
    // A head that something else depends on is not stored any more: then what depends on it is there instead.
    let stored = tree.maximal(applied);
    let covers = |head: &String| {
        let below = tree.applied(&BTreeSet::from([head.clone()]));
        ends.iter().any(|end| below.contains(end))
    };
    target.reaches = stored.into_iter().filter(covers).collect();
}
