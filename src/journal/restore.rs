//! What a restore means for the state of a run: work that has to be done again.

use std::collections::BTreeSet;

use super::{Outcome, RunState};
use crate::model::{Series, Service, StepId};

/// A restore that began and did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoring {
    /// The hop before which the databases will stand.
    pub to: Series,
    /// The services whose databases they are.
    pub services: BTreeSet<Service>,
    /// The step whose death is undone; absent where the operator asked for it.
    pub because: Option<StepId>,
}

impl RunState {
    /// A restore begins. One that was cut off may be begun again, for the same services or more of them.
    pub(super) fn restore_started(
        &mut self,
        to: &Series,
        services: &BTreeSet<Service>,
        because: Option<&StepId>,
    ) -> Result<(), String> {
        if !self.hops.iter().any(|hop| hop.series == *to) {
            return Err(format!("databases were brought back to before hop {to}, which never began"));
        }
        if services.is_empty() {
            return Err("a restore began that is about no service".to_owned());
        }
        if let Some(open) = self.restoring.as_ref().filter(|open| !open.services.is_subset(services)) {
            return Err(format!("a restore to before hop {} began before another one was complete", open.to));
        }
        self.restoring = Some(Restoring { to: to.clone(), services: services.clone(), because: because.cloned() });
        Ok(())
    }

    /// A restore ended; if well, what its services did in that hop and later has to be done again.
    pub(super) fn restore_ended(
        &mut self,
        to: &Series,
        services: &BTreeSet<Service>,
        outcome: Outcome,
    ) -> Result<(), String> {
        let restoring = self.restoring.as_ref().filter(|open| open.to == *to && open.services == *services);
        let Some(restoring) = restoring.cloned() else {
            return Err(format!("a restore to before hop {to} ended and had not begun"));
        };
        if !outcome.is_complete() {
            return Ok(());
        }
        self.restoring = None;
        if restoring.because.is_some() {
            for service in services {
                *self.way_back.entry((to.clone(), service.clone())).or_default() += 1;
            }
        }
        for (id, step) in &mut self.steps {
            // The restore points of the hop itself are what the databases show now.
            let stays = id.series == *to && id.name.as_str() == StepId::RESTORE_POINT && step.is_complete();
            if id.series >= *to && services.contains(&id.service) && !stays {
                step.outcome = Some(Outcome::Interrupted);
                step.rows = 0;
                // What it did is undone, so even a step that must not be run twice may be run.
                step.never_began = true;
                step.resolved = false;
            }
        }
        self.cut_off.retain(|id| id.series < *to || !services.contains(&id.service));
        self.hops.retain(|hop| hop.series <= *to);
        if let Some(hop) = self.hops.last_mut() {
            hop.ended = None;
        }
        if self.ended == Some(Outcome::Done) {
            self.ended = Some(Outcome::Interrupted);
        }
        Ok(())
    }
}
