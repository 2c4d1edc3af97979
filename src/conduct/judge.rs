//! What one round of a data migration means: pure, so that every case can be tried.

use crate::journal::{Evidence, MigrationCount};
use crate::model::Verdict;

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
    /// The command's exit code.
    pub exit: i64,
    /// What the exit table says of it.
    pub verdict: Verdict,
    /// What the output said; absent if it said nothing that could be read.
    pub counts: Option<Vec<MigrationCount>>,
    /// A line of the output that means failure whatever the exit code says.
    pub alarm: Option<String>,
}

impl Round {
    /// Rows moved in the round.
    pub(super) fn moved(&self) -> u64 {
        self.counts.iter().flatten().fold(0, |sum, count| sum.saturating_add(count.moved))
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
    Stuck {
        /// What was seen, in a sentence.
        what: String,
        /// What to do.
        advice: String,
    },
    /// The command failed.
    Failed {
        /// What was seen, in a sentence.
        what: String,
        /// What to do.
        advice: String,
    },
}

/// Judges `round`, given the one before it and the harmless rows that the database was seen to hold.
pub(super) fn judge(round: &Round, before: Option<&Round>, harmless: &[Harmless]) -> Judgement {
    let again = "mend the cause, then run the same command again: it goes on from here";
    if let Some(alarm) = &round.alarm {
        let what = format!("a migration raised an error (the exit code was {}): {alarm}", round.exit);
        let advice = format!("read the exception above that line in the log, {again}");
        // Where other rows moved, the exit code hides that a migration raised.
        return match round.verdict {
            Verdict::Failed => Judgement::Failed { what, advice },
            Verdict::Done | Verdict::More | Verdict::Warning | Verdict::Stuck => Judgement::Stuck { what, advice },
        };
    }
    match round.verdict {
        Verdict::Failed => Judgement::Failed {
            what: format!("the command failed with exit code {}", round.exit),
            advice: format!("read the last lines and the log, {again}"),
        },
        Verdict::Stuck => Judgement::Stuck {
            what: format!("the command cannot get on: exit code {}, {} rows moved", round.exit, round.moved()),
            advice: format!("read the exception in the log, {again}"),
        },
        Verdict::Done | Verdict::More | Verdict::Warning => match &round.counts {
            None => Judgement::Failed {
                what: format!("the output holds no table of migrations, so exit code {} proves nothing", round.exit),
                advice: "read the log: the command may be another version than the playbook expects".to_owned(),
            },
            Some(counts) if round.verdict == Verdict::More => more(round, counts, before),
            Some(counts) => done(round, counts, harmless),
        },
    }
}

/// The exit code says that there is more to do.
fn more(round: &Round, counts: &[MigrationCount], before: Option<&Round>) -> Judgement {
    let idle = round.moved() == 0;
    let idle_before = before.is_some_and(|before| before.moved() == 0 && before.counts.as_deref() == Some(counts));
    if idle && idle_before {
        let left = leftovers(counts);
        return Judgement::Stuck {
            what: format!("two rounds found the same rows and moved none: {left}"),
            advice: "look at those rows and at the log; mend them, then run the same command again".to_owned(),
        };
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
        Judgement::Done(evidence)
    } else {
        Judgement::Stuck {
            what: format!("the command says done and leaves rows behind: {}", leftovers(&unexplained)),
            advice: "look at those rows. If they are harmless, say so under `residues` in a copy of the playbook \
                     (--catalog DIR); else mend them. Then run the same command again"
                .to_owned(),
        }
    }
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
        Round { number, exit, verdict, counts: Some(counts.to_vec()), alarm: None }
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
        assert!(matches!(two, Judgement::Stuck { .. }), "{two:?}");
    }

    #[test]
    fn the_same_rows_found_twice_and_never_moved_are_stuck() {
        let first = round(1, Verdict::More, &[count("a", 7, 0)]);
        let second = round(2, Verdict::More, &[count("a", 7, 0)]);
        assert_eq!(judge(&first, None, &[]), Judgement::Again);
        let Judgement::Stuck { what, .. } = judge(&second, Some(&first), &[]) else { panic!("not stuck") };
        assert!(what.contains("a (7 found, 0 moved)"), "{what}");
    }

    #[test]
    fn an_exception_in_the_output_outranks_the_exit_code() {
        let alarm = Some("Error attempting to run <function a>".to_owned());
        let hidden = Round { alarm, ..round(1, Verdict::More, &[count("b", 50, 50)]) };
        assert!(matches!(judge(&hidden, None, &[]), Judgement::Stuck { .. }));
    }

    #[test]
    fn an_exit_code_without_a_table_proves_nothing() {
        let silent = Round { counts: None, ..round(1, Verdict::Done, &[]) };
        assert!(matches!(judge(&silent, None, &[]), Judgement::Failed { .. }));
    }

    #[test]
    fn a_command_that_cannot_get_on_is_stuck_and_a_crash_is_a_failure() {
        assert!(matches!(judge(&round(1, Verdict::Stuck, &[]), None, &[]), Judgement::Stuck { .. }));
        assert!(matches!(judge(&round(1, Verdict::Failed, &[]), None, &[]), Judgement::Failed { .. }));
    }
}
