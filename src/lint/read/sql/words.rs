//! A text of SQL as words.

use crate::lint::operation::Change;
use crate::lint::read::value::GAP;

/// Words, names without their quotes, texts with one, brackets, commas and semicolons; no comments. What stands between
/// PostgreSQL's `$name$` is a text.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        match first {
            '\'' => {
                let mut quoted = String::from('\'');
                while let Some(next) = chars.next() {
                    match next {
                        '\\' => quoted.extend(chars.next()),
                        '\'' if chars.peek() == Some(&'\'') => quoted.extend(chars.next()),
                        '\'' => break,
                        _ => quoted.push(next),
                    }
                }
                tokens.push(quoted);
            }
            '`' | '"' => tokens.push(chars.by_ref().take_while(|next| *next != first).collect()),
            '-' if chars.peek() == Some(&'-') => while chars.next().is_some_and(|next| next != '\n') {},
            '/' if chars.peek() == Some(&'*') => {
                let mut last = ' ';
                chars.next();
                // `/*!50000 … */` and `/*M!100100 … */` are run by the servers that they are for.
                let _ = chars.next_if_eq(&'M');
                if chars.next_if_eq(&'!').is_some() {
                    while chars.next_if(char::is_ascii_digit).is_some() {}
                    continue;
                }
                for next in chars.by_ref() {
                    if last == '*' && next == '/' {
                        break;
                    }
                    last = next;
                }
            }
            '(' | ')' | ',' | ';' | '=' | '.' => tokens.push(first.to_string()),
            _ if is_word(first) => {
                let mut word = String::from(first);
                while let Some(next) = chars.next_if(|next| is_word(*next)) {
                    word.push(next);
                }
                if word.len() > 1 && word.starts_with('$') && word.ends_with('$') {
                    let mut quoted = String::from('\'');
                    while !quoted.ends_with(&word) {
                        let Some(next) = chars.next() else { break };
                        quoted.push(next);
                    }
                    quoted.truncate(quoted.strip_suffix(&word).map_or(quoted.len(), str::len));
                    word = quoted;
                }
                tokens.push(word);
            }
            _ => {}
        }
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | ':' | GAP)
}

/// The words of a statement, from a place on.
pub(super) struct Words<'w> {
    pub(super) tokens: &'w [String],
    pub(super) at: usize,
}

impl Words<'_> {
    pub(super) fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    pub(super) fn next(&mut self) -> String {
        let word = self.peek().to_owned();
        self.at += 1;
        word
    }

    /// Takes these words, if they come next.
    pub(super) fn take(&mut self, words: &str) -> bool {
        let wanted: Vec<&str> = words.split(' ').collect();
        let there = self.tokens.iter().skip(self.at).take(wanted.len());
        let same = there.clone().count() == wanted.len()
            && there.zip(&wanted).all(|(token, word)| token.eq_ignore_ascii_case(word));
        if same {
            self.at += wanted.len();
        }
        same
    }

    /// Takes a name, the last part of one with dots; none where it is not known.
    pub(super) fn name(&mut self) -> Option<String> {
        let mut name = self.next();
        while self.take(".") {
            name = self.next();
        }
        (!name.is_empty() && !name.contains(GAP) && !name.starts_with('\'')).then_some(name)
    }

    pub(super) fn unknown(&self) -> Change {
        let words = self.tokens.iter().take(4).map(String::as_str).collect::<Vec<_>>().join(" ");
        Change::NotUnderstood { why: format!("it runs SQL that is not understood: `{words}`") }
    }
}
