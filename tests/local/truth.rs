//! The truth of the lint: what migrations ran on a real server, held against what the lint says of the same scripts.
//!
//! Clouds are made by the commands of their first release here and taken through the releases that follow by those
//! releases' commands, while MariaDB logs what it is told. `log` reads that, `executed` takes statements apart (without the
//! lint's reader of SQL, whose mistakes it is to show), `said` has the lint read the scripts, `compare` holds the one against
//! the other, `page` writes it down: `tests/local/truth/lines.jsonl`, and `docs/lint-coverage.md` made of it. What the lint reads of every
//! script of the range, run or not, is in `tests/local/truth/read.txt`, so that no change of the reader passes unseen.
//!
//! `make test` takes seven services through the last releases, and compares with what is committed of them;
//! `LEAPFROG_TRUTH=all` takes all fourteen through all releases (`make truth`, which also writes both files anew).

mod compare;
mod executed;
mod log;
mod page;
mod said;

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use leapfrog::catalog::Catalog;
use leapfrog::lint::Script;
use leapfrog::model::{DatabaseId, Series, Service};

use self::compare::{Outcome, compare};
use self::executed::{Executed, operations};
use self::log::{Log, Stretch};
use self::page::{Figure, Line, committed, lines_file, page_file, read_file, render, written};
use self::said::{Said, Stop, read_of, said};
use crate::founding::{Founded, programs};
use crate::ladder::{FOURTEEN, OnMariaDb};
use crate::machine::compiler;

/// The releases that the lint is held to.
const FIRST: &str = "2023.1";
const LAST: &str = "2026.2";

/// Services whose databases one release makes, the first of which there is an environment.
struct Part {
    made_at: &'static str,
    services: &'static [&'static str],
    /// Rows for loops over rows, in which database.
    rows: &'static [(&'static str, &'static str)],
}

const SEVEN: Part = Part {
    made_at: "2023.1",
    services: &["keystone", "nova", "placement", "neutron", "cinder", "glance", "barbican"],
    rows: &[("neutron", include_str!("truth/neutron.sql"))],
};
const OTHERS: Part = Part {
    made_at: "2025.1",
    services: &["heat", "ironic", "octavia", "magnum", "designate", "manila", "aodh"],
    rows: &[],
};
/// What `make test` runs of it.
const SHORT: &Part = &OTHERS;

/// Of a thousand operations on tables and columns, and of a thousand of all.
const AT_LEAST: (usize, usize) = (970, 950);

/// A cloud with all that its databases were told.
struct Ran {
    part: &'static Part,
    server: OnMariaDb,
    cloud: Founded,
    /// Of each service.
    said: BTreeMap<Service, Vec<Said>>,
    told: BTreeMap<String, Vec<Stretch>>,
}

impl Ran {
    /// Adds what the databases were told since.
    fn read(&mut self, log: &Log, keeps: impl Fn(&Stretch) -> bool) {
        for (database, stretches) in log.of(&self.server.name) {
            self.told.entry(database).or_default().extend(stretches.into_iter().filter(&keeps));
        }
    }

    fn services(&self) -> Vec<Service> {
        self.said.keys().cloned().collect()
    }
}

/// The environment of a release that other tests have, too: of all services, or of those that it is known of.
async fn environment(catalog: &Catalog, series: &Series) -> Utf8PathBuf {
    let release = catalog.release(series).unwrap();
    let services = FOURTEEN.iter().map(|name| name.parse::<Service>().unwrap());
    let known = &release.environment.as_ref().unwrap().services;
    programs(release, &services.filter(|service| known.contains_key(service)).collect::<Vec<_>>()).await
}

