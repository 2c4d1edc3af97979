//! Restore points in a plan: a step for each database, before anything else of its lane.

use super::document::{Action, Lane, SavedDatabase, Step};
use crate::model::{DatabaseId, Effect, Phase, PointPolicy, PointProof, Series, Slot, StepId};

/// Why the plan has restore points, or has none.
pub(super) fn reason(policy: PointPolicy) -> Option<String> {
    match policy {
        PointPolicy::EveryHop => Some(
            "a restore point of each database is taken before each release: `leapfrog restore` goes back to it"
                .to_owned(),
        ),
        PointPolicy::Start => Some(
            "a restore point of each database is taken before the first release: `leapfrog restore` goes back to it"
                .to_owned(),
        ),
        PointPolicy::None => None,
    }
}

/// Puts a restore point of each of the lane's databases in front of its steps. They are taken side by side.
pub(super) fn before(lane: &mut Lane, series: &Series, proof: PointProof) {
    let Ok(name) = StepId::RESTORE_POINT.parse::<Slot>() else { return };
    let databases: Vec<&DatabaseId> = lane.standing.keys().collect();
    let single = databases.len() == 1;
    let steps = databases.into_iter().enumerate().map(|(place, database)| Step {
        id: StepId {
            series: series.clone(),
            service: lane.service.clone(),
            name: name.clone(),
            target: (!single).then(|| database.member.clone().unwrap_or_else(|| database.slot.clone())),
        },
        phase: Phase::Save,
        why: format!("the way back to where {database} stood before {series}").into(),
        // Changes nothing of the cloud: a dump that was cut off is thrown away and made anew.
        effect: Effect::ReadOnly,
        beside: place > 0,
        action: Action::Save(SavedDatabase { database: database.clone(), proof }),
    });
    let steps: Vec<Step> = steps.collect();
    lane.steps.splice(0..0, steps);
}

impl Step {
    /// The database of which the step takes a restore point, if it takes one.
    pub fn saves(&self) -> Option<&SavedDatabase> {
        match &self.action {
            Action::Save(saved) => Some(saved),
            _ => None,
        }
    }
}
