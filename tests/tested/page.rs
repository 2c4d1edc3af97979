//! The page: what was run, release by release, what was not, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use leapfrog::catalog::{Catalog, Knowledge, Playbook, Release};
use leapfrog::model::Engine;
use serde::Deserialize;

use crate::results::Ran;

/// What is not run here, and why.
#[derive(Deserialize)]
struct NotRun {
    what: String,
    why: String,
}

const HEAD: &str = "# What is tested

<!-- Written by `make tested` from tests/tested/results.jsonl, tests/tested/not-run.json and the playbooks. -->

The leaps of `tests/local/ladder.rs`, which `make test` runs with the releases' own commands on real databases, and what they
do not cover. Each keeps what it ran; the tests fail where that is not what is committed here, and where a playbook does not
call `tested` what was run. What other words mean is in [playbooks.md](playbooks.md#known).

## Leaps

| test | services | releases | databases | commands run in |
| --- | --- | --- | --- | --- |
";

const SERVICES: &str = "
## Services, release by release

The engines on which this project's tests run a service's commands of that release: **M** MariaDB, **P** PostgreSQL, **S** SQLite.
`tested`: by other leaps of the tests, which keep no results. `run`: run elsewhere. `read`: only read. –: the release has no such service.

";

const NOT_RUN: &str = "
## What is not run here

| what | why |
| --- | --- |
";

const ENGINES: &str = "
## Engines that services do not work on

leapfrog refuses them at planning: the playbooks have no steps for them.

| service | engine | releases |
| --- | --- | --- |
";

const NAMES: [(Engine, &str, &str); 3] =
    [(Engine::Mysql, "M", "MariaDB, MySQL"), (Engine::Postgresql, "P", "PostgreSQL"), (Engine::Sqlite, "S", "SQLite")];

/// The whole page.
pub(crate) fn render(catalog: &Catalog, lines: &BTreeSet<Ran>) -> String {
    let mut page = HEAD.to_owned();
    leaps(&mut page, lines);
    page.push_str(SERVICES);
    services(&mut page, catalog, lines);
    page.push_str(NOT_RUN);
    let reasons: Vec<NotRun> = serde_json::from_str(include_str!("not-run.json")).unwrap();
    for NotRun { what, why } in reasons {
        writeln!(page, "| {what} | {why} |").unwrap();
    }
    page.push_str(ENGINES);
    engines(&mut page, catalog);
    page
}

fn leaps(page: &mut String, lines: &BTreeSet<Ran>) {
    let mut leaps: BTreeMap<(&str, &[String]), Vec<&Ran>> = BTreeMap::new();
    for line in lines {
        leaps.entry((&line.test, &line.series)).or_default().push(line);
    }
    for ((test, series), of_it) in leaps {
        let Some(line) = of_it.first() else { continue };
        let services: Vec<&str> = of_it.iter().map(|line| line.service.as_str()).collect();
        let result = if line.result == "done" { String::new() } else { format!(" ({})", line.result) };
        let (services, series) = (services.join(", "), series.join(" → "));
        writeln!(page, "| `{test}` | {services} | {series}{result} | {} | {} |", line.server, line.runner).unwrap();
    }
}

fn services(page: &mut String, catalog: &Catalog, lines: &BTreeSet<Ran>) {
    // Before the first release that was run, one column says it.
    let ran = |release: &Release| {
        lines.iter().any(|line| line.series.iter().any(|one| one == release.series.as_str()))
            || catalog.playbooks().any(|playbook| playbook.knowledge(&release.series).is_tested())
    };
    let all: Vec<&Release> = catalog.releases().collect();
    let first = all.iter().position(|release| ran(release)).unwrap_or(all.len());
    let (before, since) = all.split_at(first);
    write!(page, "| service |").unwrap();
    if let (Some(one), Some(last)) = (before.first(), before.last()) {
        write!(page, " {} … {} |", one.series, last.series).unwrap();
    }
    let columns = since.iter().map(|release| format!(" {} |", release.series)).collect::<String>();
    writeln!(page, "{columns}\n| --- |{}", " --- |".repeat(since.len() + usize::from(!before.is_empty()))).unwrap();
    for playbook in catalog.playbooks() {
        write!(page, "| {} |", playbook.service).unwrap();
        if !before.is_empty() {
            let known: BTreeSet<&str> = before.iter().map(|release| word(playbook, release)).collect();
            write!(page, " {} |", known.into_iter().filter(|word| *word != "–").collect::<Vec<_>>().join(", "))
                .unwrap();
        }
        for release in since {
            let engines: BTreeSet<&str> = lines
                .iter()
                .filter(|line| line.service == playbook.service.as_str())
                .filter(|line| line.series.iter().any(|series| series == release.series.as_str()))
                .filter_map(|line| NAMES.iter().find(|(engine, ..)| engine.to_string() == line.engine))
                .map(|(_, letter, _)| *letter)
                .collect();
            let engines: Vec<&str> = engines.into_iter().collect();
            let cell = if engines.is_empty() { word(playbook, release).to_owned() } else { engines.join(" ") };
            write!(page, " {cell} |").unwrap();
        }
        page.push('\n');
    }
}

/// How a service is known in a release.
fn word(playbook: &Playbook, release: &Release) -> &'static str {
    if !release.services.contains_key(&playbook.service) {
        return "–";
    }
    match playbook.knowledge(&release.series) {
        Knowledge::Tested => "tested",
        Knowledge::Run => "run",
        Knowledge::Read => "read",
    }
}

fn engines(page: &mut String, catalog: &Catalog) {
    for playbook in catalog.playbooks() {
        for (engine, _, name) in NAMES {
            let lacks = |release: &&Release| {
                release.services.contains_key(&playbook.service)
                    && !playbook.steps.iter().any(|step| step.applies(&release.series, engine))
            };
            let here: Vec<&Release> =
                catalog.releases().filter(|r| r.services.contains_key(&playbook.service)).collect();
            let without: Vec<&Release> = here.iter().copied().filter(|release| lacks(release)).collect();
            let releases = match (without.first(), without.last()) {
                (None, _) | (_, None) => continue,
                _ if without.len() == here.len() => "all".to_owned(),
                (Some(first), Some(last)) => format!("{} … {}", first.series, last.series),
            };
            writeln!(page, "| {} | {name} | {releases} |", playbook.service).unwrap();
        }
    }
}
