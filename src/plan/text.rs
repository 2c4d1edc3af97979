//! The plan as text.

use std::fmt::Write;

use super::build::and;
use super::document::{Action, Hop, Lane, Plan, Standing};
use crate::catalog::{Exception, Knowledge};
use crate::model::{DatabaseId, PointProof};

/// The plan as a person reads it: the path, then every hop with its lanes, steps, images and reasons.
pub fn render(plan: &Plan) -> String {
    let mut text = String::new();
    let databases: usize = plan.hops.first().map_or(0, |hop| hop.lanes.iter().map(|lane| lane.standing.len()).sum());
    let services = plan.hops.first().map_or(0, |hop| hop.lanes.len());
    let path: Vec<&str> = plan.hops.iter().map(|hop| hop.series.as_str()).collect();
    let _ = writeln!(
        text,
        "{}: {} ({}, {}, {})",
        plan.cloud,
        path.join(" → "),
        counted(plan.hops.len(), "hop"),
        counted(services, "service"),
        counted(databases, "database")
    );
    for reason in &plan.reasons {
        let _ = writeln!(text, "  {reason}");
    }
    let width = plan.steps().map(|(_, _, step)| step.id.short().chars().count()).max().unwrap_or(0);
    for (number, hop) in plan.hops.iter().enumerate() {
        render_hop(&mut text, number + 1, plan.hops.len(), hop, width);
    }
    text
}

/// The plan in a few lines, for the question whether to begin: what moves in each hop.
pub fn render_brief(plan: &Plan) -> String {
    let mut text = String::new();
    let width = plan.hops.iter().map(|hop| hop.series.as_str().len()).max().unwrap_or(0);
    for hop in &plan.hops {
        let moves = |lane: &&Lane| lane.standing.values().any(|standing| matches!(standing, Standing::Moves { .. }));
        let drains =
            |lane: &&Lane| lane.steps.iter().any(|step| matches!(step.action, Action::Drain(_) | Action::Trip(_)));
        let names = |lanes: Vec<&Lane>| lanes.iter().map(|lane| lane.service.as_str()).collect::<Vec<_>>().join(", ");
        let schema = match names(hop.lanes.iter().filter(moves).collect()) {
            names if names.is_empty() => "every schema is at its heads already".to_owned(),
            names => format!("schema moves in {names}"),
        };
        let data = match names(hop.lanes.iter().filter(drains).collect()) {
            names if names.is_empty() => "no data migrations".to_owned(),
            names => format!("data migrations of {names}, until done"),
        };
        let _ = writeln!(text, "  {:<width$}  {schema}", hop.series);
        let _ = writeln!(text, "  {:<width$}  {data}", "");
        for change in hop.changes.iter().filter(|change| change.takes_time()) {
            let service = change.service.as_ref().map(ToString::to_string).unwrap_or_default();
            for (index, line) in wrap(&format!("{service}: {}", change.changes.trim()), 96).iter().enumerate() {
                let _ = writeln!(text, "  {:<width$}  {}{line}", "", if index == 0 { "! " } else { "  " });
            }
        }
    }
    if plan.hops.iter().flat_map(|hop| &hop.changes).any(Exception::takes_time) {
        let _ = writeln!(
            text,
            "  ! takes as long as a table is large; `leapfrog plan` says which, and what to look at before"
        );
    }
    text
}

fn render_hop(text: &mut String, number: usize, of: usize, hop: &Hop, width: usize) {
    let _ = writeln!(text, "\nhop {number} of {of}: {} ({})", hop.series, hop.reason);
    for note in hop.notes.iter().cloned().chain(hop.changes.iter().map(Exception::told)) {
        for (index, line) in wrap(&note, 96).iter().enumerate() {
            let _ = writeln!(text, "  {:<5} {line}", if index == 0 { "note" } else { "" });
        }
    }
    for known in [Knowledge::Run, Knowledge::Read] {
        let lanes = hop.lanes.iter().filter(|lane| lane.known == known).map(|lane| lane.service.as_str());
        let names: Vec<&str> = lanes.collect();
        if !names.is_empty() {
            let told = format!("{} at {}: {}", and(&names), hop.series, known.told());
            for (index, line) in wrap(&told, 96).iter().enumerate() {
                let _ = writeln!(text, "  {:<5} {line}", if index == 0 { "known" } else { "" });
            }
        }
    }
    let mut images: Vec<String> =
        hop.lanes.iter().map(|lane| format!("{} {}", lane.image.noun(), lane.image)).collect();
    images.dedup();
    if let [image] = &images[..] {
        let _ = writeln!(text, "  {image}");
    }
    for lane in &hop.lanes {
        render_lane(text, lane, images.len() > 1, width);
    }
}

fn render_lane(text: &mut String, lane: &Lane, name_image: bool, width: usize) {
    let _ = writeln!(text, "  {}", lane.service);
    if name_image {
        let _ = writeln!(text, "    {:<9} {}", lane.image.noun(), lane.image);
    }
    for (id, standing) in &lane.standing {
        let name = if id.slot.as_str() == DatabaseId::MAIN { "schema" } else { id.short() };
        let _ = match standing {
            Standing::AtHeads { heads } => writeln!(text, "    {name:<9} at {heads} already"),
            Standing::Moves { from, to } => writeln!(text, "    {name:<9} {from} → {to}"),
        };
    }
    let idle = lane.idle_steps();
    for step in &lane.steps {
        let what = match &step.action {
            Action::Run(run) if idle.contains(&step.id) => {
                format!("{}  (skipped: at the release's heads)", run.command)
            }
            Action::Run(run) => run.command.to_string(),
            Action::Drain(migration) => {
                format!("{}  (until done)", migration.command.words(Some(migration.count)).join(" "))
            }
            Action::Trip(touching) => {
                format!("every row of {} is set to itself  (until each is touched)", touching.names())
            }
            Action::Save(saved) => match saved.proof {
                PointProof::Off => "dumped, and not proved".to_owned(),
                PointProof::Sample => "dumped, brought back into a scratch database, compared in part".to_owned(),
                PointProof::Full => "dumped, brought back into a scratch database, compared".to_owned(),
            },
            Action::Verify(_) => "heads are read and compared".to_owned(),
            Action::Check(checks) => format!("{}  (asked of {}, before it begins)", checks.command, checks.release),
        };
        let _ = writeln!(text, "    {:<9} {:<width$}  {what}", step.phase, step.id.short());
    }
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The words of `text` in lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
