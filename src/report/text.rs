//! Text as it is shown: its width on a screen, its cleaning, its numbers.
//!
//! Widths are display columns, not bytes and not characters. What a step printed is never shown raw:
//! it can hold escape sequences that would move the cursor of whoever reads it, so [`clean`] comes
//! before everything else.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns `text` takes. It must hold no escape sequences.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// `text` without escape sequences and control characters, on one line, tabs as spaces.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\t' => out.push_str("    "),
            // Characters that reverse or hide what follows them are as misleading as escapes.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {}
            c => out.push(c),
        }
    }
    // oslo.log ends coloured lines with `ESC [ 00m`; readers that lost the escape leave its rest.
    let kept = out.trim_end();
    let kept = kept.strip_suffix("[00m").unwrap_or(kept).trim_end();
    kept.to_owned()
}

fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        // A control sequence: ends at the first byte from `@` to `~`.
        Some('[') => {
            for c in chars.by_ref() {
                if ('@'..='~').contains(&c) {
                    break;
                }
            }
        }
        // A text for the terminal, such as a title: ends at BEL or `ESC \`.
        Some(']' | 'P' | '_' | '^' | 'X') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' {
                    break;
                }
                if c == '\u{1b}' {
                    chars.next();
                    break;
                }
            }
        }
        // Character sets: one more character belongs to it.
        Some('(' | ')' | '*' | '+' | '#' | '%' | ' ') => {
            chars.next();
        }
        _ => {}
    }
}

/// `text` with a question mark for every character beyond ASCII.
pub(super) fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

/// What a log line says, without what every line begins with: oslo.log's date, time, process, level,
/// module and context (`2026-11-22 03:15:20.248 9357 INFO alembic.runtime.migration [-] `).
pub(super) fn gist(line: &str) -> &str {
    oslo(line).map_or(line, |(_, said)| said)
}

/// As [`gist`], with the level where it is no ordinary one.
pub(super) fn level_and_gist(line: &str) -> String {
    match oslo(line) {
        Some(("DEBUG" | "INFO" | "TRACE", said)) => said.to_owned(),
        Some((level, said)) => format!("{level} {said}"),
        None => line.to_owned(),
    }
}

/// A line's level and what it says, if it is one of oslo.log.
fn oslo(line: &str) -> Option<(&str, &str)> {
    const LEVELS: [&str; 7] = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "AUDIT", "TRACE"];
    let (date, rest) = line.split_once(' ')?;
    let (time, rest) = rest.split_once(' ')?;
    let (process, rest) = rest.split_once(' ')?;
    let (level, rest) = rest.split_once(' ')?;
    let (module, rest) = rest.split_once(' ')?;
    let made_of =
        |text: &str, more: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || more.contains(c));
    let fits = date.len() == 10
        && made_of(date, "-")
        && made_of(time, ":.,")
        && made_of(process, "")
        && LEVELS.contains(&level)
        && !module.is_empty();
    let said = rest.strip_prefix('[').and_then(|context| context.split_once("] ")).map_or(rest, |(_, said)| said);
    fits.then_some((level, said))
}

/// At most `columns` of `text`, the cut marked with `mark`.
pub(super) fn cut(text: &str, columns: usize, mark: &str) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(width(mark));
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > room {
            break;
        }
        used += wide;
        out.push(c);
    }
    if width(mark) <= columns {
        out.push_str(mark);
    }
    out
}

