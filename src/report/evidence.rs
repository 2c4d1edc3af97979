//! Evidence, in words.

use std::collections::{BTreeMap, BTreeSet};

use crate::journal::{Evidence, Outcome};
use crate::model::{CheckResult, DatabaseId, Heads, PointProof, Series, Slot, Trigger, Verdict};
use crate::plan::Action;

use super::account::Account;
use super::restores::saved;
use super::text::{counted, listed};

/// Each piece of a step's evidence as a phrase; an ordinary exit code only where it stands alone.
pub(super) fn in_words(evidence: &[Evidence]) -> Vec<String> {
    let alone = evidence.iter().all(|piece| matches!(piece, Evidence::Exit { .. }));
    let checked = evidence.iter().any(|piece| matches!(piece, Evidence::Check { .. }));
    let ordinary = |piece: &&Evidence| match piece {
        // The exit code of checks is their gravest result.
        Evidence::Exit { verdict, .. } => !checked && (alone || *verdict != Verdict::Done),
        Evidence::Check { result, .. } => *result != CheckResult::Success,
        _ => true,
    };
    let succeeded = successes(evidence);
    let succeeded = (succeeded > 0).then(|| format!("{} succeeded", counted(succeeded, "check", "checks")));
    succeeded.into_iter().chain(evidence.iter().filter(ordinary).map(phrase)).collect()
}

/// How many of a release's own checks succeeded.
fn successes(evidence: &[Evidence]) -> u64 {
    let success = |piece: &&Evidence| matches!(piece, Evidence::Check { result: CheckResult::Success, .. });
    evidence.iter().filter(success).count() as u64
}

/// Checks that did not succeed and that nothing explains: an operator should read them.
pub(super) fn to_read(evidence: &[Evidence]) -> Vec<String> {
    let unexplained = evidence.iter().filter_map(|piece| match piece {
        Evidence::Check { result: CheckResult::Success, .. } => None,
        Evidence::Check { name, result, details, why: None } => Some(check(name, *result, details.as_deref(), None)),
        _ => None,
    });
    unexplained.collect()
}

/// A check that did not succeed, in words.
fn check(name: &str, result: CheckResult, details: Option<&str>, why: Option<&str>) -> String {
    let say = |text: &str| text.trim().trim_end_matches('.').to_owned();
    match (why, details) {
        (Some(why), _) => format!("check {name} ended with {result}, which stops nothing: {}", say(why)),
        (None, Some(details)) => format!("check {name} ended with {result}: {}", say(details)),
        (None, None) => format!("check {name} ended with {result}: read its log"),
    }
}

fn phrase(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Exit { code, verdict } => format!("exit {code} ({verdict})"),
        Evidence::EndUnseen { code } => format!("nobody saw its end; the engine says exit {code}"),
        Evidence::NothingLeft { round } => format!("nothing left in round {round}"),
        Evidence::Residue { migration, rows, why } => {
            format!("{}: {}", residue(migration, *rows, None), why.trim().trim_end_matches('.'))
        }
        Evidence::NoneRemain { what, database } => format!("no {what} left in {database}"),
        Evidence::Touched { database, table, triggers, rows, batches, remainder } => {
            let left = remainder.map(|rows| format!(", {rows} left")).unwrap_or_default();
            format!(
                "every row of {table} in {database} touched since {} appeared: {} in {}{left}",
                listed(triggers),
                counted(*rows, "row", "rows"),
                counted(*batches, "batch", "batches")
            )
        }
        Evidence::Untriggered { database, table } => {
            format!("no row trigger for updates on {table} in {database}, and so nothing to touch")
        }
        Evidence::Heads { database, heads } => format!("{database} at {heads}"),
        Evidence::Check { name, result, details, why } => check(name, *result, details.as_deref(), why.as_deref()),
        Evidence::Branch { database, heads, reached, .. } if reached.is_empty() => {
            format!("{database} at {heads}, on the way")
        }
        Evidence::Branch { database, branch, reached, .. } => {
            let reached: Vec<&str> = reached.iter().map(String::as_str).collect();
            format!("{database} at {} ({branch})", reached.join(" + "))
        }
        Evidence::Tables { database, before, after, may_drop } => {
            let tables = format!("{} in {database}", counted(*after, "table", "tables"));
            match fewer(*before, *after, *may_drop) {
                Some(fewer) => format!("{tables}, {fewer}"),
                None => tables,
            }
        }
        Evidence::Triggers { database, after, made, gone } => triggers(database, after, made, gone),
        Evidence::NothingElsewhere {} => "nothing written elsewhere".to_owned(),
        Evidence::RestorePoint(point) => saved(point),
        Evidence::Restored { database, heads, tables, rows, .. } => format!(
            "{database} brought back to {heads}: {} in {}",
            counted(*rows, "row", "rows"),
            counted(*tables, "table", "tables")
        ),
        Evidence::OldServices(old) => old.told(),
        Evidence::ServicesUnread { database, what, .. } => format!("{database}: the versions of {what} unread"),
        Evidence::NothingBesides { what } => format!("nothing there for what it does besides: {what}"),
    }
}

