//! Services that the release at the end of a leap does not accept, for a run's last words.

use crate::journal::Evidence;
use crate::model::OldServices;

use super::account::Account;

/// What is told of them: which ones, what happens, what to do. Services of several databases about which the same is to be
/// said are told together.
pub(super) fn sentences(account: &Account) -> Vec<String> {
    let mut groups: Vec<(&OldServices, Vec<String>)> = Vec::new();
    let mut unread = Vec::new();
    for piece in evidence(account) {
        match piece {
            Evidence::OldServices(old) => {
                let same = |other: &OldServices| (&other.means, &other.mends) == (&old.means, &old.mends);
                match groups.iter_mut().find(|(other, _)| same(other)) {
                    Some((_, told)) => told.push(old.told()),
                    None => groups.push((old, vec![old.told()])),
                }
            }
            Evidence::ServicesUnread { database, what, reason } => {
                unread.push(format!("{database}: the versions of {what} could not be read: {reason}"));
            }
            _ => {}
        }
    }
    let groups = groups.into_iter().flat_map(|(old, mut told)| {
        told.push(old.means.clone());
        told.extend(old.mends.iter().cloned());
        told
    });
    groups.chain(unread).collect()
}

/// The evidence of each step's last attempt, where it is complete.
fn evidence(account: &Account) -> impl Iterator<Item = &Evidence> {
    let places = account.lanes().flat_map(|(hop, lane)| account.lane_places(hop, lane));
    let ends = places.filter_map(|place| account.attempts(place).last()?.end.as_ref());
    ends.filter(|end| end.outcome.is_complete()).flat_map(|end| &end.evidence)
}
