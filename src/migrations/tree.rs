//! The revisions of a schema as a graph.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::Branch;

/// One revision, as its script says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// Its identifier, as a database stores it.
    pub id: String,
    /// The revisions it comes after; none for a root, several where branches join.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub down: BTreeSet<String>,
    /// Revisions of other branches that must be there before it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub depends_on: BTreeSet<String>,
    /// Names of the branch that begins here.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<String>,
    /// Its script, below the directory of the scripts.
    pub file: String,
    /// How many tables it drops at most; absent where that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drops: Option<u64>,
}

/// Why revisions make no tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// No revision at all.
    #[error("there is no migration script")]
    Empty,
    /// An identifier is there twice.
    #[error("the revision {id} is in {other} as well")]
    Twice {
        /// The identifier.
        id: String,
        /// One script.
        file: String,
        /// The other.
        other: String,
    },
    /// A revision names one that is not there.
    #[error("{id} comes after {missing}, which no script is")]
    Missing {
        /// The revision.
        id: String,
        /// Its script.
        file: String,
        /// What it names.
        missing: String,
    },
    /// Revisions come after one another in a circle.
    #[error("the revisions {} come after one another in a circle", .0.join(", "))]
    Circle(Vec<String>),
}

/// The revisions of a schema. See the module's invariants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Revision>", into = "Vec<Revision>")]
pub struct Tree {
    revisions: BTreeMap<String, Revision>,
    /// Every identifier, each after those it needs.
    order: Vec<String>,
}

impl TryFrom<Vec<Revision>> for Tree {
    type Error = TreeError;

    fn try_from(list: Vec<Revision>) -> Result<Self, TreeError> {
        let mut revisions: BTreeMap<String, Revision> = BTreeMap::new();
        for revision in list {
            if let Some(other) = revisions.get(&revision.id) {
                let (id, file) = (revision.id, revision.file);
                return Err(TreeError::Twice { id, file, other: other.file.clone() });
            }
            revisions.insert(revision.id.clone(), revision);
        }
        if revisions.is_empty() {
            return Err(TreeError::Empty);
        }
        resolve_labels(&mut revisions);
        for revision in revisions.values() {
            if let Some(missing) = revision.needs().find(|id| !revisions.contains_key(*id)) {
                return Err(TreeError::Missing {
                    id: revision.id.clone(),
                    file: revision.file.clone(),
                    missing: missing.clone(),
                });
            }
        }
        let order = in_order(&revisions)?;
        Ok(Self { revisions, order })
    }
}

impl From<Tree> for Vec<Revision> {
    fn from(tree: Tree) -> Self {
        tree.revisions.into_values().collect()
    }
}

impl Revision {
    /// The revisions that must be there before it.
    fn needs(&self) -> impl Iterator<Item = &String> {
        self.down.union(&self.depends_on)
    }
}

/// alembic takes a label for the revision that carries it.
fn resolve_labels(revisions: &mut BTreeMap<String, Revision>) {
    let mut carriers: BTreeMap<String, String> = BTreeMap::new();
    for revision in revisions.values() {
        carriers.extend(revision.labels.iter().map(|label| (label.clone(), revision.id.clone())));
    }
    let known: BTreeSet<String> = revisions.keys().cloned().collect();
    let resolve = |names: &BTreeSet<String>| -> BTreeSet<String> {
        let found = names.iter().map(|name| match carriers.get(name) {
            Some(carrier) if !known.contains(name) => carrier.clone(),
            _ => name.clone(),
        });
        found.collect()
    };
    for revision in revisions.values_mut() {
        revision.down = resolve(&revision.down);
        revision.depends_on = resolve(&revision.depends_on);
    }
}

/// Every identifier, each after those it needs; among those that could come next, by name.
fn in_order(revisions: &BTreeMap<String, Revision>) -> Result<Vec<String>, TreeError> {
    let mut waits: BTreeMap<&String, usize> =
        revisions.values().map(|revision| (&revision.id, revision.needs().count())).collect();
    let mut followers: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
    for revision in revisions.values() {
        for needed in revision.needs() {
            followers.entry(needed).or_default().push(&revision.id);
        }
    }
    let mut free: BTreeSet<&String> = waits.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
    let mut order = Vec::new();
    while let Some(id) = free.pop_first() {
        order.push(id.clone());
        for follower in followers.get(id).into_iter().flatten() {
            if let Some(count) = waits.get_mut(*follower) {
                *count -= 1;
                if *count == 0 {
                    free.insert(*follower);
                }
            }
        }
    }
    if order.len() == revisions.len() {
        return Ok(order);
    }
    let placed: BTreeSet<&String> = order.iter().collect();
    Err(TreeError::Circle(revisions.keys().filter(|id| !placed.contains(id)).cloned().collect()))
}

