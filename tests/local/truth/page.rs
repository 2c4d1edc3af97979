//! What was found, as lines of JSON that are committed, and as the page that is made of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::compare::Outcome;
use crate::ladder::FOURTEEN;

/// An operation that was run, or only said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) service: String,
    /// The release whose commands ran it.
    pub(crate) series: String,
    /// The revision; none beside all scripts.
    pub(crate) revision: Option<String>,
    /// The words that say it, without values.
    pub(crate) operation: String,
    /// Whether it is about tables and columns, not about rows.
    pub(crate) schema: bool,
    /// Whether it loses something, breaks older code, or writes may have to wait for it.
    pub(crate) grave: bool,
    pub(crate) outcome: Outcome,
}

/// How many of how many were seen.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) seen: usize,
    pub(crate) flagged: usize,
    pub(crate) all: usize,
}

impl Figure {
    /// Of those lines, beside those that no script ran and those that were not run.
    pub(crate) fn of<'a>(lines: impl Iterator<Item = &'a Line>) -> Self {
        let mut figure = Self::default();
        for line in lines {
            match line.outcome {
                Outcome::Seen(_) => figure.seen += 1,
                Outcome::Flagged(_) => figure.flagged += 1,
                Outcome::Missed => {}
                Outcome::NotRun | Outcome::Outside => continue,
            }
            figure.all += 1;
        }
        figure
    }

    /// How many of a thousand were seen, rounded down.
    pub(crate) fn thousandth(self) -> usize {
        (self.seen * 1000).checked_div(self.all).unwrap_or(0)
    }

    fn percent(self) -> String {
        let thousandth = self.thousandth();
        format!("{} of {} ({}.{} %)", self.seen, self.all, thousandth / 10, thousandth % 10)
    }
}

const HEAD: &str = "# What the lint sees of what migrations do

<!-- Written by `make truth` from tests/local/truth/lines.jsonl. -->

`tests/local/truth.rs` makes the databases of fourteen services by the commands of their first release here, takes them through
the releases that follow by those releases' own commands, and reads from MariaDB's general log what each migration script ran.
That is held against what `leapfrog lint` says of the same scripts, revision by revision: what is done, to which table, and to which
column, index or constraint, where both name it. Statements are taken apart without the lint's own reader of SQL.

What is made at 2023.1 are keystone, nova, placement, neutron, cinder, glance and barbican. The others are made at 2025.1, by all
scripts that release has, those of the releases since 2023.1 among them. The databases are empty but for a few rows that neutron's
loops over rows go through: how often such a loop repeats, no script says, and that does not count.

An `ALTER TABLE` counts once for each of its clauses, a table with the indexes that SQLAlchemy makes right after it once for each
statement. What only reads does not count, nor what alembic notes for itself.

";

const UNSEEN: &str = "
## Not seen

Each of these is found all the same, as not understood (LF-S04): the last column says how.

";

const NOT_RUN: &str = "
## Said without a doubt, and not run

";

const OUTSIDE: &str = "
## Beside the scripts

What the releases' commands changed by themselves on the way. No migration script says it, and the lint reads nothing else.

";

/// Where the committed lines are.
pub(crate) fn lines_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/local/truth/lines.jsonl")
}

/// Where everything is that the lint reads of the range's scripts.
pub(crate) fn read_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/local/truth/read.txt")
}

/// Where the page is.
pub(crate) fn page_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lint-coverage.md")
}

/// The committed lines.
pub(crate) fn committed() -> Vec<Line> {
    let text = std::fs::read_to_string(lines_file()).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// Lines as they are committed.
pub(crate) fn written(lines: &[Line]) -> String {
    lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect()
}

/// The whole page.
pub(crate) fn render(lines: &[Line]) -> String {
    let mut page = HEAD.to_owned();
    let mut services: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        services.entry(&line.service).or_default().push(line);
    }
    page.push_str("| | operations seen | of those on tables and columns | grave ones seen or flagged |\n");
    page.push_str("| --- | --- | --- | --- |\n");
    for (service, of_it) in &services {
        row(&mut page, service, of_it);
    }
    row(&mut page, "**all**", &lines.iter().collect::<Vec<_>>());
    let still: Vec<&str> = FOURTEEN.iter().copied().filter(|name| !services.contains_key(name)).collect();
    if !still.is_empty() {
        writeln!(page, "\nNo release of the range changes anything of {}.", still.join(", ")).unwrap();
    }
    page.push_str("\nGrave is what loses something, breaks code of the release before, or may keep writes waiting.\n");
    certainties(&mut page, lines);
    page.push_str(UNSEEN);
    table(&mut page, &["what was run", "what the lint says"], lines, |line| match &line.outcome {
        Outcome::Flagged(why) => Some(vec![&line.operation, why]),
        Outcome::Missed => Some(vec![&line.operation, "nothing"]),
        _ => None,
    });
    page.push_str(NOT_RUN);
    table(&mut page, &["what the lint says"], lines, |line| {
        matches!(line.outcome, Outcome::NotRun).then(|| vec![line.operation.as_str()])
    });
    page.push_str(OUTSIDE);
    table(&mut page, &["what was run"], lines, |line| {
        matches!(line.outcome, Outcome::Outside).then(|| vec![line.operation.as_str()])
    });
    page
}

fn row(page: &mut String, name: &str, lines: &[&Line]) {
    let of = |wanted: &dyn Fn(&Line) -> bool| Figure::of(lines.iter().copied().filter(|line| wanted(line)));
    let (all, schema, grave) = (of(&|_| true), of(&|line| line.schema), of(&|line| line.grave));
    let grave = format!("{} + {} of {}", grave.seen, grave.flagged, grave.all);
    writeln!(page, "| {name} | {} | {} | {grave} |", all.percent(), schema.percent()).unwrap();
}

/// How the operations that were seen are known.
fn certainties(page: &mut String, lines: &[Line]) {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines {
        if let Outcome::Seen(how) = &line.outcome {
            *numbers.entry(how).or_default() += 1;
        }
    }
    let told: Vec<String> = numbers.into_iter().map(|(how, number)| format!("{number} {how}")).collect();
    writeln!(page, "Seen are: {} (`perhaps`: under a condition that only a run decides).", told.join("; ")).unwrap();
}

/// A table of the lines of which there is something to tell.
fn table<'a>(page: &mut String, columns: &[&str], lines: &'a [Line], tell: impl Fn(&'a Line) -> Option<Vec<&'a str>>) {
    let told: Vec<(&Line, Vec<&str>)> = lines.iter().filter_map(|line| Some((line, tell(line)?))).collect();
    if told.is_empty() {
        page.push_str("Nothing.\n");
        return;
    }
    writeln!(page, "| service | release | revision | {} |", columns.join(" | ")).unwrap();
    writeln!(page, "| --- | --- | --- |{}", " --- |".repeat(columns.len())).unwrap();
    for (line, cells) in told {
        let revision = line.revision.as_deref().unwrap_or("–");
        let cells: Vec<String> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
        let (first, rest) = cells.split_first().unwrap();
        let rest: String = rest.iter().map(|cell| format!(" {cell} |")).collect();
        writeln!(page, "| {} | {} | `{revision}` | `{first}` |{rest}", line.service, line.series).unwrap();
    }
}
