//! Aligned columns and wrapped paragraphs.

/// How wide a text may become.
pub(super) const WIDTH: usize = 100;

/// Rows in columns, each as wide as its widest cell, two spaces apart, every line indented.
pub(super) fn table<const N: usize>(indent: usize, rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let line = format!("{:indent$}{}", "", cells.join("  "));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Words in lines of at most [`WIDTH`] columns, every line indented, the first one after `lead`.
pub(super) fn paragraph(indent: usize, lead: &str, words: &str) -> String {
    let mut text = String::new();
    let mut line = format!("{:indent$}{lead}", "");
    let rest = indent + lead.chars().count();
    let mut empty = true;
    for word in words.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = " ".repeat(rest);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    text.push_str(line.trim_end());
    text.push('\n');
    text
}

/// One word for one, another for any other number: `1 step`, `3 steps`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// The items with commas.
pub(super) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_paragraph_keeps_every_word_and_its_width(words in proptest::collection::vec("[a-zé]{1,30}", 0..60), indent in 0usize..12) {
            let text = paragraph(indent, "- ", &words.join(" "));
            let found: Vec<&str> = text.split_whitespace().skip(1).collect();
            prop_assert_eq!(found, words.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert!(text.lines().all(|line| line.chars().count() <= WIDTH && line.trim_end() == line));
        }
    }
}
