//! `leapfrog doctor`: is everything here that a leap needs? Nothing is changed by asking.
//!
//! It asks what a leap's own beginning asks (the engine, registries, restore points, locks, the databases), through the
//! same code, and besides what nobody asks otherwise: clocks, the terminal, who may read the files. Everything is looked
//! at, whatever else is wrong; each finding that is not in order says what mends it. Where a leap's beginning finds
//! something out by doing it (a scratch database), the doctor asks for the right to do it.
//!
//! A finding is a failure where a leap would be refused, a warning where it would go on and somebody should know.
//!
//! `machine` looks at this machine, `runner` at what executes commands, `databases` at the databases.

mod databases;
mod machine;
mod runner;

use std::collections::BTreeSet;

use serde::Serialize;

use super::arguments::{Common, DoctorArguments, Output, Selection, StopsAt, Until};
use super::exit::Exit;
use super::look::Show;
use super::stop::{Cause, Stop};
use super::world::World;
use crate::document::Mistake;
use crate::model::Service;
use crate::plan::Refusal;
use crate::report::Paper;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) enum State {
    /// In order.
    Ok,
    /// A leap goes on; somebody should know.
    Warning,
    /// A leap would be refused.
    Failure,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct Finding {
    /// How it stands.
    pub state: State,
    /// What it is about: `cloud file`, `engine`, `images`, `databases`, a database's name, and others.
    pub about: String,
    /// What was found.
    pub what: String,
    /// What mends it; absent where nothing has to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Finding {
    fn ok(about: impl Into<String>, what: impl Into<String>) -> Self {
        Self { state: State::Ok, about: about.into(), what: what.into(), next: None }
    }

    fn warning(about: impl Into<String>, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { state: State::Warning, about: about.into(), what: what.into(), next: Some(next.into()) }
    }

    fn failure(about: impl Into<String>, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { state: State::Failure, about: about.into(), what: what.into(), next: Some(next.into()) }
    }

    /// A reason not to begin.
    fn refused(about: impl Into<String>, refusal: &Refusal) -> Self {
        let found = refusal.found.as_ref().map(|found| format!(": {found}")).unwrap_or_default();
        Self::failure(about, format!("{}{found}", refusal.what), &refusal.next)
    }
}

/// Everything that was looked at.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct Report {
    /// In the order of the table.
    pub findings: Vec<Finding>,
    /// How many are in order.
    pub ok: usize,
    /// How many are warnings.
    pub warnings: usize,
    /// How many are failures; none: exit code 0.
    pub failures: usize,
}

/// `leapfrog doctor`.
pub(super) async fn doctor(common: &Common, arguments: &DoctorArguments, show: &Show) -> Result<Exit, Stop> {
    let mut findings = vec![machine::program()];
    let world = match std::fs::symlink_metadata(&common.config) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let what = format!("there is no {}", common.config);
            let next = "run `leapfrog init`, which writes one, or name yours with --config";
            findings.push(Finding::warning("cloud file", what, next));
            None
        }
        _ => match World::read(common) {
            Ok(world) => Some(world),
            Err(stop) => {
                findings.extend(unread(&stop));
                None
            }
        },
    };
    let services = match &world {
        Some(world) => world.only(&arguments.only)?,
        None => BTreeSet::new(),
    };
    if let Some(world) = &world {
        findings.extend(cloud_file(common, world));
        findings.extend(machine::state(world));
    }
    findings.extend(machine::surroundings(show));
    match world {
        None => findings.extend(runner::without_cloud().await),
        Some(mut world) => {
            world.look_up_mapped(&services).await;
            findings.extend(world.unmapped.iter().map(|refusal| Finding::refused("databases", refusal)));
            findings.extend(databases::look(&world, &services).await);
            findings.extend(runner::look(&world, &services, selection(arguments).as_ref()).await);
        }
    }
    let report = Report::new(findings);
    match show.output {
        Output::Text => show.print(&render(&report, show.out_paper())),
        Output::Json | Output::Jsonl => show.print_json(&report)?,
    }
    if report.failures > 0 {
        show.caution(&format!("leapfrog: a leap would be refused: {} to mend\n", counted(report.failures, "failure")));
        return Ok(Exit::Refused);
    }
    Ok(Exit::Done)
}

/// Which leap was asked about.
fn selection(arguments: &DoctorArguments) -> Option<Selection> {
    let (from, to) = arguments.from.clone().zip(arguments.to.clone())?;
    Some(Selection {
        from,
        to,
        only: arguments.only.clone(),
        no_skip: false,
        stops: StopsAt::default(),
        until: Until::default(),
    })
}

/// Why catalogue or cloud file cannot be read.
fn unread(stop: &Stop) -> Vec<Finding> {
    match &stop.cause {
        Cause::Document(diagnostic) => {
            let mistakes: Vec<Finding> = diagnostic
                .related()
                .into_iter()
                .flatten()
                .map(|mistake| {
                    let next = mistake.help().map_or_else(|| "mend the line".to_owned(), |help| help.to_string());
                    Finding::failure("cloud file", placed(mistake), next)
                })
                .collect();
            mistakes
        }
        Cause::Error(error) => vec![Finding::failure("cloud file", format!("{error:#}"), "mend it")],
        Cause::Refused(refusals) => refusals.iter().map(|refusal| Finding::refused("cloud file", refusal)).collect(),
    }
}

/// A mistake with its line.
fn placed(mistake: &dyn miette::Diagnostic) -> String {
    let text = mistake.to_string();
    let offset = mistake.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    let place = offset.zip(mistake.source_code()).and_then(|(offset, source)| {
        let span = miette::SourceSpan::from((offset, 0));
        let read = source.read_span(&span, 0, 0).ok()?;
        Some(format!("{}:{}:{}: ", read.name().unwrap_or_default(), read.line() + 1, read.column() + 1))
    });
    place.unwrap_or_default() + &text
}

/// The cloud file itself.
fn cloud_file(common: &Common, world: &World) -> Vec<Finding> {
    let counted = counted(world.cloud.services().count(), "service");
    let mut findings =
        vec![Finding::ok("cloud file", format!("{}: cloud {}, {counted}", common.config, world.cloud.name))];
    findings.extend(world.cloud.warnings.iter().map(|warning: &Mistake| {
        Finding::warning("cloud file", warning.one_line(), warning.help().unwrap_or("look at it"))
    }));
    findings
}

fn counted(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// `services` in words, for what is about some of them.
fn listed(services: &BTreeSet<Service>) -> String {
    services.iter().map(Service::as_str).collect::<Vec<_>>().join(", ")
}

impl Report {
    fn new(findings: Vec<Finding>) -> Self {
        let count = |state: State| findings.iter().filter(|finding| finding.state == state).count();
        Self { ok: count(State::Ok), warnings: count(State::Warning), failures: count(State::Failure), findings }
    }
}

/// The table: state, subject, and what was found with what mends it, wrapped.
fn render(report: &Report, paper: Paper) -> String {
    let widest = report.findings.iter().map(|finding| finding.about.chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for finding in &report.findings {
        let state = match finding.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Failure => "FAILURE",
        };
        lines.extend(paper.hang(&format!("{state:<7}  {:<widest$}  ", finding.about), &finding.what));
        if let Some(next) = &finding.next {
            lines.extend(paper.hang(&format!("{:<7}  {:<widest$}  next  ", "", ""), next));
        }
    }
    let (ok, warnings, failures) =
        (report.ok, counted(report.warnings, "warning"), counted(report.failures, "failure"));
    format!("{}\n\n{ok} ok, {warnings}, {failures}\n", lines.join("\n"))
}
