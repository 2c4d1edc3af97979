//! A playbook's `preconditions`: rows and settings that a release's migrations cannot work with, asked for while
//! somebody still has time to mend them.

use serde::{Deserialize, Serialize};

use super::drain::rows_of;
use super::playbook::{Playbook, Taken};
use crate::model::{Engine, Series, SeriesRange, Slot};

/// Something that must be so before a release's migrations are run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Precondition {
    /// The precondition's name.
    pub name: Slot,
    /// The releases whose own migrations, or whose code, cannot work without it: it is asked for on the way into the
    /// first of them.
    pub series: SeriesRange,
    /// The engines this holds for; absent: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<Engine>,
    /// The slots whose databases are asked, each of them.
    pub databases: Vec<Slot>,
    /// What is found where it is not so, as it follows a number: `quotas that a project has more than once`.
    pub what: String,
    /// The question: one statement that only reads.
    pub query: String,
    /// Which answer is good.
    pub good: Good,
    /// Shows rows; absent: what `query` counts or finds, the first 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show: Option<String>,
    /// What becomes of a leap where it is not so.
    pub severity: Severity,
    /// What happens then, in words.
    pub means: String,
    /// How it is mended.
    pub mend: String,
    /// The step that mends it by itself, where a leap takes it in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_by: Option<MovedBy>,
    /// Where this is known from: the revision, with a version of the service.
    pub source: String,
}

/// A good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Good {
    /// The query counts, and finds none.
    Zero,
    /// The query finds no row. Each row that it finds is one case: a key that is there several times, for example.
    NoRows,
}

/// What becomes of a leap where a precondition is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It goes on; somebody should know.
    Warns,
    /// The migration fails.
    Refuses,
}

/// A step of the playbook that moves the rows before they stand in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MovedBy {
    /// The step's name.
    pub step: Slot,
    /// The releases whose step does it; absent: all.
    #[serde(default)]
    pub series: SeriesRange,
}

/// That a command creates triggers, which a server with a binary log lets few users do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Triggers {
    /// The releases in which it does, on databases of the release before; absent: all.
    #[serde(default)]
    pub series: SeriesRange,
    /// Which ones, and what for.
    pub what: String,
}

impl Precondition {
    /// Whether it holds for an engine.
    pub fn applies(&self, engine: Engine) -> bool {
        self.engines.is_empty() || self.engines.contains(&engine)
    }

    /// The query that counts: what `query` is, or one that counts its rows.
    pub fn counts(&self) -> String {
        let query = one_line(&self.query);
        match self.good {
            Good::Zero => query,
            Good::NoRows => format!("SELECT COUNT(*) FROM ({query}) AS found"),
        }
    }

    /// The query that shows rows, 20 at most.
    pub fn shows(&self) -> String {
        match (self.good, &self.show) {
            (Good::NoRows, None) => format!("{} LIMIT 20", one_line(&self.query)),
            (_, show) => rows_of(&self.query, show.as_deref()),
        }
    }
}

impl Playbook {
    /// The steps that create triggers in a release that is `taken` so, on an engine: the step's name and what it says of them.
    pub fn triggers(&self, series: &Series, engine: Engine, taken: Taken) -> impl Iterator<Item = (&Slot, &Triggers)> {
        self.steps(series, engine)
            .filter(move |step| step.taken().is_none_or(|only| only == taken))
            .filter_map(|step| match step {
                super::PlaybookStep::Run(run) => Some((&run.name, run.triggers.as_ref()?)),
                _ => None,
            })
            .filter(|(_, triggers)| triggers.series.contains(series))
    }
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn precondition(query: &str, good: Good, show: Option<&str>) -> Precondition {
        Precondition {
            name: "duplicates".parse().expect("a name"),
            series: SeriesRange::default(),
            engines: vec![Engine::Mysql],
            databases: Vec::new(),
            what: "rows".into(),
            query: query.into(),
            good,
            show: show.map(str::to_owned),
            severity: Severity::Refuses,
            means: String::new(),
            mend: String::new(),
            moved_by: None,
            source: String::new(),
        }
    }

    #[test]
    fn rows_that_are_found_are_counted_and_shown_by_queries_made_of_the_one_there_is() {
        let found = precondition("SELECT a, COUNT(*) AS n\n FROM t GROUP BY a HAVING COUNT(*) > 1", Good::NoRows, None);
        let one = "SELECT a, COUNT(*) AS n FROM t GROUP BY a HAVING COUNT(*) > 1";
        assert_eq!(found.counts(), format!("SELECT COUNT(*) FROM ({one}) AS found"));
        assert_eq!(found.shows(), format!("{one} LIMIT 20"));
        let counted = precondition("SELECT COUNT(*)\n FROM t WHERE a IS NULL", Good::Zero, None);
        assert_eq!(counted.counts(), "SELECT COUNT(*) FROM t WHERE a IS NULL");
        assert_eq!(counted.shows(), "SELECT * FROM t WHERE a IS NULL LIMIT 20");
        let shown = precondition("SELECT COUNT(*) FROM t", Good::Zero, Some("SELECT a\n FROM t"));
        assert_eq!(shown.shows(), "SELECT a FROM t");
        assert!(shown.applies(Engine::Mysql) && !shown.applies(Engine::Sqlite));
    }
}
