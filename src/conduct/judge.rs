//! What one round of a data migration means: pure, so that every case can be tried.

use crate::journal::{Evidence, MigrationCount};
use crate::model::Verdict;
use crate::readers::{Raised, Unread};

use super::slowing::Slowing;
use super::tally::Unmoved;

/// Harmless rows of a migration, as they were counted in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Harmless {
    /// The migration's name in the output.
    pub(super) migration: String,
    /// How many there are.
    pub(super) rows: u64,
    /// Why they are harmless.
    pub(super) why: String,
}

/// What was seen of one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Round {
    /// Which round of the attempt, from 1.
    pub number: u32,
    /// The most rows that the command was told to move; absent where an earlier process launched it.
    pub count: Option<u64>,
    /// The command's exit code.
    pub exit: i64,
    /// What the exit table says of it.
    pub verdict: Verdict,
    /// What the output said, or why it says nothing.
    pub counts: Result<Vec<MigrationCount>, Unread>,
    /// A line of the output that means failure whatever the exit code says.
    pub alarm: Option<String>,
    /// The exceptions in the output.
    pub raised: Vec<Raised>,
}

impl Round {
    /// What the output said, by migration.
    pub(super) fn counts(&self) -> &[MigrationCount] {
        self.counts.as_deref().unwrap_or_default()
    }

    /// Rows moved in the round.
    pub(super) fn moved(&self) -> u64 {
        self.counts().iter().fold(0, |sum, count| sum.saturating_add(count.moved))
    }
}

/// What follows from a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Run another round.
    Again,
    /// Complete, and this is why.
    Done(Vec<Evidence>),
    /// Rows are left that the command does not move.
    Stuck(Trouble),
    /// The command failed.
    Failed(Trouble),
}

/// Why a data migration cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// What was seen, in a sentence.
    pub(super) what: String,
    /// What to do.
    pub(super) advice: String,
    /// The migration that it is about, where it is about one.
    pub(super) migration: Option<String>,
}

impl Trouble {
    /// Trouble with no migration in particular.
    pub(super) fn new(what: String, advice: String) -> Self {
        Self { what, advice, migration: None }
    }

    /// The same, about the first of these migrations.
    fn about<'m>(mut self, mut migrations: impl Iterator<Item = &'m String>) -> Self {
        self.migration = migrations.next().cloned();
        self
    }
}

/// What is to be done after whatever else is advised.
pub(super) const AGAIN: &str = "mend the cause, then run the same command again: it goes on from here";

/// Judges `round`, given the one before it and the harmless rows that the database was seen to hold.
pub(super) fn judge(round: &Round, before: Option<&Round>, harmless: &[Harmless]) -> Judgement {
    if let Some(alarm) = &round.alarm {
        let trouble = raised(round, alarm);
        // Where other rows moved, the exit code hides that a migration raised.
        return match round.verdict {
            Verdict::Failed => Judgement::Failed(trouble),
            Verdict::Done | Verdict::More | Verdict::Warning | Verdict::Stuck => Judgement::Stuck(trouble),
        };
    }
    let exception = last_exception(round).map(|exception| format!(": {exception}")).unwrap_or_default();
    match round.verdict {
        Verdict::Failed => Judgement::Failed(Trouble::new(
            format!("the command failed with exit code {}{exception}", round.exit),
            format!("read the last lines and the log, {AGAIN}"),
        )),
        Verdict::Stuck => Judgement::Stuck(Trouble::new(
            format!("the command cannot get on: exit code {}, {} rows moved{exception}", round.exit, round.moved()),
            format!("read the exception in the log, {AGAIN}"),
        )),
        Verdict::Done | Verdict::More | Verdict::Warning => match &round.counts {
            Err(unread) => Judgement::Failed(Trouble::new(
                format!("{unread}; so exit code {} proves nothing", round.exit),
                "read the log: the command may be another version than the playbook expects. If its output was cut, run \
                 the same command again"
                    .to_owned(),
            )),
            Ok(counts) if round.verdict == Verdict::More => more(round, counts, before),
            Ok(counts) => done(round, counts, harmless),
        },
    }
}

/// The last exception in the output.
fn last_exception(round: &Round) -> Option<&str> {
    round.raised.iter().rev().find_map(|raised| raised.exception.as_deref())
}

