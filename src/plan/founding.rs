//! A plan that makes the schemas of a cloud in empty databases: its first hop is what `leapfrog demo` begins with, the
//! others name what its leap will need.

use std::collections::BTreeMap;

use super::build::{self, Brief};
use super::document::{Action, Hop, Lane, Plan};
use super::part::Part;
use super::path::Stops;
use crate::model::Series;

/// The schema migrations of every release from `from` on to the brief's end, the first of them from nothing. No data is
/// moved, since there is none.
pub fn founding(brief: &Brief<'_>, from: &Series) -> Plan {
    let mut heads = BTreeMap::new();
    let path = brief.releases.iter().filter(|release| *from <= release.series && release.series <= brief.to);
    let hops = path.map(|release| {
        let lanes = brief.playbooks.iter().map(|playbook| {
            let lane = build::lane(brief, release, playbook, &mut heads);
            let steps = lane.steps.into_iter().filter(|step| matches!(step.action, Action::Run(_)));
            Lane { steps: steps.collect(), ..lane }
        });
        Hop {
            series: release.series.clone(),
            reason: "its schemas are made in empty databases".to_owned(),
            notes: Vec::new(),
            changes: Vec::new(),
            lanes: lanes.collect(),
        }
    });
    Plan {
        format: Plan::FORMAT,
        cloud: brief.cloud.to_owned(),
        from: from.clone(),
        to: brief.to.clone(),
        stops: Stops::Every,
        part: Part::Whole,
        reasons: Vec::new(),
        hops: hops.collect(),
    }
}
