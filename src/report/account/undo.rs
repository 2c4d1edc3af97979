//! What a restore takes back from an account.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::restores::Restore;
use super::{Account, HopTimes};
use crate::journal::Outcome;
use crate::model::{Series, Service, StepId};

impl Account {
    /// Takes back what services did in a hop and later: their databases are as they were before it.
    pub(super) fn undo(&mut self, to: &Series, services: &BTreeSet<Service>) {
        let plan = Arc::clone(&self.plan);
        self.attempts.retain(|place, attempts| {
            let step = &plan.hops[place.hop].lanes[place.lane].steps[place.step].id;
            let done = attempts.last().and_then(|last| last.end.as_ref()).is_some_and(|end| end.outcome.is_complete());
            let stays = step.series == *to && step.name.as_str() == StepId::RESTORE_POINT && done;
            step.series < *to || !services.contains(&step.service) || stays
        });
        for (hop, times) in plan.hops.iter().zip(&mut self.hops) {
            if hop.series > *to {
                *times = HopTimes::default();
            } else if hop.series == *to {
                times.ended = None;
            }
        }
        if let Some(sitting) = self.sittings.last_mut() {
            // A run that was complete is not any more.
            sitting.ended = sitting.ended.map(|_| Outcome::Interrupted);
            sitting.failure = None;
        }
    }

    /// What was brought back, in order.
    pub(in crate::report) fn restores(&self) -> &[Restore] {
        &self.restores
    }

    /// Whether nothing of a lane began but its restore points.
    pub(in crate::report) fn lane_only_saved(&self, hop: usize, lane: usize) -> bool {
        let begun = self.lane_places(hop, lane).filter(|place| !self.attempts(*place).is_empty());
        begun.into_iter().all(|place| self.step(place).saves().is_some())
    }
}
