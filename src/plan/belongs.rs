//! Services that a release does not have, and those that left another service's database.

use std::collections::BTreeSet;

use super::build::Brief;
use super::path;
use super::refusal::{Refusal, RefusalKind};
use crate::catalog::{Release, Split};
use crate::model::{DatabaseId, Series, Service};

/// Services of the leap that some release on its way does not have.
pub(super) fn absent(brief: &Brief<'_>, path: &[&Release]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for playbook in &brief.playbooks {
        let service = &playbook.service;
        let found = path.iter().find_map(|release| Some((release, release.absent.get(service)?)));
        let Some((release, why)) = found else { continue };
        let others: Vec<&Service> =
            brief.playbooks.iter().map(|other| &other.service).filter(|other| *other != service).collect();
        refusals.push(Refusal {
            kind: RefusalKind::Absent,
            database: brief.databases.keys().find(|id| id.service == *service).cloned(),
            what: format!("{service} is no service of {}: {}", release.series, why.trim()),
            found: None,
            expected: None,
            next: if others.is_empty() {
                format!("begin at a release that has it: `leapfrog releases show {}`", brief.to)
            } else {
                format!(
                    "take the others as far as they need to go first: `leapfrog --from {} --to {}{}{}`",
                    path[0].series,
                    brief.to,
                    brief.stops.option(),
                    brief.only(&others)
                )
            },
        });
    }
    refusals
}

/// Services whose tables lie in another's database still, as far as the cloud file tells, and which a release on the
/// way wants in one of their own.
pub(super) fn splits(brief: &Brief<'_>, path: &[&Release]) -> Vec<Refusal> {
    let takes_part: BTreeSet<&Service> = brief.playbooks.iter().map(|playbook| &playbook.service).collect();
    let mut refusals = Vec::new();
    for pair in path.windows(2) {
        let (last, release) = (pair[0], pair[1]);
        let passed = path::between(&brief.releases, &last.series, &release.series);
        for split in passed.iter().flat_map(|passed| &passed.splits).chain(&release.splits) {
            let there = takes_part.contains(&split.service) || brief.others.contains(&split.service);
            if there || !takes_part.contains(&split.of) {
                continue;
            }
            let (from, to, same) = (&path[0].series, &brief.to, brief.stops.option().to_owned() + &brief.same());
            let first = if last.series == *from {
                String::new()
            } else {
                format!("go to {} first: `leapfrog --from {from} --to {}{same}`. ", last.series, last.series)
            };
            refusals.push(Refusal {
                kind: RefusalKind::SplitOff,
                database: None,
                what: format!(
                    "{} {} has no {} any more: {}",
                    split.of,
                    release.series,
                    split.service,
                    split.why.trim()
                ),
                found: Some(format!("no {} in the cloud file", split.service)),
                expected: Some(format!("a database of {} that stands at {}", split.service, last.series)),
                next: format!(
                    "{first}{} Then add it to the cloud file, and `leapfrog --from {} --to {to}{same}`",
                    split.mend.trim(),
                    last.series
                ),
            });
        }
    }
    refusals
}

/// The split that a database without tables waits for, if its service is one of those and the leap begins before it.
pub(super) fn awaited<'b>(brief: &'b Brief<'_>, id: &DatabaseId, from: Option<&Series>) -> Option<&'b Split> {
    let ahead = brief.releases.iter().filter(|release| from.is_none_or(|from| *from < release.series));
    ahead.flat_map(|release| &release.splits).find(|split| split.service == id.service)
}
