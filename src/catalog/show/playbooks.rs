//! Playbooks.

use std::fmt::Write;

use serde::Serialize;

use super::text::{count, list, paragraph, table};
use crate::catalog::{
    Allowance, Catalog, ConfigurationFile, DatabaseSlot, Drain, Playbook, PlaybookCheck, PlaybookStep, Precondition,
    RecordedVersions, Remainder, Residue, Run, Severity, Taken, TripStep, TrippedTable,
};
use crate::model::{Effect, SeriesRange, Verdict};

/// What `leapfrog playbooks --output json` says: every playbook, as its file says it.
#[derive(Debug, Serialize)]
pub struct PlaybookList<'c> {
    /// The playbooks, by name of the service.
    pub playbooks: Vec<&'c Playbook>,
}

impl<'c> PlaybookList<'c> {
    /// All playbooks of a catalogue.
    pub fn new(catalog: &'c Catalog) -> Self {
        Self { playbooks: catalog.playbooks().collect() }
    }
}

/// The playbooks, one a line.
pub fn playbooks(catalog: &Catalog) -> String {
    let mut rows = vec![["SERVICE", "WHAT IT IS", "DATABASES", "STEPS"].map(str::to_owned)];
    rows.extend(catalog.playbooks().map(|playbook| {
        // A step that differs between releases or engines is there several times.
        let mut names: Vec<_> = playbook.steps.iter().map(PlaybookStep::name).collect();
        names.dedup();
        [playbook.service.to_string(), playbook.title.clone(), list(playbook.databases.iter().map(slot)), list(names)]
    }));
    table(0, &rows)
}

/// One playbook in full.
pub fn playbook(playbook: &Playbook) -> String {
    let mut text = format!("{}: {}\n\nDATABASES\n", playbook.service, playbook.title);
    let rows: Vec<_> =
        playbook.databases.iter().map(|database| [slot(database), format!("schema {}", database.schema)]).collect();
    text.push_str(&table(2, &rows));
    let code = code(playbook);
    if !code.is_empty() {
        text.push_str("\nREAD IN EVERY IMAGE\n");
        text.push_str(&table(2, &code));
    }
    text.push_str("\nCONFIGURATION\n");
    for file in &playbook.configuration {
        text.push_str(&configuration(file));
    }
    if !playbook.checks.is_empty() {
        text.push_str("\nLOOKED AT BEFORE ANYTHING IS TOUCHED\n");
        for PlaybookCheck::StoredUrls(check) in &playbook.checks {
            let leads = format!("the URLs stored in {} must lead to {}", check.database, list(&check.lead_to));
            text.push_str(&paragraph(2, &format!("{}: ", check.name), &leads));
            text.push_str(&paragraph(4, "", &check.why));
            text.push_str(&paragraph(4, "if not: ", &check.mend));
        }
    }
    if !playbook.preconditions.is_empty() {
        text.push_str("\nASKED BY `leapfrog check`, AND BEFORE A LEAP BEGINS\n");
        for one in &playbook.preconditions {
            text.push_str(&precondition(one));
        }
    }
    if !playbook.recorded_versions.is_empty() {
        text.push_str("\nASKED OF ITS SERVICES, AT THE END OF A LEAP\n");
        for one in &playbook.recorded_versions {
            text.push_str(&recorded(one));
        }
    }
    text.push_str("\nSTEPS\n");
    for (index, one) in playbook.steps.iter().enumerate() {
        text.push_str(&step(index + 1, one));
    }
    if !playbook.known.is_empty() {
        text.push_str("\nHOW THIS IS KNOWN\n");
        for known in &playbook.known {
            let what = known.what.as_ref().map(|what| format!(": {}", what.trim())).unwrap_or_default();
            text.push_str(&paragraph(
                2,
                &format!("{}: ", series(&known.series)),
                &format!("{}{what}", known.how.told()),
            ));
        }
    }
    if !playbook.sources.is_empty() {
        text.push_str("\nSOURCES\n");
        for source in &playbook.sources {
            text.push_str(&paragraph(2, "- ", source));
        }
    }
    text
}

fn precondition(one: &Precondition) -> String {
    let becomes = match one.severity {
        Severity::Refuses => "the migration fails",
        Severity::Warns => "a warning",
    };
    let engines = if one.engines.is_empty() { String::new() } else { format!(", on {}", list(&one.engines)) };
    let place = format!("{}{engines}; in {}; {becomes}", series(&one.series), list(&one.databases));
    let mut text = paragraph(2, &format!("{}: ", one.name), &format!("no {} ({place})", one.what.trim()));
    text.push_str(&paragraph(4, "if not: ", &format!("{} {}", one.means.trim(), one.mend.trim())));
    if let Some(moved) = &one.moved_by {
        text.push_str(&paragraph(4, "seen to by: ", &format!("{} ({})", moved.step, series(&moved.series))));
    }
    text
}

