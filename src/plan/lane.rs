//! What follows from the order of a lane's steps: its stages, and which steps will have nothing to do.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Action, CommandRun, Lane, SchemaMove, SchemaTarget, Standing, Step};
use crate::model::{DatabaseId, Heads, ImageReference, StepId};

impl Lane {
    /// The image whose code a step runs: the lane's, but for the next release's checks.
    pub fn image_of<'l>(&'l self, step: &'l Step) -> &'l ImageReference {
        match &step.action {
            Action::Check(checks) => &checks.image,
            Action::Save(_) | Action::Run(_) | Action::Drain(_) | Action::Trip(_) | Action::Verify(_) => &self.image,
        }
    }

    /// The steps by stage: those of one may run side by side, and a stage begins when the one before is
    /// complete.
    pub fn stages(&self) -> impl Iterator<Item = &[Step]> {
        self.steps.chunk_by(|_, next| next.beside)
    }

    /// Whether a database that stands at `heads` shows that the lane is complete: at the heads that are verified at its
    /// end, or, where it ends before those, with what each of its schema migrations reaches.
    pub fn is_shown_by(&self, database: &DatabaseId, heads: &Heads) -> bool {
        let verified = self.steps.iter().find_map(|step| match &step.action {
            Action::Verify(verification) => verification.heads.get(database),
            _ => None,
        });
        if let Some(verified) = verified {
            return heads.stand_at(verified);
        }
        self.steps.iter().all(|step| match &step.action {
            Action::Run(run) => run.schema.as_ref().is_none_or(|schema| {
                schema.databases.get(database).is_none_or(|target| schema.is_reached(target, heads))
            }),
            _ => true,
        })
    }

    /// Steps that are expected to be skipped, since every database they are about will stand at the release's
    /// heads when they begin. What a database shows then decides.
    pub fn idle_steps(&self) -> BTreeSet<&StepId> {
        let mut standing: BTreeMap<&DatabaseId, Heads> = BTreeMap::new();
        for (database, now) in &self.standing {
            let (Standing::AtHeads { heads } | Standing::Moves { from: heads, .. }) = now;
            standing.insert(database, heads.clone());
        }
        let mut idle = BTreeSet::new();
        for step in &self.steps {
            let Action::Run(run) = &step.action else { continue };
            let Some(schema) = &run.schema else { continue };
            let at_heads = |(database, target): (&DatabaseId, &SchemaTarget)| {
                standing.get(database).is_some_and(|heads| schema.is_reached(target, heads))
            };
            if schema.skippable && schema.databases.iter().all(at_heads) {
                idle.insert(&step.id);
            } else {
                moved(&mut standing, run);
            }
        }
        idle
    }
}

impl SchemaMove {
    /// Whether a database that stands at `heads` needs nothing of this migration: it stands at the release's
    /// heads, or the one branch that is taken is at its own.
    pub fn is_reached(&self, target: &SchemaTarget, heads: &Heads) -> bool {
        let branch = self.branch.is_some() && !target.reaches.is_empty() && target.reaches.is_subset(&heads.alembic);
        branch || heads.stand_at(&target.heads)
    }
}

impl Step {
    /// Whether it is skipped where its databases show that nothing is to do.
    pub fn may_be_skipped(&self) -> bool {
        match &self.action {
            Action::Run(run) => run.schema.as_ref().is_some_and(|schema| schema.skippable),
            Action::Drain(_) | Action::Trip(_) | Action::Verify(_) | Action::Check(_) | Action::Save(_) => false,
        }
    }
}

/// Where the databases stand after a command, as far as that is known beforehand.
fn moved<'p>(standing: &mut BTreeMap<&'p DatabaseId, Heads>, run: &'p CommandRun) {
    let Some(schema) = &run.schema else { return };
    for (database, target) in &schema.databases {
        let Some(heads) = standing.get_mut(database) else { continue };
        // Heads that stay are of branches that do not move; those that a branch reaches join them.
        let kept = heads.alembic.intersection(&target.heads.alembic);
        let reached: BTreeSet<String> = kept.chain(&target.reaches).cloned().collect();
        if schema.branch.is_none() || reached.is_superset(&target.heads.alembic) && !target.heads.alembic.is_empty() {
            *heads = target.heads.clone();
        } else {
            heads.alembic.extend(target.reaches.iter().cloned());
        }
    }
}
