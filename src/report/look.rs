//! How things may look: colour or none, Unicode or ASCII.
//!
//! Decided once, from the environment and from what was asked for, and passed to everything that
//! makes text. Colour repeats what a word or a mark says already; it never says anything alone.

/// Whether the operator wants colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorChoice {
    /// Where a terminal reads along and `NO_COLOR` is not set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What may be used in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Colours and weights.
    pub color: bool,
    /// Characters beyond ASCII.
    pub unicode: bool,
}

impl Look {
    /// Neither colour nor Unicode.
    pub const PLAIN: Self = Self { color: false, unicode: false };

    /// What the environment allows. `terminal`: whether the text goes to one.
    ///
    /// Unicode needs a locale that says UTF-8 (the first set one of `LC_ALL`, `LC_CTYPE`, `LANG`) and
    /// a `TERM` that is not `dumb`; `NO_COLOR` takes colour away (<https://no-color.org>).
    pub fn detect(terminal: bool, choice: ColorChoice, environment: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let dumb = is_dumb(&environment);
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_ascii_lowercase();
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !dumb && set("NO_COLOR").is_none(),
        };
        Self { color, unicode: !dumb && (locale.contains("utf-8") || locale.contains("utf8")) }
    }

    /// `text` in the weight or colour of `ink`.
    pub(super) fn ink(self, ink: Ink, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Good => "32",
            Ink::Busy => "36",
            Ink::Odd => "33",
            Ink::Bad => "1;31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// One column that stands for `mark`.
    pub(super) fn mark(self, mark: Mark) -> &'static str {
        // None of these has a form as a picture, which would be two columns wide in some terminals.
        match (mark, self.unicode) {
            (Mark::Waiting, true) => "·",
            (Mark::Running, true) => "▸",
            (Mark::Pulling, true) => "↓",
            (Mark::Done, true) => "✓",
            (Mark::Failed, true) => "✗",
            (Mark::Notice, true) => "•",
            (Mark::Waiting, false) => ".",
            (Mark::Running, false) => ">",
            (Mark::Pulling, false) => "v",
            (Mark::Done, false) => "+",
            (Mark::Failed, false) => "x",
            (Mark::Notice, false) => "*",
            (Mark::Stuck | Mark::Odd, _) => "!",
            (Mark::Stopped, _) => "=",
        }
    }

    /// What marks a cut.
    pub(super) fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "~" }
    }

    /// What leads from one release to another.
    pub(super) fn arrow(self) -> &'static str {
        if self.unicode { "→" } else { "->" }
    }
}

/// Whether lines can be drawn over on standard error: it is a terminal, and one that can move its
/// cursor. Where they cannot, the plain reporter is the one to use.
pub fn can_redraw(terminal: bool, environment: impl Fn(&str) -> Option<String>) -> bool {
    terminal && !is_dumb(&environment)
}

/// Whether the terminal cannot move its cursor.
fn is_dumb(environment: &impl Fn(&str) -> Option<String>) -> bool {
    environment("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// What a colour or weight repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Bold,
    Dim,
    Good,
    Busy,
    Odd,
    Bad,
}

/// What one column stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Waiting,
    Running,
    Pulling,
    Done,
    Failed,
    Stuck,
    Stopped,
    Odd,
    Notice,
}

impl Mark {
    pub(super) fn ink(self) -> Ink {
        match self {
            Self::Waiting | Self::Notice => Ink::Dim,
            Self::Running | Self::Pulling => Ink::Busy,
            Self::Done => Ink::Good,
            Self::Failed => Ink::Bad,
            Self::Stuck | Self::Stopped | Self::Odd => Ink::Odd,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(variables: &[(&str, &str)]) -> Look {
        Look::detect(true, ColorChoice::Auto, |name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_locale_that_counts_decides_on_unicode() {
        let term = ("TERM", "xterm-256color");
        assert!(look(&[term, ("LANG", "de_DE.UTF-8")]).unicode);
        assert!(look(&[term, ("LC_CTYPE", "C.utf8")]).unicode);
        assert!(!look(&[term, ("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]).unicode);
        assert!(look(&[term, ("LC_ALL", ""), ("LANG", "de_DE.UTF-8")]).unicode, "an empty variable counts as unset");
        assert!(!look(&[term]).unicode);
        assert!(!look(&[("TERM", "dumb"), ("LANG", "de_DE.UTF-8")]).unicode);
    }

    #[test]
    fn no_color_and_a_dumb_terminal_take_colour_away() {
        let term = ("TERM", "xterm");
        assert!(look(&[term]).color);
        assert!(look(&[term, ("NO_COLOR", "")]).color, "an empty variable counts as unset");
        assert!(!look(&[term, ("NO_COLOR", "1")]).color);
        assert!(!look(&[("TERM", "dumb")]).color && !look(&[]).color);
        assert!(!can_redraw(true, |_| Some("dumb".to_owned())) && !can_redraw(true, |_| None));
        assert!(can_redraw(true, |_| Some("xterm".to_owned())) && !can_redraw(false, |_| Some("xterm".to_owned())));
        assert!(Look::detect(false, ColorChoice::Always, |_| None).color);
        assert!(!Look::detect(false, ColorChoice::Auto, |_| None).color);
    }
}