fn recorded(one: &RecordedVersions) -> String {
    let oldest = one.oldest.iter().map(|oldest| {
        let named = oldest.named.as_ref().map(|named| format!(", {named}")).unwrap_or_default();
        format!("{}{named} ({})", oldest.version, series(&oldest.series))
    });
    let oldest = oldest.collect::<Vec<_>>().join("; ");
    let mut text = paragraph(2, &format!("{}: ", one.name), &format!("{}, none older than {oldest}", one.what.trim()));
    text.push_str(&paragraph(4, "if not: ", one.means.trim()));
    for mend in &one.mends {
        text.push_str(&paragraph(4, "mended by: ", &mend.told()));
    }
    if let Some(moved) = &one.moved_by {
        text.push_str(&paragraph(4, "seen to by: ", &format!("{} ({})", moved.step, series(&moved.series))));
    }
    text
}

/// What is read of an image, and what for.
fn code(playbook: &Playbook) -> Vec<[String; 3]> {
    let scripts = playbook.databases.iter().flat_map(|database| {
        let what = format!("migration scripts of {}", database.schema);
        let numbered = database.repositories.iter().map(|one| {
            let what = format!("scripts of {} from before alembic", one.name);
            let when = if one.series == SeriesRange::default() {
                "where heads are numbers".to_owned()
            } else {
                series(&one.series)
            };
            [what, one.path.clone(), when]
        });
        let scripts = database.scripts.iter();
        let scripts = scripts.map(move |scripts| [what.clone(), scripts.path.clone(), series(&scripts.series)]);
        numbered.chain(scripts)
    });
    let options = playbook.options_in.iter();
    let options = options.map(|file| ["options".to_owned(), file.path.clone(), series(&file.series)]);
    scripts.chain(options).collect()
}

fn slot(database: &DatabaseSlot) -> String {
    if database.many { format!("{} (any number)", database.slot) } else { database.slot.to_string() }
}