/// What the services ran and what was said of it; and everything that was read in their scripts.
async fn found(parts: &[&'static Part]) -> (Vec<Line>, Vec<String>) {
    compiler();
    let catalog = Catalog::embedded().unwrap();
    let (first, last): (Series, Series) = (FIRST.parse().unwrap(), LAST.parse().unwrap());
    let all: Vec<&Series> =
        catalog.releases().map(|release| &release.series).filter(|one| **one >= first && **one <= last).collect();
    let earliest = parts.iter().map(|part| part.made_at.parse::<Series>().unwrap()).min().unwrap();
    let mut environments = BTreeMap::new();
    for series in all.iter().filter(|series| ***series >= earliest) {
        environments.insert((*series).clone(), environment(&catalog, series).await);
    }
    let mut clouds = Vec::new();
    let log = Log::begin();
    for part in parts {
        let bin = &environments[&part.made_at.parse().unwrap()];
        let said = said_of(&catalog, part, &all, &environments);
        let server = OnMariaDb::new(&format!("truth{}x", part.made_at.replace('.', "")));
        let cloud = Founded::without_rows(part.made_at, part.services, bin, &|name| server.database(name));
        // What makes a database went through the range up to there; beside its scripts that is nothing to compare.
        let mut ran = Ran { part, server, cloud, said, told: BTreeMap::new() };
        ran.read(&log, |stretch| stretch.revision.is_some());
        clouds.push(ran);
    }
    drop(log);
    for (ran, (database, statements)) in clouds.iter().flat_map(|ran| ran.part.rows.iter().map(move |rows| (ran, rows)))
    {
        ran.cloud.fill(&database.parse().unwrap(), statements).await;
    }
    let log = Log::begin();
    for (series, bin) in &environments {
        for ran in clouds.iter().filter(|ran| *series > ran.cloud.series) {
            ran.cloud.migrate(series, &ran.services(), bin);
        }
    }
    clouds.iter_mut().for_each(|ran| ran.read(&log, |_| true));
    drop(log);
    let (mut lines, mut read) = (Vec::new(), Vec::new());
    for Ran { cloud, said, told, .. } in &clouds {
        let databases: Vec<_> = cloud.databases.iter().map(|(id, url)| (id.clone(), url.name().to_owned())).collect();
        for (service, said) in said {
            lines.extend(of_service(&catalog, service, &databases, told, said));
            read.extend(said.iter().flat_map(|said| read_of(service, said)));
        }
    }
    lines.sort_by(|one, other| one.service.cmp(&other.service));
    read.sort_by(|one, other| one.split(' ').next().cmp(&other.split(' ').next()));
    (lines, read)
}

/// What is said of a part's services on their way through all releases.
fn said_of(
    catalog: &Catalog,
    part: &Part,
    all: &[&Series],
    environments: &BTreeMap<Series, Utf8PathBuf>,
) -> BTreeMap<Service, Vec<Said>> {
    let made_at: Series = part.made_at.parse().unwrap();
    let stop = |series: &&Series| {
        // Releases before the one that makes the databases have left their scripts with it.
        let by = (*series).max(&made_at);
        Stop { series: (*series).clone(), by: (by.clone(), environments[by].clone()) }
    };
    let stops: Vec<Stop> = all.iter().map(stop).collect();
    let services = part.services.iter().map(|name| name.parse::<Service>().unwrap());
    services.map(|service| (service.clone(), said(catalog, &service, &stops))).collect()
}

/// What a service ran, schema by schema, and what was said of it.
fn of_service(
    catalog: &Catalog,
    service: &Service,
    databases: &[(DatabaseId, String)],
    told: &BTreeMap<String, Vec<Stretch>>,
    said: &[Said],
) -> Vec<Line> {
    let book = catalog.playbook(service).unwrap();
    let mut by_schema: BTreeMap<&str, Vec<Line>> = BTreeMap::new();
    for (id, name) in databases.iter().filter(|(id, _)| id.service == *service) {
        let slot = book.databases.iter().find(|slot| slot.slot == id.slot).unwrap();
        let said = said.iter().find(|said| said.schema == slot.schema.as_str()).unwrap();
        let lines = of_database(service, told.get(name).map_or(&[][..], Vec::as_slice), said);
        // Every cell of nova has the same done to it.
        let before = by_schema.entry(slot.schema.as_str()).or_insert_with(|| lines.clone());
        assert_eq!(*before, lines, "{id} had other things done to it than another database of its schema");
    }
    by_schema.into_values().flatten().collect()
}

fn of_database(service: &Service, ran: &[Stretch], said: &Said) -> Vec<Line> {
    let line = |series: &str, revision: Option<&str>, (one, outcome): (Executed, Outcome)| Line {
        service: service.to_string(),
        series: series.to_owned(),
        revision: revision.map(str::to_owned),
        schema: one.is_of_schema(),
        grave: one.is_grave(),
        operation: one.shown,
        outcome,
    };
    let mut lines = Vec::new();
    let mut open: Vec<&Script> = said.scripts.iter().collect();
    for stretch in ran {
        let Some(revision) = stretch.revision.as_deref() else {
            let run = operations(&stretch.statements);
            lines.extend(run.into_iter().map(|one| line("", None, (one, Outcome::Outside))));
            continue;
        };
        let Some(place) = open.iter().position(|script| script.revision.as_deref() == Some(revision)) else {
            assert!(
                said.before.contains(revision),
                "{service} ran {revision}, and that is not among what is to be run"
            );
            continue;
        };
        let script = open.remove(place);
        let series = script.series.as_ref().unwrap().as_str();
        let found = compare(operations(&stretch.statements), &script.operations);
        lines.extend(found.into_iter().map(|one| line(series, Some(revision), one)));
    }
    let left: Vec<&str> = open.iter().filter_map(|script| script.revision.as_deref()).collect();
    assert!(left.is_empty(), "{service}: said to be run, and not run: {left:?}");
    lines
}

/// What the lint owes: nothing is passed over in silence, and most is seen.
fn is_owed(lines: &[Line]) {
    let missed: Vec<&Line> = lines.iter().filter(|line| line.outcome == Outcome::Missed).collect();
    assert!(missed.is_empty(), "run, and neither seen nor said not to be understood:\n{missed:#?}");
    let grave = Figure::of(lines.iter().filter(|line| line.grave));
    assert_eq!(grave.seen + grave.flagged, grave.all);
}

/// What it owes of the whole range besides.
fn is_enough(lines: &[Line]) {
    let (schema, all) = (Figure::of(lines.iter().filter(|line| line.schema)), Figure::of(lines.iter()));
    assert!(all.all > 200, "{all:?}: this is not the whole range");
    assert!(schema.thousandth() >= AT_LEAST.0, "{schema:?}");
    assert!(all.thousandth() >= AT_LEAST.1, "{all:?}");
}

fn updating() -> bool {
    std::env::var_os("LEAPFROG_UPDATE").is_some()
}

#[test]
fn the_page_says_what_was_seen_and_that_is_enough() {
    let lines = committed();
    if updating() {
        std::fs::write(page_file(), render(&lines)).unwrap();
    }
    is_owed(&lines);
    is_enough(&lines);
    assert!(
        std::fs::read_to_string(page_file()).unwrap_or_default() == render(&lines),
        "docs/lint-coverage.md is not what tests/local/truth/lines.jsonl says: run `make truth`, read the change"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the test bed: make test"]
async fn what_migrations_run_is_what_the_lint_says_they_run() {
    let whole = std::env::var("LEAPFROG_TRUTH").is_ok_and(|value| value == "all");
    let (lines, read) = found(if whole { &[&SEVEN, &OTHERS] } else { &[SHORT] }).await;
    if whole && updating() {
        std::fs::write(lines_file(), written(&lines)).unwrap();
        std::fs::write(page_file(), render(&lines)).unwrap();
        std::fs::write(read_file(), read.concat()).unwrap();
    }
    is_owed(&lines);
    if whole {
        is_enough(&lines);
    }
    let mut expected = committed();
    expected.retain(|line| whole || SHORT.services.contains(&line.service.as_str()));
    for (one, other) in lines.iter().zip(&expected) {
        assert_eq!(one, other, "what was found (left) is not what is committed: run `make truth`, read the change");
    }
    assert_eq!(lines.len(), expected.len(), "run `make truth`, read the change");
    let known = std::fs::read_to_string(read_file()).unwrap();
    let known = known.split_inclusive('\n').filter(|line| {
        let service = line.split(' ').next().unwrap_or_default();
        whole || SHORT.services.contains(&service)
    });
    let known: Vec<&str> = known.collect();
    for (one, other) in read.iter().zip(&known) {
        assert_eq!(one, other, "what is read of a script (left) is not what was: run `make truth`, read the change");
    }
    assert_eq!(read.len(), known.len(), "run `make truth`, read the change");
}