/// The triggers of a database around a step.
fn triggers(database: &DatabaseId, after: &[Trigger], made: &[Trigger], gone: &[Trigger]) -> String {
    let names = |triggers: &[Trigger]| {
        let names: Vec<String> = triggers
            .iter()
            .map(|trigger| format!("{} ({} on {})", trigger.name, trigger.event, trigger.table))
            .collect();
        listed(&names)
    };
    let mut parts = vec![format!("{} in {database}", counted(after.len() as u64, "trigger", "triggers"))];
    parts.extend((!made.is_empty()).then(|| format!("made: {}", names(made))));
    parts.extend((!gone.is_empty()).then(|| format!("gone: {}", names(gone))));
    parts.join(", ")
}

/// That tables are gone and nothing says that they should be.
fn fewer(before: Option<u64>, after: u64, may_drop: Option<u64>) -> Option<String> {
    let lost = before?.checked_sub(after).filter(|lost| *lost > 0 && may_drop.is_none())?;
    Some(format!("{lost} fewer than before: nothing says whether this release drops any"))
}

/// What a skipped step found, for "skipped: ".
pub(super) fn already(evidence: &[Evidence]) -> String {
    let mut heads: Vec<(&Heads, Vec<&DatabaseId>)> = Vec::new();
    for piece in evidence {
        let Evidence::Heads { database, heads: found } = piece else { continue };
        match heads.iter_mut().find(|(known, _)| *known == found) {
            Some((_, databases)) => databases.push(database),
            None => heads.push((found, vec![database])),
        }
    }
    let all: Vec<String> = heads
        .into_iter()
        .map(|(heads, databases)| {
            let names: Vec<String> = databases.iter().map(ToString::to_string).collect();
            format!("{} already at {heads}", listed(&names))
        })
        .collect();
    all.join("; ")
}

fn residue(migration: &str, rows: u64, target: Option<&Slot>) -> String {
    let verb = if rows == 1 { "stays" } else { "stay" };
    let place = target.map(|target| format!(" in {target}")).unwrap_or_default();
    format!("{} of {migration} {verb}{place}", counted(rows, "row", "rows"))
}

/// Rows that stay, each kind of them once with its reason and the releases that found it.
pub(super) fn residues(account: &Account) -> Vec<String> {
    let mut kinds: Vec<(String, &str, Vec<String>)> = Vec::new();
    for place in account.lanes().flat_map(|(hop, lane)| account.lane_places(hop, lane)) {
        let end = account.attempts(place).last().and_then(|attempt| attempt.end.as_ref());
        for piece in end.into_iter().flat_map(|end| &end.evidence) {
            let Evidence::Residue { migration, why, .. } = piece else { continue };
            let step = &account.step(place).id;
            let (kind, series) = (format!("{} {migration}", step.service), step.series.to_string());
            match kinds.iter_mut().find(|(other, reason, _)| *other == kind && *reason == why) {
                Some((_, _, all)) if all.contains(&series) => {}
                Some((_, _, all)) => all.push(series),
                None => kinds.push((kind, why, vec![series])),
            }
        }
    }
    kinds.into_iter().map(|(kind, why, series)| format!("{kind}, in {}: {}", listed(&series), why.trim())).collect()
}