fn configuration(file: &ConfigurationFile) -> String {
    let mut text = format!("  {}, {}\n", file.path, series(&file.series));
    let rows: Vec<_> = file
        .options
        .iter()
        .map(|option| {
            let value = match &option.value {
                Some(value) => value.clone(),
                None => {
                    format!("URL of {}", option.url_of.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "))
                }
            };
            [format!("[{}]", option.group), option.option.clone(), value]
        })
        .collect();
    text.push_str(&table(4, &rows));
    if let Some(option) = &file.passed_with {
        text.push_str(&paragraph(4, "in a local environment: ", &format!("named with {option}")));
    }
    if let Some(reason) = &file.refuses_percent {
        text.push_str(&paragraph(4, "no percent sign in the URL: ", reason));
    }
    text
}

/// A step with its number, and all that is known of it.
fn step(number: usize, step: &PlaybookStep) -> String {
    format!("  {number}. {}", told(step))
}

/// A step, every line but the first one indented.
pub(super) fn told(step: &PlaybookStep) -> String {
    let mut about = vec![step.phase().to_string(), series(step.series())];
    if !step.engines().is_empty() {
        about.push(format!("on {}", list(step.engines())));
    }
    if let PlaybookStep::Drain(drain) = step {
        about.push(format!("repeated until done, at most {} a round", count_of(drain)));
    }
    if let PlaybookStep::Trip(_) = step {
        about.push("by leapfrog itself, in batches".to_owned());
    }
    if let PlaybookStep::Check(_) = step {
        about.push("before any schema of the release is touched, except in the first release of a leap".to_owned());
    }
    let does = match step {
        PlaybookStep::Trip(trip) => touches(trip),
        _ => step.command().map(ToString::to_string).unwrap_or_default(),
    };
    let mut text = format!("{} ({})\n     {does}\n", step.name(), about.join("; "));
    text.push_str(&paragraph(5, "", step.why()));
    let mut line = |lead: &str, rest: &str| text.push_str(&paragraph(5, lead, rest));
    match step.taken() {
        Some(Taken::AtOnce) => line("taken: ", "where all of the release is done at once"),
        Some(Taken::InParts) => line("taken: ", "where the release is taken in parts"),
        None => {}
    }
    if !step.for_each().is_empty() {
        let how = if step.side_by_side() { "side by side" } else { "one after the other" };
        line("for each database of: ", &format!("{}; {how}", list(step.for_each())));
    }
    if let PlaybookStep::Run(run) = step
        && !run.schema.is_empty()
    {
        line("proved by: ", &proof(run));
        line("skipped: ", &skipped(run));
    }
    if let PlaybookStep::Run(run) = step
        && let Some(made) = &run.triggers
    {
        line("creates triggers: ", &format!("{} ({})", made.what.trim(), series(&made.series)));
    }
    if let PlaybookStep::Drain(drain) = step {
        let counted = if drain.remainders.is_empty() { "" } else { ", and no row left of those that must be gone" };
        line("proved by: ", &format!("a round that finds nothing to move{counted}"));
    }
    if let PlaybookStep::Trip(trip) = step {
        line("proved by: ", "every row touched since the triggers appeared, and none left of those that are counted");
        trip.tables.iter().for_each(|table| line("table: ", &touched(table)));
    }
    line(
        "if its end was not seen: ",
        match step.effect() {
            Effect::ReadOnly => "run again, it changes nothing",
            Effect::Idempotent if matches!(step, PlaybookStep::Trip(_)) => "goes on after the last batch",
            Effect::Idempotent => "run again, it ends in the same state",
            Effect::Once => "halt and ask, it must not run twice",
        },
    );
    if let PlaybookStep::Check(check) = step {
        line("it ends well: ", "where the output is read whole and holds no failure, whatever the exit code says");
        for allowance in &check.allow {
            line("allowed: ", &allowed(allowance));
        }
    } else if step.command().is_some() {
        line("exit codes: ", &exit_codes(step));
    }
    if !step.failure_texts().is_empty() {
        line("failed if it says: ", &list(step.failure_texts().iter().map(|text| format!("\"{text}\""))));
    }
    if let PlaybookStep::Drain(drain) = step {
        for common in &drain.alone_while {
            let place = format!("{} ({})", list(&common.databases), series(&common.series));
            line("one at a time while there are: ", &format!("{} in {place}", common.what.trim()));
        }
        for residue in &drain.residues {
            line("harmless rest: ", &rest(residue));
        }
        for remainder in &drain.remainders {
            line("must be gone: ", &gone(remainder));
        }
    }
    text
}

/// What a `trip` step does, in the place of a command.
fn touches(trip: &TripStep) -> String {
    format!("every row of {} is set to itself", list(trip.tables.iter().map(|table| &table.name)))
}

fn touched(table: &TrippedTable) -> String {
    let when = if table.when.is_always() { "" } else { ", where it has a row trigger for updates" };
    let counted = table.remainder.as_ref().map(|query| format!("; left are: {}", query.trim())).unwrap_or_default();
    format!("{}{when}{counted}", table.name)
}

fn proof(run: &Run) -> String {
    let heads = match run.branch {
        Some(branch) => format!("the release's head of the {branch} branch"),
        None => "the release's heads".to_owned(),
    };
    format!("{heads} in {}", list(&run.schema))
}

fn skipped(run: &Run) -> String {
    let reached = "where the release's heads are reached already";
    let Some(besides) = &run.besides else { return reached.to_owned() };
    let what = besides.what.trim();
    match (&besides.query, besides.only_last) {
        (None, false) => format!("never, for it does more: {what}"),
        (None, true) => format!("{reached}, but never in the last release of a leap, for it does more: {what}"),
        (Some(_), false) => format!("{reached} and there is nothing that it does besides: {what}"),
        (Some(_), true) => {
            format!("{reached} and, in the last release of a leap, nothing that it does besides: {what}")
        }
    }
}

fn count_of(drain: &Drain) -> String {
    count(usize::try_from(drain.count).unwrap_or(usize::MAX), "row", "rows")
}

fn exit_codes(step: &PlaybookStep) -> String {
    let mut text = String::new();
    for (code, verdict) in step.exits().0.iter().filter(|(_, verdict)| **verdict != Verdict::Failed) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{code} {verdict}, ");
    }
    text + "any other failed"
}

fn rest(residue: &Residue) -> String {
    format!("{} ({}): {}", residue.migration, series(&residue.series), residue.why.trim())
}

fn allowed(allowance: &Allowance) -> String {
    let results: Vec<String> = allowance.results.iter().map(ToString::to_string).collect();
    let counted = if allowance.unless.is_some() { ", while no row is counted that makes it true" } else { "" };
    format!(
        "{} of {} ({}{counted}): {}",
        results.join(" or "),
        allowance.check,
        series(&allowance.series),
        allowance.why.trim()
    )
}

fn gone(remainder: &Remainder) -> String {
    let mover = match (&remainder.migration, remainder.moved) {
        (Some(migration), _) => format!("; moved by {migration}"),
        (None, true) => String::new(),
        (None, false) => "; not moved by this command".to_owned(),
    };
    format!("{} ({}){mover}", remainder.what.trim(), series(&remainder.series))
}

pub(super) fn series(range: &SeriesRange) -> String {
    match (&range.from, &range.to) {
        (None, None) => "all releases".to_owned(),
        (Some(from), None) => format!("from {from} on"),
        (None, Some(to)) => format!("up to {to}"),
        (Some(from), Some(to)) if from == to => format!("{from} only"),
        (Some(from), Some(to)) => format!("{from} to {to}"),
    }
}
