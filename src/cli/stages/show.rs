//! `leapfrog status --stages`: how far each database is, by the table, the journal, or its heads alone.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::confront::{Odd, odd};
use super::{Kept, book, judge, places, read};
use crate::cli::arguments::{Common, Output};
use crate::cli::exit::Exit;
use crate::cli::guard::Guard;
use crate::cli::leap::{self, host_name};
use crate::cli::look::Show;
use crate::cli::stop::Stop;
use crate::cli::world::World;
use crate::database;
use crate::model::{DatabaseId, Heads, Observation, Series, Service};
use crate::report::columns;
use crate::stages::{self, Book, Changes, Mark, Relation, Stage, same_heads};

/// What `leapfrog status --stages --output json` says.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct Report {
    /// The version of this document's format: 1.
    pub format: u32,
    /// The cloud's name in the cloud file.
    pub cloud: String,
    /// The database that stages are kept in; absent where the cloud file does not want them to be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Whether every database could be read and shows what is noted of it.
    pub agrees: bool,
    /// The databases.
    pub databases: Vec<Line>,
}

/// How far one database is.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct Line {
    /// The service.
    pub service: Service,
    /// The database.
    pub database: DatabaseId,
    /// The releases: one, or from its heads those that have the same.
    pub series: Vec<Series>,
    /// How far into them; absent where nothing tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// What says so.
    pub source: Source,
    /// The heads that it shows; absent where it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<Heads>,
    /// How it stands to what the table or the journal says; absent where that cannot be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relation: Option<Relation>,
    /// What is noted, by the table or the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What a stage is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) enum Source {
    /// The table.
    Table,
    /// The journal of the latest run on this machine.
    Journal,
    /// The heads alone, which tell nothing of data migrations.
    Heads,
}

impl Source {
    fn told(self) -> &'static str {
        match self {
            Self::Table => "the table",
            Self::Journal => "the journal here",
            Self::Heads => "the heads",
        }
    }
}

/// `leapfrog status --stages`.
pub(in crate::cli) async fn show(common: &Common, show: &Show) -> Result<Exit, Stop> {
    let (world, services) = world(common, show).await?;
    let observation = world.observe(&services).await;
    let kept = read(&world, &services).await;
    let latest = leap::latest(&world.store())?;
    let book = latest.as_ref().map(|latest| book(&world, latest));
    let lines = lines(&world, &kept, &observation, book.as_ref());
    let fits = |line: &Line| line.heads.is_some() && line.relation.is_none_or(|relation| relation == Relation::Agrees);
    let agrees = kept.unread.is_empty() && lines.iter().all(fits);
    let report = Report {
        format: 1,
        cloud: world.cloud.name.clone(),
        table: world.cloud.stages.clone(),
        agrees,
        databases: lines,
    };
    match show.output {
        Output::Text => show.print(&text(&report)),
        Output::Json | Output::Jsonl => show.print_json(&report)?,
    }
    for (_, error) in &kept.unread {
        let (line, next) = (database::chain(error), error.advice());
        show.caution(&format!("leapfrog: warning: failed to {line}\n  next      {next}\n"));
    }
    let odd = odd(&world, &kept, &observation);
    if !odd.is_empty() {
        show.caution(&advice(&odd, &world.files()));
    }
    Ok(if agrees { Exit::Done } else { Exit::Refused })
}

/// The cloud with all of its databases.
async fn world(common: &Common, show: &Show) -> Result<(World, BTreeSet<Service>), Stop> {
    let mut world = World::read_aloud(common, show)?;
    let services: BTreeSet<Service> = world.cloud.services().cloned().collect();
    world.look_up_mapped(&services).await;
    world.tell_unmapped(show);
    Ok((world, services))
}

/// What to do about databases that show something else.
fn advice(odd: &[Odd], options: &str) -> String {
    let mut text = String::new();
    for odd in odd {
        text.push_str(&format!("leapfrog: {}\n", odd.told()));
    }
    text.push_str(&format!(
        "  next      find out what brought them there; if they are as they should be: `leapfrog status --stages --accept{options}` \
         has the table forget what it says of them\n"
    ));
    text
}

