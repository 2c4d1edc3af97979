//! Before a run: what the table says against what the databases show.
//!
//! The databases are right about the schema. Where a database shows less than the table says, it was brought back, or is
//! another one: whoever asked for a run should know first, so that it is refused. Where it shows more, somebody migrated it
//! without leapfrog, or the line could not be written: that is said. What the journal on this machine explains is written
//! down anew.

use std::collections::BTreeSet;

use super::{Kept, book, judge, places, read};
use crate::cli::leap::Latest;
use crate::cli::look::Show;
use crate::cli::stop::Stop;
use crate::cli::world::World;
use crate::database;
use crate::model::{DatabaseId, Observation, Service};
use crate::plan::{Refusal, RefusalKind};
use crate::stages::{self, Book, Changes, Mark, Place, Relation, StagesError, same_heads};

/// A database that shows something else than the table says.
pub(super) struct Odd {
    pub(super) database: DatabaseId,
    pub(super) mark: Mark,
    pub(super) found: String,
    pub(super) relation: Relation,
}

impl Odd {
    /// What is wrong, as a sentence without its end.
    pub(super) fn told(&self) -> String {
        match self.relation {
            Relation::Behind => format!(
                "database {} shows less than the table of stages says: a copy from before was brought back, or it is another \
                 database",
                self.database
            ),
            Relation::Ahead => format!(
                "database {} shows more than the table of stages says: it was migrated without leapfrog, or the table could not \
                 be written",
                self.database
            ),
            Relation::Unclear | Relation::Agrees => {
                format!("database {} shows something else than the table of stages says", self.database)
            }
        }
    }

    fn refusal(&self, options: &str) -> Refusal {
        Refusal {
            kind: RefusalKind::Stages,
            database: Some(self.database.clone()),
            what: self.told(),
            found: Some(self.found.clone()),
            expected: Some(format!("{} ({})", self.mark.heads, self.mark)),
            next: format!(
                "find out what brought it there (`leapfrog status --stages{options}` shows all of them). If it is as it should \
                 be: `leapfrog status --stages --accept{options}` has the table forget what it says of it; then the same \
                 command again"
            ),
        }
    }
}

/// Why a table could not be read, as a reason not to begin.
fn unread(place: &Place, error: &StagesError) -> Refusal {
    let names: Vec<String> = place.databases.iter().map(ToString::to_string).collect();
    Refusal {
        kind: RefusalKind::Stages,
        database: None,
        what: format!("the stages of {} cannot be read, which the cloud file wants to be kept", names.join(", ")),
        found: Some(format!("failed to {}", database::chain(error))),
        expected: None,
        next: format!("{}; or take `stages` out of the cloud file", error.advice()),
    }
}

/// The databases that show something else than their lines say.
pub(super) fn odd(world: &World, kept: &Kept, observation: &Observation) -> Vec<Odd> {
    let judge = judge(world);
    let seen = observation.databases.iter().filter_map(|(id, seen)| Some((id, seen.as_ref().ok()?)));
    let odd = seen.filter_map(|(id, seen)| {
        let mark = kept.marks.get(id)?;
        let relation = judge.relation(id, mark, seen);
        let found = seen.heads.to_string();
        (relation != Relation::Agrees).then(|| Odd { database: id.clone(), mark: mark.clone(), found, relation })
    });
    odd.collect()
}

/// Whether the journal on this machine says how a database came to what it shows, and is no older than the line.
fn explains(book: &Book, odd: &Odd, observation: &Observation) -> bool {
    // What was cut off on its way back is brought back again, whatever is there by now.
    if book.state().restoring.as_ref().is_some_and(|open| open.services.contains(&odd.database.service)) {
        return true;
    }
    let Some((heads, time)) = book.seen(&odd.database) else { return false };
    let found = observation.databases.get(&odd.database).and_then(|seen| seen.as_ref().ok());
    let newer = book.run() == Some(&odd.mark.run) || *time >= odd.mark.since;
    newer && found.is_some_and(|found| same_heads(&found.heads, heads))
}

