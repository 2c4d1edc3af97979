//! A detection as a table and a sentence.

use std::collections::BTreeMap;

use super::{Detected, Detection, Group, Half, Standing, Verdict};
use crate::model::{DatabaseId, Heads, Series, Unreachable};

/// Releases in few words: `2024.1`, `2024.1 … 2025.1` where none of `known` between them is left out,
/// else one by one.
pub(in crate::plan) fn interval(series: &[Series], known: &[Series]) -> String {
    let (Some(first), Some(last)) = (series.first(), series.last()) else { return "none".to_owned() };
    if first == last {
        return first.to_string();
    }
    let between = known.iter().filter(|series| (first..=last).contains(series)).count();
    if between == series.len() {
        format!("{first} … {last}")
    } else {
        series.iter().map(Series::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// The detection as a table, what there is to say about single databases, and a conclusion; if `verbose`, also which
/// older numbers are left.
pub fn render(detection: &Detection, verbose: bool) -> String {
    let known = &detection.known;
    let mut rows = vec![["database", "heads", "stands at", "remarks"].map(str::to_owned)];
    let mut details = String::new();
    for (id, Detected { found, verdict }) in &detection.databases {
        let heads = found.as_ref().map_or_else(|| "?".to_owned(), Heads::to_string);
        let (at, remark, detail) = describe(verdict, known);
        let leftover = found.as_ref().is_some_and(|found| !found.alembic.is_empty() && !found.migrate.is_empty());
        let stale = if remark.is_empty() && leftover { "older numbers are left and do not count" } else { "" };
        rows.push([id.to_string(), heads, at, remark + stale]);
        if !detail.is_empty() {
            details.push_str(&format!("{id}: {detail}\n"));
        }
        if let Some(found) =
            found.as_ref().filter(|_| verbose && leftover && !matches!(verdict, Verdict::Stamped { .. }))
        {
            let left = told(&found.migrate);
            details
                .push_str(&format!("{id}: {left} are left in migrate_version from before alembic and do not count\n"));
        }
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let [first, second, third] = [width(0), width(1), width(2)];
    let mut text = String::new();
    for [id, found, at, remark] in &rows {
        let line = format!("{id:first$}  {found:second$}  {at:third$}  {remark}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push('\n');
    if !details.is_empty() {
        text.push_str(&details);
        text.push('\n');
    }
    text.push_str(&summary(&detection.standing, known));
    text
}

/// Where a database stands, why in a few words, and why in full.
fn describe(verdict: &Verdict, known: &[Series]) -> (String, String, String) {
    match verdict {
        Verdict::At { series } => (interval(series, known), String::new(), String::new()),
        Verdict::Empty => (
            "empty".to_owned(),
            "no tables".to_owned(),
            "the service was never set up here, or this is not its database".to_owned(),
        ),
        Verdict::Unversioned => (
            "unknown".to_owned(),
            "tables, but no version".to_owned(),
            "this is another service's database, or its first migration broke off".to_owned(),
        ),
        Verdict::Legacy => ("unknown".to_owned(), "numbers of the time before alembic".to_owned(), numbered(known)),
        Verdict::Stamped { left, ended } => {
            let (left, ended) = (told(left), told(ended));
            let detail = format!(
                "its schema is that of {left}, and the revision was only written down: where migrations ran to their end, \
                 {ended} is left"
            );
            ("unknown".to_owned(), "stamped, not migrated".to_owned(), detail)
        }
        Verdict::Partial { done, heads, behind, ahead } => {
            let half = match done {
                Half::Expanded => "expanded, not contracted",
                Half::Some => "begun, not finished",
            };
            let remark = match &ahead[..] {
                [] => half.to_owned(),
                _ => format!("{} {half}", interval(ahead, known)),
            };
            let target = if ahead.is_empty() { "a later release".to_owned() } else { interval(ahead, known) };
            let parts = heads.iter().map(|(head, series)| match series.is_empty() {
                true => format!("{head} ends no release"),
                false => format!("{head} is of {}", interval(series, known)),
            });
            let parts = parts.collect::<Vec<_>>().join(", ");
            let detail = format!("a migration from {} to {target} is not finished: {parts}", interval(behind, known));
            ("between".to_owned(), remark, detail)
        }
        Verdict::Unknown { heads } => {
            let heads = heads.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let detail = format!(
                "no release known here ends at {heads}: an older or a newer release, a foreign database, or a \
                 migration that was cut off half-way"
            );
            ("unknown".to_owned(), "no known release".to_owned(), detail)
        }
        Verdict::Unreachable(Unreachable { reason, advice }) => {
            ("?".to_owned(), "could not be read".to_owned(), format!("{reason}; {advice}"))
        }
    }
}

/// Numbers by repository, in a line.
pub(in crate::plan) fn told(numbers: &BTreeMap<String, u32>) -> String {
    numbers.iter().map(|(repository, number)| format!("{repository} {number}")).collect::<Vec<_>>().join(" + ")
}

fn numbered(known: &[Series]) -> String {
    match known.first() {
        Some(first) => format!(
            "no release known here ends at this number: a release before {first}, or a migration that was cut off half-way"
        ),
        None => "no release is known here".to_owned(),
    }
}

fn summary(standing: &Standing, known: &[Series]) -> String {
    match standing {
        Standing::At(series) => format!("The cloud stands at {}.\n", interval(series, known)),
        Standing::Mixed(groups) => {
            let mut text = "The databases stand at different releases:\n".to_owned();
            for Group { series, databases } in groups {
                let names: Vec<String> = databases.iter().map(DatabaseId::to_string).collect();
                text.push_str(&format!("  {}: {}\n", interval(series, known), names.join(", ")));
            }
            text
        }
        Standing::Unclear(databases) => {
            let names: Vec<String> = databases.iter().map(DatabaseId::to_string).collect();
            format!("Where the cloud stands is unclear, because of {}.\n", names.join(", "))
        }
    }
}