impl Tree {
    /// The revision with this identifier.
    pub fn get(&self, id: &str) -> Option<&Revision> {
        self.revisions.get(id)
    }

    /// Every revision, each after those it needs.
    pub fn revisions(&self) -> impl Iterator<Item = &Revision> {
        self.order.iter().filter_map(|id| self.revisions.get(id))
    }

    /// How many revisions there are; never 0.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    /// What a database stores when everything was applied: the revisions that nothing comes after and nothing
    /// depends on. (Glance's expand branch has none: its contract branch depends on it.)
    pub fn heads(&self) -> BTreeSet<String> {
        self.maximal(&self.revisions.keys().cloned().collect())
    }

    /// The revisions that come after no other.
    pub fn roots(&self) -> BTreeSet<String> {
        self.revisions().filter(|revision| revision.down.is_empty()).map(|revision| revision.id.clone()).collect()
    }

    /// The heads among `heads` that no script has: the database is ahead of the scripts, or another's.
    pub fn unknown(&self, heads: &BTreeSet<String>) -> BTreeSet<String> {
        heads.iter().filter(|head| !self.revisions.contains_key(*head)).cloned().collect()
    }

    /// Everything that was applied to a database that stores `heads`: these and what they need. Unknown heads
    /// are left out.
    pub fn applied(&self, heads: &BTreeSet<String>) -> BTreeSet<String> {
        let mut applied = BTreeSet::new();
        let mut open: Vec<&String> =
            heads.iter().filter_map(|head| self.revisions.get_key_value(head)).map(|(id, _)| id).collect();
        while let Some(id) = open.pop() {
            if applied.insert(id.clone()) {
                open.extend(self.revisions.get(id).into_iter().flat_map(Revision::needs));
            }
        }
        applied
    }

    /// What is not applied yet to a database that stores `heads`, in an order it may be applied in.
    pub fn pending(&self, heads: &BTreeSet<String>) -> Vec<&Revision> {
        let applied = self.applied(heads);
        self.revisions().filter(|revision| !applied.contains(&revision.id)).collect()
    }

    /// What a database stores when exactly `applied` was applied.
    pub fn maximal(&self, applied: &BTreeSet<String>) -> BTreeSet<String> {
        let needed: BTreeSet<&String> =
            applied.iter().filter_map(|id| self.revisions.get(id)).flat_map(Revision::needs).collect();
        applied.iter().filter(|id| self.revisions.contains_key(*id) && !needed.contains(id)).cloned().collect()
    }

    /// The last revisions of a branch: those that no other comes after, whatever depends on them.
    pub fn ends_of(&self, branch: Branch) -> BTreeSet<String> {
        let followed: BTreeSet<&String> = self.revisions.values().flat_map(|revision| &revision.down).collect();
        let ends = self.revisions.keys().filter(|id| !followed.contains(id));
        ends.filter(|id| self.branch(id) == Some(branch)).cloned().collect()
    }

    /// The branch of a revision: by its label or that of one it comes after, else by the directory of its
    /// script, else by its name.
    pub fn branch(&self, id: &str) -> Option<Branch> {
        let mut seen = BTreeSet::new();
        let mut open = vec![id];
        while let Some(next) = open.pop().and_then(|id| self.revisions.get(id)) {
            if let Some(branch) = next.labels.iter().find_map(|label| exactly(label)) {
                return Some(branch);
            }
            open.extend(next.down.iter().filter(|id| seen.insert(id.as_str())).map(String::as_str));
        }
        let file = self.revisions.get(id).map(|revision| revision.file.as_str()).unwrap_or_default();
        let directories = file.rsplit('/').skip(1);
        directories.into_iter().find_map(exactly).or_else(|| within(id))
    }
}

fn exactly(name: &str) -> Option<Branch> {
    match name {
        "expand" => Some(Branch::Expand),
        "contract" => Some(Branch::Contract),
        _ => None,
    }
}

fn within(id: &str) -> Option<Branch> {
    match (id.contains("expand"), id.contains("contract")) {
        (true, false) => Some(Branch::Expand),
        (false, true) => Some(Branch::Contract),
        _ => None,
    }
}
