//! What is noted of a database against what it shows.

use serde::Serialize;

use super::mark::{Mark, Stage};
use crate::catalog::{Playbook, Release};
use crate::model::{DatabaseId, Engine, Heads, Observation, ObservedDatabase, Series};
use crate::plan::detect::{Half, Verdict, detect};

/// How a database stands to what is noted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// It shows the heads that were noted.
    Agrees,
    /// It shows less: it was brought back, or is another one.
    Behind,
    /// It shows more: somebody migrated it without noting so.
    Ahead,
    /// Its heads are others, and which of them came first is not known.
    Unclear,
}

/// What a database's heads say of themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The releases; none where that is not known.
    pub series: Vec<Series>,
    /// How far into them, where that is known.
    pub stage: Option<Stage>,
}

/// Whether both mean the same: numbers that are left from before alembic do not count.
pub fn same_heads(one: &Heads, other: &Heads) -> bool {
    one == other || one.stand_at(other)
}

/// A place on the way through the releases: at the heads of one, or past them and not at the next.
type Rank<'s> = (&'s Series, bool);

/// Who compares: the releases and the playbooks that are known.
#[derive(Debug, Clone)]
pub struct Judge<'a> {
    /// The releases.
    pub releases: Vec<&'a Release>,
    /// The playbooks.
    pub playbooks: Vec<&'a Playbook>,
}

impl Judge<'_> {
    /// What `heads` of a database say.
    fn verdict(&self, id: &DatabaseId, heads: &Heads, tables: u64) -> Option<Verdict> {
        let seen = ObservedDatabase { engine: Engine::Mysql, version: String::new(), heads: heads.clone(), tables };
        let observation = Observation { databases: [(id.clone(), Ok(seen))].into(), ..Observation::default() };
        let detected = detect(&observation, &self.playbooks, &self.releases).databases.remove(id);
        detected.map(|detected| detected.verdict)
    }

    /// How a database stands to what is noted of it.
    pub fn relation(&self, id: &DatabaseId, mark: &Mark, found: &ObservedDatabase) -> Relation {
        if same_heads(&found.heads, &mark.heads) {
            return Relation::Agrees;
        }
        let (now, then) = (self.verdict(id, &found.heads, found.tables), self.verdict(id, &mark.heads, 1));
        if now == Some(Verdict::Empty) {
            return Relation::Behind;
        }
        match (now.as_ref().and_then(ranks), then.as_ref().and_then(ranks)) {
            (Some((_, now)), Some((then, _))) if now < then => Relation::Behind,
            (Some((now, _)), Some((_, then))) if now > then => Relation::Ahead,
            _ => Relation::Unclear,
        }
    }

    /// What a database shows by its heads alone.
    pub fn shown(&self, id: &DatabaseId, found: &ObservedDatabase) -> Shown {
        match self.verdict(id, &found.heads, found.tables) {
            Some(Verdict::At { series }) => Shown { series, stage: Some(Stage::Contracted) },
            Some(Verdict::Partial { done: Half::Expanded, ahead, .. }) => {
                Shown { series: ahead, stage: Some(Stage::Expanded) }
            }
            _ => Shown { series: Vec::new(), stage: None },
        }
    }
}

/// The least and the most that heads may mean.
fn ranks(verdict: &Verdict) -> Option<(Rank<'_>, Rank<'_>)> {
    match verdict {
        Verdict::At { series } => Some(((series.first()?, false), (series.last()?, false))),
        Verdict::Partial { behind, .. } => Some(((behind.last()?, true), (behind.last()?, true))),
        _ => None,
    }
}
