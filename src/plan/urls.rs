//! Database URLs that no command could use: those that a release cannot read, and stored ones that lead elsewhere.

use std::collections::BTreeSet;

use super::build::{Brief, and, databases_in};
use super::refusal::{Refusal, RefusalKind};
use crate::catalog::Release;
use crate::model::DatabaseId;

/// URLs that some release on the way cannot read.
pub(super) fn unreadable_urls(brief: &Brief<'_>, path: &[&Release]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for playbook in &brief.playbooks {
        let affected = path.iter().find_map(|release| {
            let file = playbook.configuration(&release.series)?;
            file.refuses_percent.as_ref().map(|why| (release, why))
        });
        let Some((release, why)) = affected else { continue };
        for (id, url) in brief.databases.iter().filter(|(id, _)| id.service == playbook.service) {
            if url.has_percent_sign() {
                refusals.push(Refusal {
                    kind: RefusalKind::UnreadableUrl,
                    database: Some(id.clone()),
                    what: format!("{} {} cannot read the URL of database {id}: {why}", id.service, release.series),
                    found: Some("a user or password with characters that are escaped with % in a URL".to_owned()),
                    expected: Some("letters, digits and - . _ ~ only".to_owned()),
                    next: format!(
                        "make a database user for the leap whose name and password need no escaping, with all rights \
                         on this database; name it in the cloud file under {}, and run the same command again",
                        id.service
                    ),
                });
            }
        }
    }
    refusals
}

/// Stored URLs that lead elsewhere, and databases that none leads to.
pub(super) fn stored_urls(brief: &Brief<'_>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for playbook in brief.playbooks.iter().filter(|playbook| !brief.trusted.contains(&playbook.service)) {
        for check in &playbook.checks {
            let crate::catalog::PlaybookCheck::StoredUrls(check) = check;
            let service = &playbook.service;
            let Some(owner) = databases_in(brief, service, &check.database).next() else { continue };
            let stored = match brief.observation.stored_urls.get(owner) {
                Some(Ok(stored)) => stored,
                Some(Err(unreachable)) => {
                    refusals.push(Refusal {
                        kind: RefusalKind::StoredUrl,
                        database: Some(owner.clone()),
                        what: format!("{} could not be looked at in {owner}: {}", check.name, unreachable.reason),
                        found: None,
                        expected: None,
                        next: unreachable.advice.clone(),
                    });
                    continue;
                }
                None => continue,
            };
            let expected: BTreeSet<&DatabaseId> =
                check.lead_to.iter().flat_map(|slot| databases_in(brief, service, slot)).collect();
            let refusal = |what: String, found: String| Refusal {
                kind: RefusalKind::StoredUrl,
                database: Some(owner.clone()),
                what: format!("{what}. {}", check.why.trim()),
                found: Some(found),
                expected: Some(expected.iter().map(|id| id.to_string()).collect::<Vec<_>>().join(", ")),
                next: check.mend.trim().to_owned(),
            };
            let strays = stored.iter().filter(|url| !url.database.as_ref().is_some_and(|id| expected.contains(id)));
            let strays: Vec<String> = strays.map(|url| format!("{} leads to {}", url.name, url.leads_to)).collect();
            let missing: Vec<&DatabaseId> = expected
                .iter()
                .copied()
                .filter(|id| !stored.iter().any(|url| url.database.as_ref() == Some(*id)))
                .collect();
            if !strays.is_empty() {
                let what = format!("{owner} sends the service's commands to a database outside the cloud file");
                refusals.push(refusal(what, strays.join(", ")));
            }
            // Each stray explains one that is missing.
            if missing.len() > strays.len() {
                let names: Vec<String> = missing.iter().map(|id| id.to_string()).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let what = format!("{owner} does not lead to {}, which the cloud file names", and(&names));
                let found: Vec<String> =
                    stored.iter().map(|url| format!("{} leads to {}", url.name, url.leads_to)).collect();
                let found = if found.is_empty() { "no stored URL at all".to_owned() } else { found.join(", ") };
                refusals.push(refusal(what, found));
            }
        }
    }
    refusals
}
