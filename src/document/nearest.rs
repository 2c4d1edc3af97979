//! "Did you mean".

use std::cmp::Reverse;

/// The candidate that `text` was probably meant to be: at most a third of its letters differ, and of
/// two that are as close, the one with more of the same letters.
pub fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody means a word that is this long, and the distance costs its square.
    if text.len() > 64 {
        return None;
    }
    let common = |candidate: &str| text.chars().filter(|letter| candidate.contains(*letter)).count();
    let (distance, candidate) = candidates
        .into_iter()
        .map(|candidate| (distance(text, candidate), candidate))
        .min_by_key(|(distance, candidate)| (*distance, Reverse(common(candidate))))?;
    (distance <= candidate.chars().count().div_ceil(3)).then_some(candidate)
}

/// How many letters have to be put in, left out or changed (Levenshtein).
fn distance(one: &str, two: &str) -> usize {
    let two: Vec<char> = two.chars().collect();
    let mut row: Vec<usize> = (0..=two.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (j, b) in two.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j] = left;
            left = changed.min(left + 1).min(diagonal + 1);
        }
        row[two.len()] = left;
    }
    row[two.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood_and_a_different_word_is_not() {
        let names = ["antelope", "bobcat", "caracal", "dalmatian"];
        for (text, meant) in [("caracall", "caracal"), ("bobcet", "bobcat"), ("antilope", "antelope")] {
            assert_eq!(nearest(text, names), Some(meant));
        }
        for text in ["", "zebra", "x", &"a".repeat(10_000)] {
            assert_eq!(nearest(text, names), None);
        }
    }

    #[test]
    fn of_two_as_close_the_one_with_more_of_the_letters_was_meant() {
        assert_eq!(nearest("fase", ["name", "phase", "series"]), Some("phase"));
    }

    #[test]
    fn distance_counts_single_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