fn lines(world: &World, kept: &Kept, observation: &Observation, book: Option<&Book>) -> Vec<Line> {
    let judge = judge(world);
    let seen = observation.databases.iter();
    let lines = seen.map(|(id, seen)| {
        let found = seen.as_ref().ok();
        let line = kept.marks.get(id);
        // The journal counts where the database shows what it says.
        let own = book.and_then(|book| book.mark(id));
        let own = own.filter(|mark| found.is_some_and(|found| same_heads(&found.heads, &mark.heads)));
        let (source, mark) = match (line, own) {
            (Some(line), _) => (Source::Table, Some(line)),
            (None, Some(own)) => (Source::Journal, Some(own)),
            (None, None) => (Source::Heads, None),
        };
        let relation = mark.zip(found).map(|(mark, found)| judge.relation(id, mark, found));
        let shown = found.map(|found| judge.shown(id, found));
        let shows = |shown: &stages::Shown| match (&shown.series[..], shown.stage) {
            ([], _) => "the heads tell no release".to_owned(),
            (series, Some(stage)) => format!("the heads show {} {stage}", between(series)),
            (series, None) => format!("the heads show {}", between(series)),
        };
        let note = match (&seen, relation, &shown) {
            (Err(unreachable), ..) => {
                Some(format!("could not be read: {}; {}", unreachable.reason, unreachable.advice))
            }
            (_, Some(Relation::Behind | Relation::Ahead | Relation::Unclear), Some(shown)) => Some(shows(shown)),
            _ => None,
        };
        let (series, stage) = match (mark, shown) {
            (Some(mark), _) => (vec![mark.series.clone()], Some(mark.stage)),
            (None, Some(shown)) => (shown.series, shown.stage),
            (None, None) => (Vec::new(), None),
        };
        Line {
            service: id.service.clone(),
            database: id.clone(),
            series,
            stage,
            source,
            heads: found.map(|found| found.heads.clone()),
            relation,
            mark: mark.cloned(),
            note,
        }
    });
    lines.collect()
}

/// Releases in words: one, or the first and the last of those with the same heads.
fn between(series: &[Series]) -> String {
    match series {
        [] => "?".to_owned(),
        [one] => one.to_string(),
        [first, .., last] => format!("{first} … {last}"),
    }
}

fn text(report: &Report) -> String {
    let head = ["service", "database", "release", "stage", "heads", "since", "run", "by", "from"].map(str::to_owned);
    let mut rows = vec![head];
    for line in &report.databases {
        let mark = line.mark.as_ref();
        let since = |time: Timestamp| time.strftime("%F %T UTC").to_string();
        rows.push([
            line.service.to_string(),
            line.database.to_string(),
            between(&line.series),
            line.stage.map_or_else(|| "?".to_owned(), |stage| stage.to_string()),
            line.heads.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string),
            mark.map_or_else(String::new, |mark| since(mark.since)),
            mark.map_or_else(String::new, |mark| mark.run.to_string()),
            mark.map_or_else(String::new, |mark| mark.by.clone()),
            line.source.told().to_owned(),
        ]);
    }
    let mut text = columns(&rows);
    for line in &report.databases {
        if let Some(note) = &line.note {
            let relation = match line.relation {
                Some(Relation::Behind) => "shows less than is noted: ",
                Some(Relation::Ahead) => "shows more than is noted: ",
                Some(Relation::Unclear) => "shows something else than is noted: ",
                Some(Relation::Agrees) | None => "",
            };
            text.push_str(&format!("{}: {relation}{note}\n", line.database));
        }
    }
    if report.databases.iter().any(|line| line.source == Source::Heads) {
        text.push_str("heads tell nothing of data migrations\n");
    }
    match &report.table {
        Some(name) => text.push_str(&format!("stages are kept in the database {name} of each server\n")),
        None => text.push_str("stages are not kept in a table: `stages: {}` in the cloud file has them kept\n"),
    }
    text
}

/// `leapfrog status --stages --accept`: has the tables forget what they say of databases that show something else.
pub(in crate::cli) async fn accept(common: &Common, show: &Show) -> Result<Exit, Stop> {
    let (world, services) = world(common, show).await?;
    if world.cloud.stages.is_none() {
        show.complain("stages are not kept in a table: there is nothing to forget\n");
        return Ok(Exit::Done);
    }
    let host = host_name();
    let since = Timestamp::now().strftime("%F %T UTC");
    let _lock = world.store().lock(&format!("status, process {} on {host}, since {since}", std::process::id()))?;
    let guard = Guard::take(&world, &services, &host).await?;
    let observation = world.observe(&services).await;
    let kept = read(&world, &services).await;
    let odd = odd(&world, &kept, &observation);
    let changes: Changes = odd.iter().map(|odd| (odd.database.clone(), None)).collect();
    let mut exit = if kept.unread.is_empty() { Exit::Done } else { Exit::Refused };
    let mut failed: Vec<String> = kept.unread.iter().map(|(_, error)| told(error)).collect();
    for place in places(&world, &services) {
        if let Err(error) = stages::write(&place, &world.cloud.name, &changes, world.cloud.limits.connect).await {
            failed.push(told(&error));
            exit = Exit::Refused;
            continue;
        }
        for odd in odd.iter().filter(|odd| place.databases.contains(&odd.database)) {
            show.complain(&format!(
                "{}: forgotten that it was at {}; it shows {}\n",
                odd.database, odd.mark, odd.found
            ));
        }
    }
    guard.release().await;
    if odd.is_empty() && failed.is_empty() {
        show.complain("every database shows what the table says: nothing is forgotten\n");
    }
    failed.iter().for_each(|text| show.caution(text));
    Ok(exit)
}

fn told(error: &stages::StagesError) -> String {
    format!("leapfrog: failed to {}\n  next      {}\n", database::chain(error), error.advice())
}