/// `text`, filled with spaces at its end to `columns`.
pub(super) fn left(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// `text`, filled with spaces at its start to `columns`.
pub(super) fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// `text` in lines of at most `columns`, broken at spaces where that is possible.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut word = word;
        if !line.is_empty() && width(&line) + 1 + width(word) <= columns {
            line.push(' ');
        } else if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        while width(word) > columns {
            let piece = cut(word, columns, "");
            word = &word[piece.len()..];
            lines.push(piece);
        }
        line.push_str(word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Whole seconds: `42s`, `4m03s`, `1h02m14s`, `2d03h04m`.
pub(super) fn clock(seconds: f64) -> String {
    let seconds = if seconds.is_finite() { seconds.max(0.0) as u64 } else { 0 };
    let (minutes, s) = (seconds / 60, seconds % 60);
    let (hours, m) = (minutes / 60, minutes % 60);
    let (days, h) = (hours / 24, hours % 24);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{s}s"),
        (0, 0, _) => format!("{m}m{s:02}s"),
        (0, _, _) => format!("{h}h{m:02}m{s:02}s"),
        _ => format!("{days}d{h:02}h{m:02}m"),
    }
}

/// As [`clock`], with tenths below ten seconds: for what is over.
pub fn took(seconds: f64) -> String {
    if (0.0..9.95).contains(&seconds) { format!("{seconds:.1}s") } else { clock(seconds) }
}

/// `1,204,350`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 row`, `12 rows`.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Rows per second: `5,120/s`, `3.4/s`.
pub(super) fn rate(rows: f64) -> String {
    if !rows.is_finite() || rows <= 0.0 {
        "0/s".to_owned()
    } else if rows < 9.95 {
        format!("{rows:.1}/s")
    } else {
        format!("{}/s", count(rows.round() as u64))
    }
}

/// `512 B`, `34 KiB`, `120 MiB`, `1.2 GiB`.
pub fn bytes(number: u64) -> String {
    let value = number as f64;
    let (unit, name) = [(30, "GiB"), (20, "MiB"), (10, "KiB")]
        .into_iter()
        .map(|(power, name)| (f64::from(1u32 << power), name))
        .find(|(unit, _)| value >= *unit)
        .unwrap_or((1.0, "B"));
    if name == "GiB" { format!("{:.1} {name}", value / unit) } else { format!("{:.0} {name}", value / unit) }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// The time with its date, to the second: `2026-11-22T03:15:02Z`.
pub(super) fn stamp(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The time of day, to the second: `03:15:02Z`.
pub(super) fn time_of_day(time: jiff::Timestamp) -> String {
    time.strftime("%H:%M:%SZ").to_string()
}

/// Seconds from `from` to `to`, 0 if the clock went back.
pub(super) fn seconds_between(from: jiff::Timestamp, to: jiff::Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

/// Rows as a table of words: as wide as its widest cells, two blanks between columns, none at the end of a line.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(self::width(cell));
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width - self::width(cell) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_step_printed_cannot_move_the_readers_cursor() {
        assert_eq!(clean("\u{1b}[01;31mERROR\u{1b}[00m cinder \u{1b}]0;title\u{7}failed\r"), "ERROR cinder failed");
        assert_eq!(clean("Migration(s) applied[00m"), "Migration(s) applied");
        assert_eq!(clean("a\tb\u{1b}(Bc\u{202e}d"), "a    bcd");
    }

    #[test]
    fn the_gist_of_a_log_line_is_what_it_says() {
        let migration = "2026-11-22 03:15:20.248 9357 INFO alembic.runtime.migration [-] Running upgrade a -> b";
        assert_eq!(gist(migration), "Running upgrade a -> b");
        assert_eq!(gist("2026-11-22 03:15:20.311 9357 ERROR cinder Traceback"), "Traceback");
        assert_eq!(
            gist("50 rows matched query populate_user_id, 0 migrated"),
            "50 rows matched query populate_user_id, 0 migrated"
        );
        assert_eq!(gist("2026-11-22"), "2026-11-22");
        assert_eq!(level_and_gist(migration), "Running upgrade a -> b");
        assert_eq!(level_and_gist("2026-11-22 03:15:20.311 9357 ERROR cinder Traceback"), "ERROR Traceback");
    }

    #[test]
    fn times_are_read_at_a_glance() {
        let all = [0.4, 42.0, 243.0, 3734.0, 183_840.0].map(clock);
        assert_eq!(all, ["0s", "42s", "4m03s", "1h02m14s", "2d03h04m"]);
        assert_eq!([0.04, 3.21, 9.96, 61.0].map(took), ["0.0s", "3.2s", "9s", "1m01s"]);
        assert_eq!(clock(f64::NAN), "0s");
    }

    #[test]
    fn numbers_have_their_thousands_apart_and_their_units() {
        assert_eq!([0, 999, 1000, 1_204_350].map(count), ["0", "999", "1,000", "1,204,350"]);
        assert_eq!([0.0, 3.42, 5119.7, f64::INFINITY].map(rate), ["0/s", "3.4/s", "5,120/s", "0/s"]);
        assert_eq!([17, 34 << 10, 120 << 20, 1_288_490_189].map(bytes), ["17 B", "34 KiB", "120 MiB", "1.2 GiB"]);
        assert_eq!(counted(1, "row", "rows"), "1 row");
    }

    #[test]
    fn words_are_kept_whole_where_they_fit() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("", 8), [""]);
        assert_eq!(wrap("0123456789abcdef!", 8), ["01234567", "89abcdef", "!"]);
    }

    proptest! {
        #[test]
        fn nothing_that_is_cut_or_wrapped_is_wider_than_asked(text in "[ -~äß国人]{0,60}", columns in 8usize..40) {
            prop_assert!(width(&cut(&text, columns, "…")) <= columns);
            prop_assert!(wrap(&text, columns).iter().all(|line| width(line) <= columns));
        }

        #[test]
        fn wrapping_loses_no_letter(text in "[a-z ]{0,80}", columns in 8usize..20) {
            let letters = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&wrap(&text, columns).concat()), letters(&text));
        }

        #[test]
        fn a_clean_text_has_no_control_characters(text in any::<String>()) {
            prop_assert!(!clean(&text).contains(char::is_control));
        }
    }
}