/// A line of the output says that a migration failed.
fn raised(round: &Round, alarm: &str) -> Trouble {
    let named: Vec<(&String, &Raised)> =
        round.raised.iter().filter_map(|raised| raised.migration.as_ref().map(|name| (name, raised))).collect();
    let advice = format!("read the exception in the log, {AGAIN}");
    if named.is_empty() {
        let exception = last_exception(round).map(|exception| format!(": {exception}")).unwrap_or_default();
        let what = format!("a migration raised an error (the exit code was {}): {alarm}{exception}", round.exit);
        return Trouble::new(what, advice);
    }
    let each = named.iter().map(|(name, raised)| {
        let count = round.counts().iter().find(|count| count.migration == **name);
        let counts = count.map(|count| format!(" ({} found, {} moved)", count.found, count.moved)).unwrap_or_default();
        let exception = raised.exception.as_ref().map(|exception| format!(": {exception}")).unwrap_or_default();
        format!("{name} raised an exception{counts}{exception}")
    });
    let what = format!("{} (the exit code was {})", each.collect::<Vec<_>>().join("; "), round.exit);
    Trouble::new(what, advice).about(named.into_iter().map(|(name, _)| name))
}

/// The exit code says that there is more to do.
fn more(round: &Round, counts: &[MigrationCount], before: Option<&Round>) -> Judgement {
    let idle = round.moved() == 0;
    let idle_before = before.is_some_and(|before| before.moved() == 0 && before.counts.as_deref() == Ok(counts));
    if idle && idle_before {
        let what = format!("two rounds found the same rows and moved none: {}", leftovers(counts));
        let advice = "look at those rows and at the log; mend them, then run the same command again".to_owned();
        let left = counts.iter().filter(|count| count.found > count.moved).map(|count| &count.migration);
        return Judgement::Stuck(Trouble::new(what, advice).about(left));
    }
    Judgement::Again
}

/// The exit code says that nothing is left to do.
fn done(round: &Round, counts: &[MigrationCount], harmless: &[Harmless]) -> Judgement {
    if round.moved() > 0 {
        // Only a round that moves nothing shows that nothing is left.
        return Judgement::Again;
    }
    let mut evidence = vec![
        Evidence::Exit { code: round.exit, verdict: round.verdict },
        Evidence::NothingLeft { round: round.number },
    ];
    let mut unexplained = Vec::new();
    for count in counts.iter().filter(|count| count.found > count.moved) {
        let rows = count.found - count.moved;
        match harmless.iter().find(|harmless| harmless.migration == count.migration && rows <= harmless.rows) {
            Some(harmless) => {
                let why = harmless.why.clone();
                evidence.push(Evidence::Residue { migration: count.migration.clone(), rows, why });
            }
            None => unexplained.push(count.clone()),
        }
    }
    if unexplained.is_empty() {
        return Judgement::Done(evidence);
    }
    let what = format!("the command says done and leaves rows behind: {}", leftovers(&unexplained));
    let advice = "look at those rows. If they are harmless, say so under `residues` in a copy of the playbook \
                  (--catalog DIR); else mend them. Then run the same command again"
        .to_owned();
    Judgement::Stuck(Trouble::new(what, advice).about(unexplained.iter().map(|count| &count.migration)))
}

/// A command that reports rows as moved, and a database that holds as many as before.
pub(super) fn unmoved(unmoved: &Unmoved) -> Trouble {
    let Unmoved { migration, left, rounds } = unmoved;
    let what = format!(
        "{migration} reported rows as moved in {rounds} rounds in a row, and the database holds as many as before: {left}"
    );
    let advice =
        "find out whether the command works on another database than the cloud file names, or whether something \
                  writes such rows anew; stop the service everywhere, then run the same command again"
            .to_owned();
    Trouble::new(what, advice).about(std::iter::once(migration))
}

/// A migration that gets slower with every round.
pub(super) fn slowing(slowing: &Slowing, counts: &[MigrationCount]) -> Trouble {
    let Slowing { best, now, rounds } = slowing;
    let what = format!(
        "the migration slows down without end: {now:.1} rows a second, {best:.1} in its best round, and each of the last \
         {rounds} rounds was slower than the one before"
    );
    let advice = "look at what the database server is busy with (its list of running queries, locks, disks, a missing \
                  index); mend that, then run the same command again: it goes on from here"
        .to_owned();
    let busiest = counts.iter().max_by_key(|count| count.moved).map(|count| &count.migration);
    Trouble::new(what, advice).about(busiest.into_iter())
}