/// Every reason not to begin that the tables give; changes nothing. A database that cannot be reached is told by others.
pub(in crate::cli) async fn refusals(
    world: &World,
    services: &BTreeSet<Service>,
    observation: &Observation,
    latest: Option<&Latest>,
) -> Vec<Refusal> {
    let kept = read(world, services).await;
    let book = latest.map(|latest| book(world, latest));
    refused(world, &kept, services, observation, book.as_ref()).0
}

/// The reasons not to begin, and what is odd and stops nothing.
fn refused(
    world: &World,
    kept: &Kept,
    services: &BTreeSet<Service>,
    observation: &Observation,
    book: Option<&Book>,
) -> (Vec<Refusal>, Vec<Odd>) {
    let options = world.files();
    let reached = |id: &DatabaseId| observation.databases.get(id).is_some_and(Result::is_ok);
    let away = kept.unread.iter().filter(|(place, _)| place.databases.iter().any(reached));
    let mut refusals: Vec<Refusal> = away.map(|(place, error)| unread(place, error)).collect();
    let mut told = Vec::new();
    let mine = |odd: &Odd| services.contains(&odd.database.service);
    for odd in odd(world, kept, observation).into_iter().filter(mine) {
        match odd.relation {
            _ if book.is_some_and(|book| explains(book, &odd, observation)) => {}
            Relation::Behind => refusals.push(odd.refusal(&options)),
            Relation::Ahead | Relation::Unclear | Relation::Agrees => told.push(odd),
        }
    }
    (refusals, told)
}

/// Compares what the tables say with the databases, and, unless this is only a look, writes down anew what the journal here
/// knows better.
///
/// # Errors
/// A database shows less than was reached, and nothing here explains it; or a table cannot be read.
pub(in crate::cli) async fn confront(
    world: &World,
    services: &BTreeSet<Service>,
    observation: &Observation,
    latest: Option<&Latest>,
    look: bool,
    show: &Show,
) -> Result<(), Stop> {
    if world.cloud.stages.is_none() {
        return Ok(());
    }
    let kept = read(world, services).await;
    let book = latest.map(|latest| book(world, latest));
    let (mut refusals, told) = refused(world, &kept, services, observation, book.as_ref());
    // A run that goes on does so without the table.
    if latest.is_some_and(|latest| !latest.state.is_complete()) {
        let unread = |refusal: &Refusal| refusal.database.is_none();
        for refusal in refusals.iter().filter(|refusal| unread(refusal)) {
            show.caution(&format!("leapfrog: warning: {refusal}\n"));
        }
        refusals.retain(|refusal| !unread(refusal));
    }
    for odd in &told {
        show.caution(&format!(
            "leapfrog: warning: {}\n  found     {}\n  expected  {} ({})\n  next      nothing: the next proof is noted in its place\n",
            odd.told(),
            odd.found,
            odd.mark.heads,
            odd.mark
        ));
    }
    if !refusals.is_empty() {
        return Err(Stop::refused(refusals));
    }
    if let Some(book) = book.filter(|_| !look) {
        let changes = missed(&book, &kept, services, observation);
        for place in places(world, services).iter().filter(|place| !kept.absent.iter().any(|one| one.url == place.url))
        {
            // What cannot be written now stays in the journal.
            let _ = stages::write(place, &world.cloud.name, &changes, world.cloud.limits.connect).await;
        }
    }
    Ok(())
}

/// What the journal says of databases that show it and whose lines say something older.
fn missed(book: &Book, kept: &Kept, services: &BTreeSet<Service>, observation: &Observation) -> Changes {
    let seen = observation.databases.iter().filter_map(|(id, seen)| Some((id, seen.as_ref().ok()?)));
    let mut changes = Changes::new();
    for (id, found) in seen.filter(|(id, _)| services.contains(&id.service)) {
        let Some((heads, time)) = book.seen(id).filter(|(heads, _)| same_heads(heads, &found.heads)) else { continue };
        match (book.mark(id), kept.marks.get(id)) {
            (Some(mark), Some(line)) if line.covers(mark) => {}
            (_, Some(line)) if book.run() != Some(&line.run) && *time < line.since => {}
            (mark @ Some(_), _) => drop(changes.insert(id.clone(), mark.cloned())),
            // It was brought back to before anything that was noted.
            (None, Some(line)) if !same_heads(&line.heads, heads) => drop(changes.insert(id.clone(), None)),
            (None, _) => {}
        }
    }
    changes
}
