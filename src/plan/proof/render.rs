//! A proof as a table, what there is to say about claims that are not proved, and the answer.

use super::{Answer, Claim, ClaimKind, Proof};

/// The proof as a person reads it.
pub fn render(proof: &Proof) -> String {
    let rows: Vec<[String; 3]> = proof.claims.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let (first, second) = (width(0), width(1));
    let mut text = format!("{} at {}\n", proof.cloud, proof.at);
    for [answer, place, what] in &rows {
        let line = format!("  {answer:first$}  {place:second$}  {what}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    for claim in proof.claims.iter().filter(|claim| claim.answer != Answer::Yes) {
        text.push_str(&format!("\n{}: {}\n", place(claim), claim.what));
        let fields = [("found", &claim.found), ("expected", &claim.expected), ("next", &claim.next)];
        for (label, value) in fields {
            if let Some(value) = value {
                text.push_str(&format!("  {label:<8}  {value}\n"));
            }
        }
    }
    for old in &proof.services {
        text.push_str(&format!("\n{}\n  {:<8}  {}\n", old.told(), "means", old.means));
        for (index, mend) in old.mends.iter().enumerate() {
            text.push_str(&format!("  {:<8}  {mend}\n", if index == 0 { "next" } else { "" }));
        }
    }
    let open = proof.claims.iter().filter(|claim| claim.answer != Answer::Yes).count();
    let all = proof.claims.len();
    text.push_str(&match proof.answer {
        Answer::Yes => format!("\nyes: complete at {} ({all} proofs)\n", proof.at),
        Answer::No => format!("\nno: not complete at {} ({open} of {all} proofs are missing)\n", proof.at),
        Answer::Unknown => {
            format!("\nunknown: {open} of {all} proofs of {} could not be looked at\n", proof.at)
        }
    });
    text
}

fn row(claim: &Claim) -> [String; 3] {
    let answer = match claim.answer {
        Answer::Yes => "yes",
        Answer::No => "no",
        Answer::Unknown => "?",
    };
    // In full below.
    let what = match (claim.answer, claim.what.split_once(". ")) {
        (Answer::No | Answer::Unknown, Some((first, _))) => first.to_owned(),
        _ => claim.what.clone(),
    };
    // Why a rest is harmless or a check stops nothing, or what the check warns of.
    let besides = claim.next.as_ref().or(claim.found.as_ref());
    let what = match (claim.answer, claim.kind, besides) {
        (Answer::Yes, ClaimKind::Residue | ClaimKind::ReleaseCheck, Some(besides)) => format!("{what}: {besides}"),
        _ => what,
    };
    [answer.to_owned(), place(claim), what]
}

fn place(claim: &Claim) -> String {
    claim.database.as_ref().map_or_else(|| claim.service.to_string(), ToString::to_string)
}
