//! `leapfrog lint`: what the migrations of a source tree, or of a range of releases, do, and which of it is a fault.
//!
//! No Python is run, but by `--execute`. `directory` finds and reads the scripts of a tree, `range` those of the images or environments of a
//! leap, `execute` runs them on copies of the databases where that is asked for, `exceptions` which findings were accepted, [`crate::lint`] judges; the forms are in `text`, `sarif`, `github`; `explain` tells of a rule.

mod arguments;
mod directory;
mod exceptions;
mod execute;
mod executed;
mod explain;
mod github;
mod range;
mod sarif;
#[cfg(test)]
mod tests;
mod text;

use anyhow::{anyhow, bail};

pub use arguments::LintArguments;

use super::arguments::{Common, Form};
use super::exit::Exit;
use super::look::Show;
use super::stop::Stop;
use super::world::meant;
use crate::lint::{Confronted, RULES, Report, Rule, Scope, Server, Target, confront, heavy, judge};

pub use explain::page;

/// `leapfrog lint`.
pub(super) async fn lint(common: &Common, arguments: &LintArguments, show: &Show) -> Result<Exit, Stop> {
    if let Some(name) = &arguments.explain {
        return explain(name, arguments.output, show);
    }
    let (scripts, scope, here, sized, notes) = match (arguments.selection(), &arguments.directory) {
        (Some(selection), _) => {
            let found = range::scripts(common, &selection, arguments.sizes, show).await?;
            (found.scripts, Scope::Together, found.targets, found.sized, found.notes)
        }
        (None, Some(directory)) => {
            let (scripts, scope) = directory::scripts(directory, arguments.diff.as_deref()).map_err(Stop::usage)?;
            (scripts, scope, [Server::Mysql, Server::Mariadb].map(Target::usual).to_vec(), Vec::new(), Vec::new())
        }
        (None, None) => {
            return Err(Stop::usage(anyhow!(
                "nothing to read was named: give a source tree (`leapfrog lint DIR`), or a range of releases (`leapfrog lint --from \
                 2023.1 --to 2024.2`)"
            )));
        }
    };
    let courses = match arguments.selection().filter(|_| arguments.execute) {
        Some(selection) => match execute::execute(common, &selection, show).await? {
            Some(courses) => courses,
            None => {
                show.complain(
                    "interrupted; no database of the cloud was touched, and the scratch databases are dropped\n",
                );
                return Ok(Exit::Interrupted);
            }
        },
        None => Vec::new(),
    };
    // What was asked says what it is.
    let here = if courses.is_empty() { here } else { courses.iter().map(|course| course.target).collect() };
    let targets = targets(arguments, here).map_err(Stop::usage)?;
    let mut report = Report::new(&scripts, &targets, &judge(&scripts, &targets, scope));
    let Confronted { findings, ran } = confront(&scripts, &courses);
    report.findings.extend(findings);
    report.executed = ran;
    report.heavy = heavy(&scripts, &targets, &sized);
    let today = jiff::Zoned::now().date();
    if !arguments.no_notes {
        for (series, note) in exceptions::apply_notes(&notes, &mut report, &scripts, today) {
            let service = note.service.as_ref().map(|service| format!("{service} ")).unwrap_or_default();
            show.caution(&format!(
                "leapfrog: the notes on {series} tell of revision {} of {service}which none of these scripts is: look at what \
                 takes its place\n",
                note.revision
            ));
        }
    }
    // Of a part of the scripts it cannot be said which exceptions match nothing any more.
    let partial = arguments.diff.is_some() || !arguments.only.is_empty();
    exceptions::apply(&arguments.exceptions, &mut report, today, partial)?;
    report.count();
    tell(&report, arguments, show)
}

/// Tells of what was found, and how the command ends.
fn tell(report: &Report, arguments: &LintArguments, show: &Show) -> Result<Exit, Stop> {
    match arguments.output {
        Form::Text => show.print(&text::render(report, show.out_paper(), arguments.verbose)),
        Form::Json | Form::Jsonl => show.print_json(report)?,
        Form::Sarif => show.print_json(&sarif::document(report))?,
        Form::Github => show.print(&github::annotations(report, arguments.verbose)),
    }
    let denied = report
        .findings
        .iter()
        .filter(|found| found.accepted.is_none() && arguments.deny.denies(found.severity))
        .count();
    if denied == 0 {
        return Ok(Exit::Done);
    }
    let (is, rule) = match denied {
        1 => ("1 finding is", "the rule"),
        _ => (&*format!("{denied} findings are"), "a rule"),
    };
    show.caution(&format!(
        "leapfrog: {is} denied (--deny {}); `leapfrog lint --explain RULE` tells what {rule} is about\n",
        match arguments.deny {
            arguments::Deny::Warning => "warning",
            _ => "error",
        }
    ));
    Ok(Exit::Findings)
}

/// The servers that are asked for, or those that are `here`.
fn targets(arguments: &LintArguments, here: Vec<Target>) -> anyhow::Result<Vec<Target>> {
    let asked: Vec<Target> = arguments.engine.iter().copied().map(Target::usual).collect();
    let mut targets = if asked.is_empty() { here } else { asked };
    if targets.is_empty() {
        bail!("there is no database whose engine could be judged for: name one with --engine")
    }
    // Of several versions of one server the oldest: it is the one that costs most.
    targets.sort_unstable();
    targets.dedup_by_key(|target| target.server);
    if let Some(version) = arguments.engine_version {
        let [target] = &mut targets[..] else {
            bail!("--engine-version {version} could be the version of any of them: name one engine with --engine")
        };
        target.version = version;
    }
    Ok(targets)
}

/// Explains a rule.
fn explain(name: &str, form: Form, show: &Show) -> Result<Exit, Stop> {
    let rule = Rule::named(name).ok_or_else(|| {
        let known: Vec<&str> = RULES.iter().flat_map(|rule| [rule.id, rule.name]).collect();
        let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
        let meant = meant(name, &known);
        Stop::usage(anyhow!("--explain {name}: there is no such rule{meant}; there are {}", ids.join(", ")))
    })?;
    match form {
        Form::Text => show.print(&explain::text(rule, show.out_paper())),
        Form::Json | Form::Jsonl => show.print_json(&explain::Explained::new(rule))?,
        Form::Sarif | Form::Github => {
            return Err(Stop::usage(anyhow!("a rule is explained as text or as json: leave --output away")));
        }
    }
    Ok(Exit::Done)
}
