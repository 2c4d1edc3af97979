//! One line of a screen: pieces of text, each in its ink, cut to a width as a whole.

use super::look::{Ink, Look};
use super::text::{ascii, cut, width};

/// Pieces of text side by side.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Vec<(Option<Ink>, String)>);

impl Line {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a piece without ink.
    pub(super) fn plain(mut self, text: impl Into<String>) -> Self {
        self.0.push((None, text.into()));
        self
    }

    /// Adds a piece in ink.
    pub(super) fn ink(mut self, ink: Ink, text: impl Into<String>) -> Self {
        self.0.push((Some(ink), text.into()));
        self
    }

    /// This line behind `start`.
    pub(super) fn after(self, mut start: Self) -> Self {
        start.0.extend(self.0);
        start
    }

    /// Columns of all pieces.
    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| width(text)).sum()
    }

    /// The line as text, at most `columns` wide, without spaces at its end.
    pub(super) fn render(&self, look: Look, columns: usize) -> String {
        let mark = look.ellipsis();
        let mut pieces = self.0.clone();
        if !look.unicode {
            pieces.iter_mut().for_each(|(_, text)| *text = ascii(text));
        }
        if self.width() > columns {
            let mut room = columns;
            for (place, (_, text)) in pieces.iter_mut().enumerate() {
                let rest: usize = self.0[place + 1..].iter().map(|(_, text)| width(text.trim_end())).sum();
                // The piece that does not fit carries the mark; so does one that fills the room
                // while something visible follows.
                if width(text) > room || (width(text) == room && rest > 0) {
                    *text = cut(&format!("{text} "), room, mark);
                    pieces.truncate(place + 1);
                    break;
                }
                room -= width(text);
            }
        }
        while let Some((_, text)) = pieces.last_mut() {
            text.truncate(text.trim_end().len());
            if !text.is_empty() {
                break;
            }
            pieces.pop();
        }
        // Pieces in the same ink share it: every colour costs bytes on a slow link. Spaces have none.
        let mut merged: Vec<(Option<Ink>, String)> = Vec::new();
        for (ink, text) in pieces {
            match merged.last_mut() {
                Some((before, all)) if *before == ink || text.trim().is_empty() => all.push_str(&text),
                _ => merged.push((ink, text)),
            }
        }
        merged.into_iter().map(|(ink, text)| ink.map_or(text.clone(), |ink| look.ink(ink, &text))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::text;
    use proptest::prelude::*;

    const UNICODE: Look = Look { color: false, unicode: true };

    #[test]
    fn a_line_that_is_too_wide_says_that_it_was_cut() {
        let line = Line::new().plain("nova").plain("  ").ink(Ink::Dim, "migrate");
        assert_eq!(line.render(UNICODE, 13), "nova  migrate");
        assert_eq!(line.render(UNICODE, 12), "nova  migra…");
        assert_eq!(line.render(Look::PLAIN, 4), "nov~");
        assert_eq!(line.render(Look { color: true, unicode: true }, 9), "nova  \u{1b}[2mmi…\u{1b}[0m");
        let dim = Line::new().ink(Ink::Dim, "a").plain("  ").ink(Ink::Dim, "b");
        assert_eq!(dim.render(Look { color: true, unicode: true }, 9), "\u{1b}[2ma  b\u{1b}[0m");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked(pieces in prop::collection::vec("[ -~ß国]{0,12}", 0..6), columns in 1usize..40) {
            let line = pieces.iter().fold(Line::new(), |line, piece| line.plain(piece));
            prop_assert!(text::width(&line.render(UNICODE, columns)) <= columns);
        }
    }
}
