//! Evidence, in words.

use crate::journal::Evidence;
use crate::model::Verdict;

use super::text::counted;

/// Each piece of evidence as a phrase; an ordinary exit code only where it stands alone.
pub(super) fn in_words(evidence: &[Evidence]) -> Vec<String> {
    let alone = evidence.iter().all(|piece| matches!(piece, Evidence::Exit { .. }));
    let ordinary = |piece: &&Evidence| !matches!(piece, Evidence::Exit { verdict: Verdict::Done, .. }) || alone;
    evidence.iter().filter(ordinary).map(phrase).collect()
}

/// One piece of evidence as a phrase.
pub(super) fn phrase(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Exit { code, verdict } => format!("exit {code} ({verdict})"),
        Evidence::NothingLeft { round } => format!("nothing left in round {round}"),
        Evidence::Residue { migration, rows, .. } => {
            format!("{} of {migration} stay, explained", counted(*rows, "row", "rows"))
        }
        Evidence::NoneRemain { what, .. } => format!("no {what}"),
        Evidence::Heads { database, heads } => format!("{database} at {heads}"),
    }
}