/// What proves a lane complete: a sentence on heads and data, then one for each thing that an operator
/// should have read, such as rows that stay.
pub(super) fn of_lane(account: &Account, hop: usize, lane: usize) -> Vec<String> {
    let mut heads: BTreeMap<&Heads, BTreeSet<&DatabaseId>> = BTreeMap::new();
    let (mut drained, mut gone, mut skipped, mut read) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut touched = Vec::new();
    let (mut succeeded, mut proved, mut unproved) = (BTreeMap::<&Series, u64>::new(), 0_u64, 0_u64);
    for place in account.lane_places(hop, lane) {
        let Some(end) = account.attempts(place).last().and_then(|attempt| attempt.end.as_ref()) else { continue };
        if !end.outcome.is_complete() {
            continue;
        }
        let planned = account.step(place);
        let step = &planned.id;
        // The release whose checks these are: the next one's end a lane.
        let asked = match &planned.action {
            Action::Check(checks) => Some(&checks.release),
            _ => None,
        };
        if let Some(asked) = asked {
            *succeeded.entry(asked).or_default() += successes(&end.evidence);
        }
        if end.outcome == Outcome::Skipped {
            skipped.push(step.short());
        }
        for piece in &end.evidence {
            match piece {
                Evidence::Heads { database, heads: reached } => {
                    heads.entry(reached).or_default().insert(database);
                }
                Evidence::NothingLeft { round } => drained.push((step.target.as_ref(), *round)),
                Evidence::NoneRemain { what, .. } => gone.push(what.clone()),
                Evidence::Touched { table, .. } => touched.push(table.clone()),
                Evidence::Residue { migration, rows, .. } => read.push(residue(migration, *rows, step.target.as_ref())),
                Evidence::Check { result: CheckResult::Success, .. } => {}
                Evidence::Check { name, result, details, why } => {
                    let asked = asked.map(|asked| format!("{asked}'s ")).unwrap_or_default();
                    read.push(asked + &check(name, *result, details.as_deref(), why.as_deref()));
                }
                Evidence::Exit { code, verdict: Verdict::Warning } if asked.is_none() => {
                    read.push(format!("{} ended with a warning (exit {code}): read its log", step.short()));
                }
                Evidence::Tables { database, before, after, may_drop } => {
                    read.extend(fewer(*before, *after, *may_drop).map(|fewer| {
                        format!("{} left {} in {database}, {fewer}", step.short(), counted(*after, "table", "tables"))
                    }));
                }
                Evidence::Triggers { database, made, .. } => {
                    read.extend((!made.is_empty()).then(|| {
                        let names: Vec<&str> = made.iter().map(|trigger| trigger.name.as_str()).collect();
                        format!("{} made triggers in {database}: {}", step.short(), names.join(", "))
                    }));
                }
                // What is to be done about services is said once, at the end of it all.
                Evidence::OldServices(_) | Evidence::ServicesUnread { .. } => {}
                // The heads at the end of the lane say it for all of its steps.
                Evidence::Exit { .. }
                | Evidence::EndUnseen { .. }
                | Evidence::Untriggered { .. }
                | Evidence::Branch { .. }
                | Evidence::NothingElsewhere {}
                | Evidence::NothingBesides { .. }
                | Evidence::Restored { .. } => {}
                Evidence::RestorePoint(point) if point.proof == PointProof::Off => unproved += 1,
                Evidence::RestorePoint(_) => proved += 1,
            }
        }
    }
    let mut proof = Vec::new();
    // In the order of the databases, those with the same heads together.
    let heads = heads.into_iter().map(|(heads, databases)| (heads, databases.into_iter().collect()));
    let mut heads: Vec<(&Heads, Vec<&DatabaseId>)> = heads.collect();
    heads.sort_by(|one, two| one.1.cmp(&two.1));
    for (reached, databases) in heads {
        let single = databases.len() == 1 && databases[0].slot.as_str() == DatabaseId::MAIN;
        let names: Vec<String> = databases.iter().map(|database| database.short().to_owned()).collect();
        proof.push(if single { format!("at {reached}") } else { format!("{} at {reached}", listed(&names)) });
    }
    match &drained[..] {
        [] => {}
        [(None, round)] => proof.push(format!("nothing left in round {round}")),
        [(Some(target), round)] => proof.push(format!("nothing left in {target} (round {round})")),
        several => {
            let names: Vec<String> = several.iter().filter_map(|(target, _)| target.map(ToString::to_string)).collect();
            proof.push(format!("nothing left in {}", listed(&names)));
        }
    }
    proof.extend((!touched.is_empty()).then(|| format!("every row of {} touched", listed(&touched))));
    if !skipped.is_empty() {
        proof.push(format!("{} skipped, with nothing to do", listed(&skipped)));
    }
    let points = |number| counted(number, "restore point", "restore points");
    proof.extend((proved > 0).then(|| points(proved)));
    proof.extend((unproved > 0).then(|| format!("{} that nothing proved", points(unproved))));
    gone.sort();
    gone.dedup();
    proof.extend(gone.iter().map(|what| format!("no {what}")));
    for (asked, number) in succeeded.into_iter().filter(|(_, number)| *number > 0) {
        proof.push(format!("{} of {asked} succeeded", counted(number, "check", "checks")));
    }
    read.sort();
    read.dedup();
    let proof = (!proof.is_empty()).then(|| proof.join("; "));
    proof.into_iter().chain(read).collect()
}