fn leftovers(counts: &[MigrationCount]) -> String {
    let left = counts.iter().filter(|count| count.found > count.moved);
    let left: Vec<String> =
        left.map(|count| format!("{} ({} found, {} moved)", count.migration, count.found, count.moved)).collect();
    if left.is_empty() { "no migration names any".to_owned() } else { left.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(migration: &str, found: u64, moved: u64) -> MigrationCount {
        MigrationCount { migration: migration.into(), found, moved }
    }

    fn round(number: u32, verdict: Verdict, counts: &[MigrationCount]) -> Round {
        let exit = if verdict == Verdict::More { 1 } else { 0 };
        Round { number, count: Some(50), exit, verdict, counts: Ok(counts.to_vec()), alarm: None, raised: Vec::new() }
    }

    fn marker() -> Harmless {
        Harmless { migration: "compute_id".into(), rows: 1, why: "a marker".into() }
    }

    #[test]
    fn rows_that_moved_call_for_another_round_even_if_the_code_says_done() {
        let moved = [count("a", 50, 50)];
        assert_eq!(judge(&round(1, Verdict::More, &moved), None, &[]), Judgement::Again);
        assert_eq!(judge(&round(1, Verdict::Done, &moved), None, &[]), Judgement::Again);
    }

    #[test]
    fn only_a_round_that_moves_nothing_completes_a_migration() {
        let Judgement::Done(evidence) = judge(&round(3, Verdict::Done, &[count("a", 0, 0)]), None, &[]) else {
            panic!("not done");
        };
        assert!(evidence.contains(&Evidence::NothingLeft { round: 3 }));
    }

    #[test]
    fn a_known_residue_is_named_as_evidence_and_a_larger_one_is_not_excused() {
        let Judgement::Done(evidence) =
            judge(&round(1, Verdict::Done, &[count("compute_id", 1, 0)]), None, &[marker()])
        else {
            panic!("not done");
        };
        assert!(evidence.iter().any(|e| matches!(e, Evidence::Residue { rows: 1, .. })));
        let two = judge(&round(1, Verdict::Done, &[count("compute_id", 2, 0)]), None, &[marker()]);
        assert!(matches!(two, Judgement::Stuck(_)), "{two:?}");
    }

    #[test]
    fn the_same_rows_found_twice_and_never_moved_are_stuck() {
        let first = round(1, Verdict::More, &[count("a", 7, 0)]);
        let second = round(2, Verdict::More, &[count("a", 7, 0)]);
        assert_eq!(judge(&first, None, &[]), Judgement::Again);
        let Judgement::Stuck(trouble) = judge(&second, Some(&first), &[]) else { panic!("not stuck") };
        assert!(trouble.what.contains("a (7 found, 0 moved)"), "{}", trouble.what);
        assert_eq!(trouble.migration.as_deref(), Some("a"));
    }

    #[test]
    fn an_exception_in_the_output_outranks_the_exit_code() {
        let alarm = Some("Error attempting to run <function a>".to_owned());
        let hidden = Round { alarm, ..round(1, Verdict::More, &[count("b", 50, 50)]) };
        assert!(matches!(judge(&hidden, None, &[]), Judgement::Stuck(_)));
    }

    #[test]
    fn a_migration_that_raised_is_named_with_its_counts_and_its_exception() {
        let raised = Raised { migration: Some("a".into()), exception: Some("ValueError: no uuid".into()) };
        let alarm = Some("Error attempting to run <function a>".to_owned());
        let counts = [count("a", 7, 3), count("b", 50, 50)];
        let hidden = Round { alarm, raised: vec![raised], ..round(1, Verdict::More, &counts) };
        let Judgement::Stuck(trouble) = judge(&hidden, None, &[]) else { panic!("not stuck") };
        let what = "a raised an exception (7 found, 3 moved): ValueError: no uuid (the exit code was 1)";
        assert_eq!((trouble.what.as_str(), trouble.migration.as_deref()), (what, Some("a")));
    }

    #[test]
    fn an_exit_code_without_a_table_proves_nothing() {
        let silent = Round { counts: Err(Unread::Nothing("table of migrations")), ..round(1, Verdict::Done, &[]) };
        assert!(matches!(judge(&silent, None, &[]), Judgement::Failed(_)));
    }

    #[test]
    fn a_command_that_cannot_get_on_is_stuck_and_a_crash_is_a_failure() {
        assert!(matches!(judge(&round(1, Verdict::Stuck, &[]), None, &[]), Judgement::Stuck(_)));
        assert!(matches!(judge(&round(1, Verdict::Failed, &[]), None, &[]), Judgement::Failed(_)));
    }
}
