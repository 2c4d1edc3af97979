//! What stands where now, and what to do next: the last words of summary and status.

use crate::journal::Outcome;
use crate::plan::{Action, Hop, Part, Plan};

use super::account::{Account, LaneState, StepState};
use super::text::listed;

/// Where each service's databases stand, services that stand alike together.
pub(super) fn standing(account: &Account) -> String {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (place, service) in account.plan().hops.first().into_iter().flat_map(|hop| &hop.lanes).enumerate() {
        let phrase = service_stands(account, place);
        match groups.iter_mut().find(|(other, _)| *other == phrase) {
            Some((_, services)) => services.push(service.service.to_string()),
            None => groups.push((phrase, vec![service.service.to_string()])),
        }
    }
    if let [(phrase, services)] = &groups[..]
        && services.len() > 1
    {
        return format!("Every database stands {phrase}.");
    }
    let groups = groups.iter().map(|(phrase, services)| {
        let verb = if services.len() == 1 { "stands" } else { "stand" };
        format!("{} {verb} {phrase}", listed(services))
    });
    format!("{}.", groups.collect::<Vec<_>>().join("; "))
}

/// Where the databases of a service stand: `at 2023.2`, `between 2023.1 and 2023.2`.
fn service_stands(account: &Account, lane: usize) -> String {
    let hops = &account.plan().hops;
    let service = &hops[0].lanes[lane].service;
    if let Some(open) = account.restores().last().filter(|restore| restore.is_open())
        && open.services.contains(service)
    {
        return format!("nowhere: bringing back to where {} began is not complete", open.to);
    }
    let mut at = &account.plan().from;
    for (h, hop) in hops.iter().enumerate() {
        let Some(l) = hop.lanes.iter().position(|lane| lane.service == *service) else { continue };
        match account.lane_state(h, l) {
            LaneState::Done if account.plan().part != Part::Whole && h + 1 == hops.len() => {
                return part_stands(account.plan().part, hop, l);
            }
            LaneState::Done => at = &hop.series,
            LaneState::Waiting => break,
            // A restore point changes nothing.
            LaneState::Between(_) | LaneState::Running(_) | LaneState::OutOfSight(_) | LaneState::Ended(..)
                if account.lane_only_saved(h, l) =>
            {
                break;
            }
            _ if hop.series == *at => return format!("at {at}, not complete"),
            _ => return format!("between {at} and {}", hop.series),
        }
    }
    format!("at {at}")
}

/// Where the databases of a lane stand that was taken through a part of its release.
fn part_stands(part: Part, hop: &Hop, lane: usize) -> String {
    let series = &hop.series;
    let verified = hop.lanes[lane].steps.iter().any(|step| matches!(step.action, Action::Verify(_)));
    match part {
        _ if verified => format!("at {series}"),
        Part::Expand => format!("expanded to {series}"),
        _ => format!("migrated to {series}, not contracted"),
    }
}

/// What to do next, once a plan is done.
fn after(plan: &Plan) -> String {
    let to = &plan.to;
    match plan.part {
        Part::Whole => format!("start the services of {to}; those of older releases no longer fit"),
        Part::UntilMigrated | Part::Migrate => format!(
            "start the services of {to}, service by service; once no program of an older release is left: `leapfrog contract \
             --at {to}`"
        ),
        Part::Expand => format!("`leapfrog migrate --at {to}`"),
        Part::Contract => format!("nothing is left of what {to} removes; programs of older releases no longer fit"),
    }
}

/// What to do next, and whether the command that goes on with the run belongs to it.
pub(super) fn next(account: &Account) -> (String, bool) {
    if let Some(open) = account.restores().last().filter(|restore| restore.is_open() && restore.because.is_none()) {
        let services: Vec<&str> = open.services.iter().map(|service| service.as_str()).collect();
        return (
            format!(
                "finish what brings the databases back: `leapfrog restore --to {} --service {}`; then run",
                open.to,
                services.join(",")
            ),
            true,
        );
    }
    match account.outcome() {
        Some(Outcome::Done | Outcome::Skipped) => (after(account.plan()), false),
        Some(Outcome::Failed | Outcome::Stuck) => ("mend the cause given above, then run".to_owned(), true),
        Some(Outcome::Interrupted) => ("to go on where it stopped, run".to_owned(), true),
        None => {
            let left = out_of_sight(account);
            let them = if left.len() == 1 { "it" } else { "them" };
            match &left[..] {
                [] => ("to go on where it stopped, run".to_owned(), true),
                left => (format!("{} may still run; to find {them} again and go on, run", listed(left)), true),
            }
        }
    }
}

/// Steps that began and whose end nobody saw.
fn out_of_sight(account: &Account) -> Vec<String> {
    let places = account.lanes().flat_map(|(hop, lane)| account.lane_places(hop, lane));
    let lost = places.filter(|place| account.step_state(*place) == StepState::OutOfSight);
    lost.map(|place| {
        let id = &account.step(place).id;
        format!("{} {}", id.service, id.short())
    })
    .collect()
}
